//! How real servers differ and fail, as presets with names: each changes a server's options or its values.
//!
//! What the values of a counter become can be recomputed under every personality; each says how.

use crate::error::SimError;
use gemba_model::{DateTime, StatusCode};
use gemba_ua::server::{CertificateFault, ClockSteps, Endless, EndpointSecurity, ServerOptions};
use std::str::FromStr;
use std::time::Duration;

/// What a server is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trait {
    /// Ten nodes in one Read, ten items in one call: more is BadTooManyOperations.
    SmallLimits,
    /// A hundred items in one subscription: more are BadTooManyMonitoredItems.
    FewItems,
    /// Two publish requests wait for a subscription: a third one is BadTooManyPublishRequests for the oldest.
    FewPublishes,
    /// Every answer comes late.
    Slow,
    /// All sessions are closed again and again; subscriptions stay.
    DropsSessions,
    /// A new key and certificate after a time; all connections are cut then.
    NewCertificate,
    /// The certificate ran out a year ago.
    ExpiredCertificate,
    /// The clock is right, an hour ahead, right, an hour behind, in turns: [`ClockSteps::shown`].
    ClockJumps,
    /// Items have queues of one value, and lose without saying so.
    QueueOfOne,
    /// Values have no source timestamp.
    NoTimestamps,
    /// Source timestamps are whole seconds, rounded down.
    CoarseTimestamps,
    /// Each tick has a second value at the same timestamp: that of the tick plus [`TWIN`].
    Twins,
    /// The status changes with each tick: [`ValueFaults::status`].
    Flapping,
    /// Structures have types that cannot be looked up.
    BrokenTypes,
    /// Browse and HistoryRead never come to an end.
    EndlessPages,
    /// The answer to a Read of a tag is one message without an end.
    EndlessChunks,
    /// Wrong counts, holes in sequence numbers, unknown client handles, lists of results that are too short.
    Liar,
    /// Values are kept for HistoryRead.
    History,
}

/// A trait with its measure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Personality {
    /// What the server is like.
    pub kind: Trait,
    /// How long or how often, where the trait has a time.
    pub time: Duration,
}

/// The value of a twin lies so many ticks ahead of its sister's.
pub const TWIN: u64 = 1 << 40;

const LIMIT: usize = 10;
const ITEMS: usize = 100;
const PUBLISHES: usize = 2;
const JUMP: Duration = Duration::from_secs(3600);

/// All there are: the name, the time that it has when none is given, and a line for people.
const ALL: [(Trait, &str, Option<f64>, &str); 18] = [
    (Trait::SmallLimits, "small-limits", None, "10 nodes in a Read, 10 items in a call"),
    (Trait::FewItems, "few-items", None, "100 items in a subscription"),
    (
        Trait::FewPublishes,
        "few-publishes",
        None,
        "2 publish requests wait for a subscription, a third is refused",
    ),
    (Trait::Slow, "slow", Some(0.5), "answers come half a second late"),
    (Trait::DropsSessions, "drops-sessions", Some(10.0), "all sessions are closed every 10 seconds"),
    (Trait::NewCertificate, "new-certificate", Some(10.0), "a new certificate after 10 seconds"),
    (Trait::ExpiredCertificate, "expired-certificate", None, "the certificate ran out a year ago"),
    (Trait::ClockJumps, "clock-jumps", Some(10.0), "the clock jumps an hour ahead and back every 10 seconds"),
    (Trait::QueueOfOne, "queue-of-one", None, "items keep one value and do not say what they lost"),
    (Trait::NoTimestamps, "no-timestamps", None, "values have no source timestamp"),
    (Trait::CoarseTimestamps, "coarse-timestamps", None, "source timestamps are whole seconds"),
    (Trait::Twins, "twins", None, "two values at each timestamp"),
    (Trait::Flapping, "flapping", None, "the status changes with each value"),
    (Trait::BrokenTypes, "broken-types", None, "types of structures cannot be looked up"),
    (Trait::EndlessPages, "endless-pages", None, "Browse and HistoryRead go on for ever"),
    (Trait::EndlessChunks, "endless-chunks", None, "the answer to a Read of a tag never ends"),
    (Trait::Liar, "liar", None, "wrong counts, sequence numbers, handles and lists of results"),
    (Trait::History, "history", Some(3600.0), "values are kept for an hour for HistoryRead"),
];

