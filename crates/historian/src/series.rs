//! The series dictionary: a surrogate id for each value of each node, for ever.

mod document;
mod entry;
pub(crate) mod export;

use crate::error::{HistorianError, Result};
use document::SeriesDocument;
use entry::Kinship;
pub(crate) use entry::{Alias, SeriesEntry, Way, Words};
use gemba_api::docs::Expect;
use gemba_api::{DocStore, Write};
use gemba_model::{DataSetMetaData, FieldMetaData};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Collection of the dictionary in the document store.
pub(crate) const COLLECTION: &str = "series";
/// Documents read at a time.
const LOAD_PAGE: usize = 1_000;
/// Room for this part of the series is kept for more.
const SPARE: usize = 16;

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

/// All series. A plant has hundreds of thousands of them, so that each takes as little as it can.
#[derive(Debug, Default)]
pub(crate) struct SeriesDictionary {
    /// By id, ascending.
    entries: Vec<SeriesEntry>,
    by_node: HashMap<Arc<str>, u64>,
    /// Further series of nodes that have several.
    namesakes: HashMap<Arc<str>, Vec<u64>>,
    /// Grows with each change.
    revision: u64,
    /// Memory of the entries.
    bytes: usize,
}

impl SeriesDictionary {
    pub(crate) fn load(docs: &dyn DocStore) -> Result<Self> {
        let mut dictionary = Self::default();
        let mut ways = HashSet::new();
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
                dictionary.insert(entry.into_entry(&mut ways));
            }
        }
    }

    /// Where the series with an id is, or belongs. Ids have no gaps, unless documents were lost.
    fn position(&self, id: u64) -> std::result::Result<usize, usize> {
        let first = self.entries.first().map_or(0, |first| first.id);
        let near = usize::try_from(id.wrapping_sub(first)).unwrap_or(usize::MAX);
        if self.entries.get(near).is_some_and(|entry| entry.id == id) {
            return Ok(near);
        }
        self.entries.binary_search_by_key(&id, |entry| entry.id)
    }

    fn insert(&mut self, entry: SeriesEntry) {
        self.bytes += entry.memory();
        match self.position(entry.id) {
            Ok(at) => {
                if let Some(known) = self.entries.get_mut(at) {
                    self.bytes = self.bytes.saturating_sub(known.memory());
                    *known = entry;
                }
            }
            Err(at) => {
                self.note_node(&entry);
                if self.entries.len() == self.entries.capacity() {
                    // Doubling would leave half of it unused.
                    self.entries.reserve_exact(self.entries.len() / SPARE + LOAD_PAGE);
                }
                self.entries.insert(at, entry);
            }
        }
    }

    fn note_node(&mut self, entry: &SeriesEntry) {
        match self.by_node.entry(Arc::clone(&entry.node)) {
            std::collections::hash_map::Entry::Vacant(free) => drop(free.insert(entry.id)),
            std::collections::hash_map::Entry::Occupied(first) => {
                let more = self.namesakes.entry(Arc::clone(first.key())).or_default();
                more.push(entry.id);
                more.sort_unstable();
            }
        }
    }

    /// Series of a node, whatever the attribute.
    fn of_node(&self, node: &str) -> impl Iterator<Item = &SeriesEntry> {
        let more = self.namesakes.get(node).into_iter().flatten();
        self.by_node.get(node).into_iter().chain(more).filter_map(|id| self.entry(*id))
    }

    pub(crate) fn entry(&self, id: u64) -> Option<&SeriesEntry> {
        self.entries.get(self.position(id).ok()?)
    }

    /// Memory of the entries, roughly.
    pub(crate) const fn memory(&self) -> usize {
        self.bytes
    }

    pub(crate) const fn len(&self) -> usize {
        self.entries.len()
    }

    /// One more than the largest id.
    pub(crate) fn end(&self) -> u64 {
        self.entries.last().map_or(0, |last| last.id + 1)
    }

    pub(crate) const fn revision(&self) -> u64 {
        self.revision
    }

    /// Series after an id, ascending.
    pub(crate) fn after(&self, id: u64) -> impl Iterator<Item = &SeriesEntry> {
        let at = self.position(id.saturating_add(1)).unwrap_or_else(|at| at);
        self.entries.get(at..).unwrap_or_default().iter()
    }

    /// Series with ids in a range, at most `limit`.
    pub(crate) fn ids_between(&self, first: u64, last: u64, limit: usize) -> Vec<u64> {
        let at = self.position(first).unwrap_or_else(|at| at);
        let ids = self.entries.get(at..).unwrap_or_default().iter().map(|entry| entry.id);
        ids.take_while(|id| *id <= last.max(first)).take(limit).collect()
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
        let mut next = self.end().max(1);
        let way = Arc::new(Way::of(device, metadata));
        let mut fresh: HashMap<(Arc<str>, u32), u64> = HashMap::new();
        for field in &metadata.fields {
            let node: Arc<str> = node_text(field, metadata).into();
            let alias = Alias { way: Arc::clone(&way), field: field.name.as_str().into() };
            let known = fresh.get(&(Arc::clone(&node), field.attribute_id)).copied();
            let id = known.or_else(|| self.find(&node, field.attribute_id, &alias, live));
            let id = id.unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            fresh.insert((Arc::clone(&node), field.attribute_id), id);
            plan.ids.push(id);
            let before = plan.changed.get(&id).or_else(|| self.entry(id)).cloned();
            let is_new = before.is_none();
            let mut entry = before.unwrap_or_else(|| SeriesEntry {
                id,
                node,
                attribute: field.attribute_id,
                unit: field.unit.as_str().into(),
                aliases: Vec::new(),
            });
            if entry.learn(alias, &field.unit) || is_new {
                plan.changed.insert(id, entry);
            }
        }
        plan
    }

    fn find(&self, node: &str, attribute: u32, alias: &Alias, live: &dyn Fn(u64) -> bool) -> Option<u64> {
        let entries = || self.of_node(node).filter(|entry| entry.attribute == attribute);
        let kin = |entry: &SeriesEntry| entry.kinship(&alias.way.endpoint_url, &alias.way.application_uri);
        let same = || entries().filter(|entry| kin(entry) == Kinship::Same);
        // Where networks share an address, the device that told of a series first is the better guess.
        let of_device =
            |entry: &&SeriesEntry| entry.aliases.iter().any(|known| known.way.device == alias.way.device);
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

#[cfg(test)]
mod tests;
