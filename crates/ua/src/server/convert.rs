//! Between the words of the house and the stack's types.

use gemba_model::binary::{Reader, decode_variant, encode_guid, encode_variant};
use gemba_model::variant::ExtensionBody;
use gemba_model::{self as model, BuiltInType, Identifier, Variant};
use opcua::types::{
    Array, BinaryDecodable, BinaryEncodable, ByteString, ByteStringBody, ContextOwned, DateTime,
    DecodingOptions, ExtensionObject, FallbackTypeLoader, Guid, LocalizedText, NamespaceMap, NodeId,
    QualifiedName, StatusCode, TypeLoaderCollection, UAString, Variant as StackVariant, VariantScalarTypeId,
};

/// Ticks become the stack's calendar type and stay exact for the years 1601 to 9999.
pub(super) fn date_time(instant: model::DateTime) -> DateTime {
    DateTime::from(instant.ticks())
}

pub(super) fn status(code: model::StatusCode) -> StatusCode {
    StatusCode::from(code.0)
}

pub(super) fn model_status(code: StatusCode) -> model::StatusCode {
    model::StatusCode(code.bits())
}

/// The stack takes a Guid's bytes in the order of the wire.
fn guid(value: &model::Guid) -> Guid {
    let mut bytes = Vec::with_capacity(16);
    encode_guid(value, &mut bytes);
    Guid::from_slice(&bytes).unwrap_or_else(|_| Guid::null())
}

pub(super) fn node_id(id: &model::NodeId) -> NodeId {
    match &id.identifier {
        Identifier::Numeric(number) => NodeId::new(id.namespace, *number),
        Identifier::String(text) => NodeId::new(id.namespace, UAString::from(text)),
        Identifier::Guid(value) => NodeId::new(id.namespace, guid(value)),
        Identifier::Opaque(bytes) => NodeId::new(id.namespace, ByteString::from(bytes.clone())),
    }
}

/// Converts values, with the stack's codec for the rare types.
pub(super) struct Converter {
    context: ContextOwned,
}

impl Converter {
    pub(super) fn new() -> Self {
        let mut loaders = TypeLoaderCollection::new();
        loaders.add_type_loader(FallbackTypeLoader);
        Self { context: ContextOwned::new(NamespaceMap::new(), loaders, DecodingOptions::default()) }
    }

    /// The stack's form of a value; what it cannot hold becomes an empty one.
    pub(super) fn to_stack(&self, value: Variant) -> StackVariant {
        match value {
            Variant::Null => StackVariant::Empty,
            Variant::Boolean(v) => StackVariant::Boolean(v),
            Variant::SByte(v) => StackVariant::SByte(v),
            Variant::Byte(v) => StackVariant::Byte(v),
            Variant::Int16(v) => StackVariant::Int16(v),
            Variant::UInt16(v) => StackVariant::UInt16(v),
            Variant::Int32(v) => StackVariant::Int32(v),
            Variant::UInt32(v) => StackVariant::UInt32(v),
            Variant::Int64(v) => StackVariant::Int64(v),
            Variant::UInt64(v) => StackVariant::UInt64(v),
            Variant::Float(v) => StackVariant::Float(v),
            Variant::Double(v) => StackVariant::Double(v),
            Variant::String(v) => StackVariant::String(UAString::from(v)),
            Variant::DateTime(v) => StackVariant::DateTime(Box::new(date_time(v))),
            Variant::Guid(v) => StackVariant::Guid(Box::new(guid(&v))),
            Variant::ByteString(v) => StackVariant::ByteString(ByteString { value: v }),
            Variant::NodeId(v) => StackVariant::NodeId(Box::new(node_id(&v))),
            Variant::StatusCode(v) => StackVariant::StatusCode(status(v)),
            Variant::QualifiedName(v) => StackVariant::QualifiedName(Box::new(QualifiedName {
                namespace_index: v.namespace,
                name: UAString::from(v.name),
            })),
            Variant::LocalizedText(v) => StackVariant::LocalizedText(Box::new(LocalizedText {
                locale: UAString::from(v.locale),
                text: UAString::from(v.text),
            })),
            Variant::ExtensionObject(v) => StackVariant::ExtensionObject(match v.body {
                ExtensionBody::Binary(bytes) => ExtensionObject::from_message(ByteStringBody::new(
                    ByteString::from(bytes),
                    node_id(&v.type_id),
                )),
                ExtensionBody::None | ExtensionBody::Xml(_) => ExtensionObject::null(),
            }),
            Variant::Array { element, values, dimensions } => self.array(element, values, &dimensions),
            other => self.through_bytes(&other),
        }
    }

