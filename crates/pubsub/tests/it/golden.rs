//! The bytes and texts on the wire, worked out by hand from the standard.

use crate::round_trip::payloads;
use expect_test::expect;
use gemba_model::*;
use gemba_pubsub::{Limits, NoDataSets, PublisherId, Received, json, uadp};

fn batch(writer: u16) -> SampleBatch {
    let version = ConfigurationVersion { major: 0x0102_0304, minor: 5 };
    SampleBatch::new(WriterKey { group: 0x0A0B, writer }, version)
}

/// One value with everything a DataValue can have.
fn full() -> SampleBatch {
    let mut batch = batch(0x0C0D);
    batch.samples.push(Sample {
        field: 0x0E0F,
        source_picoseconds: 0x0102,
        server_picoseconds: 0x0304,
        status: StatusCode(0x4080_0000),
        source_timestamp: Some(DateTime::from_ticks(0x01D8_82C5_0102_0304)),
        server_timestamp: Some(DateTime::from_ticks(-1)),
        value: Value::Int16(-2),
    });
    batch
}

/// A network message with a timestamp and two DataSetMessages.
fn two() -> Vec<SampleBatch> {
    let mut first = batch(1);
    first.samples.push(Sample { field: 0, value: Value::Boolean(true), ..Sample::default() });
    first.samples.push(Sample { field: 2, ..Sample::default() });
    let mut second = batch(2);
    let value = second.store(&Variant::String(Some("ab".into())));
    second.samples.push(Sample { field: 1, value, ..Sample::default() });
    vec![first, second]
}

#[rustfmt::skip]
const FULL: &[u8] = &[
    // Version 1, with PublisherId (0x10), GroupHeader (0x20), PayloadHeader (0x40) and ExtendedFlags1 (0x80).
    0xF1,
    // ExtendedFlags1: the PublisherId is a String (4); no timestamp, no ExtendedFlags2.
    0x04,
    // PublisherId: 2 bytes, "e1".
    2, 0, 0, 0, b'e', b'1',
    // GroupFlags: WriterGroupId (1) and SequenceNumber (8).
    0x09,
    // WriterGroupId 0x0A0B.
    0x0B, 0x0A,
    // SequenceNumber 0: the group's first message.
    0, 0,
    // PayloadHeader: one DataSetMessage, of DataSetWriter 0x0C0D. One message needs no sizes.
    1, 0x0D, 0x0C,
    // DataSetFlags1: valid (1), fields are DataValues (2 << 1), sequence number (8), major (0x20) and minor version
    // (0x40), DataSetFlags2 (0x80).
    0xED,
    // DataSetFlags2: data delta frame (1).
    0x01,
    // Sequence number 0: the writer's first message.
    0, 0,
    // ConfigurationVersion: major 0x01020304, minor 5.
    4, 3, 2, 1, 5, 0, 0, 0,
    // FieldCount 1.
    1, 0,
    // FieldIndex 0x0E0F.
    0x0F, 0x0E,
    // DataValue: value (1), status (2), source (4) and server (8) timestamp, source (0x10) and server (0x20) picoseconds.
    0x3F,
    // Variant: an Int16 (4), -2.
    4, 0xFE, 0xFF,
    // Status 0x40800000.
    0, 0, 0x80, 0x40,
    // Source timestamp, then its picoseconds.
    4, 3, 2, 1, 0xC5, 0x82, 0xD8, 0x01, 2, 1,
    // Server timestamp, then its picoseconds.
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 4, 3,
];

#[rustfmt::skip]
const TWO: &[u8] = &[
    // As above, but the PublisherId is a UInt16 (1), and there is a timestamp (0x20).
    0xF1, 0x21,
    // PublisherId 0x1234.
    0x34, 0x12,
    // Group header.
    0x09, 0x0B, 0x0A, 0, 0,
    // Two DataSetMessages, of writers 1 and 2.
    2, 1, 0, 2, 0,
    // Timestamp: tick 7.
    7, 0, 0, 0, 0, 0, 0, 0,
    // Sizes: 22 and 24 bytes.
    22, 0, 24, 0,
    // The first: header, two fields.
    0xED, 0x01, 0, 0, 4, 3, 2, 1, 5, 0, 0, 0, 2, 0,
    // Field 0: a value only, Boolean true. Field 2: nothing at all.
    0, 0, 0x01, 1, 1,
    2, 0, 0x00,
    // The second: header, one field.
    0xED, 0x01, 0, 0, 4, 3, 2, 1, 5, 0, 0, 0, 1, 0,
    // Field 1: a String (12) of 2 bytes.
    1, 0, 0x01, 12, 2, 0, 0, 0, b'a', b'b',
];

#[test]
fn a_full_data_value_has_these_bytes() {
    let payloads = payloads(uadp::Encoder::new("e1".into(), Limits::default()).encode([&full()]));
    assert_eq!(payloads[0].bytes, FULL);
}

