//! Decoding and measuring.

use super::{DecodeError, NESTING_MAX, Reader};
use crate::variant::ExtensionBody;
use crate::{
    BuiltInType, DateTime, ExpandedNodeId, ExtensionObject, Guid, Identifier, LocalizedText, Namespace,
    NodeId, QualifiedName, StatusCode, Variant,
};

const ARRAY: u8 = 0x80;
const DIMENSIONS: u8 = 0x40;
const TYPE: u8 = 0x3F;
/// Namespace URI and server index, which only an ExpandedNodeId has.
const EXPANDED: u8 = 0xC0;

type Result<T> = std::result::Result<T, DecodeError>;

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn guid(reader: &mut Reader<'_>) -> Result<Guid> {
    let [a0, a1, a2, a3, b0, b1, c0, c1, rest @ ..] = reader.array::<16>()?;
    let [d0, d1, d2, d3, d4, d5, d6, d7] = rest;
    Ok(Guid([a3, a2, a1, a0, b1, b0, c1, c0, d0, d1, d2, d3, d4, d5, d6, d7]))
}

fn node_id_parts(reader: &mut Reader<'_>, format: u8) -> Result<NodeId> {
    let (namespace, identifier) = match format & 0x0F {
        0 => (0, Identifier::Numeric(u32::from(reader.u8()?))),
        1 => (u16::from(reader.u8()?), Identifier::Numeric(u32::from(reader.u16()?))),
        2 => (reader.u16()?, Identifier::Numeric(reader.u32()?)),
        3 => (reader.u16()?, Identifier::String(reader.string()?.unwrap_or_default().into())),
        4 => (reader.u16()?, Identifier::Guid(guid(reader)?)),
        5 => (reader.u16()?, Identifier::Opaque(reader.byte_string()?.unwrap_or_default().into())),
        _ => return Err(reader.error("unknown form of node id")),
    };
    Ok(NodeId { namespace, identifier })
}

/// Reads a NodeId.
///
/// # Errors
/// When the bytes are not a NodeId.
pub fn read_node_id(reader: &mut Reader<'_>) -> Result<NodeId> {
    let format = reader.u8()?;
    if format & EXPANDED != 0 {
        return Err(reader.error("a node id has the bits of an expanded one"));
    }
    node_id_parts(reader, format)
}

/// Reads an ExpandedNodeId.
///
/// # Errors
/// When the bytes are not an ExpandedNodeId.
pub fn read_expanded_node_id(reader: &mut Reader<'_>) -> Result<ExpandedNodeId> {
    let format = reader.u8()?;
    let node = node_id_parts(reader, format)?;
    let namespace = match format & 0x80 {
        0 => Namespace::Index(node.namespace),
        _ => Namespace::Uri(reader.string()?.unwrap_or_default().into()),
    };
    let server = if format & 0x40 != 0 { reader.u32()? } else { 0 };
    Ok(ExpandedNodeId { server, namespace, identifier: node.identifier })
}

fn skip_node_id(reader: &mut Reader<'_>) -> Result<()> {
    let mut ahead = *reader;
    if ahead.u8()? & EXPANDED != 0 {
        return Err(ahead.error("a node id has the bits of an expanded one"));
    }
    skip_expanded_node_id(reader)
}

fn skip_expanded_node_id(reader: &mut Reader<'_>) -> Result<()> {
    let format = reader.u8()?;
    match format & 0x0F {
        0 => reader.take(1).map(drop)?,
        1 => reader.take(3).map(drop)?,
        2 => reader.take(6).map(drop)?,
        3 | 5 => {
            reader.u16()?;
            reader.byte_string()?;
        }
        4 => reader.take(18).map(drop)?,
        _ => return Err(reader.error("unknown form of node id")),
    }
    if format & 0x80 != 0 {
        reader.byte_string()?;
    }
    if format & 0x40 != 0 {
        reader.u32()?;
    }
    Ok(())
}

/// The fewest bytes that one element of a type takes in an array.
fn bytes_min(element: BuiltInType) -> usize {
    use BuiltInType as T;
    match element {
        T::Int16 | T::UInt16 | T::NodeId | T::ExpandedNodeId => 2,
        T::Int32 | T::UInt32 | T::Float | T::String | T::ByteString | T::XmlElement | T::StatusCode => 4,
        T::Int64 | T::UInt64 | T::Double | T::DateTime => 8,
        T::Guid => 16,
        T::QualifiedName => 6,
        T::ExtensionObject => 3,
        _ => 1,
    }
}