    fn array(&self, element: BuiltInType, values: Vec<Variant>, dimensions: &[i32]) -> StackVariant {
        let Ok(value_type) = VariantScalarTypeId::try_from(u32::from(element.id())) else {
            return StackVariant::Empty;
        };
        let values: Vec<StackVariant> = values.into_iter().map(|value| self.to_stack(value)).collect();
        let array = if dimensions.is_empty() {
            Array::new(value_type, values)
        } else {
            let lengths: Vec<u32> = dimensions.iter().map(|n| u32::try_from(*n).unwrap_or(0)).collect();
            Array::new_multi(value_type, values, lengths)
        };
        array.map_or(StackVariant::Empty, |array| StackVariant::Array(Box::new(array)))
    }

    fn through_bytes(&self, value: &Variant) -> StackVariant {
        let mut bytes = Vec::new();
        encode_variant(value, &mut bytes);
        StackVariant::decode(&mut bytes.as_slice(), &self.context.context()).unwrap_or(StackVariant::Empty)
    }

    /// The house's form of a value, or `None` when its encoding cannot be read back.
    pub(super) fn to_model(&self, value: &StackVariant) -> Option<Variant> {
        Some(match value {
            StackVariant::Empty => Variant::Null,
            StackVariant::Boolean(v) => Variant::Boolean(*v),
            StackVariant::Int32(v) => Variant::Int32(*v),
            StackVariant::UInt32(v) => Variant::UInt32(*v),
            StackVariant::Int64(v) => Variant::Int64(*v),
            StackVariant::UInt64(v) => Variant::UInt64(*v),
            StackVariant::Double(v) => Variant::Double(*v),
            StackVariant::String(v) => Variant::String(v.value().clone()),
            other => {
                let bytes = other.encode_to_vec(&self.context.context());
                decode_variant(&mut Reader::new(&bytes)).ok()?
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gemba_model::variant::ExtensionObject as Structure;
    use gemba_model::{ExpandedNodeId, Namespace};

    fn values() -> Vec<Variant> {
        let list = |element, values| Variant::Array { element, values, dimensions: Vec::new() };
        let matrix = |values| Variant::Array { element: BuiltInType::Int16, values, dimensions: vec![2, 1] };
        vec![
            Variant::Null,
            Variant::Boolean(true),
            Variant::SByte(-1),
            Variant::Byte(255),
            Variant::Int16(i16::MIN),
            Variant::UInt16(u16::MAX),
            Variant::Int32(i32::MIN),
            Variant::UInt32(u32::MAX),
            Variant::Int64(i64::MIN),
            Variant::UInt64(u64::MAX),
            Variant::Float(-0.5),
            Variant::Double(f64::INFINITY),
            Variant::String(None),
            Variant::String(Some(String::new())),
            Variant::DateTime(model::DateTime::from_ticks(133_000_000_000_000_007)),
            Variant::Guid(model::Guid(*b"0123456789abcdef")),
            Variant::ByteString(None),
            Variant::ByteString(Some(vec![0, 1])),
            Variant::XmlElement(Some("<a/>".to_owned())),
            Variant::NodeId(model::NodeId::string(3, "x")),
            Variant::NodeId(model::NodeId {
                namespace: 1,
                identifier: Identifier::Guid(model::Guid(*b"0123456789abcdef")),
            }),
            Variant::NodeId(model::NodeId { namespace: 1, identifier: Identifier::Opaque(vec![9]) }),
            Variant::ExpandedNodeId(ExpandedNodeId {
                server: 1,
                namespace: Namespace::Uri("urn:x".to_owned()),
                identifier: Identifier::Numeric(7),
            }),
            Variant::StatusCode(model::StatusCode(0x8034_0480)),
            Variant::QualifiedName(model::QualifiedName { namespace: 2, name: Some("n".to_owned()) }),
            Variant::LocalizedText(model::LocalizedText { locale: None, text: Some("t".to_owned()) }),
            Variant::ExtensionObject(Structure {
                type_id: model::NodeId::numeric(2, 77),
                body: ExtensionBody::Binary(vec![1, 2, 3]),
            }),
            list(BuiltInType::String, vec![Variant::String(None), Variant::String(Some("a".to_owned()))]),
            list(BuiltInType::Double, vec![]),
            matrix(vec![Variant::Int16(1), Variant::Int16(2)]),
        ]
    }

    #[test]
    fn values_survive_the_way_through_the_stacks_types() {
        let converter = Converter::new();
        for value in values() {
            let back = converter.to_model(&converter.to_stack(value.clone()));
            assert_eq!(back.as_ref(), Some(&value));
        }
    }
}
