//! What a store should hold, in the plainest form.

use gemba_api::StoredSample;
use gemba_model::binary::encode_variant;
use gemba_model::{DateTime, SampleBatch};
use std::collections::{BTreeMap, HashSet};

/// Samples by series name, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct Model {
    samples: BTreeMap<String, Vec<(u64, StoredSample)>>,
    seen: HashSet<String>,
    pub(super) messages: BTreeMap<String, u64>,
    pub(super) values: BTreeMap<String, u64>,
}

impl Model {
    /// A message at its offset; the second of the same id changes nothing.
    pub(super) fn take(
        &mut self,
        device: &str,
        id: &str,
        offset: u64,
        enqueued: DateTime,
        batch: Option<&SampleBatch>,
    ) {
        if !self.seen.insert(id.to_owned()) {
            return;
        }
        *self.messages.entry(device.to_owned()).or_default() += 1;
        let Some(batch) = batch else { return };
        let received = DateTime::from_unix_millis(enqueued.unix_millis());
        for sample in &batch.samples {
            let name = format!("nsu=urn:{device};s=w{}.f{}", batch.writer.writer, sample.field);
            *self.values.entry(device.to_owned()).or_default() += 1;
            let stored = StoredSample {
                source_timestamp: sample.source_timestamp,
                server_timestamp: sample.server_timestamp,
                source_picoseconds: sample.source_picoseconds,
                server_picoseconds: sample.server_picoseconds,
                received,
                value: batch.variant(sample.value).expect("a value"),
                status: sample.status,
            };
            self.samples.entry(name).or_default().push((offset, stored));
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.samples.keys()
    }

    /// What a read of everything shows.
    pub(super) fn expected(&self, name: &str) -> Vec<String> {
        let mut samples = self.samples.get(name).cloned().unwrap_or_default();
        samples.sort_by_key(|(offset, sample)| (sample.time(), *offset));
        let mut seen = HashSet::new();
        let shown = samples.iter().filter(|(_, sample)| {
            let has_time = sample.source_timestamp.is_some() || sample.server_timestamp.is_some();
            seen.insert(identity(sample)) || !has_time
        });
        shown.map(|(_, sample)| text(sample)).collect()
    }
}

fn identity(sample: &StoredSample) -> String {
    let mut value = Vec::new();
    encode_variant(&sample.value, &mut value);
    format!(
        "{:?}+{} {:?}+{} {:08x} {value:02x?}",
        sample.source_timestamp,
        sample.source_picoseconds,
        sample.server_timestamp,
        sample.server_picoseconds,
        sample.status.0,
    )
}

/// All of a sample, bit for bit.
pub(super) fn text(sample: &StoredSample) -> String {
    format!("{} @{:?}", identity(sample), sample.received)
}
