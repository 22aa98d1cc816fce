//! What comes into the hub's log, in which order: somebody who reads it all the time.

use crate::trace::Trace;
use gemba_api::log::properties;
use gemba_api::{DeviceMessage, EventLog, LogItem};
use gemba_hub::HubLog;
use gemba_model::MessageId;
use std::collections::BTreeMap;

const READ_BYTES: usize = 256 << 10;

/// One life of one epoch of an edge.
type Whose = (String, u64, u64);

/// The numbers of one life.
#[derive(Debug, Default)]
struct Account {
    /// The number after the highest.
    next: u64,
    /// Numbers below it that never came.
    missing: Vec<(u64, u64)>,
    messages: u64,
    /// The edge was put back to a state in which it may have had what it gave up later.
    was_put_back: bool,
}

/// What an edge's messages came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Different messages.
    pub(crate) messages: u64,
    /// The number after the highest.
    pub(crate) next: u64,
}

/// Reads along. What it cannot see (deleted or damaged before it came by) makes it blind, and it says nothing more.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    next: BTreeMap<u32, u64>,
    accounts: BTreeMap<Whose, Account>,
    is_blind: bool,
}

impl Watch {
    /// Reads what came since the last call.
    pub(crate) async fn look(&mut self, log: &HubLog, trace: &Trace) {
        for partition in 0..log.partitions() {
            let mut next = self.next.get(&partition).copied().unwrap_or(0);
            let (_, end) = log.bounds(partition);
            // (0, 0) is a log that is being opened again.
            if end != 0 && end < next {
                trace.violation(format_args!(
                    "partition {partition} showed messages up to {next} and ends at {end} now"
                ));
            }
            while let Ok(items) = log.read(partition, next, READ_BYTES).await {
                let Some(last) = items.last() else { break };
                next = last.next_offset();
                items.iter().for_each(|item| self.take(item, trace));
            }
            self.next.insert(partition, next);
        }
    }

    fn take(&mut self, item: &LogItem, trace: &Trace) {
        match item {
            LogItem::Missing { .. } => self.is_blind = true,
            LogItem::Entry(entry) => {
                if let Some((whose, sequence)) = whose(&entry.message)
                    && !self.note(whose.clone(), sequence)
                    && !self.is_blind
                {
                    trace.violation(format_args!(
                        "message {sequence} of {} came for the first time after a later one",
                        whose.0
                    ));
                }
            }
        }
    }

    /// False when a number comes for the first time after a later one of the same life.
    fn note(&mut self, whose: Whose, sequence: u64) -> bool {
        let account = self.accounts.entry(whose).or_insert_with(|| Account {
            next: sequence,
            // What came before belongs to an earlier life.
            missing: vec![(0, sequence)],
            messages: 0,
            was_put_back: false,
        });
        if sequence >= account.next {
            if sequence > account.next {
                account.missing.push((account.next, sequence));
            }
            account.next = sequence + 1;
            account.messages += 1;
            return true;
        }
        let Some(at) = account.missing.iter().position(|(from, to)| (*from..*to).contains(&sequence)) else {
            return true;
        };
        if account.was_put_back {
            let (from, to) = account.missing.remove(at);
            account.missing.extend([(from, sequence), (sequence + 1, to)]);
            account.messages += 1;
        }
        account.was_put_back
    }

    /// An edge got an old state of its own.
    pub(crate) fn put_back(&mut self, device: &str) {
        let of_edge = self.accounts.iter_mut().filter(|(whose, _)| whose.0 == device);
        of_edge.for_each(|(_, account)| account.was_put_back = true);
    }

    /// What came of an edge; `None` when not everything was seen.
    pub(crate) fn seen(&self, device: &str) -> Option<Seen> {
        if self.is_blind {
            return None;
        }
        let mut seen = Seen::default();
        for (_, account) in self.accounts.iter().filter(|(whose, _)| whose.0 == device) {
            seen.messages += account.messages;
            seen.next = seen.next.max(account.next);
        }
        Some(seen)
    }
}

fn whose(message: &DeviceMessage) -> Option<(Whose, u64)> {
    let id: MessageId = message.system_property(properties::MESSAGE_ID)?.parse().ok()?;
    let life = message.property(properties::LIFE).and_then(|text| u64::from_str_radix(text, 16).ok())?;
    Some(((message.device.clone(), id.epoch, life), id.sequence))
}
