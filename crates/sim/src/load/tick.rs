//! Which ticks are due, when the wall clock is not always read in time.

use super::counter::{counter_at, instant_of};
use gemba_model::DateTime;
use std::ops::RangeInclusive;
use std::time::Duration;

/// After a longer stall the oldest ticks are skipped and counted: at most so many are written at once.
pub(crate) const CATCH_UP_MAX: u64 = 100;

/// The ticks of one group of tags.
#[derive(Debug)]
pub(crate) struct Ticks {
    period: Duration,
    last: u64,
    skipped: u64,
}

impl Ticks {
    /// The first ones due come after this one.
    pub(crate) fn new(last: u64, period: Duration) -> Self {
        Self { period, last, skipped: 0 }
    }

    /// Ticks that were never written, since the last call.
    pub(crate) fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }

    /// The ticks that came since the last call, oldest first. A clock that goes back gives none until it
    /// has passed the last one again, so that no counter ever goes back.
    pub(crate) fn due(&mut self, now: DateTime) -> Option<RangeInclusive<u64>> {
        let current = counter_at(now, self.period);
        if current <= self.last {
            return None;
        }
        let first = (self.last + 1).max(current.saturating_sub(CATCH_UP_MAX - 1));
        self.skipped += first - (self.last + 1);
        self.last = current;
        Some(first..=current)
    }

    /// How long until the next tick.
    pub(crate) fn wait(&self, now: DateTime) -> Duration {
        instant_of(self.last + 1, self.period).since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: f64) -> DateTime {
        instant_of(1000, SECOND).saturating_add(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn late_ticks_are_made_up_for_and_stalls_are_counted() {
        let mut ticks = Ticks::new(1000, SECOND);
        assert_eq!(ticks.due(at(0.9)), None);
        assert_eq!(ticks.due(at(1.0)), Some(1001..=1001));
        assert_eq!(ticks.due(at(4.5)), Some(1002..=1004));
        assert_eq!(ticks.wait(at(4.5)), SECOND / 2);
        assert_eq!(ticks.take_skipped(), 0);
        assert_eq!(ticks.due(at(300.0)), Some(1201..=1300));
        assert_eq!(ticks.take_skipped(), 196);
    }

    #[test]
    fn a_clock_that_goes_back_never_takes_a_counter_back() {
        let mut ticks = Ticks::new(1100, SECOND);
        assert_eq!(ticks.due(at(50.0)), None);
        assert_eq!(ticks.due(at(100.5)), None);
        assert_eq!(ticks.due(at(101.0)), Some(1101..=1101));
    }
}
