//! Read and Write (OPC 10000-4 v1.05, 5.11).

use super::{Call, Outcome, bounded, good, perhaps_short};
use crate::server::NAMESPACE_INDEX;
use crate::server::behaviour::Endless;
use crate::server::capabilities;
use crate::server::convert;
use crate::server::declaration::VariableHandle;
use crate::server::node::{Kind, Quirks, VariableType};
use crate::server::shared::Shared;
use crate::server::standard;
use crate::server::stored::{Body, Stored, Timestamps};
use crate::server::values::Update;
use gemba_model::{DateTime, StatusCode as ModelStatus, Variant};
use opcua::types::{
    AttributeId, DataValue, NodeId, NumericRange, QualifiedName, ReadRequest, ReadResponse, ReadValueId,
    StatusCode, WriteRequest, WriteResponse, WriteValue,
};

/// Where a node's value comes from.
pub(super) enum Source<'a> {
    Variable(VariableHandle, &'a VariableType),
    /// A variable of the standard that changes by itself.
    Clock(u32),
    /// Anything else, with its value.
    Fixed(opcua::types::Variant),
}

pub(super) fn quirks(shared: &Shared) -> Quirks {
    let broken_types = shared.options.behaviour.broken_types;
    Quirks { history: !shared.options.history.is_zero(), broken_types }
}

/// Finds what an attribute of a node shows.
pub(super) fn source<'a>(
    shared: &'a Shared,
    node_id: &NodeId,
    attribute: u32,
) -> Result<Source<'a>, StatusCode> {
    let attribute = AttributeId::from_u32(attribute).map_err(|_| StatusCode::BadAttributeIdInvalid)?;
    if let Some(node) = shared.space.find(node_id) {
        return match (&node.kind, attribute) {
            (Kind::Variable { handle, shared: kind }, AttributeId::Value) => {
                let kind = shared.space.types.get(*kind as usize).ok_or(StatusCode::BadInternalError)?;
                Ok(Source::Variable(*handle, kind))
            }
            _ => node.attribute(attribute, &shared.space.types, quirks(shared)).map(Source::Fixed),
        };
    }
    let number = standard::number(node_id).ok_or(StatusCode::BadNodeIdUnknown)?;
    let node = shared.standard.get(number).ok_or(StatusCode::BadNodeIdUnknown)?;
    match attribute {
        AttributeId::Value if capabilities::changes(number) => Ok(Source::Clock(number)),
        AttributeId::Value => match capabilities::value(shared, number) {
            Some(value) => Ok(Source::Fixed(value)),
            None => node.attribute(attribute).map(Source::Fixed),
        },
        // Nothing of the standard's part is written here, and no events are sent.
        AttributeId::AccessLevel | AttributeId::UserAccessLevel => {
            node.attribute(attribute)?;
            Ok(Source::Fixed(opcua::types::Variant::Byte(1)))
        }
        AttributeId::EventNotifier => {
            node.attribute(attribute)?;
            Ok(Source::Fixed(opcua::types::Variant::Byte(0)))
        }
        _ => node.attribute(attribute).map(Source::Fixed),
    }
}

/// What a variable of the standard that changes by itself shows now.
pub(in crate::server) fn clock(shared: &Shared, number: u32, now: DateTime) -> Option<Stored> {
    let value = capabilities::now(shared, number, now)?;
    let body = Body::new(&shared.codec.encode(&value));
    Some(Stored::new(body, ModelStatus::GOOD, Some(now), Some(now)))
}

/// Whether this Read is answered with chunks for ever.
pub(super) fn never_ends(call: &Call<'_>, request: &ReadRequest) -> bool {
    call.shared.options.behaviour.endless == Endless::Chunks
        && request.nodes_to_read.iter().flatten().any(|wanted| {
            wanted.node_id.namespace == NAMESPACE_INDEX && wanted.attribute_id == AttributeId::Value as u32
        })
}

pub(super) fn read(call: &Call<'_>, request: &ReadRequest) -> Outcome<ReadResponse> {
    let limits = &call.shared.options.limits;
    let nodes = bounded(request.nodes_to_read.as_ref(), limits.nodes_per_read.min(limits.items_per_call))?;
    if request.max_age < 0.0 {
        return Err(StatusCode::BadMaxAgeInvalid);
    }
    let timestamps =
        Timestamps::wanted(request.timestamps_to_return).ok_or(StatusCode::BadTimestampsToReturnInvalid)?;
    let sources: Vec<_> = nodes
        .iter()
        .map(|wanted| {
            check_encoding(&wanted.data_encoding, wanted.attribute_id)?;
            source(call.shared, &wanted.node_id, wanted.attribute_id)
        })
        .collect();
    // All values under one lock: nobody sees half of a write.
    let state = call.shared.state();
    let stored: Vec<Option<Stored>> = sources
        .iter()
        .map(|source| match source {
            Ok(Source::Variable(handle, _)) => state.values.value(*handle).cloned(),
            _ => None,
        })
        .collect();
    drop(state);
    let results: Vec<DataValue> = nodes
        .iter()
        .zip(sources)
        .zip(stored)
        .map(|((wanted, source), stored)| {
            source
                .and_then(|source| one(call, wanted, source, stored, timestamps))
                .unwrap_or_else(|status| DataValue { status: Some(status), ..DataValue::default() })
        })
        .collect();
    Ok(ReadResponse {
        response_header: good(&request.request_header),
        results: perhaps_short(call.shared, results),
        diagnostic_infos: None,
    })
}

