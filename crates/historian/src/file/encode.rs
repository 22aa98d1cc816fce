//! Rows to columns.

use super::columns::schema;
use crate::day::in_calendar;
use crate::row::{Cell, Row, TICKS_PER_MILLISECOND, UNIX_EPOCH_TICKS};
use arrow_array::RecordBatch;
use arrow_array::builder::{
    BinaryBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
    TimestampMillisecondBuilder, UInt8Builder, UInt32Builder, UInt64Builder,
};
use arrow_schema::ArrowError;
use std::sync::Arc;

/// A tick in units of 10 ps, in which what is finer than a microsecond is counted.
pub(crate) const SUB_PER_TICK: u32 = 10_000;
const TICKS_PER_MICRO: i64 = 10;

/// The three columns of one timestamp.
#[derive(Debug, Default)]
struct TimeColumns {
    ts: TimestampMicrosecondBuilder,
    sub: UInt32Builder,
    ticks: Int64Builder,
}

impl TimeColumns {
    fn push(&mut self, ticks: Option<i64>, pico: u16) {
        let mut sub = u32::from(pico);
        match ticks {
            Some(ticks) if in_calendar(ticks) => {
                let unix = ticks - UNIX_EPOCH_TICKS;
                self.ts.append_value(unix.div_euclid(TICKS_PER_MICRO));
                sub += unix.rem_euclid(TICKS_PER_MICRO) as u32 * SUB_PER_TICK;
                self.ticks.append_null();
            }
            other => {
                self.ts.append_null();
                self.ticks.append_option(other);
            }
        }
        // Zero is written as null, so that a file of whole microseconds has nothing in this column.
        self.sub.append_option((sub != 0).then_some(sub));
    }
}

/// Collects rows for one record batch.
#[derive(Debug, Default)]
pub(crate) struct BatchBuilder {
    rows: usize,
    series: UInt64Builder,
    source: TimeColumns,
    server: TimeColumns,
    received: TimestampMillisecondBuilder,
    kind: UInt8Builder,
    f64: Float64Builder,
    i64: Int64Builder,
    u64: UInt64Builder,
    string: StringBuilder,
    binary: BinaryBuilder,
    status: UInt32Builder,
    partition: UInt32Builder,
    offset: UInt64Builder,
}

impl BatchBuilder {
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn push(&mut self, row: &Row) {
        self.rows += 1;
        self.series.append_value(row.series);
        self.source.push(row.source, row.source_pico);
        self.server.push(row.server, row.server_pico);
        let received = row.received.saturating_sub(UNIX_EPOCH_TICKS);
        self.received.append_value(received.div_euclid(TICKS_PER_MILLISECOND));
        self.kind.append_value(row.kind);
        let (mut f, mut i, mut u, mut text, mut bytes) = (None, None, None, None, None);
        match &row.cell {
            Cell::Null => {}
            Cell::F64(v) => f = Some(*v),
            Cell::I64(v) => i = Some(*v),
            Cell::U64(v) => u = Some(*v),
            Cell::Text(v) => text = Some(&**v),
            Cell::Binary(v) => bytes = Some(&**v),
        }
        self.f64.append_option(f);
        self.i64.append_option(i);
        self.u64.append_option(u);
        self.string.append_option(text);
        self.binary.append_option(bytes);
        self.status.append_value(row.status);
        self.partition.append_value(row.partition);
        self.offset.append_value(row.offset);
    }

    /// The collected rows; the builder is empty after.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        RecordBatch::try_new(
            schema(),
            vec![
                Arc::new(self.series.finish()),
                Arc::new(self.source.ts.finish().with_timezone("UTC")),
                Arc::new(self.source.sub.finish()),
                Arc::new(self.source.ticks.finish()),
                Arc::new(self.server.ts.finish().with_timezone("UTC")),
                Arc::new(self.server.sub.finish()),
                Arc::new(self.server.ticks.finish()),
                Arc::new(self.received.finish().with_timezone("UTC")),
                Arc::new(self.kind.finish()),
                Arc::new(self.f64.finish()),
                Arc::new(self.i64.finish()),
                Arc::new(self.u64.finish()),
                Arc::new(self.string.finish()),
                Arc::new(self.binary.finish()),
                Arc::new(self.status.finish()),
                Arc::new(self.partition.finish()),
                Arc::new(self.offset.finish()),
            ],
        )
    }
}
