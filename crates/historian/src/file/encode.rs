//! Rows to the columns of a row group.

mod append;

use super::chunk::{Chunks, Nullable, signed, unsigned, unsigned_64};
use super::received::millis;
use crate::day::in_calendar;
use crate::row::{CellRef, RowRef, UNIX_EPOCH_TICKS};
use bytes::Bytes;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::errors::Result;
use std::io::Write;
use std::ops::Range;

/// A tick in units of 10 ps, in which what is finer than a microsecond is counted.
pub(crate) const SUB_PER_TICK: u32 = 10_000;
const TICKS_PER_MICRO: i64 = 10;

/// Texts or bytes, one behind the other.
#[derive(Debug, Default)]
struct Blobs {
    places: Nullable<Range<usize>>,
    bytes: Vec<u8>,
}

impl Blobs {
    fn put(&mut self, row: usize, bytes: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.places.put(row, start..self.bytes.len());
    }

    fn write<W: Write + Send>(&mut self, chunks: &mut Chunks<'_, '_, W>) -> Result<()> {
        self.places.end(chunks.rows);
        let all = Bytes::from(std::mem::take(&mut self.bytes));
        let values = self.places.values.drain(..).map(|place| ByteArray::from(all.slice(place)));
        let values = values.collect();
        chunks.values::<ByteArrayType>(&Nullable { values, levels: std::mem::take(&mut self.places.levels) })
    }
}

/// The columns of one timestamp.
#[derive(Debug, Default)]
struct TimeColumns {
    ts: Nullable<i64>,
    sub: Nullable<i32>,
    ticks: Nullable<i64>,
}

impl TimeColumns {
    #[inline]
    fn push(&mut self, row: usize, ticks: Option<i64>, pico: u16) {
        let mut sub = u32::from(pico);
        match ticks {
            Some(ticks) if in_calendar(ticks) => {
                let unix = ticks - UNIX_EPOCH_TICKS;
                self.ts.put(row, unix.div_euclid(TICKS_PER_MICRO));
                sub += unix.rem_euclid(TICKS_PER_MICRO) as u32 * SUB_PER_TICK;
            }
            Some(ticks) => self.ticks.put(row, ticks),
            None => {}
        }
        // Zero is written as null, so that a file of whole microseconds has nothing in this column.
        if sub != 0 {
            self.sub.put(row, sub as i32);
        }
    }

    fn write<W: Write + Send>(&mut self, chunks: &mut Chunks<'_, '_, W>) -> Result<()> {
        self.ts.end(chunks.rows);
        self.sub.end(chunks.rows);
        self.ticks.end(chunks.rows);
        if self.sub.values.len() * 2 > chunks.rows {
            without_nulls(&mut self.sub);
        }
        chunks.integers::<Int64Type>(&self.ts, Some(signed))?;
        chunks.values::<Int32Type>(&self.sub)?;
        chunks.integers::<Int64Type>(&self.ticks, None)?;
        self.ts.clear();
        self.sub.clear();
        self.ticks.clear();
        Ok(())
    }
}

/// Where few are zero, nulls take more than zeros do.
fn without_nulls(column: &mut Nullable<i32>) {
    if column.levels.is_empty() {
        return;
    }
    let mut values = std::mem::take(&mut column.values).into_iter();
    let all = column.levels.drain(..).map(|level| if level > 0 { values.next().unwrap_or(0) } else { 0 });
    column.values = all.collect();
}

/// Collects the rows of a row group, column by column.
#[derive(Debug, Default)]
pub(crate) struct GroupBuilder {
    rows: usize,
    series: Nullable<i64>,
    source: TimeColumns,
    server: TimeColumns,
    /// Ticks from source to server time, where both are there; the other columns of the server time are empty then,
    /// but for its picoseconds.
    delay: Nullable<i32>,
    received: Nullable<i64>,
    kind: Nullable<i32>,
    f64: Nullable<f64>,
    i64: Nullable<i64>,
    u64: Nullable<i64>,
    string: Blobs,
    binary: Blobs,
    status: Nullable<i32>,
    partition: Nullable<i32>,
    offset: Nullable<i64>,
}

