//! What Gemba knows of a data set beyond the standard's description, as properties with `gemba-` keys.
//!
//! Facts of a field are properties of that field. Facts of the data set are properties of its first field; a
//! data set without fields has them as a JSON object in its description, under the locale `gemba`. Facts with
//! their usual value are left out. Node ids name their namespace by its place in the metadata's `namespaces`,
//! which starts at 1 because 0 is OPC UA's own (OPC 10000-5 v1.05, 12.31).

use gemba_model::{
    DataSetMetaData, ExpandedNodeId, FieldMetaData, LocalizedText, Namespace, NodeId, Variant, WriterKey,
};
use std::collections::HashMap;

/// Begins every key.
pub(crate) const PREFIX: &str = "gemba-";

const NODE_ID: &str = "gemba-node-id";
const ATTRIBUTE_ID: &str = "gemba-attribute-id";
const UNIT: &str = "gemba-unit";
const WRITER_GROUP_ID: &str = "gemba-writer-group-id";
const WRITER_GROUP_NAME: &str = "gemba-writer-group-name";
const WRITER_NAME: &str = "gemba-writer-name";
const ENDPOINT_URL: &str = "gemba-endpoint-url";
const APPLICATION_URI: &str = "gemba-application-uri";

/// Marks a description that holds facts instead of words.
const LOCALE: &str = "gemba";

/// The attribute Value.
pub(crate) const VALUE_ATTRIBUTE: u32 = 13;

/// A property: its key in namespace 0, and its value.
pub(crate) type Fact = (&'static str, Variant);

/// The namespace URIs of a description, each once.
#[derive(Default)]
pub(crate) struct Namespaces<'a> {
    uris: Vec<&'a str>,
    places: HashMap<&'a str, u16>,
}

impl<'a> Namespaces<'a> {
    /// All URIs that the fields' node ids name, in the order of their first use.
    pub(crate) fn of(fields: &'a [FieldMetaData]) -> Self {
        let mut all = Self::default();
        for field in fields {
            if let Namespace::Uri(uri) = &field.node_id.namespace
                && !all.places.contains_key(&**uri)
                && let Ok(place) = u16::try_from(all.uris.len() + 1)
            {
                all.uris.push(uri);
                all.places.insert(uri, place);
            }
        }
        all
    }

    pub(crate) fn uris(&self) -> &[&'a str] {
        &self.uris
    }

    /// A NodeId where the namespaces at hand can say it, else the ExpandedNodeId as it is.
    fn shorten(&self, node: &ExpandedNodeId) -> Variant {
        let namespace = match &node.namespace {
            Namespace::Index(0) => Some(0),
            Namespace::Index(_) => None,
            Namespace::Uri(uri) => self.places.get(&**uri).copied(),
        };
        match namespace {
            Some(namespace) if node.server == 0 => {
                Variant::NodeId(NodeId { namespace, identifier: node.identifier.clone() })
            }
            _ => Variant::ExpandedNodeId(node.clone()),
        }
    }
}

/// The facts of one field.
pub(crate) fn of_field(field: &FieldMetaData, namespaces: &Namespaces<'_>) -> Vec<Fact> {
    let mut facts = vec![(NODE_ID, namespaces.shorten(&field.node_id))];
    if field.attribute_id != VALUE_ATTRIBUTE {
        facts.push((ATTRIBUTE_ID, Variant::UInt32(field.attribute_id)));
    }
    push_text(&mut facts, UNIT, &field.unit);
    facts
}

/// The facts of the data set.
pub(crate) fn of_data_set(data_set: &DataSetMetaData) -> Vec<Fact> {
    let mut facts = Vec::new();
    if data_set.writer.group != 0 {
        facts.push((WRITER_GROUP_ID, Variant::UInt16(data_set.writer.group)));
    }
    push_text(&mut facts, WRITER_GROUP_NAME, &data_set.writer_group_name);
    push_text(&mut facts, WRITER_NAME, &data_set.writer_name);
    push_text(&mut facts, ENDPOINT_URL, &data_set.source.endpoint_url);
    push_text(&mut facts, APPLICATION_URI, &data_set.source.application_uri);
    facts
}

