//! JSON of other publishers, and errors that name their place.

use crate::arbitrary::plain_data_set;
use expect_test::{Expect, expect};
use gemba_model::*;
use gemba_pubsub::{FrameKind, NetworkMessage, PublisherId, Received, Skipped, json};

/// Writer 4 of group 9, fields f0 (Double), f1 (Variant), f2 (StatusCode), f3 (Int64).
fn data_set() -> DataSetMetaData {
    let mut data_set = plain_data_set(&SampleBatch::default(), 4);
    data_set.writer = WriterKey { group: 9, writer: 4 };
    data_set.name = "press".into();
    for (field, built_in_type) in
        [(0, BuiltInType::Double), (2, BuiltInType::StatusCode), (3, BuiltInType::Int64)]
    {
        data_set.fields[field].built_in_type = built_in_type;
    }
    data_set
}

fn decode(text: &str) -> Result<NetworkMessage, String> {
    match json::Decoder::new().decode(text.as_bytes(), &[data_set()][..]) {
        Ok(Received::Data(message)) => Ok(message.clone()),
        Ok(Received::MetaData(_)) => Err("metadata".to_owned()),
        Err(error) => Err(format!("{}: {error}", error.code())),
    }
}

fn payload(text: &str) -> Result<SampleBatch, String> {
    let text = format!(
        r#"{{"MessageType":"ua-data","Messages":[{{"DataSetWriterId":4,"MessageType":"ua-deltaframe","Payload":{text}}}]}}"#
    );
    decode(&text).map(|message| message.messages[0].batch.clone())
}

/// The samples of a payload, or the error.
fn check(text: &str, expected: Expect) {
    let shown = match payload(text) {
        Ok(batch) => batch
            .samples
            .iter()
            .map(|sample| {
                let time = sample.source_timestamp.map_or(String::new(), |time| format!(" at {time}"));
                let value = batch.variant(sample.value).expect("a Variant");
                format!("f{}={value:?} {}{time}\n", sample.field, sample.status)
            })
            .collect(),
        Err(error) => error,
    };
    expected.assert_eq(&shown);
}

