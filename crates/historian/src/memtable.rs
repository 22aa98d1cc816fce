//! Samples that are not in a file yet, in 48 bytes each.
//!
//! Rows are appended in order of arrival, because scattering them over thousands of buffers costs a cache miss
//! each. A full chunk, which still fits the cache, is sorted by series; reads and flushes merge the chunks.

use crate::day::Day;
use crate::error::Result;
use crate::file::columns::Present;
use crate::row::{CellRef, Place, Row, RowKey, RowRef};
use std::collections::BTreeMap;
use std::mem::size_of;

/// A row with its text and place elsewhere.
#[derive(Debug, Clone, Copy)]
struct Slot {
    source: i64,
    server: i64,
    /// The scalar's bits, or start and length in the table's bytes.
    bits: u64,
    series: u32,
    /// Index into the table's messages.
    message: u32,
    status: u32,
    source_pico: u16,
    server_pico: u16,
    kind: u8,
    flags: u8,
}

const HAS_SOURCE: u8 = 1;
const HAS_SERVER: u8 = 2;
const CELL_SHIFT: u8 = 2;

/// Rows of a chunk: 768 KiB, within the second level cache of today's processors.
const CHUNK_ROWS: usize = 16_384;

/// Sorted by series, then by [`RowKey`], then by arrival.
#[derive(Debug)]
struct Chunk {
    slots: Vec<Slot>,
    /// Smallest and largest time.
    span: (i64, i64),
}

impl Chunk {
    fn run(&self, series: u64) -> &[Slot] {
        let start = self.slots.partition_point(|slot| u64::from(slot.series) < series);
        let rest = self.slots.get(start..).unwrap_or_default();
        let length = rest.partition_point(|slot| u64::from(slot.series) == series);
        rest.get(..length).unwrap_or_default()
    }
}

/// What is known of a series at a glance.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    /// Key of the row that sorts last.
    newest: Option<RowKey>,
    /// Its chunk, and its place there while that is the one being filled.
    chunk: u32,
    place: u32,
    /// The store's version at the row that came last.
    version: u64,
}

/// Samples of all series. Ids are dense, so that they index a vector.
#[derive(Debug, Default)]
pub(crate) struct Memtable {
    heads: Vec<Head>,
    chunks: Vec<Chunk>,
    /// The chunk being filled, in order of arrival.
    open: Vec<Slot>,
    messages: Vec<Place>,
    bytes: Vec<u8>,
    rows: usize,
    present: Present,
    /// Rows of each day but the current one.
    days: BTreeMap<Day, usize>,
    /// The day of the last row, its bounds, and its rows that are not in `days` yet.
    day: Option<(Day, i64, i64, usize)>,
}

