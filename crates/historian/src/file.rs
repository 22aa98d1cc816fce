//! Sample files: Parquet, sorted by series and time, immutable once named in a manifest.

mod chunk;
pub(crate) mod columns;
pub(crate) mod decode;
mod delta;
pub(crate) mod encode;
pub(crate) mod io;
pub(crate) mod read;
pub(crate) mod received;
pub(crate) mod write;

use crate::day::Day;
use gemba_base::disk::Disk;
use parking_lot::Mutex;
use read::OpenFile;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Version of sample files, manifests and all else under `hist/v1`. Older ones are read.
pub(crate) const FORMAT_VERSION: u64 = 2;

/// What the manifest says of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileEntry {
    /// Path below `hist/v1`.
    pub(crate) path: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Smallest and largest series.
    pub(crate) series: (u64, u64),
    /// Smallest and largest time in ticks; both are of the file's day.
    pub(crate) time: (i64, i64),
    /// When the hub took the latest of them, in ticks.
    pub(crate) received: i64,
    /// Where the footer with its indexes begins.
    pub(crate) tail: u64,
    /// CRC-32C from there to the end of the file.
    pub(crate) tail_crc: u32,
}

impl FileEntry {
    pub(crate) const fn day(&self) -> Day {
        Day::of(self.time.0)
    }
}

/// A file in use. It is deleted when it has left the manifest and nobody reads it any more.
#[derive(Debug)]
pub(crate) struct SampleFile {
    pub(crate) entry: FileEntry,
    pub(crate) path: PathBuf,
    disk: Arc<dyn Disk>,
    open: Mutex<Option<Arc<OpenFile>>>,
    obsolete: AtomicBool,
}

impl SampleFile {
    pub(crate) fn new(disk: Arc<dyn Disk>, root: &std::path::Path, entry: FileEntry) -> Self {
        let path = root.join(&entry.path);
        Self { entry, path, disk, open: Mutex::new(None), obsolete: AtomicBool::new(false) }
    }

    /// Deletes the file as soon as its last user is gone.
    pub(crate) fn make_obsolete(&self) {
        self.obsolete.store(true, Ordering::Relaxed);
    }

    /// The open file with its footer, kept for the next reader.
    pub(crate) fn open(&self) -> crate::error::Result<Arc<OpenFile>> {
        let mut open = self.open.lock();
        if let Some(file) = &*open {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(OpenFile::open(&*self.disk, &self.path, &self.entry)?);
        *open = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Bytes that the kept footer takes.
    pub(crate) fn footer_bytes(&self) -> usize {
        self.open.lock().as_ref().map_or(0, |file| file.footer_bytes())
    }

    /// Closes the file; the next reader opens it again.
    pub(crate) fn close(&self) {
        *self.open.lock() = None;
    }
}

impl Drop for SampleFile {
    fn drop(&mut self) {
        if self.obsolete.load(Ordering::Relaxed)
            && let Err(error) = self.disk.remove(&self.path)
        {
            // The next start finds it as an orphan and tries again.
            tracing::warn!(path = %self.path.display(), %error, "an obsolete sample file was not deleted");
        }
    }
}

/// The files of the current manifest by day. Cloning is cheap enough for each change of the manifest.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileSet {
    days: BTreeMap<Day, Vec<Arc<SampleFile>>>,
}

impl FileSet {
    pub(crate) fn insert(&mut self, file: Arc<SampleFile>) {
        self.days.entry(file.entry.day()).or_default().push(file);
    }

    /// Takes out the files for which `gone` holds and marks them for deletion.
    pub(crate) fn remove(&mut self, gone: impl Fn(&FileEntry) -> bool) {
        for files in self.days.values_mut() {
            files.retain(|file| {
                let keep = !gone(&file.entry);
                if !keep {
                    file.make_obsolete();
                }
                keep
            });
        }
        self.days.retain(|_, files| !files.is_empty());
    }

    pub(crate) const fn days(&self) -> &BTreeMap<Day, Vec<Arc<SampleFile>>> {
        &self.days
    }

    pub(crate) fn day(&self, day: Day) -> &[Arc<SampleFile>] {
        self.days.get(&day).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<SampleFile>> {
        self.days.values().flatten()
    }
}
