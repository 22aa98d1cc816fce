//! What was offered to an edge, what it took, and what it may be excused for: the truth to compare with.

use gemba_model::{GapReason, Hop};

/// One value that a machine offered. Its value is its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Source time in ticks; never goes back within a series.
    pub(crate) source: i64,
    pub(crate) fate: Fate,
}

/// What is known of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// On its way into the edge's queue.
    Offered,
    /// The edge said that it is durable.
    Accepted,
    /// The machine never gave it, and told so with a gap record.
    NeverGiven,
}

/// All series of one edge: writers in order, each with its fields.
#[derive(Debug)]
pub(crate) struct Oracle {
    fields: usize,
    series: Vec<Vec<Offer>>,
    excuses: Vec<Excuse>,
}

/// A fault that may have cost values, as the ledger would call it, and the source times that it touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Excuse {
    pub(crate) reason: GapReason,
    pub(crate) hop: Hop,
    /// Ticks, both ends included.
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Oracle {
    pub(crate) fn new(writers: usize, fields: usize) -> Self {
        Self { fields, series: vec![Vec::new(); writers * fields], excuses: Vec::new() }
    }

    pub(crate) fn excuse(&mut self, excuse: Excuse) {
        if self.excuses.last() != Some(&excuse) {
            self.excuses.push(excuse);
        }
    }

    /// Whether this run had such a fault at all.
    pub(crate) fn had(&self, reason: GapReason, hop: Hop) -> bool {
        self.excuses.iter().any(|excuse| (excuse.reason, excuse.hop) == (reason, hop))
    }

    /// Whether a fault of this kind touched times between these, where `None` is without end.
    pub(crate) fn is_excused(&self, reason: GapReason, hop: Hop, from: Option<i64>, to: Option<i64>) -> bool {
        self.excuses.iter().any(|excuse| {
            (excuse.reason, excuse.hop) == (reason, hop)
                && from.is_none_or(|from| from <= excuse.to)
                && to.is_none_or(|to| to >= excuse.from)
        })
    }

    pub(crate) const fn fields(&self) -> usize {
        self.fields
    }

    pub(crate) fn offers(&self, writer: usize, field: usize) -> &[Offer] {
        self.series.get(writer * self.fields + field).map_or(&[], Vec::as_slice)
    }

    /// A new offer; returns its value.
    pub(crate) fn offer(&mut self, writer: usize, field: usize, source: i64, fate: Fate) -> u64 {
        let Some(offers) = self.series.get_mut(writer * self.fields + field) else { return 0 };
        offers.push(Offer { source, fate });
        offers.len() as u64 - 1
    }

    /// The edge took everything of a writer up to these counts of offers, field by field.
    pub(crate) fn accept(&mut self, writer: usize, counts: &[u64]) {
        for (field, count) in counts.iter().enumerate() {
            let Some(offers) = self.series.get_mut(writer * self.fields + field) else { continue };
            let new = offers.iter_mut().take(*count as usize).rev();
            for offer in new.take_while(|offer| offer.fate != Fate::Accepted) {
                if offer.fate == Fate::Offered {
                    offer.fate = Fate::Accepted;
                }
            }
        }
    }

    /// After a restart the edge says how far it came: what it took, though nobody was told, counts; what it did
    /// not take will be offered anew. Returns how many accepted offers it does not know.
    pub(crate) fn resume(&mut self, writer: usize, counts: &[u64]) -> u64 {
        self.accept(writer, counts);
        let mut forgotten = 0;
        for (field, count) in counts.iter().enumerate() {
            let Some(offers) = self.series.get_mut(writer * self.fields + field) else { continue };
            let count = *count as usize;
            let accepted = |offer: &&Offer| offer.fate == Fate::Accepted;
            forgotten += offers.iter().skip(count).filter(accepted).count() as u64;
            offers.truncate(count);
        }
        forgotten
    }

    /// The edge lost its state: whatever was accepted stays accepted, offers go on behind it.
    pub(crate) fn counts(&self, writer: usize) -> Vec<u64> {
        (0..self.fields).map(|field| self.offers(writer, field).len() as u64).collect()
    }

    /// How many offers were accepted in all.
    pub(crate) fn accepted(&self) -> u64 {
        let accepted = |offer: &&Offer| offer.fate == Fate::Accepted;
        self.series.iter().map(|offers| offers.iter().filter(accepted).count() as u64).sum()
    }
}
