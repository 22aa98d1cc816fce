//! The ends of connections: counted by reason, logged with the device, remembered for the page.

use crate::reason::{End, EndReason};
use gemba_base::{Counter, Metrics};
use gemba_model::DateTime;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// Refused names that are remembered; anybody can invent names, so there is a bound. The one that was
/// refused longest ago makes room.
const REMEMBERED_MAX: usize = 100;
/// Lines a second about connections that never proved who they are.
const LINES_A_SECOND: u32 = 20;

/// A device that was turned away and has not been accepted since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedDevice {
    /// The name that it gave.
    pub identity: String,
    /// Why it was turned away the last time.
    pub end: End,
    /// Since when it is turned away for this reason.
    pub since: DateTime,
    /// The last time.
    pub last: DateTime,
    /// How often since then.
    pub times: u64,
}

/// The ends of all connections. Clones share them.
#[derive(Debug, Clone)]
pub struct Ends(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    by_reason: BTreeMap<EndReason, Counter>,
    refused: Mutex<BTreeMap<String, RefusedDevice>>,
    quiet: Mutex<Quiet>,
}

/// Keeps strangers from filling the log.
#[derive(Debug, Default)]
struct Quiet {
    second: i64,
    lines: u32,
    left_out: u64,
}

impl Ends {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let counter = |reason: EndReason| {
            let help = "connections refused or ended, by reason";
            metrics.counter("gemba_hub_connection_ends_total", help, &[("reason", reason.name())])
        };
        let by_reason = EndReason::ALL.iter().map(|reason| (*reason, counter(*reason))).collect();
        Self(Arc::new(Inner { by_reason, refused: Mutex::default(), quiet: Mutex::default() }))
    }

    /// How many connections were refused or ended for this reason since the process began.
    pub fn count(&self, reason: EndReason) -> u64 {
        self.0.by_reason.get(&reason).map_or(0, Counter::value)
    }

    /// Devices that are being turned away, in order of their names; the last hundred.
    pub fn refused(&self) -> Vec<RefusedDevice> {
        self.0.refused.lock().values().cloned().collect()
    }

    /// A device was accepted: whatever was wrong is mended.
    pub(super) fn accepted(&self, identity: &str) {
        self.0.refused.lock().remove(identity);
    }

    pub(super) fn record(&self, end: &End, identity: Option<&str>, peer: SocketAddr, now: DateTime) {
        if let Some(counter) = self.0.by_reason.get(&end.reason) {
            counter.add(1);
        }
        let device = identity.unwrap_or("unknown");
        let (reason, detail) = (end.reason.name(), &end.detail);
        match end.reason.code() {
            None => tracing::info!(device, %peer, reason, detail, "connection ended"),
            Some(code) => {
                if let Some(identity) = identity {
                    self.remember(identity, end, now);
                }
                if let Some(left_out) = self.may_speak(now) {
                    let remedy = end.reason.remedy();
                    tracing::warn!(device, %peer, reason, %code, detail, remedy, left_out, "connection ended");
                }
            }
        }
    }

    /// The number of lines left out before this one, or `None` when this one is left out too.
    fn may_speak(&self, now: DateTime) -> Option<u64> {
        let mut quiet = self.0.quiet.lock();
        let second = now.unix_seconds();
        if quiet.second != second {
            quiet.second = second;
            quiet.lines = 0;
        }
        if quiet.lines >= LINES_A_SECOND {
            quiet.left_out += 1;
            return None;
        }
        quiet.lines += 1;
        Some(std::mem::take(&mut quiet.left_out))
    }

    fn remember(&self, identity: &str, end: &End, now: DateTime) {
        let mut refused = self.0.refused.lock();
        if let Some(known) = refused.get_mut(identity) {
            if known.end.reason != end.reason {
                known.since = now;
                known.times = 0;
            }
            known.end = end.clone();
            known.last = now;
            known.times += 1;
            return;
        }
        if refused.len() >= REMEMBERED_MAX
            && let Some(oldest) = refused.values().min_by_key(|one| one.last).map(|one| one.identity.clone())
        {
            refused.remove(&oldest);
        }
        let one = RefusedDevice {
            identity: identity.to_owned(),
            end: end.clone(),
            since: now,
            last: now,
            times: 1,
        };
        refused.insert(identity.to_owned(), one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime {
        DateTime::from_unix_millis(seconds * 1000)
    }

    #[test]
    fn a_refused_device_is_remembered_until_it_is_accepted() {
        let ends = Ends::new(&Metrics::default());
        let peer = ([127, 0, 0, 1], 1).into();
        for second in [1, 2] {
            ends.record(&EndReason::WrongKey.into(), Some("d"), peer, at(second));
        }
        ends.record(&EndReason::WrongKey.into(), None, peer, at(2));
        ends.record(&EndReason::Disconnected.into(), Some("e"), peer, at(2));
        assert_eq!(ends.count(EndReason::WrongKey), 3);
        let refused = ends.refused();
        assert_eq!(refused.len(), 1);
        assert_eq!((refused[0].since, refused[0].last, refused[0].times), (at(1), at(2), 2));
        ends.accepted("d");
        assert!(ends.refused().is_empty());
    }

    #[test]
    fn strangers_fill_neither_memory_nor_log() {
        let ends = Ends::new(&Metrics::default());
        let peer = ([127, 0, 0, 1], 1).into();
        for number in 0..1_000 {
            ends.record(
                &EndReason::UnknownIdentity.into(),
                Some(&format!("n{number}")),
                peer,
                at(number / 500),
            );
        }
        assert_eq!(ends.refused().len(), REMEMBERED_MAX);
        assert!(ends.refused().iter().all(|one| one.last == at(1)), "the newest are kept");
        assert_eq!(ends.0.quiet.lock().left_out, 480);
        assert_eq!(ends.may_speak(at(9)), Some(480));
    }
}
