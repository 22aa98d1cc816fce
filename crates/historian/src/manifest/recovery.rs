//! Going on without the newest manifest: sample files say themselves what they cover and replace.

use super::Manifest;
use crate::error::{HistorianError, Result};
use crate::file::FileEntry;
use crate::file::read::{Detail, OpenFile};
use crate::row::Row;
use gemba_base::disk::Disk;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// What was found beside an old manifest.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// Newest rows of the adopted files.
    pub(crate) last: HashMap<u64, Row>,
    /// Largest number of a file that no manifest named; it must not be given out again.
    pub(crate) number: u64,
    /// Adopted files.
    pub(crate) files: usize,
    /// Files that cannot be read.
    pub(crate) damaged: Vec<HistorianError>,
}

/// A file that no manifest names.
struct Stray {
    open: OpenFile,
    entry: FileEntry,
    /// Number of the flush or compaction that wrote it.
    number: u64,
    /// Place among the files of its flush, and their count.
    part: (usize, usize),
    is_merged: bool,
}

/// Adds the sample files that a manifest does not name, takes out those that they replace or that are gone,
/// and moves the covered offsets forward.
///
/// A flush that was cut off leaves some of its files: they must not count, because they say that they cover
/// what the missing ones hold. Flushes follow each other, so only the last one can be incomplete.
///
/// # Errors
/// When a file is of a newer version, or folders cannot be listed.
pub(crate) fn adopt(disk: &dyn Disk, root: &Path, manifest: &mut Manifest) -> Result<Recovered> {
    let named: BTreeSet<String> = manifest.files.iter().map(|entry| entry.path.clone()).collect();
    let mut found = Recovered::default();
    let mut there = BTreeSet::new();
    let mut strays = Vec::new();
    for (name, path) in sample_files(disk, root)? {
        there.insert(name.clone());
        if named.contains(&name) {
            continue;
        }
        match open(disk, &path, name) {
            Ok(stray) => strays.push(stray),
            Err(error @ HistorianError::NewerFormat { .. }) => return Err(error),
            Err(error) => found.damaged.push(error),
        }
    }
    found.number = strays.iter().map(|stray| stray.number).max().unwrap_or(0);
    let complete = last_complete(&strays);
    let mut replaced = BTreeSet::new();
    for mut stray in strays.into_iter().filter(|stray| stray.is_merged || Some(stray.number) <= complete) {
        replaced.extend(stray.open.replaces());
        for (partition, offset) in stray.open.covered() {
            let known = manifest.covered.entry(partition).or_default();
            *known = (*known).max(offset);
        }
        match read(&mut stray, &mut found.last) {
            Ok(()) => {
                found.files += 1;
                manifest.files.push(stray.entry);
            }
            Err(error) => found.damaged.push(error),
        }
    }
    manifest.files.retain(|entry| there.contains(&entry.path) && !replaced.contains(&entry.path));
    for (_, producer) in &mut manifest.producers {
        producer.resync = true;
    }
    Ok(found)
}

/// Name below the root and path of each sample file.
fn sample_files(disk: &dyn Disk, root: &Path) -> Result<Vec<(String, PathBuf)>> {
    let samples = root.join("samples");
    let folders = disk.list(&samples).map_err(HistorianError::storage(&samples))?;
    let paths = folders.iter().flat_map(|folder| disk.list(folder).unwrap_or_default());
    let named = paths.filter_map(|path| {
        let name = path.strip_prefix(root).ok()?.to_str()?.to_owned();
        name.ends_with(".parquet").then_some((name, path))
    });
    Ok(named.collect())
}

fn open(disk: &dyn Disk, path: &Path, name: String) -> Result<Stray> {
    let (open, entry) = OpenFile::adopt(disk, path, name)?;
    let unnamed = || HistorianError::damaged(path, "neither its name nor its footer say how it came to be");
    let file = entry.path.rsplit('/').next().unwrap_or_default();
    let (number, rest) =
        file.strip_prefix("part-").and_then(|rest| rest.split_once('-')).ok_or_else(unnamed)?;
    let number = number.parse().map_err(|_| unnamed())?;
    let is_merged = rest.starts_with('c');
    let part = open.part().ok_or_else(unnamed)?;
    Ok(Stray { open, entry, number, part, is_merged })
}

/// The number of the last flush of which all files are there.
fn last_complete(strays: &[Stray]) -> Option<u64> {
    let mut parts: BTreeMap<u64, (BTreeSet<usize>, usize)> = BTreeMap::new();
    for stray in strays.iter().filter(|stray| !stray.is_merged) {
        let flush = parts.entry(stray.number).or_default();
        flush.0.insert(stray.part.0);
        flush.1 = stray.part.1;
    }
    parts.into_iter().rev().find(|(_, (parts, count))| parts.len() >= *count).map(|(number, _)| number)
}

/// Finds the times of a file, and its newest rows. Of a row group that cannot be read, the times are known from
/// the footer; who reads it names the damage.
fn read(stray: &mut Stray, last: &mut HashMap<u64, Row>) -> Result<()> {
    let time = &mut stray.entry.time;
    for span in stray.open.all_spans() {
        let rows = match stray.open.load(&span, None, Detail::Full) {
            Ok(rows) => rows,
            Err(error) => {
                let (first, end) = stray.open.group_times(span.group).ok_or(error)?;
                *time = (time.0.min(first), time.1.max(end));
                continue;
            }
        };
        for row in rows {
            *time = (time.0.min(row.time), time.1.max(row.time));
            stray.entry.received = stray.entry.received.max(row.received);
            if last.get(&row.series).is_none_or(|known| known.key() <= row.key()) {
                last.insert(row.series, row);
            }
        }
    }
    Ok(())
}
