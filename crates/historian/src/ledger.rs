//! The ledger of gaps: what is missing of each series, and why.

mod pieces;

use crate::row::RowRef;
use gemba_api::{GapEntry, GapQuery, HistoryError, Page};
use gemba_model::{DateTime, GapReason, Hop};
use pieces::Pieces;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// Open entries of one series; more say no more than "still missing".
const OPEN_MAX: usize = 32;

/// Series that have a bit; ids are dense, so that there are hardly ever more.
const BITS_MAX: u64 = 1 << 24;

/// Where an entry stands: by the time and place of the message that told of it, then by series. The same
/// messages give the same keys whenever and however often they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct GapKey {
    pub(crate) at: i64,
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    pub(crate) series: u64,
    /// Counts the entries of one message and series.
    pub(crate) nth: u16,
}

/// Why an entry may yet be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Doubt {
    /// It stands.
    #[default]
    None,
    /// The log lost offsets; the producer's next number shows whether messages of it were among them.
    LogLoss,
    /// Messages wait for their description.
    Pending,
}

/// One series' part of a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gap {
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
    pub(crate) reason: GapReason,
    pub(crate) hop: Hop,
    pub(crate) count: Option<u64>,
    pub(crate) closed: bool,
    #[serde(default)]
    pub(crate) doubt: Doubt,
}

impl Gap {
    /// Whether it is what the historian itself makes of missing numbers.
    fn is_hole(&self) -> bool {
        self.hop == Hop::Hub && self.doubt == Doubt::None
    }
}

/// Where a message lies, for keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) at: i64,
    pub(crate) partition: u32,
    pub(crate) offset: u64,
}

/// Memory that so many entries take at most, with their keys in the indexes of series.
pub(crate) const fn memory(entries: usize) -> usize {
    entries.saturating_mul(size_of::<GapKey>() * 4 + size_of::<Gap>() * 2)
}

/// All entries as of one instant: what a flush writes.
#[derive(Debug, Clone, Default)]
pub(crate) struct LedgerSnapshot {
    entries: Pieces<GapKey, Gap>,
    dropped: u64,
}

impl LedgerSnapshot {
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&GapKey, &Gap)> {
        self.entries.iter()
    }

    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// See [`Ledger::revision`].
    pub(crate) const fn revision(&self) -> u64 {
        self.entries.revision()
    }
}

/// All entries.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Pieces<GapKey, Gap>,
    /// Keys of open entries by series, oldest first.
    open: HashMap<u64, Vec<GapKey>>,
    /// A bit for each series below [`BITS_MAX`] that has some, because every value asks.
    open_bits: Vec<u64>,
    /// The newest overflow entry of a series, to tell whether a value's overflow bit is already explained.
    overflow: HashMap<u64, GapKey>,
    /// Entries that the bound took.
    dropped: u64,
}

impl Ledger {
    pub(crate) fn from_entries(entries: Vec<(GapKey, Gap)>, dropped: u64) -> Self {
        let mut ledger = Self { dropped, ..Self::default() };
        for (key, gap) in entries {
            ledger.index(key, &gap);
            ledger.entries.insert(key, gap);
        }
        ledger
    }

    fn index(&mut self, key: GapKey, gap: &Gap) {
        if !gap.closed {
            self.open.entry(key.series).or_default().push(key);
            let word = (key.series.min(BITS_MAX - 1) / 64) as usize;
            if self.open_bits.len() <= word {
                self.open_bits.resize(word + 1, 0);
            }
            if let Some(bits) = self.open_bits.get_mut((key.series / 64) as usize) {
                *bits |= 1 << (key.series % 64);
            }
        }
        if gap.reason == GapReason::Overflow {
            self.overflow.insert(key.series, key);
        }
    }

    /// What stands in it now. Shares all entries with the ledger until they change.
    pub(crate) fn snapshot(&self) -> LedgerSnapshot {
        LedgerSnapshot { entries: self.entries.clone(), dropped: self.dropped }
    }

    /// Grows with each change.
    pub(crate) const fn revision(&self) -> u64 {
        self.entries.revision()
    }

    /// See [`memory`].
    pub(crate) fn memory(&self) -> usize {
        memory(self.entries.len()) + self.open_bits.capacity() * 8
    }

    pub(crate) fn open_count(&self) -> u64 {
        self.open.values().map(|keys| keys.len() as u64).sum()
    }

    /// Adds an entry. An open one of the same series, reason and hop already says it: then only the count
    /// grows, or becomes unknown.
    pub(crate) fn add(&mut self, series: u64, told: Told, gap: Gap, entries_max: usize) {
        let keys = self.open.get(&series).map_or(&[][..], Vec::as_slice);
        let same = |key: &&GapKey| {
            self.entries.get(key).is_some_and(|open| {
                (open.reason, open.hop, open.doubt, open.to) == (gap.reason, gap.hop, gap.doubt, gap.to)
            })
        };
        let known = keys.iter().find(same).copied().filter(|_| !gap.closed);
        match known.and_then(|key| self.entries.get_mut(&key)) {
            Some(open) => open.count = open.count.zip(gap.count).map(|(a, b)| a.saturating_add(b)),
            None => self.add_apart(series, told, gap, entries_max),
        }
    }

