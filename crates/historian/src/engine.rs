//! The store itself: state under one lock, without tasks or a runtime.

mod account;
mod compact;
mod damage;
mod flush;
mod gaps;
mod ingest;
pub(crate) mod memory;
mod open;
mod sender;

use crate::day::Day;
use crate::descriptions::Descriptions;
use crate::error::Result;
use crate::file::read::Wanted;
use crate::file::{FileEntry, FileSet};
use crate::ledger::{Ledger, LedgerSnapshot};
use crate::manifest::ManifestStore;
use crate::memtable::Memtable;
use crate::options::HistorianOptions;
use crate::pending::Pending;
use crate::problems::Problems;
use crate::producers::Producers;
use crate::row::Row;
use crate::series::SeriesDictionary;
use gemba_api::DocStore;
use gemba_base::disk::Disk;
use gemba_base::{Clock, Counter};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Frozen tables that may wait for the disk; then ingest waits too.
const FROZEN_MAX: usize = 2;

/// What a flush writes, as of one instant.
#[derive(Debug)]
pub(crate) struct Frozen {
    pub(crate) memtable: Memtable,
    covered: BTreeMap<u32, u64>,
    heard: BTreeMap<u32, i64>,
    last: Arc<Vec<Option<Row>>>,
    producers: Arc<Producers>,
    ledger: LedgerSnapshot,
    pending: Arc<Pending>,
    descriptions: Arc<Descriptions>,
}

/// All that changes. What a flush must see as of the freeze is shared with it, and copied on the first write
/// after it.
#[derive(Debug, Default)]
pub(crate) struct State {
    active: Memtable,
    frozen: VecDeque<Arc<Frozen>>,
    files: Arc<FileSet>,
    /// The newest sample of each series as of the last freeze, by id; the active table has newer ones.
    last: Arc<Vec<Option<Row>>>,
    /// Bytes of texts and binaries in it.
    last_bytes: usize,
    /// Version at the last sample of each series as of the last freeze, by id.
    changed: Vec<u64>,
    version: u64,
    producers: Arc<Producers>,
    ledger: Ledger,
    pending: Arc<Pending>,
    pub(crate) series: SeriesDictionary,
    descriptions: Arc<Descriptions>,
    /// By partition: the first offset not taken in yet.
    consumed: BTreeMap<u32, u64>,
    /// By partition: when the hub took the last message taken in, in ticks.
    heard: BTreeMap<u32, i64>,
    /// When the first thing after the last freeze came.
    dirty_since: Option<Duration>,
    /// The manifest was lost: numbers of producers unknown to it begin anywhere.
    resync: bool,
    /// Files, or row groups of them, that cannot be read.
    damaged: HashSet<(String, Option<usize>)>,
}

/// Counters of this process.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) messages_in: Counter,
    pub(crate) messages_taken: Counter,
    pub(crate) values_in: Counter,
    pub(crate) values_stored: Counter,
    pub(crate) values_lost: Counter,
    pub(crate) foreign_messages: Counter,
    pub(crate) bytes_written: Counter,
}

/// The flush side: manifest and what its snapshot files hold.
#[derive(Debug)]
struct Flushed {
    store: ManifestStore,
    /// Revision of the ledger as of its file; `None` when that is lost.
    ledger: Option<u64>,
    pending: Arc<Pending>,
    /// The file of newest samples cannot be read.
    last_is_lost: bool,
    /// Revision of the series dictionary as of its file.
    series: u64,
    /// Files of a table that are complete, though the manifest that names them is not: kept for the next try.
    written: Option<(u64, Vec<FileEntry>)>,
}

/// The store.
pub(crate) struct Engine {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    pub(crate) options: HistorianOptions,
    pub(crate) clock: Arc<dyn Clock>,
    docs: Arc<dyn DocStore>,
    state: Mutex<State>,
    /// Taken before `state` where both are.
    flushed: Mutex<Flushed>,
    /// Held by whoever compacts, so that one day is compacted once.
    compacting: Mutex<()>,
    version: AtomicU64,
    pub(crate) problems: Problems,
    pub(crate) counters: Counters,
}

