//! Opening the store.

use super::{Counters, Engine, Flushed, State};
use crate::descriptions::Descriptions;
use crate::error::{HistorianError, Result};
use crate::file::read::Detail;
use crate::file::{FORMAT_VERSION, FileSet, SampleFile};
use crate::manifest::ManifestStore;
use crate::options::HistorianOptions;
use crate::problems::Problems;
use crate::producers::Producers;
use crate::row::Row;
use crate::series::SeriesDictionary;
use gemba_api::DocStore;
use gemba_base::Clock;
use gemba_base::disk::Disk;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Rows that are read at most to find the newest ones.
const SEARCH_ROWS_MAX: usize = 16_000_000;
const RESTORE: &str = "Restore the file from a backup if there is one; everything else stays readable";

impl Engine {
    /// Opens the store in a folder, which is created if it is not there. `folder` is `<data>/hist`.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        docs: Arc<dyn DocStore>,
        options: HistorianOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let root = folder.join("v1");
        refuse_newer(&*disk, folder)?;
        let opened = ManifestStore::open(Arc::clone(&disk), &root)?;
        let store = opened.store;
        let problems = Problems::default();
        let report = |error: &HistorianError| {
            let code = error.code().0;
            problems.set(&*clock, code, &root.display().to_string(), error.to_string(), RESTORE, 3);
        };
        opened.damaged.iter().for_each(report);
        let last = readable(store.read_last(), report)?;
        let ledger = readable(store.read_gaps(), report)?;
        let pending = readable(store.read_pending(), report)?;
        let (last_is_lost, ledger_is_lost, pending_is_lost) =
            (last.is_none(), ledger.is_none(), pending.is_none());
        let is_damaged = last_is_lost || ledger_is_lost || pending_is_lost;
        let ledger = ledger.or_else(|| store.read_older_gaps()).unwrap_or_default();
        let pending = pending.unwrap_or_default();
        let mut files = FileSet::default();
        for entry in &store.current.files {
            files.insert(Arc::new(SampleFile::new(Arc::clone(&disk), &root, entry.clone())));
        }
        let series = SeriesDictionary::load(&*docs)?;
        let mut last = last.unwrap_or_else(|| newest_rows(&files, &series));
        let dirty_since = match &opened.recovered {
            None => {
                store.remove_orphans();
                // What could not be read is written anew soon.
                is_damaged.then(|| clock.monotonic())
            }
            Some(found) => {
                let text = format!(
                    "The newest manifest in {} cannot be read; {} sample files that no manifest names were \
                     taken over, and counts of producers may be too low",
                    root.display(),
                    found.files
                );
                let remedy = "Nothing needs to be done; look at the volume's health";
                problems.set(&*clock, "GMB-HIS-003", &root.display().to_string(), text, remedy, 2);
                last.extend(found.last.values().cloned());
                // A new manifest is written soon, so that this is not done again.
                Some(clock.monotonic())
            }
        };
        let (ledger, pending) = (Arc::new(ledger), Arc::new(pending));
        let last = by_id(last, series.end());
        let state = State {
            files: Arc::new(files),
            last: Arc::new(last),
            producers: Arc::new(Producers::from_entries(store.current.producers.clone())),
            ledger: Arc::clone(&ledger),
            pending: Arc::clone(&pending),
            series,
            descriptions: Arc::new(Descriptions::load(&*docs)?),
            consumed: store.current.covered.clone(),
            heard: store.current.heard.clone(),
            dirty_since,
            resync: opened.recovered.is_some(),
            ..State::default()
        };
        let engine = Self {
            disk,
            root,
            options,
            clock,
            docs,
            state: Mutex::new(state),
            flushed: Mutex::new(Flushed {
                store,
                // Whatever is not what the file holds is written with the next flush.
                ledger: if ledger_is_lost { Arc::default() } else { ledger },
                pending: if pending_is_lost { Arc::default() } else { pending },
                last_is_lost,
                series: 0,
                written: None,
            }),
            compacting: Mutex::new(()),
            version: AtomicU64::new(0),
            problems,
            counters: Counters::default(),
        };
        if pending_is_lost {
            engine.waiting_lost();
        }
        Ok(engine)
    }
}

/// A snapshot file's content, or nothing when it is damaged, which is reported.
fn readable<T>(read: Result<T>, report: impl Fn(&HistorianError)) -> Result<Option<T>> {
    match read {
        Ok(content) => Ok(Some(content)),
        Err(error @ HistorianError::NewerFormat { .. }) => Err(error),
        Err(error) => {
            report(&error);
            Ok(None)
        }
    }
}

/// A later version may keep its files in a folder of its own, beside those of this one.
fn refuse_newer(disk: &dyn Disk, folder: &Path) -> Result<()> {
    let version = |path: &std::path::PathBuf| -> Option<u64> {
        path.file_name()?.to_str()?.strip_prefix('v')?.parse().ok()
    };
    let found = disk.list(folder).unwrap_or_default().iter().filter_map(version).max();
    match found {
        Some(found) if found > FORMAT_VERSION => {
            Err(HistorianError::NewerFormat { path: folder.to_owned(), found, known: FORMAT_VERSION })
        }
        _ => Ok(()),
    }
}

/// The newest row of each series, from the files of the newest days until every series was found.
fn newest_rows(files: &FileSet, series: &SeriesDictionary) -> Vec<Row> {
    let mut newest: HashMap<u64, Row> = HashMap::new();
    let mut read = 0;
    for file in files.days().values().rev().flatten() {
        // What cannot be read is found, and entered, when files are verified.
        let Ok(open) = file.open() else { continue };
        for span in open.all_spans() {
            for row in open.load(&span, None, Detail::Full).unwrap_or_default() {
                read += 1;
                if newest.get(&row.series).is_none_or(|known| known.key() <= row.key()) {
                    newest.insert(row.series, row);
                }
            }
        }
        file.close();
        if newest.len() >= series.len() || read >= SEARCH_ROWS_MAX {
            break;
        }
    }
    newest.into_values().collect()
}

/// Rows by series, of which ids are below `end`.
fn by_id(rows: Vec<Row>, end: u64) -> Vec<Option<Row>> {
    let known = rows.into_iter().filter(|row| row.series < end);
    let rows: Vec<Row> = known.collect();
    let length = rows.iter().map(|row| row.series as usize + 1).max().unwrap_or(0);
    let mut table: Vec<Option<Row>> = Vec::new();
    table.resize_with(length, || None);
    for row in rows {
        if let Some(slot) = table.get_mut(row.series as usize)
            && slot.as_ref().is_none_or(|known| known.key() <= row.key())
        {
            *slot = Some(row);
        }
    }
    table
}
