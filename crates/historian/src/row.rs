//! One stored sample in the form that memory, files and merges share.

use gemba_api::StoredSample;
use gemba_model::binary::{Reader, decode_variant};
use gemba_model::sample::Value;
use gemba_model::{DateTime, Sample, SampleBatch, StatusCode, Variant};

/// Ticks of 100 ns in a millisecond.
pub(crate) const TICKS_PER_MILLISECOND: i64 = 10_000;
/// Ticks from 1601-01-01 to 1970-01-01.
pub(crate) const UNIX_EPOCH_TICKS: i64 = 116_444_736_000_000_000;

/// Where in the log a message lies, and when the hub took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Partition of the log.
    pub(crate) partition: u32,
    /// Offset in the partition.
    pub(crate) offset: u64,
    /// When the hub took it, in ticks, cut to the millisecond that files keep.
    pub(crate) received: i64,
}

impl Place {
    pub(crate) const fn new(partition: u32, offset: u64, received: DateTime) -> Self {
        let ticks = received.ticks();
        Self { partition, offset, received: ticks - ticks.rem_euclid(TICKS_PER_MILLISECOND) }
    }
}

/// The value of a row, sorted into the columns of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    F64(f64),
    I64(i64),
    U64(u64),
    /// String or XmlElement.
    Text(Box<str>),
    /// A complete Variant in OPC UA binary.
    Binary(Box<[u8]>),
}

impl Cell {
    /// Bytes that it holds besides itself.
    pub(crate) const fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            _ => 0,
        }
    }
}

/// One sample of one series.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) series: u64,
    /// The ticks by which it sorts: source, else server, else receive time.
    pub(crate) time: i64,
    pub(crate) source: Option<i64>,
    pub(crate) server: Option<i64>,
    pub(crate) received: i64,
    pub(crate) offset: u64,
    pub(crate) partition: u32,
    pub(crate) status: u32,
    pub(crate) source_pico: u16,
    pub(crate) server_pico: u16,
    /// Number of the built-in type, or the encoding byte of a [`Cell::Binary`]; 0 for Null.
    pub(crate) kind: u8,
    pub(crate) cell: Cell,
}

/// A [`Cell`] that borrows its bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum CellRef<'a> {
    Null,
    F64(f64),
    I64(i64),
    U64(u64),
    Text(&'a str),
    Binary(&'a [u8]),
}

/// A [`Row`] that borrows its bytes: rows pass by in millions, and most never need their own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowRef<'a> {
    pub(crate) series: u64,
    pub(crate) time: i64,
    pub(crate) source: Option<i64>,
    pub(crate) server: Option<i64>,
    pub(crate) received: i64,
    pub(crate) offset: u64,
    pub(crate) partition: u32,
    pub(crate) status: u32,
    pub(crate) source_pico: u16,
    pub(crate) server_pico: u16,
    pub(crate) kind: u8,
    pub(crate) cell: CellRef<'a>,
}

/// The order of samples of one series.
pub(crate) type RowKey = (i64, u64, u32);

impl<'a> RowRef<'a> {
    /// The row of a sample.
    pub(crate) fn new(series: u64, sample: &Sample, batch: &'a SampleBatch, place: Place) -> Self {
        let source = sample.source_timestamp.map(DateTime::ticks);
        let server = sample.server_timestamp.map(DateTime::ticks);
        let (kind, cell) = cell_of(sample.value, batch);
        Self {
            series,
            time: source.or(server).unwrap_or(place.received),
            source,
            server,
            received: place.received,
            offset: place.offset,
            partition: place.partition,
            status: sample.status.0,
            source_pico: sample.source_picoseconds,
            server_pico: sample.server_picoseconds,
            kind,
            cell,
        }
    }

    /// See [`Row::key`].
    pub(crate) const fn key(&self) -> RowKey {
        (self.time, self.offset, self.partition)
    }

    /// The source time, or what stands for it.
    pub(crate) fn source_time(&self) -> i64 {
        self.source.unwrap_or(self.time)
    }

    pub(crate) fn to_row(self) -> Row {
        let cell = match self.cell {
            CellRef::Null => Cell::Null,
            CellRef::F64(v) => Cell::F64(v),
            CellRef::I64(v) => Cell::I64(v),
            CellRef::U64(v) => Cell::U64(v),
            CellRef::Text(v) => Cell::Text(v.into()),
            CellRef::Binary(v) => Cell::Binary(v.into()),
        };
        Row {
            series: self.series,
            time: self.time,
            source: self.source,
            server: self.server,
            received: self.received,
            offset: self.offset,
            partition: self.partition,
            status: self.status,
            source_pico: self.source_pico,
            server_pico: self.server_pico,
            kind: self.kind,
            cell,
        }
    }
}

