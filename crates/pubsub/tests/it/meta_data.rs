//! Descriptions: ours without fields, and those of other publishers.

use crate::golden::press;
use gemba_model::binary::{encode_localized_text, encode_node_id, encode_string, encode_variant};
use gemba_model::*;
use gemba_pubsub::{Limits, MetaDataMessage, NoDataSets, PublisherId, Received, json, uadp};

fn decode_uadp(bytes: &[u8]) -> MetaDataMessage {
    match uadp::Decoder::new().decode(bytes, &NoDataSets) {
        Ok(Received::MetaData(message)) => *message,
        other => panic!("{other:?}"),
    }
}

fn decode_json(bytes: &[u8]) -> MetaDataMessage {
    match json::Decoder::new().decode(bytes, &NoDataSets) {
        Ok(Received::MetaData(message)) => *message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_data_set_without_fields_keeps_its_facts_in_the_description() {
    let source = DataSetSource { endpoint_url: "opc.tcp://a:4840".into(), application_uri: "urn:a".into() };
    let data_set = DataSetMetaData { fields: Vec::new(), source, writer_name: "w".into(), ..press() };
    let bytes = uadp::encode_meta_data(&"e".into(), 0, &data_set, &Limits::default()).expect("fits");
    assert_eq!(decode_uadp(&bytes).meta_data, data_set);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.contains(r#""gemba-endpoint-url":"opc.tcp://a:4840""#), "{text}");
    let bytes =
        json::encode_meta_data(&"e".into(), "m", DateTime::MIN, &data_set, &Limits::default()).expect("fits");
    assert_eq!(decode_json(&bytes).meta_data, data_set);
}

#[test]
fn a_namespace_uri_stands_in_the_message_once() {
    let mut data_set = press();
    let field = data_set.fields[0].clone();
    data_set.fields = (0..100).map(|n| FieldMetaData { name: format!("f{n}"), ..field.clone() }).collect();
    let bytes = uadp::encode_meta_data(&"e".into(), 0, &data_set, &Limits::default()).expect("fits");
    assert_eq!(bytes.windows(5).filter(|part| *part == b"urn:p").count(), 1);
    assert_eq!(decode_uadp(&bytes).meta_data, data_set);
}

/// An announcement of another publisher, with structures, enumerations and simple types to pass over.
fn foreign() -> Vec<u8> {
    let mut out = vec![0x91, 0x81, 0x08, 7, 0, 2, 1, 0, 5, 0];
    let length = |count: i32, out: &mut Vec<u8>| out.extend_from_slice(&count.to_le_bytes());
    let description = |out: &mut Vec<u8>| {
        encode_node_id(&NodeId::numeric(1, 3000), out);
        out.extend_from_slice(&[1, 0]);
        encode_string(Some("T"), out);
    };
    let text = LocalizedText { locale: Some("en".into()), text: Some("words".into()) };
    // Namespaces: one, and one that is null.
    length(2, &mut out);
    encode_string(Some("urn:x"), &mut out);
    encode_string(None, &mut out);
    // One structure with one field.
    length(1, &mut out);
    description(&mut out);
    encode_node_id(&NodeId::numeric(1, 3001), &mut out);
    encode_node_id(&NodeId::numeric(0, 22), &mut out);
    out.extend_from_slice(&[0; 4]);
    length(1, &mut out);
    encode_string(Some("x"), &mut out);
    encode_localized_text(&text, &mut out);
    encode_node_id(&NodeId::numeric(0, 6), &mut out);
    length(1, &mut out);
    length(1, &mut out);
    out.extend_from_slice(&[0; 4 + 4 + 1]);
    // One enumeration with one value.
    length(1, &mut out);
    description(&mut out);
    length(1, &mut out);
    out.extend_from_slice(&7_i64.to_le_bytes());
    encode_localized_text(&text, &mut out);
    encode_localized_text(&LocalizedText::default(), &mut out);
    encode_string(Some("Seven"), &mut out);
    out.push(6);
    // One simple type.
    length(1, &mut out);
    description(&mut out);
    encode_node_id(&NodeId::numeric(0, 11), &mut out);
    out.push(11);
    encode_string(Some("foreign"), &mut out);
    encode_localized_text(&text, &mut out);
    // Two fields: a matrix with a property, and one whose type is an abstract number, all else null.
    length(2, &mut out);
    encode_string(Some("Matrix"), &mut out);
    encode_localized_text(&text, &mut out);
    out.extend_from_slice(&[1, 0, 11]);
    encode_node_id(&NodeId::numeric(0, 290), &mut out);
    length(2, &mut out);
    length(2, &mut out);
    out.extend_from_slice(&[3, 0, 0, 0, 4, 0, 0, 0]);
    length(80, &mut out);
    out.extend_from_slice(&[9; 16]);
    length(1, &mut out);
    out.extend_from_slice(&[1, 0]);
    encode_string(Some("gemba-unit"), &mut out);
    encode_variant(&Variant::String(Some("not ours: namespace 1".into())), &mut out);
    encode_string(None, &mut out);
    out.extend_from_slice(&[0, 0, 0, 26, 0, 26]);
    length(-1, &mut out);
    length(-1, &mut out);
    length(0, &mut out);
    out.extend_from_slice(&[0; 16]);
    length(-1, &mut out);
    out.extend_from_slice(&[0; 16]);
    out.extend_from_slice(&[1, 0, 0, 0, 2, 0, 0, 0]);
    out.extend_from_slice(&0x8000_0000_u32.to_le_bytes());
    out
}

#[test]
fn the_description_of_another_publisher_is_read() {
    let message = decode_uadp(&foreign());
    assert_eq!(message.publisher_id, Some(PublisherId::UInt16(7)));
    assert_eq!((message.sequence_number, message.status), (Some(1), StatusCode(0x8000_0000)));
    let data_set = message.meta_data;
    assert_eq!((data_set.writer, data_set.name.as_str()), (WriterKey { group: 0, writer: 5 }, "foreign"));
    assert_eq!(data_set.version, ConfigurationVersion { major: 1, minor: 2 });
    assert_eq!(
        data_set.fields,
        [
            FieldMetaData {
                name: "Matrix".into(),
                data_set_field_id: Guid([9; 16]),
                built_in_type: BuiltInType::Double,
                value_rank: 2,
                node_id: NodeId::string(0, "Matrix").into(),
                attribute_id: 13,
                unit: String::new(),
            },
            FieldMetaData {
                name: String::new(),
                data_set_field_id: Guid::default(),
                built_in_type: BuiltInType::Variant,
                value_rank: -1,
                node_id: NodeId::string(0, "").into(),
                attribute_id: 13,
                unit: String::new(),
            },
        ]
    );
}

#[test]
fn every_truncation_of_a_foreign_description_is_an_error() {
    let bytes = foreign();
    for length in 0..bytes.len() {
        assert!(uadp::Decoder::new().decode(&bytes[..length], &NoDataSets).is_err(), "cut at {length}");
    }
}

#[test]
fn the_json_description_of_another_publisher_is_read() {
    let text = r#"{"MessageId":"1","MessageType":"ua-metadata","PublisherId":"x","DataSetWriterId":5,"WriterGroupName":"wg",
        "DataSetWriterName":"w","Timestamp":"2026-03-01T12:00:00Z","MetaData":{"Namespaces":null,"EnumDataTypes":[{}],
        "Name":"n","Description":{"Text":"words"},"Fields":[{"Name":"a","BuiltInType":26,"ValueRank":-1,
        "Properties":[{"Key":{"Name":"k","Uri":1},"Value":{"Type":1}},{"Key":"EngineeringUnits","Value":{"x":1}}]}],
        "ConfigurationVersion":{"MajorVersion":1}}}"#;
    let data_set = decode_json(text.as_bytes()).meta_data;
    assert_eq!((data_set.writer_group_name.as_str(), data_set.writer_name.as_str()), ("wg", "w"));
    assert_eq!(data_set.version, ConfigurationVersion { major: 1, minor: 0 });
    assert_eq!(data_set.fields[0].node_id, NodeId::string(0, "a").into());
    assert_eq!(data_set.fields[0].built_in_type, BuiltInType::Variant);
    let wrong = text.replace("26", "99");
    let error = json::Decoder::new().decode(wrong.as_bytes(), &NoDataSets).expect_err("refused").to_string();
    assert_eq!(error, "MetaData.Fields[0].BuiltInType: 99 is not a built-in type");
}
