//! Reading a sample file: only the pages that hold a series, each row group checked once against its checksum.

mod footer;
mod portions;
mod values;

use super::FileEntry;
use super::columns::{KEY_COVERED, KEY_PART, KEY_RECEIVED, KEY_REPLACES};
use super::decode::{Columns, Constants};
use super::io::PositionedFile;
use super::received::ReceivedTable;
use crate::day::TimeRange;
use crate::error::{HistorianError, Result};
use crate::row::Row;
use crate::table::Kinds;
use arrow_array::RecordBatch;
use footer::{Places, bounds, check_format, groups, nulls, pages_in_order, ticks, value};
use gemba_base::disk::Disk;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::reader::Length;
use parquet::file::statistics::Statistics;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use portions::Portions;
pub(crate) use values::{Statuses, Values};

/// Pages that are decoded together at most, so that a read of millions of rows holds few of them.
const SPAN_PAGES: usize = 4;

/// Rows of one row group: some of its pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) group: usize,
    pub(crate) rows: Range<usize>,
    pages: Range<usize>,
}

/// How much of each row is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// All of it.
    Full,
    /// Source time, status and value; the rest only where the row's time comes from it.
    Value,
}

/// Which rows of a span are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) series: u64,
    pub(crate) range: TimeRange,
}

#[derive(Debug)]
struct Group {
    bytes: Range<u64>,
    crc: u32,
    checked: AtomicBool,
    rows: usize,
    series: (u64, u64),
}

/// A file with its footer and page index in memory.
#[derive(Debug)]
pub(crate) struct OpenFile {
    path: PathBuf,
    file: PositionedFile,
    metadata: ArrowReaderMetadata,
    /// Columns that hold anything but nulls.
    used: Vec<usize>,
    /// Index of each column that is treated apart.
    at: Places,
    /// Receive times that are not in the column.
    received: Option<Arc<ReceivedTable>>,
    groups: Vec<Group>,
    footer_bytes: usize,
}

