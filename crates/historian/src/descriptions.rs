//! Descriptions of data sets by device, writer and version, with the series of their fields.

mod document;
mod slim;

use crate::error::{HistorianError, Result};
use document::DescriptionDocument;
use gemba_api::docs::Expect;
use gemba_api::{DocStore, Write};
use gemba_model::{ConfigurationVersion, DataSetMetaData, WriterKey};
use slim::{Fingerprint, fingerprint};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Collection of descriptions in the document store.
pub(crate) const COLLECTION: &str = "descriptions";
/// Documents read at a time; each may be megabytes.
const LOAD_PAGE: usize = 4;
/// Versions kept of each writer, at least: messages that come late were written by older ones.
const VERSIONS_KEPT: usize = 8;

/// A description and where its values go.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Description {
    /// Without nodes and units, once it is among the others.
    pub(crate) metadata: DataSetMetaData,
    /// Of all that was announced.
    fingerprint: Fingerprint,
    /// The series of each field.
    pub(crate) ids: Vec<u64>,
    pub(crate) producer: String,
    /// Grows with each announcement; the largest of a writer is the current one.
    pub(crate) revision: u64,
}

/// All descriptions. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Descriptions {
    /// By device, then by writer; newest last.
    devices: BTreeMap<String, BTreeMap<WriterKey, Vec<Arc<Description>>>>,
    revision: u64,
    /// The revision that each writer announced last, of what was read from the log since the start. After a restart
    /// some of it is read again, and newer ones are known already.
    announced: BTreeMap<(String, WriterKey), u64>,
}

/// A description that is not needed any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Obsolete {
    device: String,
    writer: WriterKey,
    version: ConfigurationVersion,
}

impl Obsolete {
    /// Deletes it from the store.
    pub(crate) fn write(&self) -> Write {
        let key = key(&self.device, self.writer, self.version);
        Write::Delete { collection: COLLECTION, key, expect: Expect::Any }
    }
}

/// The descriptions of one device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeviceDescriptions<'a> {
    writers: Option<&'a BTreeMap<WriterKey, Vec<Arc<Description>>>>,
}

impl<'a> DeviceDescriptions<'a> {
    /// The description for a message: the same major version and at least the minor one, since fields are
    /// only added at the end within a major version; without a version the newest.
    pub(crate) fn lookup(
        &self,
        group: Option<u16>,
        group_name: Option<&str>,
        writer: u16,
        version: Option<(u32, u32)>,
    ) -> Option<&'a Arc<Description>> {
        if let (Some(group @ 1..), None, Some((major, minor))) = (group, group_name, version) {
            // The common case: everything is said, and the newest description is meant.
            let newest = self.writers?.get(&WriterKey { group, writer })?.last()?;
            let version = newest.metadata.version;
            if (version.major, version.minor) == (major, minor) {
                return Some(newest);
            }
        }
        let named = |key: &WriterKey| {
            key.writer == writer && group.is_none_or(|group| group == key.group || group == 0)
        };
        let candidates = self.writers?.iter().filter(|(key, _)| named(key)).flat_map(|(_, all)| all);
        let candidates =
            candidates.filter(|known| group_name.is_none_or(|name| known.metadata.writer_group_name == name));
        match version {
            None | Some((0, 0)) => candidates.max_by_key(|known| known.revision),
            Some((major, minor)) => candidates
                .filter(|known| known.metadata.version.major == major)
                .filter(|known| known.metadata.version.minor >= minor)
                .min_by_key(|known| (known.metadata.version.minor, u64::MAX - known.revision)),
        }
    }

    /// The description of a batch.
    pub(crate) fn of_batch(
        &self,
        writer: WriterKey,
        version: ConfigurationVersion,
    ) -> Option<&'a Arc<Description>> {
        self.lookup(Some(writer.group), None, writer.writer, Some((version.major, version.minor)))
    }
}

