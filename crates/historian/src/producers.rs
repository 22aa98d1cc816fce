//! Who has sent what: message sequence numbers, by which re-deliveries vanish and holes show.

use gemba_api::WriterCompleteness;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Holes that are remembered of one epoch, so that a late message still finds its place; the oldest are
/// given up first (they stay counted as missing).
const HOLES_MAX: usize = 256;

/// One epoch of one producer on one device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct ProducerKey {
    /// Device, with `/module` where it is one.
    pub(crate) device: String,
    pub(crate) producer: String,
    pub(crate) epoch: u64,
}

/// What is known of an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Producer {
    /// The sequence number that is due.
    pub(crate) next: u64,
    /// Missing numbers `from..to` below `next`.
    pub(crate) holes: Vec<(u64, u64)>,
    pub(crate) partition: u32,
    pub(crate) messages: u64,
    pub(crate) duplicates: u64,
    pub(crate) missing: u64,
    pub(crate) received: u64,
    pub(crate) stored: u64,
    pub(crate) pending: u64,
    /// The log lost offsets since the last message; gap entries say so until the next number proves more.
    #[serde(default)]
    pub(crate) doubtful: bool,
    /// Numbers before the first message after a restart are not known to be missing: state was lost.
    #[serde(default)]
    pub(crate) resync: bool,
}

/// What a message's number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is the one that was due.
    Due,
    /// So many before it have not come.
    AfterHole(u64),
    /// It fills a hole.
    Late,
    /// It came before.
    Duplicate,
}

/// All epochs of all producers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Producers(BTreeMap<ProducerKey, Producer>);

impl Producers {
    pub(crate) fn from_entries(entries: Vec<(ProducerKey, Producer)>) -> Self {
        Self(entries.into_iter().collect())
    }

    pub(crate) fn entries(&self) -> Vec<(ProducerKey, Producer)> {
        self.0.iter().map(|(key, producer)| (key.clone(), producer.clone())).collect()
    }

    /// What the number of a message says; nothing is remembered yet.
    pub(crate) fn classify(&self, key: &ProducerKey, sequence: u64) -> Arrival {
        let Some(producer) = self.0.get(key) else {
            return if sequence == 0 { Arrival::Due } else { Arrival::AfterHole(sequence) };
        };
        if sequence == producer.next || (producer.resync && sequence > producer.next) {
            Arrival::Due
        } else if sequence > producer.next {
            Arrival::AfterHole(sequence - producer.next)
        } else if producer.holes.iter().any(|&(from, to)| (from..to).contains(&sequence)) {
            Arrival::Late
        } else {
            Arrival::Duplicate
        }
    }

    pub(crate) fn knows(&self, key: &ProducerKey) -> bool {
        self.0.contains_key(key)
    }

    /// Whether the log lost offsets since the last message of an epoch.
    pub(crate) fn is_doubtful(&self, key: &ProducerKey) -> bool {
        self.0.get(key).is_some_and(|producer| producer.doubtful)
    }

    /// Begins an account in the middle.
    pub(crate) fn begin(&mut self, key: &ProducerKey, next: u64) {
        self.0.insert(key.clone(), Producer { next, ..Producer::default() });
    }

    /// Whether another epoch of the producer was heard before this one.
    pub(crate) fn is_new_epoch(&self, key: &ProducerKey) -> bool {
        !self.0.contains_key(key)
            && self.0.keys().any(|known| known.device == key.device && known.producer == key.producer)
    }

    /// Takes a message into the account.
    pub(crate) fn mark(&mut self, key: &ProducerKey, partition: u32, sequence: u64, arrival: Arrival) {
        let producer = self.0.entry(key.clone()).or_default();
        producer.partition = partition;
        if arrival == Arrival::Duplicate {
            producer.duplicates += 1;
            return;
        }
        producer.messages += 1;
        match arrival {
            Arrival::Late => {
                producer.missing = producer.missing.saturating_sub(1);
                producer.holes = fill(&producer.holes, sequence);
            }
            Arrival::AfterHole(count) => {
                producer.missing += count;
                producer.holes.push((producer.next, sequence));
                if producer.holes.len() > HOLES_MAX {
                    producer.holes.remove(0);
                }
            }
            Arrival::Due | Arrival::Duplicate => {}
        }
        if arrival != Arrival::Late {
            producer.next = sequence.saturating_add(1);
            producer.resync = false;
        }
    }

    pub(crate) fn of(&mut self, key: &ProducerKey) -> &mut Producer {
        self.0.entry(key.clone()).or_default()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&ProducerKey, &mut Producer)> {
        self.0.iter_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ProducerKey, &Producer)> {
        self.0.iter()
    }

    pub(crate) fn completeness(&self) -> Vec<WriterCompleteness> {
        let shown = self.0.iter().map(|(key, producer)| WriterCompleteness {
            device: key.device.clone(),
            producer: key.producer.clone(),
            epoch: format!("{:016x}", key.epoch),
            messages: producer.messages,
            duplicates: producer.duplicates,
            missing: producer.missing,
            received: producer.received,
            stored: producer.stored,
            pending: producer.pending,
        });
        shown.collect()
    }
}

fn fill(holes: &[(u64, u64)], sequence: u64) -> Vec<(u64, u64)> {
    let parts = holes.iter().flat_map(|&(from, to)| {
        if (from..to).contains(&sequence) {
            [(from, sequence), (sequence + 1, to)]
        } else {
            [(from, to), (to, to)]
        }
    });
    parts.filter(|(from, to)| from < to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_counts_once_and_holes_can_be_filled() {
        let key = ProducerKey { device: "d".into(), producer: "p".into(), epoch: 1 };
        let mut producers = Producers::default();
        let mut take = |sequence| {
            let arrival = producers.classify(&key, sequence);
            producers.mark(&key, 0, sequence, arrival);
            arrival
        };
        use Arrival::{AfterHole, Due, Duplicate, Late};
        let arrivals: Vec<Arrival> = [0, 1, 1, 5, 3, 3, 0, 6].into_iter().map(&mut take).collect();
        assert_eq!(arrivals, [Due, Due, Duplicate, AfterHole(3), Late, Duplicate, Duplicate, Due]);
        let account = producers.of(&key);
        assert_eq!((account.messages, account.duplicates, account.missing), (5, 3, 2));
        assert_eq!(account.holes, [(2, 3), (4, 5)]);
    }

    #[test]
    fn a_first_message_above_zero_follows_a_hole() {
        let key = ProducerKey { device: "d".into(), producer: "p".into(), epoch: 1 };
        assert_eq!(Producers::default().classify(&key, 7), Arrival::AfterHole(7));
    }
}
