//! How the historian behaves.

use std::time::Duration;

/// Limits and intervals; the defaults suit a gateway as well as a plant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistorianOptions {
    /// Bytes that samples in memory may take before they are written to files. At most 2 GiB. Up to three
    /// times as much is in use while two frozen tables wait for a slow disk; then ingest waits.
    pub memtable_bytes_max: usize,
    /// Samples in memory before they are written.
    pub memtable_rows_max: usize,
    /// Age of the oldest sample in memory before all are written.
    pub flush_interval: Duration,
    /// Days are deleted when they ended this long ago; `None` keeps them for ever.
    pub retention: Option<Duration>,
    /// A day has this many files that are not large at most; half as many of one size are merged into one.
    pub day_files_max: usize,
    /// Gap entries that the ledger keeps; beyond, the oldest closed ones go first and are counted.
    pub gaps_max: usize,
    /// Bytes of messages kept because their description is unknown; the values of more are lost, counted, and
    /// stand in the ledger.
    pub pending_bytes_max: usize,
    /// Bytes read from the log at a time.
    pub read_bytes: usize,
    /// Bytes of file footers kept in memory for reads.
    pub footer_bytes_max: usize,
}

impl Default for HistorianOptions {
    fn default() -> Self {
        Self {
            memtable_bytes_max: 48 << 20,
            memtable_rows_max: 2_000_000,
            flush_interval: Duration::from_secs(600),
            retention: None,
            day_files_max: 48,
            gaps_max: 200_000,
            pending_bytes_max: 64 << 20,
            read_bytes: 1 << 20,
            footer_bytes_max: 32 << 20,
        }
    }
}
