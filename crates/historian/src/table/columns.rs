//! Samples to the columns of a record batch.

use super::kinds::Kinds;
use crate::day::in_calendar;
use crate::error::{HistorianError, Result};
use crate::file::columns::column;
use crate::file::encode::SUB_PER_TICK;
use crate::row::{CellRef, TICKS_PER_MILLISECOND, UNIX_EPOCH_TICKS, cell_of};
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
    TimestampMillisecondBuilder, UInt8Builder, UInt32Builder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use gemba_api::StoredSample;
use gemba_model::{DateTime, SampleBatch, Variant};
use std::collections::HashMap;
use std::sync::Arc;

const VALUE: &str = "value";
const TICKS_PER_MICRO: i64 = 10;
const UTC: &str = "UTC";

/// What the values of a table are, and thus the type of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Boolean,
    Signed,
    Unsigned,
    Float,
    Text,
    /// ByteString, as its bytes.
    Bytes,
    /// A complete Variant in OPC UA binary.
    Encoded,
}

impl Class {
    /// The numbers of the built-in types are those of OPC 10000-6, 5.1.2.
    const fn of(kind: u8) -> Self {
        match kind {
            1 => Self::Boolean,
            2 | 4 | 6 | 8 | 13 => Self::Signed,
            3 | 5 | 7 | 9 | 19 => Self::Unsigned,
            10 | 11 => Self::Float,
            12 | 16 => Self::Text,
            15 => Self::Bytes,
            _ => Self::Encoded,
        }
    }
}

/// The columns of values.
enum Values {
    Boolean(BooleanBuilder),
    Signed(Int64Builder),
    Unsigned(UInt64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Encoded(BinaryBuilder),
    /// Of several classes: the columns of sample files.
    Mixed(Box<Mixed>),
}

#[derive(Default)]
struct Mixed {
    f64: Float64Builder,
    i64: Int64Builder,
    u64: UInt64Builder,
    string: StringBuilder,
    binary: BinaryBuilder,
}

impl Mixed {
    fn push(&mut self, cell: CellRef<'_>) {
        self.f64.append_option(if let CellRef::F64(v) = cell { Some(v) } else { None });
        self.i64.append_option(if let CellRef::I64(v) = cell { Some(v) } else { None });
        self.u64.append_option(if let CellRef::U64(v) = cell { Some(v) } else { None });
        self.string.append_option(if let CellRef::Text(v) = cell { Some(v) } else { None });
        self.binary.append_option(if let CellRef::Binary(v) = cell { Some(v) } else { None });
    }
}

impl Values {
    fn new(kinds: &Kinds) -> Self {
        let mut classes = kinds.iter().map(Class::of);
        // A series that never had a value is most likely to get numbers.
        let first = classes.next().unwrap_or(Class::Float);
        if classes.any(|class| class != first) {
            return Self::Mixed(Box::default());
        }
        match first {
            Class::Boolean => Self::Boolean(BooleanBuilder::new()),
            Class::Signed => Self::Signed(Int64Builder::new()),
            Class::Unsigned => Self::Unsigned(UInt64Builder::new()),
            Class::Float => Self::Float(Float64Builder::new()),
            Class::Text => Self::Text(StringBuilder::new()),
            Class::Bytes => Self::Bytes(BinaryBuilder::new()),
            Class::Encoded => Self::Encoded(BinaryBuilder::new()),
        }
    }

    fn fields(&self) -> Vec<(&'static str, DataType)> {
        let kind = match self {
            Self::Boolean(_) => DataType::Boolean,
            Self::Signed(_) => DataType::Int64,
            Self::Unsigned(_) => DataType::UInt64,
            Self::Float(_) => DataType::Float64,
            Self::Text(_) => DataType::Utf8,
            Self::Bytes(_) | Self::Encoded(_) => DataType::Binary,
            Self::Mixed(_) => {
                return vec![
                    (column::F64, DataType::Float64),
                    (column::I64, DataType::Int64),
                    (column::U64, DataType::UInt64),
                    (column::STRING, DataType::Utf8),
                    (column::BINARY, DataType::Binary),
                ];
            }
        };
        vec![(VALUE, kind)]
    }