#[test]
fn members_come_in_any_order_and_fields_too() {
    check(
        r#"{"f3":{"SourceTimestamp":"2026-03-01T12:00:00Z","Value":"-5","UaType":8},"f1":{"Value":1,"UaType":3},"f2":{}}"#,
        expect![[r#"
            f3=Int64(-5) Good at 2026-03-01T12:00:00.0000000Z
            f1=Byte(1) Good
            f2=Null Good
        "#]],
    );
}

#[test]
fn values_without_a_type_take_the_described_one() {
    check(
        r#"{"f0":1,"f3":"7"}"#,
        expect![[r#"
        f0=Double(1.0) Good
        f3=Int64(7) Good
    "#]],
    );
    check(
        r#"{"f0":{"Value":1.5,"Status":2150891520},"f3":null}"#,
        expect![[r#"
        f0=Double(1.5) BadNodeIdUnknown
        f3=Null Good
    "#]],
    );
    check(
        r#"{"f1":1}"#,
        expect![
            "GMB-PUB-005: Messages[0].Payload.f1: a value without its UaType, which the description does not tell either"
        ],
    );
    check(
        r#"{"f1":{"Value":1}}"#,
        expect!["GMB-PUB-005: Messages[0].Payload.f1: a value without its UaType"],
    );
}

#[test]
fn null_is_the_null_of_each_type() {
    check(
        r#"{"f1":{"UaType":12},"f0":{"UaType":6,"Value":null},"f2":{"UaType":12,"Value":["a",null]}}"#,
        expect![[r#"
        f1=String(None) Good
        f0=Null Good
        f2=Array { element: String, values: [String(Some("a")), String(None)], dimensions: [] } Good
    "#]],
    );
}

#[test]
fn a_namespace_uri_makes_a_node_id_expanded_and_its_array_too() {
    check(
        r#"{"f1":{"UaType":17,"Value":["i=1","nsu=urn:a;s=b"]},"f2":{"UaType":17,"Value":"nsu=urn:a;i=5"}}"#,
        expect![[r#"
        f1=Array { element: ExpandedNodeId, values: [ExpandedNodeId(ExpandedNodeId { server: 0, namespace: Index(0), identifier: Numeric(1) }), ExpandedNodeId(ExpandedNodeId { server: 0, namespace: Uri("urn:a"), identifier: String("b") })], dimensions: [] } Good
        f2=ExpandedNodeId(ExpandedNodeId { server: 0, namespace: Uri("urn:a"), identifier: Numeric(5) }) Good
    "#]],
    );
}

#[test]
fn errors_name_the_place() {
    check(
        r#"{"g":1}"#,
        expect![
            "GMB-PUB-004: Messages[0].Payload: the data set 'press' has no field 'g'; let the publisher send its metadata again"
        ],
    );
    check(r#"{"f0":1,"f0":2}"#, expect!["GMB-PUB-005: Messages[0].Payload.f0: the field comes twice"]);
    check(
        r#"{"f1":{"UaType":4,"Value":40000}}"#,
        expect![
            "GMB-PUB-005: Messages[0].Payload.f1.Value: expected an Int16, found 40000 (invalid value: integer `40000`, expected i16 at line 1 column 5)"
        ],
    );
    check(
        r#"{"f1":{"UaType":11,"Value":[1,"x"]}}"#,
        expect![[r#"GMB-PUB-005: Messages[0].Payload.f1.Value[1]: expected a Double, found "x""#]],
    );
    check(r#"{"f0":1e999}"#, expect!["GMB-PUB-005: Messages[0].Payload.f0: expected a Double, found 1e999"]);
    check(
        r#"{"f1":{"UaType":30,"Value":1}}"#,
        expect!["GMB-PUB-005: Messages[0].Payload.f1.UaType: 30 is not a built-in type"],
    );
    check(
        r#"{"f1":{"Type":6,"Body":1}}"#,
        expect![[
            r#"GMB-PUB-005: Messages[0].Payload.f1: expected a DataValue, found {"Type":6,"Body":1} (unknown field `Type`, expected one of `UaType`, `Value`, `Dimensions`, `Status`, `SourceTimestamp`, `SourcePicoseconds`, `ServerTimestamp`, `ServerPicoseconds` at line 1 column 7)"#
        ]],
    );
    check(
        r#"{"f1":{"UaType":6,"Value":1,"SourceTimestamp":"noon"}}"#,
        expect![
            "GMB-PUB-005: Messages[0].Payload.f1.SourceTimestamp: 'noon' is not an instant such as 2026-03-01T12:00:00.0000000Z"
        ],
    );
    check(
        r#"{"f1":{"UaType":6,"Value":1,"SourcePicoseconds":10000}}"#,
        expect!["GMB-PUB-005: Messages[0].Payload.f1.SourcePicoseconds: 10000 is above 9999"],
    );
    check(
        r#"{"f1":{"UaType":15,"Value":"?"}}"#,
        expect!["GMB-PUB-005: Messages[0].Payload.f1.Value: expected Base64: Invalid symbol 63, offset 0."],
    );
    check(
        r#"{"f1":{"UaType":22,"Value":{"UaTypeId":"i=884","Low":1}}}"#,
        expect![
            "GMB-PUB-002: a structure written out as JSON members cannot be read here; let the publisher send structures with UaEncoding 1, or their parts as fields of their own"
        ],
    );
    check(
        r#"{"f1":{"UaType":6,"Value":1,"Dimensions":[1]}}"#,
        expect!["GMB-PUB-005: Messages[0].Payload.f1.Value: a scalar has no dimensions"],
    );
}

#[test]
fn messages_without_their_description_say_so() {
    let text = r#"{"MessageType":"ua-data","Messages":[{"DataSetWriterId":5,"MetaDataVersion":{"MajorVersion":3},"Payload":{}}]}"#;
    expect!["GMB-PUB-003: the description of writer 5 (version 3) is not known, and its values cannot be read without; let the publisher send its metadata"]
        .assert_eq(&decode(text).expect_err("refused"));
    let text = r#"{"MessageType":"ua-data","Messages":[{"DataSetWriterId":4,"MetaDataVersion":{"MajorVersion":3},"Payload":{}}]}"#;
    assert!(decode(text).is_err(), "another major version is another description");
}

#[test]
fn all_kinds_of_messages_are_told_apart() {
    let text = r#"{"MessageId":"x","MessageType":"ua-data","PublisherId":17,"WriterGroupName":"north","Messages":[
        {"DataSetWriterId":4,"MessageType":"ua-keepalive","SequenceNumber":70000,"Timestamp":"2026-03-01T12:00:00Z"},
        {"DataSetWriterId":4,"MessageType":"ua-event","Payload":{"x":1}},
        {"DataSetWriterId":4,"Status":{"Code":5,"Symbol":"x"},"MinorVersion":8,"Payload":{}}]}"#;
    let message = decode(text).expect("reads");
    assert_eq!(message.publisher_id, Some(PublisherId::String("17".into())));
    assert_eq!(
        (message.message_id.as_deref(), message.writer_group_name.as_deref()),
        (Some("x"), Some("north"))
    );
    assert_eq!(message.skipped, Skipped { events: 1, invalid: 0 });
    let [alive, key] = &message.messages[..] else { panic!("two messages") };
    assert_eq!((alive.kind, alive.sequence_number), (FrameKind::KeepAlive, Some(70_000)));
    assert_eq!(alive.timestamp, "2026-03-01T12:00:00Z".parse().ok());
    assert_eq!(
        (key.kind, key.status, key.minor_version),
        (FrameKind::KeyFrame, Some(StatusCode(5)), Some(8))
    );
    assert_eq!(key.batch.writer, WriterKey { group: 9, writer: 4 });
    let single = r#"{"MessageType":"ua-data","Messages":{"DataSetWriterId":4,"Payload":{"f0":2}}}"#;
    assert_eq!(decode(single).expect("reads").messages[0].batch.samples.len(), 1);
    for (text, expected) in [
        ("[]", "GMB-PUB-005: expected a NetworkMessage, found []"),
        (r#"{"Messages":[]}"#, "GMB-PUB-005: a NetworkMessage has a MessageType"),
        (r#"{"MessageType":"ua-data"}"#, "GMB-PUB-005: a ua-data message has Messages"),
        (
            r#"{"MessageType":"ua-status"}"#,
            "GMB-PUB-002: a message of type 'ua-status' cannot be read here; ua-data and ua-metadata are read",
        ),
        (
            r#"{"MessageType":"ua-metadata"}"#,
            "GMB-PUB-005: a ua-metadata message has DataSetWriterId and MetaData",
        ),
    ] {
        assert_eq!(decode(text).err().as_deref(), Some(expected));
    }
    assert!(json::Decoder::new().decode(&[0xFF], &[data_set()][..]).is_err());
}

#[test]
fn values_nest_no_deeper_than_in_binary() {
    let nested = |depth: usize| {
        let inner =
            r#"{"UaType":24,"Value":"#.repeat(depth) + r#"{"UaType":6,"Value":1}"# + &"}".repeat(depth);
        payload(&format!(r#"{{"f1":{inner}}}"#))
    };
    let deepest = nested(16).expect("at the limit");
    assert!(deepest.variant(deepest.samples[0].value).is_ok());
    expect!["values nest too deep"]
        .assert_eq(nested(17).expect_err("refused").rsplit(": ").next().expect("text"));
}

#[test]
fn every_float_comes_back_from_its_shortest_text() {
    // Floats whose shortest text a detour by way of a Double could round wrongly would be among these, if any.
    let mut state = 1_u64;
    for _ in 0..20_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let value = f32::from_bits((state >> 32) as u32);
        if value.is_finite() {
            let text = serde_json::to_string(&value).expect("writes");
            let batch = payload(&format!(r#"{{"f1":{{"UaType":10,"Value":{text}}}}}"#)).expect("reads");
            assert!(
                matches!(batch.samples[0].value, Value::Float(found) if found.to_bits() == value.to_bits()),
                "{text}"
            );
        }
    }
}
