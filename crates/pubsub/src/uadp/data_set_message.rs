//! One DataSetMessage: its header and its fields in each of the three encodings.

use super::{data_set_flags_1 as flags, data_set_flags_2 as flags2, value};
use crate::{DataSetMessage, DecodeError, FrameKind, NetworkMessage};
use gemba_model::binary::{self, Reader, skip_data_value, skip_variant};
use gemba_model::{
    BuiltInType, ConfigurationVersion, DataSetMetaData, DateTime, Sample, SampleBatch, StatusCode, Value,
    WriterKey,
};

/// The description for the versions that a message names.
pub(super) trait Find<'d>: Fn(Option<u32>, Option<u32>) -> Option<&'d DataSetMetaData> {}
impl<'d, F: Fn(Option<u32>, Option<u32>) -> Option<&'d DataSetMetaData>> Find<'d> for F {}

/// Reads a DataSetMessage and appends it to the message, or counts it as skipped.
pub(super) fn read<'d>(
    reader: &mut Reader<'_>,
    writer: WriterKey,
    network: &mut NetworkMessage,
    find: &impl Find<'d>,
) -> Result<(), DecodeError> {
    let first = reader.u8()?;
    if first & flags::VALID == 0 {
        reader.take(reader.remaining())?;
        network.skipped.invalid += 1;
        return Ok(());
    }
    let second = if first & flags::DATA_SET_FLAGS_2 != 0 { reader.u8()? } else { 0 };
    let mut message = DataSetMessage::default();
    read_header(reader, first, second, &mut message)?;
    let encoding = first & flags::FIELD_ENCODING;
    message.kind = match second & flags2::MESSAGE_TYPE {
        flags2::KEY_FRAME => FrameKind::KeyFrame,
        flags2::DELTA_FRAME => FrameKind::DeltaFrame,
        flags2::KEEP_ALIVE => FrameKind::KeepAlive,
        flags2::EVENT => {
            skip_event(reader, encoding)?;
            network.skipped.events += 1;
            return Ok(());
        }
        kind => {
            return Err(DecodeError::not_supported(
                format!("a DataSetMessage of type {kind}"),
                "key frames, delta frames, events and keep-alives are read",
            ));
        }
    };
    let version = ConfigurationVersion {
        major: message.major_version.unwrap_or_default(),
        minor: message.minor_version.unwrap_or_default(),
    };
    message.batch = network.batch(writer, version);
    if message.kind != FrameKind::KeepAlive {
        let find = || find(message.major_version, message.minor_version);
        match encoding {
            flags::DATA_VALUE => read_data_values(reader, message.kind, &mut message.batch)?,
            flags::VARIANT => read_variants(reader, message.kind, &mut message.batch, find)?,
            flags::RAW_DATA => {
                let Some(meta_data) = find() else {
                    let major_version = message.major_version;
                    return Err(DecodeError::UnknownDataSet { writer: writer.writer, major_version });
                };
                read_raw(reader, message.kind, &mut message.batch, meta_data)?;
            }
            _ => return Err(reader.error("unknown encoding of fields").into()),
        }
    }
    network.messages.push(message);
    Ok(())
}

fn read_header(
    reader: &mut Reader<'_>,
    first: u8,
    second: u8,
    message: &mut DataSetMessage,
) -> Result<(), binary::DecodeError> {
    if first & flags::SEQUENCE_NUMBER != 0 {
        message.sequence_number = Some(u32::from(reader.u16()?));
    }
    if second & flags2::TIMESTAMP != 0 {
        message.timestamp = Some(DateTime::from_ticks(reader.i64()?));
    }
    if second & flags2::PICOSECONDS != 0 {
        message.picoseconds = reader.u16()?;
    }
    if first & flags::STATUS != 0 {
        message.status = Some(StatusCode(u32::from(reader.u16()?) << 16));
    }
    if first & flags::MAJOR_VERSION != 0 {
        message.major_version = Some(reader.u32()?);
    }
    if first & flags::MINOR_VERSION != 0 {
        message.minor_version = Some(reader.u32()?);
    }
    Ok(())
}

fn skip_event(reader: &mut Reader<'_>, encoding: u8) -> Result<(), binary::DecodeError> {
    if encoding == flags::RAW_DATA {
        return reader.take(reader.remaining()).map(drop);
    }
    for _ in 0..reader.u16()? {
        match encoding {
            flags::VARIANT => skip_variant(reader)?,
            _ => skip_data_value(reader)?,
        }
    }
    Ok(())
}

/// The field count, with room made for as many samples as the bytes at hand can hold.
fn field_count(reader: &mut Reader<'_>, batch: &mut SampleBatch) -> Result<u16, binary::DecodeError> {
    let count = reader.u16()?;
    batch.samples.reserve(usize::from(count).min(reader.remaining()));
    Ok(count)
}