impl Descriptions {
    pub(crate) fn load(docs: &dyn DocStore) -> Result<Self> {
        let mut all: Vec<(String, Description)> = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = docs.list(COLLECTION, "", after.as_deref(), LOAD_PAGE)?;
            after = page.last().map(|document| document.key.clone());
            if page.is_empty() {
                break;
            }
            for document in page {
                let read = serde_json::from_value::<DescriptionDocument>(document.value);
                let read: DescriptionDocument = read.map_err(|error| {
                    HistorianError::Invalid(format!(
                        "the document {COLLECTION}/{} cannot be read: {error}",
                        document.key
                    ))
                })?;
                let (device, description) = read.into();
                all.push((device, description.slim()));
            }
        }
        all.sort_by_key(|(_, description)| description.revision);
        let mut descriptions = Self::default();
        for (device, description) in all {
            descriptions.commit(&device, Arc::new(description));
        }
        Ok(descriptions)
    }

    pub(crate) fn device(&self, device: &str) -> DeviceDescriptions<'_> {
        DeviceDescriptions { writers: self.devices.get(device) }
    }

    /// The description with exactly this content, if it was announced before.
    pub(crate) fn known(&self, device: &str, metadata: &DataSetMetaData) -> Option<&Arc<Description>> {
        let all = self.devices.get(device)?.get(&metadata.writer)?;
        let same = fingerprint(metadata);
        all.iter().find(|known| known.metadata.version == metadata.version && known.fingerprint == same)
    }

    /// Series that some writer other than this one publishes now.
    pub(crate) fn published_by_others(&self, device: &str, metadata: &DataSetMetaData) -> HashSet<u64> {
        let mut ids = HashSet::new();
        for (name, writers) in &self.devices {
            for (key, all) in writers {
                let Some(current) = all.last() else { continue };
                let same_names = !metadata.writer_name.is_empty()
                    && current.metadata.writer_name == metadata.writer_name
                    && current.metadata.writer_group_name == metadata.writer_group_name;
                if name != device || (*key != metadata.writer && !same_names) {
                    ids.extend(&current.ids);
                }
            }
        }
        ids
    }

    /// The write that makes a description durable, and the description to commit after it.
    pub(crate) fn plan(
        &self,
        device: &str,
        producer: &str,
        metadata: DataSetMetaData,
        ids: Vec<u64>,
    ) -> Result<(Arc<Description>, Write)> {
        let description = Description {
            fingerprint: fingerprint(&metadata),
            metadata,
            ids,
            producer: producer.to_owned(),
            revision: self.revision + 1,
        };
        let value = serde_json::to_value(DescriptionDocument::new(device, &description))
            .map_err(|error| HistorianError::Invalid(format!("a description of {device}: {error}")))?;
        let key = key(device, description.metadata.writer, description.metadata.version);
        let write = Write::Put { collection: COLLECTION, key, value, expect: Expect::Any };
        Ok((Arc::new(description.slim()), write))
    }

    /// Takes over what was written.
    pub(crate) fn commit(&mut self, device: &str, description: Arc<Description>) {
        self.revision = self.revision.max(description.revision);
        let writers = self.devices.entry(device.to_owned()).or_default();
        let all = writers.entry(description.metadata.writer).or_default();
        all.retain(|known| known.metadata.version != description.metadata.version);
        all.push(description);
    }

    /// Whether a writer's last announcement was another one than this.
    pub(crate) fn is_news(&self, device: &str, description: &Description) -> bool {
        let key = (device.to_owned(), description.metadata.writer);
        self.announced.get(&key) != Some(&description.revision)
    }

    /// The log has an announcement here: data behind it is described by it.
    pub(crate) fn announce(&mut self, device: &str, description: &Description) {
        self.announced.insert((device.to_owned(), description.metadata.writer), description.revision);
    }

    /// What no message needs that stands in the log behind the place where these descriptions were all.
    pub(crate) fn obsolete(&self) -> Vec<Obsolete> {
        let mut found = Vec::new();
        for ((device, writer), revision) in &self.announced {
            let all = self.devices.get(device).and_then(|writers| writers.get(writer));
            let all = all.map_or(&[][..], Vec::as_slice);
            let before: Vec<&Arc<Description>> =
                all.iter().filter(|known| known.revision <= *revision).collect();
            let excess = before.len().saturating_sub(VERSIONS_KEPT);
            // Old ones may be told late, after those that are in use: both the last told and the highest are kept.
            let mut versions: Vec<ConfigurationVersion> =
                before.iter().map(|known| known.metadata.version).collect();
            versions.sort_unstable();
            let lowest = versions.get(..excess).unwrap_or_default();
            let is_low = |version: &ConfigurationVersion| lowest.binary_search(version).is_ok();
            let told_first = before.iter().take(excess).map(|known| known.metadata.version);
            found.extend(told_first.filter(is_low).map(|version| Obsolete {
                device: device.clone(),
                writer: *writer,
                version,
            }));
        }
        found
    }

    /// They were deleted from the store.
    pub(crate) fn forget(&mut self, obsolete: &[Obsolete]) {
        for Obsolete { device, writer, version } in obsolete {
            let all = self.devices.get_mut(device).and_then(|writers| writers.get_mut(writer));
            if let Some(all) = all {
                all.retain(|known| known.metadata.version != *version);
            }
        }
    }

    /// Series of all writers of a producer, as described last; each once.
    pub(crate) fn series_of_producer(&self, device: &str, producer: &str) -> Vec<u64> {
        let writers = self.devices.get(device).into_iter().flat_map(BTreeMap::values);
        let current = writers.filter_map(|all| all.last()).filter(|known| known.producer == producer);
        distinct(current.flat_map(|known| known.ids.iter().copied()))
    }

    /// The current description of a writer.
    pub(crate) fn current(&self, device: &str, writer: WriterKey) -> Option<&Arc<Description>> {
        self.devices.get(device)?.get(&writer)?.last()
    }

    /// Series of the writers with this id in any group of a device, as described last.
    pub(crate) fn series_of_writer_id(&self, device: &str, writer: u16) -> Vec<u64> {
        let writers = self.devices.get(device).into_iter().flatten();
        let named = writers.filter(|(key, _)| key.writer == writer).filter_map(|(_, all)| all.last());
        distinct(named.flat_map(|known| known.ids.iter().copied()))
    }
}

