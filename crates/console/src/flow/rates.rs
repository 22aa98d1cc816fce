//! From counters of one instance to values per second.

use super::rounded;
use crate::shapes::Rate;
use gemba_api::flow::StageReport;
use gemba_model::DateTime;
use std::collections::VecDeque;
use std::time::Duration;

/// Rates are means over this long, or over the last two reports if these lie further apart.
const WINDOW: Duration = Duration::from_secs(10);
/// Edges report every few seconds; one that has been quiet for so long has no rate.
const STALE_AFTER: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy)]
struct Mark {
    at: DateTime,
    came_in: u64,
    went_out: u64,
}

/// The counters of one stage of one process, as far as its rate needs them. Sums go on over restarts of
/// the process.
#[derive(Debug, Default)]
pub(crate) struct Instance {
    marks: VecDeque<Mark>,
    reported: Option<(u64, u64)>,
    heard: Duration,
}

impl Instance {
    /// Takes a report, which may be one that was taken before. Returns the values in and out since the last.
    pub(crate) fn take(&mut self, report: &StageReport, monotonic: Duration) -> (u64, u64) {
        let newest = self.marks.back().copied();
        if newest.is_some_and(|newest| newest.at == report.at) {
            return (0, 0);
        }
        self.heard = monotonic;
        let (came_in, went_out) = match self.reported {
            // Values from before the first report belong to no second that was seen.
            None => (0, 0),
            Some((before_in, before_out)) => {
                (grown(before_in, report.values_in), grown(before_out, report.values_out))
            }
        };
        self.reported = Some((report.values_in, report.values_out));
        let last = newest.unwrap_or(Mark { at: report.at, came_in: 0, went_out: 0 });
        if report.at < last.at {
            // Its clock was set back: differences to earlier marks mean nothing.
            self.marks.clear();
        }
        self.marks.push_back(Mark {
            at: report.at,
            came_in: last.came_in.saturating_add(came_in),
            went_out: last.went_out.saturating_add(went_out),
        });
        while self.marks.len() > 2 && self.marks.get(1).is_some_and(|next| report.at.since(next.at) >= WINDOW)
        {
            self.marks.pop_front();
        }
        (came_in, went_out)
    }

    /// Values per second over the window; nothing if it has been quiet for long.
    pub(crate) fn rate(&self, monotonic: Duration) -> Rate {
        let (Some(first), Some(last)) = (self.marks.front(), self.marks.back()) else {
            return Rate::default();
        };
        let seconds = last.at.since(first.at).as_secs_f64();
        if seconds <= 0.0 || monotonic.saturating_sub(self.heard) > STALE_AFTER {
            return Rate::default();
        }
        Rate {
            values_in: rounded((last.came_in - first.came_in) as f64 / seconds),
            values_out: rounded((last.went_out - first.went_out) as f64 / seconds),
        }
    }

    /// When the last new report came.
    pub(crate) const fn heard(&self) -> Duration {
        self.heard
    }
}

/// A counter that is smaller than before began at zero again: the process was restarted.
const fn grown(before: u64, now: u64) -> u64 {
    if now >= before { now - before } else { now }
}
