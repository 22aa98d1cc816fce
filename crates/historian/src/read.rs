//! Reading one series: files and memory merged in order, repeats folded, damage stepped over and named. What a disk
//! refuses for the moment is no damage: the read fails, and may be repeated.

pub(crate) mod buckets;
pub(crate) mod fold;
pub(crate) mod merge;

use crate::day::{Day, TimeRange};
use crate::engine::{Engine, Snapshot};
use crate::error::{HistorianError, Result};
use crate::file::SampleFile;
use crate::file::read::Wanted;
use crate::row::Row;
use buckets::Buckets;
use fold::Folder;
use merge::{Cursor, Merge, OnDamage};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Days after which a long read looks how much memory the footers of files take.
const LIMIT_EVERY: usize = 16;

/// A range of one series.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scan {
    pub(crate) wanted: Wanted,
    pub(crate) descending: bool,
}

impl Engine {
    /// Calls `emit` with each row of a range, in order, until it breaks.
    ///
    /// # Errors
    /// The first file that the disk did not give; rows of others have been handed out.
    pub(crate) fn scan(&self, scan: Scan, emit: &mut dyn FnMut(Row) -> ControlFlow<()>) -> Result<()> {
        let mut folder = Folder::new(scan.descending);
        let (outcome, read) = self.each_day(scan, |mut cursors, on_damage| match cursors.as_mut_slice() {
            [only] if only.is_file() => {
                folder.finish(emit)?;
                only.drain(scan.descending, on_damage, emit)
            }
            _ => {
                let mut merge = Merge::new(cursors, scan.descending);
                while let Some(row) = merge.next(on_damage) {
                    folder.push(row, emit)?;
                }
                ControlFlow::Continue(())
            }
        });
        if outcome.is_continue() {
            let _stopped = folder.finish(emit).is_break();
        }
        read
    }

    /// Takes all rows of a range into intervals.
    ///
    /// # Errors
    /// The first file that the disk did not give.
    pub(crate) fn aggregate(&self, wanted: Wanted, buckets: &mut Buckets) -> Result<()> {
        let scan = Scan { wanted, descending: false };
        let (_all, read) = self.each_day(scan, |mut cursors, on_damage| {
            if let [only] = cursors.as_mut_slice()
                && only.is_file()
            {
                only.aggregate(buckets, on_damage);
                return ControlFlow::Continue(());
            }
            let mut push = |row: Row| {
                buckets.push(&row);
                ControlFlow::Continue(())
            };
            let mut folder = Folder::new(false);
            let mut merge = Merge::new(cursors, false);
            while let Some(row) = merge.next(on_damage) {
                folder.push(row, &mut push)?;
            }
            // Repeats are of one time, and thus of one day.
            folder.finish(&mut push)
        });
        read
    }

    /// Calls `visit` with the sources of each day in which there may be rows, in order. Beside whether it went
    /// through: the first error that is none of the data.
    fn each_day(
        &self,
        scan: Scan,
        mut visit: impl FnMut(Vec<Cursor>, &mut OnDamage<'_>) -> ControlFlow<()>,
    ) -> (ControlFlow<()>, Result<()>) {
        let range = scan.wanted.range;
        if range.is_empty() {
            return (ControlFlow::Continue(()), Ok(()));
        }
        let mut read = Ok(());
        let snapshot = self.snapshot(scan.wanted);
        let mut days: Vec<Day> = days(&snapshot, range).into_iter().collect();
        if scan.descending {
            days.reverse();
        }
        let mut outcome = ControlFlow::Continue(());
        for (visited, day) in days.into_iter().enumerate() {
            let cursors = self.cursors(&snapshot, day, scan, &mut read);
            let mut on_damage = |file: &Arc<SampleFile>, group: usize, error: HistorianError| {
                self.note_damage(file, Some(group), &error);
                keep_first(&mut read, error);
            };
            outcome = visit(cursors, &mut on_damage);
            if outcome.is_break() {
                break;
            }
            if (visited + 1).is_multiple_of(LIMIT_EVERY) {
                self.limit_footers(&snapshot.files, day);
            }
        }
        self.limit_footers(&snapshot.files, Day::of(i64::MAX));
        (outcome, read)
    }

    fn cursors(&self, snapshot: &Snapshot, day: Day, scan: Scan, read: &mut Result<()>) -> Vec<Cursor> {
        let wanted = scan.wanted;
        let mut cursors = Vec::new();
        for file in snapshot.files.day(day) {
            let entry = &file.entry;
            let holds_series = entry.series.0 <= wanted.series && wanted.series <= entry.series.1;
            if !holds_series || !wanted.range.meets(entry.time) {
                continue;
            }
            match file.open() {
                Ok(open) => {
                    let spans = open.spans(wanted);
                    if !spans.is_empty() {
                        cursors.push(Cursor::file(Arc::clone(file), open, spans, Some(wanted)));
                    }
                }
                Err(error) => {
                    self.note_damage(file, None, &error);
                    keep_first(read, error);
                }
            }
        }
        for rows in &snapshot.memory {
            let start = rows.partition_point(|row| Day::of(row.time) < day);
            let end = rows.partition_point(|row| Day::of(row.time) <= day);
            if let Some(inside) = rows.get(start..end).filter(|rows| !rows.is_empty()) {
                cursors.push(Cursor::memory(inside.to_vec()));
            }
        }
        cursors
    }
}

/// Damage is in the ledger, and what is left may be read as if it were all; anything else is an error of the read.
fn keep_first(read: &mut Result<()>, error: HistorianError) {
    if read.is_ok() && !matches!(error, HistorianError::Damaged { .. }) {
        *read = Err(error);
    }
}

/// Days of a range in which there may be rows, ascending.
fn days(snapshot: &Snapshot, range: TimeRange) -> BTreeSet<Day> {
    let (first, last) = range.days();
    let mut days: BTreeSet<Day> = snapshot.files.days().range(first..=last).map(|(day, _)| *day).collect();
    for rows in &snapshot.memory {
        let mut rest = rows.as_slice();
        while let Some(row) = rest.first() {
            let day = Day::of(row.time);
            days.insert(day);
            rest = rest.get(rest.partition_point(|row| Day::of(row.time) <= day)..).unwrap_or_default();
        }
    }
    days
}