/// Each id once, ascending.
pub(crate) fn distinct(ids: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut ids: Vec<u64> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn key(device: &str, writer: WriterKey, version: ConfigurationVersion) -> String {
    format!("{device}/{}/{}/{}/{}", writer.group, writer.writer, version.major, version.minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(group: u16, writer: u16, major: u32, minor: u32) -> DataSetMetaData {
        DataSetMetaData {
            writer: WriterKey { group, writer },
            writer_group_name: format!("g{group}"),
            version: ConfigurationVersion { major, minor },
            ..DataSetMetaData::default()
        }
    }

    #[test]
    fn a_message_finds_the_description_that_it_was_written_by() {
        let mut all = Descriptions::default();
        for (at, metadata) in [
            description(1, 1, 5, 5),
            description(1, 1, 5, 9),
            description(1, 1, 7, 7),
            description(2, 1, 5, 5),
        ]
        .into_iter()
        .enumerate()
        {
            let (planned, _) = all.plan("d", "p", metadata, vec![at as u64]).expect("plans");
            all.commit("d", planned);
        }
        let device = all.device("d");
        let find = |group, name, version| {
            device.lookup(group, name, 1, version).map(|found| found.ids.clone()).unwrap_or_default()
        };
        assert_eq!(find(Some(1), None, Some((5, 5))), [0]);
        assert_eq!(find(Some(1), None, Some((5, 6))), [1]);
        assert!(find(Some(1), None, Some((6, 6))).is_empty());
        assert_eq!(find(Some(1), None, None), [2]);
        assert_eq!(find(None, Some("g2"), None), [3]);
        assert!(all.device("x").lookup(None, None, 1, None).is_none());
    }

    #[test]
    fn old_versions_are_forgotten_once_newer_ones_were_announced_since_the_start() {
        let mut all = Descriptions::default();
        for major in 1..=20 {
            let (planned, _) = all.plan("d", "p", description(1, 1, major, 0), vec![]).expect("plans");
            all.commit("d", planned);
        }
        assert_eq!(all.obsolete(), [], "the log may hold data of each of them");
        let announced = |all: &mut Descriptions, major| {
            let found = all.device("d").lookup(Some(1), None, 1, Some((major, 0))).cloned().expect("known");
            all.announce("d", &found);
            all.obsolete().iter().map(|one| one.version.major).collect::<Vec<_>>()
        };
        assert_eq!(announced(&mut all, 8), [0; 0]);
        assert_eq!(announced(&mut all, 10), [1, 2]);
        let obsolete = all.obsolete();
        all.forget(&obsolete);
        assert!(all.device("d").lookup(Some(1), None, 1, Some((2, 0))).is_none());
        assert!(all.device("d").lookup(Some(1), None, 1, Some((3, 0))).is_some());
        assert_eq!(announced(&mut all, 20), (3..=12).collect::<Vec<_>>());
        for major in [25, 13, 14, 15, 16, 17, 18, 19, 20] {
            let (planned, _) = all.plan("d", "p", description(1, 1, major, 0), vec![]).expect("plans");
            all.announce("d", &planned);
            all.commit("d", planned);
        }
        let obsolete = all.obsolete();
        all.forget(&obsolete);
        let newest = all.device("d").lookup(Some(1), None, 1, Some((25, 0)));
        assert!(newest.is_some(), "eight older ones that were told after it do not push it out");
    }
}
