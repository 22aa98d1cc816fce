//! How old what waits is, by a clock that nobody sets.
//!
//! The wall clock may jump by hours; the age of a record must not. While the process runs, the monotonic clock tells it. Over
//! a restart only the wall clock is there, and it may have been set meanwhile: it counts, but never so much that what
//! was found at the start is dropped before the hub had a chance to take it.

use gemba_model::DateTime;
use std::collections::VecDeque;
use std::time::Duration;

/// What was found at a start stays for this long, or for the age limit if that is shorter, whatever the clock says.
const GRACE: Duration = Duration::from_secs(600);
/// Marks for one age limit: how exact ages are.
const PARTS: u32 = 64;

/// When records were written.
#[derive(Debug)]
pub(crate) struct Ages {
    limit: Duration,
    /// Wall clock and monotonic clock at the start.
    start: (DateTime, Duration),
    /// Records below this offset are from before the start.
    start_offset: u64,
    /// Last offset, when the first and when the last of the records up to it were written; oldest first.
    marks: VecDeque<(u64, Duration, Duration)>,
}

impl Ages {
    pub(crate) const fn new(limit: Duration, start: (DateTime, Duration), start_offset: u64) -> Self {
        Self { limit, start, start_offset, marks: VecDeque::new() }
    }

    /// A record was written now, by the monotonic clock.
    pub(crate) fn note(&mut self, offset: u64, now: Duration) {
        let part = self.limit / PARTS;
        match self.marks.back_mut() {
            Some(last) if now.saturating_sub(last.1) < part => (last.0, last.2) = (offset, now),
            _ => self.marks.push_back((offset, now, now)),
        }
        // Older ones are beyond the limit anyway: what they spoke of is taken for a little younger.
        if self.marks.len() > 4 * PARTS as usize {
            self.marks.pop_front();
        }
    }

    /// Whether a segment is older than the limit: all of it, by its last record and what the wall clock was then, if that can be
    /// read.
    pub(crate) fn is_over(&self, last_offset: u64, last_time: Option<DateTime>, now: Duration) -> bool {
        let age = if last_offset < self.start_offset {
            // None at all when the clock went back.
            let wall = last_time.map_or(Duration::ZERO, |time| self.start.0.since(time));
            let most = self.limit.saturating_sub(GRACE.min(self.limit));
            wall.min(most) + now.saturating_sub(self.start.1)
        } else {
            let written = self.marks.iter().find(|mark| mark.0 >= last_offset).map_or(now, |mark| mark.2);
            now.saturating_sub(written)
        };
        age > self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(hours: u64) -> DateTime {
        DateTime::from_unix_millis(0).saturating_add(HOUR * hours as u32)
    }

    #[test]
    fn a_wall_clock_that_jumps_makes_nothing_older() {
        let mut ages = Ages::new(HOUR, (at(100), Duration::ZERO), 0);
        for minute in 0..90 {
            ages.note(minute, Duration::from_secs(minute * 60));
        }
        let now = Duration::from_secs(90 * 60);
        for wall in [at(0), at(100), at(200)] {
            assert!(ages.is_over(20, Some(wall), now), "written 70 minutes ago");
            assert!(!ages.is_over(40, Some(wall), now), "written 50 minutes ago");
        }
        assert!(ages.marks.len() < 128);
    }

    #[test]
    fn what_was_found_at_a_start_counts_by_the_wall_clock_and_has_its_grace() {
        let ages = |limit| Ages::new(limit, (at(100), HOUR), 10);
        let over = |limit, written, later: u64| {
            ages(limit).is_over(9, Some(written), HOUR + Duration::from_secs(later))
        };
        assert!(!over(HOUR * 24, at(90), 13 * 3_600), "10 h and 13 h of 24");
        assert!(over(HOUR * 24, at(90), 15 * 3_600), "10 h and 15 h of 24");
        assert!(!over(HOUR * 24, at(0), 500), "long over, by a clock that may be wrong");
        assert!(over(HOUR * 24, at(0), 700), "its grace has passed");
        assert!(!over(HOUR * 24, at(200), 23 * 3_600), "from the future: counts from the start");
        assert!(over(HOUR * 24, at(200), 25 * 3_600));
        assert!(!over(Duration::from_secs(60), at(0), 50), "a grace of a limit at most");
        assert!(over(Duration::from_secs(60), at(0), 70));
    }
}
