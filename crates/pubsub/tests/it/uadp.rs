//! Messages of other publishers: every optional part, every encoding, and what is refused.

use crate::arbitrary::plain_data_set;
use expect_test::{Expect, expect};
use gemba_model::*;
use gemba_pubsub::{DataSets, FrameKind, NetworkMessage, NoDataSets, PublisherId, Received, Skipped, uadp};

fn decode<D: DataSets + ?Sized>(bytes: &[u8], data_sets: &D) -> Result<NetworkMessage, String> {
    match uadp::Decoder::new().decode(bytes, data_sets) {
        Ok(Received::Data(message)) => Ok(message.clone()),
        Ok(Received::MetaData(_)) => Err("metadata".to_owned()),
        Err(error) => Err(format!("{}: {error}", error.code())),
    }
}

fn check_error(bytes: &[u8], expected: Expect) {
    expected.assert_eq(&decode(bytes, &NoDataSets).expect_err("refused"));
}

/// A DataSetMessage without optional parts and without fields, behind the header at hand.
fn with_empty_key_frame(header: &[u8]) -> Vec<u8> {
    [header, &[0x05, 0, 0]].concat()
}

#[test]
fn every_publisher_id_is_read() {
    let ids: [(&[u8], Option<PublisherId>); 7] = [
        (&[0x01], None),
        (&[0x11, 9], Some(PublisherId::Byte(9))),
        (&[0x91, 0x00, 9], Some(PublisherId::Byte(9))),
        (&[0x91, 0x01, 9, 1], Some(PublisherId::UInt16(0x0109))),
        (&[0x91, 0x02, 9, 0, 0, 1], Some(PublisherId::UInt32(0x0100_0009))),
        (&[0x91, 0x03, 9, 0, 0, 0, 0, 0, 0, 1], Some(PublisherId::UInt64(0x0100_0000_0000_0009))),
        (&[0x91, 0x04, 1, 0, 0, 0, b'x'], Some(PublisherId::String("x".into()))),
    ];
    for (header, id) in ids {
        let message = decode(&with_empty_key_frame(header), &NoDataSets).expect("reads");
        assert_eq!(message.publisher_id, id);
        assert_eq!(message.messages[0].kind, FrameKind::KeyFrame);
        assert_eq!(message.messages[0].batch.writer, WriterKey::default());
    }
    check_error(
        &[0x91, 0x05, 9],
        expect![
            "GMB-PUB-001: this is not a complete UADP message: unknown type of publisher id at byte 2; it was damaged or cut, or is in another encoding"
        ],
    );
}

#[rustfmt::skip]
#[test]
fn every_optional_part_of_the_headers_is_read() {
    let bytes = [
        // All of UADPFlags; UInt16 id, class id, security header, timestamp, picoseconds, ExtendedFlags2: promoted fields.
        0xF1, 0xF9, 0x02, 1, 0,
        1, 0, 0, 0, 2, 0, 3, 0, 4, 5, 6, 7, 8, 9, 10, 11,
        // All of the group header.
        0x0F, 7, 0, 1, 0, 0, 0, 2, 0, 3, 0,
        // One writer.
        1, 8, 0,
        // Timestamp and picoseconds.
        1, 0, 0, 0, 0, 0, 0, 0, 5, 0,
        // Two bytes of promoted fields.
        2, 0, 1, 1,
        // A security header without security: no flags, token 0, a nonce of one byte.
        0, 0, 0, 0, 0, 1, 0xAA,
        // All of the DataSetMessage header, key frame of Variants.
        0xF9, 0x30, 6, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0x80, 0x80, 4, 0, 0, 0, 5, 0, 0, 0,
        // Two fields: Byte 1, null. Then padding.
        2, 0, 3, 1, 0, 0, 0, 0,
    ];
    let message = decode(&bytes, &NoDataSets).expect("reads");
    assert_eq!(message.data_set_class_id, Some("00000001-0002-0003-0405-060708090a0b".parse().expect("parses")));
    assert_eq!((message.writer_group_id, message.group_version), (Some(7), Some(1)));
    assert_eq!((message.network_message_number, message.sequence_number), (Some(2), Some(3)));
    assert_eq!((message.timestamp, message.picoseconds), (Some(DateTime::from_ticks(1)), 5));
    let [inner] = &message.messages[..] else { panic!("one message") };
    assert_eq!((inner.sequence_number, inner.major_version, inner.minor_version), (Some(6), Some(4), Some(5)));
    assert_eq!((inner.timestamp, inner.picoseconds), (Some(DateTime::from_ticks(2)), 3));
    assert_eq!(inner.status, Some(StatusCode(0x8080_0000)));
    assert_eq!(inner.batch.writer, WriterKey { group: 7, writer: 8 });
    assert_eq!(inner.batch.version, ConfigurationVersion { major: 4, minor: 5 });
    let fields: Vec<_> = inner.batch.samples.iter().map(|sample| (sample.field, sample.value)).collect();
    assert_eq!(fields, [(0, Value::Byte(1)), (1, Value::Null)]);
}

