//! The checkers: what the historian has against what was accepted, and the ledger against what is missing.

use crate::machine::node;
use crate::oracle::{Fate, Offer, Oracle};
use crate::order::Seen;
use crate::trace::Trace;
use gemba_api::{GapEntry, GapQuery, History, Ledger, SampleQuery, WriterCompleteness};
use gemba_historian::Historian;
use gemba_model::{DateTime, GapReason, Hop, Variant};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// Violations of one kind of check that are told; more of the same say nothing new.
const TOLD_MAX: usize = 8;

/// Whether everything must have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// In the middle: nothing may be there that should not be.
    Midway,
    /// At the end: everything must be there or in the ledger.
    AtTheEnd,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) stored: u64,
    /// Accepted and not stored, with its entry in the ledger.
    pub(crate) explained: u64,
}

/// Compares the store with the truth of one edge.
pub(crate) fn edge(
    historian: &Historian,
    index: usize,
    writers: usize,
    oracle: &Oracle,
    moment: Moment,
    trace: &Trace,
) -> Counts {
    let ids = ids(historian);
    let places = (0..writers).flat_map(|writer| (0..oracle.fields()).map(move |field| (writer, field)));
    // Reading may find damage, which then stands in the ledger.
    let all: Vec<_> = places
        .map(|(writer, field)| {
            let name = node(index, writer, field);
            let id = ids.get(&name).copied();
            (name, id, oracle.offers(writer, field), id.map(|id| stored(historian, id)).unwrap_or_default())
        })
        .collect();
    let ledger = if moment == Moment::AtTheEnd { ledger(historian) } else { BTreeMap::new() };
    let mut counts = Counts::default();
    for (name, id, offers, stored) in all {
        let mut series = Series { name, offers, oracle, trace, told: 0 };
        series.compare(&stored);
        counts.stored += distinct(&stored);
        if moment == Moment::AtTheEnd {
            let none = Vec::new();
            let gaps = id.and_then(|id| ledger.get(&id)).unwrap_or(&none);
            counts.explained += series.explain(&stored, gaps);
        }
    }
    trace.count(&[counts.stored, counts.explained]);
    counts
}

fn ids(historian: &Historian) -> BTreeMap<String, u64> {
    let page = historian.series("", 10_000, None).map(|page| page.items).unwrap_or_default();
    page.into_iter().map(|series| (series.node_id, series.id)).collect()
}

/// All entries by series, oldest first.
fn ledger(historian: &Historian) -> BTreeMap<u64, Vec<GapEntry>> {
    let mut by_series: BTreeMap<u64, Vec<GapEntry>> = BTreeMap::new();
    let mut query = GapQuery { limit: 1_000, ..GapQuery::default() };
    while let Ok(page) = historian.gaps(&query) {
        for entry in page.items {
            by_series.entry(entry.series).or_default().push(entry);
        }
        query.continuation = page.continuation;
        if query.continuation.is_none() {
            break;
        }
    }
    by_series.values_mut().for_each(|entries| entries.reverse());
    by_series
}

/// Compares what the historian counts of an edge with what it has, and with what came into the hub's log.
pub(crate) fn completeness(
    historian: &Historian,
    device: &str,
    stored: u64,
    seen: Option<Seen>,
    oracle: &Oracle,
    trace: &Trace,
) {
    let accounts: Vec<_> =
        historian.completeness().into_iter().filter(|account| account.device == device).collect();
    let sum = |count: fn(&WriterCompleteness) -> u64| accounts.iter().map(count).sum::<u64>();
    let tell = |what: &str| trace.violation(format_args!("{device}: {what}: {accounts:?}"));
    // Files that cannot be read any more were counted when they were written.
    if sum(|account| account.stored) != stored && !oracle.had(GapReason::Corruption, Hop::Store) {
        tell(&format!("{stored} values are stored, and other counts stand in the account"));
    }
    if sum(|account| account.received) != sum(|account| account.stored) {
        tell("not every received value was stored");
    }
    let may_wait = oracle.had(GapReason::MissingMetadata, Hop::Store);
    if sum(|account| account.pending) != 0 && !may_wait {
        tell("values wait for descriptions that all came");
    }
    let Some(seen) = seen else { return };
    if sum(|account| account.messages) != seen.messages {
        tell(&format!("{} messages came into the hub's log", seen.messages));
    }
    let given = sum(|account| account.messages) + sum(|account| account.missing);
    if accounts.len() == 1 && given != seen.next {
        tell(&format!("{} messages were given, and the account tells of {given}", seen.next));
    }
}

