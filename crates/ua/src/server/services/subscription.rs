//! Subscriptions and Publish (OPC 10000-4 v1.05, 5.14).

use super::{Call, Outcome, bounded, good};
use crate::server::options::ServerLimits;
use crate::server::shared::State;
use crate::server::subscription::Settings;
use crate::server::subscription::engine::{Published, Waiting};
use crate::server::subscription::item::{Item, Target};
use crate::server::wire::RawAnswer;
use bytes::Bytes;
use gemba_model::DateTime;
use opcua::types::{
    CreateSubscriptionRequest, CreateSubscriptionResponse, DeleteSubscriptionsRequest,
    DeleteSubscriptionsResponse, ModifySubscriptionRequest, ModifySubscriptionResponse, PublishRequest,
    RepublishRequest, RepublishResponse, SetPublishingModeRequest, SetPublishingModeResponse, StatusCode,
    TransferResult, TransferSubscriptionsRequest, TransferSubscriptionsResponse,
};
use std::time::Duration;

/// The longest publishing interval.
const INTERVAL_MAX: Duration = Duration::from_secs(3600);
const KEEP_ALIVES_MAX: u32 = 10_000;
const LIFETIME_MAX: u32 = 30_000;
/// Keep-alives for clients that leave the count to the server.
const KEEP_ALIVES: u32 = 10;

