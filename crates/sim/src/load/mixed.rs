//! One variable of every type that a variable can have: built-in scalars, arrays, matrices, a structure.

use super::counter::instant_of;
use gemba_model::binary::encode_string;
use gemba_model::variant::{ExtensionBody, ExtensionObject, LocalizedText, QualifiedName};
use gemba_model::{BuiltInType, ExpandedNodeId, Guid, Identifier, Namespace, NodeId, StatusCode, Variant};
use gemba_ua::server::{NAMESPACE_INDEX, StructureDeclaration, StructureField};
use std::time::Duration;

/// The type of node `i` (from 1): the shapes follow each other and begin again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// One value.
    Scalar(BuiltInType),
    /// A list of three.
    Array(BuiltInType),
    /// Two rows of three.
    Matrix(BuiltInType),
    /// The structure [`structure`].
    Structure,
}

/// Ids of the structure and of its encoding; tags are numbered below.
const STRUCTURE: u32 = 3_000_000_000;
const STRUCTURE_ENCODING: u32 = 3_000_000_001;

use BuiltInType as T;

const SHAPES: [Shape; 32] = [
    Shape::Scalar(T::Boolean),
    Shape::Scalar(T::SByte),
    Shape::Scalar(T::Byte),
    Shape::Scalar(T::Int16),
    Shape::Scalar(T::UInt16),
    Shape::Scalar(T::Int32),
    Shape::Scalar(T::UInt32),
    Shape::Scalar(T::Int64),
    Shape::Scalar(T::UInt64),
    Shape::Scalar(T::Float),
    Shape::Scalar(T::Double),
    Shape::Scalar(T::String),
    Shape::Scalar(T::DateTime),
    Shape::Scalar(T::Guid),
    Shape::Scalar(T::ByteString),
    Shape::Scalar(T::XmlElement),
    Shape::Scalar(T::NodeId),
    Shape::Scalar(T::ExpandedNodeId),
    Shape::Scalar(T::StatusCode),
    Shape::Scalar(T::QualifiedName),
    Shape::Scalar(T::LocalizedText),
    Shape::Array(T::Boolean),
    Shape::Array(T::Int32),
    Shape::Array(T::UInt64),
    Shape::Array(T::Double),
    Shape::Array(T::String),
    Shape::Array(T::ByteString),
    Shape::Array(T::DateTime),
    Shape::Matrix(T::Int16),
    Shape::Matrix(T::Double),
    Shape::Matrix(T::String),
    Shape::Structure,
];

/// How many shapes there are before they begin again.
pub const SHAPES_COUNT: u32 = SHAPES.len() as u32;

/// The shape of node `i` (from 1).
pub fn shape(node: u32) -> Shape {
    let index = node.wrapping_sub(1) as usize % SHAPES.len();
    SHAPES.get(index).copied().unwrap_or(Shape::Structure)
}

/// The structure `Reading`: Count (UInt64), Level (Double), Label (String).
pub fn structure() -> StructureDeclaration {
    let field = |name: &str, data_type| StructureField { name: name.to_owned(), data_type, value_rank: -1 };
    StructureDeclaration {
        id: Identifier::Numeric(STRUCTURE),
        encoding_id: Identifier::Numeric(STRUCTURE_ENCODING),
        name: "Reading".to_owned(),
        fields: vec![field("Count", T::UInt64), field("Level", T::Double), field("Label", T::String)],
    }
}

/// The value of node `i` at a tick, determined by both.
pub fn value(node: u32, tick: u64) -> Variant {
    match shape(node) {
        Shape::Scalar(element) => scalar(element, tick),
        Shape::Array(element) => Variant::Array {
            element,
            values: (0..3).map(|n| scalar(element, tick.wrapping_add(n))).collect(),
            dimensions: Vec::new(),
        },
        Shape::Matrix(element) => Variant::Array {
            element,
            values: (0..6).map(|n| scalar(element, tick.wrapping_add(n))).collect(),
            dimensions: vec![2, 3],
        },
        Shape::Structure => {
            let mut body = Vec::new();
            body.extend_from_slice(&tick.to_le_bytes());
            body.extend_from_slice(&(tick as f64 / 2.0).to_le_bytes());
            encode_string(Some(&format!("reading {tick}")), &mut body);
            Variant::ExtensionObject(ExtensionObject {
                type_id: NodeId::numeric(NAMESPACE_INDEX, STRUCTURE_ENCODING),
                body: ExtensionBody::Binary(body),
            })
        }
    }
}

fn scalar(element: BuiltInType, tick: u64) -> Variant {
    match element {
        T::Boolean => Variant::Boolean(tick % 2 == 1),
        // Small integers keep the low bits: the wrap-around is wanted.
        T::SByte => Variant::SByte(tick as i8),
        T::Byte => Variant::Byte(tick as u8),
        T::Int16 => Variant::Int16(tick as i16),
        T::UInt16 => Variant::UInt16(tick as u16),
        T::Int32 => Variant::Int32(tick as i32),
        T::UInt32 => Variant::UInt32(tick as u32),
        T::Int64 => Variant::Int64(-i64::try_from(tick).unwrap_or(i64::MAX)),
        T::UInt64 => Variant::UInt64(u64::MAX - tick),
        T::Float => Variant::Float((tick % 1000) as f32 / 8.0),
        T::Double => Variant::Double(tick as f64 / 16.0),
        T::DateTime => Variant::DateTime(instant_of(tick, Duration::from_secs(1))),
        T::Guid => Variant::Guid(Guid((u128::from(tick) << 64 | u128::from(!tick)).to_be_bytes())),
        T::ByteString => Variant::ByteString(Some(tick.to_be_bytes().to_vec())),
        T::XmlElement => Variant::XmlElement(Some(format!("<tick>{tick}</tick>"))),
        T::NodeId => Variant::NodeId(NodeId::string(NAMESPACE_INDEX, format!("tick/{tick}"))),
        T::ExpandedNodeId => Variant::ExpandedNodeId(ExpandedNodeId {
            server: 0,
            namespace: Namespace::Uri("urn:gemba:sim:elsewhere".into()),
            identifier: Identifier::Numeric(tick as u32),
        }),
        T::StatusCode => Variant::StatusCode(StatusCode((tick as u32 & 0xFF) << 16)),
        T::QualifiedName => Variant::QualifiedName(QualifiedName {
            namespace: NAMESPACE_INDEX,
            name: Some(format!("tick {tick}")),
        }),
        T::LocalizedText => Variant::LocalizedText(LocalizedText {
            locale: Some("en".to_owned()),
            text: Some(format!("tick {tick} — größer")),
        }),
        _ => Variant::String(Some(format!("tick {tick}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_has_values_of_its_type_that_change_with_the_tick() {
        for node in 1..=SHAPES_COUNT {
            let element = match shape(node) {
                Shape::Scalar(element) | Shape::Array(element) | Shape::Matrix(element) => element,
                Shape::Structure => T::ExtensionObject,
            };
            assert_eq!(value(node, 7).built_in_type(), Some(element), "node {node}");
            assert_ne!(value(node, 7), value(node, 8), "node {node}");
        }
        assert_eq!(shape(1), shape(SHAPES_COUNT + 1));
    }
}
