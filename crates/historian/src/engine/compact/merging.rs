//! Sorted files to one, run by run: rows of one series that no other file has rows between go over as columns.

use crate::error::HistorianError;
use crate::file::decode::Columns;
use crate::file::read::Portions;
use crate::file::write::SampleWriter;
use crate::read::fold::Folder;
use crate::row::{Row, RowKey};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;

/// Why a merge ended early.
pub(super) struct Failure {
    pub(super) error: HistorianError,
    /// Index of the source that could not be read, and which row group of it.
    pub(super) source: Option<(usize, usize)>,
}

impl From<HistorianError> for Failure {
    fn from(error: HistorianError) -> Self {
        Self { error, source: None }
    }
}

type Result<T> = std::result::Result<T, Failure>;

/// One file.
struct Source {
    portions: Portions,
    columns: Option<Columns>,
    /// The next row, and where the rows of its series end in this portion.
    at: usize,
    series_end: usize,
}

/// A source's next row, by which sources are ordered.
type Head = (u64, RowKey, usize);

/// Files in one order: series, time, arrival.
pub(super) struct RunMerge {
    sources: Vec<Source>,
    heads: BinaryHeap<Reverse<Head>>,
}

impl RunMerge {
    pub(super) fn new(sources: Vec<Portions>) -> Self {
        let source = |portions| Source { portions, columns: None, at: 0, series_end: 0 };
        Self { sources: sources.into_iter().map(source).collect(), heads: BinaryHeap::new() }
    }

    /// Writes all rows in order, repeats once.
    ///
    /// # Errors
    /// The first of a source or of the writer.
    pub(super) fn write(mut self, writer: &mut SampleWriter<'_>) -> Result<()> {
        (0..self.sources.len()).try_for_each(|index| self.offer(index))?;
        while let Some(Reverse((series, key, index))) = self.heads.pop() {
            let time = key.0;
            let other =
                self.heads.peek().filter(|Reverse(head)| head.0 == series).map(|Reverse(head)| head.1.0);
            if other == Some(time) {
                self.fold((series, time), index, writer)?;
                continue;
            }
            let Some(source) = self.sources.get_mut(index) else { continue };
            source.copy_run(other, writer)?;
            self.offer(index)?;
        }
        Ok(())
    }

    /// Puts a source in its place again, unless it has ended.
    fn offer(&mut self, index: usize) -> Result<()> {
        if let Some(source) = self.sources.get_mut(index)
            && let Some((series, key)) = source.head().map_err(|failure| failure.of(index))?
        {
            self.heads.push(Reverse((series, key, index)));
        }
        Ok(())
    }

    /// Writes the rows of one series and time, of which several sources have some; `first` comes first.
    fn fold(&mut self, at: (u64, i64), first: usize, writer: &mut SampleWriter<'_>) -> Result<()> {
        let mut outcome = Ok(());
        let mut write = |row: Row| match writer.push(&row.as_ref()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                outcome = Err(error);
                ControlFlow::Break(())
            }
        };
        let mut folder = Folder::new(false);
        let mut next = Some(first);
        while let Some(index) = next {
            if let Some(row) = self.sources.get_mut(index).and_then(Source::take)
                && folder.push(row, &mut write).is_break()
            {
                break;
            }
            self.offer(index)?;
            let goes_on = self.heads.peek().is_some_and(|Reverse(head)| (head.0, head.1.0) == at);
            next = goes_on.then(|| self.heads.pop()).flatten().map(|Reverse(head)| head.2);
        }
        let _stopped = folder.finish(&mut write).is_break();
        Ok(outcome?)
    }
}

impl Failure {
    /// The source's row group is known already; its index is not.
    fn of(self, index: usize) -> Self {
        Self { source: self.source.map(|(_, group)| (index, group)), ..self }
    }
}

impl Source {
    /// Series and key of the next row; reads on when a portion has ended.
    fn head(&mut self) -> Result<Option<(u64, RowKey)>> {
        if self.columns.as_ref().is_none_or(|columns| self.at >= columns.rows()) {
            // Not both portions at once.
            self.columns = None;
            let failed = |error, group| Failure { error, source: Some((0, group)) };
            self.columns =
                self.portions.next_portion().map_err(|error| failed(error, self.portions.group()))?;
            (self.at, self.series_end) = (0, 0);
        }
        let Some(columns) = &self.columns else { return Ok(None) };
        let series = columns.series_at(self.at);
        if self.series_end <= self.at {
            self.series_end = first_beyond(self.at, columns.rows(), |row| columns.series_at(row) == series);
        }
        let (partition, offset) = columns.place_at(self.at);
        Ok(Some((series, (columns.time_at(self.at), offset, partition))))
    }

    /// Writes the next rows of the series as far as they are of times before that of another source.
    fn copy_run(&mut self, other: Option<i64>, writer: &mut SampleWriter<'_>) -> Result<()> {
        let Some(columns) = &self.columns else { return Ok(()) };
        let end = match other {
            Some(limit) if columns.time_at(self.series_end - 1) >= limit => {
                first_beyond(self.at, self.series_end, |row| columns.time_at(row) < limit)
            }
            _ => self.series_end,
        };
        writer.append(columns, self.at..end)?;
        self.at = end;
        Ok(())
    }

    fn take(&mut self) -> Option<Row> {
        let row = self.columns.as_ref()?.row(self.at);
        self.at += 1;
        Some(row)
    }
}

/// The first row behind `at` for which something that holds for it does not hold any more; at most `end`. Looks at
/// few rows where that is near.
fn first_beyond(at: usize, end: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut step) = (at, 1);
    // Holds for `low`, always.
    while low + step < end && holds(low + step) {
        low += step;
        step *= 2;
    }
    let mut high = end.min(low + step);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low + 1
}

#[cfg(test)]
mod tests {
    use super::first_beyond;

    #[test]
    fn runs_end_where_they_end() {
        for end in 1..70 {
            for last in 0..end {
                assert_eq!(first_beyond(0, end, |row| row <= last), last + 1, "{last} of {end}");
            }
        }
    }
}
