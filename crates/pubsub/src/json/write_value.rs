//! Values as CompactEncoding JSON (OPC 10000-6 v1.05, 5.4.2).

use super::write_text::{
    Out, base64, date_time, double, float, json, member, number, optional_text, quoted, text,
};
use crate::uadp::read_data_value;
use gemba_model::binary::{DecodeError, Reader, decode_variant};
use gemba_model::variant::ExtensionBody;
use gemba_model::{BuiltInType, QualifiedName, Sample, SampleBatch, StatusCode, Value, Variant};

fn status(out: &mut Out, status: StatusCode) {
    out.extend_from_slice(b"{\"Code\":");
    number(out, status.0);
    out.push(b'}');
}

fn ua_type(out: &mut Out, built_in_type: BuiltInType) {
    out.extend_from_slice(b"\"UaType\":");
    number(out, built_in_type.id());
}

/// Writes a sample as a DataValue object. On an error nothing that was written is of use.
///
/// # Errors
/// When its encoded value is not a Variant.
pub(super) fn data_value(out: &mut Out, batch: &SampleBatch, sample: &Sample) -> Result<(), DecodeError> {
    out.push(b'{');
    value_members(out, batch, sample.value)?;
    if sample.status != StatusCode::GOOD {
        member(out, "Status");
        status(out, sample.status);
    }
    if let Some(time) = sample.source_timestamp {
        member(out, "SourceTimestamp");
        date_time(out, time);
    }
    if sample.source_picoseconds != 0 {
        member(out, "SourcePicoseconds");
        number(out, sample.source_picoseconds);
    }
    if let Some(time) = sample.server_timestamp {
        member(out, "ServerTimestamp");
        date_time(out, time);
    }
    if sample.server_picoseconds != 0 {
        member(out, "ServerPicoseconds");
        number(out, sample.server_picoseconds);
    }
    out.push(b'}');
    Ok(())
}

fn value_members(out: &mut Out, batch: &SampleBatch, value: Value) -> Result<(), DecodeError> {
    macro_rules! scalar {
        ($type:ident, $write:expr) => {{
            ua_type(out, BuiltInType::$type);
            out.extend_from_slice(b",\"Value\":");
            $write;
        }};
    }
    match value {
        Value::Null => {}
        Value::Boolean(v) => scalar!(Boolean, number(out, v)),
        Value::SByte(v) => scalar!(SByte, number(out, v)),
        Value::Byte(v) => scalar!(Byte, number(out, v)),
        Value::Int16(v) => scalar!(Int16, number(out, v)),
        Value::UInt16(v) => scalar!(UInt16, number(out, v)),
        Value::Int32(v) => scalar!(Int32, number(out, v)),
        Value::UInt32(v) => scalar!(UInt32, number(out, v)),
        Value::Int64(v) => scalar!(Int64, quoted(out, v)),
        Value::UInt64(v) => scalar!(UInt64, quoted(out, v)),
        Value::Float(v) => scalar!(Float, float(out, v)),
        Value::Double(v) => scalar!(Double, double(out, v)),
        Value::DateTime(v) => scalar!(DateTime, date_time(out, v)),
        Value::StatusCode(v) => scalar!(StatusCode, status(out, v)),
        Value::Encoded { start, len } => {
            let mut reader = Reader::new(batch.encoded(start, len));
            let variant = decode_variant(&mut reader)?;
            if reader.remaining() > 0 {
                return Err(reader.error("bytes follow the value"));
            }
            variant_members(out, &variant)?;
        }
    }
    Ok(())
}

/// `"UaType":…,"Value":…` and the dimensions; nothing for a null Variant.
fn variant_members(out: &mut Out, variant: &Variant) -> Result<(), DecodeError> {
    let Some(built_in_type) = variant.built_in_type() else { return Ok(()) };
    ua_type(out, built_in_type);
    out.extend_from_slice(b",\"Value\":");
    let Variant::Array { values, dimensions, .. } = variant else { return body(out, variant) };
    out.push(b'[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        body(out, value)?;
    }
    out.push(b']');
    if !dimensions.is_empty() {
        member(out, "Dimensions");
        json(out, dimensions);
    }
    Ok(())
}

