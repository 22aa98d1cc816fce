//! Samples that are not in a file yet, in 40 bytes each.

use crate::day::Day;
use crate::row::{CellRef, Place, Row, RowKey, RowRef};
use std::collections::BTreeMap;
use std::mem::size_of;

/// A row without its series and with its text and place elsewhere.
#[derive(Debug, Clone, Copy)]
struct Slot {
    source: i64,
    server: i64,
    /// The scalar's bits, or start and length in the table's bytes.
    bits: u64,
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

/// The samples of one series in order of arrival, or sorted.
#[derive(Debug, Default)]
struct Buffer {
    slots: Vec<Slot>,
    /// The store's version at the last row.
    version: u64,
    /// The slot that sorts last.
    newest: u32,
    /// Whether a row came that sorts before an earlier one.
    unsorted: bool,
}

/// An append buffer for each series. Ids are dense, so that they index a vector.
#[derive(Debug, Default)]
pub(crate) struct Memtable {
    buffers: Vec<Buffer>,
    messages: Vec<Place>,
    bytes: Vec<u8>,
    rows: usize,
    /// Bytes in use, with what vectors have in reserve.
    memory: usize,
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
        self.memory + self.bytes.capacity() + self.messages.capacity() * size_of::<Place>()
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

    /// Appends a row of the message begun last, at a version of the store.
    pub(crate) fn push(&mut self, row: &RowRef<'_>, version: u64) {
        let index = row.series as usize;
        if self.buffers.len() <= index {
            self.memory += (index + 1 - self.buffers.len()) * size_of::<Buffer>();
            self.buffers.resize_with(index + 1, Buffer::default);
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
        let slot = Slot {
            source: row.source.unwrap_or(0),
            server: row.server.unwrap_or(0),
            bits,
            message: self.messages.len().saturating_sub(1) as u32,
            status: row.status,
            source_pico: row.source_pico,
            server_pico: row.server_pico,
            kind: row.kind,
            flags: (tag << CELL_SHIFT)
                | if row.source.is_some() { HAS_SOURCE } else { 0 }
                | if row.server.is_some() { HAS_SERVER } else { 0 },
        };
        let messages = &self.messages;
        let Some(buffer) = self.buffers.get_mut(index) else { return };
        let newest = buffer.slots.get(buffer.newest as usize).map(|slot| key(slot, messages));
        if newest.is_some_and(|newest| row.key() < newest) {
            buffer.unsorted = true;
        } else {
            buffer.newest = buffer.slots.len() as u32;
        }
        buffer.version = version;
        let before = buffer.slots.capacity();
        buffer.slots.push(slot);
        self.memory += (buffer.slots.capacity() - before) * size_of::<Slot>();
        self.rows += 1;
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

    fn row(&self, series: u64, slot: &Slot) -> RowRef<'_> {
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
            series,
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

    /// Puts late rows in their place. Rows of equal keys keep the order in which they came.
    pub(crate) fn sort(&mut self) {
        let messages = &self.messages;
        for buffer in self.buffers.iter_mut().filter(|buffer| buffer.unsorted) {
            buffer.slots.sort_by_key(|slot| key(slot, messages));
            buffer.unsorted = false;
            buffer.newest = buffer.slots.len().saturating_sub(1) as u32;
        }
    }

    /// Slots of a sorted series with `from <= time < to`.
    fn slots(&self, series: u64, from: i64, to: i64) -> &[Slot] {
        let slots = self.buffers.get(series as usize).map_or(&[][..], |buffer| &buffer.slots);
        let time = |slot: &Slot| time(slot, place(slot, &self.messages));
        let inside = |slot: Option<&Slot>| slot.is_none_or(|slot| from <= time(slot) && time(slot) < to);
        if inside(slots.first()) && inside(slots.last()) {
            return slots;
        }
        let start = slots.partition_point(|slot| time(slot) < from);
        let end = slots.partition_point(|slot| time(slot) < to);
        slots.get(start..end).unwrap_or_default()
    }

    /// Rows of a series with `from <= time < to`, in order.
    pub(crate) fn range(&self, series: u64, from: i64, to: i64) -> Vec<Row> {
        let Some(buffer) = self.buffers.get(series as usize) else { return Vec::new() };
        let row = |slot: &Slot| self.row(series, slot).to_row();
        if buffer.unsorted {
            let wanted = buffer.slots.iter().map(|slot| self.row(series, slot));
            let wanted = wanted.filter(|row| from <= row.time && row.time < to);
            let mut rows: Vec<Row> = wanted.map(RowRef::to_row).collect();
            rows.sort_by_key(Row::key);
            return rows;
        }
        self.slots(series, from, to).iter().map(row).collect()
    }

    /// Rows of a sorted series in groups of equal time.
    pub(crate) fn groups(
        &self,
        series: u64,
        from: i64,
        to: i64,
    ) -> impl Iterator<Item = impl ExactSizeIterator<Item = RowRef<'_>>> {
        let time = |slot: &Slot| time(slot, place(slot, &self.messages));
        let groups = self.slots(series, from, to).chunk_by(move |a, b| time(a) == time(b));
        groups.map(move |group| group.iter().map(move |slot| self.row(series, slot)))
    }

    /// The row of a series that sorts last, and the version at the row that came last.
    pub(crate) fn newest(&self, series: u64) -> Option<(RowRef<'_>, u64)> {
        let buffer = self.buffers.get(usize::try_from(series).ok()?)?;
        let slot = buffer.slots.get(buffer.newest as usize)?;
        Some((self.row(series, slot), buffer.version))
    }

    /// Series that have rows, ascending.
    pub(crate) fn series(&self) -> impl Iterator<Item = u64> {
        let used = self.buffers.iter().enumerate().filter(|(_, buffer)| !buffer.slots.is_empty());
        used.map(|(index, _)| index as u64)
    }
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
        table.sort();
        assert_eq!(texts(&table.range(3, 0, 30)), expected);
        assert_eq!(texts(&table.range(3, 21, 99)), r#"30:"d""#);
        assert!(table.range(2, 0, 99).is_empty() && table.newest(2).is_none());
        assert_eq!(table.newest(3).map(|(row, _)| row.time), Some(30));
        let groups: Vec<usize> = table.groups(3, 0, 99).map(|group| group.len()).collect();
        assert_eq!(groups, [1, 1, 3, 1]);
        assert_eq!(table.days().into_values().collect::<Vec<_>>(), [6]);
    }

    #[test]
    fn a_slot_has_forty_bytes() {
        assert_eq!(size_of::<Slot>(), 40);
    }
}
