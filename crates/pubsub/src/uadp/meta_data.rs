//! Announcements of DataSetMetaData (OPC 10000-14 v1.05, 7.2.4.6.4).

use super::{
    ANNOUNCE_META_DATA, UADP_VERSION, extended_flags_1, extended_flags_2, header, schema, uadp_flags,
};
use crate::facts::{self, Fact, Namespaces};
use crate::{DecodeError, EncodeError, Limits, PublisherId};
use gemba_model::binary::{
    self, Reader, decode_variant, encode_guid, encode_localized_text, encode_node_id, encode_string,
    encode_variant, read_node_id,
};
use gemba_model::{
    BuiltInType, ConfigurationVersion, DataSetMetaData, FieldMetaData, LocalizedText, NodeId, StatusCode,
    WriterKey,
};

/// More dimensions than any server has; beyond it the lengths of the dimensions are left out.
const DIMENSIONS_MAX: i32 = 64;

/// Writes the announcement of a data set's description; it reads back exactly.
///
/// `sequence_number` counts the publisher's announcements and wraps. No security header is written, as in
/// v1.04 and in the stacks at hand; readers of v1.05 find that in the flags.
///
/// # Errors
/// When the data set has more than 65,535 fields or the message would break the limit.
pub fn encode_meta_data(
    publisher_id: &PublisherId,
    sequence_number: u16,
    data_set: &DataSetMetaData,
    limits: &Limits,
) -> Result<Vec<u8>, EncodeError> {
    let fields = data_set.fields.len();
    if fields > usize::from(u16::MAX) {
        return Err(EncodeError::TooManyFields { writer: data_set.writer, fields });
    }
    let mut out = Vec::new();
    write_announcement(publisher_id, sequence_number, data_set, &mut out);
    let (size, limit) = (out.len(), limits.max_message_bytes);
    if size > limit {
        return Err(EncodeError::MetaDataTooLarge { writer: data_set.writer, fields, size, limit });
    }
    Ok(out)
}

/// An upper bound of what a field adds to an announcement, its namespace URI included as if no other field had it.
///
/// [`meta_data_base_bytes`] and the sum over the fields are never less than the announcement's size.
pub fn meta_data_bytes(field: &FieldMetaData) -> usize {
    // A higher namespace index can make a numeric node id this much longer than with index 1.
    const WIDER_INDEX: usize = 3;
    let namespaces = Namespaces::of(std::slice::from_ref(field));
    let mut out = Vec::new();
    write_field(field, facts::of_field(field, &namespaces), &mut out);
    let uris: usize = namespaces.uris().iter().map(|uri| 4 + uri.len()).sum();
    out.len() + uris + WIDER_INDEX
}

/// What an announcement takes besides its fields.
pub fn meta_data_base_bytes(publisher_id: &PublisherId, data_set: &DataSetMetaData) -> usize {
    let mut out = Vec::new();
    for (key, value) in facts::of_data_set(data_set) {
        write_property(key, &value, &mut out);
    }
    let description = facts::description(data_set);
    let empty = DataSetMetaData {
        name: data_set.name.clone(),
        fields: Vec::new(),
        writer: WriterKey { group: 0, ..data_set.writer },
        ..DataSetMetaData::default()
    };
    write_announcement(publisher_id, 0, &empty, &mut out);
    let mut text = Vec::new();
    encode_localized_text(&description, &mut text);
    out.len() + text.len()
}

fn write_announcement(
    publisher_id: &PublisherId,
    sequence_number: u16,
    data_set: &DataSetMetaData,
    out: &mut Vec<u8>,
) {
    out.push(UADP_VERSION | uadp_flags::PUBLISHER_ID | uadp_flags::EXTENDED_FLAGS_1);
    out.push(header::publisher_id_type(publisher_id) | extended_flags_1::EXTENDED_FLAGS_2);
    out.push(extended_flags_2::DISCOVERY_ANNOUNCEMENT);
    header::write_publisher_id(publisher_id, out);
    out.push(ANNOUNCE_META_DATA);
    out.extend_from_slice(&sequence_number.to_le_bytes());
    out.extend_from_slice(&data_set.writer.writer.to_le_bytes());
    write_meta_data(data_set, out);
    out.extend_from_slice(&StatusCode::GOOD.0.to_le_bytes());
}

fn write_length(length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(length as i32).to_le_bytes());
}

fn write_meta_data(data_set: &DataSetMetaData, out: &mut Vec<u8>) {
    let namespaces = Namespaces::of(&data_set.fields);
    write_length(namespaces.uris().len(), out);
    namespaces.uris().iter().for_each(|uri| encode_string(Some(uri), out));
    // No structures, enumerations or simple types: structured values travel as their bytes.
    for _ in 0..3 {
        write_length(0, out);
    }
    encode_string(Some(&data_set.name), out);
    encode_localized_text(&facts::description(data_set), out);
    write_length(data_set.fields.len(), out);
    let mut of_data_set = facts::of_data_set(data_set);
    for field in &data_set.fields {
        let mut facts = facts::of_field(field, &namespaces);
        // Non-empty for the first field only.
        facts.append(&mut of_data_set);
        write_field(field, facts, out);
    }
    encode_guid(&data_set.data_set_class_id, out);
    out.extend_from_slice(&data_set.version.major.to_le_bytes());
    out.extend_from_slice(&data_set.version.minor.to_le_bytes());
}

