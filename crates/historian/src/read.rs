//! Reading one series: files and memory merged in order, repeats folded, damage stepped over and named.

pub(crate) mod buckets;
pub(crate) mod fold;
pub(crate) mod merge;

use crate::day::Day;
use crate::engine::{Engine, Snapshot};
use crate::error::HistorianError;
use crate::file::SampleFile;
use crate::file::read::{Detail, Wanted};
use crate::row::Row;
use fold::Folder;
use merge::{Cursor, Merge};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Days after which a long read looks how much memory the footers of files take.
const LIMIT_EVERY: usize = 16;

/// A range of one series, in ticks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scan {
    pub(crate) wanted: Wanted,
    pub(crate) descending: bool,
    /// What of the rows matters.
    pub(crate) detail: Detail,
}

impl Engine {
    /// Calls `emit` with each row of a range, in order, until it breaks.
    pub(crate) fn scan(&self, scan: Scan, emit: &mut dyn FnMut(Row) -> ControlFlow<()>) {
        let Wanted { series, from, to } = scan.wanted;
        if from >= to {
            return;
        }
        let snapshot = self.snapshot(series, from, to);
        let days = days(&snapshot, from, to);
        let mut folder = Folder::new(scan.descending);
        let mut visited = 0_usize;
        let mut visit = |day: Day| {
            let mut cursors = self.cursors(&snapshot, day, scan);
            if let ([only], Detail::Value) = (cursors.as_mut_slice(), scan.detail) {
                only.only_values();
            }
            let mut merge = Merge::new(cursors, scan.descending);
            let mut on_damage = |file: &Arc<SampleFile>, group: usize, error: HistorianError| {
                self.note_damage(file, Some(group), &error);
            };
            while let Some(row) = merge.next(&mut on_damage) {
                folder.push(row, emit)?;
            }
            visited += 1;
            if visited.is_multiple_of(LIMIT_EVERY) {
                self.limit_footers(&snapshot.files, day);
            }
            ControlFlow::Continue(())
        };
        let outcome = if scan.descending {
            days.into_iter().rev().try_for_each(&mut visit)
        } else {
            days.into_iter().try_for_each(&mut visit)
        };
        self.limit_footers(&snapshot.files, Day::of(i64::MAX));
        if outcome.is_continue() {
            let _stopped = folder.finish(emit).is_break();
        }
    }

    fn cursors(&self, snapshot: &Snapshot, day: Day, scan: Scan) -> Vec<Cursor> {
        let wanted = scan.wanted;
        let mut cursors = Vec::new();
        for file in snapshot.files.day(day) {
            let entry = &file.entry;
            let holds_series = entry.series.0 <= wanted.series && wanted.series <= entry.series.1;
            if !holds_series || entry.time.1 < wanted.from || wanted.to <= entry.time.0 {
                continue;
            }
            match file.open() {
                Ok(open) => {
                    let spans = open.spans(wanted);
                    if !spans.is_empty() {
                        cursors.push(Cursor::file(Arc::clone(file), open, spans, Some(wanted)));
                    }
                }
                Err(error) => self.note_damage(file, None, &error),
            }
        }
        for rows in &snapshot.memory {
            let start = rows.partition_point(|row| row.time < day.start());
            let end = rows.partition_point(|row| row.time < day.end());
            if let Some(inside) = rows.get(start..end).filter(|rows| !rows.is_empty()) {
                cursors.push(Cursor::memory(inside.to_vec()));
            }
        }
        cursors
    }
}

/// Days of a range in which there may be rows, ascending.
fn days(snapshot: &Snapshot, from: i64, to: i64) -> BTreeSet<Day> {
    let (first, last) = (Day::of(from), Day::of(to.saturating_sub(1)));
    let mut days: BTreeSet<Day> = snapshot.files.days().range(first..=last).map(|(day, _)| *day).collect();
    for rows in &snapshot.memory {
        let mut rest = rows.as_slice();
        while let Some(row) = rest.first() {
            let day = Day::of(row.time);
            days.insert(day);
            rest = rest.get(rest.partition_point(|row| row.time < day.end())..).unwrap_or_default();
        }
    }
    days
}
