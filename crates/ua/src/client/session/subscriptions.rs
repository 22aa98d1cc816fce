//! The services of subscriptions, one call each, on the session's channel. What to call when is decided by
//! [`crate::client::publishing`].

use super::limits::Operation;
use super::{OpcUaSession, is_too_large};
use crate::client::convert;
use crate::client::decoder::{DataChange, HotBody};
use crate::client::error::UaError;
use gemba_model::{DateTime, NodeId, StatusCode, Variant};
use opcua::client::UARequest;
use opcua::client::services::{
    Call, CreateMonitoredItems, CreateSubscription, DeleteMonitoredItems, DeleteSubscriptions,
    ModifyMonitoredItems, ModifySubscription, Publish, Republish, TransferSubscriptions,
};
use opcua::types as stack;
use std::time::Duration;

/// The stack replaces the client handle 0 by one of its own. On the wire each handle is one higher, so that
/// callers may count from 0; the highest is refused by the runtime.
const HANDLE_OFFSET: u32 = 1;

/// What is asked of a subscription.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SubscriptionRequest {
    pub(crate) publishing_interval: Duration,
    pub(crate) keep_alive_count: u32,
    pub(crate) lifetime_count: u32,
}

/// What the server made of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CreatedSubscription {
    pub(crate) id: u32,
    pub(crate) publishing_interval: Duration,
    pub(crate) keep_alive_count: u32,
    pub(crate) lifetime_count: u32,
}

