//! Who has sent what: message sequence numbers, by which re-deliveries vanish and holes show.

use crate::ledger::Told;
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
    /// From which number on which life of the producer gave them.
    #[serde(default)]
    lives: Vec<(u64, u64)>,
    /// Holes that stand in the ledger, with the message that showed each.
    #[serde(default)]
    revealed: Vec<Revealed>,
    /// Numbers that never come, as gap records say.
    #[serde(default)]
    explained: Vec<(u64, u64)>,
}

/// A hole that stands in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Revealed {
    from: u64,
    to: u64,
    told: Told,
}

impl Producer {
    /// Whether a message of this number was taken in.
    pub(crate) fn has(&self, sequence: u64) -> bool {
        let within = |&&(from, to): &&(u64, u64)| (from..to).contains(&sequence);
        sequence < self.next && !self.holes.iter().chain(&self.explained).any(|range| within(&range))
    }

    /// The hole before this number went into the ledger. To be called before the number is marked.
    pub(crate) fn reveal(&mut self, sequence: u64, told: Told) {
        if self.revealed.len() >= HOLES_MAX {
            self.revealed.remove(0);
        }
        self.revealed.push(Revealed { from: self.next, to: sequence, told });
    }

    /// Whether some of these numbers are missing for no known reason.
    pub(crate) fn misses_some(&self, ranges: &[(u64, u64)]) -> bool {
        ranges.iter().any(|&(from, to)| self.holes.iter().any(|&(a, b)| a < to && from < b))
    }

    /// A gap record accounts for these numbers. Returns whether some of them came after all.
    pub(crate) fn explain(&mut self, ranges: &[(u64, u64)]) -> bool {
        let mut came = false;
        for &(from, to) in ranges.iter().filter(|(from, to)| from < to) {
            let common = |&(a, b): &(u64, u64)| b.min(to).saturating_sub(a.max(from));
            let absent: u64 = self.holes.iter().chain(&self.explained).map(common).sum();
            came |= absent < to - from;
            let rest = |&(a, b): &(u64, u64)| [(a, b.min(from)), (a.max(to), b)];
            let holes = self.holes.iter().flat_map(rest).filter(|(a, b)| a < b).collect();
            let parts = self.holes.iter().map(|&(a, b)| (a.max(from), b.min(to))).filter(|(a, b)| a < b);
            let parts: Vec<(u64, u64)> = parts.collect();
            self.holes = holes;
            parts.into_iter().for_each(|part| self.note_explained(part));
        }
        came
    }

    fn note_explained(&mut self, (from, to): (u64, u64)) {
        match self.explained.last_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ => self.explained.push((from, to)),
        }
        if self.explained.len() > HOLES_MAX {
            self.explained.remove(0);
        }
    }

    /// Entries of holes of which nothing is unexplained any more, to be taken back.
    pub(crate) fn take_settled(&mut self) -> Vec<Told> {
        let holes = &self.holes;
        let is_open = |one: &Revealed| holes.iter().any(|&(from, to)| from < one.to && one.from < to);
        self.revealed.extract_if(.., |one| !is_open(one)).map(|one| one.told).collect()
    }
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

    /// The account of a message. A number that another life of the producer gave before begins a new account: the
    /// producer was put back to an older state, and counts again from there.
    pub(crate) fn resolve(&self, key: ProducerKey, sequence: u64, life: Option<u64>) -> ProducerKey {
        let Some(life) = life else { return key };
        let again = ProducerKey { epoch: life, ..key.clone() };
        let gave_another = |producer: &Producer| {
            let given = producer.lives.iter().rev().find(|(from, _)| *from <= sequence);
            sequence < producer.next && given.is_some_and(|(_, given)| *given != life)
        };
        if self.0.contains_key(&again) || self.0.get(&key).is_some_and(gave_another) { again } else { key }
    }

    /// Remembers which life gave a number that was due or later.
    pub(crate) fn note_life(&mut self, key: &ProducerKey, sequence: u64, life: u64) {
        let lives = &mut self.of(key).lives;
        if lives.last().is_none_or(|(_, last)| *last != life) {
            lives.push((sequence, life));
        }
        if lives.len() > HOLES_MAX {
            lives.remove(0);
        }
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
    fn a_hole_is_settled_once_every_number_of_it_came_or_is_explained() {
        let told = Told { at: 1, partition: 0, offset: 9 };
        let mut producer = Producer { next: 10, ..Producer::default() };
        producer.reveal(20, told);
        producer.holes.push((10, 20));
        producer.next = 21;
        assert!(!producer.explain(&[(10, 15)]), "none of them came");
        assert!(producer.take_settled().is_empty(), "five are unexplained");
        assert_eq!((producer.has(12), producer.has(17), producer.has(20)), (false, false, true));
        assert!(producer.explain(&[(8, 20)]), "8 and 9 came");
        assert_eq!(producer.take_settled(), [told]);
        assert_eq!((producer.holes.len(), &producer.explained[..]), (0, &[(10, 20)][..]));
    }

    #[test]
    fn a_number_that_another_life_gave_begins_a_new_account() {
        let key = ProducerKey { device: "d".into(), producer: "p".into(), epoch: 1 };
        let again = ProducerKey { epoch: 9, ..key.clone() };
        let mut producers = Producers::default();
        for sequence in 0..10 {
            producers.mark(&key, 0, sequence, Arrival::Due);
            producers.note_life(&key, sequence, if sequence < 5 { 7 } else { 8 });
        }
        let resolve =
            |producers: &Producers, sequence, life| producers.resolve(key.clone(), sequence, Some(life));
        assert_eq!(resolve(&producers, 4, 7), key, "sent again");
        assert_eq!(resolve(&producers, 10, 9), key, "a restart");
        assert_eq!(resolve(&producers, 6, 9), again, "given anew");
        producers.begin(&again, 6);
        assert_eq!(resolve(&producers, 10, 9), again, "and so on");
        assert_eq!(producers.resolve(key.clone(), 6, None), key);
    }

    #[test]
    fn a_first_message_above_zero_follows_a_hole() {
        let key = ProducerKey { device: "d".into(), producer: "p".into(), epoch: 1 };
        assert_eq!(Producers::default().classify(&key, 7), Arrival::AfterHole(7));
    }
}