/// What a read sees: everything taken in until now, once.
pub(crate) struct Snapshot {
    pub(crate) files: Arc<FileSet>,
    /// Sorted rows of the wanted series that are in memory, oldest table first.
    pub(crate) memory: Vec<Vec<Row>>,
}

impl Engine {
    /// Rows of a series in a range, and the files to look into for more.
    pub(crate) fn snapshot(&self, wanted: Wanted) -> Snapshot {
        let Wanted { series, range } = wanted;
        let (files, frozen, active) = {
            let state = self.state.lock();
            let frozen: Vec<Arc<Frozen>> = state.frozen.iter().cloned().collect();
            (Arc::clone(&state.files), frozen, state.active.range(series, range))
        };
        let mut memory: Vec<Vec<Row>> =
            frozen.iter().map(|frozen| frozen.memtable.range(series, range)).collect();
        memory.push(active);
        memory.retain(|rows| !rows.is_empty());
        Snapshot { files, memory }
    }

    /// Runs `read` with the state; it must be short.
    pub(crate) fn with_state<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.lock())
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// By partition: the first offset that is in no file yet.
    pub(crate) fn covered(&self) -> BTreeMap<u32, u64> {
        self.flushed.lock().store.current.covered.clone()
    }

    /// Where to go on reading.
    pub(crate) fn next_offset(&self, partition: u32) -> u64 {
        self.with_state(|state| state.consumed.get(&partition).copied().unwrap_or(0))
    }

    /// Begins again at an offset, because the log is not the one that was read before.
    pub(crate) fn rewind(&self, partition: u32, offset: u64) {
        self.state.lock().consumed.insert(partition, offset);
    }

    /// Closes the footers that were used longest ago (in order of days) until the rest fits.
    pub(crate) fn limit_footers(&self, files: &FileSet, keep: Day) {
        let mut total: usize = files.iter().map(|file| file.footer_bytes()).sum();
        for file in files.iter().filter(|file| file.entry.day() != keep) {
            if total <= self.options.footer_bytes_max {
                return;
            }
            let bytes = file.footer_bytes();
            if bytes > 0 {
                file.close();
                total = total.saturating_sub(bytes);
            }
        }
    }

    /// Writes everything taken in so far.
    pub(crate) fn flush_all(&self) -> Result<()> {
        while !self.freeze() {
            self.flush_oldest()?;
        }
        self.flush_frozen()
    }

    /// Writes all frozen tables.
    pub(crate) fn flush_frozen(&self) -> Result<()> {
        while self.flush_oldest()? {}
        Ok(())
    }

    pub(crate) fn has_frozen(&self) -> bool {
        !self.state.lock().frozen.is_empty()
    }
}

impl State {
    /// The newest sample of a series.
    pub(crate) fn last(&self, series: u64) -> Option<Row> {
        let index = usize::try_from(series).ok()?;
        let frozen = self.last.get(index).and_then(Option::as_ref);
        match self.active.newest(series) {
            Some((row, _)) if frozen.is_none_or(|frozen| frozen.key() <= row.key()) => Some(row.to_row()),
            _ => frozen.cloned(),
        }
    }

    pub(crate) fn changed(&self, series: u64) -> u64 {
        if let Some((_, version)) = self.active.newest(series) {
            return version;
        }
        usize::try_from(series).ok().and_then(|index| self.changed.get(index)).copied().unwrap_or(0)
    }

    pub(crate) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn producers(&self) -> &Producers {
        &self.producers
    }

    pub(crate) fn pending(&self) -> &Pending {
        &self.pending
    }

    /// The first offset of a partition that was not taken in yet.
    pub(crate) fn consumed(&self, partition: u32) -> u64 {
        self.consumed.get(&partition).copied().unwrap_or(0)
    }

    /// When the hub took the last message of a partition that was taken in, in ticks.
    pub(crate) fn heard(&self, partition: u32) -> Option<i64> {
        self.heard.get(&partition).copied()
    }

    /// Source time (or what stands for it) of the newest sample of a series.
    fn last_time(&self, series: u64) -> Option<i64> {
        self.last(series).map(|row| row.source.unwrap_or(row.time))
    }
}

#[cfg(test)]
mod tests;
