//! Messages at each limit, and one step beyond it.

use crate::round_trip::{by_field, decode_uadp, payloads};
use gemba_model::*;
use gemba_pubsub::{Limits, Outcome, Refusal, RefusedSample, json, uadp};

const WRITER: WriterKey = WriterKey { group: 1, writer: 2 };

/// Header of a NetworkMessage with one DataSetMessage from publisher `p`: 2 flags, 5 publisher, 5 group, 3 payload.
const NETWORK_HEADER: usize = 15;
const DATA_SET_MESSAGE_HEADER: usize = 14;
/// Index, mask, encoding byte, Double.
const DOUBLE_FIELD: usize = 12;

fn doubles(fields: impl IntoIterator<Item = u16>) -> SampleBatch {
    let mut batch = SampleBatch::new(WRITER, ConfigurationVersion::default());
    let sample = |field| Sample { field, value: Value::Double(f64::from(field)), ..Sample::default() };
    batch.samples.extend(fields.into_iter().map(sample));
    batch
}

/// A batch with one ByteString value of `length` bytes; in a message it takes 8 more: index, mask, type, length.
fn blob(writer: WriterKey, field: u16, length: usize) -> SampleBatch {
    let mut batch = SampleBatch::new(writer, ConfigurationVersion::default());
    let value = batch.store(&Variant::ByteString(Some(vec![7; length])));
    batch.samples.push(Sample { field, value, ..Sample::default() });
    batch
}

/// Values and DataSetMessages of each payload.
fn shape(limits: Limits, batches: &[SampleBatch]) -> Vec<(u32, u32)> {
    let payloads = payloads(uadp::Encoder::new("p".into(), limits).encode(batches));
    assert!(payloads.iter().all(|payload| payload.bytes.len() <= limits.max_message_bytes));
    assert_eq!(by_field(&decode_uadp(&payloads)), by_field(batches));
    payloads.iter().map(|payload| (payload.values, payload.data_set_messages)).collect()
}

#[test]
fn a_message_takes_exactly_its_limit_of_bytes() {
    let bytes = NETWORK_HEADER + DATA_SET_MESSAGE_HEADER + 100 * DOUBLE_FIELD;
    let at = Limits { max_message_bytes: bytes, ..Limits::default() };
    assert_eq!(shape(at, &[doubles(0..100)]), [(100, 1)]);
    assert_eq!(shape(at, &[doubles(0..101)]), [(100, 1), (1, 1)]);
    let below = Limits { max_message_bytes: bytes - 1, ..Limits::default() };
    assert_eq!(shape(below, &[doubles(0..100)]), [(99, 1), (1, 1)]);
}

#[test]
fn the_second_data_set_message_pays_for_both_sizes() {
    // The second one adds its id, both sizes, its header and a value.
    let bytes = NETWORK_HEADER + 2 * (DATA_SET_MESSAGE_HEADER + DOUBLE_FIELD) + 2 + 4;
    let batches = [doubles([0]), doubles([0])];
    assert_eq!(shape(Limits { max_message_bytes: bytes, ..Limits::default() }, &batches), [(2, 2)]);
    let below = Limits { max_message_bytes: bytes - 1, ..Limits::default() };
    assert_eq!(shape(below, &batches), [(1, 1), (1, 1)]);
}

#[test]
fn a_message_holds_255_data_set_messages() {
    let batches: Vec<_> = (0..256).map(|_| doubles([3])).collect();
    assert_eq!(shape(Limits::default(), &batches[..255]), [(255, 255)]);
    assert_eq!(shape(Limits::default(), &batches), [(255, 255), (1, 1)]);
    let few = Limits { max_data_set_messages: 2, ..Limits::default() };
    assert_eq!(shape(few, &batches[..3]), [(2, 2), (1, 1)]);
}

#[test]
fn a_field_that_repeats_goes_to_the_next_data_set_message() {
    assert_eq!(shape(Limits::default(), &[doubles([1, 1, 1, 2, 2, 3])]), [(6, 3)]);
    assert_eq!(shape(Limits::default(), &[doubles(std::iter::repeat_n(9, 256))]), [(255, 255), (1, 1)]);
}

#[test]
fn a_data_set_message_among_others_has_at_most_65535_bytes() {
    let other = WriterKey { group: 1, writer: 9 };
    let largest = 65_535 - DATA_SET_MESSAGE_HEADER - 8;
    assert_eq!(shape(Limits::default(), &[blob(WRITER, 0, 1), blob(other, 0, largest)]), [(2, 2)]);
    assert_eq!(
        shape(Limits::default(), &[blob(WRITER, 0, 1), blob(other, 0, largest + 1)]),
        [(1, 1), (1, 1)]
    );
    assert_eq!(shape(Limits::default(), &[blob(WRITER, 0, largest), blob(other, 0, 1)]), [(2, 2)]);
    assert_eq!(
        shape(Limits::default(), &[blob(WRITER, 0, largest + 1), blob(other, 0, 1)]),
        [(1, 1), (1, 1)]
    );
}

#[test]
fn a_lone_data_set_message_may_have_more_than_65535_bytes() {
    assert_eq!(shape(Limits::default(), &[doubles(0..20_000)]), [(20_000, 1)]);
}

#[test]
fn a_data_set_message_has_at_most_65535_fields() {
    let limits = Limits { max_message_bytes: 4 << 20, ..Limits::default() };
    assert_eq!(shape(limits, &[doubles(0..65_535)]), [(65_535, 1)]);
    assert_eq!(shape(limits, &[doubles(0..=65_535)]), [(65_535, 1), (1, 1)]);
    let few = Limits { max_fields: 3, ..Limits::default() };
    assert_eq!(shape(few, &[doubles(0..7)]), [(7, 3)]);
}

