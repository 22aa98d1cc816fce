//! Rows in order of series.

use super::{BLOCK_ROWS, Memtable};
use crate::day::TimeRange;
use crate::error::Result;
use crate::memtable::slot::Slot;
use crate::row::RowRef;

/// Rows that are fetched together: they lie anywhere, and the processor waits for many of them at a time when
/// nothing hangs on each.
const FETCH_ROWS: u32 = 1_024;

/// Rows of a day in order of series.
struct Order {
    /// Where the rows of each series end in `places`.
    ends: Vec<u32>,
    places: Vec<u32>,
}

impl Memtable {
    /// Calls `visit` with the rows of each series with times in a range, in order of series; each in order.
    ///
    /// # Errors
    /// Those of `visit`.
    pub(crate) fn sweep(
        &self,
        range: TimeRange,
        mut visit: impl FnMut(&[RowRef<'_>]) -> Result<()>,
    ) -> Result<()> {
        let Order { ends, places } = self.order(range);
        let (mut slots, mut rows): (Vec<Slot>, Vec<RowRef<'_>>) = (Vec::new(), Vec::new());
        let (mut start, mut fetched) = (0, 0);
        for (series, end) in (0_u64..).zip(&ends) {
            if *end == start {
                continue;
            }
            if *end > fetched {
                // Up to the end of a later series, so that each lies in one piece.
                let wanted = ends.partition_point(|later| *later < start.saturating_add(FETCH_ROWS));
                fetched = ends.get(wanted).or(ends.last()).copied().unwrap_or(*end).max(*end);
                let places = places.get(start as usize..fetched as usize).unwrap_or_default();
                slots.clear();
                slots.extend(places.iter().filter_map(|place| self.slot(*place)).copied());
            }
            let first = slots.len().saturating_sub((fetched - start) as usize);
            let mine = slots.get(first..first + (*end - start) as usize).unwrap_or_default();
            start = *end;
            rows.clear();
            rows.extend(mine.iter().map(|slot| self.row(series, slot)));
            if !rows.is_sorted_by_key(RowRef::key) {
                rows.sort_by_key(RowRef::key);
            }
            visit(&rows)?;
        }
        Ok(())
    }

    fn order(&self, range: TimeRange) -> Order {
        let mut ends = vec![0_u32; self.series_end() + 1];
        let mut count = 0_u32;
        self.each(range, |_, series| {
            if let Some(rows) = ends.get_mut(series as usize + 1) {
                *rows += 1;
                count += 1;
            }
        });
        // Where each series begins; moved on by each row of it, which leaves where it ends.
        ends.iter_mut().fold(0, |sum, rows| {
            *rows += sum;
            *rows
        });
        let mut places = vec![0_u32; count as usize];
        self.each(range, |place, series| {
            if let Some(next) = ends.get_mut(series as usize)
                && let Some(target) = places.get_mut(*next as usize)
            {
                *target = place;
                *next += 1;
            }
        });
        ends.pop();
        Order { ends, places }
    }

    /// Place and series of each row with a time in a range, in order of arrival.
    fn each(&self, range: TimeRange, mut visit: impl FnMut(u32, u32)) {
        let blocks = self.series.chunks(BLOCK_ROWS).zip(self.slots.chunks(BLOCK_ROWS));
        for (((series, slots), span), first) in blocks.zip(&self.spans).zip((0_u32..).step_by(BLOCK_ROWS)) {
            let all = (first..).zip(series);
            if range.holds(span.0) && range.holds(span.1) {
                all.for_each(|(at, series)| visit(at, *series));
            } else if range.meets(*span) {
                let rows = all.zip(slots).filter(|(_, slot)| range.holds(self.time(slot)));
                rows.for_each(|((at, series), _)| visit(at, *series));
            }
        }
    }
}