    /// Appends a value. False when this table has no column for it.
    fn push(&mut self, kind: u8, cell: CellRef<'_>, variant: &Variant) -> bool {
        match (self, cell) {
            (Self::Mixed(mixed), cell) => mixed.push(cell),
            (Self::Boolean(to), CellRef::Null) => to.append_null(),
            (Self::Signed(to), CellRef::Null) => to.append_null(),
            (Self::Unsigned(to), CellRef::Null) => to.append_null(),
            (Self::Float(to), CellRef::Null) => to.append_null(),
            (Self::Text(to), CellRef::Null) => to.append_null(),
            (Self::Bytes(to) | Self::Encoded(to), CellRef::Null) => to.append_null(),
            (Self::Boolean(to), CellRef::I64(v)) if kind == 1 => to.append_value(v != 0),
            (Self::Signed(to), CellRef::I64(v)) if kind != 1 => to.append_value(v),
            (Self::Float(to), CellRef::F64(v)) => to.append_value(v),
            // A signalling NaN, which files keep as its bits.
            (Self::Float(to), CellRef::U64(v)) if kind == 10 => {
                to.append_value(f64::from(f32::from_bits(v as u32)));
            }
            (Self::Unsigned(to), CellRef::U64(v)) if kind != 10 => to.append_value(v),
            (Self::Text(to), CellRef::Text(v)) => to.append_value(v),
            (Self::Bytes(to), CellRef::Binary(_)) => match variant {
                Variant::ByteString(bytes) => to.append_option(bytes.as_deref()),
                _ => return false,
            },
            (Self::Encoded(to), CellRef::Binary(v)) if kind != 15 => to.append_value(v),
            _ => return false,
        }
        true
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        match self {
            Self::Boolean(from) => vec![Arc::new(from.finish())],
            Self::Signed(from) => vec![Arc::new(from.finish())],
            Self::Unsigned(from) => vec![Arc::new(from.finish())],
            Self::Float(from) => vec![Arc::new(from.finish())],
            Self::Text(from) => vec![Arc::new(from.finish())],
            Self::Bytes(from) | Self::Encoded(from) => vec![Arc::new(from.finish())],
            Self::Mixed(from) => vec![
                Arc::new(from.f64.finish()),
                Arc::new(from.i64.finish()),
                Arc::new(from.u64.finish()),
                Arc::new(from.string.finish()),
                Arc::new(from.binary.finish()),
            ],
        }
    }
}

/// A timestamp, as in sample files.
#[derive(Default)]
struct Time {
    ts: TimestampMicrosecondBuilder,
    sub: UInt32Builder,
    ticks: Int64Builder,
}

impl Time {
    fn push(&mut self, time: Option<DateTime>, picoseconds: u16) {
        let ticks = time.map(DateTime::ticks);
        let inside = ticks.filter(|ticks| in_calendar(*ticks)).map(|ticks| ticks - UNIX_EPOCH_TICKS);
        let rest = inside.map_or(0, |unix| unix.rem_euclid(TICKS_PER_MICRO) as u32);
        let sub = rest * SUB_PER_TICK + u32::from(picoseconds);
        self.ts.append_option(inside.map(|unix| unix.div_euclid(TICKS_PER_MICRO)));
        self.sub.append_option((sub != 0).then_some(sub));
        self.ticks.append_option(ticks.filter(|_| inside.is_none()));
    }

    fn finish(&mut self) -> [ArrayRef; 3] {
        let ts = self.ts.finish().with_timezone(UTC);
        [Arc::new(ts), Arc::new(self.sub.finish()), Arc::new(self.ticks.finish())]
    }
}

/// The columns of a table, and the rows of its next record batch.
pub(super) struct Columns {
    schema: Arc<Schema>,
    source: Time,
    server: Time,
    received: TimestampMillisecondBuilder,
    kind: UInt8Builder,
    values: Values,
    status: UInt32Builder,
    rows: usize,
    blob_bytes: usize,
    scratch: SampleBatch,
}

impl Columns {
    pub(super) fn new(kinds: Kinds, about: HashMap<String, String>) -> Self {
        let values = Values::new(&kinds);
        let time = |unit| DataType::Timestamp(unit, Some(UTC.into()));
        let mut fields: Vec<Field> = Vec::new();
        for [ts, sub, ticks] in [
            [column::SOURCE_TS, column::SOURCE_SUB, column::SOURCE_TICKS],
            [column::SERVER_TS, column::SERVER_SUB, column::SERVER_TICKS],
        ] {
            fields.push(Field::new(ts, time(TimeUnit::Microsecond), true));
            fields.push(Field::new(sub, DataType::UInt32, true));
            fields.push(Field::new(ticks, DataType::Int64, true));
        }
        fields.push(Field::new(column::RECEIVED, time(TimeUnit::Millisecond), true));
        fields.push(Field::new(column::TYPE, DataType::UInt8, false));
        fields.extend(values.fields().into_iter().map(|(name, kind)| Field::new(name, kind, true)));
        fields.push(Field::new(column::STATUS, DataType::UInt32, false));
        Self {
            schema: Arc::new(Schema::new_with_metadata(fields, about)),
            source: Time::default(),
            server: Time::default(),
            received: TimestampMillisecondBuilder::new(),
            kind: UInt8Builder::new(),
            values,
            status: UInt32Builder::new(),
            rows: 0,
            blob_bytes: 0,
            scratch: SampleBatch::default(),
        }
    }

    pub(super) fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of texts and binaries at hand.
    pub(super) const fn blob_bytes(&self) -> usize {
        self.blob_bytes
    }

    pub(super) fn push(&mut self, sample: &StoredSample) -> Result<()> {
        self.scratch.bytes.clear();
        let value = self.scratch.store(&sample.value);
        let (kind, cell) = cell_of(value, &self.scratch);
        if !self.values.push(kind, cell, &sample.value) {
            return Err(HistorianError::OtherType(kind));
        }
        self.blob_bytes += self.scratch.bytes.len();
        self.source.push(sample.source_timestamp, sample.source_picoseconds);
        self.server.push(sample.server_timestamp, sample.server_picoseconds);
        let untimed = sample.source_timestamp.is_none() && sample.server_timestamp.is_none();
        let millis = (sample.received.ticks() - UNIX_EPOCH_TICKS).div_euclid(TICKS_PER_MILLISECOND);
        self.received.append_option(untimed.then_some(millis));
        self.kind.append_value(kind);
        self.status.append_value(sample.status.0);
        self.rows += 1;
        Ok(())
    }

    /// The rows so far; none are left.
    pub(super) fn take(&mut self) -> std::result::Result<RecordBatch, ArrowError> {
        (self.rows, self.blob_bytes) = (0, 0);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        arrays.extend(self.source.finish());
        arrays.extend(self.server.finish());
        arrays.push(Arc::new(self.received.finish().with_timezone(UTC)));
        arrays.push(Arc::new(self.kind.finish()));
        arrays.extend(self.values.finish());
        arrays.push(Arc::new(self.status.finish()));
        RecordBatch::try_new(self.schema(), arrays)
    }
}
