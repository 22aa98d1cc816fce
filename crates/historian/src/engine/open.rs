//! Opening the store.

use super::{Counters, Engine, Flushed, State};
use crate::descriptions::Descriptions;
use crate::error::{HistorianError, Result};
use crate::file::{FileSet, SampleFile};
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
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

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
        let opened = ManifestStore::open(Arc::clone(&disk), &root)?;
        let store = opened.store;
        let problems = Problems::default();
        let report = |error: &HistorianError| {
            let code = error.code().0;
            problems.set(&*clock, code, &root.display().to_string(), error.to_string(), RESTORE, 3);
        };
        opened.damaged.iter().for_each(report);
        let mut last = store.read_last().unwrap_or_else(|error| {
            report(&error);
            Vec::new()
        });
        let ledger = store.read_gaps().or_else(|error| match error {
            HistorianError::NewerFormat { .. } => Err(error),
            other => {
                report(&other);
                Ok(crate::ledger::Ledger::default())
            }
        })?;
        let pending = store.read_pending().or_else(|error| match error {
            HistorianError::NewerFormat { .. } => Err(error),
            other => {
                report(&other);
                Ok(crate::pending::Pending::default())
            }
        })?;
        let dirty_since = match &opened.recovered {
            None => {
                store.remove_orphans();
                None
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
        let mut files = FileSet::default();
        for entry in &store.current.files {
            files.insert(Arc::new(SampleFile::new(Arc::clone(&disk), &root, entry.clone())));
        }
        let (ledger, pending) = (Arc::new(ledger), Arc::new(pending));
        let state = State {
            files: Arc::new(files),
            last: Arc::new(by_id(last)),
            producers: Arc::new(Producers::from_entries(store.current.producers.clone())),
            ledger: Arc::clone(&ledger),
            pending: Arc::clone(&pending),
            series: SeriesDictionary::load(&*docs)?,
            descriptions: Arc::new(Descriptions::load(&*docs)?),
            consumed: store.current.covered.clone(),
            heard: store.current.heard.clone(),
            dirty_since,
            resync: opened.recovered.is_some(),
            ..State::default()
        };
        Ok(Self {
            disk,
            root,
            options,
            clock,
            docs,
            state: Mutex::new(state),
            flushed: Mutex::new(Flushed { store, ledger, pending, series: 0, written: None }),
            compacting: Mutex::new(()),
            version: AtomicU64::new(0),
            problems,
            counters: Counters::default(),
        })
    }
}

fn by_id(rows: Vec<Row>) -> Vec<Option<Row>> {
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
