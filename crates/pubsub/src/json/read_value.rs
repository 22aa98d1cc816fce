//! Values from CompactEncoding JSON, straight from the text of each number so that none is rounded on the way.

use super::payload::Text;
use super::read_scalar::{date_time, parse, parse_object, scalar, status};
use crate::DecodeError;
use crate::uadp::built_in_type;
use gemba_model::binary::NESTING_MAX;
use gemba_model::{BuiltInType, Sample, SampleBatch, Variant};
use serde::Deserialize;
use serde_json::value::RawValue;

type Result<T> = std::result::Result<T, DecodeError>;

/// A DataValue or a Variant object.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct DataValueText<'a> {
    ua_type: Option<u8>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    dimensions: Option<Vec<i32>>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    source_timestamp: Option<Text<'a>>,
    source_picoseconds: Option<u16>,
    #[serde(borrow)]
    server_timestamp: Option<Text<'a>>,
    server_picoseconds: Option<u16>,
}

/// Reads a field of a payload: a DataValue, a Variant, or a plain value of the type that the description tells.
pub(super) fn field(raw: &str, described: BuiltInType, batch: &mut SampleBatch) -> Result<Sample> {
    if raw.starts_with('{') {
        return data_value(raw, Some(described), batch, 0);
    }
    if raw == "null" {
        return Ok(Sample::default());
    }
    if described == BuiltInType::Variant {
        return Err(DecodeError::json(
            "a value without its UaType, which the description does not tell either",
        ));
    }
    let variant = typed(raw, described, Vec::new(), 0)?;
    Ok(Sample { value: batch.store(&variant), ..Sample::default() })
}

pub(super) fn data_value(
    raw: &str,
    described: Option<BuiltInType>,
    batch: &mut SampleBatch,
    depth: u32,
) -> Result<Sample> {
    let text: DataValueText<'_> = parse_object(raw, "a DataValue")?;
    let time = |text: &Option<Text<'_>>, name| match text {
        None => Ok(None),
        Some(Text(text)) => date_time(text).map(Some).map_err(|error| error.within(name)),
    };
    let mut sample = Sample {
        source_picoseconds: picoseconds(text.source_picoseconds, "SourcePicoseconds")?,
        server_picoseconds: picoseconds(text.server_picoseconds, "ServerPicoseconds")?,
        source_timestamp: time(&text.source_timestamp, "SourceTimestamp")?,
        server_timestamp: time(&text.server_timestamp, "ServerTimestamp")?,
        ..Sample::default()
    };
    if let Some(raw) = text.status {
        sample.status = status(raw.get()).map_err(|error| error.within("Status"))?;
    }
    sample.value = batch.store(&content(&text, described, depth)?);
    Ok(sample)
}

fn picoseconds(value: Option<u16>, name: &str) -> Result<u16> {
    match value.unwrap_or_default() {
        value @ 0..=9999 => Ok(value),
        value => Err(DecodeError::json(format!("{value} is above 9999")).within(name)),
    }
}

/// The Variant in a DataValue or Variant object.
pub(super) fn content(
    text: &DataValueText<'_>,
    described: Option<BuiltInType>,
    depth: u32,
) -> Result<Variant> {
    if depth > NESTING_MAX {
        return Err(DecodeError::json("values nest too deep"));
    }
    let element = match text.ua_type {
        Some(0) => return Ok(Variant::Null),
        Some(id) => built_in_type(id)
            .ok_or_else(|| DecodeError::json(format!("{id} is not a built-in type")).within("UaType"))?,
        None => match (text.value, described) {
            (None, _) => return Ok(Variant::Null),
            (Some(_), Some(described)) if described != BuiltInType::Variant => described,
            _ => return Err(DecodeError::json("a value without its UaType")),
        },
    };
    let dimensions = text.dimensions.clone().unwrap_or_default();
    let raw = text.value.map_or("null", RawValue::get);
    typed(raw, element, dimensions, depth).map_err(|error| error.within("Value"))
}

fn typed(raw: &str, element: BuiltInType, dimensions: Vec<i32>, depth: u32) -> Result<Variant> {
    if !raw.starts_with('[') {
        if !dimensions.is_empty() {
            return Err(DecodeError::json("a scalar has no dimensions"));
        }
        return scalar(raw, element, depth);
    }
    let elements: Vec<&RawValue> = parse(raw, "an array")?;
    let mut values = Vec::with_capacity(elements.len());
    for (index, raw) in elements.into_iter().enumerate() {
        let value =
            array_element(raw.get(), element, depth).map_err(|error| error.within(&format!("[{index}]")))?;
        values.push(value);
    }
    // One namespace URI makes all of them expanded: an array has one type.
    let expanded = |value: &Variant| matches!(value, Variant::ExpandedNodeId(_));
    if element == BuiltInType::NodeId && values.iter().any(expanded) {
        for value in &mut values {
            if let Variant::NodeId(node) = value {
                *value = Variant::ExpandedNodeId(node.clone().into());
            }
        }
        return Ok(Variant::Array { element: BuiltInType::ExpandedNodeId, values, dimensions });
    }
    Ok(Variant::Array { element, values, dimensions })
}

fn array_element(raw: &str, element: BuiltInType, depth: u32) -> Result<Variant> {
    match (scalar(raw, element, depth)?, element) {
        (Variant::Null, BuiltInType::Variant) => Ok(Variant::Variant(Box::new(Variant::Null))),
        (Variant::Null, _) => Err(DecodeError::json(format!("null is not a {element}"))),
        (value, _) => Ok(value),
    }
}
