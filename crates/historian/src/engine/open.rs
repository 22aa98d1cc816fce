//! Opening the store.

use super::{Counters, Engine, Flushed, State};
use crate::descriptions::Descriptions;
use crate::error::{HistorianError, Result};
use crate::file::read::Detail;
use crate::file::{FORMAT_VERSION, FileEntry, FileSet, SampleFile};
use crate::ledger::Ledger;
use crate::manifest::{Manifest, ManifestStore};
use crate::options::HistorianOptions;
use crate::pending::Pending;
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
        let snapshots = Snapshots::read(&store, report)?;
        let lost = snapshots.lost();
        // Before anything that is left over is deleted.
        let ledger = snapshots.ledger.or_else(|| store.read_older_gaps()).unwrap_or_default();
        let files = file_set(&disk, &root, &store.current.files);
        let series = SeriesDictionary::load(&*docs)?;
        let mut last = snapshots.last.unwrap_or_else(|| newest_rows(&files, &series));
        // What could not be read is written anew soon, and a new manifest, so that this is not done again.
        let is_dirty = match &opened.recovered {
            None => {
                store.remove_orphans();
                lost.any()
            }
            Some(found) => {
                report_recovery(&problems, &*clock, &root, found.files);
                last.extend(found.last.values().cloned());
                true
            }
        };
        let pending = Arc::new(snapshots.pending.unwrap_or_default());
        let last = by_id(last, series.end());
        let state = State {
            files: Arc::new(files),
            last_bytes: last.iter().flatten().map(|row| row.cell.bytes()).sum(),
            last: Arc::new(last),
            ledger,
            pending: Arc::clone(&pending),
            series,
            dirty_since: is_dirty.then(|| clock.monotonic()),
            resync: opened.recovered.is_some(),
            ..State::of(&store.current, &*docs)?
        };
        let flushed = lost.flushed(store, state.ledger.revision(), pending);
        let engine = Self {
            disk,
            root,
            options,
            clock,
            docs,
            state: Mutex::new(state),
            flushed: Mutex::new(flushed),
            compacting: Mutex::new(()),
            version: AtomicU64::new(0),
            problems,
            counters: Counters::default(),
        };
        if lost.pending {
            engine.waiting_lost();
        }
        Ok(engine)
    }
}

impl State {
    /// What a manifest says by itself, and the descriptions.
    fn of(manifest: &Manifest, docs: &dyn DocStore) -> Result<Self> {
        Ok(Self {
            producers: Arc::new(Producers::from_entries(manifest.producers.clone())),
            consumed: manifest.covered.clone(),
            heard: manifest.heard.clone(),
            descriptions: Arc::new(Descriptions::load(docs)?),
            ..Self::default()
        })
    }
}

fn file_set(disk: &Arc<dyn Disk>, root: &Path, entries: &[FileEntry]) -> FileSet {
    let mut files = FileSet::default();
    for entry in entries {
        files.insert(Arc::new(SampleFile::new(Arc::clone(disk), root, entry.clone())));
    }
    files
}

/// What the files beside the manifest hold; nothing where one is damaged.
struct Snapshots {
    last: Option<Vec<Row>>,
    ledger: Option<Ledger>,
    pending: Option<Pending>,
}

/// Which of them are.
#[derive(Clone, Copy)]
struct Lost {
    last: bool,
    ledger: bool,
    pending: bool,
}

impl Snapshots {
    fn read(store: &ManifestStore, report: impl Fn(&HistorianError)) -> Result<Self> {
        Ok(Self {
            last: readable(store.read_last(), &report)?,
            ledger: readable(store.read_gaps(), &report)?,
            pending: readable(store.read_pending(), &report)?,
        })
    }

    const fn lost(&self) -> Lost {
        Lost { last: self.last.is_none(), ledger: self.ledger.is_none(), pending: self.pending.is_none() }
    }
}

impl Lost {
    /// Whatever is not what the file holds is written with the next flush.
    fn flushed(self, store: ManifestStore, ledger: u64, pending: Arc<Pending>) -> Flushed {
        Flushed {
            store,
            ledger: (!self.ledger).then_some(ledger),
            pending: if self.pending { Arc::default() } else { pending },
            last_is_lost: self.last,
            series: 0,
            written: None,
        }
    }

    const fn any(self) -> bool {
        self.last || self.ledger || self.pending
    }
}

fn report_recovery(problems: &Problems, clock: &dyn Clock, root: &Path, files: usize) {
    let text = format!(
        "The newest manifest in {} cannot be read; {files} sample files that no manifest names were taken over, \
         and counts of producers may be too low",
        root.display(),
    );
    let remedy = "Nothing needs to be done; look at the volume's health";
    problems.set(clock, "GMB-HIS-003", &root.display().to_string(), text, remedy, 2);
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