#[test]
fn keep_alives_events_and_invalid_messages_are_told_apart() {
    // Four writers with sizes: a keep-alive, an event of one Variant, an event of one DataValue, an invalid one.
    let bytes = [
        0x41, 4, 1, 0, 2, 0, 3, 0, 4, 0, 4, 0, 6, 0, 5, 0, 2, 0, 0x89, 0x03, 9, 0, 0x81, 0x02, 1, 0, 3, 7,
        0x85, 0x02, 1, 0, 0, 0x00, 0xFF,
    ];
    let message = decode(&bytes, &NoDataSets).expect("reads");
    assert_eq!(message.skipped, Skipped { events: 2, invalid: 1 });
    let [keep_alive] = &message.messages[..] else { panic!("one message") };
    assert_eq!((keep_alive.kind, keep_alive.sequence_number), (FrameKind::KeepAlive, Some(9)));
    assert!(keep_alive.batch.samples.is_empty());
}

#[test]
fn a_bad_status_code_in_place_of_a_value_is_the_status() {
    // A delta frame of Variants: field 1 is BadNodeIdUnknown, field 2 is Good as a value.
    let bytes = [0x01, 0x81, 0x01, 2, 0, 1, 0, 19, 0, 0, 0x34, 0x80, 2, 0, 19, 0, 0, 0, 0];
    let message = decode(&bytes, &NoDataSets).expect("reads");
    let samples = &message.messages[0].batch.samples;
    assert_eq!((samples[0].status, samples[0].value), (StatusCode(0x8034_0000), Value::Null));
    assert_eq!(
        (samples[1].status, samples[1].value),
        (StatusCode::GOOD, Value::StatusCode(StatusCode::GOOD))
    );
    // Unless the field is described as a StatusCode.
    let mut data_set = plain_data_set(&SampleBatch::default(), 3);
    data_set.fields[1].built_in_type = BuiltInType::StatusCode;
    let message = decode(&bytes, &[data_set][..]).expect("reads");
    let sample = message.messages[0].batch.samples[0];
    assert_eq!((sample.status, sample.value), (StatusCode::GOOD, Value::StatusCode(StatusCode(0x8034_0000))));
}

