//! A description as it stands in the document store.

use super::{Description, fingerprint};
use gemba_model::{
    BuiltInType, ConfigurationVersion, DataSetMetaData, DataSetSource, ExpandedNodeId, FieldMetaData, Guid,
    WriterKey,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescriptionDocument {
    device: String,
    producer: String,
    revision: u64,
    group: u16,
    writer: u16,
    group_name: String,
    writer_name: String,
    name: String,
    class: Guid,
    major: u32,
    minor: u32,
    endpoint_url: String,
    application_uri: String,
    fields: Vec<FieldDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FieldDocument {
    series: u64,
    name: String,
    id: Guid,
    #[serde(rename = "type")]
    kind: u8,
    rank: i32,
    node: ExpandedNodeId,
    attribute: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    unit: String,
}

impl DescriptionDocument {
    pub(super) fn new(device: &str, description: &Description) -> Self {
        let metadata = &description.metadata;
        let fields = metadata.fields.iter().zip(&description.ids).map(|(field, &series)| FieldDocument {
            series,
            name: field.name.clone(),
            id: field.data_set_field_id,
            kind: field.built_in_type.id(),
            rank: field.value_rank,
            node: field.node_id.clone(),
            attribute: field.attribute_id,
            unit: field.unit.clone(),
        });
        Self {
            device: device.to_owned(),
            producer: description.producer.clone(),
            revision: description.revision,
            group: metadata.writer.group,
            writer: metadata.writer.writer,
            group_name: metadata.writer_group_name.clone(),
            writer_name: metadata.writer_name.clone(),
            name: metadata.name.clone(),
            class: metadata.data_set_class_id,
            major: metadata.version.major,
            minor: metadata.version.minor,
            endpoint_url: metadata.source.endpoint_url.clone(),
            application_uri: metadata.source.application_uri.clone(),
            fields: fields.collect(),
        }
    }
}

impl From<DescriptionDocument> for (String, Description) {
    fn from(document: DescriptionDocument) -> Self {
        let ids = document.fields.iter().map(|field| field.series).collect();
        let fields = document.fields.into_iter().map(|field| FieldMetaData {
            name: field.name,
            data_set_field_id: field.id,
            built_in_type: BuiltInType::from_id(field.kind).unwrap_or(BuiltInType::Variant),
            value_rank: field.rank,
            node_id: field.node,
            attribute_id: field.attribute,
            unit: field.unit,
        });
        let metadata = DataSetMetaData {
            writer: WriterKey { group: document.group, writer: document.writer },
            writer_group_name: document.group_name,
            writer_name: document.writer_name,
            name: document.name,
            data_set_class_id: document.class,
            version: ConfigurationVersion { major: document.major, minor: document.minor },
            source: DataSetSource {
                endpoint_url: document.endpoint_url,
                application_uri: document.application_uri,
            },
            fields: fields.collect(),
        };
        let (producer, revision) = (document.producer, document.revision);
        let fingerprint = fingerprint(&metadata);
        (document.device, Description { metadata, fingerprint, ids, producer, revision })
    }
}
