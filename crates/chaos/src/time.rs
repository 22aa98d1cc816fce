//! Time that nobody waits for, and clocks that are set wrong.

use gemba_base::Clock;
use gemba_model::DateTime;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// 2026-03-01T00:00:00Z: when every run begins.
const BEGIN: DateTime = DateTime::from_unix_millis(1_772_323_200_000);
const TICKS_PER_SECOND: i64 = 10_000_000;

/// The time that is: of the machines, and of whoever looks from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrueTime {
    start: Instant,
}

impl TrueTime {
    /// Begins now.
    pub(crate) fn begin() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn now(self) -> DateTime {
        BEGIN.saturating_add(self.elapsed())
    }
}

/// The clock of one computer: true time and how far it is off. Clones are the same clock.
#[derive(Debug, Clone)]
pub(crate) struct NodeClock {
    time: TrueTime,
    off_ticks: Arc<AtomicI64>,
}

impl NodeClock {
    pub(crate) fn new(time: TrueTime) -> Self {
        Self { time, off_ticks: Arc::new(AtomicI64::new(0)) }
    }

    /// Sets the wall clock so many seconds off true time. The monotonic one does not care.
    pub(crate) fn set_off(&self, seconds: i64) {
        self.off_ticks.store(seconds * TICKS_PER_SECOND, Ordering::Relaxed);
    }
}

impl NodeClock {
    /// How many seconds it is off.
    pub(crate) fn off_seconds(&self) -> i64 {
        self.off_ticks.load(Ordering::Relaxed) / TICKS_PER_SECOND
    }
}

impl Clock for NodeClock {
    fn now(&self) -> DateTime {
        self.time.now().saturating_add_ticks(self.off_ticks.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.time.elapsed()
    }
}
