//! Call (OPC 10000-4 v1.05, 5.12), and the standard's methods on subscriptions (OPC 10000-5 v1.05, 9.1 and 9.2).

use super::{Call, Outcome, bounded, good};
use crate::server::convert;
use crate::server::node::{Kind, Owner};
use crate::server::space::Method;
use crate::server::subscription::item::{Item, Target};
use gemba_model::Variant;
use opcua::types::{
    CallMethodRequest, CallMethodResult, CallRequest, CallResponse, NodeId, StatusCode,
    Variant as StackVariant,
};

const SERVER: u32 = 2253;
const GET_MONITORED_ITEMS: u32 = 11492;
const RESEND_DATA: u32 = 12873;

enum Refused {
    Call(StatusCode),
    Arguments(Vec<StatusCode>),
}

impl From<StatusCode> for Refused {
    fn from(status: StatusCode) -> Self {
        Self::Call(status)
    }
}

pub(super) fn call(call: &Call<'_>, request: &CallRequest) -> Outcome<CallResponse> {
    let methods = bounded(request.methods_to_call.as_ref(), call.shared.options.limits.items_per_call)?;
    let results = methods.iter().map(|wanted| {
        let (status_code, outputs, arguments) = match one(call, wanted) {
            Ok(outputs) => (StatusCode::Good, Some(outputs), None),
            Err(Refused::Call(status)) => (status, None, None),
            Err(Refused::Arguments(statuses)) => (StatusCode::BadInvalidArgument, None, Some(statuses)),
        };
        CallMethodResult {
            status_code,
            input_argument_results: arguments,
            input_argument_diagnostic_infos: None,
            output_arguments: outputs,
        }
    });
    Ok(CallResponse {
        response_header: good(&request.request_header),
        results: Some(results.collect()),
        diagnostic_infos: None,
    })
}

fn one(call: &Call<'_>, wanted: &CallMethodRequest) -> Result<Vec<StackVariant>, Refused> {
    let given = wanted.input_arguments.as_deref().unwrap_or_default();
    if wanted.object_id == NodeId::new(0, SERVER) {
        if wanted.method_id == NodeId::new(0, GET_MONITORED_ITEMS) {
            return monitored_items(call, subscription_of(given)?);
        }
        if wanted.method_id == NodeId::new(0, RESEND_DATA) {
            return resend(call, subscription_of(given)?);
        }
    }
    let method = method(call, &wanted.object_id, &wanted.method_id)?;
    let arguments = arguments(call, method, given)?;
    // Without the lock: a method may write values of the server.
    let outputs = (method.callback)(&arguments).map_err(convert::status)?;
    Ok(outputs.iter().map(|value| call.shared.codec.to_stack(value)).collect())
}

fn method<'a>(call: &'a Call<'_>, object: &NodeId, method: &NodeId) -> Result<&'a Method, StatusCode> {
    let space = &call.shared.space;
    let node = space.find(method).ok_or(StatusCode::BadMethodInvalid)?;
    let Kind::Method(index) = node.kind else { return Err(StatusCode::BadMethodInvalid) };
    let owner = match node.owner {
        Owner::Own(owner) => space.node(owner).map(|node| node.id.clone()),
        Owner::Standard(number) => Some(NodeId::new(0, number)),
    };
    if owner.as_ref() != Some(object) {
        let known = space.find(object).is_some() || call.shared.standard.find(object).is_some();
        return Err(if known { StatusCode::BadMethodInvalid } else { StatusCode::BadNodeIdUnknown });
    }
    space.methods.get(index as usize).ok_or(StatusCode::BadInternalError)
}

fn arguments(call: &Call<'_>, method: &Method, given: &[StackVariant]) -> Result<Vec<Variant>, Refused> {
    count(given, method.inputs.len())?;
    let values: Vec<Option<Variant>> = given
        .iter()
        .zip(&method.inputs)
        .map(|(value, wanted)| {
            call.shared.codec.to_model(value).filter(|value| value.built_in_type() == Some(*wanted))
        })
        .collect();
    if values.iter().all(Option::is_some) {
        return Ok(values.into_iter().flatten().collect());
    }
    let status = |value: &Option<Variant>| match value {
        Some(_) => StatusCode::Good,
        None => StatusCode::BadTypeMismatch,
    };
    Err(Refused::Arguments(values.iter().map(status).collect()))
}

fn count(given: &[StackVariant], wanted: usize) -> Result<(), StatusCode> {
    match given.len() {
        length if length < wanted => Err(StatusCode::BadArgumentsMissing),
        length if length > wanted => Err(StatusCode::BadTooManyArguments),
        _ => Ok(()),
    }
}

fn subscription_of(given: &[StackVariant]) -> Result<u32, Refused> {
    count(given, 1)?;
    match given.first() {
        Some(StackVariant::UInt32(id)) => Ok(*id),
        _ => Err(Refused::Arguments(vec![StatusCode::BadTypeMismatch])),
    }
}

fn monitored_items(call: &Call<'_>, id: u32) -> Result<Vec<StackVariant>, Refused> {
    let mut state = call.shared.state();
    let found = state.engine.of_session(id, call.session);
    let subscription = found.ok_or(StatusCode::BadSubscriptionIdInvalid)?;
    let (ids, handles): (Vec<u32>, Vec<u32>) =
        subscription.items().map(|(_, item)| (item.id, item.parameters.client_handle)).unzip();
    // The server's handles come first, and there is one for each of the client's.
    Ok(vec![StackVariant::from(ids), StackVariant::from(handles)])
}

fn resend(call: &Call<'_>, id: u32) -> Result<Vec<StackVariant>, Refused> {
    let mut guard = call.shared.state();
    let state = &mut *guard;
    let found = state.engine.of_session(id, call.session);
    let subscription = found.ok_or(StatusCode::BadSubscriptionIdInvalid)?;
    let values = &state.values;
    subscription.resend(|item: &Item| match item.target {
        Target::Variable(handle) => values.value(handle).cloned(),
        _ => None,
    });
    Ok(Vec::new())
}
