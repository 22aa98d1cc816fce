//! Values and samples as JSON and CSV.

use gemba_api::StoredSample;
use gemba_model::text::base64;
use gemba_model::variant::ExtensionBody;
use gemba_model::{DateTime, StatusCode, Variant};
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
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
pub(crate) struct StatusName(StatusCode);

impl Serialize for StatusName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

/// A Variant that is owned; see [`Json`].
#[derive(Debug, Clone)]
pub(crate) struct Value(Variant);

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Json(&self.0).serialize(to)
    }
}

/// One value with everything that makes it trustworthy.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sample {
    /// JSON numbers for all numeric types (Int64 and UInt64 as exact literals); "NaN", "Infinity" and
    /// "-Infinity" as strings; ByteString as base64; arrays as (nested) arrays; structures as
    /// {"typeId", "body"}; null for no value.
    #[schema(value_type = Option<serde_json::Value>, required = true)]
    value: Value,
    /// The StatusCode, all 32 bits.
    #[schema(value_type = u64)]
    status: u32,
    /// Its symbolic name.
    #[schema(value_type = String, example = "Good")]
    status_name: StatusName,
    /// When the source took the value; absent stays null.
    #[schema(value_type = Option<String>, required = true)]
    source_timestamp: Option<DateTime>,
    /// When the server had it; absent stays null.
    #[schema(value_type = Option<String>, required = true)]
    server_timestamp: Option<DateTime>,
    /// Picoseconds below the tick in units of 10 ps; left out when 0.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    source_picoseconds: u16,
    /// Picoseconds below the tick in units of 10 ps; left out when 0.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    server_picoseconds: u16,
    /// When the hub took it; only where both other times are absent, because it is sorted by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    received_timestamp: Option<DateTime>,
}

const fn is_zero(picoseconds: &u16) -> bool {
    *picoseconds == 0
}

impl From<StoredSample> for Sample {
    fn from(sample: StoredSample) -> Self {
        let untimed = sample.source_timestamp.is_none() && sample.server_timestamp.is_none();
        Self {
            value: Value(sample.value),
            status: sample.status.0,
            status_name: StatusName(sample.status),
            source_timestamp: sample.source_timestamp,
            server_timestamp: sample.server_timestamp,
            source_picoseconds: sample.source_picoseconds,
            server_picoseconds: sample.server_picoseconds,
            received_timestamp: untimed.then_some(sample.received),
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