/// Moves behind one Variant without decoding it.
///
/// # Errors
/// When the bytes are not a Variant or nest too deep.
pub fn skip_variant(reader: &mut Reader<'_>) -> Result<()> {
    skip_variant_at(reader, 0)
}

/// Moves behind one DataValue without decoding it.
///
/// # Errors
/// When the bytes are not a DataValue or nest too deep.
pub fn skip_data_value(reader: &mut Reader<'_>) -> Result<()> {
    skip_data_value_at(reader, 0)
}

fn skip_variant_at(reader: &mut Reader<'_>, depth: u32) -> Result<()> {
    if depth > NESTING_MAX {
        return Err(reader.error("values nest too deep"));
    }
    let mask = reader.u8()?;
    if mask & TYPE == 0 {
        return if mask == 0 { Ok(()) } else { Err(reader.error("a null value cannot be an array")) };
    }
    let Some(element) = BuiltInType::from_id(mask & TYPE) else {
        return Err(reader.error("unknown built-in type"));
    };
    let count = match mask & ARRAY {
        0 => 1,
        _ => reader.array_length(bytes_min(element))?.unwrap_or(0),
    };
    for _ in 0..count {
        skip_element(reader, element, depth)?;
    }
    if mask & DIMENSIONS != 0 {
        let count = reader.array_length(4)?.unwrap_or(0);
        reader.take(count * 4)?;
    }
    Ok(())
}

fn skip_element(reader: &mut Reader<'_>, element: BuiltInType, depth: u32) -> Result<()> {
    use BuiltInType as T;
    match element {
        T::Boolean | T::SByte | T::Byte => reader.take(1).map(drop),
        T::Int16 | T::UInt16 => reader.take(2).map(drop),
        T::Int32 | T::UInt32 | T::Float | T::StatusCode => reader.take(4).map(drop),
        T::Int64 | T::UInt64 | T::Double | T::DateTime => reader.take(8).map(drop),
        T::Guid => reader.take(16).map(drop),
        T::String | T::ByteString | T::XmlElement => reader.byte_string().map(drop),
        T::NodeId => skip_node_id(reader),
        T::ExpandedNodeId => skip_expanded_node_id(reader),
        T::QualifiedName => {
            reader.u16()?;
            reader.byte_string().map(drop)
        }
        T::LocalizedText => {
            let mask = reader.u8()?;
            if mask & 1 != 0 {
                reader.byte_string()?;
            }
            if mask & 2 != 0 {
                reader.byte_string()?;
            }
            Ok(())
        }
        T::ExtensionObject => {
            skip_node_id(reader)?;
            match reader.u8()? {
                0 => Ok(()),
                1 | 2 => reader.byte_string().map(drop),
                _ => Err(reader.error("unknown encoding of a structure")),
            }
        }
        T::DataValue => skip_data_value_at(reader, depth + 1),
        T::Variant => skip_variant_at(reader, depth + 1),
        T::DiagnosticInfo => skip_diagnostic_info(reader, depth + 1),
    }
}

fn skip_data_value_at(reader: &mut Reader<'_>, depth: u32) -> Result<()> {
    let mask = reader.u8()?;
    if mask & 0x01 != 0 {
        skip_variant_at(reader, depth + 1)?;
    }
    for (bit, bytes) in [(0x02, 4), (0x04, 8), (0x10, 2), (0x08, 8), (0x20, 2)] {
        if mask & bit != 0 {
            reader.take(bytes)?;
        }
    }
    Ok(())
}

fn skip_diagnostic_info(reader: &mut Reader<'_>, depth: u32) -> Result<()> {
    if depth > NESTING_MAX {
        return Err(reader.error("values nest too deep"));
    }
    let mask = reader.u8()?;
    for bit in [0x01, 0x02, 0x04, 0x08] {
        if mask & bit != 0 {
            reader.i32()?;
        }
    }
    if mask & 0x10 != 0 {
        reader.byte_string()?;
    }
    if mask & 0x20 != 0 {
        reader.u32()?;
    }
    if mask & 0x40 != 0 {
        skip_diagnostic_info(reader, depth + 1)?;
    }
    Ok(())
}

/// Reads a Variant.
///
/// # Errors
/// When the bytes are not a Variant or nest too deep.
pub fn decode_variant(reader: &mut Reader<'_>) -> Result<Variant> {
    decode_variant_at(reader, 0)
}