impl Row {
    pub(crate) fn as_ref(&self) -> RowRef<'_> {
        let cell = match &self.cell {
            Cell::Null => CellRef::Null,
            Cell::F64(v) => CellRef::F64(*v),
            Cell::I64(v) => CellRef::I64(*v),
            Cell::U64(v) => CellRef::U64(*v),
            Cell::Text(v) => CellRef::Text(v),
            Cell::Binary(v) => CellRef::Binary(v),
        };
        RowRef {
            series: self.series,
            time: self.time,
            source: self.source,
            server: self.server,
            received: self.received,
            offset: self.offset,
            partition: self.partition,
            status: self.status,
            source_pico: self.source_pico,
            server_pico: self.server_pico,
            kind: self.kind,
            cell,
        }
    }

    /// By time, then by arrival. Samples of one message share a key and keep their order in all stable sorts.
    pub(crate) const fn key(&self) -> RowKey {
        (self.time, self.offset, self.partition)
    }

    /// Whether both are the same sample delivered twice: equal timestamps, status and value. Samples without
    /// any timestamp are never the same, because nothing says that they are.
    pub(crate) fn repeats(&self, other: &Self) -> bool {
        self.source == other.source
            && self.server == other.server
            && (self.source.is_some() || self.server.is_some())
            && self.status == other.status
            && self.kind == other.kind
            && self.source_pico == other.source_pico
            && self.server_pico == other.server_pico
            && match (&self.cell, &other.cell) {
                (Cell::F64(a), Cell::F64(b)) => a.to_bits() == b.to_bits(),
                (a, b) => a == b,
            }
    }

    /// The value as a number, where it is one and not NaN; Boolean counts as 0 and 1.
    pub(crate) const fn number(&self) -> Option<f64> {
        match (&self.cell, self.kind) {
            (Cell::F64(v), _) if !v.is_nan() => Some(*v),
            (Cell::I64(v), 1..=8) => Some(*v as f64),
            (Cell::U64(v), 3..=9) => Some(*v as f64),
            _ => None,
        }
    }

    pub(crate) fn variant(&self) -> Variant {
        match (&self.cell, self.kind) {
            (Cell::Binary(bytes), _) => decode_variant(&mut Reader::new(bytes))
                .unwrap_or_else(|_| Variant::ByteString(Some(bytes.to_vec()))),
            (Cell::Text(text), 16) => Variant::XmlElement(Some(text.to_string())),
            (Cell::Text(text), _) => Variant::String(Some(text.to_string())),
            (Cell::Null, 12) => Variant::String(None),
            (Cell::Null, 16) => Variant::XmlElement(None),
            (Cell::Null, _) => Variant::Null,
            (Cell::F64(v), 10) => Variant::Float(*v as f32),
            (Cell::F64(v), _) => Variant::Double(*v),
            (Cell::I64(v), kind) => match kind {
                1 => Variant::Boolean(*v != 0),
                2 => Variant::SByte(*v as i8),
                4 => Variant::Int16(*v as i16),
                6 => Variant::Int32(*v as i32),
                13 => Variant::DateTime(DateTime::from_ticks(*v)),
                _ => Variant::Int64(*v),
            },
            (Cell::U64(v), kind) => match kind {
                3 => Variant::Byte(*v as u8),
                5 => Variant::UInt16(*v as u16),
                7 => Variant::UInt32(*v as u32),
                10 => Variant::Float(f32::from_bits(*v as u32)),
                19 => Variant::StatusCode(StatusCode(*v as u32)),
                _ => Variant::UInt64(*v),
            },
        }
    }

    pub(crate) fn stored(&self) -> StoredSample {
        StoredSample {
            source_timestamp: self.source.map(DateTime::from_ticks),
            server_timestamp: self.server.map(DateTime::from_ticks),
            source_picoseconds: self.source_pico,
            server_picoseconds: self.server_pico,
            received: DateTime::from_ticks(self.received),
            value: self.variant(),
            status: StatusCode(self.status),
        }
    }
}

/// Sorts a value into its column.
pub(crate) fn cell_of(value: Value, batch: &SampleBatch) -> (u8, CellRef<'_>) {
    match value {
        Value::Null => (0, CellRef::Null),
        Value::Boolean(v) => (1, CellRef::I64(v.into())),
        Value::SByte(v) => (2, CellRef::I64(v.into())),
        Value::Byte(v) => (3, CellRef::U64(v.into())),
        Value::Int16(v) => (4, CellRef::I64(v.into())),
        Value::UInt16(v) => (5, CellRef::U64(v.into())),
        Value::Int32(v) => (6, CellRef::I64(v.into())),
        Value::UInt32(v) => (7, CellRef::U64(v.into())),
        Value::Int64(v) => (8, CellRef::I64(v)),
        Value::UInt64(v) => (9, CellRef::U64(v)),
        Value::Float(v) => float_cell(v),
        Value::Double(v) => (11, CellRef::F64(v)),
        Value::DateTime(v) => (13, CellRef::I64(v.ticks())),
        Value::StatusCode(v) => (19, CellRef::U64(v.0.into())),
        Value::Encoded { start, len } => encoded_cell(batch.encoded(start, len)),
    }
}

