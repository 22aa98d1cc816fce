//! Samples that are not in a file yet, in 36 bytes each.
//!
//! Rows are appended in order of arrival, because scattering them over thousands of buffers costs a cache miss
//! each. Every row knows the one of its series before it, so that a series is read without a look at the others;
//! a flush brings the rows of a day into the order of series by counting.

mod slot;
mod sweep;

use crate::day::{Day, TimeRange};
use crate::row::{CellRef, Place, Row, RowKey, RowRef};
use slot::{Extra, Slot};
use std::collections::BTreeMap;
use std::mem::size_of;

/// No row.
const NONE: u32 = u32::MAX;
/// Rows at which a table is full whatever else is allowed: slots count rows and messages in 24 bits, and what
/// waited for a description comes in one go.
pub(crate) const ROWS_MAX: usize = 1 << 23;

/// Rows whose days are told apart together where they can be.
const BLOCK_ROWS: usize = 1 << 14;
/// Rows for which room is made at once, 64 MiB of them. What is not used of it takes no memory, and pieces of 32 MiB and
/// more are the only ones that an allocator is sure to give back: smaller ones stay with the thread that freed them,
/// and a table's worth of memory with each thread that ever wrote one.
const SLOTS_RESERVED: usize = 1 << 21;
/// The same of their series, 32 MiB.
const SERIES_RESERVED: usize = 1 << 23;

/// What is known of a series at a glance.
#[derive(Debug, Clone, Copy)]
struct Head {
    /// The row that came last, or [`NONE`].
    last: u32,
    /// The row that sorts last, or [`NONE`].
    newest: u32,
    /// Its time.
    time: i64,
    /// The store's version at the row that came last.
    version: u64,
}

impl Default for Head {
    fn default() -> Self {
        Self { last: NONE, newest: NONE, time: i64::MIN, version: 0 }
    }
}

/// Samples of all series. Ids are dense, so that they index a vector.
#[derive(Debug, Default)]
pub(crate) struct Memtable {
    heads: Vec<Head>,
    slots: Vec<Slot>,
    /// The series of each slot.
    series: Vec<u32>,
    /// Smallest and largest time of each block.
    spans: Vec<(i64, i64)>,
    messages: Vec<Place>,
    extras: Vec<Extra>,
    bytes: Vec<u8>,
    /// Rows of each day but the current one.
    days: BTreeMap<Day, usize>,
    /// The day of the last row, its bounds, and its rows that are not in `days` yet.
    day: Option<(Day, i64, i64, usize)>,
}

