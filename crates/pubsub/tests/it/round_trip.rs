//! Whatever goes in comes out, in the order of each field.

use crate::arbitrary;
use gemba_model::*;
use gemba_pubsub::{Limits, NoDataSets, Outcome, PublisherId, Received, json, uadp};
use proptest::prelude::*;

/// A sample with its value owned, comparable across batches; NaN equals NaN.
pub(crate) fn shown(batch: &SampleBatch, sample: &Sample) -> String {
    let value = batch.variant(sample.value).expect("a Variant");
    format!("{:?}", (batch.writer, batch.version, Sample { value: Value::Null, ..*sample }, value))
}

/// All samples, grouped by writer and field, in order.
pub(crate) fn by_field<'a>(batches: impl IntoIterator<Item = &'a SampleBatch>) -> Vec<Vec<String>> {
    let mut fields = std::collections::BTreeMap::<_, Vec<String>>::new();
    for batch in batches {
        for sample in &batch.samples {
            fields.entry((batch.writer, sample.field)).or_default().push(shown(batch, sample));
        }
    }
    fields.into_values().collect()
}

pub(crate) fn payloads(outcomes: Vec<Outcome>) -> Vec<gemba_pubsub::Payload> {
    let payload = |outcome| match outcome {
        Outcome::Payload(payload) => payload,
        Outcome::Refused(refused) => panic!("{refused}"),
    };
    outcomes.into_iter().map(payload).collect()
}

pub(crate) fn decode_uadp(payloads: &[gemba_pubsub::Payload]) -> Vec<SampleBatch> {
    let mut decoder = uadp::Decoder::new();
    let mut batches = Vec::new();
    for payload in payloads {
        match decoder.decode(&payload.bytes, &NoDataSets) {
            Ok(Received::Data(message)) => {
                let values: usize = message.messages.iter().map(|m| m.batch.samples.len()).sum();
                assert_eq!(
                    (values, message.messages.len()),
                    (payload.values as usize, payload.data_set_messages as usize)
                );
                batches.extend(message.messages.iter_mut().map(|message| std::mem::take(&mut message.batch)));
            }
            other => panic!("{other:?}"),
        }
    }
    batches
}

fn limits(bytes: usize) -> Limits {
    Limits {
        max_message_bytes: bytes,
        max_data_set_messages: 5,
        max_data_set_message_bytes: 700,
        max_fields: 9,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn uadp_keeps_every_value(batches in prop::collection::vec(arbitrary::batch(12), 1..4), bytes in 700..3000_usize) {
        for limits in [Limits::default(), limits(bytes)] {
            let payloads = payloads(uadp::Encoder::new("edge".into(), limits).encode(&batches));
            for payload in &payloads {
                prop_assert!(payload.bytes.len() <= limits.max_message_bytes);
            }
            prop_assert_eq!(by_field(&decode_uadp(&payloads)), by_field(&batches));
        }
    }

    #[test]
    fn json_keeps_every_value(batches in prop::collection::vec(arbitrary::batch(12), 1..4), bytes in 2000..6000_usize) {
        let data_sets: Vec<_> = batches.iter().map(|batch| arbitrary::plain_data_set(batch, 12)).collect();
        for limits in [Limits::default(), limits(bytes)] {
            let mut encoder = json::Encoder::new(&PublisherId::from("edge"), "m", limits);
            let payloads = payloads(encoder.encode(batches.iter().zip(&data_sets)));
            let mut decoded = Vec::new();
            let mut decoder = json::Decoder::new();
            for payload in &payloads {
                prop_assert!(payload.bytes.len() <= limits.max_message_bytes);
                match decoder.decode(&payload.bytes, &data_sets[..]) {
                    Ok(Received::Data(message)) => {
                        decoded.extend(message.messages.iter_mut().map(|message| std::mem::take(&mut message.batch)));
                    }
                    other => panic!("{other:?} {}", String::from_utf8_lossy(&payload.bytes)),
                }
            }
            prop_assert_eq!(by_field(&decoded), by_field(&batches));
        }
    }

    #[test]
    fn descriptions_survive_both_encodings(data_set in arbitrary::data_set(), time in arbitrary::date_time()) {
        let publisher_id = PublisherId::from("edge");
        let limits = Limits::default();
        let bytes = uadp::encode_meta_data(&publisher_id, 3, &data_set, &limits).expect("fits");
        let estimate = uadp::meta_data_base_bytes(&publisher_id, &data_set)
            + data_set.fields.iter().map(uadp::meta_data_bytes).sum::<usize>();
        prop_assert!(bytes.len() <= estimate);
        match uadp::Decoder::new().decode(&bytes, &NoDataSets) {
            Ok(Received::MetaData(message)) => {
                prop_assert_eq!(&message.meta_data, &data_set);
                prop_assert_eq!((message.publisher_id, message.sequence_number), (Some(publisher_id.clone()), Some(3)));
            }
            other => panic!("{other:?}"),
        }
        let bytes = json::encode_meta_data(&publisher_id, "m-1", time, &data_set, &limits).expect("fits");
        match json::Decoder::new().decode(&bytes, &NoDataSets) {
            Ok(Received::MetaData(message)) => {
                prop_assert_eq!(&message.meta_data, &data_set);
                prop_assert_eq!((message.publisher_id, message.timestamp), (Some(publisher_id), Some(time)));
            }
            other => panic!("{other:?}"),
        }
    }
}
