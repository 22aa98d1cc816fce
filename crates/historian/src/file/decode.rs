//! Columns to rows.

use super::columns::column;
use super::encode::SUB_PER_TICK;
use super::received::{ReceivedTable, ticks};
use crate::row::{Cell, Row, UNIX_EPOCH_TICKS};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float64Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, UInt8Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType, BinaryArray, PrimitiveArray, RecordBatch, StringArray};

/// Values of columns that are the same in all rows, and therefore were not decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Constants {
    pub(crate) series: Option<u64>,
    pub(crate) kind: Option<u8>,
    pub(crate) status: Option<u32>,
    pub(crate) partition: Option<u32>,
}

/// One column of a batch.
enum Field<'a, T: ArrowPrimitiveType> {
    /// All null, or not wanted.
    Absent,
    Constant(T::Native),
    /// Without nulls.
    Dense(&'a [T::Native]),
    Sparse(&'a PrimitiveArray<T>),
}

impl<'a, T: ArrowPrimitiveType> Field<'a, T> {
    fn of(batch: &'a RecordBatch, name: &str) -> Self {
        match batch.column_by_name(name).and_then(|array| array.as_primitive_opt::<T>()) {
            Some(array) if array.null_count() == 0 => Self::Dense(array.values()),
            Some(array) if array.null_count() < array.len() => Self::Sparse(array),
            _ => Self::Absent,
        }
    }

    fn or(self, constant: Option<T::Native>) -> Self {
        constant.map_or(self, Self::Constant)
    }

    fn at(&self, index: usize) -> Option<T::Native> {
        match self {
            Self::Absent => None,
            Self::Constant(value) => Some(*value),
            Self::Dense(values) => values.get(index).copied(),
            Self::Sparse(array) => (index < array.len() && array.is_valid(index)).then(|| array.value(index)),
        }
    }
}

struct TimeColumns<'a> {
    ts: Field<'a, TimestampMicrosecondType>,
    sub: Field<'a, UInt32Type>,
    ticks: Field<'a, Int64Type>,
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
    series: Field<'a, UInt64Type>,
    source: TimeColumns<'a>,
    server: TimeColumns<'a>,
    delay: Field<'a, Int32Type>,
    received: Field<'a, TimestampMillisecondType>,
    messages: Option<&'a ReceivedTable>,
    kind: Field<'a, UInt8Type>,
    f64: Field<'a, Float64Type>,
    i64: Field<'a, Int64Type>,
    u64: Field<'a, UInt64Type>,
    string: Option<&'a StringArray>,
    binary: Option<&'a BinaryArray>,
    status: Field<'a, UInt32Type>,
    partition: Field<'a, UInt32Type>,
    offset: Field<'a, UInt64Type>,
    rows: usize,
    /// Where the last message was found.
    message: std::cell::Cell<usize>,
}

impl<'a> Columns<'a> {
    /// `messages` holds the receive times that are not in the batch.
    pub(crate) fn new(
        batch: &'a RecordBatch,
        constants: Constants,
        messages: Option<&'a ReceivedTable>,
    ) -> Self {
        Self {
            series: Field::of(batch, column::SERIES).or(constants.series),
            source: TimeColumns {
                ts: Field::of(batch, column::SOURCE_TS),
                sub: Field::of(batch, column::SOURCE_SUB),
                ticks: Field::of(batch, column::SOURCE_TICKS),
            },
            server: TimeColumns {
                ts: Field::of(batch, column::SERVER_TS),
                sub: Field::of(batch, column::SERVER_SUB),
                ticks: Field::of(batch, column::SERVER_TICKS),
            },
            delay: Field::of(batch, column::SERVER_DELAY),
            received: Field::of(batch, column::RECEIVED),
            messages,
            kind: Field::of(batch, column::TYPE).or(constants.kind),
            f64: Field::of(batch, column::F64),
            i64: Field::of(batch, column::I64),
            u64: Field::of(batch, column::U64),
            string: batch.column_by_name(column::STRING).and_then(|array| array.as_string_opt()),
            binary: batch.column_by_name(column::BINARY).and_then(|array| array.as_binary_opt()),
            status: Field::of(batch, column::STATUS).or(constants.status),
            partition: Field::of(batch, column::PARTITION).or(constants.partition),
            offset: Field::of(batch, column::OFFSET),
            rows: batch.num_rows(),
            message: std::cell::Cell::new(0),
        }
    }

    /// Indexes of the rows of a series, which lie together.
    pub(crate) fn rows_of(&self, series: u64) -> std::ops::Range<usize> {
        match &self.series {
            Field::Dense(values) => {
                values.partition_point(|&id| id < series)..values.partition_point(|&id| id <= series)
            }
            Field::Constant(id) if *id == series => 0..self.rows,
            _ => 0..0,
        }
    }

    /// Kinds of the values of a series.
    pub(crate) fn kinds_of(&self, series: u64) -> impl Iterator<Item = u8> {
        self.rows_of(series).filter_map(|index| self.kind.at(index))
    }

    pub(crate) fn row(&self, index: usize) -> Row {
        let (source, source_pico) = self.source.at(index);
        let (server, server_pico) = self.server.at(index);
        let delayed =
            source.zip(self.delay.at(index)).map(|(ticks, delay)| ticks.saturating_add(delay.into()));
        let server = server.or(delayed);
        let (offset, partition) = (self.offset.at(index).unwrap_or(0), self.partition.at(index).unwrap_or(0));
        let received = match self.received.at(index) {
            Some(millis) => ticks(millis),
            None => self.received(partition, offset),
        };
        Row {
            series: self.series.at(index).unwrap_or(0),
            time: source.or(server).unwrap_or(received),
            source,
            server,
            received,
            offset,
            partition,
            status: self.status.at(index).unwrap_or(0),
            source_pico,
            server_pico,
            kind: self.kind.at(index).unwrap_or(0),
            cell: self.cell(index),
        }
    }

    /// Receive time of a message. The rows of a series mostly go through the table in its order.
    fn received(&self, partition: u32, offset: u64) -> i64 {
        let Some(table) = self.messages else { return 0 };
        let (ticks, at) = table.ticks_near(partition, offset, self.message.get());
        self.message.set(at);
        ticks.unwrap_or(0)
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
