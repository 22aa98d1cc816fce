//! The hot path: a DataChangeNotification straight from its bytes into samples.
//!
//! The stock decoder spends most of its time on calendar arithmetic for two timestamps a value. Ours keeps
//! ticks, and scalars cost no allocation. It stands first in the session's type loaders and answers for
//! every DataChangeNotification, so that no other form of one reaches the rest of the house.

use super::convert;
use gemba_model::binary::{DecodeError, Reader, skip_variant};
use gemba_model::{DateTime, Sample, StatusCode, Value, Variant};
use opcua::types as stack;
use opcua::types::{BinaryDecodable, DynEncodable};
use std::io::Read;

/// The encoding id of DataChangeNotification in binary.
const DATA_CHANGE_BINARY: u32 = 811;
/// A longer body is refused; no message may be longer (see the session's limits).
pub(crate) const BODY_BYTES_MAX: usize = 64 << 20;
/// Handle and encoding mask: no item is shorter.
const ITEM_BYTES_MIN: usize = 5;
/// Items of one body. In memory an item takes ten times its shortest form: a body of empty ones must not fill it.
const ITEMS_MAX: usize = 1_000_000;

/// Values of one notification message in the order of the server: `samples[n]` belongs to `handles[n]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DataChange {
    /// The client handles.
    pub handles: Vec<u32>,
    /// The values; `field` is 0, it has no meaning yet.
    pub samples: Vec<Sample>,
    /// Encoded Variants that samples point into.
    pub bytes: Vec<u8>,
}

impl DataChange {
    /// How many values there are.
    pub const fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no value.
    pub const fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The encoded Variant behind a [`Value::Encoded`]; empty when the place is not in here.
    pub fn encoded(&self, start: u32, len: u32) -> &[u8] {
        let end = (start as usize).saturating_add(len as usize);
        self.bytes.get(start as usize..end).unwrap_or_default()
    }

    /// A value of this notification, owned.
    ///
    /// # Errors
    /// When encoded bytes are not a Variant.
    pub fn variant(&self, value: Value) -> Result<Variant, DecodeError> {
        match value {
            Value::Encoded { start, len } => {
                gemba_model::binary::decode_variant(&mut Reader::new(self.encoded(start, len)))
            }
            // Scalars need no batch.
            scalar => gemba_model::SampleBatch::default().variant(scalar),
        }
    }

    /// Reads the body of a DataChangeNotification (OPC 10000-4 v1.05, 7.25.2). Diagnostic infos are skipped.
    ///
    /// # Errors
    /// When the bytes are anything else.
    pub fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let count = reader.array_length(ITEM_BYTES_MIN)?.unwrap_or(0);
        if count > ITEMS_MAX {
            return Err(reader.error("a notification has more than a million items"));
        }
        let mut change = Self {
            handles: Vec::with_capacity(count),
            samples: Vec::with_capacity(count),
            bytes: Vec::new(),
        };
        for _ in 0..count {
            let handle = reader.u32()?;
            let sample = change.read_data_value(&mut reader)?;
            change.handles.push(handle);
            change.samples.push(sample);
        }
        Ok(change)
    }

    /// One DataValue (OPC 10000-6 v1.05, 5.2.2.17). Picoseconds without their timestamp mean nothing.
    #[inline]
    fn read_data_value(&mut self, reader: &mut Reader<'_>) -> Result<Sample, DecodeError> {
        let mask = reader.u8()?;
        let mut sample = Sample::default();
        if mask & 0x01 != 0 {
            sample.value = self.read_value(reader)?;
        }
        if mask & 0x02 != 0 {
            sample.status = StatusCode(reader.u32()?);
        }
        if mask & 0x04 != 0 {
            sample.source_timestamp = Some(DateTime::from_ticks(reader.i64()?));
        }
        if mask & 0x10 != 0 {
            let picoseconds = reader.u16()?;
            sample.source_picoseconds = if mask & 0x04 != 0 { picoseconds } else { 0 };
        }
        if mask & 0x08 != 0 {
            sample.server_timestamp = Some(DateTime::from_ticks(reader.i64()?));
        }
        if mask & 0x20 != 0 {
            let picoseconds = reader.u16()?;
            sample.server_picoseconds = if mask & 0x08 != 0 { picoseconds } else { 0 };
        }
        Ok(sample)
    }

    #[inline]
    fn read_value(&mut self, reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
        let start = reader.position();
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
            _ => {
                *reader = before;
                skip_variant(reader)?;
                self.store(reader.since(start))
            }
        })
    }

    fn store(&mut self, encoded: &[u8]) -> Value {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(encoded);
        Value::Encoded { start, len: encoded.len() as u32 }
    }

    /// Puts the values of a second body of the same message behind ours.
    pub(crate) fn append(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
            return;
        }
        let offset = self.bytes.len() as u32;
        self.handles.extend(other.handles);
        self.bytes.extend(other.bytes);
        self.samples.extend(other.samples.into_iter().map(|mut sample| {
            if let Value::Encoded { start, .. } = &mut sample.value {
                *start += offset;
            }
            sample
        }));
    }

    /// What the stock decoder read, in our form; the second way in for bytes that ours does not accept.
    pub(crate) fn from_stock(
        items: Vec<stack::MonitoredItemNotification>,
        context: &stack::Context<'_>,
    ) -> Result<Self, DecodeError> {
        let mut change = Self::default();
        for item in items {
            let stock = item.value;
            let value = match &stock.value {
                None | Some(stack::Variant::Empty) => Value::Null,
                Some(value) => {
                    let Some(bytes) = convert::variant_bytes(value, context) else {
                        return Err(Reader::new(&[]).error("a value cannot be encoded"));
                    };
                    change.read_value(&mut Reader::new(&bytes))?
                }
            };
            change.handles.push(item.client_handle);
            change.samples.push(Sample {
                field: 0,
                source_picoseconds: stock.source_picoseconds.unwrap_or(0),
                server_picoseconds: stock.server_picoseconds.unwrap_or(0),
                status: stock.status.map_or(StatusCode::GOOD, convert::status),
                source_timestamp: stock.source_timestamp.map(convert::time),
                server_timestamp: stock.server_timestamp.map(convert::time),
                value,
            });
        }
        Ok(change)
    }
}