impl Memtable {
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn memory(&self) -> usize {
        let slots = (self.chunks.len() + usize::from(!self.open.is_empty())) * CHUNK_ROWS * size_of::<Slot>();
        slots
            + self.bytes.capacity()
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

    /// Columns that a file of these rows needs.
    pub(crate) const fn present(&self) -> Present {
        self.present
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
        self.present = self.present.with(present(row));
        if let Some(head) = self.heads.get_mut(index) {
            head.version = version;
            if head.newest.is_none_or(|newest| newest <= row.key()) {
                head.newest = Some(row.key());
                head.chunk = self.chunks.len() as u32;
                head.place = self.open.len() as u32;
            }
        }
        if self.open.capacity() == 0 {
            self.open.reserve_exact(CHUNK_ROWS);
        }
        self.open.push(Slot {
            source: row.source.unwrap_or(0),
            server: row.server.unwrap_or(0),
            bits,
            series: row.series as u32,
            message: self.messages.len().saturating_sub(1) as u32,
            status: row.status,
            source_pico: row.source_pico,
            server_pico: row.server_pico,
            kind: row.kind,
            flags: (tag << CELL_SHIFT)
                | if row.source.is_some() { HAS_SOURCE } else { 0 }
                | if row.server.is_some() { HAS_SERVER } else { 0 },
        });
        self.rows += 1;
        if self.open.len() == CHUNK_ROWS {
            self.seal();
        }
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

    /// Sorts the open chunk and begins a new one with the next row.
    pub(crate) fn seal(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let open = std::mem::take(&mut self.open);
        // Series and place in one number: sorting these is much cheaper than sorting slots.
        let mut order: Vec<u64> =
            open.iter().zip(0_u64..).map(|(slot, at)| u64::from(slot.series) << 32 | at).collect();
        order.sort_unstable();
        let places = order.iter().map(|entry| (entry & 0xFFFF_FFFF) as usize);
        let mut slots: Vec<Slot> = places.filter_map(|at| open.get(at).copied()).collect();
        let messages = &self.messages;
        for run in slots.chunk_by_mut(|a, b| a.series == b.series) {
            if !run.is_sorted_by_key(|slot| key(slot, messages)) {
                run.sort_by_key(|slot| key(slot, messages));
            }
        }
        let times = || slots.iter().map(|slot| time(slot, place(slot, messages)));
        let span = (times().min().unwrap_or(i64::MAX), times().max().unwrap_or(i64::MIN));
        self.chunks.push(Chunk { slots, span });
    }

    fn row(&self, slot: &Slot) -> RowRef<'_> {
        let place = place(slot, &self.messages);
        let bytes = || {
            let (start, length) = ((slot.bits >> 32) as usize, (slot.bits & 0xFFFF_FFFF) as usize);
            self.bytes.get(start..start + length).unwrap_or_default()
        };
        let cell = match slot.flags >> CELL_SHIFT {
            1 => CellRef::F64(f64::from_bits(slot.bits)),
            2 => CellRef::I64(slot.bits as i64),
            3 => CellRef::U64(slot.bits),
            4 => std::str::from_utf8(bytes()).map_or(CellRef::Binary(bytes()), CellRef::Text),
            5 => CellRef::Binary(bytes()),
            _ => CellRef::Null,
        };
        RowRef {
            series: slot.series.into(),
            time: time(slot, place),
            source: (slot.flags & HAS_SOURCE != 0).then_some(slot.source),
            server: (slot.flags & HAS_SERVER != 0).then_some(slot.server),
            received: place.received,
            offset: place.offset,
            partition: place.partition,
            status: slot.status,
            source_pico: slot.source_pico,
            server_pico: slot.server_pico,
            kind: slot.kind,
            cell,
        }
    }

    /// Rows of a series with `from <= time < to`, in order.
    pub(crate) fn range(&self, series: u64, from: i64, to: i64) -> Vec<Row> {
        if self.heads.get(series as usize).is_none_or(|head| head.newest.is_none()) {
            return Vec::new();
        }
        let chunks = self.chunks.iter().filter(|chunk| chunk.span.0 < to && from <= chunk.span.1);
        let sealed = chunks.flat_map(|chunk| chunk.run(series));
        let open = self.open.iter().filter(|slot| u64::from(slot.series) == series);
        let rows = sealed.chain(open).map(|slot| self.row(slot));
        let wanted = rows.filter(|row| from <= row.time && row.time < to);
        let mut rows: Vec<Row> = wanted.map(RowRef::to_row).collect();
        if !rows.is_sorted_by_key(Row::key) {
            rows.sort_by_key(Row::key);
        }
        rows
    }

    /// Calls `visit` with the rows of each series with `from <= time < to`, in order of series; each in order.
    /// The table must be sealed.
    ///
    /// # Errors
    /// Those of `visit`.
    pub(crate) fn sweep(
        &self,
        from: i64,
        to: i64,
        mut visit: impl FnMut(&[RowRef<'_>]) -> Result<()>,
    ) -> Result<()> {
        let wanted = self.chunks.iter().filter(|chunk| chunk.span.0 < to && from <= chunk.span.1);
        let mut rests: Vec<&[Slot]> = wanted.map(|chunk| chunk.slots.as_slice()).collect();
        let mut rows: Vec<RowRef<'_>> = Vec::new();
        for (series, head) in (0_u32..).zip(&self.heads) {
            if head.newest.is_none() {
                continue;
            }
            rows.clear();
            for rest in &mut rests {
                while let Some((slot, after)) = rest.split_first().filter(|(slot, _)| slot.series == series) {
                    *rest = after;
                    let row = self.row(slot);
                    if from <= row.time && row.time < to {
                        rows.push(row);
                    }
                }
            }
            if !rows.is_sorted_by_key(RowRef::key) {
                rows.sort_by_key(RowRef::key);
            }
            if !rows.is_empty() {
                visit(&rows)?;
            }
        }
        Ok(())
    }

    /// The row of a series that sorts last, and the version at the row that came last.
    pub(crate) fn newest(&self, series: u64) -> Option<(RowRef<'_>, u64)> {
        let head = self.heads.get(usize::try_from(series).ok()?)?;
        head.newest?;
        let slot = match self.chunks.get(head.chunk as usize) {
            Some(chunk) => chunk.run(series).last()?,
            None => self.open.get(head.place as usize)?,
        };
        Some((self.row(slot), head.version))
    }

    /// One more than the largest id of a series.
    pub(crate) const fn series_end(&self) -> usize {
        self.heads.len()
    }
}

/// Columns that a row needs.
const fn present(row: &RowRef<'_>) -> Present {
    let value = match row.cell {
        CellRef::Null => Present::NONE,
        CellRef::F64(_) => Present::F64,
        CellRef::I64(_) => Present::I64,
        CellRef::U64(_) => Present::U64,
        CellRef::Text(_) => Present::STRING,
        CellRef::Binary(_) => Present::BINARY,
    };
    let source = match row.source {
        Some(ticks) if ticks % 10 != 0 || row.source_pico != 0 => Present::SOURCE_SUB,
        _ => Present::NONE,
    };
    let server = match row.server {
        Some(ticks) if ticks % 10 != 0 || row.server_pico != 0 => {
            Present::SERVER_TS.with(Present::SERVER_SUB)
        }
        Some(_) => Present::SERVER_TS,
        None => Present::NONE,
    };
    value.with(source).with(server)
}

fn place(slot: &Slot, messages: &[Place]) -> Place {
    let none = Place { partition: 0, offset: 0, received: 0 };
    messages.get(slot.message as usize).copied().unwrap_or(none)
}

const fn time(slot: &Slot, place: Place) -> i64 {
    if slot.flags & HAS_SOURCE != 0 {
        slot.source
    } else if slot.flags & HAS_SERVER != 0 {
        slot.server
    } else {
        place.received
    }
}

fn key(slot: &Slot, messages: &[Place]) -> RowKey {
    let place = place(slot, messages);
    (time(slot, place), place.offset, place.partition)
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
        assert_eq!(texts(&table.range(3, 0, 30)), expected);
        let newest = table.newest(3).map(|(row, version)| (row.time, version));
        assert_eq!(newest, Some((30, 6)));
        table.seal();
        assert_eq!(texts(&table.range(3, 0, 30)), expected);
        assert_eq!(texts(&table.range(3, 21, 99)), r#"30:"d""#);
        assert!(table.range(2, 0, 99).is_empty() && table.newest(2).is_none());
        assert_eq!(table.newest(3).map(|(row, _)| row.time), Some(30));
        let mut swept = Vec::new();
        let visited = table.sweep(15, 21, |rows| {
            swept.extend(rows.iter().map(|row| row.time));
            Ok(())
        });
        assert!(visited.is_ok());
        assert_eq!(swept, [15, 20, 20, 20]);
        assert_eq!(table.days().into_values().collect::<Vec<_>>(), [6]);
    }

    #[test]
    fn chunks_are_merged_whatever_their_order() {
        let mut table = Memtable::default();
        let mut expected = BTreeMap::new();
        for n in 0..3 * CHUNK_ROWS as u64 + 7 {
            let (series, ticks) = (n * 7 % 13 + 1, (n * 7_919 % 50_021) as i64);
            push(&mut table, series, n, ticks, "x");
            expected.entry(series).or_insert_with(Vec::new).push((ticks, n));
        }
        expected.values_mut().for_each(|rows| rows.sort_unstable());
        let keys = |rows: &[Row]| rows.iter().map(|row| (row.time, row.offset)).collect::<Vec<_>>();
        for (series, rows) in &expected {
            assert_eq!(keys(&table.range(*series, 0, 60_000)), *rows);
            assert_eq!(table.newest(*series).map(|(row, _)| (row.time, row.offset)), rows.last().copied());
        }
        table.seal();
        let mut swept = BTreeMap::new();
        let visited = table.sweep(0, 60_000, |rows| {
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
    fn a_slot_has_48_bytes() {
        assert_eq!(size_of::<Slot>(), 48);
    }
}
