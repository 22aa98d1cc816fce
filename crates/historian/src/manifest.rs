//! The manifest: which files hold the samples, and up to where in the log they do.

mod recovery;

use crate::error::{HistorianError, Result};
use crate::file::read::Detail;
use crate::file::write::{create_root, read_small, write_whole};
use crate::file::{FileEntry, SampleFile};
use crate::ledger::{Gap, GapKey, Ledger, LedgerSnapshot};
use crate::pending::{Pending, PendingDocument};
use crate::producers::{Producer, ProducerKey};
use crate::row::Row;
use crate::sealed;
use gemba_base::disk::Disk;
use gemba_model::DateTime;
pub(crate) use recovery::Recovered;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Folder of manifests below `hist/v1`. Readers of partitioned Parquet skip names that begin with `_`.
pub(crate) const FOLDER: &str = "_manifest";
const CURRENT: &str = "CURRENT";
/// Manifests kept beside the current one.
const OLD_KEPT: u64 = 1;

/// Everything that a restart needs besides the log and the documents.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) number: u64,
    pub(crate) written: DateTime,
    /// By partition: the first offset that is not in these files.
    pub(crate) covered: BTreeMap<u32, u64>,
    /// By partition: when the hub took the last message before that, in ticks.
    pub(crate) heard: BTreeMap<u32, i64>,
    pub(crate) producers: Vec<(ProducerKey, Producer)>,
    /// The newest sample of each series.
    pub(crate) last: Option<FileEntry>,
    /// Name of the file with the gap ledger.
    pub(crate) gaps: Option<String>,
    /// Name of the file with messages that wait for their description.
    pub(crate) pending: Option<String>,
    /// Path of the table with the names of series, for outside readers.
    #[serde(default)]
    pub(crate) series: Option<String>,
    pub(crate) files: Vec<FileEntry>,
}

impl Manifest {
    /// Names of the files in the manifests' folder that this one needs.
    fn snapshots(&self) -> Vec<String> {
        let last = self.last.as_ref().and_then(|entry| entry.path.rsplit('/').next());
        [last, self.gaps.as_deref(), self.pending.as_deref()]
            .into_iter()
            .flatten()
            .map(str::to_owned)
            .collect()
    }
}

/// [`Ledger`] as it is read from its file.
#[derive(Deserialize)]
pub(crate) struct GapsDocument {
    pub(crate) dropped: u64,
    pub(crate) gaps: Vec<(GapKey, Gap)>,
}

/// [`Ledger`] as it is written: a [`GapsDocument`] without a copy of its entries.
struct WrittenGaps<'a>(&'a LedgerSnapshot);

impl Serialize for WrittenGaps<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_struct("GapsDocument", 2)?;
        document.serialize_field("dropped", &self.0.dropped())?;
        document.serialize_field("gaps", &Entries(self.0))?;
        document.end()
    }
}

struct Entries<'a>(&'a LedgerSnapshot);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.entries())
    }
}

/// The current manifest and the files around it.
#[derive(Debug)]
pub(crate) struct ManifestStore {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    folder: PathBuf,
    pub(crate) current: Manifest,
    /// Snapshot files of the manifest before, kept as long as it is.
    previous: Vec<String>,
    number: u64,
}

/// A manifest and how it was found.
pub(crate) struct Opened {
    pub(crate) store: ManifestStore,
    /// What had to be passed over.
    pub(crate) damaged: Vec<HistorianError>,
    /// The newest manifest could not be read; this is an older one, and what was found beside it.
    pub(crate) recovered: Option<Recovered>,
}