/// What the loader makes of a body. A refused body is no error of the loader: that would fail the whole
/// answer, close the channel, and the same bytes would come again after the next reconnect, for ever.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum HotBody {
    Change(DataChange),
    Refused(String),
}

/// Reads a body with our parser, else with the stock one.
fn decode(body: &[u8], context: &stack::Context<'_>) -> HotBody {
    let ours = match DataChange::parse(body) {
        Ok(change) => return HotBody::Change(change),
        Err(error) => error,
    };
    let stock = stack::DataChangeNotification::decode(&mut &*body, context);
    let items = match stock {
        Ok(stock) => stock.monitored_items.unwrap_or_default(),
        Err(error) => return HotBody::Refused(format!("{ours}; the stock decoder: {error}")),
    };
    match DataChange::from_stock(items, context) {
        Ok(change) => HotBody::Change(change),
        Err(error) => HotBody::Refused(format!("{ours}; converted: {error}")),
    }
}

impl DynEncodable for HotBody {
    fn encode_binary(&self, _: &mut dyn std::io::Write, _: &stack::Context<'_>) -> stack::EncodingResult<()> {
        Err(stack::Error::encoding("notifications are only received"))
    }
    fn byte_len_dyn(&self, _: &stack::Context<'_>) -> usize {
        0
    }
    fn binary_type_id(&self) -> stack::ExpandedNodeId {
        stack::ObjectId::DataChangeNotification_Encoding_DefaultBinary.into()
    }
    fn data_type_id(&self) -> stack::ExpandedNodeId {
        stack::DataTypeId::DataChangeNotification.into()
    }
    fn as_dyn_any(self: Box<Self>) -> Box<dyn std::any::Any + Send + Sync> {
        self
    }
    fn as_dyn_any_ref(&self) -> &(dyn std::any::Any + Send + Sync) {
        self
    }
    fn clone_box(&self) -> Box<dyn DynEncodable> {
        Box::new(self.clone())
    }
    fn dyn_eq(&self, other: &dyn DynEncodable) -> bool {
        other.as_dyn_any_ref().downcast_ref::<Self>() == Some(self)
    }
    fn type_name(&self) -> &'static str {
        "DataChangeNotification"
    }
    fn override_encoding(&self) -> Option<stack::BuiltInDataEncoding> {
        None
    }
}

/// Claims DataChangeNotification; must stand before the built-in loaders.
struct HotLoader;

impl stack::TypeLoader for HotLoader {
    fn load_from_binary(
        &self,
        node_id: &stack::NodeId,
        stream: &mut dyn Read,
        context: &stack::Context<'_>,
        length: Option<usize>,
    ) -> Option<stack::EncodingResult<Box<dyn DynEncodable>>> {
        if node_id.namespace != 0 || node_id.as_u32() != Some(DATA_CHANGE_BINARY) {
            return None;
        }
        let length = length?;
        if length > BODY_BYTES_MAX {
            return Some(Err(stack::Error::decoding("a notification is longer than 64 MiB")));
        }
        // Grows with what arrives: the length is a claim of the server.
        let mut body = Vec::with_capacity(length.min(1 << 16));
        match stream.take(length as u64).read_to_end(&mut body) {
            Ok(read) if read == length => Some(Ok(Box::new(decode(&body, context)))),
            Ok(_) => Some(Err(stack::Error::decoding("a notification ends too early"))),
            Err(error) => Some(Err(error.into())),
        }
    }

    fn priority(&self) -> stack::TypeLoaderPriority {
        stack::TypeLoaderPriority::Core
    }
}

/// The loaders of a session: ours first. Adding ours to an existing list would put it behind the built-in
/// one, silently, because both have the top priority.
pub(crate) fn loaders() -> stack::TypeLoaderCollection {
    let mut loaders = stack::TypeLoaderCollection::new_empty();
    loaders.add_type_loader(HotLoader);
    for built_in in stack::TypeLoaderCollection::new().iter() {
        loaders.add(built_in.clone());
    }
    loaders
}

/// The target of the fuzzer: any bytes either parse, with one sample a handle and every encoded value
/// inside the bytes, or are refused. Never a panic.
pub fn fuzz(bytes: &[u8]) {
    if let Ok(change) = DataChange::parse(bytes) {
        assert_eq!(change.handles.len(), change.samples.len());
        for sample in &change.samples {
            if let Value::Encoded { start, len } = sample.value {
                assert_eq!(change.encoded(start, len).len(), len as usize);
            }
        }
    }
}

#[cfg(test)]
mod tests;
