//! Monitored items (OPC 10000-4 v1.05, 5.13).

use super::attribute::{Source, check_encoding, source};
use super::{Call, Outcome, bounded, good, perhaps_short};
use crate::server::node::Kind;
use crate::server::shared::State;
use crate::server::stored::{Body, Stored, Timestamps};
use crate::server::subscription::item::{Filter, Item, Parameters, Target};
use crate::server::values::Watcher;
use gemba_model::StatusCode as ModelStatus;
use opcua::types::{
    AttributeId, CreateMonitoredItemsRequest, CreateMonitoredItemsResponse, DataChangeFilter,
    DeleteMonitoredItemsRequest, DeleteMonitoredItemsResponse, ExtensionObject, ModifyMonitoredItemsRequest,
    ModifyMonitoredItemsResponse, MonitoredItemCreateRequest, MonitoredItemCreateResult,
    MonitoredItemModifyResult, MonitoringMode, MonitoringParameters, NodeId, ParsedDataChangeFilter,
    SetMonitoringModeRequest, SetMonitoringModeResponse, StatusCode,
};
use std::collections::VecDeque;

/// Every change is reported, whatever sampling interval was asked for: 0 is "by exception".
const SAMPLING_INTERVAL: f64 = 0.0;

fn limit(call: &Call<'_>) -> usize {
    let limits = &call.shared.options.limits;
    limits.monitored_items_per_call.min(limits.items_per_call)
}

pub(super) fn create(
    call: &Call<'_>,
    request: CreateMonitoredItemsRequest,
) -> Outcome<CreateMonitoredItemsResponse> {
    let wanted = bounded(request.items_to_create.as_ref(), limit(call))?;
    let timestamps =
        Timestamps::wanted(request.timestamps_to_return).ok_or(StatusCode::BadTimestampsToReturnInvalid)?;
    let results = call.try_state(|state| {
        let found = state.engine.of_session(request.subscription_id, call.session);
        found.ok_or(StatusCode::BadSubscriptionIdInvalid)?.heard();
        let place =
            state.engine.place(request.subscription_id).ok_or(StatusCode::BadSubscriptionIdInvalid)?;
        let results = wanted.iter().map(|wanted| {
            create_one(call, state, place, wanted, timestamps).unwrap_or_else(|status_code| {
                MonitoredItemCreateResult {
                    status_code,
                    monitored_item_id: 0,
                    revised_sampling_interval: 0.0,
                    revised_queue_size: 0,
                    filter_result: ExtensionObject::null(),
                }
            })
        });
        Ok(results.collect::<Vec<_>>())
    })?;
    Ok(CreateMonitoredItemsResponse {
        response_header: good(&request.request_header),
        results: perhaps_short(call.shared, results),
        diagnostic_infos: None,
    })
}

fn create_one(
    call: &Call<'_>,
    state: &mut State,
    place: u32,
    wanted: &MonitoredItemCreateRequest,
    timestamps: Timestamps,
) -> Result<MonitoredItemCreateResult, StatusCode> {
    let shared = call.shared;
    let node = &wanted.item_to_monitor;
    check_encoding(&node.data_encoding, node.attribute_id)?;
    // Events have no source here.
    if node.attribute_id == AttributeId::EventNotifier as u32 {
        return Err(StatusCode::BadAttributeIdInvalid);
    }
    if node.index_range.has_range() {
        return Err(StatusCode::BadIndexRangeInvalid);
    }
    let source = source(shared, &node.node_id, node.attribute_id)?;
    let (target, first) = match source {
        Source::Variable(handle, _) => (Target::Variable(handle), state.values.value(handle).cloned()),
        Source::Clock(number) => {
            (Target::Clock(number), super::attribute::clock(shared, number, call.now.wall))
        }
        Source::Fixed(value) => {
            let body = Body::new(&shared.codec.encode(&value));
            let now = Some(call.now.wall);
            (Target::Constant, Some(Stored::new(body, ModelStatus::GOOD, now, now)))
        }
    };
    let range = range(call, &node.node_id);
    let filter = filter(range, target, &wanted.requested_parameters)?;
    let limits = &shared.options.limits;
    let subscription = state.engine.at(place).ok_or(StatusCode::BadSubscriptionIdInvalid)?;
    if subscription.len() >= limits.items_per_subscription {
        return Err(StatusCode::BadTooManyMonitoredItems);
    }
    let parameters = parameters(&wanted.requested_parameters, timestamps, limits.queue_size, filter);
    let (queue_size, mode) = (parameters.queue_size, wanted.monitoring_mode);
    let item = subscription.add(|id| Item {
        id,
        target,
        mode,
        parameters,
        range,
        queue: VecDeque::new(),
        ready: false,
    });
    let id = subscription.item_mut(item).map_or(0, |item| item.id);
    if let Some(first) = &first {
        subscription.with_item(item, |item| item.begin(first, &shared.codec));
    }
    if let Target::Variable(handle) = target {
        state.values.watch(handle, Watcher { subscription: place, item });
    }
    Ok(MonitoredItemCreateResult {
        status_code: StatusCode::Good,
        monitored_item_id: id,
        revised_sampling_interval: SAMPLING_INTERVAL,
        revised_queue_size: queue_size as u32,
        filter_result: ExtensionObject::null(),
    })
}

fn parameters(
    wanted: &MonitoringParameters,
    timestamps: Timestamps,
    queue_max: usize,
    filter: Option<Box<Filter>>,
) -> Parameters {
    Parameters {
        client_handle: wanted.client_handle,
        timestamps,
        queue_size: (wanted.queue_size as usize).clamp(1, queue_max.max(1)),
        discard_oldest: wanted.discard_oldest,
        filter,
    }
}

