//! From JSON NetworkMessages to batches.

use super::read_scalar::{date_time, parse, parse_object, status};
use super::{meta_data, payload};
use crate::{
    DataSetMessage, DataSets, DecodeError, FrameKind, MetaDataMessage, NetworkMessage, PublisherId, Received,
    WriterRef,
};
use gemba_model::{ConfigurationVersion, DataSetMetaData, StatusCode, WriterKey};
use serde::Deserialize;
use serde_json::value::RawValue;

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
        (Some(raw), Some(data_set)) => {
            let read = payload::read_payload(raw.get(), data_set, &mut message);
            read.map_err(|error| error.within("Payload"))?;
        }
    }
    network.messages.push(message);
    Ok(())
}
