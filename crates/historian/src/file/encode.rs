//! Rows to columns.

use super::columns::schema;
use super::received::millis;
use crate::day::in_calendar;
use crate::row::{CellRef, RowRef, UNIX_EPOCH_TICKS};
use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, Float64Builder, Int64Builder, PrimitiveBuilder, StringBuilder,
    TimestampMicrosecondBuilder, TimestampMillisecondBuilder, UInt8Builder, UInt32Builder, UInt64Builder,
};
use arrow_array::{ArrayRef, ArrowPrimitiveType, RecordBatch};
use arrow_schema::ArrowError;
use std::sync::Arc;

/// A tick in units of 10 ps, in which what is finer than a microsecond is counted.
pub(crate) const SUB_PER_TICK: u32 = 10_000;
const TICKS_PER_MICRO: i64 = 10;

/// A column that is null in most rows: nulls are appended together, before the next value.
trait Nullable: ArrayBuilder + Default {
    fn nulls(&mut self, count: usize);
}

impl<T: ArrowPrimitiveType> Nullable for PrimitiveBuilder<T> {
    fn nulls(&mut self, count: usize) {
        self.append_nulls(count);
    }
}

impl Nullable for StringBuilder {
    fn nulls(&mut self, count: usize) {
        self.append_nulls(count);
    }
}

impl Nullable for BinaryBuilder {
    fn nulls(&mut self, count: usize) {
        self.append_nulls(count);
    }
}

#[derive(Debug, Default)]
struct Sparse<B>(B);

impl<B: Nullable> Sparse<B> {
    /// The builder, filled up to the row before this one.
    fn at(&mut self, row: usize) -> &mut B {
        let behind = row.saturating_sub(self.0.len());
        if behind > 0 {
            self.0.nulls(behind);
        }
        &mut self.0
    }

    fn finish(&mut self, rows: usize) -> ArrayRef {
        self.at(rows).finish()
    }
}

/// The three columns of one timestamp.
#[derive(Debug, Default)]
struct TimeColumns {
    ts: Sparse<TimestampMicrosecondBuilder>,
    sub: Sparse<UInt32Builder>,
    ticks: Sparse<Int64Builder>,
}

impl TimeColumns {
    fn push(&mut self, row: usize, ticks: Option<i64>, pico: u16) {
        let mut sub = u32::from(pico);
        match ticks {
            Some(ticks) if in_calendar(ticks) => {
                let unix = ticks - UNIX_EPOCH_TICKS;
                self.ts.at(row).append_value(unix.div_euclid(TICKS_PER_MICRO));
                sub += unix.rem_euclid(TICKS_PER_MICRO) as u32 * SUB_PER_TICK;
            }
            Some(ticks) => self.ticks.at(row).append_value(ticks),
            None => {}
        }
        // Zero is written as null, so that a file of whole microseconds has nothing in this column.
        if sub != 0 {
            self.sub.at(row).append_value(sub);
        }
    }

    fn finish(&mut self, rows: usize) -> [ArrayRef; 3] {
        let ts = self.ts.at(rows).finish().with_timezone("UTC");
        [Arc::new(ts), self.sub.finish(rows), self.ticks.finish(rows)]
    }
}

/// Collects rows for one record batch.
#[derive(Debug, Default)]
pub(crate) struct BatchBuilder {
    rows: usize,
    series: UInt64Builder,
    source: TimeColumns,
    server: TimeColumns,
    received: Sparse<TimestampMillisecondBuilder>,
    kind: UInt8Builder,
    f64: Sparse<Float64Builder>,
    i64: Sparse<Int64Builder>,
    u64: Sparse<UInt64Builder>,
    string: Sparse<StringBuilder>,
    binary: Sparse<BinaryBuilder>,
    status: UInt32Builder,
    partition: UInt32Builder,
    offset: UInt64Builder,
}

impl BatchBuilder {
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    /// Appends a row; without `received` its receive time is left to the file's table, unless it has no other.
    pub(crate) fn push(&mut self, row: &RowRef<'_>, received: bool) {
        let at = self.rows;
        self.rows += 1;
        self.series.append_value(row.series);
        self.source.push(at, row.source, row.source_pico);
        self.server.push(at, row.server, row.server_pico);
        if received || (row.source.is_none() && row.server.is_none()) {
            self.received.at(at).append_value(millis(row.received));
        }
        self.kind.append_value(row.kind);
        match row.cell {
            CellRef::Null => {}
            CellRef::F64(v) => self.f64.at(at).append_value(v),
            CellRef::I64(v) => self.i64.at(at).append_value(v),
            CellRef::U64(v) => self.u64.at(at).append_value(v),
            CellRef::Text(v) => self.string.at(at).append_value(v),
            CellRef::Binary(v) => self.binary.at(at).append_value(v),
        }
        self.status.append_value(row.status);
        self.partition.append_value(row.partition);
        self.offset.append_value(row.offset);
    }

    /// The collected rows; the builder is empty after.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let rows = std::mem::take(&mut self.rows);
        let received = self.received.at(rows).finish().with_timezone("UTC");
        let [source_ts, source_sub, source_ticks] = self.source.finish(rows);
        let [server_ts, server_sub, server_ticks] = self.server.finish(rows);
        RecordBatch::try_new(
            schema(),
            vec![
                Arc::new(self.series.finish()),
                source_ts,
                source_sub,
                source_ticks,
                server_ts,
                server_sub,
                server_ticks,
                Arc::new(received),
                Arc::new(self.kind.finish()),
                self.f64.finish(rows),
                self.i64.finish(rows),
                self.u64.finish(rows),
                self.string.finish(rows),
                self.binary.finish(rows),
                Arc::new(self.status.finish()),
                Arc::new(self.partition.finish()),
                Arc::new(self.offset.finish()),
            ],
        )
    }
}