fn revised(
    limits: &ServerLimits,
    interval_ms: f64,
    (lifetime, keep_alives, values): (u32, u32, u32),
    priority: u8,
) -> Settings {
    // Not a number, negative and zero are "as fast as you can".
    let interval = Duration::try_from_secs_f64(interval_ms.max(0.0) / 1000.0).unwrap_or(INTERVAL_MAX);
    let shortest = limits.publishing_interval_min.max(Duration::from_millis(1));
    let keep_alive_count = if keep_alives == 0 { KEEP_ALIVES } else { keep_alives.min(KEEP_ALIVES_MAX) };
    Settings {
        interval: interval.min(INTERVAL_MAX).max(shortest),
        keep_alive_count,
        // At least three times the keep-alives (OPC 10000-4 v1.05, 5.14.2.2).
        lifetime_count: lifetime.clamp(keep_alive_count * 3, LIFETIME_MAX),
        values_per_message: if values == 0 { u32::MAX } else { values },
        priority,
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

pub(super) fn create(
    call: &Call<'_>,
    request: &CreateSubscriptionRequest,
) -> Outcome<CreateSubscriptionResponse> {
    let limits = &call.shared.options.limits;
    let counts = (
        request.requested_lifetime_count,
        request.requested_max_keep_alive_count,
        request.max_notifications_per_publish,
    );
    let settings = revised(limits, request.requested_publishing_interval, counts, request.priority);
    let subscription_id = call.try_state(|state| {
        if state.engine.count_of(call.session) >= limits.subscriptions_per_session {
            return Err(StatusCode::BadTooManySubscriptions);
        }
        let session = state.sessions.by_id(call.session).ok_or(StatusCode::BadSessionIdInvalid)?;
        let owner = session.owner();
        let now = call.now.monotonic;
        Ok(state.engine.create(call.session, owner, settings, request.publishing_enabled, now))
    })?;
    Ok(CreateSubscriptionResponse {
        response_header: good(&request.request_header),
        subscription_id,
        revised_publishing_interval: milliseconds(settings.interval),
        revised_lifetime_count: settings.lifetime_count,
        revised_max_keep_alive_count: settings.keep_alive_count,
    })
}

pub(super) fn modify(
    call: &Call<'_>,
    request: &ModifySubscriptionRequest,
) -> Outcome<ModifySubscriptionResponse> {
    let counts = (
        request.requested_lifetime_count,
        request.requested_max_keep_alive_count,
        request.max_notifications_per_publish,
    );
    let limits = &call.shared.options.limits;
    let settings = revised(limits, request.requested_publishing_interval, counts, request.priority);
    call.try_state(|state| {
        let found = state.engine.of_session(request.subscription_id, call.session);
        let subscription = found.ok_or(StatusCode::BadSubscriptionIdInvalid)?;
        subscription.modify(settings, call.now.monotonic);
        Ok(())
    })?;
    Ok(ModifySubscriptionResponse {
        response_header: good(&request.request_header),
        revised_publishing_interval: milliseconds(settings.interval),
        revised_lifetime_count: settings.lifetime_count,
        revised_max_keep_alive_count: settings.keep_alive_count,
    })
}

pub(super) fn delete(
    call: &Call<'_>,
    request: &DeleteSubscriptionsRequest,
) -> Outcome<DeleteSubscriptionsResponse> {
    let ids = bounded(request.subscription_ids.as_ref(), call.shared.options.limits.items_per_call)?;
    let results = call.with_state(|state| {
        let delete = |id: &u32| {
            if state.engine.of_session(*id, call.session).is_none() {
                return StatusCode::BadSubscriptionIdInvalid;
            }
            if let Some((place, _)) = state.engine.delete(*id) {
                state.values.forget(place);
            }
            StatusCode::Good
        };
        ids.iter().map(delete).collect()
    });
    Ok(DeleteSubscriptionsResponse {
        response_header: good(&request.request_header),
        results: Some(results),
        diagnostic_infos: None,
    })
}

pub(super) fn set_mode(
    call: &Call<'_>,
    request: &SetPublishingModeRequest,
) -> Outcome<SetPublishingModeResponse> {
    let ids = bounded(request.subscription_ids.as_ref(), call.shared.options.limits.items_per_call)?;
    let results = call.with_state(|state| {
        let switch = |id: &u32| match state.engine.of_session(*id, call.session) {
            None => StatusCode::BadSubscriptionIdInvalid,
            Some(subscription) => {
                subscription.enabled = request.publishing_enabled;
                subscription.heard();
                StatusCode::Good
            }
        };
        ids.iter().map(switch).collect()
    });
    Ok(SetPublishingModeResponse {
        response_header: good(&request.request_header),
        results: Some(results),
        diagnostic_infos: None,
    })
}

pub(super) fn publish(call: &Call<'_>, request: PublishRequest) -> Outcome<()> {
    let acknowledgements = request.subscription_acknowledgements.unwrap_or_default();
    if acknowledgements.len() > call.shared.options.limits.items_per_call {
        return Err(StatusCode::BadTooManyOperations);
    }
    let header = &request.request_header;
    let timeout = header.timeout_hint;
    call.with_state(|state| {
        let pairs = acknowledgements.iter().map(|one| (one.subscription_id, one.sequence_number));
        let waiting = Waiting {
            connection: call.via.connection,
            request: call.request,
            handle: header.request_handle,
            results: state.engine.acknowledge(call.session, pairs),
            deadline: (timeout > 0).then(|| call.now.monotonic + Duration::from_millis(timeout.into())),
        };
        state.engine.publish(call.session, waiting, call.now);
    });
    Ok(())
}

/// The PublishResponse of a message (OPC 10000-4 v1.05, 5.14.5.2), encoded.
pub(in crate::server) fn published(
    handle: u32,
    results: &[StatusCode],
    published: Published,
    now: DateTime,
) -> RawAnswer {
    /// Binary encoding of PublishResponse (OPC 10000-6 v1.05, NodeIds.csv).
    const PUBLISH_RESPONSE: u32 = 829;
    let mut head = Vec::with_capacity(48 + 4 * published.available.len());
    head.extend_from_slice(&now.ticks().to_le_bytes());
    head.extend_from_slice(&handle.to_le_bytes());
    head.extend_from_slice(&0_u32.to_le_bytes());
    // No diagnostics, no texts, no additional header.
    head.push(0);
    head.extend_from_slice(&(-1_i32).to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    head.extend_from_slice(&published.subscription.to_le_bytes());
    head.extend_from_slice(&(published.available.len() as u32).to_le_bytes());
    for number in &published.available {
        head.extend_from_slice(&number.to_le_bytes());
    }
    head.push(u8::from(published.more));
    let mut tail = Vec::with_capacity(8 + 4 * results.len());
    tail.extend_from_slice(&(results.len() as u32).to_le_bytes());
    for result in results {
        tail.extend_from_slice(&result.bits().to_le_bytes());
    }
    tail.extend_from_slice(&(-1_i32).to_le_bytes());
    RawAnswer {
        type_id: PUBLISH_RESPONSE,
        handle,
        parts: [Bytes::from(head), published.message, Bytes::from(tail)],
    }
}

pub(super) fn republish(call: &Call<'_>, request: &RepublishRequest) -> Outcome<RepublishResponse> {
    let mut state = call.shared.state();
    let found = state.engine.of_session(request.subscription_id, call.session);
    let subscription = found.ok_or(StatusCode::BadSubscriptionIdInvalid)?;
    subscription.heard();
    let message = subscription.sent(request.retransmit_sequence_number);
    let message = message.ok_or(StatusCode::BadMessageNotAvailable)?.clone();
    drop(state);
    let notification_message = call.shared.codec.decode(&message).ok_or(StatusCode::BadInternalError)?;
    Ok(RepublishResponse { response_header: good(&request.request_header), notification_message })
}

pub(super) fn transfer(
    call: &Call<'_>,
    request: &TransferSubscriptionsRequest,
) -> Outcome<TransferSubscriptionsResponse> {
    let ids = bounded(request.subscription_ids.as_ref(), call.shared.options.limits.items_per_call)?;
    let results = call.with_state(|state| {
        ids.iter()
            .map(|id| match transfer_one(call, state, *id, request.send_initial_values) {
                Ok(available) => TransferResult {
                    status_code: StatusCode::Good,
                    available_sequence_numbers: Some(available),
                },
                Err(status_code) => TransferResult { status_code, available_sequence_numbers: None },
            })
            .collect()
    });
    Ok(TransferSubscriptionsResponse {
        response_header: good(&request.request_header),
        results: Some(results),
        diagnostic_infos: None,
    })
}

fn transfer_one(call: &Call<'_>, state: &mut State, id: u32, resend: bool) -> Result<Vec<u32>, StatusCode> {
    let session = state.sessions.by_id(call.session).ok_or(StatusCode::BadSessionIdInvalid)?;
    let owner = session.owner();
    let place = state.engine.place(id).ok_or(StatusCode::BadSubscriptionIdInvalid)?;
    let subscription = state.engine.at(place).ok_or(StatusCode::BadSubscriptionIdInvalid)?;
    if !owner.may_take_over(&subscription.owner) {
        return Err(StatusCode::BadUserAccessDenied);
    }
    let from = subscription.session;
    let limits = &call.shared.options.limits;
    if from != call.session && state.engine.count_of(call.session) >= limits.subscriptions_per_session {
        return Err(StatusCode::BadTooManySubscriptions);
    }
    if resend {
        let values = &state.values;
        if let Some(subscription) = state.engine.at(place) {
            subscription.resend(|item: &Item| match item.target {
                Target::Variable(handle) => values.value(handle).cloned(),
                _ => None,
            });
        }
    }
    state.engine.transfer(id, call.session, call.now).ok_or(StatusCode::BadSubscriptionIdInvalid)
}
