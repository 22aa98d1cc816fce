//! `ua-metadata` messages (OPC 10000-14 v1.05, 7.2.5.5.2).

use super::decoder::VersionText;
use super::read_scalar::{parse_object, qualified_name, scalar};
use super::{write_text, write_value};
use crate::facts::{self, Namespaces};
use crate::uadp::built_in_type;
use crate::{DecodeError, EncodeError, Limits, PublisherId};
use gemba_model::{
    BuiltInType, ConfigurationVersion, DataSetMetaData, DateTime, FieldMetaData, Guid, LocalizedText,
    QualifiedName, Variant,
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Writes a data set's description; it reads back exactly. `timestamp` is when the message is first sent.
///
/// # Errors
/// When the data set has more than 65,535 fields or the message would break the limit.
pub fn encode_meta_data(
    publisher_id: &PublisherId,
    message_id: &str,
    timestamp: DateTime,
    data_set: &DataSetMetaData,
    limits: &Limits,
) -> Result<Vec<u8>, EncodeError> {
    let fields = data_set.fields.len();
    if fields > usize::from(u16::MAX) {
        return Err(EncodeError::TooManyFields { writer: data_set.writer, fields });
    }
    let mut out = b"{\"MessageId\":".to_vec();
    write_text::text(&mut out, message_id);
    out.extend_from_slice(b",\"MessageType\":\"ua-metadata\",\"PublisherId\":");
    write_text::text(&mut out, &publisher_id.to_string());
    out.extend_from_slice(b",\"DataSetWriterId\":");
    write_text::number(&mut out, data_set.writer.writer);
    out.extend_from_slice(b",\"WriterGroupName\":");
    write_text::text(&mut out, &data_set.writer_group_name);
    out.extend_from_slice(b",\"DataSetWriterName\":");
    write_text::text(&mut out, &data_set.writer_name);
    out.extend_from_slice(b",\"Timestamp\":");
    write_text::date_time(&mut out, timestamp);
    out.extend_from_slice(b",\"MetaData\":");
    write_meta_data(data_set, &mut out);
    out.push(b'}');
    let (size, limit) = (out.len(), limits.max_message_bytes);
    if size > limit {
        return Err(EncodeError::MetaDataTooLarge { writer: data_set.writer, fields, size, limit });
    }
    Ok(out)
}

fn write_meta_data(data_set: &DataSetMetaData, out: &mut Vec<u8>) {
    let namespaces = Namespaces::of(&data_set.fields);
    out.extend_from_slice(b"{\"Namespaces\":[");
    for (index, uri) in namespaces.uris().iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text::text(out, uri);
    }
    out.extend_from_slice(b"],\"Name\":");
    write_text::text(out, &data_set.name);
    let description = facts::description(data_set);
    if description != LocalizedText::default() {
        out.extend_from_slice(b",\"Description\":{\"Locale\":");
        write_text::text(out, description.locale.as_deref().unwrap_or_default());
        out.extend_from_slice(b",\"Text\":");
        write_text::text(out, description.text.as_deref().unwrap_or_default());
        out.push(b'}');
    }
    out.extend_from_slice(b",\"Fields\":[");
    let mut of_data_set = facts::of_data_set(data_set);
    for (index, field) in data_set.fields.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let mut facts = facts::of_field(field, &namespaces);
        // Non-empty for the first field only.
        facts.append(&mut of_data_set);
        write_field(field, &facts, out);
    }
    out.extend_from_slice(b"],\"DataSetClassId\":");
    write_text::text(out, &data_set.data_set_class_id.to_string());
    out.extend_from_slice(b",\"ConfigurationVersion\":{\"MajorVersion\":");
    write_text::number(out, data_set.version.major);
    out.extend_from_slice(b",\"MinorVersion\":");
    write_text::number(out, data_set.version.minor);
    out.extend_from_slice(b"}}");
}