impl Personality {
    /// The trait with the time that its preset has.
    pub fn new(kind: Trait) -> Self {
        let seconds = ALL.iter().find(|known| known.0 == kind).and_then(|known| known.2);
        Self { kind, time: Duration::from_secs_f64(seconds.unwrap_or(0.0)) }
    }

    /// The trait with another time.
    pub const fn timed(kind: Trait, time: Duration) -> Self {
        Self { kind, time }
    }

    /// The names of all presets, in the order in which they are shown.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|known| known.1)
    }

    /// Makes a server so. Personalities that change the same thing: the last one holds.
    pub(crate) fn shape(self, server: &mut ServerOptions, values: &mut ValueFaults) {
        let (limits, behaviour) = (&mut server.limits, &mut server.behaviour);
        match self.kind {
            Trait::SmallLimits => {
                limits.nodes_per_read = LIMIT;
                limits.monitored_items_per_call = LIMIT;
            }
            Trait::FewItems => limits.items_per_subscription = ITEMS,
            Trait::FewPublishes => limits.publish_requests_per_subscription = PUBLISHES,
            Trait::Slow => behaviour.answer_delay = self.time,
            Trait::DropsSessions => behaviour.sessions_dropped_every = Some(self.time),
            Trait::NewCertificate => {
                behaviour.certificate = CertificateFault::ReplacedAfter(self.time);
                server.security = EndpointSecurity::ALL.to_vec();
            }
            Trait::ExpiredCertificate => {
                behaviour.certificate = CertificateFault::Expired;
                server.security = EndpointSecurity::ALL.to_vec();
            }
            Trait::ClockJumps => {
                let steps = ClockSteps { by: JUMP, every: self.time };
                behaviour.clock = steps;
                values.clock = steps;
            }
            Trait::QueueOfOne => {
                limits.queue_size = 1;
                behaviour.overflow_is_silent = true;
            }
            Trait::NoTimestamps => values.timestamps = SourceTimestamps::None,
            Trait::CoarseTimestamps => values.timestamps = SourceTimestamps::Seconds,
            Trait::Twins => values.twins = true,
            Trait::Flapping => values.flapping = true,
            Trait::BrokenTypes => behaviour.broken_types = true,
            Trait::EndlessPages => behaviour.endless = Endless::Pages,
            Trait::EndlessChunks => behaviour.endless = Endless::Chunks,
            Trait::Liar => behaviour.lies = true,
            Trait::History => server.history = self.time,
        }
        if self.kind == Trait::EndlessPages && server.history.is_zero() {
            // There must be some history that does not end.
            server.history = Duration::from_secs(60);
        }
    }
}

impl FromStr for Personality {
    type Err = SimError;

    /// `NAME`, or `NAME=SECONDS` for those with a time.
    fn from_str(text: &str) -> Result<Self, SimError> {
        let error = |range| SimError::Option { option: "personality", given: text.to_owned(), range };
        let (name, seconds) = match text.split_once('=') {
            Some((name, seconds)) => (name, Some(seconds)),
            None => (text, None),
        };
        let known = ALL.iter().find(|known| known.1 == name).ok_or_else(|| error(names_in_line()))?;
        let Some(seconds) = seconds else { return Ok(Self::new(known.0)) };
        if known.2.is_none() {
            return Err(error("a personality without a time: leave the = away"));
        }
        let time = seconds.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let time = time.filter(|time| (Duration::from_millis(1)..=DAY).contains(time));
        Ok(Self {
            kind: known.0,
            time: time.ok_or_else(|| error("NAME=SECONDS with 0.001 to 86400 seconds"))?,
        })
    }
}

const DAY: Duration = Duration::from_secs(86_400);

fn names_in_line() -> &'static str {
    "one of small-limits, few-items, few-publishes, slow, drops-sessions, new-certificate, expired-certificate, \
     clock-jumps, queue-of-one, no-timestamps, coarse-timestamps, twins, flapping, broken-types, endless-pages, \
     endless-chunks, liar, history"
}