impl Memtable {
    pub(crate) const fn rows(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn memory(&self) -> usize {
        self.rows() * (size_of::<Slot>() + size_of::<u32>())
            + self.bytes.capacity()
            + self.extras.capacity() * size_of::<Extra>()
            + self.heads.capacity() * size_of::<Head>()
            + self.messages.capacity() * size_of::<Place>()
    }

    /// Rows of each day.
    pub(crate) fn days(&self) -> BTreeMap<Day, usize> {
        let mut days = self.days.clone();
        if let Some((day, _, _, rows)) = self.day {
            *days.entry(day).or_default() += rows;
        }
        days
    }

    /// Where the messages lie that rows are of, in order of arrival.
    pub(crate) fn messages(&self) -> &[Place] {
        &self.messages
    }

    /// Begins a message; rows pushed from now on are of it.
    pub(crate) fn begin(&mut self, place: Place) {
        if self.messages.last() != Some(&place) {
            self.messages.push(place);
        }
    }

    /// Appends a row of the message begun last, at a version of the store. Ids of series are below 2³².
    pub(crate) fn push(&mut self, row: &RowRef<'_>, version: u64) {
        let index = row.series as usize;
        if self.heads.len() <= index {
            self.heads.resize(index + 1, Head::default());
        }
        self.count_day(row.time);
        let (tag, bits) = match row.cell {
            CellRef::Null => (0, 0),
            CellRef::F64(v) => (1, v.to_bits()),
            CellRef::I64(v) => (2, v as u64),
            CellRef::U64(v) => (3, v),
            CellRef::Text(text) => (4, self.keep(text.as_bytes())),
            CellRef::Binary(bytes) => (5, self.keep(bytes)),
        };
        let at = self.rows() as u32;
        let is_newest = self.is_newest(index, row);
        let mut previous = NONE;
        if let Some(head) = self.heads.get_mut(index) {
            previous = head.last;
            head.last = at;
            head.version = version;
            if is_newest {
                head.newest = at;
                head.time = row.time;
            }
        }
        let message = self.messages.len().saturating_sub(1) as u32;
        let slot = Slot::new(row, (tag, bits), message, previous, &mut self.extras);
        self.append(row.time, row.series as u32, slot);
    }

    fn append(&mut self, time: i64, series: u32, slot: Slot) {
        if self.slots.capacity() == 0 {
            self.slots.reserve_exact(SLOTS_RESERVED);
            self.series.reserve_exact(SERIES_RESERVED);
        }
        match self.spans.last_mut().filter(|_| !self.slots.len().is_multiple_of(BLOCK_ROWS)) {
            Some(span) => *span = (span.0.min(time), span.1.max(time)),
            None => self.spans.push((time, time)),
        }
        self.slots.push(slot);
        self.series.push(series);
    }

    /// Whether a row sorts behind all rows of its series so far.
    fn is_newest(&self, series: usize, row: &RowRef<'_>) -> bool {
        let Some(head) = self.heads.get(series) else { return true };
        if head.newest == NONE || head.time != row.time {
            return head.newest == NONE || head.time < row.time;
        }
        self.slot(head.newest).is_none_or(|newest| self.key(newest) <= row.key())
    }

    fn count_day(&mut self, time: i64) {
        if let Some((_, start, end, rows)) = &mut self.day
            && *start <= time
            && time < *end
        {
            *rows += 1;
            return;
        }
        if let Some((day, _, _, rows)) = self.day.take() {
            *self.days.entry(day).or_default() += rows;
        }
        let day = Day::of(time);
        self.day = Some((day, day.start(), day.end(), 1));
    }

    fn keep(&mut self, bytes: &[u8]) -> u64 {
        let start = self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        (start << 32) | bytes.len() as u64
    }

    fn slot(&self, place: u32) -> Option<&Slot> {
        self.slots.get(place as usize)
    }

    fn place(&self, slot: &Slot) -> Place {
        let none = Place { partition: 0, offset: 0, received: 0 };
        self.messages.get(slot.message()).copied().unwrap_or(none)
    }

    fn time(&self, slot: &Slot) -> i64 {
        slot.time().unwrap_or_else(|| self.place(slot).received)
    }

    fn key(&self, slot: &Slot) -> RowKey {
        let place = self.place(slot);
        (slot.time().unwrap_or(place.received), place.offset, place.partition)
    }

    fn row(&self, series: u64, slot: &Slot) -> RowRef<'_> {
        let place = self.place(slot);
        let bytes = || {
            let (start, length) = ((slot.bits >> 32) as usize, (slot.bits & 0xFFFF_FFFF) as usize);
            self.bytes.get(start..start + length).unwrap_or_default()
        };
        let cell = match slot.tag() {
            1 => CellRef::F64(f64::from_bits(slot.bits)),
            2 => CellRef::I64(slot.bits as i64),
            3 => CellRef::U64(slot.bits),
            4 => std::str::from_utf8(bytes()).map_or(CellRef::Binary(bytes()), CellRef::Text),
            5 => CellRef::Binary(bytes()),
            _ => CellRef::Null,
        };
        let times = slot.times(&self.extras);
        RowRef {
            series,
            time: slot.time().unwrap_or(place.received),
            source: times.source,
            server: times.server,
            received: place.received,
            offset: place.offset,
            partition: place.partition,
            status: slot.status,
            source_pico: times.source_pico,
            server_pico: times.server_pico,
            kind: slot.kind(),
            cell,
        }
    }

    /// Rows of a series with times in a range, in order.
    pub(crate) fn range(&self, series: u64, range: TimeRange) -> Vec<Row> {
        let Some(head) = self.heads.get(series as usize) else { return Vec::new() };
        let mut next = head.last;
        let mut rows = Vec::new();
        while let Some(slot) = self.slot(next) {
            next = slot.previous();
            if range.holds(self.time(slot)) {
                rows.push(self.row(series, slot).to_row());
            }
        }
        rows.reverse();
        if !rows.is_sorted_by_key(Row::key) {
            rows.sort_by_key(Row::key);
        }
        rows
    }

