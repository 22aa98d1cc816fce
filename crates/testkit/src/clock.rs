//! A clock that moves only when it is told to.

use gemba_base::Clock;
use gemba_model::DateTime;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// Both clocks of the machine, moved by hand. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<(DateTime, Duration)>>);

impl ManualClock {
    /// The wall clock stands at `now`, the monotonic one at zero.
    pub fn new(now: DateTime) -> Self {
        Self(Arc::new(Mutex::new((now, Duration::ZERO))))
    }

    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        let mut clocks = self.0.lock();
        clocks.0 = clocks.0.saturating_add(by);
        clocks.1 += by;
    }

    /// Sets the wall clock alone, as an administrator or a time server does.
    pub fn set(&self, now: DateTime) {
        self.0.lock().0 = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime {
        self.0.lock().0
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().1
    }
}