/// Only the binary encoding is there, and only values have encodings.
pub(super) fn check_encoding(encoding: &QualifiedName, attribute: u32) -> Result<(), StatusCode> {
    if encoding.name.is_empty() || encoding.name.as_ref() == "Default Binary" {
        return Ok(());
    }
    Err(if attribute == AttributeId::Value as u32 {
        StatusCode::BadDataEncodingUnsupported
    } else {
        StatusCode::BadDataEncodingInvalid
    })
}

fn one(
    call: &Call<'_>,
    wanted: &ReadValueId,
    source: Source<'_>,
    stored: Option<Stored>,
    timestamps: Timestamps,
) -> Result<DataValue, StatusCode> {
    let stored = match source {
        Source::Variable(..) => stored,
        Source::Clock(number) => clock(call.shared, number, call.now.wall),
        Source::Fixed(value) => {
            let value = ranged(value, &wanted.index_range)?;
            let is_value = wanted.attribute_id == AttributeId::Value as u32;
            let at = |wanted: bool| (is_value && wanted).then(|| convert::date_time(call.now.wall));
            return Ok(DataValue {
                value: Some(value),
                source_timestamp: at(timestamps.source),
                server_timestamp: at(timestamps.server),
                ..DataValue::default()
            });
        }
    };
    let stored = stored.ok_or(StatusCode::BadInternalError)?;
    let mut value = stored.to_stack(timestamps, &call.shared.codec).ok_or(StatusCode::BadEncodingError)?;
    if wanted.index_range.has_range() {
        let whole = value.value.take().ok_or(StatusCode::BadIndexRangeNoData)?;
        value.value = Some(ranged(whole, &wanted.index_range)?);
    }
    Ok(value)
}

fn ranged(value: opcua::types::Variant, range: &NumericRange) -> Result<opcua::types::Variant, StatusCode> {
    if range.has_range() { value.range_of(range) } else { Ok(value) }
}

pub(super) fn write(call: &Call<'_>, request: &WriteRequest) -> Outcome<WriteResponse> {
    let nodes = bounded(request.nodes_to_write.as_ref(), call.shared.options.limits.items_per_call)?;
    let results = nodes.iter().map(|wanted| write_one(call, wanted).err().unwrap_or(StatusCode::Good));
    Ok(WriteResponse {
        response_header: good(&request.request_header),
        results: Some(results.collect()),
        diagnostic_infos: None,
    })
}

fn write_one(call: &Call<'_>, wanted: &WriteValue) -> Result<(), StatusCode> {
    let shared = call.shared;
    let (handle, kind) = match source(shared, &wanted.node_id, wanted.attribute_id)? {
        Source::Variable(handle, kind) if kind.writable => (handle, kind),
        _ => return Err(StatusCode::BadNotWritable),
    };
    if wanted.index_range.has_range() {
        return Err(StatusCode::BadWriteNotSupported);
    }
    let value = wanted.value.value.as_ref().ok_or(StatusCode::BadTypeMismatch)?;
    let value = shared.codec.to_model(value).ok_or(StatusCode::BadTypeMismatch)?;
    if !fits(&value, kind) {
        return Err(StatusCode::BadTypeMismatch);
    }
    // Without the lock: whoever decides may write values of the server.
    let value = match shared.space.on_write.get(&(handle.index() as u32)) {
        Some(decide) => decide(value).map_err(convert::status)?,
        None => value,
    };
    let source = wanted.value.source_timestamp.map(|at| DateTime::from_ticks(at.ticks()));
    let update = Update {
        variable: handle,
        value,
        status: convert::model_status(wanted.value.status.unwrap_or(StatusCode::Good)),
        source_timestamp: Some(source.unwrap_or(call.now.wall)),
    };
    shared.write(Some(call.now.wall), [update]);
    Ok(())
}

/// Whether a client may store this in a variable of that kind.
fn fits(value: &Variant, kind: &VariableType) -> bool {
    let rank = match value {
        Variant::Array { dimensions, .. } => dimensions.len().max(1) as i32,
        _ => -1,
    };
    value.built_in_type() == Some(kind.built_in) && rank == kind.value_rank
}
