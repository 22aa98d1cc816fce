//! Columns to rows.

use super::columns::column;
use super::encode::SUB_PER_TICK;
use super::received::{ReceivedTable, ticks};
use crate::row::{self, Row, UNIX_EPOCH_TICKS};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float64Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, UInt8Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType, BinaryArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_buffer::ScalarBuffer;
use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

/// Values of columns that are the same in all rows, and therefore were not decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Constants {
    pub(crate) series: Option<u64>,
    pub(crate) kind: Option<u8>,
    pub(crate) status: Option<u32>,
    pub(crate) partition: Option<u32>,
}

/// One column of a batch.
pub(super) enum Field<T: ArrowPrimitiveType> {
    /// All null, or not wanted.
    Absent,
    Constant(T::Native),
    /// Without nulls.
    Dense(ScalarBuffer<T::Native>),
    Sparse(PrimitiveArray<T>),
}

impl<T: ArrowPrimitiveType> Field<T> {
    fn of(batch: &RecordBatch, name: &str) -> Self {
        match batch.column_by_name(name).and_then(|array| array.as_primitive_opt::<T>()) {
            Some(array) if array.null_count() == 0 => Self::Dense(array.values().clone()),
            Some(array) if array.null_count() < array.len() => Self::Sparse(array.clone()),
            _ => Self::Absent,
        }
    }

    fn or(self, constant: Option<T::Native>) -> Self {
        constant.map_or(self, Self::Constant)
    }

    #[inline]
    pub(super) fn at(&self, index: usize) -> Option<T::Native> {
        match self {
            Self::Absent => None,
            Self::Constant(value) => Some(*value),
            Self::Dense(values) => values.get(index).copied(),
            Self::Sparse(array) => (index < array.len() && array.is_valid(index)).then(|| array.value(index)),
        }
    }
}

/// The columns of one timestamp.
pub(super) struct TimeFields {
    pub(super) ts: Field<TimestampMicrosecondType>,
    pub(super) sub: Field<UInt32Type>,
    pub(super) ticks: Field<Int64Type>,
}

impl TimeFields {
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
pub(crate) struct Columns {
    pub(super) series: Field<UInt64Type>,
    pub(super) source: TimeFields,
    pub(super) server: TimeFields,
    pub(super) delay: Field<Int32Type>,
    pub(super) received: Field<TimestampMillisecondType>,
    messages: Option<Arc<ReceivedTable>>,
    pub(super) kind: Field<UInt8Type>,
    pub(super) f64: Field<Float64Type>,
    pub(super) i64: Field<Int64Type>,
    pub(super) u64: Field<UInt64Type>,
    pub(super) string: Option<StringArray>,
    pub(super) binary: Option<BinaryArray>,
    pub(super) status: Field<UInt32Type>,
    pub(super) partition: Field<UInt32Type>,
    pub(super) offset: Field<UInt64Type>,
    rows: usize,
    /// Where the last message was found.
    message: Cell<usize>,
}

impl Columns {
    /// `messages` holds the receive times that are not in the batch.
    pub(crate) fn new(
        batch: &RecordBatch,
        constants: Constants,
        messages: Option<Arc<ReceivedTable>>,
    ) -> Self {
        let used = |name: &str| batch.column_by_name(name).filter(|array| array.null_count() < array.len());
        Self {
            series: Field::of(batch, column::SERIES).or(constants.series),
            source: TimeFields {
                ts: Field::of(batch, column::SOURCE_TS),
                sub: Field::of(batch, column::SOURCE_SUB),
                ticks: Field::of(batch, column::SOURCE_TICKS),
            },
            server: TimeFields {
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
            string: used(column::STRING).and_then(|array| array.as_string_opt().cloned()),
            binary: used(column::BINARY).and_then(|array| array.as_binary_opt().cloned()),
            status: Field::of(batch, column::STATUS).or(constants.status),
            partition: Field::of(batch, column::PARTITION).or(constants.partition),
            offset: Field::of(batch, column::OFFSET),
            rows: batch.num_rows(),
            message: Cell::new(0),
        }
    }

    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    /// Indexes of the rows of a series, which lie together.
    pub(crate) fn rows_of(&self, series: u64) -> Range<usize> {
        match &self.series {
            Field::Dense(values) => {
                values.partition_point(|&id| id < series)..values.partition_point(|&id| id <= series)
            }
            Field::Constant(id) if *id == series => 0..self.rows,
            _ => 0..0,
        }
    }

    /// The series of a row.
    #[inline]
    pub(crate) fn series_at(&self, index: usize) -> u64 {
        self.series.at(index).unwrap_or(0)
    }

    /// Partition and offset of a row's message.
    #[inline]
    pub(crate) fn place_at(&self, index: usize) -> (u32, u64) {
        (self.partition.at(index).unwrap_or(0), self.offset.at(index).unwrap_or(0))
    }

    /// The ticks by which a row sorts.
    #[inline]
    pub(crate) fn time_at(&self, index: usize) -> i64 {
        if let Some(source) = self.source.at(index).0 {
            return source;
        }
        // A delay says nothing without a source time.
        self.server.at(index).0.unwrap_or_else(|| self.received_at(index))
    }

    /// Whether rows may hold texts or bytes.
    pub(crate) const fn has_blobs(&self) -> bool {
        self.string.is_some() || self.binary.is_some()
    }

    /// When the hub took a row's message, in ticks.
    pub(super) fn received_at(&self, index: usize) -> i64 {
        match self.received.at(index) {
            Some(millis) => ticks(millis),
            None => {
                let (partition, offset) = self.place_at(index);
                self.received(partition, offset)
            }
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
        let (partition, offset) = self.place_at(index);
        let received = self.received_at(index);
        Row {
            series: self.series_at(index),
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
        let Some(table) = &self.messages else { return 0 };
        let (ticks, at) = table.ticks_near(partition, offset, self.message.get());
        self.message.set(at);
        ticks.unwrap_or(0)
    }

    fn cell(&self, index: usize) -> row::Cell {
        if let Some(v) = self.f64.at(index) {
            return row::Cell::F64(v);
        }
        if let Some(v) = self.i64.at(index) {
            return row::Cell::I64(v);
        }
        if let Some(v) = self.u64.at(index) {
            return row::Cell::U64(v);
        }
        if let Some(text) = self.text_at(index) {
            return row::Cell::Text(text.into());
        }
        self.bytes_at(index).map_or(row::Cell::Null, |bytes| row::Cell::Binary(bytes.into()))
    }

    pub(super) fn text_at(&self, index: usize) -> Option<&str> {
        let array = self.string.as_ref().filter(|array| index < array.len() && array.is_valid(index))?;
        Some(array.value(index))
    }

    pub(super) fn bytes_at(&self, index: usize) -> Option<&[u8]> {
        let array = self.binary.as_ref().filter(|array| index < array.len() && array.is_valid(index))?;
        Some(array.value(index))
    }
}
