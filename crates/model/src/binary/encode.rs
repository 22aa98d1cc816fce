//! Encoding. What [`super::decode_variant`] read is written back in its shortest form.

use crate::variant::ExtensionBody;
use crate::{ExpandedNodeId, Guid, Identifier, LocalizedText, Namespace, NodeId, QualifiedName, Variant};

/// Writes a ByteString; `None` is the null one. A longer one than `i32::MAX` is cut there.
pub fn encode_bytes(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    match bytes {
        None => out.extend_from_slice(&(-1_i32).to_le_bytes()),
        Some(bytes) => {
            let bytes = bytes.get(..i32::MAX as usize).unwrap_or(bytes);
            out.extend_from_slice(&(bytes.len() as i32).to_le_bytes());
            out.extend_from_slice(bytes);
        }
    }
}

/// Writes a String; `None` is the null one.
pub fn encode_string(text: Option<&str>, out: &mut Vec<u8>) {
    encode_bytes(text.map(str::as_bytes), out);
}

/// Writes a Guid.
pub fn encode_guid(guid: &Guid, out: &mut Vec<u8>) {
    let [a3, a2, a1, a0, b1, b0, c1, c0, rest @ ..] = guid.0;
    out.extend_from_slice(&[a0, a1, a2, a3, b0, b1, c0, c1]);
    out.extend_from_slice(&rest);
}

fn identifier(namespace: u16, id: &Identifier, flags: u8, out: &mut Vec<u8>) {
    match id {
        Identifier::Numeric(number) => match (namespace, u8::try_from(*number), u16::try_from(*number)) {
            (0, Ok(short), _) => out.extend_from_slice(&[flags, short]),
            (0..=255, _, Ok(number)) => {
                out.extend_from_slice(&[flags | 1, namespace as u8]);
                out.extend_from_slice(&number.to_le_bytes());
            }
            _ => {
                out.push(flags | 2);
                out.extend_from_slice(&namespace.to_le_bytes());
                out.extend_from_slice(&number.to_le_bytes());
            }
        },
        Identifier::String(text) => {
            out.push(flags | 3);
            out.extend_from_slice(&namespace.to_le_bytes());
            encode_string(Some(text), out);
        }
        Identifier::Guid(guid) => {
            out.push(flags | 4);
            out.extend_from_slice(&namespace.to_le_bytes());
            encode_guid(guid, out);
        }
        Identifier::Opaque(bytes) => {
            out.push(flags | 5);
            out.extend_from_slice(&namespace.to_le_bytes());
            encode_bytes(Some(bytes), out);
        }
    }
}

/// Writes a NodeId.
pub fn encode_node_id(node: &NodeId, out: &mut Vec<u8>) {
    identifier(node.namespace, &node.identifier, 0, out);
}

/// Writes an ExpandedNodeId.
pub fn encode_expanded_node_id(node: &ExpandedNodeId, out: &mut Vec<u8>) {
    let server = if node.server != 0 { 0x40 } else { 0 };
    match &node.namespace {
        Namespace::Index(index) => identifier(*index, &node.identifier, server, out),
        Namespace::Uri(uri) => {
            identifier(0, &node.identifier, server | 0x80, out);
            encode_string(Some(uri), out);
        }
    }
    if node.server != 0 {
        out.extend_from_slice(&node.server.to_le_bytes());
    }
}

/// Writes a QualifiedName.
pub fn encode_qualified_name(name: &QualifiedName, out: &mut Vec<u8>) {
    out.extend_from_slice(&name.namespace.to_le_bytes());
    encode_string(name.name.as_deref(), out);
}

/// Writes a LocalizedText.
pub fn encode_localized_text(text: &LocalizedText, out: &mut Vec<u8>) {
    out.push(u8::from(text.locale.is_some()) | u8::from(text.text.is_some()) << 1);
    for part in [&text.locale, &text.text].into_iter().flatten() {
        encode_string(Some(part), out);
    }
}

/// Writes a Variant.
pub fn encode_variant(variant: &Variant, out: &mut Vec<u8>) {
    match variant {
        Variant::Null => out.push(0),
        Variant::Array { element, values, dimensions } => {
            out.push(element.id() | 0x80 | if dimensions.is_empty() { 0 } else { 0x40 });
            out.extend_from_slice(&(values.len() as i32).to_le_bytes());
            for value in values {
                encode_body(value, out);
            }
            if !dimensions.is_empty() {
                out.extend_from_slice(&(dimensions.len() as i32).to_le_bytes());
                for dimension in dimensions {
                    out.extend_from_slice(&dimension.to_le_bytes());
                }
            }
        }
        scalar => {
            out.push(scalar.built_in_type().map_or(0, crate::BuiltInType::id));
            encode_body(scalar, out);
        }
    }
}

/// Writes a value without its encoding byte, as it stands in an array.
fn encode_body(value: &Variant, out: &mut Vec<u8>) {
    match value {
        Variant::Null | Variant::Array { .. } => encode_variant(value, out),
        Variant::Boolean(v) => out.push(u8::from(*v)),
        Variant::SByte(v) => out.extend_from_slice(&v.to_le_bytes()),
        Variant::Byte(v) => out.push(*v),
        Variant::Int16(v) => out.extend_from_slice(&v.to_le_bytes()),
        Variant::UInt16(v) => out.extend_from_slice(&v.to_le_bytes()),
        Variant::Int32(v) => out.extend_from_slice(&v.to_le_bytes()),
        Variant::UInt32(v) => out.extend_from_slice(&v.to_le_bytes()),
        Variant::Int64(v) => out.extend_from_slice(&v.to_le_bytes()),
        Variant::UInt64(v) => out.extend_from_slice(&v.to_le_bytes()),
        Variant::Float(v) => out.extend_from_slice(&v.to_le_bytes()),
        Variant::Double(v) => out.extend_from_slice(&v.to_le_bytes()),
        Variant::String(v) | Variant::XmlElement(v) => encode_string(v.as_deref(), out),
        Variant::DateTime(v) => out.extend_from_slice(&v.ticks().to_le_bytes()),
        Variant::Guid(v) => encode_guid(v, out),
        Variant::ByteString(v) => encode_bytes(v.as_deref(), out),
        Variant::NodeId(v) => encode_node_id(v, out),
        Variant::ExpandedNodeId(v) => encode_expanded_node_id(v, out),
        Variant::StatusCode(v) => out.extend_from_slice(&v.0.to_le_bytes()),
        Variant::QualifiedName(v) => encode_qualified_name(v, out),
        Variant::LocalizedText(v) => encode_localized_text(v, out),
        Variant::ExtensionObject(v) => {
            encode_node_id(&v.type_id, out);
            match &v.body {
                ExtensionBody::None => out.push(0),
                ExtensionBody::Binary(bytes) => {
                    out.push(1);
                    encode_bytes(Some(bytes), out);
                }
                ExtensionBody::Xml(bytes) => {
                    out.push(2);
                    encode_bytes(Some(bytes), out);
                }
            }
        }
        Variant::DataValue(encoded) | Variant::DiagnosticInfo(encoded) => out.extend_from_slice(encoded),
        Variant::Variant(inner) => encode_variant(inner, out),
    }
}
