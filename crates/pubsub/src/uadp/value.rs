//! DataValues straight between samples and bytes (OPC 10000-6 v1.05, 5.2.2.17).

use gemba_model::binary::{DecodeError, Reader, skip_variant};
use gemba_model::{BuiltInType, DateTime, Sample, SampleBatch, StatusCode, Value};

/// Bits of a DataValue's encoding byte.
const VALUE: u8 = 0x01;
const STATUS: u8 = 0x02;
const SOURCE_TIMESTAMP: u8 = 0x04;
const SERVER_TIMESTAMP: u8 = 0x08;
const SOURCE_PICOSECONDS: u8 = 0x10;
const SERVER_PICOSECONDS: u8 = 0x20;

/// Larger picoseconds are to be read as this (OPC 10000-6 v1.05, 5.2.2.17).
const PICOSECONDS_MAX: u16 = 9999;

/// Bytes of a sample's DataValue.
///
/// # Errors
/// When its encoded value is not exactly one Variant.
pub(crate) fn data_value_size(batch: &SampleBatch, sample: &Sample) -> Result<usize, DecodeError> {
    let value = match sample.value {
        Value::Null => 0,
        Value::Boolean(_) | Value::SByte(_) | Value::Byte(_) => 2,
        Value::Int16(_) | Value::UInt16(_) => 3,
        Value::Int32(_) | Value::UInt32(_) | Value::Float(_) | Value::StatusCode(_) => 5,
        Value::Int64(_) | Value::UInt64(_) | Value::Double(_) | Value::DateTime(_) => 9,
        Value::Encoded { start, len } => {
            let encoded = batch.encoded(start, len);
            // A wrong length would make the rest of the message unreadable for everybody.
            let mut reader = Reader::new(encoded);
            skip_variant(&mut reader)?;
            if reader.remaining() > 0 {
                return Err(reader.error("bytes follow the value"));
            }
            encoded.len()
        }
    };
    let status = if sample.status == StatusCode::GOOD { 0 } else { 4 };
    let source = if sample.source_timestamp.is_some() { 8 } else { 0 };
    let server = if sample.server_timestamp.is_some() { 8 } else { 0 };
    let source_picoseconds = if sample.source_picoseconds == 0 { 0 } else { 2 };
    let server_picoseconds = if sample.server_picoseconds == 0 { 0 } else { 2 };
    Ok(1 + value + status + source + server + source_picoseconds + server_picoseconds)
}

/// Writes a sample's DataValue; what is absent, zero picoseconds and status Good take no bytes.
pub(crate) fn write_data_value(batch: &SampleBatch, sample: &Sample, out: &mut Vec<u8>) {
    let mut mask = 0;
    mask |= if sample.value == Value::Null { 0 } else { VALUE };
    mask |= if sample.status == StatusCode::GOOD { 0 } else { STATUS };
    mask |= if sample.source_timestamp.is_some() { SOURCE_TIMESTAMP } else { 0 };
    mask |= if sample.server_timestamp.is_some() { SERVER_TIMESTAMP } else { 0 };
    mask |= if sample.source_picoseconds == 0 { 0 } else { SOURCE_PICOSECONDS };
    mask |= if sample.server_picoseconds == 0 { 0 } else { SERVER_PICOSECONDS };
    out.push(mask);
    write_value(batch, sample.value, out);
    if mask & STATUS != 0 {
        out.extend_from_slice(&sample.status.0.to_le_bytes());
    }
    if let Some(time) = sample.source_timestamp {
        out.extend_from_slice(&time.ticks().to_le_bytes());
    }
    if mask & SOURCE_PICOSECONDS != 0 {
        out.extend_from_slice(&sample.source_picoseconds.to_le_bytes());
    }
    if let Some(time) = sample.server_timestamp {
        out.extend_from_slice(&time.ticks().to_le_bytes());
    }
    if mask & SERVER_PICOSECONDS != 0 {
        out.extend_from_slice(&sample.server_picoseconds.to_le_bytes());
    }
}

/// Encoding byte and number in one array, so that each value is one append.
macro_rules! tagged {
    ($out:expr, $type:ident, $value:expr) => {{
        $out.push(BuiltInType::$type.id());
        $out.extend_from_slice(&$value.to_le_bytes());
    }};
}

