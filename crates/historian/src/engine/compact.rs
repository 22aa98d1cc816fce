//! Fewer files: merging those of a day, deleting days that are too old.

use super::Engine;
use crate::day::Day;
use crate::error::{HistorianError, Result};
use crate::file::received::ReceivedTable;
use crate::file::write::SampleWriter;
use crate::file::{FileEntry, SampleFile};
use crate::read::fold::Folder;
use crate::read::merge::{Cursor, Merge};
use crate::row::Row;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// How long a day must be over, and its last value be here, before its files become one.
const QUIET_AFTER: Duration = Duration::from_secs(3_600);
/// The part of a day's rows that must be outside of its largest file for that to be worth it.
const LATE_SHARE: u64 = 32;

impl Engine {
    /// Merges the smaller files of one day that has too many. False when no day has.
    ///
    /// # Errors
    /// When the disk fails or an input is damaged; nothing has changed then.
    pub(crate) fn compact(&self) -> Result<bool> {
        let _only_one = self.compacting.lock();
        let Some((day, inputs)) = self.crowded_day() else { return Ok(false) };
        let entry = self.merge_files(day, &inputs)?;
        self.replace(&inputs, entry)?;
        Ok(true)
    }

    /// A day with files to merge, and which.
    fn crowded_day(&self) -> Option<(Day, Vec<Arc<SampleFile>>)> {
        let files = self.with_state(|state| Arc::clone(&state.files));
        let quiet = self.clock.now().saturating_sub(QUIET_AFTER).ticks();
        files.days().iter().find_map(|(day, files)| {
            let mut inputs: Vec<Arc<SampleFile>> =
                files.iter().filter(|file| !self.is_damaged(&file.entry.path)).cloned().collect();
            inputs.sort_by_key(|file| file.entry.rows);
            let received = inputs.iter().map(|file| file.entry.received).max();
            let is_over = day.end() < quiet && received.is_some_and(|received| received < quiet);
            let count = merge_count(&inputs, self.options.day_files_max, is_over);
            inputs.truncate(count);
            (inputs.len() > 1).then_some((*day, inputs))
        })
    }

    fn merge_files(&self, day: Day, inputs: &[Arc<SampleFile>]) -> Result<FileEntry> {
        let number = self.flushed.lock().store.next_number();
        let name = format!("samples/{}/part-{number:08}-c.parquet", day.folder());
        let mut cursors = Vec::with_capacity(inputs.len());
        let mut received = Some(ReceivedTable::default());
        for file in inputs {
            let open = file.open().inspect_err(|error| self.note_damage(file, None, error))?;
            received = received.zip(open.received()).map(|(all, more)| all.merge(more));
            let spans = open.all_spans();
            cursors.push(Cursor::file(Arc::clone(file), open, spans, None));
        }
        let mut writer = SampleWriter::create(&*self.disk, &self.root, name, received)?;
        let mut failure: Option<HistorianError> = None;
        let mut folder = Folder::new(false);
        let mut write = |row: Row| match writer.push(&row.as_ref()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        };
        let mut damage = None;
        let mut on_damage = |file: &Arc<SampleFile>, group: usize, error: HistorianError| {
            damage = Some((Arc::clone(file), group, error));
        };
        let mut merge = Merge::new(cursors, false);
        while let Some(row) = merge.next(&mut on_damage) {
            if folder.push(row, &mut write).is_break() {
                break;
            }
        }
        let _stopped = folder.finish(&mut write).is_break();
        if let Some((file, group, error)) = damage {
            // A damaged file stays as it is, outside of compactions: what can be read of it stays readable.
            self.note_damage(&file, Some(group), &error);
            return Err(error);
        }
        match failure {
            Some(error) => Err(error),
            None => {
                let replaced: Vec<&str> = inputs.iter().map(|file| file.entry.path.as_str()).collect();
                writer.note_origin(&self.covered(), &replaced, (0, 1));
                writer.finish()
            }
        }
    }

    /// Puts a merged file in the place of its inputs.
    fn replace(&self, inputs: &[Arc<SampleFile>], entry: FileEntry) -> Result<()> {
        let gone = |candidate: &FileEntry| inputs.iter().any(|file| file.entry.path == candidate.path);
        let mut flushed = self.flushed.lock();
        let mut manifest = flushed.store.current.clone();
        manifest.number = flushed.store.next_number();
        manifest.written = self.clock.now();
        manifest.files.retain(|candidate| !gone(candidate));
        manifest.files.push(entry.clone());
        flushed.store.commit(manifest)?;
        let mut state = self.state.lock();
        let set = Arc::make_mut(&mut state.files);
        set.remove(gone);
        set.insert(Arc::new(SampleFile::new(Arc::clone(&self.disk), &self.root, entry)));
        Ok(())
    }

    /// Deletes days that ended longer ago than the retention. Returns how many files went. Values that came
    /// within the retention stay whatever their own clock says: one that stands at 1970 must not cost them.
    ///
    /// # Errors
    /// When the manifest cannot be written; nothing has changed then.
    pub(crate) fn expire(&self) -> Result<usize> {
        let Some(retention) = self.options.retention else { return Ok(0) };
        let limit = self.clock.now().saturating_sub(retention).ticks();
        let gone = |entry: &FileEntry| entry.day().end() <= limit && entry.received <= limit;
        let mut flushed = self.flushed.lock();
        let count = flushed.store.current.files.iter().filter(|entry| gone(entry)).count();
        if count == 0 {
            return Ok(0);
        }
        let mut manifest = flushed.store.current.clone();
        manifest.number = flushed.store.next_number();
        manifest.written = self.clock.now();
        manifest.files.retain(|entry| !gone(entry));
        flushed.store.commit(manifest)?;
        Arc::make_mut(&mut self.state.lock().files).remove(gone);
        Ok(count)
    }
}

/// How many of the files, smallest first, to merge: enough to keep the bound, and further ones as long as
/// they are not much larger than what is merged anyway, so that large files are not written again and again.
/// A day that is over becomes one file, unless that meant to write a large one again for a few late rows.
fn merge_count(files: &[Arc<SampleFile>], files_max: usize, is_over: bool) -> usize {
    let total: u64 = files.iter().map(|file| file.entry.rows).sum();
    let largest = files.last().map_or(0, |file| file.entry.rows);
    if is_over && files.len() > 1 && (total - largest) * LATE_SHARE >= total {
        return files.len();
    }
    if files.len() <= files_max {
        return 0;
    }
    let needed = (files.len() + 1).saturating_sub(files_max.max(1)).max(2);
    let mut sum = 0;
    for (index, file) in files.iter().enumerate() {
        if index >= needed && file.entry.rows > sum * 2 {
            return index;
        }
        sum += file.entry.rows;
    }
    files.len()
}
