//! Bytes that were cut, damaged or never a message.

use crate::golden::press;
use crate::round_trip::payloads;
use gemba_model::*;
use gemba_pubsub::{Limits, NoDataSets, fuzz, json, uadp};
use gemba_testkit::fuzz::Target;

/// A repeatable source of numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Batches of writer 1, whose fields the fuzz targets know, with a value of every built-in type.
fn batches() -> Vec<SampleBatch> {
    let array =
        |element, value: Variant| Variant::Array { element, values: vec![value; 2], dimensions: vec![1, 2] };
    let variants = [
        Variant::Null,
        Variant::Boolean(true),
        Variant::SByte(-1),
        Variant::Byte(1),
        Variant::Int16(-2),
        Variant::UInt16(2),
        Variant::Int32(-3),
        Variant::UInt32(3),
        Variant::Int64(-4),
        Variant::UInt64(4),
        Variant::Float(0.5),
        Variant::Double(-0.1),
        Variant::String(Some("text".into())),
        Variant::DateTime(DateTime::from_ticks(133_000_000_000_000_001)),
        Variant::Guid(Guid([3; 16])),
        Variant::ByteString(Some(vec![1, 2, 3])),
        Variant::XmlElement(None),
        Variant::NodeId(NodeId::string(2, "x")),
        Variant::ExpandedNodeId("svr=1;nsu=urn:a;i=9".parse().expect("parses")),
        Variant::StatusCode(StatusCode(0x8034_0000)),
        Variant::QualifiedName(QualifiedName { namespace: 1, name: Some("q".into()) }),
        Variant::LocalizedText(LocalizedText { locale: None, text: Some("t".into()) }),
        Variant::ExtensionObject(ExtensionObject {
            type_id: NodeId::numeric(1, 5001),
            body: variant::ExtensionBody::Binary(vec![9; 4]),
        }),
        array(BuiltInType::Double, Variant::Double(1.0)),
        array(BuiltInType::String, Variant::String(Some("s".into()))),
        array(
            BuiltInType::DataValue,
            Variant::DataValue(vec![0x0D, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1]),
        ),
        array(BuiltInType::Variant, Variant::Variant(Box::new(Variant::Int32(7)))),
        array(BuiltInType::DiagnosticInfo, Variant::DiagnosticInfo(vec![0x21, 1, 0, 0, 0, 0, 0, 0x34, 0x80])),
    ];
    let version = ConfigurationVersion { major: 1, minor: 1 };
    let mut batches = Vec::new();
    for (index, part) in variants.chunks(3).enumerate() {
        let mut batch = SampleBatch::new(WriterKey { group: 1, writer: 1 }, version);
        for (field, variant) in part.iter().enumerate() {
            let value = batch.store(variant);
            batch.samples.push(Sample {
                field: field as u16,
                status: StatusCode(index as u32 % 2 * 0x8000_0000),
                source_timestamp: (index % 3 > 0).then(|| DateTime::from_ticks(133_000_000_000_000_000)),
                server_timestamp: (index % 3 > 1).then(|| DateTime::from_ticks(i64::MIN)),
                source_picoseconds: index as u16 % 4,
                server_picoseconds: index as u16 % 5,
                value,
            });
        }
        batches.push(batch);
    }
    batches
}

/// Whole messages: many small ones, and one of all writers.
fn uadp_messages() -> Vec<Vec<u8>> {
    let batches = batches();
    let mut encoder = uadp::Encoder::new("p".into(), Limits::default());
    let mut all = payloads(encoder.encode(&batches));
    for batch in &batches {
        all.extend(payloads(encoder.encode([batch])));
    }
    let mut all: Vec<_> = all.into_iter().map(|payload| payload.bytes).collect();
    all.push(uadp::encode_meta_data(&"p".into(), 1, &press(), &Limits::default()).expect("fits"));
    all
}

fn json_messages() -> Vec<Vec<u8>> {
    let batches = batches();
    let mut data_set = crate::arbitrary::plain_data_set(&batches[0], 3);
    data_set.writer_group_name.clear();
    for (field, name) in data_set.fields.iter_mut().zip(["a", "b", "c"]) {
        field.name = name.into();
    }
    let mut encoder = json::Encoder::new(&"p".into(), "m", Limits::default());
    let mut all = payloads(encoder.encode(batches.iter().map(|batch| (batch, &data_set))));
    for batch in &batches {
        all.extend(payloads(encoder.encode([(batch, &data_set)])));
    }
    let mut all: Vec<_> = all.into_iter().map(|payload| payload.bytes).collect();
    let time = DateTime::from_ticks(1);
    all.push(json::encode_meta_data(&"p".into(), "m", time, &press(), &Limits::default()).expect("fits"));
    all
}

#[test]
fn whole_messages_pass_the_fuzz_targets() {
    uadp_messages().iter().for_each(|bytes| fuzz::uadp(bytes));
    json_messages().iter().for_each(|bytes| fuzz::json(bytes));
}

#[test]
fn every_truncation_of_a_message_is_an_error() {
    for bytes in uadp_messages() {
        assert!(uadp::Decoder::new().decode(&bytes, &NoDataSets).is_ok());
        for length in 0..bytes.len() {
            assert!(
                uadp::Decoder::new().decode(&bytes[..length], &NoDataSets).is_err(),
                "cut at {length}: {bytes:?}"
            );
        }
    }
    for bytes in json_messages() {
        for length in 0..bytes.len() {
            assert!(json::Decoder::new().decode(&bytes[..length], &NoDataSets).is_err(), "cut at {length}");
        }
    }
}

#[test]
fn fuzz_uadp() {
    Target::new("pubsub-uadp", fuzz::uadp).inputs(uadp_messages()).executions(60_000).run();
}

#[test]
fn fuzz_json() {
    let words = [
        "null",
        "{}",
        "[]",
        "\"",
        "\\ud800",
        "1e999",
        "\"MessageType\":\"ua-data\"",
        "\"UaType\":",
        "\"Value\":",
        "\"Dimensions\":[2,2]",
    ];
    Target::new("pubsub-json", fuzz::json).inputs(json_messages()).words(words).executions(40_000).run();
}

#[test]
fn random_bytes_never_panic() {
    let mut numbers = Numbers(7);
    for _ in 0..100_000 {
        let mut bytes: Vec<u8> = (0..numbers.below(40)).map(|_| numbers.below(256) as u8).collect();
        if let Some(first) = bytes.first_mut() {
            *first = *first & 0xF0 | 1;
        }
        fuzz::uadp(&bytes);
    }
}

#[test]
fn a_huge_count_reserves_no_more_than_the_bytes_could_hold() {
    // 65,535 fields are promised, one byte is there.
    let mut decoder = uadp::Decoder::new();
    assert!(decoder.decode(&[0x01, 0x05, 0xFF, 0xFF, 0], &NoDataSets).is_err());
    assert!(decoder.decode(&[0x41, 0xFF], &NoDataSets).is_err());
}
