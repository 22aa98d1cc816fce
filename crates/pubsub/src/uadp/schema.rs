//! The parts of a description that are read only to find what follows them.

use gemba_model::binary::{DecodeError, Reader, read_node_id};
use gemba_model::{Guid, LocalizedText};

type Result<T> = std::result::Result<T, DecodeError>;

pub(super) fn read_guid(reader: &mut Reader<'_>) -> Result<Guid> {
    // The first three groups are little-endian numbers (OPC 10000-6 v1.05, 5.2.2.6).
    let [a0, a1, a2, a3, b0, b1, c0, c1, d0, d1, d2, d3, d4, d5, d6, d7] = reader.array::<16>()?;
    Ok(Guid([a3, a2, a1, a0, b1, b0, c1, c0, d0, d1, d2, d3, d4, d5, d6, d7]))
}

/// A String; the null one becomes empty.
pub(super) fn read_text(reader: &mut Reader<'_>) -> Result<String> {
    Ok(reader.string()?.unwrap_or_default().to_owned())
}

pub(super) fn read_localized_text(reader: &mut Reader<'_>) -> Result<LocalizedText> {
    let mask = reader.u8()?;
    let locale = if mask & 1 != 0 { reader.string()?.map(str::to_owned) } else { None };
    let text = if mask & 2 != 0 { reader.string()?.map(str::to_owned) } else { None };
    Ok(LocalizedText { locale, text })
}

/// Calls `read` for each element of an array whose elements take at least `bytes_min` bytes.
pub(super) fn each(
    reader: &mut Reader<'_>,
    bytes_min: usize,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<()>,
) -> Result<()> {
    for _ in 0..reader.array_length(bytes_min)?.unwrap_or(0) {
        read(reader)?;
    }
    Ok(())
}

fn skip_data_type_description(reader: &mut Reader<'_>) -> Result<()> {
    read_node_id(reader)?;
    reader.u16()?;
    reader.string().map(drop)
}

/// StructureDescription[], EnumDescription[] and SimpleTypeDescription[] (OPC 10000-5 v1.05, 12.31 to 12.35).
pub(super) fn skip_data_types(reader: &mut Reader<'_>) -> Result<()> {
    each(reader, 20, |reader| {
        skip_data_type_description(reader)?;
        read_node_id(reader)?;
        read_node_id(reader)?;
        reader.i32()?;
        each(reader, 20, skip_structure_field)
    })?;
    each(reader, 13, |reader| {
        skip_data_type_description(reader)?;
        each(reader, 14, skip_enum_field)?;
        reader.u8().map(drop)
    })?;
    each(reader, 11, |reader| {
        skip_data_type_description(reader)?;
        read_node_id(reader)?;
        reader.u8().map(drop)
    })
}

fn skip_structure_field(reader: &mut Reader<'_>) -> Result<()> {
    reader.string()?;
    read_localized_text(reader)?;
    read_node_id(reader)?;
    reader.i32()?;
    skip_dimensions(reader)?;
    reader.u32()?;
    reader.u8().map(drop)
}

fn skip_enum_field(reader: &mut Reader<'_>) -> Result<()> {
    reader.i64()?;
    read_localized_text(reader)?;
    read_localized_text(reader)?;
    reader.string().map(drop)
}

pub(super) fn skip_dimensions(reader: &mut Reader<'_>) -> Result<()> {
    each(reader, 4, |reader| reader.u32().map(drop))
}
