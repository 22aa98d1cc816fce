//! Scalars of every built-in type from CompactEncoding JSON.

use super::read_value::{DataValueText, content, data_value};
use crate::DecodeError;
use crate::uadp::write_data_value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gemba_model::binary::{NESTING_MAX, encode_string};
use gemba_model::variant::ExtensionBody;
use gemba_model::{
    BuiltInType, DateTime, ExpandedNodeId, ExtensionObject, Guid, LocalizedText, Namespace, NodeId,
    QualifiedName, SampleBatch, StatusCode, Variant,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::str::FromStr;

type Result<T> = std::result::Result<T, DecodeError>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct LocalizedTextText {
    locale: Option<String>,
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ExtensionObjectText {
    ua_type_id: String,
    ua_encoding: Option<u8>,
    ua_body: Option<String>,
    #[serde(flatten)]
    members: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StatusText {
    code: Option<u32>,
    #[serde(rename = "Symbol")]
    _symbol: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DiagnosticInfoText<'a> {
    symbolic_id: Option<i32>,
    namespace_uri: Option<i32>,
    locale: Option<i32>,
    localized_text: Option<i32>,
    additional_info: Option<String>,
    #[serde(borrow)]
    inner_status_code: Option<&'a RawValue>,
    #[serde(borrow)]
    inner_diagnostic_info: Option<&'a RawValue>,
}

/// Text shown in an error is cut here.
const SHOWN_MAX: usize = 60;

fn shown(raw: &str) -> String {
    let mut text: String = raw.chars().take(SHOWN_MAX).collect();
    if text.len() < raw.len() {
        text.push('…');
    }
    text
}

/// Reads JSON of one kind; the error names what was expected and shows what was found.
pub(super) fn parse<'a, T: Deserialize<'a>>(raw: &'a str, expected: &str) -> Result<T> {
    serde_json::from_str(raw)
        .map_err(|error| DecodeError::json(format!("expected {expected}, found {} ({error})", shown(raw))))
}

/// Reads a JSON object of one kind. Without the check a list of its members would do as well.
pub(super) fn parse_object<'a, T: Deserialize<'a>>(raw: &'a str, expected: &str) -> Result<T> {
    if !raw.trim_start().starts_with('{') {
        return Err(DecodeError::json(format!("expected {expected}, found {}", shown(raw))));
    }
    parse(raw, expected)
}

fn parse_text<T: FromStr>(raw: &str, expected: &str) -> Result<T> {
    let text: String = parse(raw, expected)?;
    text.parse().map_err(|_| DecodeError::json(format!("expected {expected}, found {}", shown(raw))))
}

pub(super) fn date_time(text: &str) -> Result<DateTime> {
    text.parse().map_err(|error: gemba_model::time::InvalidDateTime| DecodeError::json(error.to_string()))
}

/// A StatusCode as an object, or as a bare number as v1.04 has it; absent and null are Good.
pub(super) fn status(raw: &str) -> Result<StatusCode> {
    if raw.starts_with('{') {
        let status: StatusText = parse_object(raw, "a StatusCode")?;
        return Ok(StatusCode(status.code.unwrap_or_default()));
    }
    Ok(StatusCode(parse::<Option<u32>>(raw, "a StatusCode")?.unwrap_or_default()))
}

/// What `null` means for a type: its own null value, or for types without one no value at all.
fn null_of(element: BuiltInType) -> Variant {
    use BuiltInType as T;
    match element {
        T::String => Variant::String(None),
        T::ByteString => Variant::ByteString(None),
        T::XmlElement => Variant::XmlElement(None),
        T::QualifiedName => Variant::QualifiedName(QualifiedName::default()),
        T::LocalizedText => Variant::LocalizedText(LocalizedText::default()),
        T::StatusCode => Variant::StatusCode(StatusCode::GOOD),
        T::DateTime => Variant::DateTime(DateTime::MIN),
        T::Guid => Variant::Guid(Guid::default()),
        T::NodeId => Variant::NodeId(NodeId::numeric(0, 0)),
        T::ExpandedNodeId => Variant::ExpandedNodeId(NodeId::numeric(0, 0).into()),
        T::ExtensionObject => Variant::ExtensionObject(ExtensionObject {
            type_id: NodeId::numeric(0, 0),
            body: ExtensionBody::None,
        }),
        T::DataValue => Variant::DataValue(vec![0]),
        T::DiagnosticInfo => Variant::DiagnosticInfo(vec![0]),
        _ => Variant::Null,
    }
}

pub(super) fn scalar(raw: &str, element: BuiltInType, depth: u32) -> Result<Variant> {
    use BuiltInType as T;
    if raw == "null" {
        return Ok(null_of(element));
    }
    Ok(match element {
        T::Boolean => Variant::Boolean(parse(raw, "true or false")?),
        T::SByte => Variant::SByte(parse(raw, "an SByte")?),
        T::Byte => Variant::Byte(parse(raw, "a Byte")?),
        T::Int16 => Variant::Int16(parse(raw, "an Int16")?),
        T::UInt16 => Variant::UInt16(parse(raw, "a UInt16")?),
        T::Int32 => Variant::Int32(parse(raw, "an Int32")?),
        T::UInt32 => Variant::UInt32(parse(raw, "a UInt32")?),
        T::Int64 if raw.starts_with('"') => Variant::Int64(parse_text(raw, "an Int64")?),
        T::Int64 => Variant::Int64(parse(raw, "an Int64")?),
        T::UInt64 if raw.starts_with('"') => Variant::UInt64(parse_text(raw, "a UInt64")?),
        T::UInt64 => Variant::UInt64(parse(raw, "a UInt64")?),
        T::Float => Variant::Float(float(raw, "a Float", [f32::NAN, f32::INFINITY, f32::NEG_INFINITY])?),
        T::Double => Variant::Double(float(raw, "a Double", [f64::NAN, f64::INFINITY, f64::NEG_INFINITY])?),
        T::String => Variant::String(Some(parse(raw, "a String")?)),
        T::XmlElement => Variant::XmlElement(Some(parse(raw, "an XmlElement")?)),
        T::DateTime => Variant::DateTime(date_time(&parse::<String>(raw, "a DateTime")?)?),
        T::Guid => Variant::Guid(parse(raw, "a Guid")?),
        T::ByteString => Variant::ByteString(Some(base64(&parse::<String>(raw, "a ByteString")?)?)),
        T::NodeId => node_id(parse(raw, "a NodeId")?),
        T::ExpandedNodeId => Variant::ExpandedNodeId(parse(raw, "an ExpandedNodeId")?),
        T::StatusCode => Variant::StatusCode(status(raw)?),
        T::QualifiedName => Variant::QualifiedName(qualified_name(parse(raw, "a QualifiedName")?)),
        T::LocalizedText => {
            let LocalizedTextText { locale, text } = parse_object(raw, "a LocalizedText")?;
            Variant::LocalizedText(LocalizedText { locale, text })
        }
        T::ExtensionObject => Variant::ExtensionObject(extension_object(raw)?),
        T::DataValue => {
            let mut batch = SampleBatch::default();
            // In binary, a DataValue in a Variant counts for two levels.
            let sample = data_value(raw, None, &mut batch, depth + 2)?;
            let mut encoded = Vec::new();
            write_data_value(&batch, &sample, &mut encoded);
            Variant::DataValue(encoded)
        }
        T::Variant => {
            let text: DataValueText<'_> = parse_object(raw, "a Variant")?;
            Variant::Variant(Box::new(content(&text, None, depth + 1)?))
        }
        T::DiagnosticInfo => {
            let mut encoded = Vec::new();
            diagnostic_info(raw, depth + 1, &mut encoded)?;
            Variant::DiagnosticInfo(encoded)
        }
    })
}

/// A number from its own text: by way of a wider type some would be rounded twice.
fn float<T: FromStr + Copy + PartialEq>(raw: &str, expected: &str, [nan, inf, neg_inf]: [T; 3]) -> Result<T> {
    let wrong = || DecodeError::json(format!("expected {expected}, found {}", shown(raw)));
    match raw {
        "\"NaN\"" => Ok(nan),
        "\"Infinity\"" => Ok(inf),
        "\"-Infinity\"" => Ok(neg_inf),
        _ if raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
            let value: T = raw.parse().map_err(|_| wrong())?;
            if value == inf || value == neg_inf { Err(wrong()) } else { Ok(value) }
        }
        _ => Err(wrong()),
    }
}

fn base64(text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|error| DecodeError::json(format!("expected Base64: {error}")))
}

/// A NodeId whose namespace is a URI or whose server is another one needs the expanded form.
fn node_id(node: ExpandedNodeId) -> Variant {
    match node {
        ExpandedNodeId { server: 0, namespace: Namespace::Index(namespace), identifier } => {
            Variant::NodeId(NodeId { namespace, identifier })
        }
        node => Variant::ExpandedNodeId(node),
    }
}

/// `index:name` or `name`; `nsu=uri;name` stays as it is, since the model knows namespaces of names by index only.
pub(super) fn qualified_name(text: String) -> QualifiedName {
    if let Some((index, name)) = text.split_once(':')
        && index.bytes().all(|b| b.is_ascii_digit())
        && let Ok(namespace) = index.parse()
    {
        return QualifiedName { namespace, name: Some(name.to_owned()) };
    }
    QualifiedName { namespace: 0, name: Some(text) }
}

fn extension_object(raw: &str) -> Result<ExtensionObject> {
    let text: ExtensionObjectText = parse_object(raw, "an ExtensionObject")?;
    let type_id = text.ua_type_id.parse().map_err(|error: gemba_model::node_id::InvalidNodeId| {
        DecodeError::json(error.to_string()).within("UaTypeId")
    })?;
    let bytes =
        || base64(text.ua_body.as_deref().unwrap_or_default()).map_err(|error| error.within("UaBody"));
    let body = match text.ua_encoding {
        Some(1) => ExtensionBody::Binary(bytes()?),
        Some(2) => ExtensionBody::Xml(bytes()?),
        None | Some(0) if text.members.is_empty() && text.ua_body.is_none() => ExtensionBody::None,
        None | Some(0) => {
            return Err(DecodeError::not_supported(
                "a structure written out as JSON members",
                "let the publisher send structures with UaEncoding 1, or their parts as fields of their own",
            ));
        }
        Some(encoding) => {
            return Err(DecodeError::json(format!("{encoding} is not an encoding")).within("UaEncoding"));
        }
    };
    Ok(ExtensionObject { type_id, body })
}

fn diagnostic_info(raw: &str, depth: u32, out: &mut Vec<u8>) -> Result<()> {
    if depth > NESTING_MAX {
        return Err(DecodeError::json("values nest too deep"));
    }
    let text: DiagnosticInfoText<'_> = parse_object(raw, "a DiagnosticInfo")?;
    let mask_at = out.len();
    out.push(0);
    let mut mask = 0;
    let indexes = [
        (0x01, text.symbolic_id),
        (0x02, text.namespace_uri),
        (0x08, text.locale),
        (0x04, text.localized_text),
    ];
    for (bit, index) in indexes {
        if let Some(index) = index {
            mask |= bit;
            out.extend_from_slice(&index.to_le_bytes());
        }
    }
    if let Some(info) = &text.additional_info {
        mask |= 0x10;
        encode_string(Some(info), out);
    }
    if let Some(raw) = text.inner_status_code {
        mask |= 0x20;
        out.extend_from_slice(&status(raw.get())?.0.to_le_bytes());
    }
    if let Some(raw) = text.inner_diagnostic_info {
        mask |= 0x40;
        diagnostic_info(raw.get(), depth + 1, out)?;
    }
    if let Some(byte) = out.get_mut(mask_at) {
        *byte = mask;
    }
    Ok(())
}
