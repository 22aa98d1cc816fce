//! Values and samples as JSON and CSV.

use gemba_api::StoredSample;
use gemba_model::text::base64;
use gemba_model::variant::ExtensionBody;
use gemba_model::{DateTime, StatusCode, Variant};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use utoipa::ToSchema;

/// A Variant in its JSON form: integers are exact literals, non-finite numbers are strings, arrays nest by
/// their dimensions, structures keep their bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Json<'a>(pub(crate) &'a Variant);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Variant::Null => to.serialize_none(),
            Variant::Boolean(v) => to.serialize_bool(*v),
            Variant::SByte(v) => to.serialize_i8(*v),
            Variant::Byte(v) => to.serialize_u8(*v),
            Variant::Int16(v) => to.serialize_i16(*v),
            Variant::UInt16(v) => to.serialize_u16(*v),
            Variant::Int32(v) => to.serialize_i32(*v),
            Variant::UInt32(v) => to.serialize_u32(*v),
            Variant::Int64(v) => to.serialize_i64(*v),
            Variant::UInt64(v) => to.serialize_u64(*v),
            Variant::Float(v) if v.is_finite() => to.serialize_f32(*v),
            Variant::Float(v) => to.serialize_str(not_finite(f64::from(*v))),
            Variant::Double(v) if v.is_finite() => to.serialize_f64(*v),
            Variant::Double(v) => to.serialize_str(not_finite(*v)),
            Variant::String(text) | Variant::XmlElement(text) => text.serialize(to),
            Variant::DateTime(v) => to.collect_str(v),
            Variant::Guid(v) => to.collect_str(v),
            Variant::ByteString(bytes) => bytes.as_deref().map(base64).serialize(to),
            Variant::NodeId(v) => to.collect_str(v),
            Variant::ExpandedNodeId(v) => to.collect_str(v),
            Variant::StatusCode(v) => to.serialize_u32(v.0),
            Variant::QualifiedName(v) => {
                let name = v.name.as_deref().unwrap_or_default();
                if v.namespace == 0 {
                    to.serialize_str(name)
                } else {
                    to.collect_str(&format_args!("{}:{name}", v.namespace))
                }
            }
            Variant::LocalizedText(v) => {
                let mut map = to.serialize_map(Some(2))?;
                map.serialize_entry("locale", &v.locale)?;
                map.serialize_entry("text", &v.text)?;
                map.end()
            }
            Variant::ExtensionObject(v) => {
                let body = match &v.body {
                    ExtensionBody::None => None,
                    ExtensionBody::Binary(bytes) | ExtensionBody::Xml(bytes) => Some(base64(bytes)),
                };
                let mut map = to.serialize_map(None)?;
                map.serialize_entry("typeId", &v.type_id.to_string())?;
                map.serialize_entry("body", &body)?;
                if matches!(v.body, ExtensionBody::Xml(_)) {
                    map.serialize_entry("encoding", "xml")?;
                }
                map.end()
            }
            Variant::DataValue(bytes) => encoded(to, "dataValue", bytes),
            Variant::DiagnosticInfo(bytes) => encoded(to, "diagnosticInfo", bytes),
            Variant::Variant(inner) => Json(inner).serialize(to),
            Variant::Array { values, dimensions, .. } => nested(values, dimensions).serialize(to),
        }
    }
}

const fn not_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

fn encoded<S: Serializer>(to: S, kind: &str, bytes: &[u8]) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(1))?;
    map.serialize_entry(kind, &base64(bytes))?;
    map.end()
}

/// Values of an array below its remaining dimensions.
struct Nested<'a> {
    values: &'a [Variant],
    dimensions: Vec<usize>,
}

/// Dimensions that do not fit the values are ignored: the values count.
fn nested<'a>(values: &'a [Variant], dimensions: &[i32]) -> Nested<'a> {
    let lengths: Option<Vec<usize>> = dimensions.iter().map(|length| usize::try_from(*length).ok()).collect();
    let lengths = lengths.unwrap_or_default();
    let product = lengths.iter().try_fold(1_usize, |product, length| product.checked_mul(*length));
    let fits = lengths.len() > 1 && !values.is_empty() && product == Some(values.len());
    Nested { values, dimensions: if fits { lengths } else { Vec::new() } }
}