#[inline]
fn field_index(reader: &mut Reader<'_>, kind: FrameKind, position: u16) -> Result<u16, binary::DecodeError> {
    if kind == FrameKind::DeltaFrame { reader.u16() } else { Ok(position) }
}

fn read_data_values(
    reader: &mut Reader<'_>,
    kind: FrameKind,
    batch: &mut SampleBatch,
) -> Result<(), binary::DecodeError> {
    for position in 0..field_count(reader, batch)? {
        let field = field_index(reader, kind, position)?;
        let sample = value::read_data_value(reader, batch)?;
        batch.samples.push(Sample { field, ..sample });
    }
    Ok(())
}

fn read_variants<'d>(
    reader: &mut Reader<'_>,
    kind: FrameKind,
    batch: &mut SampleBatch,
    find: impl Fn() -> Option<&'d DataSetMetaData>,
) -> Result<(), binary::DecodeError> {
    for position in 0..field_count(reader, batch)? {
        let field = field_index(reader, kind, position)?;
        let mut sample = Sample { field, value: value::read_value(reader, batch)?, ..Sample::default() };
        // A bad StatusCode stands in for the value of a field that has none (OPC 10000-14 v1.05, table 32),
        // unless the field is a StatusCode itself. In doubt nothing bad is shown as good.
        if let Value::StatusCode(status) = sample.value
            && status.is_bad()
            && !find().is_some_and(|data_set| has_type(data_set, field, BuiltInType::StatusCode))
        {
            sample.status = status;
            sample.value = Value::Null;
        }
        batch.samples.push(sample);
    }
    Ok(())
}

fn has_type(data_set: &DataSetMetaData, field: u16, built_in_type: BuiltInType) -> bool {
    data_set.fields.get(usize::from(field)).is_some_and(|field| field.built_in_type == built_in_type)
}

fn read_raw(
    reader: &mut Reader<'_>,
    kind: FrameKind,
    batch: &mut SampleBatch,
    meta_data: &DataSetMetaData,
) -> Result<(), DecodeError> {
    // A raw key frame has no field count: it is all fields, in order.
    let count = match kind {
        FrameKind::DeltaFrame => field_count(reader, batch)?,
        _ => u16::try_from(meta_data.fields.len()).unwrap_or(u16::MAX),
    };
    for position in 0..count {
        let field = field_index(reader, kind, position)?;
        let Some(description) = meta_data.fields.get(usize::from(field)) else {
            return Err(reader.error("a field index is beyond the data set's description").into());
        };
        if description.value_rank != -1 {
            return Err(raw_not_supported(&description.name, "an array"));
        }
        let Some(value) = read_raw_scalar(reader, description.built_in_type, batch)? else {
            return Err(raw_not_supported(&description.name, "of a type without a fixed length"));
        };
        batch.samples.push(Sample { field, value, ..Sample::default() });
    }
    Ok(())
}

fn raw_not_supported(field: &str, what: &str) -> DecodeError {
    DecodeError::not_supported(
        format!("raw data of field '{field}', which is {what},"),
        "set the writer's field content mask to DataValues or Variants",
    )
}

/// A scalar of a fixed length; `None` for any other type.
fn read_raw_scalar(
    reader: &mut Reader<'_>,
    built_in_type: BuiltInType,
    batch: &mut SampleBatch,
) -> Result<Option<Value>, binary::DecodeError> {
    use BuiltInType as T;
    Ok(Some(match built_in_type {
        T::Boolean => Value::Boolean(reader.u8()? != 0),
        T::SByte => Value::SByte(reader.i8()?),
        T::Byte => Value::Byte(reader.u8()?),
        T::Int16 => Value::Int16(reader.i16()?),
        T::UInt16 => Value::UInt16(reader.u16()?),
        T::Int32 => Value::Int32(reader.i32()?),
        T::UInt32 => Value::UInt32(reader.u32()?),
        T::Int64 => Value::Int64(reader.i64()?),
        T::UInt64 => Value::UInt64(reader.u64()?),
        T::Float => Value::Float(reader.f32()?),
        T::Double => Value::Double(reader.f64()?),
        T::DateTime => Value::DateTime(DateTime::from_ticks(reader.i64()?)),
        T::StatusCode => Value::StatusCode(StatusCode(reader.u32()?)),
        T::Guid => {
            let guid = reader.array::<16>()?;
            let mut encoded = [T::Guid.id(); 17];
            if let Some(body) = encoded.get_mut(1..) {
                body.copy_from_slice(&guid);
            }
            batch.store_encoded(&encoded)
        }
        _ => return Ok(None),
    }))
}
