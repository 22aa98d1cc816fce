//! A series as it stands in the document store.

use super::{Alias, SeriesEntry};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SeriesDocument {
    id: u64,
    node_id: String,
    attribute_id: u32,
    #[serde(default)]
    unit: String,
    aliases: Vec<AliasDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AliasDocument {
    endpoint_url: String,
    #[serde(default)]
    application_uri: String,
    device: String,
    #[serde(default)]
    writer_group: String,
    #[serde(default)]
    writer: String,
    field: String,
}

impl From<&SeriesEntry> for SeriesDocument {
    fn from(entry: &SeriesEntry) -> Self {
        let aliases = entry.aliases.iter().map(|alias| AliasDocument {
            endpoint_url: alias.endpoint_url.clone(),
            application_uri: alias.application_uri.clone(),
            device: alias.device.clone(),
            writer_group: alias.writer_group.clone(),
            writer: alias.writer.clone(),
            field: alias.field.clone(),
        });
        Self {
            id: entry.id,
            node_id: entry.node.to_string(),
            attribute_id: entry.attribute,
            unit: entry.unit.clone(),
            aliases: aliases.collect(),
        }
    }
}

impl From<SeriesDocument> for SeriesEntry {
    fn from(document: SeriesDocument) -> Self {
        let aliases = document.aliases.into_iter().map(|alias| Alias {
            endpoint_url: alias.endpoint_url,
            application_uri: alias.application_uri,
            device: alias.device,
            writer_group: alias.writer_group,
            writer: alias.writer,
            field: alias.field,
        });
        Self::new(
            document.id,
            document.node_id.into(),
            document.attribute_id,
            document.unit,
            aliases.collect(),
        )
    }
}