fn write_field(field: &FieldMetaData, facts: &[facts::Fact], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"Name\":");
    write_text::text(out, &field.name);
    out.extend_from_slice(b",\"BuiltInType\":");
    write_text::number(out, field.built_in_type.id());
    out.extend_from_slice(b",\"DataType\":");
    write_text::text(out, &format!("i={}", field.built_in_type.id()));
    out.extend_from_slice(b",\"ValueRank\":");
    write_text::number(out, field.value_rank);
    out.extend_from_slice(b",\"DataSetFieldId\":");
    write_text::text(out, &field.data_set_field_id.to_string());
    out.extend_from_slice(b",\"Properties\":[");
    for (index, (key, value)) in facts.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"Key\":");
        write_value::qualified_name(out, &QualifiedName { namespace: 0, name: Some((*key).to_owned()) });
        out.extend_from_slice(b",\"Value\":");
        let written = write_value::variant(out, value);
        debug_assert!(written.is_ok(), "facts have no encoded parts");
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetaDataText<'a> {
    #[serde(default)]
    namespaces: Option<Vec<String>>,
    #[serde(default)]
    name: Option<String>,
    description: Option<DescriptionText>,
    #[serde(borrow, default)]
    fields: Option<Vec<&'a RawValue>>,
    data_set_class_id: Option<Guid>,
    configuration_version: Option<VersionText>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescriptionText {
    locale: Option<String>,
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FieldText<'a> {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    built_in_type: u8,
    #[serde(default)]
    value_rank: i32,
    data_set_field_id: Option<Guid>,
    #[serde(borrow, default)]
    properties: Option<Vec<PropertyText<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PropertyText<'a> {
    #[serde(borrow)]
    key: &'a RawValue,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// Reads a DataSetMetaDataType into a description that has what the message around it says.
pub(super) fn read_meta_data(raw: &str, data_set: &mut DataSetMetaData) -> Result<(), DecodeError> {
    let text: MetaDataText<'_> = parse_object(raw, "a DataSetMetaDataType")?;
    let uris = text.namespaces.unwrap_or_default();
    data_set.name = text.name.unwrap_or_default();
    data_set.data_set_class_id = text.data_set_class_id.unwrap_or_default();
    if let Some(version) = text.configuration_version {
        data_set.version =
            ConfigurationVersion { major: version.major_version, minor: version.minor_version };
    }
    if let Some(DescriptionText { locale, text }) = text.description {
        facts::apply_description(&LocalizedText { locale, text }, data_set);
    }
    let fields = text.fields.unwrap_or_default();
    if fields.len() > usize::from(u16::MAX) {
        return Err(
            DecodeError::json(format!("{} fields, 65535 is the limit", fields.len())).within("Fields")
        );
    }
    for (index, raw) in fields.into_iter().enumerate() {
        let field = read_field(raw.get(), &uris, data_set)
            .map_err(|error| error.within(&format!("Fields[{index}]")))?;
        data_set.fields.push(field);
    }
    Ok(())
}

fn read_field(
    raw: &str,
    uris: &[String],
    data_set: &mut DataSetMetaData,
) -> Result<FieldMetaData, DecodeError> {
    let text: FieldText<'_> = parse_object(raw, "a FieldMetaData")?;
    let Some(built_in_type) = built_in_type(text.built_in_type) else {
        let reason = format!("{} is not a built-in type", text.built_in_type);
        return Err(DecodeError::json(reason).within("BuiltInType"));
    };
    let name = text.name.unwrap_or_default();
    let mut field = FieldMetaData {
        node_id: facts::derived_node_id(&name),
        name,
        data_set_field_id: text.data_set_field_id.unwrap_or_default(),
        built_in_type,
        value_rank: text.value_rank,
        attribute_id: facts::VALUE_ATTRIBUTE,
        unit: String::new(),
    };
    let first = data_set.fields.is_empty();
    for property in text.properties.unwrap_or_default() {
        // Keys of other publishers may have other forms; only text can be one of ours.
        let Ok(key) = serde_json::from_str::<String>(property.key.get()) else { continue };
        let key = qualified_name(key);
        let (0, Some(key)) = (key.namespace, key.name.as_deref()) else { continue };
        if !key.starts_with(facts::PREFIX) {
            continue;
        }
        let raw = property.value.map_or("null", RawValue::get);
        let value = match scalar(raw, BuiltInType::Variant, 0).map_err(|error| error.within(key))? {
            Variant::Variant(value) => *value,
            value => value,
        };
        if first {
            facts::apply_to_data_set(key, &value, data_set);
        }
        facts::apply_to_field(key, value, uris, &mut field);
    }
    Ok(field)
}