    /// Adds an entry, whatever else is open: one that may be taken back by itself, or has values that wait before it.
    pub(crate) fn add_apart(&mut self, series: u64, told: Told, gap: Gap, entries_max: usize) {
        if !gap.closed && self.open.get(&series).is_some_and(|keys| keys.len() >= OPEN_MAX) {
            self.dropped += 1;
            return;
        }
        let Told { at, partition, offset } = told;
        let mut key = GapKey { at, partition, offset, series, nth: 0 };
        while self.entries.get(&key).is_some() && key.nth < u16::MAX {
            key.nth += 1;
        }
        self.index(key, &gap);
        self.entries.insert(key, gap);
        self.shrink(entries_max);
    }

    /// Keeps the bound: the oldest closed entries go first, then the oldest open ones.
    fn shrink(&mut self, entries_max: usize) {
        if self.entries.len() <= entries_max {
            return;
        }
        // A sixteenth at a time, so that a full ledger does not search for one entry after the other.
        let excess = self.entries.len() - entries_max + entries_max / 16;
        let closed = self.entries.iter().filter(|(_, gap)| gap.closed).map(|(key, _)| *key);
        let mut gone: Vec<GapKey> = closed.take(excess).collect();
        if gone.is_empty() {
            gone = self.entries.iter().map(|(key, _)| *key).take(excess).collect();
        }
        self.dropped += gone.len() as u64;
        for key in gone {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: GapKey) {
        self.entries.remove(&key);
        if let Some(keys) = self.open.get_mut(&key.series) {
            keys.retain(|open| *open != key);
            if keys.is_empty() {
                self.close(key.series);
            }
        }
        if self.overflow.get(&key.series) == Some(&key) {
            self.overflow.remove(&key.series);
        }
    }

    /// Nothing is open of a series any more.
    fn close(&mut self, series: u64) {
        self.open.remove(&series);
        if let Some(bits) = self.open_bits.get_mut((series / 64) as usize) {
            *bits &= !(1 << (series % 64));
        }
    }

    /// Whether something is open of a series.
    pub(crate) fn has_open(&self, series: u64) -> bool {
        match self.open_bits.get((series / 64) as usize) {
            Some(bits) => bits >> (series % 64) & 1 == 1,
            None => series >= BITS_MAX && self.open.contains_key(&series),
        }
    }

    /// A value of a series came: what was open ends here, except what waits for descriptions. A value that had to wait
    /// for its description, and lies before the message that told of a gap, is where that gap begins.
    pub(crate) fn value_came(&mut self, row: &RowRef<'_>, waited: bool) {
        let Some(keys) = self.open.get_mut(&row.series) else { return };
        let time = row.source_time();
        keys.retain(|key| match self.entries.get_mut(key) {
            Some(gap) if gap.doubt == Doubt::Pending => true,
            Some(gap) if waited && is_before(row, key) => {
                gap.from = Some(gap.from.map_or(time, |from| from.max(time)));
                true
            }
            Some(gap) => {
                // A value older than the last one before the gap also shows that values flow again.
                gap.to = gap.to.or(Some(gap.from.map_or(time, |from| from.max(time))));
                gap.closed = true;
                false
            }
            None => false,
        });
        if keys.is_empty() {
            self.close(row.series);
        }
    }

    /// The server says with a value that its queue overflowed: a gap before it, unless a record told already.
    /// To be called before [`Self::value_came`].
    pub(crate) fn overflowed(
        &mut self,
        row: &RowRef<'_>,
        previous: Option<i64>,
        told: Told,
        entries_max: usize,
    ) {
        let time = row.source_time();
        let explained = self.overflow.get(&row.series).and_then(|key| self.entries.get(key));
        let explained = explained.is_some_and(|gap| !gap.closed || gap.to.is_some_and(|to| to >= time));
        if !explained {
            let from = previous.filter(|previous| *previous <= time);
            let (reason, hop) = (GapReason::Overflow, Hop::Field);
            let gap =
                Gap { from, to: Some(time), reason, hop, count: None, closed: true, doubt: Doubt::None };
            self.add(row.series, told, gap, entries_max);
        }
    }

    /// A message's number shows that what the log lost were messages of its producer. The entries stand as those of the
    /// hole before it: its numbers may yet come, if the loss was of messages that nobody had acknowledged.
    pub(crate) fn confirm_loss(&mut self, series: &[u64], told: Told, entries_max: usize) {
        let keys = series.iter().filter_map(|id| self.open.get(id)).flatten().copied();
        let is_doubtful = |key: &GapKey| self.entries.get(key).is_some_and(|gap| gap.doubt == Doubt::LogLoss);
        for key in keys.filter(is_doubtful).collect::<Vec<_>>() {
            let Some(gap) = self.entries.get(&key).cloned() else { continue };
            self.remove(key);
            self.add_apart(key.series, told, Gap { doubt: Doubt::None, ..gap }, entries_max);
        }
    }

    /// Settles the doubtful entries of some series: they stand, or are taken back.
    pub(crate) fn settle(&mut self, series: &[u64], doubt: Doubt, stands: bool) {
        let keys = series.iter().filter_map(|id| self.open.get(id)).flatten().copied();
        let doubtful = |key: &GapKey| self.entries.get(key).is_some_and(|gap| gap.doubt == doubt);
        for key in keys.filter(doubtful).collect::<Vec<_>>() {
            match self.entries.get_mut(&key) {
                Some(gap) if stands => gap.doubt = Doubt::None,
                _ => self.remove(key),
            }
        }
    }

    /// Takes back what a message's number said about those before it: they came, or have another cause.
    pub(crate) fn retract(&mut self, told: Told) {
        for key in self.holes(told) {
            self.remove(key);
        }
    }

    /// The hole before a message has this cause, as far as it is known.
    pub(crate) fn attribute(&mut self, told: Told, reason: GapReason, hop: Hop, entries_max: usize) {
        for key in self.holes(told) {
            let Some(gap) = self.entries.get(&key).cloned() else { continue };
            self.add(key.series, told, Gap { reason, hop, ..gap }, entries_max);
        }
    }

    /// Bounds of the hole before a message, for one series.
    pub(crate) fn hole(&self, told: Told, series: u64) -> Option<(Option<i64>, Option<i64>)> {
        let Told { at, partition, offset } = told;
        let key = |nth| GapKey { at, partition, offset, series, nth };
        let mut told = self.entries.range(key(0)..=key(u16::MAX)).map(|(_, gap)| gap);
        told.find(|gap| gap.is_hole()).map(|gap| (gap.from, gap.to))
    }

    /// Entries of holes in the numbers that a message showed.
    fn holes(&self, told: Told) -> Vec<GapKey> {
        let Told { at, partition, offset } = told;
        let key = |series, nth| GapKey { at, partition, offset, series, nth };
        let told = self.entries.range(key(0, 0)..=key(u64::MAX, u16::MAX));
        told.filter(|(_, gap)| gap.is_hole()).map(|(key, _)| *key).collect()
    }

    /// Series with a closed entry of exactly this extent and reason.
    pub(crate) fn series_with(&self, from: i64, to: i64, reason: GapReason) -> HashSet<u64> {
        let same = |gap: &Gap| gap.from == Some(from) && gap.to == Some(to) && gap.reason == reason;
        self.entries.iter().filter(|(_, gap)| same(gap)).map(|(key, _)| key.series).collect()
    }

    /// Entries, newest first.
    pub(crate) fn query(&self, query: &GapQuery) -> Result<Page<GapEntry>, HistoryError> {
        let before = match &query.continuation {
            Some(token) => Some(parse_token(token).ok_or(HistoryError::InvalidContinuation)?),
            None => None,
        };
        let (from, to) = (query.from.map(DateTime::ticks), query.to.map(DateTime::ticks));
        let limit = query.limit.clamp(1, 10_000);
        let mut items = Vec::new();
        let mut last = None;
        for (key, gap) in self.entries.iter().rev() {
            if before.is_some_and(|before| *key >= before) || query.series.is_some_and(|id| id != key.series)
            {
                continue;
            }
            let ends_after = from.is_none_or(|from| gap.to.is_none_or(|end| end > from));
            let begins_before = to.is_none_or(|to| gap.from.is_none_or(|start| start < to));
            if !ends_after || !begins_before {
                continue;
            }
            if items.len() == limit {
                return Ok(Page { items, continuation: last.map(token) });
            }
            items.push(shown(key, gap));
            last = Some(*key);
        }
        Ok(Page { items, continuation: None })
    }
}

/// Whether a value lies before the message that told of a gap. Not by the time: clocks are set back.
const fn is_before(row: &RowRef<'_>, key: &GapKey) -> bool {
    row.partition == key.partition && row.offset < key.offset
}

fn shown(key: &GapKey, gap: &Gap) -> GapEntry {
    GapEntry {
        series: key.series,
        from: gap.from.map(DateTime::from_ticks),
        to: gap.to.map(DateTime::from_ticks),
        reason: gap.reason,
        hop: gap.hop,
        count: gap.count,
        closed: gap.closed,
    }
}

fn token(key: GapKey) -> String {
    format!("{}.{}.{}.{}.{}", key.at, key.partition, key.offset, key.series, key.nth)
}

fn parse_token(token: &str) -> Option<GapKey> {
    let mut parts = token.split('.');
    let key = GapKey {
        at: parts.next()?.parse().ok()?,
        partition: parts.next()?.parse().ok()?,
        offset: parts.next()?.parse().ok()?,
        series: parts.next()?.parse().ok()?,
        nth: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some(key)
}

#[cfg(test)]
mod tests;
