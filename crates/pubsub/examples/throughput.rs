//! How long a value takes to encode and decode, over batches of 1,000 fields with status and both timestamps.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // A program for people.

use gemba_model::{
    BuiltInType, ConfigurationVersion, DataSetMetaData, DateTime, FieldMetaData, Guid, NodeId, Sample,
    SampleBatch, Value, WriterKey,
};
use gemba_pubsub::{Limits, Outcome, Received, json, uadp};
use std::time::Instant;

const FIELDS: u16 = 1_000;
const ROUNDS: u32 = 2_000;

fn main() {
    let writer = WriterKey { group: 1, writer: 1 };
    let version = ConfigurationVersion { major: 1, minor: 1 };
    let mut batch = SampleBatch::new(writer, version);
    for field in 0..FIELDS {
        let time = DateTime::from_ticks(134_000_000_000_000_000 + i64::from(field) * 12_345);
        batch.samples.push(Sample {
            field,
            source_timestamp: Some(time),
            server_timestamp: Some(time.saturating_add_ticks(5_000)),
            value: Value::Double(f64::from(field) * 0.37),
            ..Sample::default()
        });
    }
    let field = |field: u16| FieldMetaData {
        name: format!("Line1.Press.Value{field}"),
        data_set_field_id: Guid::default(),
        built_in_type: BuiltInType::Double,
        value_rank: -1,
        node_id: NodeId::numeric(2, u32::from(field)).into(),
        attribute_id: 13,
        unit: String::new(),
    };
    let fields = (0..FIELDS).map(field).collect();
    let data_set = [DataSetMetaData { writer, version, fields, ..DataSetMetaData::default() }];

    let mut encoder = uadp::Encoder::new("edge".into(), Limits::default());
    let payloads = measure("UADP encode", || encoder.encode([&batch]));
    let mut decoder = uadp::Decoder::new();
    measure("UADP decode", || {
        payloads.iter().map(|outcome| values(decoder.decode(bytes(outcome), &data_set[..]))).sum::<usize>()
    });

    let mut encoder = json::Encoder::new(&"edge".into(), "m", Limits::default());
    let payloads = measure("JSON encode", || encoder.encode([(&batch, &data_set[0])]));
    let mut decoder = json::Decoder::new();
    measure("JSON decode", || {
        payloads.iter().map(|outcome| values(decoder.decode(bytes(outcome), &data_set[..]))).sum::<usize>()
    });
}

/// Runs the work many times and prints the best round's time for a value.
fn measure<T>(name: &str, mut work: impl FnMut() -> T) -> T {
    let mut best = f64::MAX;
    let mut result = work();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        result = std::hint::black_box(work());
        best = best.min(start.elapsed().as_nanos() as f64);
    }
    println!("{name}: {:.1} ns/value", best / f64::from(FIELDS));
    result
}

fn bytes(outcome: &Outcome) -> &[u8] {
    match outcome {
        Outcome::Payload(payload) => &payload.bytes,
        Outcome::Refused(_) => &[],
    }
}

fn values(received: Result<Received<'_>, gemba_pubsub::DecodeError>) -> usize {
    match received.unwrap() {
        Received::Data(message) => message.messages.iter().map(|message| message.batch.samples.len()).sum(),
        Received::MetaData(_) => 0,
    }
}
