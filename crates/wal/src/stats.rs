//! What a log can tell about itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Whether appends go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogState {
    /// The last append went through, or none was made yet.
    Healthy,
    /// The volume's reserve is reached; recovers by itself.
    DiskFull,
    /// The log's own limit is reached; recovers by itself after a trim.
    Full,
    /// A disk error stopped the log until it is opened again.
    Poisoned,
}

/// A snapshot of a log's figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Stats {
    /// Whether appends go through.
    pub state: LogState,
    /// The oldest offset that is kept.
    pub first_offset: u64,
    /// The offset that the next frame will get; every frame below it is durable.
    pub next_offset: u64,
    /// Size of all segment files.
    pub bytes: u64,
    /// Number of segment files.
    pub segments: usize,
    /// Bytes that wait for the committer.
    pub queue_bytes: usize,
    /// Appends that wait for the committer.
    pub queue_appends: usize,
    /// Appends acknowledged since the log was opened.
    pub appends: u64,
    /// Appends refused with `DiskFull` or `Full` since the log was opened.
    pub refused: u64,
    /// Group commits, each one write and one sync, since the log was opened.
    pub syncs: u64,
    /// How long the last write and sync took.
    pub last_sync: Duration,
    /// Frames that readers found corrupt since the log was opened; each reader counts for itself.
    pub corrupt_frames_read: u64,
}

impl Stats {
    /// How many appends shared a sync on average; 0 before the first.
    pub fn frames_per_sync(&self) -> f64 {
        if self.syncs == 0 { 0.0 } else { self.appends as f64 / self.syncs as f64 }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) appends: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) last_sync_nanos: AtomicU64,
    pub(crate) corrupt_frames_read: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn value(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}
