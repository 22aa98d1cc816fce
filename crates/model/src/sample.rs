//! Samples as they flow: many values of one data set writer, without an allocation for a scalar.

use crate::binary::{self, DecodeError, Reader};
use crate::{ConfigurationVersion, DateTime, StatusCode, Variant, WriterKey};

/// The value of a sample: scalars inline, all else as its encoded Variant in the batch's bytes.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[allow(missing_docs)] // The names are the standard's.
pub enum Value {
    /// No value, or a null Variant.
    #[default]
    Null,
    Boolean(bool),
    SByte(i8),
    Byte(u8),
    Int16(i16),
    UInt16(u16),
    Int32(i32),
    UInt32(u32),
    Int64(i64),
    UInt64(u64),
    Float(f32),
    Double(f64),
    DateTime(DateTime),
    StatusCode(StatusCode),
    /// A complete Variant in OPC UA binary (encoding byte included) at this place of [`SampleBatch::bytes`].
    Encoded {
        start: u32,
        len: u32,
    },
}

/// One DataValue of one field. Absent stays absent: a missing timestamp is `None`, never "now".
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Sample {
    /// Index into the fields of the data set.
    pub field: u16,
    /// Picoseconds below the tick of the source timestamp, in units of 10 ps (0–9999).
    pub source_picoseconds: u16,
    /// Picoseconds below the tick of the server timestamp, in units of 10 ps (0–9999).
    pub server_picoseconds: u16,
    /// All 32 bits as the server sent them.
    pub status: StatusCode,
    /// When the source took the value.
    pub source_timestamp: Option<DateTime>,
    /// When the server had it.
    pub server_timestamp: Option<DateTime>,
    /// The value.
    pub value: Value,
}

/// Samples of one writer, in the order in which the server sent them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SampleBatch {
    /// Whose samples.
    pub writer: WriterKey,
    /// The description they follow.
    pub version: ConfigurationVersion,
    /// The samples.
    pub samples: Vec<Sample>,
    /// Encoded Variants that samples point into. Below 4 GiB.
    pub bytes: Vec<u8>,
}

impl SampleBatch {
    /// An empty batch.
    pub fn new(writer: WriterKey, version: ConfigurationVersion) -> Self {
        Self { writer, version, ..Self::default() }
    }

    /// The encoded Variant behind a [`Value::Encoded`]; empty when the place is not in this batch.
    pub fn encoded(&self, start: u32, len: u32) -> &[u8] {
        let end = (start as usize).saturating_add(len as usize);
        self.bytes.get(start as usize..end).unwrap_or_default()
    }

    /// The value of a sample of this batch, owned.
    ///
    /// # Errors
    /// When encoded bytes are not a Variant, which a batch from our own decoders never holds.
    pub fn variant(&self, value: Value) -> Result<Variant, DecodeError> {
        Ok(match value {
            Value::Null => Variant::Null,
            Value::Boolean(v) => Variant::Boolean(v),
            Value::SByte(v) => Variant::SByte(v),
            Value::Byte(v) => Variant::Byte(v),
            Value::Int16(v) => Variant::Int16(v),
            Value::UInt16(v) => Variant::UInt16(v),
            Value::Int32(v) => Variant::Int32(v),
            Value::UInt32(v) => Variant::UInt32(v),
            Value::Int64(v) => Variant::Int64(v),
            Value::UInt64(v) => Variant::UInt64(v),
            Value::Float(v) => Variant::Float(v),
            Value::Double(v) => Variant::Double(v),
            Value::DateTime(v) => Variant::DateTime(v),
            Value::StatusCode(v) => Variant::StatusCode(v),
            Value::Encoded { start, len } => {
                binary::decode_variant(&mut Reader::new(self.encoded(start, len)))?
            }
        })
    }

    /// Stores a Variant in the form of this batch: scalars inline, all else encoded into `bytes`.
    pub fn store(&mut self, variant: &Variant) -> Value {
        match variant {
            Variant::Null => Value::Null,
            Variant::Boolean(v) => Value::Boolean(*v),
            Variant::SByte(v) => Value::SByte(*v),
            Variant::Byte(v) => Value::Byte(*v),
            Variant::Int16(v) => Value::Int16(*v),
            Variant::UInt16(v) => Value::UInt16(*v),
            Variant::Int32(v) => Value::Int32(*v),
            Variant::UInt32(v) => Value::UInt32(*v),
            Variant::Int64(v) => Value::Int64(*v),
            Variant::UInt64(v) => Value::UInt64(*v),
            Variant::Float(v) => Value::Float(*v),
            Variant::Double(v) => Value::Double(*v),
            Variant::DateTime(v) => Value::DateTime(*v),
            Variant::StatusCode(v) => Value::StatusCode(*v),
            other => {
                let start = self.bytes.len();
                binary::encode_variant(other, &mut self.bytes);
                Value::Encoded { start: start as u32, len: (self.bytes.len() - start) as u32 }
            }
        }
    }

    /// Appends already encoded Variant bytes and returns the value that points to them.
    pub fn store_encoded(&mut self, encoded: &[u8]) -> Value {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(encoded);
        Value::Encoded { start: start as u32, len: encoded.len() as u32 }
    }
}
