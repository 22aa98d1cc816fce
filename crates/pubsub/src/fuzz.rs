//! Fuzz targets: whatever the bytes are, a decoder returns a message or an error, and what it returned can be
//! written and read again.

use crate::{DataSetMessage, Limits, Outcome, PublisherId, Received, Refusal, RefusedSample, json, uadp};
use gemba_model::{
    BuiltInType, ConfigurationVersion, DataSetMetaData, FieldMetaData, Guid, NodeId, SampleBatch, WriterKey,
};

/// Reads bytes as UADP.
///
/// # Panics
/// When a message that was read does not survive being written and read again.
pub fn uadp(bytes: &[u8]) {
    let data_sets = data_sets();
    let mut decoder = uadp::Decoder::new();
    match decoder.decode(bytes, &data_sets[..]) {
        Err(error) => drop(error.to_string()),
        Ok(Received::Data(message)) => {
            for DataSetMessage { batch, .. } in &message.messages {
                check_values(batch);
                check_uadp(batch);
                check_json(batch, &data_sets);
            }
        }
        Ok(Received::MetaData(message)) => {
            let publisher_id = message.publisher_id.unwrap_or(PublisherId::Byte(0));
            let limits = Limits { max_message_bytes: usize::MAX, ..Limits::default() };
            let written = uadp::encode_meta_data(&publisher_id, 0, &message.meta_data, &limits);
            let written = written.unwrap_or_default();
            let Ok(Received::MetaData(again)) = decoder.decode(&written, &data_sets[..]) else {
                panic!("metadata that was read can be written and read");
            };
            assert_eq!(again.meta_data, message.meta_data);
        }
    }
}

/// Reads bytes as JSON, with descriptions of writer 1 (fields `a`, `b`, `c`) at hand.
///
/// # Panics
/// When a message that was read does not survive being written and read again.
pub fn json(bytes: &[u8]) {
    let data_sets = data_sets();
    let mut decoder = json::Decoder::new();
    match decoder.decode(bytes, &data_sets[..]) {
        Err(error) => drop(error.to_string()),
        Ok(Received::Data(message)) => {
            for DataSetMessage { batch, .. } in &message.messages {
                check_values(batch);
                check_uadp(batch);
                check_json(batch, &data_sets);
            }
        }
        Ok(Received::MetaData(message)) => {
            let limits = Limits { max_message_bytes: usize::MAX, ..Limits::default() };
            let time = message.timestamp.unwrap_or_default();
            let written = json::encode_meta_data(&"p".into(), "m", time, &message.meta_data, &limits);
            let written = written.unwrap_or_default();
            let Ok(Received::MetaData(again)) = decoder.decode(&written, &data_sets[..]) else {
                panic!("metadata that was read can be written and read");
            };
            assert_eq!(again.meta_data, message.meta_data);
        }
    }
}

/// Each encoded value is a Variant.
fn check_values(batch: &SampleBatch) {
    for sample in &batch.samples {
        assert!(batch.variant(sample.value).is_ok(), "a decoder's values are Variants");
    }
}

/// A batch survives UADP; numbers are compared by their bits.
fn check_uadp(batch: &SampleBatch) {
    let limits = Limits { max_message_bytes: usize::MAX, ..Limits::default() };
    let mut decoder = uadp::Decoder::new();
    let mut values = 0;
    for outcome in uadp::Encoder::new("p".into(), limits).encode([batch]) {
        let payload = match outcome {
            Outcome::Payload(payload) => payload,
            Outcome::Refused(refused) => panic!("a value that was read can be written: {refused}"),
        };
        let Ok(Received::Data(message)) = decoder.decode(&payload.bytes, &crate::NoDataSets) else {
            panic!("a message that was written can be read");
        };
        values += message.messages.iter().map(|message| message.batch.samples.len()).sum::<usize>();
        let mut again = uadp::Encoder::new("p".into(), limits);
        let rewritten = again.encode(message.messages.iter().map(|message| &message.batch));
        let bytes = |outcomes: &[Outcome]| match outcomes {
            [Outcome::Payload(payload)] => payload.bytes.clone(),
            _ => Vec::new(),
        };
        if values == batch.samples.len() && message.messages.len() == 1 {
            assert_eq!(bytes(&rewritten), payload.bytes, "written twice, the same bytes");
        }
    }
    assert_eq!(values, batch.samples.len(), "no value is lost");
}

/// A batch survives JSON.
fn check_json(batch: &SampleBatch, data_sets: &[DataSetMetaData]) {
    let Some(data_set) = data_sets.first() else { return };
    let mut ours = batch.clone();
    ours.writer = data_set.writer;
    ours.version = data_set.version;
    ours.samples.retain(|sample| usize::from(sample.field) < data_set.fields.len());
    let limits = Limits { max_message_bytes: usize::MAX, ..Limits::default() };
    let mut decoder = json::Decoder::new();
    let mut values = 0;
    for outcome in json::Encoder::new(&"p".into(), "m", limits).encode([(&ours, data_set)]) {
        let payload = match outcome {
            Outcome::Payload(payload) => payload,
            // DataValues and DiagnosticInfos inside of values are kept as bytes, their texts unread until now.
            Outcome::Refused(RefusedSample { reason: Refusal::NotAVariant(_), .. }) => {
                values += 1;
                continue;
            }
            Outcome::Refused(refused) => panic!("a value that was read can be written: {refused}"),
        };
        match decoder.decode(&payload.bytes, data_sets) {
            Ok(Received::Data(message)) => {
                values += message.messages.iter().map(|message| message.batch.samples.len()).sum::<usize>();
            }
            other => panic!("a message that was written can be read: {other:?}"),
        }
    }
    assert_eq!(values, ours.samples.len(), "no value is lost");
}

fn data_sets() -> [DataSetMetaData; 1] {
    let field = |name: &str, built_in_type| FieldMetaData {
        name: name.to_owned(),
        data_set_field_id: Guid::default(),
        built_in_type,
        value_rank: -1,
        node_id: NodeId::string(0, name).into(),
        attribute_id: 13,
        unit: String::new(),
    };
    [DataSetMetaData {
        writer: WriterKey { group: 1, writer: 1 },
        version: ConfigurationVersion { major: 1, minor: 1 },
        name: "d".to_owned(),
        fields: vec![
            field("a", BuiltInType::Double),
            field("b", BuiltInType::Variant),
            field("c", BuiltInType::StatusCode),
        ],
        ..DataSetMetaData::default()
    }]
}
