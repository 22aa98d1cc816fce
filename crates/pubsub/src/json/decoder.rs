//! From JSON NetworkMessages to batches.

use super::read_scalar::{date_time, parse, parse_object, status};
use super::{meta_data, read_value};
use crate::{
    DataSetMessage, DataSets, DecodeError, FrameKind, MetaDataMessage, NetworkMessage, PublisherId, Received,
    WriterRef,
};
use gemba_model::{ConfigurationVersion, DataSetMetaData, StatusCode, WriterKey};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fmt;

/// Reads NetworkMessages; keeps its buffers from one to the next. How long a message may be is the caller's decision.
#[derive(Default)]
pub struct Decoder {
    message: NetworkMessage,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkMessageText<'a> {
    message_id: Option<String>,
    message_type: Option<String>,
    #[serde(borrow)]
    publisher_id: Option<&'a RawValue>,
    writer_group_name: Option<String>,
    data_set_class_id: Option<String>,
    data_set_writer_id: Option<u16>,
    data_set_writer_name: Option<String>,
    timestamp: Option<String>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    meta_data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DataSetMessageText<'a> {
    data_set_writer_id: Option<u16>,
    sequence_number: Option<u32>,
    meta_data_version: Option<VersionText>,
    minor_version: Option<u32>,
    timestamp: Option<String>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    message_type: Option<String>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VersionText {
    #[serde(default)]
    pub(super) major_version: u32,
    #[serde(default)]
    pub(super) minor_version: u32,
}

/// The members of a payload, in order.
struct PayloadText<'a>(Vec<(std::borrow::Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for PayloadText<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = PayloadText<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(NameText(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(PayloadText(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A name, borrowed from the message unless it has escapes.
#[derive(Deserialize)]
struct NameText<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

impl Decoder {
    /// A decoder without buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one NetworkMessage. Each DataSetMessage with values needs the description of its data set.
    ///
    /// # Errors
    /// When it is not a NetworkMessage, names a field that the description lacks, or has a value that is not what
    /// its type says; nothing of it is returned then. The error names the place.
    pub fn decode<D: DataSets + ?Sized>(
        &mut self,
        bytes: &[u8],
        data_sets: &D,
    ) -> Result<Received<'_>, DecodeError> {
        self.message.clear();
        let text =
            std::str::from_utf8(bytes).map_err(|error| DecodeError::json(format!("not UTF-8: {error}")))?;
        let text: NetworkMessageText<'_> = parse_object(text, "a NetworkMessage")?;
        match text.message_type.as_deref() {
            Some("ua-data") => {}
            Some("ua-metadata") => {
                return announcement(text).map(|message| Received::MetaData(Box::new(message)));
            }
            Some(other) => {
                return Err(DecodeError::not_supported(
                    format!("a message of type '{other}'"),
                    "ua-data and ua-metadata are read",
                ));
            }
            None => return Err(DecodeError::json("a NetworkMessage has a MessageType")),
        }
        let message = &mut self.message;
        message.publisher_id = text.publisher_id.map(publisher_id).transpose()?;
        message.message_id = text.message_id;
        message.writer_group_name = text.writer_group_name;
        message.data_set_class_id = match text.data_set_class_id {
            None => None,
            Some(id) => Some(id.parse().map_err(|error: gemba_model::node_id::InvalidNodeId| {
                DecodeError::json(error.to_string()).within("DataSetClassId")
            })?),
        };
        let Some(messages) = text.messages.map(RawValue::get) else {
            return Err(DecodeError::json("a ua-data message has Messages"));
        };
        // A group that sends single DataSetMessages writes an object instead of a list.
        if messages.starts_with('{') {
            let read = read_data_set_message(messages, message, data_sets);
            read.map_err(|error| error.within("Messages"))?;
        } else {
            let list: Vec<&RawValue> = parse(messages, "a list").map_err(|error| error.within("Messages"))?;
            for (index, raw) in list.into_iter().enumerate() {
                let read = read_data_set_message(raw.get(), message, data_sets);
                read.map_err(|error| error.within(&format!("Messages[{index}]")))?;
            }
        }
        Ok(Received::Data(&mut self.message))
    }
}

/// A PublisherId is text; publishers of v1.04 may write a number.
fn publisher_id(raw: &RawValue) -> Result<PublisherId, DecodeError> {
    if raw.get().starts_with('"') {
        return parse::<String>(raw.get(), "text").map(PublisherId::String);
    }
    let id: u64 = parse(raw.get(), "a PublisherId").map_err(|error| error.within("PublisherId"))?;
    Ok(PublisherId::String(id.to_string()))
}

fn announcement(text: NetworkMessageText<'_>) -> Result<MetaDataMessage, DecodeError> {
    let (Some(writer), Some(raw)) = (text.data_set_writer_id, text.meta_data) else {
        return Err(DecodeError::json("a ua-metadata message has DataSetWriterId and MetaData"));
    };
    let mut data_set = DataSetMetaData {
        writer: WriterKey { group: 0, writer },
        writer_group_name: text.writer_group_name.unwrap_or_default(),
        writer_name: text.data_set_writer_name.unwrap_or_default(),
        ..DataSetMetaData::default()
    };
    meta_data::read_meta_data(raw.get(), &mut data_set).map_err(|error| error.within("MetaData"))?;
    let timestamp = text.timestamp.as_deref().map(date_time).transpose();
    Ok(MetaDataMessage {
        publisher_id: text.publisher_id.map(publisher_id).transpose()?,
        message_id: text.message_id,
        sequence_number: None,
        timestamp: timestamp.map_err(|error| error.within("Timestamp"))?,
        status: StatusCode::GOOD,
        meta_data: data_set,
    })
}

