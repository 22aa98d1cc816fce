//! Reading what the historian keeps.

use gemba_model::{DateTime, ErrorCode, StatusCode, Variant};
use std::ops::ControlFlow;

/// One series: a value of one node, for ever.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesInfo {
    /// Surrogate id; never changes and is never given to another series.
    pub id: u64,
    /// Field name in its data set.
    pub name: String,
    /// The node in `nsu=` form.
    pub node_id: String,
    /// The attribute; 13 is Value.
    pub attribute_id: u32,
    /// Endpoint URL of the server.
    pub source: String,
    /// Application URI of the server; empty when unknown.
    pub application_uri: String,
    /// The edge that delivers it.
    pub device: String,
    /// Writer group and writer, for people.
    pub writer_group: String,
    /// The writer's name.
    pub writer: String,
    /// Engineering unit; empty for none.
    pub unit: String,
    /// The newest sample.
    pub last: Option<StoredSample>,
}

/// A DataValue as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSample {
    /// Absent stays absent.
    pub source_timestamp: Option<DateTime>,
    /// Absent stays absent.
    pub server_timestamp: Option<DateTime>,
    /// Picoseconds of the source timestamp, in units of 10 ps.
    pub source_picoseconds: u16,
    /// Picoseconds of the server timestamp, in units of 10 ps.
    pub server_picoseconds: u16,
    /// When the hub took it: the time to sort by when both others are absent.
    pub received: DateTime,
    /// The value.
    pub value: Variant,
    /// All 32 bits.
    pub status: StatusCode,
}

impl StoredSample {
    /// The time by which samples are sorted: source, else server, else receive time.
    pub fn time(&self) -> DateTime {
        self.source_timestamp.or(self.server_timestamp).unwrap_or(self.received)
    }
}

/// A range of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleQuery {
    /// The series.
    pub series: u64,
    /// First instant.
    pub from: DateTime,
    /// First instant that does not belong to the range any more.
    pub to: DateTime,
    /// Newest first.
    pub descending: bool,
}

/// Aggregates of one interval of equal width. Numbers of Good and Uncertain samples only.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    /// Start of the interval.
    pub start: DateTime,
    /// Smallest value.
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Mean of the samples.
    pub avg: Option<f64>,
    /// Samples of any status.
    pub count: u64,
    /// Samples with status Bad.
    pub bad: u64,
    /// First sample with its time.
    pub first: Option<(DateTime, f64)>,
    /// Last sample with its time.
    pub last: Option<(DateTime, f64)>,
}

/// A file format of tables, for programs that compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// An Arrow IPC stream, uncompressed.
    ArrowStream,
    /// A Parquet file.
    Parquet,
}

/// A table in the making: samples in, the bytes of a file out. It holds a bounded number of rows at a time.
pub trait SampleTable: Send {
    /// Appends rows.
    ///
    /// # Errors
    /// When a value is of a kind that the table has no column for, because it came after the table was begun.
    fn push(&mut self, samples: &[StoredSample]) -> Result<(), HistoryError>;

    /// Takes what is ready of the file. All pieces together, with the end, are the file.
    fn take(&mut self) -> Vec<u8>;

    /// The end of the file, and what was not taken before it.
    ///
    /// # Errors
    /// As [`SampleTable::push`].
    fn finish(self: Box<Self>) -> Result<Vec<u8>, HistoryError>;
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Hand it back to go on; `None` at the end.
    pub continuation: Option<String>,
}

/// A read failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HistoryError {
    /// No such series.
    #[error("there is no series {0}")]
    UnknownSeries(u64),
    /// The continuation token is not one of ours.
    #[error("the continuation token is not valid")]
    InvalidContinuation,
    /// Storage failed; what can be read is not affected.
    #[error("{code}: {detail}")]
    Failed {
        /// Page under docs/errors.
        code: ErrorCode,
        /// What failed.
        detail: String,
    },
}

/// What the historian answers. Calls read files and may take milliseconds to seconds: run them on a
/// blocking thread.
pub trait History: Send + Sync + 'static {
    /// Series whose name, node or source contains every word of `search` (case ignored), by id.
    ///
    /// # Errors
    /// When the token is not valid.
    fn series(
        &self,
        search: &str,
        limit: usize,
        continuation: Option<&str>,
    ) -> Result<Page<SeriesInfo>, HistoryError>;

    /// One series.
    ///
    /// # Errors
    /// When there is none of this id.
    fn series_by_id(&self, id: u64) -> Result<SeriesInfo, HistoryError>;

    /// The newest samples of several series, in the order of `ids`; from memory.
    fn last(&self, ids: &[u64]) -> Vec<Option<StoredSample>>;

    /// All samples of a range in time order (equal times: in order of arrival), in chunks, until the
    /// receiver breaks. Each is complete when handed over; a chunk has at most 8,192 samples.
    ///
    /// # Errors
    /// When the series is unknown or storage fails.
    fn samples(
        &self,
        query: &SampleQuery,
        receiver: &mut dyn FnMut(Vec<StoredSample>) -> ControlFlow<()>,
    ) -> Result<(), HistoryError>;

    /// A table for the samples of a range, with a column for each kind of value in it (docs/formats/tables.md).
    ///
    /// # Errors
    /// When the series is unknown or storage fails.
    fn table(&self, format: TableFormat, query: &SampleQuery) -> Result<Box<dyn SampleTable>, HistoryError>;

    /// `count` intervals of equal width over a range; empty ones have count 0. `count` is 1–10,000.
    ///
    /// # Errors
    /// When the series is unknown or storage fails.
    fn buckets(
        &self,
        series: u64,
        from: DateTime,
        to: DateTime,
        count: u32,
    ) -> Result<Vec<Bucket>, HistoryError>;

    /// A number that grows with every sample taken in; live streams use it to see whether to look again.
    fn version(&self) -> u64;

    /// Ids of series with samples newer than a version (as [`History::version`] gave it), for live streams.
    fn changed_since(&self, version: u64, ids: &[u64]) -> Vec<u64>;
}
