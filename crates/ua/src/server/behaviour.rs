//! How a server misbehaves, for those who must show that their clients stand it. The default is to behave.

use gemba_model::DateTime;
use std::time::Duration;

/// Faults that a server shows on purpose, all off by default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Behaviour {
    /// Each answer leaves so much later than it could.
    pub answer_delay: Duration,
    /// All sessions are closed this often; their subscriptions stay until their lifetime ends.
    pub sessions_dropped_every: Option<Duration>,
    /// What the server's certificate is worth.
    pub certificate: CertificateFault,
    /// The server's clock: server timestamps, publish times, CurrentTime.
    pub clock: ClockSteps,
    /// Queues of one value lose without the overflow bit, as many servers' do.
    pub overflow_is_silent: bool,
    /// Data types of structures have no definition and no encoding, and variables name types that do not exist.
    pub broken_types: bool,
    /// What never ends.
    pub endless: Endless,
    /// Wrong counts, holes in sequence numbers, unknown client handles, short lists of results.
    pub lies: bool,
}

/// What is wrong with the server's certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CertificateFault {
    /// Nothing.
    #[default]
    Nothing,
    /// It ran out a year ago.
    Expired,
    /// After this time the server has a new key and a new certificate, and closes all connections.
    ReplacedAfter(Duration),
}

/// A clock that is right for a period, then ahead, then right, then behind, and so on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClockSteps {
    /// How far it jumps; zero for a clock that does not.
    pub by: Duration,
    /// How long it stays.
    pub every: Duration,
}

impl ClockSteps {
    /// What the clock shows at an instant; periods are counted from 1601.
    pub fn shown(&self, at: DateTime) -> DateTime {
        let period = i64::try_from(self.every.as_nanos() / 100).unwrap_or(i64::MAX);
        if period == 0 || self.by.is_zero() {
            return at;
        }
        match at.ticks().div_euclid(period).rem_euclid(4) {
            1 => at.saturating_add(self.by),
            3 => at.saturating_sub(self.by),
            _ => at,
        }
    }
}

/// Answers without an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Endless {
    /// None.
    #[default]
    Nothing,
    /// Browse and HistoryRead give a continuation point for ever, with the same page again and again.
    Pages,
    /// The answer to a Read of a value of the server's own nodes is a message that never has a last chunk.
    Chunks,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stepping_clock_goes_ahead_and_back_in_turns() {
        let steps = ClockSteps { by: Duration::from_secs(3600), every: Duration::from_secs(10) };
        let at = |second: i64| DateTime::from_ticks(second * 10_000_000);
        for (second, shown) in [(0, 0), (9, 9), (10, 3610), (19, 3619), (20, 20), (30, -3570), (40, 40)] {
            assert_eq!(steps.shown(at(second)), at(shown), "second {second}");
        }
        assert_eq!(ClockSteps::default().shown(at(15)), at(15));
    }
}