#[test]
fn raw_scalars_are_read_with_their_description_only() {
    // A key frame: UInt16 258, Boolean, Guid.
    let key = [&[0x03, 2, 1, 1][..], &[7; 16]].concat();
    let bytes = [&[0x01][..], &key].concat();
    let mut data_set = plain_data_set(&SampleBatch::default(), 3);
    data_set.fields[0].built_in_type = BuiltInType::UInt16;
    data_set.fields[1].built_in_type = BuiltInType::Boolean;
    data_set.fields[2].built_in_type = BuiltInType::Guid;
    let message = decode(&bytes, &[data_set.clone()][..]).expect("reads");
    let batch = &message.messages[0].batch;
    assert_eq!((batch.samples[0].value, batch.samples[1].value), (Value::UInt16(258), Value::Boolean(true)));
    assert_eq!(batch.variant(batch.samples[2].value), Ok(Variant::Guid(Guid([7; 16]))));
    // A delta frame of field 1.
    let delta = [0x01, 0x83, 0x01, 1, 0, 1, 0, 0];
    let message = decode(&delta, &[data_set.clone()][..]).expect("reads");
    assert_eq!(
        message.messages[0].batch.samples[0],
        Sample { field: 1, value: Value::Boolean(false), ..Sample::default() }
    );
    check_error(
        &bytes,
        expect![
            "GMB-PUB-003: the description of writer 0 (version any) is not known, and its values cannot be read without; let the publisher send its metadata"
        ],
    );
    data_set.fields[1].value_rank = 1;
    let error = decode(&bytes, &[data_set.clone()][..]).expect_err("refused");
    expect!["GMB-PUB-002: raw data of field 'f1', which is an array, cannot be read here; set the writer's field content mask to DataValues or Variants"].assert_eq(&error);
    data_set.fields[0].built_in_type = BuiltInType::String;
    let error = decode(&bytes, &[data_set][..]).expect_err("refused");
    expect!["GMB-PUB-002: raw data of field 'f0', which is of a type without a fixed length, cannot be read here; set the writer's field content mask to DataValues or Variants"].assert_eq(&error);
}

#[test]
fn what_cannot_be_read_is_refused_with_its_remedy() {
    check_error(
        &[0x02],
        expect![
            "GMB-PUB-002: UADP version 2 cannot be read here; version 1 is the one that OPC 10000-14 defines"
        ],
    );
    check_error(
        &[0x81, 0x80, 0x01],
        expect![
            "GMB-PUB-002: a message in chunks cannot be read here; raise the publisher's maximum size of NetworkMessages, or let it send fewer fields in each"
        ],
    );
    check_error(
        &[0x81, 0x80, 0x04],
        expect!["GMB-PUB-002: a discovery probe cannot be read here; only data and metadata are read"],
    );
    check_error(
        &[0x81, 0x80, 0x08, 1, 0, 0],
        expect![
            "GMB-PUB-002: a discovery announcement of type 1 cannot be read here; only metadata announcements (type 2) are read"
        ],
    );
    check_error(
        &[0x81, 0x80, 0x20],
        expect![
            "GMB-PUB-002: an action message, or one of a later edition of OPC 10000-14, cannot be read here; only data and metadata are read"
        ],
    );
    check_error(
        &[0x81, 0x10, 0x01, 0, 0, 0, 0, 0],
        expect![
            "GMB-PUB-002: a signed or encrypted message cannot be read here; set the writer group's security mode to None and secure the transport with TLS instead"
        ],
    );
    check_error(
        &[0x01, 0x81, 0x04],
        expect![
            "GMB-PUB-002: a DataSetMessage of type 4 cannot be read here; key frames, delta frames, events and keep-alives are read"
        ],
    );
    check_error(
        &[],
        expect![
            "GMB-PUB-001: this is not a complete UADP message: the message ends too early at byte 0; it was damaged or cut, or is in another encoding"
        ],
    );
    check_error(
        &[0x01, 0x05, 0, 0, 1],
        expect![
            "GMB-PUB-001: this is not a complete UADP message: bytes follow the fields at byte 5; it was damaged or cut, or is in another encoding"
        ],
    );
    check_error(
        b"{\"MessageType\":\"ua-data\"}",
        expect![
            "GMB-PUB-002: UADP version 11 cannot be read here; version 1 is the one that OPC 10000-14 defines"
        ],
    );
}

