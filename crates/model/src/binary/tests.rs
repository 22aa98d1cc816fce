use super::*;
use crate::variant::ExtensionBody;
use crate::{
    BuiltInType, DateTime, ExtensionObject, Guid, LocalizedText, NodeId, QualifiedName, StatusCode, Variant,
};

fn examples() -> Vec<Variant> {
    let structure =
        ExtensionObject { type_id: NodeId::numeric(2, 5001), body: ExtensionBody::Binary(vec![1, 2, 3]) };
    vec![
        Variant::Null,
        Variant::Boolean(true),
        Variant::SByte(-1),
        Variant::Byte(255),
        Variant::Int16(i16::MIN),
        Variant::UInt16(u16::MAX),
        Variant::Int32(i32::MIN),
        Variant::UInt32(u32::MAX),
        Variant::Int64(i64::MIN),
        Variant::UInt64(u64::MAX),
        Variant::Float(1.5),
        Variant::Double(-0.0),
        Variant::String(None),
        Variant::String(Some(String::new())),
        Variant::String(Some("Größe".into())),
        Variant::DateTime(DateTime::from_ticks(133_000_000_000_000_001)),
        Variant::Guid(Guid([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])),
        Variant::ByteString(Some(vec![0, 255])),
        Variant::XmlElement(Some("<a/>".into())),
        Variant::NodeId(NodeId::string(3, "x")),
        Variant::NodeId(NodeId::numeric(0, 85)),
        Variant::NodeId(NodeId::numeric(300, 70_000)),
        Variant::ExpandedNodeId("svr=2;nsu=urn:a;s=b".parse().expect("parses")),
        Variant::StatusCode(StatusCode(0x800A_0480)),
        Variant::QualifiedName(QualifiedName { namespace: 1, name: Some("q".into()) }),
        Variant::LocalizedText(LocalizedText { locale: None, text: Some("t".into()) }),
        Variant::ExtensionObject(structure),
        Variant::DataValue(vec![0x05, 6, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]),
        Variant::DiagnosticInfo(vec![0x20, 0, 0, 10, 0x80]),
        Variant::Array {
            element: BuiltInType::Int32,
            values: (0..6).map(Variant::Int32).collect(),
            dimensions: vec![2, 3],
        },
        Variant::Array {
            element: BuiltInType::String,
            values: vec![Variant::String(None)],
            dimensions: vec![],
        },
        Variant::Array {
            element: BuiltInType::Variant,
            values: vec![
                Variant::Variant(Box::new(Variant::Byte(1))),
                Variant::Variant(Box::new(Variant::Null)),
            ],
            dimensions: vec![],
        },
    ]
}

#[test]
fn every_type_round_trips_and_is_measured_exactly() {
    for value in examples() {
        let mut bytes = Vec::new();
        encode_variant(&value, &mut bytes);
        let length = bytes.len();
        bytes.extend_from_slice(&[0xAA; 3]);
        let mut reader = Reader::new(&bytes);
        assert_eq!(decode_variant(&mut reader), Ok(value.clone()));
        assert_eq!(reader.position(), length, "{value:?}");
        let mut reader = Reader::new(&bytes);
        assert_eq!(skip_variant(&mut reader), Ok(()));
        assert_eq!(reader.position(), length, "{value:?}");
    }
}

#[test]
fn every_truncation_is_an_error_and_never_a_panic() {
    for value in examples() {
        let mut bytes = Vec::new();
        encode_variant(&value, &mut bytes);
        for length in 0..bytes.len() {
            assert!(decode_variant(&mut Reader::new(&bytes[..length])).is_err(), "{value:?} cut at {length}");
            assert!(skip_variant(&mut Reader::new(&bytes[..length])).is_err(), "{value:?} cut at {length}");
        }
    }
}