    /// The row of a series that sorts last, and the version at the row that came last.
    pub(crate) fn newest(&self, series: u64) -> Option<(RowRef<'_>, u64)> {
        let head = self.heads.get(usize::try_from(series).ok()?)?;
        Some((self.row(series, self.slot(head.newest)?), head.version))
    }

    /// One more than the largest id of a series.
    pub(crate) const fn series_end(&self) -> usize {
        self.heads.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gemba_model::{DateTime, Sample, SampleBatch, Variant};

    fn push(table: &mut Memtable, series: u64, offset: u64, ticks: i64, text: &str) {
        let place = Place::new(0, offset, DateTime::MIN);
        let mut batch = SampleBatch::default();
        let value = batch.store(&Variant::String(Some(text.to_owned())));
        let time = Some(DateTime::from_ticks(ticks));
        let sample = Sample { value, source_timestamp: time, ..Sample::default() };
        table.begin(place);
        table.push(&RowRef::new(series, &sample, &batch, place), offset);
    }

    fn texts(rows: &[Row]) -> String {
        let shown: Vec<_> = rows.iter().map(|row| format!("{}:{:?}", row.time, row.variant())).collect();
        shown.join(" ").replace("String(Some(", "").replace("))", "")
    }

    #[test]
    fn late_rows_sort_by_time_and_equal_times_by_arrival() {
        let mut table = Memtable::default();
        for (offset, ticks, text) in [(1, 20, "b"), (2, 10, "a"), (3, 20, "c"), (4, 20, "b"), (5, 30, "d")] {
            push(&mut table, 3, offset, ticks, text);
        }
        push(&mut table, 3, 6, 15, "e");
        let expected = r#"10:"a" 15:"e" 20:"b" 20:"c" 20:"b""#;
        assert_eq!(texts(&table.range(3, TimeRange::new(0, 30))), expected);
        let newest = table.newest(3).map(|(row, version)| (row.time, version));
        assert_eq!(newest, Some((30, 6)));
        assert_eq!(texts(&table.range(3, TimeRange::new(0, 30))), expected);
        assert_eq!(texts(&table.range(3, TimeRange::new(21, 99))), r#"30:"d""#);
        assert!(table.range(2, TimeRange::new(0, 99)).is_empty() && table.newest(2).is_none());
        assert_eq!(table.newest(3).map(|(row, _)| row.time), Some(30));
        let mut swept = Vec::new();
        let visited = table.sweep(TimeRange::new(15, 21), |rows| {
            swept.extend(rows.iter().map(|row| row.time));
            Ok(())
        });
        assert!(visited.is_ok());
        assert_eq!(swept, [15, 20, 20, 20]);
        assert_eq!(table.days().into_values().collect::<Vec<_>>(), [6]);
    }

    #[test]
    fn rows_of_many_blocks_come_in_order_of_series_and_time() {
        let mut table = Memtable::default();
        let mut expected = BTreeMap::new();
        for n in 0..3 * BLOCK_ROWS as u64 + 7 {
            let (series, ticks) = (n * 7 % 13 + 1, (n * 7_919 % 50_021) as i64);
            push(&mut table, series, n, ticks, "x");
            expected.entry(series).or_insert_with(Vec::new).push((ticks, n));
        }
        expected.values_mut().for_each(|rows| rows.sort_unstable());
        let keys = |rows: &[Row]| rows.iter().map(|row| (row.time, row.offset)).collect::<Vec<_>>();
        for (series, rows) in &expected {
            assert_eq!(keys(&table.range(*series, TimeRange::new(0, 60_000))), *rows);
            assert_eq!(table.newest(*series).map(|(row, _)| (row.time, row.offset)), rows.last().copied());
        }
        let mut swept = BTreeMap::new();
        let visited = table.sweep(TimeRange::new(0, 60_000), |rows| {
            let of = rows.first().map_or(0, |row| row.series);
            swept.insert(of, rows.iter().map(|row| (row.time, row.offset)).collect::<Vec<_>>());
            Ok(())
        });
        assert!(visited.is_ok());
        assert_eq!(swept, expected);
        for (series, rows) in &expected {
            assert_eq!(table.newest(*series).map(|(row, _)| (row.time, row.offset)), rows.last().copied());
        }
    }

    #[test]
    fn a_slot_is_half_a_line_of_the_cache() {
        assert_eq!(size_of::<Slot>(), 32);
    }
}