impl Serialize for Nested<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.dimensions.split_first() {
            Some((length, rest)) if !rest.is_empty() && *length > 0 => {
                let mut seq = to.serialize_seq(Some(*length))?;
                for values in self.values.chunks(self.values.len() / length) {
                    seq.serialize_element(&Nested { values, dimensions: rest.to_vec() })?;
                }
                seq.end()
            }
            _ => to.collect_seq(self.values.iter().map(Json)),
        }
    }
}

/// The symbolic name of a status, or its hexadecimal digits.
#[derive(Debug, Clone, Copy)]
struct StatusName(StatusCode);

impl Serialize for StatusName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

/// One value with everything that makes it trustworthy.
#[derive(Debug, Clone, ToSchema)]
#[schema(as = Sample)]
#[allow(dead_code, reason = "the fields describe what the Serialize implementation writes")]
pub(crate) struct SampleSchema {
    /// JSON numbers for all numeric types (Int64 and UInt64 as exact literals), "NaN", "Infinity" and
    /// "-Infinity" as strings, ByteString as base64, arrays as (nested) arrays, structures as
    /// {"typeId", "body"}; null for no value.
    value: Option<serde_json::Value>,
    /// The StatusCode, all 32 bits.
    status: u32,
    /// Its symbolic name.
    #[schema(example = "Good")]
    status_name: String,
    /// Absent stays null.
    source_timestamp: Option<String>,
    /// Absent stays null.
    server_timestamp: Option<String>,
    /// Picoseconds below the tick in units of 10 ps; left out when 0.
    source_picoseconds: Option<u16>,
    /// Picoseconds below the tick in units of 10 ps; left out when 0.
    server_picoseconds: Option<u16>,
}

/// A stored sample, in the shape of every answer that has samples.
#[derive(Debug, Clone)]
pub(crate) struct Sample(pub(crate) StoredSample);

impl Serialize for Sample {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let sample = &self.0;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("value", &Json(&sample.value))?;
        map.serialize_entry("status", &sample.status.0)?;
        map.serialize_entry("statusName", &StatusName(sample.status))?;
        map.serialize_entry("sourceTimestamp", &Time(sample.source_timestamp))?;
        map.serialize_entry("serverTimestamp", &Time(sample.server_timestamp))?;
        if sample.source_picoseconds != 0 {
            map.serialize_entry("sourcePicoseconds", &sample.source_picoseconds)?;
        }
        if sample.server_picoseconds != 0 {
            map.serialize_entry("serverPicoseconds", &sample.server_picoseconds)?;
        }
        map.end()
    }
}

struct Time(Option<DateTime>);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(time) => to.collect_str(time),
            None => to.serialize_none(),
        }
    }
}

/// First line of a CSV answer.
pub(crate) const CSV_HEADER: &str = "sourceTimestamp,serverTimestamp,value,status,statusName\r\n";

/// Appends a sample as one line of CSV (RFC 4180). A null value is an empty field, an empty text is `""`.
pub(crate) fn write_csv(sample: &StoredSample, out: &mut String) {
    let time = |time: Option<DateTime>, out: &mut String| {
        if let Some(time) = time {
            out.push_str(&time.to_string());
        }
        out.push(',');
    };
    time(sample.source_timestamp, out);
    time(sample.server_timestamp, out);
    let text = serde_json::to_string(&Json(&sample.value)).unwrap_or_default();
    match serde_json::from_str::<String>(&text) {
        _ if text == "null" => {}
        Ok(text) => quote(&text, out),
        Err(_) if text.contains([',', '"']) => quote(&text, out),
        Err(_) => out.push_str(&text),
    }
    out.push_str(&format!(",{},{}\r\n", sample.status.0, sample.status));
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests;