#[test]
fn writers_of_different_groups_do_not_share_messages() {
    let other = WriterKey { group: 2, writer: 2 };
    let batches = [blob(WRITER, 0, 1), blob(other, 0, 1), blob(other, 1, 1)];
    let payloads = payloads(uadp::Encoder::new("p".into(), Limits::default()).encode(&batches));
    let groups: Vec<_> = payloads.iter().map(|payload| (payload.group, payload.data_set_messages)).collect();
    assert_eq!(groups, [(1, 1), (2, 2)]);
}

#[test]
fn a_sample_that_fits_nowhere_is_named_and_the_others_go_on() {
    let limits = Limits { max_message_bytes: 1000, ..Limits::default() };
    let largest = 1000 - NETWORK_HEADER - DATA_SET_MESSAGE_HEADER - 8;
    assert_eq!(shape(limits, &[blob(WRITER, 0, largest)]), [(1, 1)]);
    let mut batch = blob(WRITER, 5, largest + 1);
    batch.samples.insert(0, Sample { field: 1, ..Sample::default() });
    batch.samples.push(Sample { field: 6, ..Sample::default() });
    let outcomes = uadp::Encoder::new("p".into(), limits).encode([&batch]);
    let reason = Refusal::Oversized { size: 1001, limit: 1000 };
    let refused = RefusedSample { writer: WRITER, field: 5, reason };
    assert_eq!(outcomes[0], Outcome::Refused(refused));
    assert_eq!(refused.code(), ErrorCode("GMB-PUB-006"));
    expect_test::expect![
        "a value of field 5 of writer 1/2 cannot be published: alone in a message it takes 1001 bytes, 1000 are \
         allowed; raise the limit or publish parts of the value"
    ]
    .assert_eq(&refused.to_string());
    assert!(matches!(&outcomes[1..], [Outcome::Payload(payload)] if payload.values == 2));
}

#[test]
fn bytes_that_are_not_a_value_are_refused_and_harm_no_other() {
    for value in [Value::Encoded { start: 0, len: 3 }, Value::Encoded { start: 90, len: 5 }] {
        let mut batch = doubles([0, 1]);
        batch.bytes = vec![1, 2, 3];
        batch.samples[0].value = value;
        let outcomes = uadp::Encoder::new("p".into(), Limits::default()).encode([&batch]);
        assert!(matches!(
            &outcomes[..],
            [Outcome::Refused(RefusedSample { field: 0, reason: Refusal::NotAVariant(_), .. }), Outcome::Payload(p)] if p.values == 1
        ));
        let data_set = crate::arbitrary::plain_data_set(&batch, 2);
        let outcomes = json::Encoder::new(&"p".into(), "m", Limits::default()).encode([(&batch, &data_set)]);
        assert!(matches!(
            &outcomes[..],
            [Outcome::Refused(RefusedSample { field: 0, reason: Refusal::NotAVariant(_), .. }), Outcome::Payload(p)] if p.values == 1
        ));
    }
}

#[test]
fn json_messages_take_exactly_their_limit_of_bytes() {
    let batch = doubles(0..10);
    let data_set = crate::arbitrary::plain_data_set(&batch, 10);
    let run = |max_message_bytes| {
        let limits = Limits { max_message_bytes, ..Limits::default() };
        json::Encoder::new(&"p".into(), "m", limits).encode([(&batch, &data_set), (&batch, &data_set)])
    };
    let whole = payloads(run(usize::MAX))[0].bytes.len();
    let values = |outcomes| payloads(outcomes).iter().map(|payload| payload.values).collect::<Vec<_>>();
    assert_eq!(values(run(whole)), [20]);
    assert_eq!(values(run(whole - 1)), [19, 1]);
    let outcomes = run(150);
    assert_eq!(outcomes.len(), 20, "nothing fits, and each is named");
    assert!(outcomes.iter().all(|outcome| matches!(
        outcome,
        Outcome::Refused(RefusedSample { reason: Refusal::Oversized { size: 151.., limit: 150 }, .. })
    )));
}

#[test]
fn descriptions_keep_the_limit() {
    let data_set = crate::arbitrary::plain_data_set(&doubles([]), 20);
    let bytes = uadp::encode_meta_data(&"p".into(), 0, &data_set, &Limits::default()).expect("fits");
    let limits = |max_message_bytes| Limits { max_message_bytes, ..Limits::default() };
    assert!(uadp::encode_meta_data(&"p".into(), 0, &data_set, &limits(bytes.len())).is_ok());
    let error =
        uadp::encode_meta_data(&"p".into(), 0, &data_set, &limits(bytes.len() - 1)).expect_err("too large");
    assert_eq!(error.code(), ErrorCode("GMB-PUB-008"));
    assert!(json::encode_meta_data(&"p".into(), "m", DateTime::MIN, &data_set, &limits(300)).is_err());
    let mut many = data_set.clone();
    many.fields = vec![data_set.fields[0].clone(); 65_536];
    let error =
        uadp::encode_meta_data(&"p".into(), 0, &many, &limits(usize::MAX)).expect_err("too many fields");
    assert_eq!(
        error.to_string(),
        "the data set of writer 1/2 has 65536 fields, 65535 is the limit; divide them among more writers"
    );
    many.fields.pop();
    let bytes = uadp::encode_meta_data(&"p".into(), 0, &many, &limits(usize::MAX)).expect("at the limit");
    assert!(uadp::Decoder::new().decode(&bytes, &gemba_pubsub::NoDataSets).is_ok());
}