impl OpenFile {
    pub(crate) fn open(disk: &dyn Disk, path: &Path, entry: &FileEntry) -> Result<Self> {
        let storage = |source| HistorianError::Storage { path: path.to_owned(), source };
        let damaged = |detail: &str| HistorianError::damaged(path, detail);
        let file = match disk.open(path, false).and_then(PositionedFile::new) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged("the file is not there any more"));
            }
            Err(error) => return Err(storage(error)),
        };
        let tail =
            file.bytes(entry.tail, entry.bytes).map_err(|error| HistorianError::unread(path, error))?;
        if crc32c::crc32c(&tail) != entry.tail_crc {
            return Err(damaged("the checksum of its footer is wrong"));
        }
        drop(tail);
        Self::from_footer(path, file)
    }

    /// Opens a file of which no manifest tells. Its times are for the caller to find.
    pub(crate) fn adopt(disk: &dyn Disk, path: &Path, name: String) -> Result<(Self, FileEntry)> {
        let damaged = |error: io::Error| HistorianError::damaged(path, error);
        let file = disk.open(path, false).and_then(PositionedFile::new).map_err(damaged)?;
        let opened = Self::from_footer(path, file)?;
        let bytes = opened.file.len();
        let tail = opened.groups.last().map_or(0, |group| group.bytes.end);
        let tail_bytes = opened.file.bytes(tail, bytes).map_err(damaged)?;
        let series = opened.groups.iter().fold((u64::MAX, 0), |all: (u64, u64), group| {
            (all.0.min(group.series.0), all.1.max(group.series.1))
        });
        let entry = FileEntry {
            path: name,
            rows: opened.groups.iter().map(|group| group.rows as u64).sum(),
            bytes,
            series,
            time: (i64::MAX, i64::MIN),
            received: i64::MIN,
            tail,
            tail_crc: crc32c::crc32c(&tail_bytes),
        };
        Ok((opened, entry))
    }

    /// What the file says it covers, by partition.
    pub(crate) fn covered(&self) -> BTreeMap<u32, u64> {
        let text = value(self.metadata.metadata(), KEY_COVERED).unwrap_or_default();
        let pair = |part: &str| {
            let (partition, offset) = part.split_once(':')?;
            Some((partition.parse().ok()?, offset.parse().ok()?))
        };
        text.split(',').filter_map(pair).collect()
    }

    /// Its place among the files of its flush, and how many those are.
    pub(crate) fn part(&self) -> Option<(usize, usize)> {
        let (part, count) = value(self.metadata.metadata(), KEY_PART)?.split_once('/')?;
        Some((part.parse().ok()?, count.parse().ok()?))
    }

    /// Paths of the files that this one replaces.
    pub(crate) fn replaces(&self) -> Vec<String> {
        let text = value(self.metadata.metadata(), KEY_REPLACES).unwrap_or_default();
        text.split(',').filter(|path| !path.is_empty()).map(str::to_owned).collect()
    }

    pub(crate) fn from_footer(path: &Path, file: PositionedFile) -> Result<Self> {
        guarded(path, || Self::parse(path.to_owned(), file))
    }

    fn parse(path: PathBuf, file: PositionedFile) -> Result<Self> {
        let options = ArrowReaderOptions::new()
            .with_skip_arrow_metadata(true)
            .with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = ArrowReaderMetadata::load(&file, options).map_err(|error| match error {
            ParquetError::External(source) => match source.downcast::<io::Error>() {
                Ok(source) => HistorianError::unread(&path, *source),
                Err(other) => HistorianError::damaged(&path, other),
            },
            other => HistorianError::damaged(&path, other),
        })?;
        let footer = metadata.metadata();
        check_format(&path, footer)?;
        let groups = groups(footer).ok_or_else(|| {
            HistorianError::damaged(&path, "what it says of its row groups is not complete")
        })?;
        if !pages_in_order(footer) {
            return Err(HistorianError::damaged(&path, "its pages do not follow each other"));
        }
        let columns = metadata.parquet_schema().num_columns();
        let used = (0..columns).filter(|&column| {
            footer.row_groups().iter().any(|group| {
                let chunk = group.column(column);
                let nulls = chunk.statistics().and_then(|statistics| statistics.null_count_opt());
                nulls.is_none_or(|nulls| nulls < chunk.num_values() as u64)
            })
        });
        let used = used.collect();
        let missing = || HistorianError::damaged(&path, "a column is missing");
        let at = Places::of(footer).ok_or_else(missing)?;
        let received = match value(footer, KEY_RECEIVED) {
            Some(text) => {
                let table = ReceivedTable::decode(text)
                    .ok_or_else(|| HistorianError::damaged(&path, "its receive times cannot be read"))?;
                Some(Arc::new(table))
            }
            None => None,
        };
        let footer_bytes = footer.memory_size() + received.as_ref().map_or(0, |table| table.memory());
        Ok(Self { path, file, metadata, used, at, received, groups, footer_bytes })
    }

    /// Receive times that are not in the column.
    pub(crate) fn received(&self) -> Option<&ReceivedTable> {
        self.received.as_deref()
    }

    pub(crate) const fn footer_bytes(&self) -> usize {
        self.footer_bytes
    }

    /// Spans that may hold wanted rows, in order.
    pub(crate) fn spans(&self, wanted: Wanted) -> Vec<Span> {
        let mut spans = Vec::new();
        for (group, facts) in self.groups.iter().enumerate() {
            if facts.series.0 <= wanted.series && wanted.series <= facts.series.1 {
                self.group_spans(group, |page| self.may_hold(group, page, wanted), &mut spans);
            }
        }
        spans
    }

    /// Spans that cover the whole file, in order.
    pub(crate) fn all_spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        (0..self.groups.len()).for_each(|group| self.group_spans(group, |_| true, &mut spans));
        spans
    }

    fn group_spans(&self, group: usize, wanted: impl Fn(usize) -> bool, spans: &mut Vec<Span>) {
        let Some(facts) = self.groups.get(group) else { return };
        let locations = self
            .metadata
            .metadata()
            .offset_index()
            .and_then(|index| index.get(group)?.get(self.at.series))
            .map_or(&[][..], |pages| pages.page_locations().as_slice());
        let start = |page: usize| locations.get(page).map_or(facts.rows, |at| at.first_row_index as usize);
        for page in (0..locations.len().max(1)).filter(|&page| wanted(page)) {
            let rows = (if page == 0 { 0 } else { start(page) })..start(page + 1);
            match spans.last_mut() {
                Some(last)
                    if last.group == group && last.pages.end == page && last.pages.len() < SPAN_PAGES =>
                {
                    last.rows.end = rows.end;
                    last.pages.end = page + 1;
                }
                _ => spans.push(Span { group, rows, pages: page..page + 1 }),
            }
        }
    }

    /// Whether a page may hold wanted rows, by the smallest and largest series and source time in it.
    fn may_hold(&self, group: usize, page: usize, wanted: Wanted) -> bool {
        let Some(index) = self.metadata.metadata().column_index().and_then(|index| index.get(group)) else {
            return true;
        };
        if let Some((first, last)) = index.get(self.at.series).and_then(|column| bounds(column, page))
            && (wanted.series < first as u64 || (last as u64) < wanted.series)
        {
            return false;
        }
        // Only where each row has a source time does that say by which times the rows are sorted.
        match index.get(self.at.source_ts) {
            Some(column) if nulls(column, page) == Some(0) => match bounds(column, page) {
                Some((first, last)) => wanted.range.meets((ticks(first), ticks(last).saturating_add(9))),
                None => true,
            },
            _ => true,
        }
    }

    /// Wanted rows of a span (all of them without `wanted`), in the file's order.
    pub(crate) fn load(&self, span: &Span, wanted: Option<Wanted>, detail: Detail) -> Result<Vec<Row>> {
        self.check(span.group)?;
        guarded(&self.path, || self.read_rows(span, wanted, detail))
    }

    /// Some columns of a span.
    fn batches(&self, span: &Span, columns: ProjectionMask) -> Result<Vec<RecordBatch>> {
        let failed = |error: &dyn std::fmt::Display| self.blame(span.group, error);
        let selection = RowSelection::from(vec![
            RowSelector::skip(span.rows.start),
            RowSelector::select(span.rows.len()),
        ]);
        let reader =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.metadata.clone())
                .with_projection(columns)
                .with_row_groups(vec![span.group])
                .with_row_selection(selection)
                .with_batch_size(span.rows.len().max(1))
                .build()
                .map_err(|error| failed(&error))?;
        reader.collect::<std::result::Result<_, _>>().map_err(|error| failed(&error))
    }

    fn read_rows(&self, span: &Span, wanted: Option<Wanted>, detail: Detail) -> Result<Vec<Row>> {
        let constants = self.constants(span);
        let brief = detail == Detail::Value && self.has_source_times(span);
        let messages = self.received.as_ref().filter(|_| !brief);
        let mut rows = Vec::new();
        for batch in self.batches(span, self.projection(&constants, brief))? {
            let columns = Columns::new(&batch, constants, messages.cloned());
            match wanted {
                None => rows.extend((0..batch.num_rows()).map(|index| columns.row(index))),
                Some(wanted) => rows.extend(
                    columns
                        .rows_of(wanted.series)
                        .map(|index| columns.row(index))
                        .filter(|row| wanted.range.holds(row.time)),
                ),
            }
        }
        Ok(rows)
    }

    /// Adds the kinds of the values that a series has in a span.
    pub(crate) fn kinds(&self, span: &Span, wanted: Wanted, kinds: &mut Kinds) -> Result<()> {
        let constants = self.constants(span);
        if let (Some(series), Some(kind)) = (constants.series, constants.kind) {
            if series == wanted.series {
                kinds.add(kind);
            }
            return Ok(());
        }
        self.check(span.group)?;
        guarded(&self.path, || {
            let columns = [self.at.series, self.at.kind];
            for batch in
                self.batches(span, ProjectionMask::leaves(self.metadata.parquet_schema(), columns))?
            {
                let columns = Columns::new(&batch, Constants::default(), None);
                columns.kinds_of(wanted.series).for_each(|kind| kinds.add(kind));
            }
            Ok(())
        })
    }

    /// Columns that hold one value alone in all pages of a span.
    fn constants(&self, span: &Span) -> Constants {
        let index = self.metadata.metadata().column_index().and_then(|index| index.get(span.group));
        let constant = |column: usize| {
            let column = index?.get(column)?;
            let mut found = None;
            for page in span.pages.clone() {
                let (first, last) = bounds(column, page)?;
                if first != last || nulls(column, page) != Some(0) || found.is_some_and(|f| f != first) {
                    return None;
                }
                found = Some(first);
            }
            found
        };
        Constants {
            series: constant(self.at.series).map(|id| id as u64),
            kind: constant(self.at.kind).and_then(|kind| u8::try_from(kind).ok()),
            status: constant(self.at.status).map(|status| status as u32),
            partition: constant(self.at.partition).map(|partition| partition as u32),
        }
    }

    /// Whether every row of a span has a source timestamp, by which it is sorted.
    fn has_source_times(&self, span: &Span) -> bool {
        let index = self.metadata.metadata().column_index().and_then(|index| index.get(span.group));
        let times = index.and_then(|index| index.get(self.at.source_ts));
        times.is_some_and(|times| span.pages.clone().all(|page| nulls(times, page) == Some(0)))
    }

    /// The columns to decode; a brief read leaves out server time, place and receive time.
    fn projection(&self, constants: &Constants, brief: bool) -> ProjectionMask {
        let skip = |column: usize| {
            let at = &self.at;
            (column == at.series && constants.series.is_some())
                || (column == at.kind && constants.kind.is_some())
                || (column == at.status && constants.status.is_some())
                || (column == at.partition && (brief || constants.partition.is_some()))
                || (brief
                    && (column == at.offset || column == at.received || at.server.contains(&Some(column))))
        };
        let wanted = self.used.iter().copied().filter(|&column| !skip(column));
        ProjectionMask::leaves(self.metadata.parquet_schema(), wanted)
    }

    /// Compares a row group with its checksum, the first time that it is read.
    pub(crate) fn check(&self, group: usize) -> Result<()> {
        let Some(facts) = self.groups.get(group) else { return Ok(()) };
        if facts.checked.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.verify(group)?;
        facts.checked.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn verify(&self, group: usize) -> Result<()> {
        let Some(facts) = self.groups.get(group) else { return Ok(()) };
        let bytes = self
            .file
            .bytes(facts.bytes.start, facts.bytes.end)
            .map_err(|error| HistorianError::unread(&self.path, error))?;
        if crc32c::crc32c(&bytes) != facts.crc {
            let detail = format!("the checksum of row group {group} is wrong");
            return Err(HistorianError::damaged(&self.path, detail));
        }
        Ok(())
    }

    /// Smallest and largest time of a row group whose rows all have a source time.
    pub(crate) fn group_times(&self, group: usize) -> Option<(i64, i64)> {
        let chunk = self.metadata.metadata().row_groups().get(group)?.columns().get(self.at.source_ts)?;
        match chunk.statistics()? {
            Statistics::Int64(times) if times.null_count_opt() == Some(0) => {
                Some((ticks(*times.min_opt()?), ticks(*times.max_opt()?).saturating_add(9)))
            }
            _ => None,
        }
    }

    /// Takes all checksums for right, so that what they guard is read whatever it is.
    pub(crate) fn trust(&self) {
        self.groups.iter().for_each(|group| group.checked.store(true, Ordering::Relaxed));
    }

    /// Smallest and largest series of a row group.
    pub(crate) fn group_series(&self, group: usize) -> (u64, u64) {
        self.groups.get(group).map_or((0, 0), |facts| facts.series)
    }
}

/// The Parquet crate believes what a file says. Bytes that nobody wrote, though their checksum be right, must not
/// take the process along.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    let read = catch_unwind(AssertUnwindSafe(read));
    read.unwrap_or_else(|_| Err(HistorianError::damaged(path, "its bytes contradict each other")))
}
