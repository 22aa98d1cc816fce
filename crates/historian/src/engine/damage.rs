//! Damaged files: the rest stays readable, and the loss is named.

use super::Engine;
use crate::error::HistorianError;
use crate::file::SampleFile;
use crate::ledger::{Doubt, Gap, Told};
use crate::producers::ProducerKey;
use gemba_model::{GapReason, Hop};
use std::sync::Arc;

/// Series that a damaged part is entered for; beyond, the problem alone speaks of it.
const SERIES_MAX: usize = 10_000;

impl Engine {
    /// Notes that a file, or one row group of it, cannot be read. Called with no lock held.
    pub(crate) fn note_damage(&self, file: &Arc<SampleFile>, group: Option<usize>, error: &HistorianError) {
        let path = &file.entry.path;
        let remedy = "Restore the file from a backup; until then the gap ledger names the series and times";
        self.problems.set(&*self.clock, error.code().0, path, error.to_string(), remedy, 4);
        if !matches!(error, HistorianError::Damaged { .. }) {
            return;
        }
        let mut state = self.state.lock();
        if !state.damaged.insert((path.clone(), group)) {
            return;
        }
        let series = match (group, file.open()) {
            (Some(group), Ok(open)) => open.group_series(group),
            _ => file.entry.series,
        };
        let (from, to) = file.entry.time;
        let told = Told { at: self.clock.now().ticks(), partition: u32::MAX, offset: 0 };
        let ids = state.series.ids_between(series.0, series.1, SERIES_MAX);
        let known = state.ledger.series_with(from, to, GapReason::Corruption);
        let unknown: Vec<u64> = ids.into_iter().filter(|id| !known.contains(id)).collect();
        let ledger = &mut state.ledger;
        for id in unknown {
            let gap = Gap {
                from: Some(from),
                to: Some(to),
                reason: GapReason::Corruption,
                hop: Hop::Store,
                count: None,
                closed: true,
                doubt: Doubt::None,
            };
            ledger.add(id, told, gap, self.options.gaps_max);
        }
        state.dirty_since = state.dirty_since.or(Some(self.clock.monotonic()));
    }

    /// The messages that waited for their description cannot be read: their values are lost.
    pub(super) fn waiting_lost(&self) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let told = Told { at: self.clock.now().ticks(), partition: u32::MAX, offset: 0 };
        let waiting: Vec<(ProducerKey, u64)> = state
            .producers
            .iter()
            .filter(|(_, producer)| producer.pending > 0)
            .map(|(key, producer)| (key.clone(), producer.pending))
            .collect();
        for (key, values) in waiting {
            self.counters.values_lost.add(values);
            Arc::make_mut(&mut state.producers).of(&key).pending = 0;
            let ids = state.descriptions.series_of_producer(&key.device, &key.producer);
            // What waited for a description waits for nothing any more.
            state.ledger.settle(&ids, Doubt::Pending, true);
            self.producer_gap(state, &key, GapReason::Corruption, Hop::Store, Doubt::None, told);
        }
    }

    /// Whether something of a file is known to be unreadable.
    pub(super) fn is_damaged(&self, path: &str) -> bool {
        self.state.lock().damaged.iter().any(|(damaged, _)| damaged == path)
    }

    /// Opens every file once, so that damage is known before somebody looks for the data.
    pub(crate) fn verify_footers(&self) {
        let files = self.with_state(|state| Arc::clone(&state.files));
        for file in files.iter() {
            if let Err(error) = file.open() {
                self.note_damage(file, None, &error);
            }
            file.close();
        }
    }
}
