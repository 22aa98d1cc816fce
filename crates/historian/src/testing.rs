//! A small edge for tests: it numbers its messages and writes them as a real one does.

use gemba_api::DeviceMessage;
use gemba_api::log::properties;
use gemba_model::{
    BuiltInType, ConfigurationVersion, DataSetMetaData, DataSetSource, DateTime, FieldMetaData, GapMessage,
    GapRecord, Guid, MessageId, Sample, SampleBatch, StatusCode, Value, Variant, WriterKey,
};
use gemba_pubsub::{Limits, Outcome, PublisherId, json, uadp};

/// 2026-03-01T00:00:00Z.
pub(crate) const MARCH: i64 = 134_168_400_000_000_000 - 12 * 3_600 * 10_000_000;
pub(crate) const SECOND: i64 = 10_000_000;

pub(crate) fn at(seconds: i64) -> DateTime {
    DateTime::from_ticks(MARCH + seconds * SECOND)
}

#[derive(Debug, Clone)]
pub(crate) struct TestEdge {
    pub(crate) device: String,
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
    /// When the hub takes the next message; a second later with each.
    pub(crate) now: DateTime,
    pub(crate) is_json: bool,
    /// The start that gives the messages, if they tell.
    pub(crate) life: Option<u64>,
}

pub(crate) const WRITER: WriterKey = WriterKey { group: 1, writer: 1 };

impl TestEdge {
    pub(crate) fn new(device: &str) -> Self {
        Self { device: device.to_owned(), epoch: 0xE, sequence: 0, now: at(0), is_json: false, life: None }
    }

    fn message(&mut self, kind: &str, body: Vec<u8>) -> DeviceMessage {
        let id = MessageId { producer: self.device.clone(), epoch: self.epoch, sequence: self.sequence };
        self.sequence += 1;
        self.now = self.now.saturating_add_ticks(SECOND);
        let life = self.life.map(|life| (properties::LIFE.to_owned(), format!("{life:016x}")));
        let content_type = if self.is_json { properties::JSON } else { properties::UADP };
        DeviceMessage {
            device: self.device.clone(),
            module: None,
            enqueued: self.now,
            system: vec![
                (properties::MESSAGE_ID.to_owned(), id.to_string()),
                (properties::CONTENT_TYPE.to_owned(), content_type.to_owned()),
            ],
            properties: [(properties::KIND.to_owned(), kind.to_owned())].into_iter().chain(life).collect(),
            body: body.into(),
        }
    }

    /// A description with these fields, named `f0`, `f1` … on nodes `nsu=urn:<device>;s=f0` …
    pub(crate) fn description(&self, writer: WriterKey, version: u32, fields: usize) -> DataSetMetaData {
        let field = |index: usize| FieldMetaData {
            name: format!("f{index}"),
            data_set_field_id: Guid::default(),
            built_in_type: BuiltInType::Variant,
            value_rank: -2,
            node_id: format!("nsu=urn:{};s=w{}.f{index}", self.device, writer.writer)
                .parse()
                .expect("parses"),
            attribute_id: 13,
            unit: "bar".to_owned(),
        };
        DataSetMetaData {
            writer,
            writer_group_name: format!("group{}", writer.group),
            writer_name: format!("writer{}", writer.writer),
            name: "data".to_owned(),
            version: ConfigurationVersion { major: version, minor: version },
            source: DataSetSource {
                endpoint_url: format!("opc.tcp://{}:4840", self.device),
                application_uri: format!("urn:{}", self.device),
            },
            fields: (0..fields).map(field).collect(),
            ..DataSetMetaData::default()
        }
    }

    pub(crate) fn metadata(&mut self, description: &DataSetMetaData) -> DeviceMessage {
        let publisher = PublisherId::from(self.device.as_str());
        let limits = Limits::default();
        let body = if self.is_json {
            json::encode_meta_data(&publisher, "m", self.now, description, &limits)
        } else {
            uadp::encode_meta_data(&publisher, 1, description, &limits)
        };
        self.message(properties::KIND_METADATA, body.expect("fits"))
    }

    pub(crate) fn data(&mut self, description: &DataSetMetaData, batch: &SampleBatch) -> DeviceMessage {
        let publisher = PublisherId::from(self.device.as_str());
        let outcomes = if self.is_json {
            let mut encoder = json::Encoder::new(&publisher, "m", Limits::default());
            encoder.push(batch, description);
            encoder.flush();
            std::iter::from_fn(|| encoder.next_outcome()).collect()
        } else {
            uadp::Encoder::new(publisher, Limits::default()).encode([batch])
        };
        match <[Outcome; 1]>::try_from(outcomes) {
            Ok([Outcome::Payload(payload)]) => self.message(properties::KIND_DATA, payload.bytes),
            Ok(_) => panic!("a sample was refused"),
            Err(outcomes) => panic!("one message expected, not {}", outcomes.len()),
        }
    }

    #[allow(dead_code)] // One of the two test binaries that share this file does without.
    pub(crate) fn gap(&mut self, record: &GapRecord) -> DeviceMessage {
        self.gap_message(&GapMessage::from(record.clone()))
    }

    pub(crate) fn gap_message(&mut self, gap: &GapMessage) -> DeviceMessage {
        let body = serde_json::to_vec(gap).expect("is JSON");
        self.message(properties::KIND_GAP, body)
    }
}

/// A batch of one writer under construction.
#[derive(Debug, Clone)]
pub(crate) struct Batch(pub(crate) SampleBatch);

impl Batch {
    pub(crate) fn of(description: &DataSetMetaData) -> Self {
        Self(SampleBatch::new(description.writer, description.version))
    }

    /// A Good Double with a source time.
    pub(crate) fn value(self, field: u16, seconds: i64, value: f64) -> Self {
        self.sample(field, Some(at(seconds)), None, StatusCode::GOOD, &Variant::Double(value))
    }

    pub(crate) fn sample(
        mut self,
        field: u16,
        source_timestamp: Option<DateTime>,
        server_timestamp: Option<DateTime>,
        status: StatusCode,
        variant: &Variant,
    ) -> Self {
        let value: Value = self.0.store(variant);
        self.0.samples.push(Sample {
            field,
            status,
            source_timestamp,
            server_timestamp,
            value,
            ..Sample::default()
        });
        self
    }
}
