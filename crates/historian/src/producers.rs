//! Who has sent what: message sequence numbers, by which re-deliveries vanish and holes show.

mod tally;

use crate::ledger::Told;
use gemba_api::WriterCompleteness;
use gemba_model::{Part, ProducerStart};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tally::Tallies;

/// Holes that are remembered of one epoch, so that a late message still finds its place; the oldest are
/// given up first (they stay counted as missing).
const HOLES_MAX: usize = 256;
/// Starts that one record may name to be looked at: each is held against all lives and holes.
const STARTS_MAX: usize = 64;

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
    /// Epochs of the accounts that began when the producer was put back to an older state, oldest first; in that of
    /// the message ids alone.
    #[serde(default)]
    branches: Vec<u64>,
    /// Lives that began below numbers that had come, as their gap records show.
    #[serde(default)]
    put_back: Vec<u64>,
    /// Numbers `from..to` of which this account cannot say whether they came.
    #[serde(default)]
    unknown: Vec<(u64, u64)>,
    /// Holes that stand in the ledger, with the message that showed each.
    #[serde(default)]
    revealed: Vec<Revealed>,
    /// Numbers that never come, as gap records say.
    #[serde(default)]
    explained: Vec<(u64, u64)>,
    /// Gap records of which other parts are still to come.
    #[serde(default, skip_serializing_if = "Tallies::is_empty")]
    tallies: Tallies,
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
        self.came(&[(sequence, sequence.saturating_add(1))]) == Came::All
    }

    /// What came of some numbers.
    pub(crate) fn came(&self, ranges: &[(u64, u64)]) -> Came {
        let numbers: u128 = ranges.iter().map(|one| overlap(*one, *one)).sum();
        let common = |range| ranges.iter().map(|one| overlap(*one, range)).sum::<u128>();
        let absent: u128 = self.absent().map(common).sum();
        let unknown: u128 = self.unknown.iter().copied().map(common).sum();
        match absent {
            _ if unknown > 0 => Came::Some,
            0 => Came::All,
            absent if absent >= numbers => Came::Nothing,
            _ => Came::Some,
        }
    }

    /// Numbers that did not come.
    fn absent(&self) -> impl Iterator<Item = (u64, u64)> {
        self.holes.iter().chain(&self.explained).copied().chain([(self.next, u64::MAX)])
    }

    /// The hole before this number went into the ledger. To be called before the number is marked.
    pub(crate) fn reveal(&mut self, sequence: u64, told: Told) {
        keep(&mut self.revealed, Revealed { from: self.next, to: sequence, told });
    }

    /// Whether some of these numbers are missing for no known reason.
    pub(crate) fn misses_some(&self, ranges: &[(u64, u64)]) -> bool {
        self.missing_among(ranges).next().is_some()
    }

    fn missing_among<'a>(&'a self, ranges: &'a [(u64, u64)]) -> impl Iterator<Item = (u64, u64)> + 'a {
        let parts = |&(from, to): &'a (u64, u64)| {
            self.holes.iter().map(move |&(a, b)| (a.max(from), b.min(to))).filter(|(a, b)| a < b)
        };
        ranges.iter().flat_map(parts)
    }

    /// The messages that showed the holes in which these numbers are missing for no known reason.
    pub(crate) fn holes_among(&self, ranges: &[(u64, u64)]) -> Vec<Told> {
        let parts: Vec<(u64, u64)> = self.missing_among(ranges).collect();
        let is_hit = |hole: &&Revealed| parts.iter().any(|part| overlap(*part, (hole.from, hole.to)) > 0);
        self.revealed.iter().filter(is_hit).map(|hole| hole.told).collect()
    }

    /// The message that showed the hole in which this number is missing.
    pub(crate) fn hole_of(&self, sequence: u64) -> Option<Told> {
        let hole = self.revealed.iter().find(|hole| (hole.from..hole.to).contains(&sequence))?;
        (!self.has(sequence)).then_some(hole.told)
    }

    /// A gap record accounts for these numbers, as soon as all its parts came: one that is lost told of other series.
    pub(crate) fn explain(&mut self, ranges: &[(u64, u64)], part: Option<Part>) {
        if let Some(part) = part
            && !self.tallies.is_whole(ranges, part)
        {
            return;
        }
        let parts: Vec<(u64, u64)> = self.missing_among(ranges).collect();
        for &(from, to) in &parts {
            let rest = |&(a, b): &(u64, u64)| [(a, b.min(from)), (a.max(to), b)];
            self.holes = self.holes.iter().flat_map(rest).filter(|(a, b)| a < b).collect();
            self.note_explained((from, to));
        }
    }

    /// Whether messages that were given up show that the producer was put back to an older state: some of their numbers
    /// had come from another start than the one that gave these. True once for each start.
    pub(crate) fn shows_put_back(&mut self, starts: &[ProducerStart], ranges: &[(u64, u64)]) -> bool {
        if starts.len() > STARTS_MAX {
            return false;
        }
        let ends = starts.iter().skip(1).map(|start| start.first).chain([u64::MAX]);
        let given = starts.iter().zip(ends).map(|(start, end)| (start.life, (start.first, end)));
        let again = given.filter(|(life, given)| self.some_came_of_others(*life, *given, ranges));
        let lives: Vec<u64> =
            again.map(|(life, _)| life).filter(|life| !self.put_back.contains(life)).collect();
        lives.iter().for_each(|life| keep(&mut self.put_back, *life));
        !lives.is_empty()
    }

    fn some_came_of_others(&self, life: u64, given: (u64, u64), ranges: &[(u64, u64)]) -> bool {
        let ends = self.lives.iter().skip(1).map(|(from, _)| *from).chain([u64::MAX]);
        let others = self.lives.iter().zip(ends).filter(|((_, other), _)| *other != life);
        others.map(|((from, _), to)| (given.0.max(*from), given.1.min(to))).any(|(a, b)| {
            let parts = ranges.iter().map(|&(from, to)| (from.max(a), to.min(b)));
            parts.filter(|(from, to)| from < to).any(|part| self.some_came(part))
        })
    }

    fn some_came(&self, range: (u64, u64)) -> bool {
        let out = self.absent().chain(self.unknown.iter().copied());
        out.map(|other| overlap(range, other)).sum::<u128>() < overlap(range, range)
    }

    fn note_explained(&mut self, (from, to): (u64, u64)) {
        match self.explained.last_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ => keep(&mut self.explained, (from, to)),
        }
    }

    /// Entries of holes of which nothing is unexplained any more, to be taken back.
    pub(crate) fn take_settled(&mut self) -> Vec<Told> {
        let holes = &self.holes;
        let is_open = |one: &Revealed| holes.iter().any(|hole| overlap(*hole, (one.from, one.to)) > 0);
        self.revealed.extract_if(.., |one| !is_open(one)).map(|one| one.told).collect()
    }
}

