//! Between the stack's types and ours. The binary encoding is the common ground: what has no direct
//! counterpart is written by one side and read by the other.

use gemba_model::binary::{self, DecodeError, Reader};
use gemba_model::{
    DateTime, ExpandedNodeId, Identifier, LocalizedText, NodeId, QualifiedName, StatusCode, Variant,
};
use opcua::types as stack;
use opcua::types::{BinaryDecodable, BinaryEncodable};

/// All 32 bits.
pub(crate) fn status(status: stack::StatusCode) -> StatusCode {
    StatusCode(status.bits())
}

/// Exact inside the years 1601 to 9999, which is all that the stack's type can hold.
pub(crate) fn time(time: stack::DateTime) -> DateTime {
    DateTime::from_ticks(time.ticks())
}

/// `None` for the standard's "no time".
pub(crate) fn time_or_none(time: stack::DateTime) -> Option<DateTime> {
    (!time.is_null()).then(|| DateTime::from_ticks(time.ticks()))
}

fn text(text: &stack::UAString) -> Option<String> {
    text.value().clone()
}

pub(crate) fn localized_text(value: &stack::LocalizedText) -> LocalizedText {
    LocalizedText { locale: text(&value.locale), text: text(&value.text) }
}

pub(crate) fn qualified_name(value: &stack::QualifiedName) -> QualifiedName {
    QualifiedName { namespace: value.namespace_index, name: text(&value.name) }
}

fn bytes_of(value: &impl BinaryEncodable, context: &stack::Context<'_>) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(value.byte_len(context));
    value.encode(&mut bytes, context).ok()?;
    Some(bytes)
}

pub(crate) fn node_id(node: &stack::NodeId) -> NodeId {
    match &node.identifier {
        stack::Identifier::Numeric(id) => NodeId::numeric(node.namespace, *id),
        stack::Identifier::String(id) => NodeId::string(node.namespace, id.as_ref()),
        _ => {
            let context = stack::ContextOwned::default();
            bytes_of(node, &context.context())
                .and_then(|bytes| binary::read_node_id(&mut Reader::new(&bytes)).ok())
                .unwrap_or_else(|| NodeId::numeric(0, 0))
        }
    }
}

pub(crate) fn expanded_node_id(node: &stack::ExpandedNodeId) -> ExpandedNodeId {
    let context = stack::ContextOwned::default();
    bytes_of(node, &context.context())
        .and_then(|bytes| binary::read_expanded_node_id(&mut Reader::new(&bytes)).ok())
        .unwrap_or_else(|| NodeId::numeric(0, 0).into())
}

pub(crate) fn to_stack_node_id(node: &NodeId) -> stack::NodeId {
    match &node.identifier {
        Identifier::Numeric(id) => stack::NodeId::new(node.namespace, *id),
        Identifier::String(id) => stack::NodeId::new(node.namespace, stack::UAString::from(&**id)),
        _ => {
            let mut bytes = Vec::new();
            binary::encode_node_id(node, &mut bytes);
            let context = stack::ContextOwned::default();
            stack::NodeId::decode(&mut bytes.as_slice(), &context.context()).unwrap_or_default()
        }
    }
}

/// The encoded Variant of a stack value, for values that are kept as bytes.
pub(crate) fn variant_bytes(value: &stack::Variant, context: &stack::Context<'_>) -> Option<Vec<u8>> {
    bytes_of(value, context)
}

/// A value in our words.
///
/// # Errors
/// When the stack cannot write what it read, which only a structure of an unknown namespace can cause.
pub(crate) fn variant(value: &stack::Variant, context: &stack::Context<'_>) -> Result<Variant, DecodeError> {
    let Some(bytes) = bytes_of(value, context) else {
        return Err(Reader::new(&[]).error("a value cannot be encoded"));
    };
    binary::decode_variant(&mut Reader::new(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_ids_of_every_kind_survive_both_ways() {
        for text in ["i=85", "ns=2;s=Größe", "ns=300;g=09087e75-8e5e-499b-954f-f2a9603db28a", "ns=1;b=Zm9v"]
        {
            let node: NodeId = text.parse().expect("parses");
            assert_eq!(node_id(&to_stack_node_id(&node)), node);
            assert_eq!(to_stack_node_id(&node).to_string(), text, "the stack prints the same");
        }
    }
}