/// Data change filters on values (OPC 10000-4 v1.05, 7.22.2); nothing else filters data.
fn filter(
    range: Option<(f64, f64)>,
    target: Target,
    wanted: &MonitoringParameters,
) -> Result<Option<Box<Filter>>, StatusCode> {
    if wanted.filter.is_null() {
        return Ok(None);
    }
    let filter =
        wanted.filter.inner_as::<DataChangeFilter>().ok_or(StatusCode::BadMonitoredItemFilterUnsupported)?;
    if !matches!(target, Target::Variable(_)) {
        return Err(StatusCode::BadFilterNotAllowed);
    }
    let parsed = ParsedDataChangeFilter::parse(filter.clone(), range)?;
    Ok(Some(Box::new(Filter { parsed, last: None })))
}

/// The EURange of a variable, which never changes.
fn range(call: &Call<'_>, node: &NodeId) -> Option<(f64, f64)> {
    let space = &call.shared.space;
    let variable = space.find(node)?;
    let property = variable
        .children
        .iter()
        .filter_map(|child| space.node(*child))
        .find(|child| child.standard_name && &*child.name == "EURange")?;
    let Kind::Variable { handle, .. } = property.kind else { return None };
    space.ranges.get(&handle.index()).copied()
}

pub(super) fn modify(
    call: &Call<'_>,
    request: ModifyMonitoredItemsRequest,
) -> Outcome<ModifyMonitoredItemsResponse> {
    let wanted = bounded(request.items_to_modify.as_ref(), limit(call))?;
    let timestamps =
        Timestamps::wanted(request.timestamps_to_return).ok_or(StatusCode::BadTimestampsToReturnInvalid)?;
    let queue_max = call.shared.options.limits.queue_size;
    let results = call.try_state(|state| {
        let found = state.engine.of_session(request.subscription_id, call.session);
        let subscription = found.ok_or(StatusCode::BadSubscriptionIdInvalid)?;
        subscription.heard();
        let results = wanted.iter().map(|wanted| {
            let mut change = || {
                let place = subscription
                    .place(wanted.monitored_item_id)
                    .ok_or(StatusCode::BadMonitoredItemIdInvalid)?;
                let item = subscription.item_mut(place).ok_or(StatusCode::BadMonitoredItemIdInvalid)?;
                let filter = filter(item.range, item.target, &wanted.requested_parameters)?;
                item.parameters = parameters(&wanted.requested_parameters, timestamps, queue_max, filter);
                item.resize(item.parameters.queue_size);
                Ok(item.parameters.queue_size as u32)
            };
            let outcome: Result<u32, StatusCode> = change();
            MonitoredItemModifyResult {
                status_code: outcome.err().unwrap_or(StatusCode::Good),
                revised_sampling_interval: SAMPLING_INTERVAL,
                revised_queue_size: outcome.unwrap_or(0),
                filter_result: ExtensionObject::null(),
            }
        });
        Ok(results.collect::<Vec<_>>())
    })?;
    Ok(ModifyMonitoredItemsResponse {
        response_header: good(&request.request_header),
        results: Some(results),
        diagnostic_infos: None,
    })
}

pub(super) fn set_mode(
    call: &Call<'_>,
    request: &SetMonitoringModeRequest,
) -> Outcome<SetMonitoringModeResponse> {
    let ids = bounded(request.monitored_item_ids.as_ref(), limit(call))?;
    let results = call.try_state(|state| {
        let State { engine, values, .. } = state;
        let found = engine.of_session(request.subscription_id, call.session);
        let subscription = found.ok_or(StatusCode::BadSubscriptionIdInvalid)?;
        subscription.heard();
        let switch = |id: &u32| {
            let Some(place) = subscription.place(*id) else { return StatusCode::BadMonitoredItemIdInvalid };
            let Some(item) = subscription.item_mut(place) else {
                return StatusCode::BadMonitoredItemIdInvalid;
            };
            let (target, before) = (item.target, item.mode);
            subscription.switch(place, request.monitoring_mode);
            if before == MonitoringMode::Disabled {
                // It begins anew with the present value.
                if let Target::Variable(handle) = target
                    && let Some(value) = values.value(handle)
                {
                    subscription.with_item(place, |item| item.begin(value, &call.shared.codec));
                }
            }
            StatusCode::Good
        };
        Ok(ids.iter().map(switch).collect::<Vec<_>>())
    })?;
    Ok(SetMonitoringModeResponse {
        response_header: good(&request.request_header),
        results: Some(results),
        diagnostic_infos: None,
    })
}

pub(super) fn delete(
    call: &Call<'_>,
    request: &DeleteMonitoredItemsRequest,
) -> Outcome<DeleteMonitoredItemsResponse> {
    let ids = bounded(request.monitored_item_ids.as_ref(), limit(call))?;
    let results = call.try_state(|state| {
        let State { engine, values, .. } = state;
        let place = engine.place(request.subscription_id).ok_or(StatusCode::BadSubscriptionIdInvalid)?;
        let found = engine.of_session(request.subscription_id, call.session);
        let subscription = found.ok_or(StatusCode::BadSubscriptionIdInvalid)?;
        subscription.heard();
        let remove = |id: &u32| {
            let Some((item, removed)) = subscription.remove(*id) else {
                return StatusCode::BadMonitoredItemIdInvalid;
            };
            if let Target::Variable(handle) = removed.target {
                values.unwatch(handle, Watcher { subscription: place, item });
            }
            StatusCode::Good
        };
        Ok(ids.iter().map(remove).collect::<Vec<_>>())
    })?;
    Ok(DeleteMonitoredItemsResponse {
        response_header: good(&request.request_header),
        results: Some(results),
        diagnostic_infos: None,
    })
}
