//! The Read and Write services.

use super::{OwnNodes, settle_soon};
use crate::server::convert;
use crate::server::declaration::VariableHandle;
use crate::server::node::{Kind, VariableType};
use crate::server::values::Update;
use gemba_base::Clock;
use gemba_model::{DateTime, Variant};
use opcua::server::node_manager::{ParsedReadValueId, ParsedWriteValue};
use opcua::types::{AttributeId, DataEncoding, DataValue, NumericRange, StatusCode, TimestampsToReturn};

impl OwnNodes {
    pub(super) fn read_node(
        &self,
        wanted: &ParsedReadValueId,
        timestamps: TimestampsToReturn,
        read: &dyn Fn(VariableHandle) -> Option<DataValue>,
    ) -> Result<DataValue, StatusCode> {
        let node = self.find(&wanted.node_id).ok_or(StatusCode::BadNodeIdUnknown)?;
        if !matches!(wanted.data_encoding, DataEncoding::Binary) {
            return Err(StatusCode::BadDataEncodingInvalid);
        }
        match (&node.kind, wanted.attribute_id) {
            (Kind::Variable { handle, .. }, AttributeId::Value) => {
                let value = read(*handle).ok_or(StatusCode::BadInternalError)?;
                trimmed(value, timestamps, &wanted.index_range)
            }
            (_, attribute) if wanted.index_range.has_range() => {
                tracing::debug!(?attribute, "an index range was asked of an attribute without a range");
                Err(StatusCode::BadIndexRangeNoData)
            }
            (_, attribute) => {
                let value = node.attribute(attribute, self.types())?;
                Ok(DataValue { value: Some(value), ..DataValue::default() })
            }
        }
    }

    pub(super) fn write_node(&self, wanted: &ParsedWriteValue) -> Result<(), StatusCode> {
        let node = self.find(&wanted.node_id).ok_or(StatusCode::BadNodeIdUnknown)?;
        if wanted.attribute_id != AttributeId::Value {
            return Err(StatusCode::BadNotWritable);
        }
        let Kind::Variable { handle, shared } = node.kind else {
            return Err(StatusCode::BadAttributeIdInvalid);
        };
        let shared = self.space.types.get(shared as usize).ok_or(StatusCode::BadInternalError)?;
        if !shared.writable {
            return Err(StatusCode::BadNotWritable);
        }
        if wanted.index_range.has_range() {
            return Err(StatusCode::BadWriteNotSupported);
        }
        let value = wanted.value.value.as_ref().ok_or(StatusCode::BadTypeMismatch)?;
        let value = self.values.converter.to_model(value).ok_or(StatusCode::BadTypeMismatch)?;
        if !fits(&value, shared) {
            return Err(StatusCode::BadTypeMismatch);
        }
        let value = match self.space.on_write.get(&handle.0) {
            Some(decide) => decide(value).map_err(convert::status)?,
            None => value,
        };
        let now = self.clock.now();
        let source_timestamp = wanted.value.source_timestamp.map(|at| DateTime::from_ticks(at.ticks()));
        self.write(
            now,
            Update {
                variable: handle,
                value,
                status: convert::model_status(wanted.value.status.unwrap_or(StatusCode::Good)),
                source_timestamp: Some(source_timestamp.unwrap_or(now)),
            },
        );
        Ok(())
    }

    fn write(&self, now: DateTime, update: Update) {
        if self.values.write(Some(now), [update]) {
            settle_soon(&self.values, &self.tasks);
        }
    }
}

fn trimmed(
    mut value: DataValue,
    timestamps: TimestampsToReturn,
    range: &NumericRange,
) -> Result<DataValue, StatusCode> {
    if range.has_range() {
        let part = value.value.as_ref().ok_or(StatusCode::BadIndexRangeNoData)?.range_of(range)?;
        value.value = Some(part);
    }
    if !matches!(timestamps, TimestampsToReturn::Source | TimestampsToReturn::Both) {
        value.source_timestamp = None;
    }
    if !matches!(timestamps, TimestampsToReturn::Server | TimestampsToReturn::Both) {
        value.server_timestamp = None;
    }
    Ok(value)
}

/// Whether a client may store this in a variable of that kind.
fn fits(value: &Variant, shared: &VariableType) -> bool {
    let rank = match value {
        Variant::Array { dimensions, .. } => dimensions.len().max(1) as i32,
        _ => -1,
    };
    value.built_in_type() == Some(shared.built_in) && rank == shared.value_rank
}