fn write_field(field: &FieldMetaData, facts: Vec<Fact>, out: &mut Vec<u8>) {
    encode_string(Some(&field.name), out);
    encode_localized_text(&LocalizedText::default(), out);
    // Field flags: not promoted.
    out.extend_from_slice(&[0; 2]);
    out.push(field.built_in_type.id());
    // Built-in types have the same number as data types.
    encode_node_id(&NodeId::numeric(0, u32::from(field.built_in_type.id())), out);
    out.extend_from_slice(&field.value_rank.to_le_bytes());
    let dimensions = if field.value_rank > DIMENSIONS_MAX { 0 } else { field.value_rank.max(0) };
    write_length(dimensions as usize, out);
    // A length of 0 says that it may vary.
    (0..dimensions).for_each(|_| out.extend_from_slice(&[0; 4]));
    // No limit of a string's length.
    out.extend_from_slice(&[0; 4]);
    encode_guid(&field.data_set_field_id, out);
    write_length(facts.len(), out);
    for (key, value) in &facts {
        write_property(key, value, out);
    }
}

fn write_property(key: &str, value: &gemba_model::Variant, out: &mut Vec<u8>) {
    // A QualifiedName in namespace 0.
    out.extend_from_slice(&[0; 2]);
    encode_string(Some(key), out);
    encode_variant(value, out);
}

/// Reads DataSetWriterId, DataSetMetaDataType and StatusCode.
pub(super) fn read_meta_data(reader: &mut Reader<'_>) -> Result<(DataSetMetaData, StatusCode), DecodeError> {
    let writer = WriterKey { group: 0, writer: reader.u16()? };
    let mut data_set = DataSetMetaData { writer, ..DataSetMetaData::default() };
    let mut uris = Vec::new();
    schema::each(reader, 4, |reader| {
        uris.push(schema::read_text(reader)?);
        Ok(())
    })?;
    schema::skip_data_types(reader)?;
    data_set.name = schema::read_text(reader)?;
    facts::apply_description(&schema::read_localized_text(reader)?, &mut data_set);
    // The fewest bytes of a field: all its strings and arrays null, its node id in two bytes.
    const FIELD_BYTES_MIN: usize = 42;
    let count = reader.array_length(FIELD_BYTES_MIN)?.unwrap_or(0);
    if count > usize::from(u16::MAX) {
        return Err(reader.error("a data set has more than 65535 fields").into());
    }
    for _ in 0..count {
        let field = read_field(reader, &uris, &mut data_set)?;
        data_set.fields.push(field);
    }
    data_set.data_set_class_id = schema::read_guid(reader)?;
    data_set.version = ConfigurationVersion { major: reader.u32()?, minor: reader.u32()? };
    let status = StatusCode(reader.u32()?);
    Ok((data_set, status))
}

fn read_field(
    reader: &mut Reader<'_>,
    uris: &[String],
    data_set: &mut DataSetMetaData,
) -> Result<FieldMetaData, binary::DecodeError> {
    let name = schema::read_text(reader)?;
    schema::read_localized_text(reader)?;
    reader.u16()?;
    let Some(built_in_type) = built_in_type(reader.u8()?) else {
        return Err(reader.error("unknown built-in type"));
    };
    read_node_id(reader)?;
    let value_rank = reader.i32()?;
    schema::skip_dimensions(reader)?;
    reader.u32()?;
    let data_set_field_id = schema::read_guid(reader)?;
    let mut field = FieldMetaData {
        node_id: facts::derived_node_id(&name),
        name,
        data_set_field_id,
        built_in_type,
        value_rank,
        attribute_id: facts::VALUE_ATTRIBUTE,
        unit: String::new(),
    };
    let first = data_set.fields.is_empty();
    schema::each(reader, 7, |reader| {
        let namespace = reader.u16()?;
        let key = reader.string()?.unwrap_or_default();
        let value = decode_variant(reader)?;
        if namespace == 0 {
            if first {
                facts::apply_to_data_set(key, &value, data_set);
            }
            facts::apply_to_field(key, value, uris, &mut field);
        }
        Ok(())
    })?;
    Ok(field)
}

/// The type with this number; the abstract numeric types that some publishers name (26 to 28) and "not known"
/// (0) become Variant, an enumeration (29) is an Int32 on the wire.
pub(crate) fn built_in_type(id: u8) -> Option<BuiltInType> {
    match id {
        0 | 26..=28 => Some(BuiltInType::Variant),
        29 => Some(BuiltInType::Int32),
        _ => BuiltInType::from_id(id),
    }
}