/// Value and source time of every sample, in the historian's order. A disk that fails once gives an error and no
/// samples; asked again, everything is there.
fn stored(historian: &Historian, series: u64) -> Vec<(u64, i64)> {
    const TRIES: usize = 3;
    (0..TRIES).find_map(|_| read(historian, series)).unwrap_or_default()
}

fn read(historian: &Historian, series: u64) -> Option<Vec<(u64, i64)>> {
    let query =
        SampleQuery { series, from: DateTime::MIN, to: DateTime::from_ticks(i64::MAX), descending: false };
    let mut found = Vec::new();
    let read = historian.samples(&query, &mut |samples| {
        found.extend(samples.iter().map(|sample| {
            let value = match sample.value {
                Variant::UInt64(value) => value,
                _ => u64::MAX,
            };
            (value, sample.source_timestamp.map_or(i64::MIN, DateTime::ticks))
        }));
        ControlFlow::Continue(())
    });
    read.is_ok().then_some(found)
}

/// How many different samples there are. Equal ones that came twice (an edge put back from a copy sends again) are
/// folded within a file; across files they are seen twice until these are merged, which a restart may change.
fn distinct(stored: &[(u64, i64)]) -> u64 {
    stored.iter().collect::<BTreeSet<_>>().len() as u64
}

/// One series under comparison.
struct Series<'a> {
    name: String,
    offers: &'a [Offer],
    oracle: &'a Oracle,
    trace: &'a Trace,
    told: usize,
}