/// A notification message as it is understood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReceivedMessage {
    pub(crate) sequence_number: u32,
    pub(crate) publish_time: Option<DateTime>,
    pub(crate) body: ReceivedBody,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ReceivedBody {
    /// No body; the sequence number is the next one, not one of its own.
    KeepAlive,
    DataChange(DataChange),
    /// The server says what became of the subscription.
    StatusChange(StatusCode),
    /// Events, or bytes that neither decoder accepts.
    NotUnderstood(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PublishAnswer {
    pub(crate) subscription: u32,
    pub(crate) message: ReceivedMessage,
    /// One for each acknowledgement that was sent.
    pub(crate) results: Vec<StatusCode>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Transferred {
    pub(crate) status: StatusCode,
    pub(crate) available: Vec<u32>,
}

/// One item to create or, with its id, to modify.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ItemRequest {
    pub(crate) handle: u32,
    pub(crate) node: NodeId,
    pub(crate) attribute: u32,
    pub(crate) sampling_interval: Duration,
    pub(crate) queue_size: u32,
    pub(crate) discard_oldest: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ItemCreated {
    pub(crate) status: StatusCode,
    pub(crate) id: u32,
    pub(crate) sampling_interval: Duration,
    pub(crate) queue_size: u32,
}

fn millis(interval: f64) -> Duration {
    // A server may answer anything; -1 and NaN are no intervals.
    Duration::try_from_secs_f64(interval.max(0.0) / 1000.0).unwrap_or(Duration::ZERO)
}

fn receive(message: stack::NotificationMessage) -> ReceivedMessage {
    let sequence_number = message.sequence_number;
    let publish_time = convert::time_or_none(message.publish_time);
    let bodies = message.notification_data.unwrap_or_default();
    let mut all = if bodies.is_empty() { None } else { Some(DataChange::default()) };
    let mut special = None;
    for body in bodies {
        if let Some(status) = body.inner_as::<stack::StatusChangeNotification>() {
            special.get_or_insert(ReceivedBody::StatusChange(convert::status(status.status)));
            continue;
        }
        let name = body.body.as_ref().map_or("nothing", |body| body.type_name());
        match body.into_inner_as::<HotBody>().map(|body| *body) {
            Some(HotBody::Change(mut change)) => {
                change.handles.iter_mut().for_each(|handle| *handle = handle.wrapping_sub(HANDLE_OFFSET));
                if let Some(all) = &mut all {
                    all.append(change);
                }
            }
            Some(HotBody::Refused(reason)) => special = Some(ReceivedBody::NotUnderstood(reason)),
            None => {
                special =
                    Some(ReceivedBody::NotUnderstood(format!("a body of type {name} was not asked for")))
            }
        }
    }
    let body = match (special, all) {
        (Some(special), _) => special,
        (None, Some(change)) => ReceivedBody::DataChange(change),
        (None, None) => ReceivedBody::KeepAlive,
    };
    ReceivedMessage { sequence_number, publish_time, body }
}

impl OpcUaSession {
    pub(crate) async fn create_subscription(
        &self,
        request: SubscriptionRequest,
    ) -> Result<CreatedSubscription, UaError> {
        let session = &self.stack.session;
        let made = CreateSubscription::new(session)
            .publishing_interval(request.publishing_interval)
            .max_keep_alive_count(request.keep_alive_count)
            .max_lifetime_count(request.lifetime_count)
            .send(session.channel())
            .await
            .map_err(|error| self.failed("CreateSubscription", &error))?;
        Ok(CreatedSubscription {
            id: made.subscription_id,
            publishing_interval: millis(made.revised_publishing_interval),
            keep_alive_count: made.revised_max_keep_alive_count,
            lifetime_count: made.revised_lifetime_count,
        })
    }

    pub(crate) async fn modify_subscription(
        &self,
        id: u32,
        request: SubscriptionRequest,
    ) -> Result<CreatedSubscription, UaError> {
        let session = &self.stack.session;
        let made = ModifySubscription::new(id, session)
            .publishing_interval(request.publishing_interval)
            .max_keep_alive_count(request.keep_alive_count)
            .max_lifetime_count(request.lifetime_count)
            .send(session.channel())
            .await
            .map_err(|error| self.failed("ModifySubscription", &error))?;
        Ok(CreatedSubscription {
            id,
            publishing_interval: millis(made.revised_publishing_interval),
            keep_alive_count: made.revised_max_keep_alive_count,
            lifetime_count: made.revised_lifetime_count,
        })
    }

    pub(crate) async fn delete_subscription(&self, id: u32) -> Result<(), UaError> {
        let session = &self.stack.session;
        DeleteSubscriptions::new(session)
            .subscription(id)
            .send(session.channel())
            .await
            .map(drop)
            .map_err(|error| self.failed("DeleteSubscriptions", &error))
    }

    /// Sends one PublishRequest. The header takes the session's token here: never keep a request for later.
    pub(crate) async fn publish(
        &self,
        acknowledgements: Vec<(u32, u32)>,
        patience: Duration,
    ) -> Result<PublishAnswer, UaError> {
        let session = &self.stack.session;
        let mut request = Publish::new(session).timeout(patience);
        for (subscription, sequence_number) in acknowledgements {
            request = request.ack(subscription, sequence_number);
        }
        let answer = request.send(session.channel()).await.map_err(|error| self.failed("Publish", &error))?;
        Ok(PublishAnswer {
            subscription: answer.subscription_id,
            message: receive(answer.notification_message),
            results: answer.results.unwrap_or_default().into_iter().map(convert::status).collect(),
        })
    }

    /// Asks for a message again. `None` when the server no longer has it; some servers say so with Good and an
    /// empty message, so that the number is compared.
    pub(crate) async fn republish(
        &self,
        subscription: u32,
        sequence_number: u32,
    ) -> Result<Option<ReceivedMessage>, UaError> {
        let session = &self.stack.session;
        match Republish::new(subscription, sequence_number, session).send(session.channel()).await {
            Ok(answer) => {
                let message = receive(answer.notification_message);
                let right =
                    message.sequence_number == sequence_number && message.body != ReceivedBody::KeepAlive;
                Ok(right.then_some(message))
            }
            Err(error) => {
                let error = self.failed("Republish", &error);
                if error.ends_connection() || error.status_name() == "BadSubscriptionIdInvalid" {
                    return Err(error);
                }
                Ok(None)
            }
        }
    }

    pub(crate) async fn transfer(&self, subscription: u32) -> Result<Transferred, UaError> {
        let session = &self.stack.session;
        let answer = TransferSubscriptions::new(session)
            .subscription(subscription)
            .send_initial_values(false)
            .send(session.channel())
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let error = self.failed("TransferSubscriptions", &error);
                // A server without the service refuses the transfer; that is no lost connection.
                return match &error {
                    UaError::Service { status, .. } => {
                        Ok(Transferred { status: *status, available: Vec::new() })
                    }
                    _ => Err(error),
                };
            }
        };
        let Some(result) = answer.results.unwrap_or_default().into_iter().next() else {
            return Err(self.protocol("TransferSubscriptions has no result"));
        };
        Ok(Transferred {
            status: convert::status(result.status_code),
            available: result.available_sequence_numbers.unwrap_or_default(),
        })
    }

    pub(crate) async fn create_items(
        &self,
        subscription: u32,
        items: &[ItemRequest],
    ) -> Result<Vec<ItemCreated>, UaError> {
        let session = &self.stack.session;
        self.limits
            .split(Operation::MonitoredItems, items, async |part: &[ItemRequest]| {
                let answer = CreateMonitoredItems::new(subscription, session)
                    .timestamps_to_return(stack::TimestampsToReturn::Both)
                    .items_to_create(part.iter().map(create_request).collect())
                    .send(session.channel())
                    .await;
                let answer = match answer.map_err(|error| self.failed("CreateMonitoredItems", &error)) {
                    Ok(answer) => answer,
                    // Refused as a whole: so is each item of this part, and of no other, which may be there.
                    Err(UaError::Service { status, .. }) if !is_too_large(status) || part.len() == 1 => {
                        let refused =
                            ItemCreated { status, id: 0, sampling_interval: Duration::ZERO, queue_size: 0 };
                        return Ok(vec![refused; part.len()]);
                    }
                    Err(error) => return Err(error),
                };
                if answer.results.len() != part.len() {
                    return Err(self.protocol("CreateMonitoredItems answered another number of items"));
                }
                Ok(answer.results.iter().map(|item| created(&item.result)).collect())
            })
            .await
    }

    pub(crate) async fn modify_items(
        &self,
        subscription: u32,
        items: &[(u32, ItemRequest)],
    ) -> Result<Vec<ItemCreated>, UaError> {
        let session = &self.stack.session;
        self.limits
            .split(Operation::MonitoredItems, items, async |part: &[(u32, ItemRequest)]| {
                let requests = part.iter().map(|(id, item)| stack::MonitoredItemModifyRequest {
                    monitored_item_id: *id,
                    requested_parameters: parameters(item),
                });
                let answer = ModifyMonitoredItems::new(subscription, session)
                    .timestamps_to_return(stack::TimestampsToReturn::Both)
                    .items_to_modify(requests.collect())
                    .send(session.channel())
                    .await
                    .map_err(|error| self.failed("ModifyMonitoredItems", &error))?;
                let results = answer.results.unwrap_or_default();
                if results.len() != part.len() {
                    return Err(self.protocol("ModifyMonitoredItems answered another number of items"));
                }
                let results = results.iter().zip(part).map(|(result, (id, _))| ItemCreated {
                    status: convert::status(result.status_code),
                    id: *id,
                    sampling_interval: millis(result.revised_sampling_interval),
                    queue_size: result.revised_queue_size,
                });
                Ok(results.collect())
            })
            .await
    }

    pub(crate) async fn delete_items(&self, subscription: u32, ids: &[u32]) -> Result<(), UaError> {
        let session = &self.stack.session;
        self.limits
            .split(Operation::MonitoredItems, ids, async |part: &[u32]| {
                let request = part
                    .iter()
                    .fold(DeleteMonitoredItems::new(subscription, session), |request, id| request.item(*id));
                // An item that the server no longer knows is as good as deleted.
                request
                    .send(session.channel())
                    .await
                    .map(|_| Vec::<()>::new())
                    .map_err(|error| self.failed("DeleteMonitoredItems", &error))
            })
            .await
            .map(drop)
    }

    /// Client handles and item ids that a subscription has, by the method GetMonitoredItems (OPC 10000-5 v1.05,
    /// 9.1). `None` from a server without it.
    pub(crate) async fn monitored_items(
        &self,
        subscription: u32,
    ) -> Result<Option<Vec<(u32, u32)>>, UaError> {
        let session = &self.stack.session;
        let method = stack::CallMethodRequest {
            object_id: stack::ObjectId::Server.into(),
            method_id: stack::MethodId::Server_GetMonitoredItems.into(),
            input_arguments: Some(vec![stack::Variant::UInt32(subscription)]),
        };
        let answer = match Call::new(session).method(method).send(session.channel()).await {
            Ok(answer) => answer,
            Err(error) => {
                let error = self.failed("Call", &error);
                return if error.ends_connection() { Err(error) } else { Ok(None) };
            }
        };
        let Some(result) = answer.results.unwrap_or_default().into_iter().next() else { return Ok(None) };
        if !result.status_code.is_good() {
            return Ok(None);
        }
        let context = session.encoding_context().read();
        let context = context.context();
        let mut lists = result.output_arguments.unwrap_or_default().into_iter().map(|list| {
            match convert::variant(&list, &context) {
                Ok(Variant::Array { values, .. }) => values,
                _ => Vec::new(),
            }
        });
        let ids = lists.next().unwrap_or_default();
        let handles = lists.next().unwrap_or_default();
        let pairs = handles.into_iter().zip(ids).filter_map(|pair| match pair {
            (Variant::UInt32(handle), Variant::UInt32(id)) => Some((handle.wrapping_sub(HANDLE_OFFSET), id)),
            _ => None,
        });
        Ok(Some(pairs.collect()))
    }
}

fn parameters(item: &ItemRequest) -> stack::MonitoringParameters {
    stack::MonitoringParameters {
        client_handle: item.handle.wrapping_add(HANDLE_OFFSET),
        sampling_interval: item.sampling_interval.as_secs_f64() * 1000.0,
        queue_size: item.queue_size,
        discard_oldest: item.discard_oldest,
        ..Default::default()
    }
}

fn create_request(item: &ItemRequest) -> stack::MonitoredItemCreateRequest {
    stack::MonitoredItemCreateRequest {
        item_to_monitor: stack::ReadValueId {
            node_id: convert::to_stack_node_id(&item.node),
            attribute_id: item.attribute,
            ..Default::default()
        },
        monitoring_mode: stack::MonitoringMode::Reporting,
        requested_parameters: parameters(item),
    }
}

fn created(result: &stack::MonitoredItemCreateResult) -> ItemCreated {
    ItemCreated {
        status: convert::status(result.status_code),
        id: result.monitored_item_id,
        sampling_interval: millis(result.revised_sampling_interval),
        queue_size: result.revised_queue_size,
    }
}
