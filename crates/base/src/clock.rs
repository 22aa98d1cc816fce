//! The only reader of the wall clock and the monotonic clock for state that is tested with virtual time.

use gemba_model::DateTime;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock in UTC. It may jump in both directions.
    fn now(&self) -> DateTime;
    /// Time since some fixed start; never goes back.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug, Clone)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Monotonic time starts at zero here.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> DateTime {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => DateTime::from_unix_nanos(since.as_nanos() as i128),
            Err(before) => DateTime::from_unix_nanos(-(before.duration().as_nanos() as i128)),
        }
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}
