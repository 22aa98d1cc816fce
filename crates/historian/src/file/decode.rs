//! Columns to rows.

use super::columns::column;
use super::encode::SUB_PER_TICK;
use crate::row::{Cell, Row, TICKS_PER_MILLISECOND, UNIX_EPOCH_TICKS};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float64Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, UInt8Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType, BinaryArray, PrimitiveArray, RecordBatch, StringArray};

/// A column that a file may lack, because all of it is null.
#[derive(Debug)]
struct Optional<'a, T: ArrowPrimitiveType>(Option<&'a PrimitiveArray<T>>);

impl<'a, T: ArrowPrimitiveType> Optional<'a, T> {
    fn of(batch: &'a RecordBatch, name: &str) -> Self {
        let array = batch.column_by_name(name).and_then(|array| array.as_primitive_opt::<T>());
        Self(array.filter(|array| array.null_count() < array.len()))
    }

    fn at(&self, index: usize) -> Option<T::Native> {
        self.0.filter(|array| index < array.len() && array.is_valid(index)).map(|array| array.value(index))
    }
}

struct TimeColumns<'a> {
    ts: Optional<'a, TimestampMicrosecondType>,
    sub: Optional<'a, UInt32Type>,
    ticks: Optional<'a, Int64Type>,
}

impl TimeColumns<'_> {
    fn at(&self, index: usize) -> (Option<i64>, u16) {
        let sub = self.sub.at(index).unwrap_or(0);
        let pico = (sub % SUB_PER_TICK) as u16;
        match self.ts.at(index) {
            Some(micros) => {
                let ticks = micros.saturating_mul(10).saturating_add(i64::from(sub / SUB_PER_TICK));
                (Some(ticks.saturating_add(UNIX_EPOCH_TICKS)), pico)
            }
            None => (self.ticks.at(index), pico),
        }
    }
}

/// Typed access to a record batch of a sample file.
pub(crate) struct Columns<'a> {
    series: Optional<'a, UInt64Type>,
    source: TimeColumns<'a>,
    server: TimeColumns<'a>,
    received: Optional<'a, TimestampMillisecondType>,
    kind: Optional<'a, UInt8Type>,
    f64: Optional<'a, Float64Type>,
    i64: Optional<'a, Int64Type>,
    u64: Optional<'a, UInt64Type>,
    string: Option<&'a StringArray>,
    binary: Option<&'a BinaryArray>,
    status: Optional<'a, UInt32Type>,
    partition: Optional<'a, UInt32Type>,
    offset: Optional<'a, UInt64Type>,
}

impl<'a> Columns<'a> {
    pub(crate) fn new(batch: &'a RecordBatch) -> Self {
        Self {
            series: Optional::of(batch, column::SERIES),
            source: TimeColumns {
                ts: Optional::of(batch, column::SOURCE_TS),
                sub: Optional::of(batch, column::SOURCE_SUB),
                ticks: Optional::of(batch, column::SOURCE_TICKS),
            },
            server: TimeColumns {
                ts: Optional::of(batch, column::SERVER_TS),
                sub: Optional::of(batch, column::SERVER_SUB),
                ticks: Optional::of(batch, column::SERVER_TICKS),
            },
            received: Optional::of(batch, column::RECEIVED),
            kind: Optional::of(batch, column::TYPE),
            f64: Optional::of(batch, column::F64),
            i64: Optional::of(batch, column::I64),
            u64: Optional::of(batch, column::U64),
            string: batch.column_by_name(column::STRING).and_then(|array| array.as_string_opt()),
            binary: batch.column_by_name(column::BINARY).and_then(|array| array.as_binary_opt()),
            status: Optional::of(batch, column::STATUS),
            partition: Optional::of(batch, column::PARTITION),
            offset: Optional::of(batch, column::OFFSET),
        }
    }

    pub(crate) fn series(&self, index: usize) -> u64 {
        self.series.at(index).unwrap_or(0)
    }

    /// The first and the last-but-one index of a series, whose rows lie together.
    pub(crate) fn rows_of(&self, series: u64) -> std::ops::Range<usize> {
        let values = self.series.0.map_or(&[][..], |array| array.values());
        values.partition_point(|&id| id < series)..values.partition_point(|&id| id <= series)
    }

    pub(crate) fn row(&self, index: usize) -> Row {
        let (source, source_pico) = self.source.at(index);
        let (server, server_pico) = self.server.at(index);
        let received = self.received.at(index).unwrap_or(0).saturating_mul(TICKS_PER_MILLISECOND);
        let received = received.saturating_add(UNIX_EPOCH_TICKS);
        Row {
            series: self.series(index),
            time: source.or(server).unwrap_or(received),
            source,
            server,
            received,
            offset: self.offset.at(index).unwrap_or(0),
            partition: self.partition.at(index).unwrap_or(0),
            status: self.status.at(index).unwrap_or(0),
            source_pico,
            server_pico,
            kind: self.kind.at(index).unwrap_or(0),
            cell: self.cell(index),
        }
    }

    fn cell(&self, index: usize) -> Cell {
        if let Some(v) = self.f64.at(index) {
            return Cell::F64(v);
        }
        if let Some(v) = self.i64.at(index) {
            return Cell::I64(v);
        }
        if let Some(v) = self.u64.at(index) {
            return Cell::U64(v);
        }
        if let Some(array) = self.string.filter(|array| index < array.len() && array.is_valid(index)) {
            return Cell::Text(array.value(index).into());
        }
        if let Some(array) = self.binary.filter(|array| index < array.len() && array.is_valid(index)) {
            return Cell::Binary(array.value(index).into());
        }
        Cell::Null
    }
}