fn decode_variant_at(reader: &mut Reader<'_>, depth: u32) -> Result<Variant> {
    if depth > NESTING_MAX {
        return Err(reader.error("values nest too deep"));
    }
    let mask = reader.u8()?;
    if mask & TYPE == 0 {
        return if mask == 0 {
            Ok(Variant::Null)
        } else {
            Err(reader.error("a null value cannot be an array"))
        };
    }
    let Some(element) = BuiltInType::from_id(mask & TYPE) else {
        return Err(reader.error("unknown built-in type"));
    };
    if mask & ARRAY == 0 {
        let value = decode_element(reader, element, depth)?;
        if mask & DIMENSIONS != 0 {
            return Err(reader.error("a scalar has no dimensions"));
        }
        return Ok(value);
    }
    let count = reader.array_length(bytes_min(element))?.unwrap_or(0);
    let mut values = Vec::with_capacity(count.min(4096));
    for _ in 0..count {
        values.push(decode_element(reader, element, depth)?);
    }
    let mut dimensions = Vec::new();
    if mask & DIMENSIONS != 0 {
        for _ in 0..reader.array_length(4)?.unwrap_or(0) {
            dimensions.push(reader.i32()?);
        }
    }
    Ok(Variant::Array { element, values, dimensions })
}

fn decode_element(reader: &mut Reader<'_>, element: BuiltInType, depth: u32) -> Result<Variant> {
    use BuiltInType as T;
    Ok(match element {
        T::Boolean => Variant::Boolean(reader.u8()? != 0),
        T::SByte => Variant::SByte(reader.i8()?),
        T::Byte => Variant::Byte(reader.u8()?),
        T::Int16 => Variant::Int16(reader.i16()?),
        T::UInt16 => Variant::UInt16(reader.u16()?),
        T::Int32 => Variant::Int32(reader.i32()?),
        T::UInt32 => Variant::UInt32(reader.u32()?),
        T::Int64 => Variant::Int64(reader.i64()?),
        T::UInt64 => Variant::UInt64(reader.u64()?),
        T::Float => Variant::Float(reader.f32()?),
        T::Double => Variant::Double(reader.f64()?),
        T::String => Variant::String(owned(reader.string()?)),
        T::DateTime => Variant::DateTime(DateTime::from_ticks(reader.i64()?)),
        T::Guid => Variant::Guid(guid(reader)?),
        T::ByteString => Variant::ByteString(reader.byte_string()?.map(<[u8]>::to_vec)),
        T::XmlElement => Variant::XmlElement(owned(reader.string()?)),
        T::NodeId => Variant::NodeId(read_node_id(reader)?),
        T::ExpandedNodeId => Variant::ExpandedNodeId(read_expanded_node_id(reader)?),
        T::StatusCode => Variant::StatusCode(StatusCode(reader.u32()?)),
        T::QualifiedName => {
            Variant::QualifiedName(QualifiedName { namespace: reader.u16()?, name: owned(reader.string()?) })
        }
        T::LocalizedText => Variant::LocalizedText(localized_text(reader)?),
        T::ExtensionObject => Variant::ExtensionObject(extension_object(reader)?),
        T::DataValue => {
            let start = reader.position();
            skip_data_value_at(reader, depth + 1)?;
            Variant::DataValue(reader.since(start).to_vec())
        }
        T::Variant => Variant::Variant(Box::new(decode_variant_at(reader, depth + 1)?)),
        T::DiagnosticInfo => {
            let start = reader.position();
            skip_diagnostic_info(reader, depth + 1)?;
            Variant::DiagnosticInfo(reader.since(start).to_vec())
        }
    })
}

fn localized_text(reader: &mut Reader<'_>) -> Result<LocalizedText> {
    let mask = reader.u8()?;
    let locale = if mask & 1 != 0 { owned(reader.string()?) } else { None };
    let text = if mask & 2 != 0 { owned(reader.string()?) } else { None };
    Ok(LocalizedText { locale, text })
}

fn extension_object(reader: &mut Reader<'_>) -> Result<ExtensionObject> {
    let type_id = read_node_id(reader)?;
    let body = match reader.u8()? {
        0 => ExtensionBody::None,
        1 => ExtensionBody::Binary(reader.byte_string()?.unwrap_or_default().to_vec()),
        2 => ExtensionBody::Xml(reader.byte_string()?.unwrap_or_default().to_vec()),
        _ => return Err(reader.error("unknown encoding of a structure")),
    };
    Ok(ExtensionObject { type_id, body })
}