#[test]
fn two_writers_share_a_message_with_these_bytes() {
    let mut encoder = uadp::Encoder::new(PublisherId::UInt16(0x1234), Limits::default());
    encoder.set_timestamp(Some(DateTime::from_ticks(7)));
    let payloads = payloads(encoder.encode(&two()));
    assert_eq!(TWO.len(), 2 + 2 + 5 + 5 + 8 + 4 + 22 + 24);
    assert_eq!(payloads[0].bytes, TWO);
}

#[test]
fn the_bytes_mean_what_was_written() {
    let mut decoder = uadp::Decoder::new();
    let Ok(Received::Data(message)) = decoder.decode(FULL, &NoDataSets) else { panic!("reads") };
    assert_eq!(message.publisher_id, Some("e1".into()));
    assert_eq!((message.writer_group_id, message.sequence_number), (Some(0x0A0B), Some(0)));
    assert_eq!(message.messages[0].batch, full());
    let Ok(Received::Data(message)) = decoder.decode(TWO, &NoDataSets) else { panic!("reads") };
    assert_eq!(message.publisher_id, Some(PublisherId::UInt16(0x1234)));
    assert_eq!(message.timestamp, Some(DateTime::from_ticks(7)));
    let batches: Vec<_> = message.messages.iter().map(|message| message.batch.clone()).collect();
    assert_eq!(batches, two());
}

pub(crate) fn press() -> DataSetMetaData {
    DataSetMetaData {
        writer: WriterKey { group: 3, writer: 4 },
        writer_group_name: "g".into(),
        writer_name: String::new(),
        name: "d".into(),
        data_set_class_id: Guid::default(),
        version: ConfigurationVersion { major: 1, minor: 2 },
        source: DataSetSource::default(),
        fields: vec![FieldMetaData {
            name: "Pressure".into(),
            data_set_field_id: Guid([
                0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 9, 10, 11, 12, 13, 14, 15, 16,
            ]),
            built_in_type: BuiltInType::Double,
            value_rank: -1,
            node_id: "nsu=urn:p;i=300".parse().expect("parses"),
            attribute_id: 13,
            unit: "mbar".into(),
        }],
    }
}

#[rustfmt::skip]
const ANNOUNCEMENT: &[u8] = &[
    // Version 1, PublisherId, ExtendedFlags1; String id, ExtendedFlags2; discovery announcement (2 << 2).
    0x91, 0x84, 0x08,
    // PublisherId "e".
    1, 0, 0, 0, b'e',
    // AnnouncementType 2 is DataSetMetaData; SequenceNumber 9; DataSetWriterId 4.
    2, 9, 0, 4, 0,
    // Namespaces: one, "urn:p", which is index 1.
    1, 0, 0, 0, 5, 0, 0, 0, b'u', b'r', b'n', b':', b'p',
    // No structures, enumerations or simple types.
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    // Name "d"; the description has neither locale nor text.
    1, 0, 0, 0, b'd', 0,
    // One field.
    1, 0, 0, 0,
    // Its name; no description; no flags.
    8, 0, 0, 0, b'P', b'r', b'e', b's', b's', b'u', b'r', b'e', 0, 0, 0,
    // Built-in type Double (11), data type i=11, scalar (-1), no dimensions, no longest string.
    11, 0, 11, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0,
    // DataSetFieldId: three little-endian groups, then eight bytes as they are.
    0x44, 0x33, 0x22, 0x11, 0x66, 0x55, 0x88, 0x77, 9, 10, 11, 12, 13, 14, 15, 16,
    // Four properties: those of the field, then those of the data set on its first field.
    4, 0, 0, 0,
    // Key in namespace 0; a NodeId (17) of four bytes (1), namespace 1, i=300.
    0, 0, 13, 0, 0, 0, b'g', b'e', b'm', b'b', b'a', b'-', b'n', b'o', b'd', b'e', b'-', b'i', b'd', 17, 1, 1, 0x2C, 1,
    // The unit, a String (12).
    0, 0, 10, 0, 0, 0, b'g', b'e', b'm', b'b', b'a', b'-', b'u', b'n', b'i', b't', 12, 4, 0, 0, 0, b'm', b'b', b'a', b'r',
    // The WriterGroupId, a UInt16 (5).
    0, 0, 21, 0, 0, 0, b'g', b'e', b'm', b'b', b'a', b'-', b'w', b'r', b'i', b't', b'e', b'r', b'-', b'g', b'r', b'o',
    b'u', b'p', b'-', b'i', b'd', 5, 3, 0,
    // The writer group's name.
    0, 0, 23, 0, 0, 0, b'g', b'e', b'm', b'b', b'a', b'-', b'w', b'r', b'i', b't', b'e', b'r', b'-', b'g', b'r', b'o',
    b'u', b'p', b'-', b'n', b'a', b'm', b'e', 12, 1, 0, 0, 0, b'g',
    // DataSetClassId, all zero; version 1.2; status Good.
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,
];

