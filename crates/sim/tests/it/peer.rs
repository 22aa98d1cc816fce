//! A client that hides nothing: each request is sent when a test says so, nothing is repeated.

use gemba_base::Tasks;
use gemba_model::{BuiltInType, Identifier, Variant};
use gemba_ua::server::{
    AddressSpaceBuilder, DataType, Parent, RunningServer, Server, ServerOptions, VariableDeclaration,
    VariableHandle,
};
use opcua::client::services::{
    CreateMonitoredItems, CreateSubscription, DeleteMonitoredItems, DeleteSubscriptions, Publish, Republish,
    SetMonitoringMode, TransferSubscriptions,
};
use opcua::client::{ClientBuilder, IdentityToken, Session, UARequest};
use opcua::types::{
    AttributeId, DataChangeNotification, DataValue, Error, MonitoredItemCreateRequest,
    MonitoredItemCreateResult, MonitoringMode, MonitoringParameters, NodeId, PublishResponse, ReadValueId,
    StatusCode, SubscriptionAcknowledgement, TimestampsToReturn,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A folder that is removed in the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(std::env::temp_dir().join(format!("gemba-sim-{}", gemba_base::random::hex::<8>())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A client's connection.
pub(crate) struct Peer {
    pub(crate) session: Arc<Session>,
    running: JoinHandle<StatusCode>,
    _folder: Folder,
}

/// What to watch.
pub(crate) struct Item {
    pub(crate) node: NodeId,
    pub(crate) queue_size: u32,
    pub(crate) discard_oldest: bool,
    pub(crate) sampling_interval: f64,
}

impl Item {
    pub(crate) fn new(number: u32, queue_size: u32) -> Self {
        Self { node: node(number), queue_size, discard_oldest: true, sampling_interval: 0.0 }
    }
}

pub(crate) fn node(number: u32) -> NodeId {
    NodeId::new(2, number)
}

impl Peer {
    pub(crate) async fn connect(url: &str) -> Self {
        Self::try_connect(url, "None", None).await.unwrap()
    }

    /// `policy` is the end of the policy's URI; of its modes the strongest is taken.
    pub(crate) async fn try_connect(
        url: &str,
        policy: &str,
        login: Option<(&str, &str)>,
    ) -> Result<Self, Error> {
        let token = match login {
            Some((name, password)) => IdentityToken::new_user_name(name, password),
            None => IdentityToken::new_anonymous(),
        };
        Self::try_connect_as(url, policy, token).await
    }

    /// As `try_connect`, as anybody.
    pub(crate) async fn try_connect_as(url: &str, policy: &str, token: IdentityToken) -> Result<Self, Error> {
        let folder = Folder::new();
        let client = ClientBuilder::new()
            .application_name("gemba test peer")
            .application_uri("urn:gemba:test:peer")
            .create_sample_keypair(policy != "None")
            .pki_dir(&folder.0)
            .trust_server_certs(true)
            .verify_server_certs(false)
            .session_retry_limit(0)
            .recreate_subscriptions(false)
            .request_timeout(PATIENCE)
            .max_array_length(1_000_000)
            .max_message_size(64 << 20)
            .max_chunk_count(10_000)
            .client()
            .unwrap();
        let endpoints = client.get_server_endpoints_from_url(url).await?;
        let endpoint = endpoints
            .into_iter()
            .filter(|endpoint| endpoint.security_policy_uri.as_ref().ends_with(policy))
            .max_by_key(|endpoint| endpoint.security_mode as i32)
            .expect("the server has such an endpoint");
        let (session, event_loop) = client
            .session_builder()
            .connect_to_endpoint_directly(endpoint)?
            .user_identity_token(token)
            .build(client.certificate_store().clone())?;
        session.disable_reconnects();
        let mut running = event_loop.spawn();
        tokio::select! {
            _ = session.wait_for_connection() => Ok(Self { session, running, _folder: folder }),
            end = &mut running => Err(Error::new(end.unwrap(), "connecting")),
        }
    }

    /// Cuts the connection without a word.
    pub(crate) async fn kill(self) {
        self.running.abort();
        drop(self.running.await);
    }

    /// Waits until the server has closed the connection.
    pub(crate) async fn closed(self) {
        drop(timeout(PATIENCE, self.running).await.expect("the connection is closed"));
    }

    pub(crate) async fn close(self) {
        drop(self.session.disconnect().await);
    }

    pub(crate) async fn read(&self, node: NodeId, attribute: AttributeId) -> DataValue {
        let wanted = ReadValueId { node_id: node, attribute_id: attribute as u32, ..Default::default() };
        self.session.read(&[wanted], TimestampsToReturn::Both, 0.0).await.unwrap().remove(0)
    }

    pub(crate) async fn value(&self, number: u32) -> DataValue {
        self.read(node(number), AttributeId::Value).await
    }

    pub(crate) async fn subscribe(&self, interval: Duration, lifetime: u32) -> u32 {
        let request = CreateSubscription::new(&self.session)
            .publishing_interval(interval)
            .max_keep_alive_count(lifetime / 3)
            .max_lifetime_count(lifetime);
        request.send(self.session.channel()).await.unwrap().subscription_id
    }

    /// Client handles are the places in the list, from 1.
    pub(crate) async fn watch(&self, subscription: u32, items: &[Item]) -> Vec<MonitoredItemCreateResult> {
        self.try_watch(subscription, items).await.unwrap()
    }

    /// As `watch`, when it may fail as a whole.
    pub(crate) async fn try_watch(
        &self,
        subscription: u32,
        items: &[Item],
    ) -> Result<Vec<MonitoredItemCreateResult>, Error> {
        let requests = items.iter().zip(1..).map(|(item, handle)| MonitoredItemCreateRequest {
            item_to_monitor: ReadValueId::from(item.node.clone()),
            monitoring_mode: MonitoringMode::Reporting,
            requested_parameters: MonitoringParameters {
                client_handle: handle,
                sampling_interval: item.sampling_interval,
                queue_size: item.queue_size,
                discard_oldest: item.discard_oldest,
                ..Default::default()
            },
        });
        let request = CreateMonitoredItems::new(subscription, &self.session)
            .timestamps_to_return(TimestampsToReturn::Both)
            .items_to_create(requests.collect());
        let answer = request.send(self.session.channel()).await?;
        Ok(answer.results.into_iter().map(|created| created.result).collect())
    }

    /// Switches an item on or off.
    pub(crate) async fn set_mode(&self, subscription: u32, item: u32, mode: MonitoringMode) {
        let request = SetMonitoringMode::new(subscription, mode, &self.session).item(item);
        request.send(self.session.channel()).await.unwrap();
    }

    /// Ends one item.
    pub(crate) async fn unwatch(&self, subscription: u32, item: u32) {
        let request = DeleteMonitoredItems::new(subscription, &self.session).item(item);
        request.send(self.session.channel()).await.unwrap();
    }

    /// Ends a subscription.
    pub(crate) async fn unsubscribe(&self, subscription: u32) {
        let request = DeleteSubscriptions::new(&self.session).subscription(subscription);
        request.send(self.session.channel()).await.unwrap();
    }

    /// Takes a subscription over: the status, and the sequence numbers of what can be asked for again.
    pub(crate) async fn transfer(&self, subscription: u32) -> (String, Vec<u32>) {
        let request =
            TransferSubscriptions::new(&self.session).subscription(subscription).send_initial_values(false);
        let answer = request.send(self.session.channel()).await.unwrap();
        let result = answer.results.unwrap().remove(0);
        (result.status_code.to_string(), result.available_sequence_numbers.unwrap_or_default())
    }

    /// A message again: its (client handle, value) pairs.
    pub(crate) async fn republish(&self, subscription: u32, sequence: u32) -> Vec<(u32, DataValue)> {
        let request = Republish::new(subscription, sequence, &self.session);
        let answer = request.send(self.session.channel()).await.unwrap();
        changes_of(&answer.notification_message.notification_data.unwrap_or_default())
    }

    /// One publish; acknowledges `acknowledged` of the subscription.
    pub(crate) async fn publish(&self, acknowledged: Option<(u32, u32)>) -> Result<PublishResponse, Error> {
        let mut request = Publish::new(&self.session).timeout(PATIENCE);
        if let Some((subscription_id, sequence_number)) = acknowledged {
            request = request.acks(vec![SubscriptionAcknowledgement { subscription_id, sequence_number }]);
        }
        request.send(self.session.channel()).await
    }

    /// Publishes until `enough` says so, and acknowledges everything; returns (client handle, value).
    pub(crate) async fn collect(
        &self,
        enough: impl Fn(&[(u32, DataValue)]) -> bool,
    ) -> Vec<(u32, DataValue)> {
        let mut values = Vec::new();
        let mut acknowledge = None;
        let done = async {
            while !enough(&values) {
                let answer = self.publish(acknowledge.take()).await.unwrap();
                let changes = data_changes(&answer);
                if !changes.is_empty() {
                    let number = answer.notification_message.sequence_number;
                    acknowledge = Some((answer.subscription_id, number));
                }
                values.extend(changes);
            }
        };
        if timeout(PATIENCE, done).await.is_err() {
            panic!("not enough values in time: {values:?}");
        }
        values
    }
}

/// The values of a message.
pub(crate) fn data_changes(answer: &PublishResponse) -> Vec<(u32, DataValue)> {
    changes_of(answer.notification_message.notification_data.as_deref().unwrap_or_default())
}

pub(crate) fn changes_of(bodies: &[opcua::types::ExtensionObject]) -> Vec<(u32, DataValue)> {
    bodies
        .iter()
        .flat_map(|body| {
            body.inner_as::<DataChangeNotification>().expect("a data change").monitored_items.iter()
        })
        .flatten()
        .map(|item| (item.client_handle, item.value.clone()))
        .collect()
}

pub(crate) fn number(value: &DataValue) -> u64 {
    match value.value {
        Some(opcua::types::Variant::UInt64(number)) => number,
        Some(opcua::types::Variant::Int64(number)) => number as u64,
        Some(opcua::types::Variant::Double(number)) => number as u64,
        ref other => panic!("{other:?} is no count"),
    }
}

/// Declares UInt64 variables with the ids 1 to `count`, all 0.
pub(crate) fn counters(space: &mut AddressSpaceBuilder, count: u32) -> Vec<VariableHandle> {
    let declare = |number| VariableDeclaration {
        id: Identifier::Numeric(number),
        name: format!("Counter{number}"),
        display_name: None,
        data_type: DataType::BuiltIn(BuiltInType::UInt64),
        value_rank: -1,
        initial: Variant::UInt64(0),
        source_timestamp: None,
        writable: true,
    };
    (1..=count).map(|number| space.variable(Parent::Objects, declare(number)).unwrap()).collect()
}

/// A server with counters 1 to `count`.
pub(crate) async fn server(
    count: u32,
    adjust: impl FnOnce(&mut ServerOptions),
) -> (RunningServer, Vec<VariableHandle>, Folder) {
    let folder = Folder::new();
    let mut options = ServerOptions::new("facts", "urn:gemba:test:facts", &folder.0);
    adjust(&mut options);
    let mut space = AddressSpaceBuilder::new("urn:gemba:test:space");
    let handles = counters(&mut space, count);
    let server = Server::start(options, space, &Tasks::new("test")).await.unwrap();
    (server, handles, folder)
}
