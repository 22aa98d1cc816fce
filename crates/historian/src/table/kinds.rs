//! Which kinds of values a range of a series has, found without reading the values.

use crate::day::Day;
use crate::engine::Engine;
use crate::error::{HistorianError, Result};
use crate::file::read::Wanted;
use crate::row::Row;
use std::collections::BTreeSet;

/// Kinds of values: numbers of built-in types, or encoding bytes of Variants; 0 is Null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kinds(BTreeSet<u8>);

impl Kinds {
    /// Adds a kind.
    pub fn add(&mut self, kind: u8) {
        // A text that is null is no value either, but says what the others are.
        if kind != 0 {
            self.0.insert(kind);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u8> {
        self.0.iter().copied()
    }
}

impl FromIterator<u8> for Kinds {
    fn from_iter<I: IntoIterator<Item = u8>>(kinds: I) -> Self {
        let mut all = Self::default();
        kinds.into_iter().for_each(|kind| all.add(kind));
        all
    }
}

impl Engine {
    /// Kinds of the values of a range, maybe with some from just beside it; where there are none, that of the newest value.
    ///
    /// Most pages of a file hold one series and say by their index of which kind its values are; of the others two
    /// small columns are read.
    ///
    /// # Errors
    /// When the disk does not give a file. What is damaged is left out, as every read does.
    pub(crate) fn kinds(&self, wanted: Wanted) -> Result<Kinds> {
        let mut kinds = Kinds::default();
        if wanted.range.is_empty() {
            return Ok(self.newest_kind(wanted.series));
        }
        let snapshot = self.snapshot(wanted);
        let (first, last) = wanted.range.days();
        for (day, files) in snapshot.files.days().range(first..=last) {
            for file in files {
                let entry = &file.entry;
                let holds_series = entry.series.0 <= wanted.series && wanted.series <= entry.series.1;
                if !holds_series || !wanted.range.meets(entry.time) {
                    continue;
                }
                let found = file.open().and_then(|open| {
                    open.spans(wanted).iter().try_for_each(|span| open.kinds(span, wanted, &mut kinds))
                });
                match found {
                    Ok(()) | Err(HistorianError::Damaged { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            self.limit_footers(&snapshot.files, *day);
        }
        self.limit_footers(&snapshot.files, Day::of(i64::MAX));
        snapshot.memory.iter().flatten().for_each(|row| kinds.add(row.kind));
        if kinds.is_empty() {
            return Ok(self.newest_kind(wanted.series));
        }
        Ok(kinds)
    }

    fn newest_kind(&self, series: u64) -> Kinds {
        let newest: Option<Row> = self.with_state(|state| state.last(series));
        newest.map(|row| row.kind).into_iter().collect()
    }
}
