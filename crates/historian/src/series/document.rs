//! A series as it stands in the document store.

use super::{Alias, SeriesEntry, Way};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;

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
            endpoint_url: alias.way.endpoint_url.to_string(),
            application_uri: alias.way.application_uri.to_string(),
            device: alias.way.device.to_string(),
            writer_group: alias.way.writer_group.to_string(),
            writer: alias.way.writer.to_string(),
            field: alias.field.to_string(),
        });
        Self {
            id: entry.id,
            node_id: entry.node.to_string(),
            attribute_id: entry.attribute,
            unit: entry.unit.to_string(),
            aliases: aliases.collect(),
        }
    }
}

impl SeriesDocument {
    /// The entry; equal ways become one.
    pub(super) fn into_entry(self, ways: &mut HashSet<Arc<Way>>) -> SeriesEntry {
        let aliases = self.aliases.into_iter().map(|alias| {
            let way = Way {
                endpoint_url: alias.endpoint_url.into(),
                application_uri: alias.application_uri.into(),
                device: alias.device.into(),
                writer_group: alias.writer_group.into(),
                writer: alias.writer.into(),
            };
            let way = ways.get(&way).cloned().unwrap_or_else(|| {
                let way = Arc::new(way);
                ways.insert(Arc::clone(&way));
                way
            });
            Alias { way, field: alias.field.into() }
        });
        SeriesEntry {
            id: self.id,
            node: self.node_id.into(),
            attribute: self.attribute_id,
            unit: self.unit.into(),
            aliases: aliases.collect(),
        }
    }
}