fn read_data_set_message<D: DataSets + ?Sized>(
    raw: &str,
    network: &mut NetworkMessage,
    data_sets: &D,
) -> Result<(), DecodeError> {
    let text: DataSetMessageText<'_> = parse_object(raw, "a DataSetMessage")?;
    let kind = match text.message_type.as_deref() {
        Some("ua-deltaframe") => FrameKind::DeltaFrame,
        Some("ua-keyframe") | None => FrameKind::KeyFrame,
        Some("ua-keepalive") => FrameKind::KeepAlive,
        Some("ua-event" | "ua-condition") => {
            network.skipped.events += 1;
            return Ok(());
        }
        Some(other) => {
            return Err(DecodeError::not_supported(
                format!("a DataSetMessage of type '{other}'"),
                "ua-keyframe, ua-deltaframe, ua-event and ua-keepalive are read",
            ));
        }
    };
    let timestamp = text.timestamp.as_deref().map(date_time).transpose();
    let status = text.status.map(|raw| status(raw.get())).transpose();
    let writer = text.data_set_writer_id.unwrap_or_default();
    let major_version = text.meta_data_version.as_ref().map(|version| version.major_version);
    let minor_version =
        text.meta_data_version.as_ref().map(|version| version.minor_version).or(text.minor_version);
    let version = ConfigurationVersion {
        major: major_version.unwrap_or_default(),
        minor: minor_version.unwrap_or_default(),
    };
    let data_set = data_sets.find(&WriterRef {
        publisher_id: network.publisher_id.as_ref(),
        group: None,
        group_name: network.writer_group_name.as_deref(),
        writer,
        major_version,
        minor_version,
    });
    let key = data_set.map_or(WriterKey { group: 0, writer }, |data_set| data_set.writer);
    let mut message = DataSetMessage {
        kind,
        sequence_number: text.sequence_number,
        major_version,
        minor_version,
        status: status.map_err(|error| error.within("Status"))?,
        timestamp: timestamp.map_err(|error| error.within("Timestamp"))?,
        picoseconds: 0,
        batch: network.batch(key, version),
    };
    match (text.payload, data_set) {
        (None, _) => message.kind = FrameKind::KeepAlive,
        (Some(_), _) if kind == FrameKind::KeepAlive => {}
        (Some(_), None) => return Err(DecodeError::UnknownDataSet { writer, major_version }),
        (Some(payload), Some(data_set)) => {
            let read = read_payload(payload.get(), data_set, &mut message);
            read.map_err(|error| error.within("Payload"))?;
        }
    }
    network.messages.push(message);
    Ok(())
}

fn read_payload(
    raw: &str,
    data_set: &DataSetMetaData,
    message: &mut DataSetMessage,
) -> Result<(), DecodeError> {
    let PayloadText(members) = parse(raw, "a payload")?;
    let mut fields = FieldIndex::new(data_set);
    let mut seen = vec![false; data_set.fields.len()];
    message.batch.samples.reserve(members.len());
    for (name, raw) in members {
        let Some(field) = fields.find(&name) else {
            let (place, data_set) = (String::new(), data_set.name.clone());
            return Err(DecodeError::UnknownField {
                place,
                data_set,
                field: name.chars().take(256).collect(),
            });
        };
        let described = data_set.fields.get(usize::from(field));
        let Some((described, seen)) = described.zip(seen.get_mut(usize::from(field))) else { continue };
        if std::mem::replace(seen, true) {
            return Err(DecodeError::json("the field comes twice").within(&name));
        }
        let mut sample = read_value::field(raw.get(), described.built_in_type, &mut message.batch)
            .map_err(|error| error.within(&name))?;
        sample.field = field;
        message.batch.samples.push(sample);
    }
    Ok(())
}

/// Finds fields by name: mostly each is the one after the last, so that the map is rarely made.
struct FieldIndex<'a> {
    data_set: &'a DataSetMetaData,
    next: usize,
    by_name: Option<HashMap<&'a str, u16>>,
}

impl<'a> FieldIndex<'a> {
    fn new(data_set: &'a DataSetMetaData) -> Self {
        Self { data_set, next: 0, by_name: None }
    }

    fn find(&mut self, name: &str) -> Option<u16> {
        let at_next = self.data_set.fields.get(self.next).is_some_and(|field| field.name == name);
        let index = if at_next {
            u16::try_from(self.next).ok()?
        } else {
            let fields = &self.data_set.fields;
            let by_name = self.by_name.get_or_insert_with(|| {
                (0..=u16::MAX).zip(fields).map(|(index, field)| (field.name.as_str(), index)).collect()
            });
            *by_name.get(name)?
        };
        self.next = usize::from(index) + 1;
        Some(index)
    }
}
