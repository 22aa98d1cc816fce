//! Between the words of the house and the stack's types.

use gemba_model::binary::{Reader, decode_variant, encode_guid, encode_variant};
use gemba_model::{self as model, Identifier, Variant};
use opcua::types::{
    BinaryDecodable, BinaryEncodable, ByteString, ContextOwned, DateTime, DecodingOptions,
    FallbackTypeLoader, Guid, NamespaceMap, NodeId, StatusCode, TypeLoaderCollection, UAString,
    Variant as StackVariant,
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
        Identifier::String(text) => NodeId::new(id.namespace, UAString::from(&**text)),
        Identifier::Guid(value) => NodeId::new(id.namespace, guid(value)),
        Identifier::Opaque(bytes) => NodeId::new(id.namespace, ByteString::from(bytes.to_vec())),
    }
}

/// The stack's encoding and decoding, with the types that it knows; others stay bytes.
pub(super) struct Codec {
    context: ContextOwned,
}

impl Codec {
    pub(super) fn new() -> Self {
        let mut loaders = TypeLoaderCollection::new();
        loaders.add_type_loader(FallbackTypeLoader);
        Self { context: ContextOwned::new(NamespaceMap::new(), loaders, decoding_options(64 << 20)) }
    }

    pub(super) fn decode<T: BinaryDecodable>(&self, bytes: &[u8]) -> Option<T> {
        T::decode(&mut &*bytes, &self.context.context()).ok()
    }

    /// The stack's form of a value; what it cannot read becomes an empty one.
    pub(super) fn to_stack(&self, value: &Variant) -> StackVariant {
        let mut bytes = Vec::new();
        encode_variant(value, &mut bytes);
        self.decode(&bytes).unwrap_or(StackVariant::Empty)
    }

    pub(super) fn encode(&self, value: &impl BinaryEncodable) -> Vec<u8> {
        value.encode_to_vec(&self.context.context())
    }

    /// The house's form of a value, or `None` when its encoding cannot be read back.
    pub(super) fn to_model(&self, value: &StackVariant) -> Option<Variant> {
        decode_variant(&mut Reader::new(&self.encode(value))).ok()
    }
}

/// What the stack may decode of what a client sends, in bytes and elements.
pub(super) fn decoding_options(message_bytes: usize) -> DecodingOptions {
    DecodingOptions {
        max_message_size: message_bytes,
        // Chunks are at least 8,192 bytes, whatever is negotiated (OPC 10000-6 v1.05, 7.1.2.3).
        max_chunk_count: message_bytes / 8192 + 1,
        max_string_length: 1 << 20,
        max_byte_string_length: 16 << 20,
        max_array_length: 1_000_000,
        ..DecodingOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gemba_model::variant::ExtensionBody;
    use gemba_model::variant::ExtensionObject as Structure;
    use gemba_model::{BuiltInType, ExpandedNodeId, Namespace};

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
            Variant::NodeId(model::NodeId { namespace: 1, identifier: Identifier::Opaque([9].into()) }),
            Variant::ExpandedNodeId(ExpandedNodeId {
                server: 1,
                namespace: Namespace::Uri("urn:x".into()),
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
        let codec = Codec::new();
        for value in values() {
            let back = codec.to_model(&codec.to_stack(&value));
            assert_eq!(back.as_ref(), Some(&value));
        }
    }
}
