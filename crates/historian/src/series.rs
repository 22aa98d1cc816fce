//! The series dictionary: a surrogate id for each value of each node, for ever.

mod document;
pub(crate) mod export;

use crate::error::{HistorianError, Result};
use document::SeriesDocument;
use gemba_api::docs::Expect;
use gemba_api::{DocStore, Write};
use gemba_model::{DataSetMetaData, FieldMetaData};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Collection of the dictionary in the document store.
pub(crate) const COLLECTION: &str = "series";
/// Documents read at a time.
const LOAD_PAGE: usize = 1_000;
/// Ways to the same node that are remembered; beyond, the second oldest goes.
const ALIASES_MAX: usize = 16;

/// One way by which a series was announced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Alias {
    pub(crate) endpoint_url: String,
    pub(crate) application_uri: String,
    pub(crate) device: String,
    pub(crate) writer_group: String,
    pub(crate) writer: String,
    pub(crate) field: String,
}

/// One series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeriesEntry {
    pub(crate) id: u64,
    /// The node in `nsu=` form; for publishers that do not tell nodes, `field:<group>/<writer>/<name>`.
    pub(crate) node: Arc<str>,
    pub(crate) attribute: u32,
    pub(crate) unit: String,
    /// Oldest first; the last is the one in use.
    pub(crate) aliases: Vec<Alias>,
    /// Lower-case text for searches.
    text: Box<str>,
}

impl SeriesEntry {
    fn new(id: u64, node: Arc<str>, attribute: u32, unit: String, aliases: Vec<Alias>) -> Self {
        let mut entry = Self { id, node, attribute, unit, aliases, text: Box::default() };
        entry.text = entry.search_text();
        entry
    }

    fn search_text(&self) -> Box<str> {
        let mut text = self.node.to_lowercase();
        for alias in &self.aliases {
            for part in [
                &alias.field,
                &alias.endpoint_url,
                &alias.application_uri,
                &alias.device,
                &alias.writer_group,
                &alias.writer,
            ] {
                let part = part.to_lowercase();
                if !text.contains(&part) {
                    text.push('\n');
                    text.push_str(&part);
                }
            }
        }
        text.into()
    }

    fn memory(&self) -> usize {
        let texts = |alias: &Alias| {
            [
                &alias.endpoint_url,
                &alias.application_uri,
                &alias.device,
                &alias.writer_group,
                &alias.writer,
                &alias.field,
            ]
            .map(String::len)
            .iter()
            .sum::<usize>()
        };
        let aliases: usize = self.aliases.iter().map(|alias| size_of::<Alias>() + texts(alias)).sum();
        size_of::<Self>() + self.node.len() * 2 + self.unit.len() + self.text.len() + aliases
    }

    pub(crate) fn matches(&self, words: &[String]) -> bool {
        words.iter().all(|word| self.text.contains(word.as_str()))
    }

    pub(crate) fn current(&self) -> Option<&Alias> {
        self.aliases.last()
    }

    /// Whether an announcement is of this very series, or could be: see [`SeriesDictionary::plan`].
    fn kinship(&self, endpoint_url: &str, application_uri: &str) -> Kinship {
        let same_uri =
            |alias: &Alias| !application_uri.is_empty() && alias.application_uri == application_uri;
        let at_url = || self.aliases.iter().filter(|alias| alias.endpoint_url == endpoint_url);
        let uri_known = at_url().any(|alias| !alias.application_uri.is_empty());
        if at_url().next().is_some() {
            if application_uri.is_empty() || !uri_known || at_url().any(same_uri) {
                return Kinship::Same;
            }
            return Kinship::Successor;
        }
        if self.aliases.iter().any(same_uri) { Kinship::Successor } else { Kinship::None }
    }

    fn learn(&mut self, alias: Alias, unit: &str) -> bool {
        let mut changed = false;
        if self.aliases.last() != Some(&alias) {
            self.aliases.retain(|known| *known != alias);
            self.aliases.push(alias);
            if self.aliases.len() > ALIASES_MAX {
                self.aliases.remove(1);
            }
            changed = true;
        }
        if self.unit != unit {
            unit.clone_into(&mut self.unit);
            changed = true;
        }
        if changed {
            self.text = self.search_text();
        }
        changed
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kinship {
    /// Same endpoint URL, and nothing says that another server answers there.
    Same,
    /// The server moved to another URL or was given another name, if nobody publishes the old one any more.
    Successor,
    None,
}

/// What registering a description changes.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The series of each field.
    pub(crate) ids: Vec<u64>,
    changed: BTreeMap<u64, SeriesEntry>,
}

impl Plan {
    /// The documents to write before the ids may be used.
    pub(crate) fn writes(&self) -> Result<Vec<Write>> {
        let write = |entry: &SeriesEntry| {
            let value = serde_json::to_value(SeriesDocument::from(entry))
                .map_err(|error| HistorianError::Invalid(format!("series {}: {error}", entry.id)))?;
            Ok(Write::Put { collection: COLLECTION, key: key(entry.id), value, expect: Expect::Any })
        };
        self.changed.values().map(write).collect()
    }
}

fn key(id: u64) -> String {
    format!("{id:020}")
}

/// All series.
#[derive(Debug, Default)]
pub(crate) struct SeriesDictionary {
    entries: BTreeMap<u64, SeriesEntry>,
    by_node: HashMap<Arc<str>, Vec<u64>>,
    /// Grows with each change.
    revision: u64,
    /// Memory of the entries.
    bytes: usize,
}

impl SeriesDictionary {
    pub(crate) fn load(docs: &dyn DocStore) -> Result<Self> {
        let mut dictionary = Self::default();
        let mut after: Option<String> = None;
        loop {
            let page = docs.list(COLLECTION, "", after.as_deref(), LOAD_PAGE)?;
            after = page.last().map(|document| document.key.clone());
            if page.is_empty() {
                return Ok(dictionary);
            }
            for document in page {
                let read = serde_json::from_value::<SeriesDocument>(document.value);
                let entry = read.map_err(|error| {
                    HistorianError::Invalid(format!(
                        "the document series/{} cannot be read: {error}",
                        document.key
                    ))
                })?;
                dictionary.insert(entry.into());
            }
        }
    }