#[inline]
fn write_value(batch: &SampleBatch, value: Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Boolean(v) => out.extend_from_slice(&[BuiltInType::Boolean.id(), u8::from(v)]),
        Value::SByte(v) => tagged!(out, SByte, v),
        Value::Byte(v) => tagged!(out, Byte, v),
        Value::Int16(v) => tagged!(out, Int16, v),
        Value::UInt16(v) => tagged!(out, UInt16, v),
        Value::Int32(v) => tagged!(out, Int32, v),
        Value::UInt32(v) => tagged!(out, UInt32, v),
        Value::Int64(v) => tagged!(out, Int64, v),
        Value::UInt64(v) => tagged!(out, UInt64, v),
        Value::Float(v) => tagged!(out, Float, v),
        Value::Double(v) => tagged!(out, Double, v),
        Value::DateTime(v) => tagged!(out, DateTime, v.ticks()),
        Value::StatusCode(v) => tagged!(out, StatusCode, v.0),
        Value::Encoded { start, len } => out.extend_from_slice(batch.encoded(start, len)),
    }
}

/// Reads a DataValue into a sample of field 0; only values that are not plain scalars take bytes of the batch.
///
/// # Errors
/// When the bytes are not a DataValue.
#[inline]
pub(crate) fn read_data_value(
    reader: &mut Reader<'_>,
    batch: &mut SampleBatch,
) -> Result<Sample, DecodeError> {
    let mask = reader.u8()?;
    if mask & 0xC0 != 0 {
        return Err(reader.error("unknown bits in a DataValue"));
    }
    let mut sample = Sample::default();
    if mask & VALUE != 0 {
        sample.value = read_value(reader, batch)?;
    }
    if mask & STATUS != 0 {
        sample.status = StatusCode(reader.u32()?);
    }
    if mask & SOURCE_TIMESTAMP != 0 {
        sample.source_timestamp = Some(DateTime::from_ticks(reader.i64()?));
    }
    if mask & SOURCE_PICOSECONDS != 0 {
        sample.source_picoseconds = reader.u16()?.min(PICOSECONDS_MAX);
    }
    if mask & SERVER_TIMESTAMP != 0 {
        sample.server_timestamp = Some(DateTime::from_ticks(reader.i64()?));
    }
    if mask & SERVER_PICOSECONDS != 0 {
        sample.server_picoseconds = reader.u16()?.min(PICOSECONDS_MAX);
    }
    Ok(sample)
}

/// Reads a Variant: plain scalars inline, all else as checked bytes in the batch.
///
/// # Errors
/// When the bytes are not a Variant.
#[inline]
pub(crate) fn read_value(reader: &mut Reader<'_>, batch: &mut SampleBatch) -> Result<Value, DecodeError> {
    let before = *reader;
    Ok(match reader.u8()? {
        0 => Value::Null,
        1 => Value::Boolean(reader.u8()? != 0),
        2 => Value::SByte(reader.i8()?),
        3 => Value::Byte(reader.u8()?),
        4 => Value::Int16(reader.i16()?),
        5 => Value::UInt16(reader.u16()?),
        6 => Value::Int32(reader.i32()?),
        7 => Value::UInt32(reader.u32()?),
        8 => Value::Int64(reader.i64()?),
        9 => Value::UInt64(reader.u64()?),
        10 => Value::Float(reader.f32()?),
        11 => Value::Double(reader.f64()?),
        13 => Value::DateTime(DateTime::from_ticks(reader.i64()?)),
        19 => Value::StatusCode(StatusCode(reader.u32()?)),
        mask => {
            check_encoded(mask, before, reader)?;
            batch.store_encoded(reader.since(before.position()))
        }
    })
}

/// Moves the reader behind a Variant that stays encoded, so that it can be decoded for certain later on.
fn check_encoded<'a>(mask: u8, before: Reader<'a>, reader: &mut Reader<'a>) -> Result<(), DecodeError> {
    match mask {
        12 | 16 => reader.string().map(drop),
        14 => reader.take(16).map(drop),
        15 => reader.byte_string().map(drop),
        _ => {
            *reader = before;
            skip_variant(reader)
        }
    }
}