impl Series<'_> {
    fn tell(&mut self, what: &str) {
        self.told += 1;
        if self.told <= TOLD_MAX {
            self.trace.violation(format_args!("{}: {what}", self.name));
        }
    }

    /// Each stored value was offered, once, in order, with its time.
    fn compare(&mut self, stored: &[(u64, i64)]) {
        let mut before: Option<u64> = None;
        for &(value, source) in stored {
            match self.offers.get(value as usize) {
                None => self.tell(&format!("value {value} is stored and was never offered")),
                Some(offer) if offer.source != source => {
                    self.tell(&format!("value {value} has the source time of another"));
                }
                Some(_) => {}
            }
            match before {
                Some(before) if before == value => self.tell(&format!("value {value} is stored twice")),
                Some(before) if before > value => {
                    self.tell(&format!("value {value} comes after {before}"));
                }
                _ => {}
            }
            before = Some(value);
        }
    }

    /// Each accepted value is stored, or an entry with its true cause covers it; and no entry claims a hole
    /// where there is none. Returns how many are missing and explained.
    fn explain(&mut self, stored: &[(u64, i64)], gaps: &[GapEntry]) -> u64 {
        let have: BTreeSet<u64> = stored.iter().map(|(value, _)| *value).collect();
        let missing: Vec<(u64, Offer)> = (0..)
            .zip(self.offers.iter().copied())
            .filter(|(value, offer)| offer.fate != Fate::Offered && !have.contains(value))
            .collect();
        let mut explained = 0;
        for (value, offer) in &missing {
            let covering = || gaps.iter().filter(|gap| covers(gap, offer.source));
            if covering().any(|gap| self.is_true(gap, *offer)) {
                explained += u64::from(offer.fate == Fate::Accepted);
                continue;
            }
            let said: Vec<String> = covering().map(text).collect();
            let at = DateTime::from_ticks(offer.source);
            if said.is_empty() {
                let mut near: Vec<&GapEntry> = gaps.iter().collect();
                near.sort_by_key(|gap| distance(gap, offer.source));
                let near: Vec<String> = near.into_iter().take(2).map(text).collect();
                self.tell(&format!(
                    "value {value} of {at} was accepted, is not stored, and no entry says why; the nearest: {near:?}"
                ));
            } else {
                self.tell(&format!("value {value} of {at} is missing for a false cause: {said:?}"));
            }
        }
        for gap in gaps {
            self.claim(gap, &missing);
        }
        self.counts(&missing, gaps);
        explained
    }

    /// Whether an entry gives a cause that this run had.
    fn is_true(&self, gap: &GapEntry, offer: Offer) -> bool {
        let never_given = offer.fate == Fate::NeverGiven;
        let only_never_given = gap.reason == GapReason::Disconnection;
        self.is_excused(gap) && (never_given || !only_never_given)
    }

    /// Whether a fault of this run, at the time of the hole, had this cause.
    fn is_excused(&self, gap: &GapEntry) -> bool {
        let (from, to) = (gap.from.map(DateTime::ticks), gap.to.map(DateTime::ticks));
        self.oracle.is_excused(gap.reason, gap.hop, from, to)
    }

    fn claim(&mut self, gap: &GapEntry, missing: &[(u64, Offer)]) {
        if !self.is_excused(gap) {
            self.tell(&format!("the ledger names a cause that there was not: {}", text(gap)));
            return;
        }
        // After these, values may be missing, which is all that anybody knows.
        // So it is of what an edge gives up that was put back: it counts anew, and nobody knows what of it came before.
        let was_put_back = self.oracle.had(GapReason::EdgeRestart, Hop::Edge);
        let may_be_empty = matches!(gap.reason, GapReason::EdgeRestart | GapReason::Corruption)
            || (gap.reason == GapReason::Drop && gap.count.is_none() && was_put_back);
        let within = missing.iter().filter(|(_, offer)| covers(gap, offer.source)).count() as u64;
        let is_filled = within > 0;
        if gap.count.is_some_and(|count| count > within) {
            self.tell(&format!("{within} values are missing where the ledger counts more: {}", text(gap)));
        }
        if !is_filled && !may_be_empty && gap.count != Some(0) {
            self.tell(&format!("the ledger claims a hole where nothing is missing: {}", text(gap)));
        }
    }

    /// Where each entry counts, the sum is what is missing.
    fn counts(&mut self, missing: &[(u64, Offer)], gaps: &[GapEntry]) {
        let dropped = |gap: &&GapEntry| gap.reason == GapReason::Drop;
        let drops: Vec<&GapEntry> = gaps.iter().filter(dropped).collect();
        // Where some of what an edge gave up had come before, nobody knows how many had not.
        let Some(sum) = drops.iter().map(|gap| gap.count).sum::<Option<u64>>() else { return };
        let accepted = missing.iter().filter(|(_, offer)| offer.fate == Fate::Accepted).count() as u64;
        let others = [
            (GapReason::EdgeRestart, Hop::Edge),
            (GapReason::Corruption, Hop::Edge),
            (GapReason::Corruption, Hop::Hub),
            (GapReason::Corruption, Hop::Store),
        ];
        let only_drops = !others.into_iter().any(|(reason, hop)| self.oracle.had(reason, hop));
        if only_drops && sum != accepted {
            self.tell(&format!("{accepted} values are missing, and the ledger counts {sum}"));
        }
    }
}

/// Ticks between a time and an entry's span.
fn distance(gap: &GapEntry, source: i64) -> u64 {
    let from = gap.from.map_or(i64::MIN, DateTime::ticks);
    let to = gap.to.map_or(i64::MAX, DateTime::ticks);
    if source < from { source.abs_diff(from) } else { source.abs_diff(to.max(source).min(to)) }
}

fn covers(gap: &GapEntry, source: i64) -> bool {
    gap.from.is_none_or(|from| from.ticks() <= source) && gap.to.is_none_or(|to| to.ticks() >= source)
}

fn text(gap: &GapEntry) -> String {
    let time = |time: Option<DateTime>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    let (from, to) = (time(gap.from), time(gap.to));
    format!("{}/{} {from} to {to} count {:?}", gap.reason, gap.hop.as_str(), gap.count)
}