impl GroupBuilder {
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of texts and binaries at hand.
    pub(crate) const fn blob_bytes(&self) -> usize {
        self.string.bytes.len() + self.binary.bytes.len()
    }

    /// Appends a row; without `received` its receive time is left to the file's table, unless it has no other.
    pub(crate) fn push(&mut self, row: &RowRef<'_>, received: bool) {
        self.extend(std::slice::from_ref(row), received);
    }

    /// Appends rows of one series, column by column, as many [`GroupBuilder::push`] would.
    pub(crate) fn extend(&mut self, rows: &[RowRef<'_>], received: bool) {
        let at = self.rows;
        let numbered = || rows.iter().zip(at..);
        self.rows += rows.len();
        self.series.values.extend(rows.iter().map(|row| row.series as i64));
        numbered().for_each(|(row, at)| self.source.push(at, row.source, row.source_pico));
        for (row, at) in numbered() {
            match row.source.zip(row.server).and_then(|(source, server)| delay(source, server)) {
                Some(delay) => {
                    self.delay.put(at, delay);
                    self.server.push(at, None, row.server_pico);
                }
                None => self.server.push(at, row.server, row.server_pico),
            }
        }
        for (row, at) in numbered() {
            if received || (row.source.is_none() && row.server.is_none()) {
                self.received.put(at, millis(row.received));
            }
        }
        self.kind.values.extend(rows.iter().map(|row| i32::from(row.kind)));
        numbered().for_each(|(row, at)| self.cell(at, row.cell));
        self.status.values.extend(rows.iter().map(|row| row.status as i32));
        self.partition.values.extend(rows.iter().map(|row| row.partition as i32));
        self.offset.values.extend(rows.iter().map(|row| row.offset as i64));
    }

    #[inline]
    fn cell(&mut self, at: usize, cell: CellRef<'_>) {
        match cell {
            CellRef::Null => {}
            CellRef::F64(v) => self.f64.put(at, v),
            CellRef::I64(v) => self.i64.put(at, v),
            CellRef::U64(v) => self.u64.put(at, v as i64),
            CellRef::Text(v) => self.string.put(at, v.as_bytes()),
            CellRef::Binary(v) => self.binary.put(at, v),
        }
    }

    /// Writes the collected rows in the order of the schema; the builder is empty after.
    pub(crate) fn write<W: Write + Send>(&mut self, mut chunks: Chunks<'_, '_, W>) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let chunks = &mut chunks;
        chunks.integers::<Int64Type>(&self.series, Some(unsigned_64))?;
        self.source.write(chunks)?;
        self.server.write(chunks)?;
        self.delay.end(rows);
        chunks.integers::<Int32Type>(&self.delay, None)?;
        self.received.end(rows);
        chunks.integers::<Int64Type>(&self.received, None)?;
        chunks.integers::<Int32Type>(&self.kind, Some(unsigned))?;
        self.f64.end(rows);
        chunks.plain::<DoubleType>(&self.f64)?;
        for column in [&mut self.i64, &mut self.u64] {
            column.end(rows);
            chunks.plain::<Int64Type>(column)?;
            column.clear();
        }
        self.string.write(chunks)?;
        self.binary.write(chunks)?;
        for column in [&mut self.status, &mut self.partition] {
            chunks.integers::<Int32Type>(column, Some(unsigned))?;
            column.clear();
        }
        chunks.integers::<Int64Type>(&self.offset, None)?;
        [&mut self.series, &mut self.received, &mut self.offset].into_iter().for_each(Nullable::clear);
        [&mut self.delay, &mut self.kind].into_iter().for_each(Nullable::clear);
        self.f64.clear();
        Ok(())
    }
}

/// Ticks from source to server time, if both are in the calendar and not minutes apart.
fn delay(source: i64, server: i64) -> Option<i32> {
    if !in_calendar(source) || !in_calendar(server) {
        return None;
    }
    i32::try_from(server - source).ok()
}