#[test]
fn decode_and_skip_agree_on_random_bytes() {
    let mut state = 1_u64;
    for _ in 0..200_000 {
        let mut bytes = [0; 24];
        for byte in &mut bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Mostly small numbers, which are types and lengths; sometimes flags.
            *byte = if state >> 61 == 0 { (state >> 40) as u8 } else { (state >> 59) as u8 };
        }
        let (mut a, mut b) = (Reader::new(&bytes), Reader::new(&bytes));
        let decoded = decode_variant(&mut a);
        assert_eq!(skip_variant(&mut b).is_ok(), decoded.is_ok(), "{bytes:?}");
        if decoded.is_ok() {
            assert_eq!(a.position(), b.position(), "{bytes:?}");
        }
    }
}

#[test]
fn a_node_id_with_the_bits_of_an_expanded_one_is_refused_by_both() {
    for bits in [0x40, 0x80] {
        let bytes = [17, bits, 85, 0xFF, 0xFF, 0xFF, 0xFF];
        assert!(decode_variant(&mut Reader::new(&bytes)).is_err());
        assert!(skip_variant(&mut Reader::new(&bytes)).is_err());
    }
}

#[test]
fn a_huge_length_is_refused_before_anything_is_reserved() {
    let bytes = [0x80 | 11, 0xFF, 0xFF, 0xFF, 0x7F, 0, 0];
    assert_eq!(
        decode_variant(&mut Reader::new(&bytes)),
        Err(DecodeError { position: 5, reason: "an array is longer than its message" })
    );
}

#[test]
fn endless_nesting_is_refused() {
    let bytes = vec![24_u8; 4096];
    assert!(decode_variant(&mut Reader::new(&bytes)).is_err());
    assert!(skip_variant(&mut Reader::new(&bytes)).is_err());
}

#[test]
fn what_cannot_be_decoded_is_not_passed_over() {
    let text = [2, 0, 0, 0, 0xE5, 0x2C];
    let with = |head: &[u8]| [head, &text].concat();
    let expanded = [&[18, 0xC3, 0, 0, 1, 0, 0, 0, b'a'][..], &text, &[0; 4]].concat();
    for (what, bytes) in [
        ("String", with(&[12])),
        ("XmlElement", with(&[16])),
        ("NodeId", with(&[17, 3, 0, 0])),
        ("ExpandedNodeId with a URI", expanded),
        ("QualifiedName", with(&[20, 0, 0])),
        ("locale", with(&[21, 1])),
        ("text", with(&[21, 2])),
        ("array of String", with(&[0x80 | 12, 1, 0, 0, 0])),
        ("scalar with dimensions", vec![0x40 | 1, 1, 0, 0, 0, 0]),
    ] {
        let (decoded, skipped) =
            (decode_variant(&mut Reader::new(&bytes)), skip_variant(&mut Reader::new(&bytes)));
        assert_eq!(skipped.err(), decoded.err(), "{what}");
        assert!(skip_variant(&mut Reader::new(&bytes)).is_err(), "{what}");
    }
}

/// Whatever can be read can be passed over to the same place, and nothing else can; and it is written to bytes that
/// read the same.
fn variant_of_bytes(bytes: &[u8]) {
    let (mut read, mut passed) = (Reader::new(bytes), Reader::new(bytes));
    let variant = decode_variant(&mut read);
    let skipped = skip_variant(&mut passed);
    assert_eq!(skipped.is_ok(), variant.is_ok());
    let Ok(variant) = variant else { return };
    assert_eq!(read.position(), passed.position());
    let mut written = Vec::new();
    encode_variant(&variant, &mut written);
    let again = decode_variant(&mut Reader::new(&written)).expect("what was written reads");
    let mut rewritten = Vec::new();
    encode_variant(&again, &mut rewritten);
    // By their bytes: a NaN does not equal itself.
    assert_eq!(rewritten, written);
}

#[test]
fn fuzz_variant() {
    let inputs = examples().into_iter().map(|variant| {
        let mut bytes = Vec::new();
        encode_variant(&variant, &mut bytes);
        bytes
    });
    gemba_testkit::fuzz::Target::new("model-variant", variant_of_bytes).inputs(inputs).run();
}