#[test]
fn values_that_no_reader_could_decode_later_are_refused_at_once() {
    // A String that is not UTF-8; a scalar with dimensions; an array with a broken String.
    for variant in
        [&[12, 1, 0, 0, 0, 0xFF][..], &[0x41, 1, 0, 0, 0, 0], &[0x8C, 1, 0, 0, 0, 1, 0, 0, 0, 0xFF]]
    {
        let bytes = [&[0x01, 0x01, 1, 0][..], variant].concat();
        assert!(decode(&bytes, &NoDataSets).is_err(), "{variant:?}");
    }
}

#[test]
fn picoseconds_beyond_the_tick_are_read_as_the_largest() {
    let bytes = [0x01, 0x05, 1, 0, 0x30, 0xFF, 0xFF, 0x10, 0x27];
    let sample = decode(&bytes, &NoDataSets).expect("reads").messages[0].batch.samples[0];
    assert_eq!((sample.source_picoseconds, sample.server_picoseconds), (9999, 9999));
}

#[test]
fn a_decoder_leaves_nothing_of_a_message_in_the_next() {
    let mut decoder = uadp::Decoder::new();
    let first = [0x91, 0x01, 9, 1, 0x01, 2, 0, 3, 1, 12, 1, 0, 0, 0, b'a'];
    assert!(
        matches!(decoder.decode(&first, &NoDataSets), Ok(Received::Data(message)) if message.messages[0].batch.samples.len() == 2)
    );
    assert!(decoder.decode(&first[..9], &NoDataSets).is_err());
    let Ok(Received::Data(message)) = decoder.decode(&[0x01, 0x01, 1, 0, 3, 7], &NoDataSets) else {
        panic!("reads")
    };
    let mut expected = SampleBatch::default();
    expected.samples.push(Sample { value: Value::Byte(7), ..Sample::default() });
    assert_eq!(message.messages.iter().map(|message| &message.batch).collect::<Vec<_>>(), [&expected]);
    assert_eq!(message.publisher_id, None);
}

#[test]
fn sequence_numbers_count_messages_of_groups_and_of_writers_and_wrap() {
    let mut encoder = uadp::Encoder::new("p".into(), gemba_pubsub::Limits::default());
    let mut batch = SampleBatch::default();
    batch.samples.push(Sample::default());
    let mut other = batch.clone();
    other.writer.writer = 1;
    let mut numbers = Vec::new();
    for round in 0..65_537 {
        let outcomes = encoder.encode([&batch, &other, &batch]);
        if ![0, 32_767, 65_536].contains(&round) {
            continue;
        }
        let [gemba_pubsub::Outcome::Payload(payload)] = &outcomes[..] else { panic!("one payload") };
        let message = decode(&payload.bytes, &NoDataSets).expect("reads");
        let writers: Vec<_> = message.messages.iter().map(|message| message.sequence_number).collect();
        numbers.push((message.sequence_number, writers));
    }
    assert_eq!(
        numbers,
        [
            (Some(0), vec![Some(0), Some(0), Some(1)]),
            (Some(32_767), vec![Some(65_534), Some(32_767), Some(65_535)]),
            (Some(0), vec![Some(0), Some(0), Some(1)]),
        ]
    );
}

#[test]
fn a_decoder_reuses_its_buffers() {
    let mut batch = SampleBatch::default();
    for field in 0..100 {
        let value = batch.store(&Variant::String(Some(format!("value {field}"))));
        batch.samples.push(Sample { field, value, ..Sample::default() });
    }
    let outcomes = uadp::Encoder::new("p".into(), gemba_pubsub::Limits::default()).encode([&batch]);
    let [gemba_pubsub::Outcome::Payload(payload)] = &outcomes[..] else { panic!("one payload") };
    let mut decoder = uadp::Decoder::new();
    let mut buffers = || {
        let Ok(Received::Data(message)) = decoder.decode(&payload.bytes, &NoDataSets) else {
            panic!("reads")
        };
        (
            message.messages.as_ptr(),
            message.messages[0].batch.samples.as_ptr(),
            message.messages[0].batch.bytes.as_ptr(),
        )
    };
    assert_eq!(buffers(), buffers());
}