/// Personalities of one server from `NAME[=SECONDS]`, joined by `+`.
///
/// # Errors
/// When one is not known.
pub fn parse(text: &str) -> Result<Vec<Personality>, SimError> {
    text.split('+').map(str::parse).collect()
}

/// A line for each preset.
pub fn help() -> String {
    let mut text =
        "What servers are like; several joined by + are for one server, and servers take those of \
                    several options in turn. Where a time stands another one may be given, as in slow=2:"
            .to_owned();
    for (_, name, _, about) in ALL {
        text.push_str(&format!("\n  {name:<20} {about}"));
    }
    text
}

/// What happens to source timestamps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SourceTimestamps {
    /// They are exact.
    #[default]
    Exact,
    /// There are none.
    None,
    /// They are whole seconds, rounded down.
    Seconds,
}

/// What happens to values before a server gets them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ValueFaults {
    /// Source timestamps.
    pub timestamps: SourceTimestamps,
    /// Two values at each timestamp.
    pub twins: bool,
    /// A status that changes with each tick.
    pub flapping: bool,
    /// The clock of source and server.
    pub clock: ClockSteps,
}

const TICKS_PER_SECOND: i64 = 10_000_000;

impl ValueFaults {
    /// The source timestamp of a value that was taken at this instant.
    pub fn source_timestamp(&self, at: DateTime) -> Option<DateTime> {
        let shown = self.clock.shown(at);
        match self.timestamps {
            SourceTimestamps::Exact => Some(shown),
            SourceTimestamps::None => None,
            SourceTimestamps::Seconds => {
                let over = shown.ticks().rem_euclid(TICKS_PER_SECOND);
                Some(shown.saturating_add_ticks(-over))
            }
        }
    }

    /// The status of a tick: when it flaps, for the rest of the tick by 4: 0 and 2 Good, 1
    /// UncertainLastUsableValue, 3 BadCommunicationError.
    pub fn status(&self, tick: u64) -> StatusCode {
        let name = match (self.flapping, tick % 4) {
            (true, 1) => "UncertainLastUsableValue",
            (true, 3) => "BadCommunicationError",
            _ => return StatusCode::GOOD,
        };
        StatusCode::from_name(name).unwrap_or(StatusCode::BAD_NO_DATA)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_found_by_its_name_and_has_a_line_of_help() {
        let help = help();
        for (kind, name, seconds, about) in ALL {
            let found: Personality = name.parse().unwrap();
            assert_eq!(found, Personality::new(kind));
            assert_eq!(found.time, Duration::from_secs_f64(seconds.unwrap_or(0.0)));
            assert!(help.contains(&format!("\n  {name:<20} {about}")), "{help}");
            assert!(names_in_line().contains(name), "{name}");
        }
    }

    #[test]
    fn personalities_are_joined_and_timed() {
        let found = parse("slow=2+twins").unwrap();
        let slow = Personality::timed(Trait::Slow, Duration::from_secs(2));
        assert_eq!(found, [slow, Personality::new(Trait::Twins)]);
        for wrong in ["", "fast", "slow=", "slow=-1", "slow=1e9", "twins=1", "slow+"] {
            assert_eq!(parse(wrong).unwrap_err().code().to_string(), "GMB-SIM-001", "{wrong}");
        }
    }

    #[test]
    fn faulty_values_can_be_recomputed() {
        let at = DateTime::from_ticks(133_000_000_012_345_678);
        let with = |timestamps| ValueFaults { timestamps, ..ValueFaults::default() };
        assert_eq!(with(SourceTimestamps::Exact).source_timestamp(at), Some(at));
        assert_eq!(with(SourceTimestamps::None).source_timestamp(at), None);
        let coarse = with(SourceTimestamps::Seconds).source_timestamp(at);
        assert_eq!(coarse, Some(DateTime::from_ticks(133_000_000_010_000_000)));
        let flapping = ValueFaults { flapping: true, ..ValueFaults::default() };
        let names: Vec<String> = (0..4).map(|tick| flapping.status(tick).to_string()).collect();
        assert_eq!(names, ["Good", "UncertainLastUsableValue", "Good", "BadCommunicationError"]);
    }
}