/// What is known of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    All,
    /// Not all of them; or nobody can say.
    Some,
    Nothing,
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

    /// Whether the log lost offsets since the last message of an epoch; of one that begins, since that of those before.
    pub(crate) fn is_doubtful(&self, key: &ProducerKey) -> bool {
        if let Some(producer) = self.0.get(key) {
            return producer.doubtful;
        }
        self.epochs_of(key).any(|producer| producer.doubtful)
    }

    /// All accounts of the producer, of whichever epoch.
    fn epochs_of<'a>(&'a self, key: &'a ProducerKey) -> impl Iterator<Item = &'a Producer> {
        let same = |known: &ProducerKey| known.device == key.device && known.producer == key.producer;
        self.0.iter().filter(move |(known, _)| same(known)).map(|(_, producer)| producer)
    }

    /// Begins an account in the middle.
    pub(crate) fn begin(&mut self, key: &ProducerKey, next: u64) {
        let unknown = Vec::from_iter((next > 0).then_some((0, next)));
        self.0.insert(key.clone(), Producer { next, unknown, ..Producer::default() });
    }

    /// Begins the account `again` of a producer whose numbers stand in that of `key`: see [`Self::resolve`]. It settles
    /// the doubts of that one, which may hear nothing any more.
    pub(crate) fn branch(&mut self, key: &ProducerKey, again: &ProducerKey, next: u64) {
        self.begin(again, next);
        self.of(again).doubtful = self.of(key).doubtful;
        keep(&mut self.of(key).branches, again.epoch);
    }

    /// Whether another epoch of the producer was heard before this one.
    pub(crate) fn is_new_epoch(&self, key: &ProducerKey) -> bool {
        !self.0.contains_key(key) && self.epochs_of(key).next().is_some()
    }

    /// The account of a message. A number that another life of the producer gave before begins a new account, named
    /// after the life: the producer was put back to an older state, and counts again from there. Lives that nobody
    /// heard of before go on with the newest account.
    pub(crate) fn resolve(&self, key: ProducerKey, sequence: u64, life: Option<u64>) -> ProducerKey {
        let (Some(life), Some(first)) = (life, self.0.get(&key)) else { return key };
        if first.branches.is_empty() && first.lives.last().is_some_and(|(_, last)| *last == life) {
            // As nearly every message: nothing to look for.
            return key;
        }
        let named = |epoch: u64| ProducerKey { epoch, ..key.clone() };
        let epochs = || first.branches.iter().rev().copied().chain([key.epoch]);
        let accounts = || epochs().filter_map(|epoch| Some((epoch, self.0.get(&named(epoch))?)));
        let is_of_life =
            |(_, account): &(u64, &Producer)| account.lives.iter().any(|(_, known)| *known == life);
        if let Some((epoch, _)) = accounts().find(is_of_life) {
            return named(epoch);
        }
        let given = accounts().find_map(|(_, account)| {
            let (_, given) = account.lives.iter().rev().find(|(from, _)| *from <= sequence)?;
            Some(sequence < account.next && *given != life)
        });
        // An account of this name is one of a version that kept no list of them.
        let is_again = given == Some(true) || self.0.contains_key(&named(life));
        named(if is_again { life } else { epochs().next().unwrap_or(key.epoch) })
    }

    /// Remembers which life gave a number that was due or later.
    pub(crate) fn note_life(&mut self, key: &ProducerKey, sequence: u64, life: u64) {
        let lives = &mut self.of(key).lives;
        if lives.last().is_none_or(|(_, last)| *last != life) {
            keep(lives, (sequence, life));
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
                keep(&mut producer.holes, (producer.next, sequence));
            }
            Arrival::Due | Arrival::Duplicate => {}
        }
        if arrival != Arrival::Late {
            if producer.resync && sequence > producer.next {
                keep(&mut producer.unknown, (producer.next, sequence));
            }
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

/// How many numbers two ranges share. Wide, because ranges come from outside and are added up.
fn overlap(one: (u64, u64), other: (u64, u64)) -> u128 {
    one.1.min(other.1).saturating_sub(one.0.max(other.0)).into()
}

/// Remembers one more; the oldest is forgotten when there are too many.
fn keep<T>(list: &mut Vec<T>, one: T) {
    if list.len() >= HOLES_MAX {
        list.remove(0);
    }
    list.push(one);
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
mod tests;
