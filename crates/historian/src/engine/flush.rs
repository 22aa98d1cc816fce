//! Writing frozen tables to files, and the manifest that puts them in force.

use super::{Engine, Flushed, Frozen};
use crate::descriptions::Obsolete;
use crate::error::{HistorianError, Result};
use crate::file::received::ReceivedTable;
use crate::file::write::{SampleWriter, write_table};
use crate::file::{FileEntry, SampleFile};
use crate::manifest::FOLDER;
use crate::read::fold::Folder;
use crate::row::{Row, RowRef};
use crate::series::export;
use std::ops::ControlFlow;
use std::sync::Arc;

impl Engine {
    /// Writes the oldest frozen table. False when there is none.
    ///
    /// # Errors
    /// When the disk fails; nothing has changed then, and the call may be repeated.
    pub(crate) fn flush_oldest(&self) -> Result<bool> {
        let mut flushed = self.flushed.lock();
        let Some(frozen) = self.with_state(|state| state.frozen.front().cloned()) else { return Ok(false) };
        let (number, files) = match flushed.written.take() {
            Some((_, files)) => (flushed.store.next_number(), files),
            None => {
                let number = flushed.store.next_number();
                (number, self.write_days(&frozen, number)?)
            }
        };
        let committed = self.commit_flush(&mut flushed, &frozen, number, &files);
        if let Err(error) = committed {
            flushed.written = Some((number, files));
            return Err(error);
        }
        flushed.ledger = Some(frozen.ledger.revision());
        flushed.pending = Arc::clone(&frozen.pending);
        let mut state = self.state.lock();
        let set = Arc::make_mut(&mut state.files);
        for entry in files {
            self.counters.bytes_written.add(entry.bytes);
            set.insert(Arc::new(SampleFile::new(Arc::clone(&self.disk), &self.root, entry)));
        }
        state.frozen.pop_front();
        drop(state);
        self.forget_descriptions(&frozen);
        Ok(true)
    }

    /// What the log holds from here on needs no description that was old already. Not before the manifest says that it
    /// begins here: after a restart it is read again from there.
    fn forget_descriptions(&self, frozen: &Frozen) {
        let obsolete = frozen.descriptions.obsolete();
        if obsolete.is_empty() {
            return;
        }
        let deletions = obsolete.iter().map(Obsolete::write).collect();
        match self.docs.write(deletions, None) {
            Ok(_) => Arc::make_mut(&mut self.state.lock().descriptions).forget(&obsolete),
            // The next flush tries again.
            Err(error) => tracing::debug!(%error, "old descriptions were not deleted"),
        }
    }

    fn commit_flush(
        &self,
        flushed: &mut Flushed,
        frozen: &Frozen,
        number: u64,
        files: &[FileEntry],
    ) -> Result<()> {
        let mut manifest = flushed.store.current.clone();
        manifest.number = number;
        manifest.written = self.clock.now();
        manifest.covered = frozen.covered.clone();
        manifest.heard = frozen.heard.clone();
        manifest.producers = frozen.producers.entries();
        if frozen.memtable.rows() > 0 || flushed.last_is_lost {
            manifest.last = self.write_last(frozen, number)?;
        }
        if flushed.ledger != Some(frozen.ledger.revision()) {
            manifest.gaps = Some(flushed.store.write_gaps(number, &frozen.ledger)?);
        }
        if !Arc::ptr_eq(&flushed.pending, &frozen.pending) {
            manifest.pending = flushed.store.write_pending(number, &frozen.pending)?;
        }
        let revision = self.with_state(|state| state.series.revision());
        if revision != flushed.series {
            manifest.series = Some(self.write_series(number)?);
        }
        manifest.files.extend(files.iter().cloned());
        flushed.store.commit(manifest)?;
        flushed.last_is_lost = false;
        flushed.series = revision;
        Ok(())
    }

    /// One file for each day that the table touches.
    fn write_days(&self, frozen: &Frozen, number: u64) -> Result<Vec<FileEntry>> {
        let mut entries = Vec::new();
        let outcome = self.write_each_day(frozen, number, &mut entries);
        outcome.inspect_err(|_| {
            // No manifest names them yet, and a full disk needs the space.
            entries.iter().for_each(|entry| drop(self.disk.remove(&self.root.join(&entry.path))));
        })?;
        Ok(entries)
    }

    fn write_each_day(&self, frozen: &Frozen, number: u64, entries: &mut Vec<FileEntry>) -> Result<()> {
        let table = &frozen.memtable;
        let days = table.days();
        let count = days.len();
        for (day, rows) in days {
            let name = format!("samples/{}/part-{number:08}-{}.parquet", day.folder(), entries.len());
            let received = ReceivedTable::for_rows(table.messages(), rows);
            let mut writer = SampleWriter::create(&*self.disk, &self.root, name, received)?;
            table.sweep(day.range(), |rows| {
                if rows.is_sorted_by(|a, b| a.time < b.time) {
                    return writer.extend(rows);
                }
                rows.chunk_by(|a, b| a.time == b.time).try_for_each(|group| match group {
                    [only] => writer.push(only),
                    _ => write_folded(&mut writer, group),
                })
            })?;
            writer.note_origin(&frozen.covered, &[], (entries.len(), count));
            entries.push(writer.finish()?);
        }
        Ok(())
    }

    /// Writes the names of series; returns the file's name. Series that come meanwhile may be in it.
    fn write_series(&self, number: u64) -> Result<String> {
        let name = format!("series/series-{number}.parquet");
        let mut after = 0;
        write_table(&*self.disk, &self.root, &name, || {
            let piece = self.with_state(|state| export::table(&state.series, after));
            let (table, last) =
                piece.map_err(|error| HistorianError::Invalid(format!("the series table: {error}")))?;
            after = last.unwrap_or(after);
            Ok(table)
        })?;
        Ok(name)
    }

    fn write_last(&self, frozen: &Frozen, number: u64) -> Result<Option<FileEntry>> {
        let name = format!("{FOLDER}/last-{number}.parquet");
        let mut writer = SampleWriter::create(&*self.disk, &self.root, name, None)?;
        for row in frozen.last.iter().flatten() {
            writer.push(&row.as_ref())?;
        }
        writer.finish().map(Some)
    }
}

/// Writes rows of one series and time without repeats.
fn write_folded(writer: &mut SampleWriter<'_>, rows: &[RowRef<'_>]) -> Result<()> {
    let mut outcome = Ok(());
    let mut folder = Folder::new(false);
    let mut write = |row: Row| match writer.push(&row.as_ref()) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            outcome = Err(error);
            ControlFlow::Break(())
        }
    };
    let pushed = rows.iter().try_for_each(|row| folder.push(row.to_row(), &mut write));
    if pushed.is_continue() {
        let _stopped = folder.finish(&mut write).is_break();
    }
    outcome
}