/// Widening may change what a NaN carries, and comparing there and back is no proof: an optimiser takes both away.
/// Any but the usual one is kept as its bits.
fn float_cell<'a>(v: f32) -> (u8, CellRef<'a>) {
    if v.is_nan() && v.to_bits() != f32::NAN.to_bits() {
        return (10, CellRef::U64(v.to_bits().into()));
    }
    (10, CellRef::F64(v.into()))
}

fn encoded_cell(bytes: &[u8]) -> (u8, CellRef<'_>) {
    let Some((&kind, body)) = bytes.split_first() else { return (0, CellRef::Null) };
    if matches!(kind, 12 | 16)
        && let Some((length, text)) = body.split_first_chunk::<4>()
    {
        let length = i32::from_le_bytes(*length);
        if length < 0 {
            return (kind, CellRef::Null);
        }
        if let Ok(text) = std::str::from_utf8(text)
            && text.len() == length as usize
        {
            return (kind, CellRef::Text(text));
        }
    }
    // Scalars of other writers may come encoded; they belong into their column all the same.
    if matches!(kind, 0..=11 | 13 | 19)
        && let Ok(variant) = decode_variant(&mut Reader::new(bytes))
        && let Some((kind, number)) = number_cell(&variant)
    {
        return (kind, number);
    }
    (kind, CellRef::Binary(bytes))
}

/// The column of a scalar that needs no bytes.
fn number_cell<'a>(variant: &Variant) -> Option<(u8, CellRef<'a>)> {
    let mut scratch = SampleBatch::default();
    let value = scratch.store(variant);
    let (kind, cell) = cell_of(value, &scratch);
    let cell = match cell {
        CellRef::Null => CellRef::Null,
        CellRef::F64(v) => CellRef::F64(v),
        CellRef::I64(v) => CellRef::I64(v),
        CellRef::U64(v) => CellRef::U64(v),
        CellRef::Text(_) | CellRef::Binary(_) => return None,
    };
    Some((kind, cell))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gemba_model::binary::encode_variant;
    use gemba_model::{BuiltInType, Guid, LocalizedText};

    fn keeps(variant: &Variant) {
        let mut batch = SampleBatch::default();
        let value = batch.store(variant);
        let sample = Sample { value, ..Sample::default() };
        let row = RowRef::new(1, &sample, &batch, Place::new(0, 0, DateTime::MIN)).to_row();
        let bytes = |v: &Variant| {
            let mut out = Vec::new();
            encode_variant(v, &mut out);
            out
        };
        assert_eq!(bytes(&row.variant()), bytes(variant), "{variant:?}");
    }

    #[test]
    fn every_kind_of_value_comes_back_bit_for_bit() {
        for variant in [
            Variant::Null,
            Variant::Boolean(true),
            Variant::SByte(-128),
            Variant::Byte(255),
            Variant::Int16(i16::MIN),
            Variant::UInt16(u16::MAX),
            Variant::Int32(i32::MIN),
            Variant::UInt32(u32::MAX),
            Variant::Int64(i64::MIN),
            Variant::UInt64(u64::MAX),
            Variant::Float(0.1),
            Variant::Float(f32::NAN),
            Variant::Float(f32::from_bits(0x7FA0_0001)),
            Variant::Float(f32::from_bits(0xFFC0_0001)),
            Variant::Double(-0.0),
            Variant::Double(f64::from_bits(0x7FF0_0000_0000_0001)),
            Variant::Double(f64::NEG_INFINITY),
            Variant::String(None),
            Variant::String(Some(String::new())),
            Variant::String(Some("größe".into())),
            Variant::DateTime(DateTime::from_ticks(i64::MAX)),
            Variant::Guid(Guid([7; 16])),
            Variant::ByteString(None),
            Variant::ByteString(Some(vec![0, 255])),
            Variant::XmlElement(Some("<a/>".into())),
            Variant::StatusCode(StatusCode(0x8000_0480)),
            Variant::LocalizedText(LocalizedText { locale: None, text: Some("x".into()) }),
            Variant::Array {
                element: BuiltInType::Double,
                values: vec![Variant::Double(1.5), Variant::Double(f64::NAN)],
                dimensions: vec![],
            },
        ] {
            keeps(&variant);
        }
    }

    #[test]
    fn an_encoded_scalar_goes_into_its_column() {
        let mut bytes = Vec::new();
        encode_variant(&Variant::UInt64(u64::MAX), &mut bytes);
        assert_eq!(encoded_cell(&bytes), (9, CellRef::U64(u64::MAX)));
    }
}