impl ManifestStore {
    /// Opens the newest manifest, or begins with none.
    pub(crate) fn open(disk: Arc<dyn Disk>, root: &Path) -> Result<Opened> {
        let folder = root.join(FOLDER);
        create_root(&*disk, &folder)?;
        create_root(&*disk, &root.join("samples"))?;
        let names = disk.list(&folder).map_err(HistorianError::storage(&folder))?;
        let numbers: BTreeSet<u64> = names.iter().filter_map(|path| manifest_number(path)).collect();
        let newest = numbers.last().copied().unwrap_or(0);
        let wanted = read_small(&*disk, &folder.join(CURRENT))
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse::<u64>().ok());
        let mut store = Self {
            disk,
            root: root.to_owned(),
            folder,
            current: Manifest::default(),
            previous: Vec::new(),
            number: newest,
        };
        let mut damaged = Vec::new();
        // Everything that a manifest names was durable before it, so that the newest one that can be read holds,
        // even if the power went before `CURRENT` named it; and a wrong digit in `CURRENT` takes nothing back.
        let mut is_in_force = true;
        for number in numbers.iter().rev().copied() {
            for path in store.paths(number) {
                match sealed::read::<Manifest>(&*store.disk, &path) {
                    Ok(manifest) => {
                        store.current = manifest;
                        is_in_force &= wanted.is_some_and(|wanted| wanted <= number);
                        let recovered = (!is_in_force).then(|| store.adopt(&mut damaged)).transpose()?;
                        // Without CURRENT and without files, the very first start was cut off.
                        let recovered = recovered
                            .filter(|found| wanted.is_some() || found.files > 0 || !damaged.is_empty());
                        return Ok(Opened { store, damaged, recovered });
                    }
                    Err(error @ HistorianError::NewerFormat { .. }) => return Err(error),
                    Err(error) => damaged.push(error),
                }
            }
            is_in_force = false;
        }
        let recovered = store.adopt(&mut damaged)?;
        let is_new = numbers.is_empty() && wanted.is_none() && recovered.files == 0 && damaged.is_empty();
        if is_new {
            // From now on a folder without a manifest is one that lost it.
            let number = store.next_number();
            store.commit(Manifest { number, ..Manifest::default() })?;
        }
        Ok(Opened { store, damaged, recovered: (!is_new).then_some(recovered) })
    }

    /// Completes an old or empty manifest from the sample files themselves.
    fn adopt(&mut self, damaged: &mut Vec<HistorianError>) -> Result<Recovered> {
        let mut manifest = self.current.clone();
        let mut found = recovery::adopt(&*self.disk, &self.root, &mut manifest)?;
        damaged.append(&mut found.damaged);
        self.current = manifest;
        self.number = self.number.max(found.number);
        Ok(found)
    }

    fn paths(&self, number: u64) -> [PathBuf; 2] {
        // The second is a copy, so that one damaged file costs nothing.
        [self.folder.join(format!("{number}.json")), self.folder.join(format!("{number}.copy.json"))]
    }

    /// A number for files of the next manifest; each is given out once.
    pub(crate) const fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Puts a manifest in force: manifest, copy, then `CURRENT`, each durable before the next.
    pub(crate) fn commit(&mut self, manifest: Manifest) -> Result<()> {
        for path in self.paths(manifest.number) {
            sealed::write(&*self.disk, &path, &manifest)?;
        }
        let current = format!("{}\n", manifest.number);
        write_whole(&*self.disk, &self.folder.join(CURRENT), |file| file.write_all(current.as_bytes()))?;
        self.previous = self.current.snapshots();
        let old_series = self.current.series.take().filter(|old| manifest.series.as_ref() != Some(old));
        if let Some(old) = old_series {
            drop(self.disk.remove(&self.root.join(old)));
        }
        self.current = manifest;
        self.forget_old();
        Ok(())
    }

    /// Deletes manifests and snapshots that nothing refers to; what cannot be deleted stays for the next time.
    fn forget_old(&self) {
        let Ok(paths) = self.disk.list(&self.folder) else { return };
        let current = &self.current;
        let mut used = current.snapshots();
        used.extend(self.previous.iter().cloned());
        used.push(CURRENT.to_owned());
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let keep = match manifest_number(&path) {
                Some(number) => number + OLD_KEPT >= current.number && number <= current.number,
                None => used.iter().any(|used| used == name),
            };
            if !keep && let Err(error) = self.disk.remove(&path) {
                tracing::debug!(path = %path.display(), %error, "an old manifest file was not deleted");
            }
        }
    }

    /// Deletes sample files that the manifest does not name: leftovers of writes that were cut off.
    pub(crate) fn remove_orphans(&self) {
        let named: BTreeSet<PathBuf> =
            self.current.files.iter().map(|entry| self.root.join(&entry.path)).collect();
        let series = self.root.join("series");
        for path in self.disk.list(&series).unwrap_or_default() {
            if self.current.series.as_ref().is_none_or(|name| self.root.join(name) != path) {
                drop(self.disk.remove(&path));
            }
        }
        for folder in self.disk.list(&self.root.join("samples")).unwrap_or_default() {
            for path in self.disk.list(&folder).unwrap_or_default() {
                if !named.contains(&path) {
                    tracing::info!(path = %path.display(), "deleting a sample file that no manifest names");
                    drop(self.disk.remove(&path));
                }
            }
        }
        self.forget_old();
    }

    /// Writes the gap ledger; returns its name.
    pub(crate) fn write_gaps(&self, number: u64, ledger: &LedgerSnapshot) -> Result<String> {
        let name = format!("gaps-{number}.json");
        sealed::write(&*self.disk, &self.folder.join(&name), &WrittenGaps(ledger))?;
        Ok(name)
    }

    pub(crate) fn read_gaps(&self) -> Result<Ledger> {
        let Some(name) = &self.current.gaps else { return Ok(Ledger::default()) };
        let document: GapsDocument = sealed::read(&*self.disk, &self.folder.join(name))?;
        Ok(Ledger::from_entries(document.gaps, document.dropped))
    }

    /// The newest ledger that can be read, whichever manifest it belongs to.
    pub(crate) fn read_older_gaps(&self) -> Option<Ledger> {
        let paths = self.disk.list(&self.folder).ok()?;
        let number = |path: &PathBuf| -> Option<u64> {
            path.file_name()?.to_str()?.strip_prefix("gaps-")?.strip_suffix(".json")?.parse().ok()
        };
        let mut ledgers: Vec<(u64, PathBuf)> =
            paths.into_iter().filter_map(|path| Some((number(&path)?, path))).collect();
        ledgers.sort();
        ledgers.iter().rev().find_map(|(_, path)| {
            let document: GapsDocument = sealed::read(&*self.disk, path).ok()?;
            Some(Ledger::from_entries(document.gaps, document.dropped))
        })
    }

    /// Writes waiting messages; returns the file's name.
    pub(crate) fn write_pending(&self, number: u64, pending: &Pending) -> Result<Option<String>> {
        if pending.is_empty() {
            return Ok(None);
        }
        let name = format!("pending-{number}.json");
        sealed::write(&*self.disk, &self.folder.join(&name), &PendingDocument::from(pending))?;
        Ok(Some(name))
    }

    pub(crate) fn read_pending(&self) -> Result<Pending> {
        let Some(name) = &self.current.pending else { return Ok(Pending::default()) };
        let document: PendingDocument = sealed::read(&*self.disk, &self.folder.join(name))?;
        document.try_into()
    }

    pub(crate) fn read_last(&self) -> Result<Vec<Row>> {
        let Some(entry) = &self.current.last else { return Ok(Vec::new()) };
        let file = SampleFile::new(Arc::clone(&self.disk), &self.root, entry.clone()).open()?;
        let mut rows = Vec::new();
        for span in file.all_spans() {
            rows.extend(file.load(&span, None, Detail::Full)?);
        }
        Ok(rows)
    }
}

/// The number of `<n>.json` or `<n>.copy.json`.
fn manifest_number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".json")?;
    name.strip_suffix(".copy").unwrap_or(name).parse().ok()
}
