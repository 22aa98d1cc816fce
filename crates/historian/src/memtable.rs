//! Samples that are not in a file yet, in 40 bytes each.

use crate::row::{Cell, Place, Row, RowKey};
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
    /// Whether a row came that sorts before an earlier one.
    unsorted: bool,
    newest: Option<RowKey>,
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
    /// Smallest and largest time.
    span: Option<(i64, i64)>,
}

impl Memtable {
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn memory(&self) -> usize {
        self.memory + self.bytes.capacity() + self.messages.capacity() * size_of::<Place>()
    }

    /// First and last time, when there are rows.
    pub(crate) const fn span(&self) -> Option<(i64, i64)> {
        self.span
    }

    /// Begins a message; rows pushed from now on are of it.
    pub(crate) fn begin(&mut self, place: Place) {
        if self.messages.last() != Some(&place) {
            self.messages.push(place);
        }
    }

    /// Appends a row of the message begun last.
    pub(crate) fn push(&mut self, row: &Row) {
        let index = row.series as usize;
        if self.buffers.len() <= index {
            self.memory += (index + 1 - self.buffers.len()) * size_of::<Buffer>();
            self.buffers.resize_with(index + 1, Buffer::default);
        }
        let (tag, bits) = match &row.cell {
            Cell::Null => (0, 0),
            Cell::F64(v) => (1, v.to_bits()),
            Cell::I64(v) => (2, *v as u64),
            Cell::U64(v) => (3, *v),
            Cell::Text(text) => (4, self.keep(text.as_bytes())),
            Cell::Binary(bytes) => (5, self.keep(bytes)),
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
        let Some(buffer) = self.buffers.get_mut(index) else { return };
        let before = buffer.slots.capacity();
        buffer.slots.push(slot);
        self.memory += (buffer.slots.capacity() - before) * size_of::<Slot>();
        let key = row.key();
        if buffer.newest.is_some_and(|newest| key < newest) {
            buffer.unsorted = true;
        } else {
            buffer.newest = Some(key);
        }
        self.rows += 1;
        let (first, last) = self.span.unwrap_or((row.time, row.time));
        self.span = Some((first.min(row.time), last.max(row.time)));
    }

    fn keep(&mut self, bytes: &[u8]) -> u64 {
        let start = self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        (start << 32) | bytes.len() as u64
    }

    fn key(&self, slot: &Slot) -> RowKey {
        let place = self.place(slot);
        (self.time(slot, place), place.offset, place.partition)
    }

    fn place(&self, slot: &Slot) -> Place {
        let none = Place { partition: 0, offset: 0, received: 0 };
        self.messages.get(slot.message as usize).copied().unwrap_or(none)
    }

    const fn time(&self, slot: &Slot, place: Place) -> i64 {
        if slot.flags & HAS_SOURCE != 0 {
            slot.source
        } else if slot.flags & HAS_SERVER != 0 {
            slot.server
        } else {
            place.received
        }
    }

    fn row(&self, series: u64, slot: &Slot) -> Row {
        let place = self.place(slot);
        let bytes = || {
            let (start, length) = ((slot.bits >> 32) as usize, (slot.bits & 0xFFFF_FFFF) as usize);
            self.bytes.get(start..start + length).unwrap_or_default()
        };
        let cell = match slot.flags >> CELL_SHIFT {
            1 => Cell::F64(f64::from_bits(slot.bits)),
            2 => Cell::I64(slot.bits as i64),
            3 => Cell::U64(slot.bits),
            4 => match std::str::from_utf8(bytes()) {
                Ok(text) => Cell::Text(text.into()),
                Err(_) => Cell::Binary(bytes().into()),
            },
            5 => Cell::Binary(bytes().into()),
            _ => Cell::Null,
        };
        Row {
            series,
            time: self.time(slot, place),
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
        let mut buffers = std::mem::take(&mut self.buffers);
        for buffer in buffers.iter_mut().filter(|buffer| buffer.unsorted) {
            buffer.slots.sort_by_key(|slot| self.key(slot));
            buffer.unsorted = false;
            buffer.newest = buffer.slots.last().map(|slot| self.key(slot));
        }
        self.buffers = buffers;
    }

    /// Rows of a series with `from <= time < to`, in order.
    pub(crate) fn range(&self, series: u64, from: i64, to: i64) -> Vec<Row> {
        let Some(buffer) = self.buffers.get(series as usize) else { return Vec::new() };
        let time = |slot: &Slot| self.time(slot, self.place(slot));
        if buffer.unsorted {
            let inside = buffer.slots.iter().filter(|slot| (from..to).contains(&time(slot)));
            let mut rows: Vec<Row> = inside.map(|slot| self.row(series, slot)).collect();
            rows.sort_by_key(Row::key);
            return rows;
        }
        let start = buffer.slots.partition_point(|slot| time(slot) < from);
        let end = buffer.slots.partition_point(|slot| time(slot) < to);
        let inside = buffer.slots.get(start..end).unwrap_or_default();
        inside.iter().map(|slot| self.row(series, slot)).collect()
    }

    /// Series that have rows, ascending.
    pub(crate) fn series(&self) -> impl Iterator<Item = u64> {
        let used = self.buffers.iter().enumerate().filter(|(_, buffer)| !buffer.slots.is_empty());
        used.map(|(index, _)| index as u64)
    }

    /// Calls `visit` with each row's time, in order of series and arrival.
    pub(crate) fn times(&self, mut visit: impl FnMut(i64)) {
        for buffer in &self.buffers {
            for slot in &buffer.slots {
                visit(self.time(slot, self.place(slot)));
            }
        }
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
        table.push(&Row::new(series, &sample, &batch, place));
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
        let expected = r#"10:"a" 20:"b" 20:"c" 20:"b""#;
        assert_eq!(texts(&table.range(3, 0, 30)), expected);
        table.sort();
        assert_eq!(texts(&table.range(3, 0, 30)), expected);
        assert_eq!(texts(&table.range(3, 21, 99)), r#"30:"d""#);
        assert!(table.range(2, 0, 99).is_empty());
        assert_eq!(table.span(), Some((10, 30)));
    }

    #[test]
    fn a_slot_has_forty_bytes() {
        assert_eq!(size_of::<Slot>(), 40);
    }
}