fn push_text(facts: &mut Vec<Fact>, key: &'static str, text: &str) {
    if !text.is_empty() {
        facts.push((key, Variant::String(Some(text.to_owned()))));
    }
}

/// The description of a data set: empty, or its facts where no field can have them.
pub(crate) fn description(data_set: &DataSetMetaData) -> LocalizedText {
    let facts = of_data_set(data_set);
    if !data_set.fields.is_empty() || facts.is_empty() {
        return LocalizedText::default();
    }
    let object: serde_json::Map<String, serde_json::Value> = facts
        .into_iter()
        .filter_map(|(key, value)| match value {
            Variant::UInt16(number) => Some((key.to_owned(), number.into())),
            Variant::String(Some(text)) => Some((key.to_owned(), text.into())),
            _ => None,
        })
        .collect();
    let text = serde_json::Value::Object(object).to_string();
    LocalizedText { locale: Some(LOCALE.to_owned()), text: Some(text) }
}

/// Takes facts from a description; any other description is words for people and is left alone.
pub(crate) fn apply_description(description: &LocalizedText, data_set: &mut DataSetMetaData) {
    let (Some(LOCALE), Some(text)) = (description.locale.as_deref(), &description.text) else { return };
    let Ok(object) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text) else { return };
    for (key, value) in object {
        let value = match value {
            serde_json::Value::String(text) => Variant::String(Some(text)),
            serde_json::Value::Number(number) => match number.as_u64().and_then(|n| u16::try_from(n).ok()) {
                Some(number) => Variant::UInt16(number),
                None => continue,
            },
            _ => continue,
        };
        apply_to_data_set(&key, &value, data_set);
    }
}

/// Takes a property of the first field as a fact of the data set, if it is one.
pub(crate) fn apply_to_data_set(key: &str, value: &Variant, data_set: &mut DataSetMetaData) {
    match (key, value) {
        (WRITER_GROUP_ID, Variant::UInt16(group)) => {
            data_set.writer = WriterKey { group: *group, ..data_set.writer };
        }
        (WRITER_GROUP_NAME, Variant::String(Some(text))) => data_set.writer_group_name.clone_from(text),
        (WRITER_NAME, Variant::String(Some(text))) => data_set.writer_name.clone_from(text),
        (ENDPOINT_URL, Variant::String(Some(text))) => data_set.source.endpoint_url.clone_from(text),
        (APPLICATION_URI, Variant::String(Some(text))) => data_set.source.application_uri.clone_from(text),
        _ => {}
    }
}

/// Takes a property as a fact of its field, if it is one. `uris` are the metadata's namespaces, from 1.
pub(crate) fn apply_to_field(key: &str, value: Variant, uris: &[String], field: &mut FieldMetaData) {
    match (key, value) {
        (NODE_ID, Variant::ExpandedNodeId(node)) => field.node_id = node,
        (NODE_ID, Variant::NodeId(NodeId { namespace, identifier })) => {
            let place = usize::from(namespace).checked_sub(1);
            let namespace = match place.and_then(|place| uris.get(place)) {
                Some(uri) => Namespace::Uri(uri.as_str().into()),
                None => Namespace::Index(namespace),
            };
            field.node_id = ExpandedNodeId { server: 0, namespace, identifier };
        }
        (ATTRIBUTE_ID, Variant::UInt32(attribute)) => field.attribute_id = attribute,
        (UNIT, Variant::String(Some(unit))) => field.unit = unit,
        _ => {}
    }
}

/// The node of a field whose publisher names none: its name, as a string in namespace 0.
pub(crate) fn derived_node_id(field_name: &str) -> ExpandedNodeId {
    NodeId::string(0, field_name).into()
}
