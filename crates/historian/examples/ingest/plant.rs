//! The plant of the measurement: 10,000 series on 4 edges.

use gemba_api::DeviceMessage;
use gemba_api::log::properties;
use gemba_model::{
    BuiltInType, ConfigurationVersion, DataSetMetaData, DataSetSource, DateTime, FieldMetaData, Guid,
    MessageId, Sample, SampleBatch, StatusCode, Value, WriterKey,
};
use gemba_pubsub::{Limits, Outcome, PublisherId, uadp};
use gemba_testkit::{MemoryLog, Rng};

const SECOND: i64 = 10_000_000;
/// Writers of 100 fields each; the first has the 10 fast fields alone.
const WRITERS: u16 = 101;
const EDGES: u32 = 4;

struct Edge {
    sequence: u64,
    encoder: uadp::Encoder,
}

pub(crate) struct Plant {
    rng: Rng,
    values: Vec<f64>,
    edges: Vec<Edge>,
    both: bool,
}

const VERSION: ConfigurationVersion = ConfigurationVersion { major: 1, minor: 1 };

const fn fields(writer: u16) -> u16 {
    match writer {
        1 => 10,
        2 => 90,
        _ => 100,
    }
}

impl Plant {
    pub(crate) fn new(both: bool) -> Self {
        let edge = |index: u32| Edge {
            sequence: 0,
            encoder: uadp::Encoder::new(PublisherId::from(format!("edge{index}")), Limits::default()),
        };
        Self { rng: Rng::new(7), values: vec![50.0; 65_536], edges: (0..EDGES).map(edge).collect(), both }
    }

    /// Midnight at the beginning of the first day.
    pub(crate) fn start(&self) -> DateTime {
        DateTime::from_date(2025, 10, 20).unwrap_or(DateTime::MIN)
    }

    pub(crate) fn announce(&mut self, log: &MemoryLog) {
        for writer in 1..=WRITERS {
            let field = |index: u16| FieldMetaData {
                name: format!("f{index}"),
                data_set_field_id: Guid::default(),
                built_in_type: BuiltInType::Double,
                value_rank: -1,
                node_id: gemba_model::NodeId::string(2, format!("w{writer}.f{index}")).into(),
                attribute_id: 13,
                unit: String::new(),
            };
            let description = DataSetMetaData {
                writer: WriterKey { group: 1, writer },
                version: VERSION,
                source: DataSetSource {
                    endpoint_url: "opc.tcp://plant:4840".to_owned(),
                    application_uri: String::new(),
                },
                fields: (0..fields(writer)).map(field).collect(),
                ..DataSetMetaData::default()
            };
            // All on one partition first, so that ids follow writers.
            let body =
                uadp::encode_meta_data(&PublisherId::from("edge0"), 1, &description, &Limits::default());
            for edge in 0..EDGES {
                let body = body.clone().unwrap_or_default();
                self.append(log, edge, properties::KIND_METADATA, body, self.start());
            }
        }
    }

    fn append(&mut self, log: &MemoryLog, edge: u32, kind: &str, body: Vec<u8>, enqueued: DateTime) {
        let Some(state) = self.edges.get_mut(edge as usize) else { return };
        let id = MessageId { producer: format!("edge{edge}"), epoch: 1, sequence: state.sequence };
        state.sequence += 1;
        log.append(
            edge,
            DeviceMessage {
                device: format!("edge{edge}"),
                module: None,
                enqueued,
                system: vec![
                    (properties::MESSAGE_ID.to_owned(), id.to_string()),
                    (properties::CONTENT_TYPE.to_owned(), properties::UADP.to_owned()),
                ],
                properties: vec![(properties::KIND.to_owned(), kind.to_owned())],
                body: body.into(),
            },
        );
    }

    /// Appends the messages of one day; returns how many values they hold.
    pub(crate) fn day(&mut self, log: &MemoryLog, day: i64) -> u64 {
        let mut values = 0;
        let mut fast = SampleBatch::new(WriterKey { group: 1, writer: 1 }, VERSION);
        for step in 0..8_640 {
            let second = day * 86_400 + step * 10;
            for field in 0..10 {
                let sample = self.sample(1, field, second);
                fast.samples.push(sample);
            }
            if step % 10 == 9 {
                values += self.send(log, &fast, second);
                fast.samples.clear();
            }
            if step % 360 == 359 {
                for writer in 2..=WRITERS {
                    let mut slow = SampleBatch::new(WriterKey { group: 1, writer }, VERSION);
                    for field in 0..fields(writer) {
                        let within = self.rng.below(3_600) as i64;
                        let sample = self.sample(writer, field, second - within);
                        slow.samples.push(sample);
                    }
                    values += self.send(log, &slow, second);
                }
            }
        }
        values
    }

    fn sample(&mut self, writer: u16, field: u16, second: i64) -> Sample {
        let step = (self.rng.below(201) as f64 - 100.0) / 100.0;
        let index = usize::from(writer) * 100 + usize::from(field);
        let value = self.values.get_mut(index).map_or(0.0, |value| {
            *value = ((*value + step) * 100.0).round() / 100.0;
            *value
        });
        let millisecond = self.rng.below(1_000) as i64 * 10_000;
        let odd = if self.both { self.rng.below(10_000) as i64 } else { 0 };
        let time = self.start().saturating_add_ticks(second * SECOND + millisecond + odd);
        let late = self.rng.below(50_000) as i64;
        Sample {
            field,
            status: if self.rng.one_in(1_000) { StatusCode(0x8005_0000) } else { StatusCode::GOOD },
            source_timestamp: Some(time),
            server_timestamp: self.both.then(|| time.saturating_add_ticks(late)),
            value: Value::Double(value),
            ..Sample::default()
        }
    }

    fn send(&mut self, log: &MemoryLog, batch: &SampleBatch, second: i64) -> u64 {
        let edge = u32::from(batch.writer.writer) % EDGES;
        let jitter = self.rng.below(50 * 10_000) as i64;
        let enqueued = self.start().saturating_add_ticks((second + 1) * SECOND + jitter);
        let outcomes = match self.edges.get_mut(edge as usize) {
            Some(edge) => edge.encoder.encode([batch]),
            None => Vec::new(),
        };
        for outcome in outcomes {
            if let Outcome::Payload(payload) = outcome {
                self.append(log, edge, properties::KIND_DATA, payload.bytes, enqueued);
            }
        }
        batch.samples.len() as u64
    }
}