    fn insert(&mut self, entry: SeriesEntry) {
        self.bytes += entry.memory();
        let ids = self.by_node.entry(Arc::clone(&entry.node)).or_default();
        if let Err(at) = ids.binary_search(&entry.id) {
            ids.insert(at, entry.id);
        }
        if let Some(old) = self.entries.insert(entry.id, entry) {
            self.bytes = self.bytes.saturating_sub(old.memory());
        }
    }

    pub(crate) fn entry(&self, id: u64) -> Option<&SeriesEntry> {
        self.entries.get(&id)
    }

    /// Memory of the entries, roughly.
    pub(crate) const fn memory(&self) -> usize {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// One more than the largest id.
    pub(crate) fn end(&self) -> u64 {
        self.entries.last_key_value().map_or(0, |(id, _)| id + 1)
    }

    pub(crate) const fn revision(&self) -> u64 {
        self.revision
    }

    /// Series after an id, ascending.
    pub(crate) fn after(&self, id: u64) -> impl Iterator<Item = &SeriesEntry> {
        self.entries.range(id.saturating_add(1)..).map(|(_, entry)| entry)
    }

    /// Series with ids in a range, at most `limit`.
    pub(crate) fn ids_between(&self, first: u64, last: u64, limit: usize) -> Vec<u64> {
        self.entries.range(first..=last.max(first)).map(|(id, _)| *id).take(limit).collect()
    }

    /// Finds or allots the series of all fields of a description.
    ///
    /// A node at the same endpoint URL is the same series, unless both say different application URIs. A node
    /// of the same application URI at another URL, or at the same URL with another application URI, goes on
    /// as the same series only when `live` says that no other writer publishes that series now: two machines
    /// with the same application URI (cloned images) or the same private address (two networks) stay apart,
    /// because mixed histories can never be separated again, while a split one still is whole in two parts.
    pub(crate) fn plan(&self, device: &str, metadata: &DataSetMetaData, live: &dyn Fn(u64) -> bool) -> Plan {
        let mut plan = Plan::default();
        let mut next = self.entries.last_key_value().map_or(1, |(id, _)| id + 1);
        let mut fresh: HashMap<(Arc<str>, u32), u64> = HashMap::new();
        for field in &metadata.fields {
            let node: Arc<str> = node_text(field, metadata).into();
            let alias = alias(device, field, metadata);
            let known = fresh.get(&(Arc::clone(&node), field.attribute_id)).copied();
            let id = known.or_else(|| self.find(&node, field.attribute_id, &alias, live));
            let id = id.unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            fresh.insert((Arc::clone(&node), field.attribute_id), id);
            plan.ids.push(id);
            let before = plan.changed.get(&id).or_else(|| self.entries.get(&id)).cloned();
            let is_new = before.is_none();
            let mut entry = before.unwrap_or_else(|| {
                SeriesEntry::new(id, node, field.attribute_id, field.unit.clone(), vec![])
            });
            if entry.learn(alias, &field.unit) || is_new {
                plan.changed.insert(id, entry);
            }
        }
        plan
    }

    fn find(&self, node: &str, attribute: u32, alias: &Alias, live: &dyn Fn(u64) -> bool) -> Option<u64> {
        let entries = || {
            let ids = self.by_node.get(node).map_or(&[][..], Vec::as_slice);
            ids.iter().filter_map(|id| self.entries.get(id)).filter(|entry| entry.attribute == attribute)
        };
        let kin = |entry: &SeriesEntry| entry.kinship(&alias.endpoint_url, &alias.application_uri);
        let same = || entries().filter(|entry| kin(entry) == Kinship::Same);
        // Where networks share an address, the device that told of a series first is the better guess.
        let of_device = |entry: &&SeriesEntry| entry.aliases.iter().any(|known| known.device == alias.device);
        let best = same().find(of_device).or_else(|| same().next());
        let successor = || entries().find(|entry| kin(entry) == Kinship::Successor && !live(entry.id));
        best.or_else(successor).map(|entry| entry.id)
    }

    /// Takes over what was written.
    pub(crate) fn commit(&mut self, plan: Plan) -> Vec<u64> {
        self.revision += u64::from(!plan.changed.is_empty());
        for entry in plan.changed.into_values() {
            self.insert(entry);
        }
        plan.ids
    }
}

fn node_text(field: &FieldMetaData, metadata: &DataSetMetaData) -> String {
    let text = field.node_id.to_string();
    if text == "i=0" {
        return format!("field:{}/{}/{}", metadata.writer_group_name, metadata.writer_name, field.name);
    }
    text
}

fn alias(device: &str, field: &FieldMetaData, metadata: &DataSetMetaData) -> Alias {
    let endpoint_url = match metadata.source.endpoint_url.as_str() {
        "" => format!("device:{device}"),
        url => url.to_owned(),
    };
    Alias {
        endpoint_url,
        application_uri: metadata.source.application_uri.clone(),
        device: device.to_owned(),
        writer_group: metadata.writer_group_name.clone(),
        writer: metadata.writer_name.clone(),
        field: field.name.clone(),
    }
}

#[cfg(test)]
mod tests;
