//! Fewer files: merging those of a day, deleting days that are too old.

mod choice;
mod merging;

use super::Engine;
use crate::day::Day;
use crate::error::Result;
use crate::file::read::Portions;
use crate::file::received::ReceivedTable;
use crate::file::write::SampleWriter;
use crate::file::{FileEntry, SampleFile};
use merging::RunMerge;
use std::sync::Arc;
use std::time::Duration;

/// How long a day must be over, and its last value be here, before its files become one.
const QUIET_AFTER: Duration = Duration::from_secs(3_600);

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
            let rows: Vec<u64> = inputs.iter().map(|file| file.entry.rows).collect();
            let chosen = choice::choose(&rows, self.options.day_files_max, is_over);
            let inputs = inputs.get(chosen).unwrap_or_default();
            (inputs.len() > 1).then(|| (*day, inputs.to_vec()))
        })
    }

    fn merge_files(&self, day: Day, inputs: &[Arc<SampleFile>]) -> Result<FileEntry> {
        let number = self.flushed.lock().store.next_number();
        let name = format!("samples/{}/part-{number:08}-c.parquet", day.folder());
        let mut sources = Vec::with_capacity(inputs.len());
        let mut received = Some(ReceivedTable::default());
        for file in inputs {
            let open = file.open().inspect_err(|error| self.note_damage(file, None, error))?;
            received = received.zip(open.received()).map(|(all, more)| all.merge(more));
            sources.push(Portions::new(open));
        }
        let mut writer = SampleWriter::create(&*self.disk, &self.root, name, received)?;
        inputs.iter().for_each(|file| writer.note_received(file.entry.received));
        if let Err(failure) = RunMerge::new(sources).write(&mut writer) {
            if let (Some((source, group)), error) = (failure.source, &failure.error)
                && let Some(file) = inputs.get(source)
            {
                // A damaged file stays as it is, outside of compactions: what can be read of it stays readable.
                self.note_damage(file, Some(group), error);
            }
            return Err(failure.error);
        }
        let replaced: Vec<&str> = inputs.iter().map(|file| file.entry.path.as_str()).collect();
        writer.note_origin(&self.covered(), &replaced, (0, 1));
        writer.finish()
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