#[test]
fn an_announcement_has_these_bytes() {
    let bytes = uadp::encode_meta_data(&"e".into(), 9, &press(), &Limits::default()).expect("fits");
    assert_eq!(bytes, ANNOUNCEMENT);
}

#[test]
fn json_data_has_this_text() {
    let mut batch = full();
    batch.samples[0].field = 0;
    batch.samples[0].server_timestamp = None;
    let mut rest = SampleBatch::new(batch.writer, batch.version);
    for (field, variant) in [
        Variant::Int64(i64::MIN),
        Variant::Double(f64::NAN),
        Variant::Float(0.1),
        Variant::ByteString(Some(vec![1, 2, 3])),
        Variant::Array {
            element: BuiltInType::UInt64,
            values: vec![Variant::UInt64(u64::MAX), Variant::UInt64(0)],
            dimensions: vec![2, 1],
        },
        Variant::ExtensionObject(ExtensionObject {
            type_id: NodeId::numeric(0, 297),
            body: variant::ExtensionBody::Binary(vec![255]),
        }),
        Variant::LocalizedText(LocalizedText { locale: Some("de".into()), text: Some("Größe".into()) }),
        Variant::StatusCode(StatusCode(0x8034_0000)),
        Variant::Null,
    ]
    .into_iter()
    .enumerate()
    {
        let value = rest.store(&variant);
        rest.samples.push(Sample { field: field as u16, value, ..Sample::default() });
    }
    let data_set = crate::arbitrary::plain_data_set(&batch, 9);
    let mut encoder = json::Encoder::new(&"e1".into(), "m", Limits::default());
    let payloads = payloads(encoder.encode([(&batch, &data_set), (&rest, &data_set)]));
    let text = String::from_utf8(payloads[0].bytes.clone()).expect("UTF-8").replace("},", "},\n");
    expect![[r#"
        {"MessageId":"m-0","MessageType":"ua-data","PublisherId":"e1","WriterGroupName":"north","Messages":[{"DataSetWriterId":3085,"SequenceNumber":0,"MetaDataVersion":{"MajorVersion":16909060,"MinorVersion":5},
        "MessageType":"ua-deltaframe","Payload":{"f0":{"UaType":4,"Value":-2,"Status":{"Code":1082130432},
        "SourceTimestamp":"2022-06-18T03:39:24.4506884Z","SourcePicoseconds":258,"ServerPicoseconds":772}}},
        {"DataSetWriterId":3085,"SequenceNumber":1,"MetaDataVersion":{"MajorVersion":16909060,"MinorVersion":5},
        "MessageType":"ua-deltaframe","Payload":{"f0":{"UaType":8,"Value":"-9223372036854775808"},
        "f1":{"UaType":11,"Value":"NaN"},
        "f2":{"UaType":10,"Value":0.1},
        "f3":{"UaType":15,"Value":"AQID"},
        "f4":{"UaType":9,"Value":["18446744073709551615","0"],"Dimensions":[2,1]},
        "f5":{"UaType":22,"Value":{"UaTypeId":"i=297","UaEncoding":1,"UaBody":"/w=="}},
        "f6":{"UaType":21,"Value":{"Locale":"de","Text":"Größe"}},
        "f7":{"UaType":19,"Value":{"Code":2150891520}},
        "f8":{}}}]}"#]]
    .assert_eq(&text);
}

#[test]
fn json_metadata_has_this_text() {
    let time = DateTime::from_ticks(133_000_000_000_000_001);
    let bytes = json::encode_meta_data(&"e".into(), "m-7", time, &press(), &Limits::default()).expect("fits");
    let text = String::from_utf8(bytes).expect("UTF-8").replace(",\"", ",\n\"");
    expect![[r#"
        {"MessageId":"m-7",
        "MessageType":"ua-metadata",
        "PublisherId":"e",
        "DataSetWriterId":4,
        "WriterGroupName":"g",
        "DataSetWriterName":"",
        "Timestamp":"2022-06-18T04:26:40.0000001Z",
        "MetaData":{"Namespaces":["urn:p"],
        "Name":"d",
        "Fields":[{"Name":"Pressure",
        "BuiltInType":11,
        "DataType":"i=11",
        "ValueRank":-1,
        "DataSetFieldId":"11223344-5566-7788-090a-0b0c0d0e0f10",
        "Properties":[{"Key":"gemba-node-id",
        "Value":{"UaType":17,
        "Value":"ns=1;i=300"}},{"Key":"gemba-unit",
        "Value":{"UaType":12,
        "Value":"mbar"}},{"Key":"gemba-writer-group-id",
        "Value":{"UaType":5,
        "Value":3}},{"Key":"gemba-writer-group-name",
        "Value":{"UaType":12,
        "Value":"g"}}]}],
        "DataSetClassId":"00000000-0000-0000-0000-000000000000",
        "ConfigurationVersion":{"MajorVersion":1,
        "MinorVersion":2}}}"#]]
    .assert_eq(&text);
}