/// A Variant as an object; the null one as `null`.
pub(super) fn variant(out: &mut Out, variant: &Variant) -> Result<(), DecodeError> {
    if *variant == Variant::Null {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    out.push(b'{');
    variant_members(out, variant)?;
    out.push(b'}');
    Ok(())
}

/// A value without its type, as it stands in `Value` and in arrays.
fn body(out: &mut Out, value: &Variant) -> Result<(), DecodeError> {
    match value {
        Variant::Null | Variant::Array { .. } => variant(out, value)?,
        Variant::Boolean(v) => number(out, v),
        Variant::SByte(v) => number(out, v),
        Variant::Byte(v) => number(out, v),
        Variant::Int16(v) => number(out, v),
        Variant::UInt16(v) => number(out, v),
        Variant::Int32(v) => number(out, v),
        Variant::UInt32(v) => number(out, v),
        Variant::Int64(v) => quoted(out, v),
        Variant::UInt64(v) => quoted(out, v),
        Variant::Float(v) => float(out, *v),
        Variant::Double(v) => double(out, *v),
        Variant::String(v) | Variant::XmlElement(v) => optional_text(out, v.as_deref()),
        Variant::DateTime(v) => date_time(out, *v),
        Variant::Guid(v) => quoted(out, v),
        Variant::ByteString(None) => out.extend_from_slice(b"null"),
        Variant::ByteString(Some(v)) => base64(out, v),
        Variant::NodeId(v) => text(out, &v.to_string()),
        Variant::ExpandedNodeId(v) => text(out, &v.to_string()),
        Variant::StatusCode(v) => status(out, *v),
        Variant::QualifiedName(v) => qualified_name(out, v),
        Variant::LocalizedText(v) => {
            out.push(b'{');
            for (name, part) in [("Locale", &v.locale), ("Text", &v.text)] {
                if let Some(part) = part {
                    member(out, name);
                    text(out, part);
                }
            }
            out.push(b'}');
        }
        Variant::ExtensionObject(v) => {
            out.extend_from_slice(b"{\"UaTypeId\":");
            text(out, &v.type_id.to_string());
            match &v.body {
                ExtensionBody::None => {}
                ExtensionBody::Binary(bytes) => extension_body(out, 1, bytes),
                ExtensionBody::Xml(bytes) => extension_body(out, 2, bytes),
            }
            out.push(b'}');
        }
        Variant::DataValue(encoded) => {
            let mut batch = SampleBatch::default();
            let sample = read_data_value(&mut Reader::new(encoded), &mut batch)?;
            data_value(out, &batch, &sample)?;
        }
        Variant::Variant(inner) => variant(out, inner)?,
        Variant::DiagnosticInfo(encoded) => diagnostic_info(out, &mut Reader::new(encoded))?,
    }
    Ok(())
}

fn extension_body(out: &mut Out, encoding: u8, bytes: &[u8]) {
    member(out, "UaEncoding");
    number(out, encoding);
    member(out, "UaBody");
    base64(out, bytes);
}

/// `index:name`, without the index in namespace 0 unless the name itself looks as if it had one.
pub(super) fn qualified_name(out: &mut Out, name: &QualifiedName) {
    let plain = name.name.as_deref();
    match (name.namespace, plain) {
        (0, None) => out.extend_from_slice(b"null"),
        (0, Some(plain)) if !starts_like_an_index(plain) => text(out, plain),
        (index, plain) => text(out, &format!("{index}:{}", plain.unwrap_or_default())),
    }
}

/// Whether a reader would take the start of a name for a namespace index.
pub(super) fn starts_like_an_index(name: &str) -> bool {
    name.split_once(':')
        .is_some_and(|(index, _)| !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit()))
}

/// A DiagnosticInfo straight from its bytes, which were checked when the value was decoded.
fn diagnostic_info(out: &mut Out, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    let mask = reader.u8()?;
    out.push(b'{');
    for (bit, name) in
        [(0x01, "SymbolicId"), (0x02, "NamespaceUri"), (0x08, "Locale"), (0x04, "LocalizedText")]
    {
        if mask & bit != 0 {
            member(out, name);
            number(out, reader.i32()?);
        }
    }
    if mask & 0x10 != 0 {
        member(out, "AdditionalInfo");
        optional_text(out, reader.string()?);
    }
    if mask & 0x20 != 0 {
        member(out, "InnerStatusCode");
        status(out, StatusCode(reader.u32()?));
    }
    if mask & 0x40 != 0 {
        member(out, "InnerDiagnosticInfo");
        diagnostic_info(out, reader)?;
    }
    out.push(b'}');
    Ok(())
}
