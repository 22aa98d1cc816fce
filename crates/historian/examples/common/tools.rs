//! What the measurements share: figures of this process, an edge that numbers its messages, descriptions.

use gemba_api::docs::Audit;
use gemba_api::log::properties;
use gemba_api::{DeviceMessage, DocStore, Document, Etag, StoreError, Write};
use gemba_model::{
    BuiltInType, ConfigurationVersion, DataSetMetaData, DataSetSource, DateTime, FieldMetaData, Guid,
    MessageId, NodeId, SampleBatch, WriterKey,
};
use gemba_pubsub::{Limits, Outcome, PublisherId, uadp};
use std::collections::BTreeMap;
use std::fs;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

/// The version of all descriptions.
pub(crate) const VERSION: ConfigurationVersion = ConfigurationVersion { major: 1, minor: 1 };

/// MB of a line of `/proc/self/status`: `VmRSS` now, `VmHWM` at most.
pub(crate) fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// CPU seconds of this process so far.
pub(crate) fn cpu() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    // User and system time in ticks of 10 ms.
    fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// A device with its numbers.
pub(crate) struct Edge {
    name: String,
    sequence: u64,
    encoder: uadp::Encoder,
}

impl Edge {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let encoder = uadp::Encoder::new(PublisherId::from(name.clone()), Limits::default());
        Self { name, sequence: 0, encoder }
    }

    fn message(&mut self, kind: &str, body: Vec<u8>, enqueued: DateTime) -> DeviceMessage {
        let id = MessageId { producer: self.name.clone(), epoch: 1, sequence: self.sequence };
        self.sequence += 1;
        DeviceMessage {
            device: self.name.clone(),
            module: None,
            enqueued,
            system: vec![
                (properties::MESSAGE_ID.to_owned(), id.to_string()),
                (properties::CONTENT_TYPE.to_owned(), properties::UADP.to_owned()),
            ],
            properties: vec![(properties::KIND.to_owned(), kind.to_owned())],
            body: body.into(),
        }
    }

    /// The description of a data set.
    pub(crate) fn announce(&mut self, description: &DataSetMetaData, enqueued: DateTime) -> DeviceMessage {
        let publisher = PublisherId::from(self.name.clone());
        let limits = Limits { max_message_bytes: usize::MAX, ..Limits::default() };
        let body = uadp::encode_meta_data(&publisher, 1, description, &limits).unwrap_or_default();
        self.message(properties::KIND_METADATA, body, enqueued)
    }

    /// The messages of some batches.
    pub(crate) fn data<'a>(
        &mut self,
        batches: impl IntoIterator<Item = &'a SampleBatch>,
        enqueued: DateTime,
    ) -> Vec<DeviceMessage> {
        let outcomes = self.encoder.encode(batches);
        let payloads = outcomes.into_iter().filter_map(|outcome| match outcome {
            Outcome::Payload(payload) => Some(payload.bytes),
            Outcome::Refused(_) => None,
        });
        let payloads: Vec<Vec<u8>> = payloads.collect();
        payloads.into_iter().map(|bytes| self.message(properties::KIND_DATA, bytes, enqueued)).collect()
    }
}

/// A data set of doubles whose fields are called `<field><index>`, and their nodes `<node><index>`.
pub(crate) fn description(
    writer: u16,
    fields: u64,
    source: DataSetSource,
    (field, node): (&str, &str),
) -> DataSetMetaData {
    let describe = |index: u64| FieldMetaData {
        name: format!("{field}{index}"),
        data_set_field_id: Guid::default(),
        built_in_type: BuiltInType::Double,
        value_rank: -1,
        node_id: NodeId::string(2, format!("{node}{index}")).into(),
        attribute_id: 13,
        unit: String::new(),
    };
    DataSetMetaData {
        writer: WriterKey { group: 1, writer },
        version: VERSION,
        source,
        fields: (0..fields).map(describe).collect(),
        ..DataSetMetaData::default()
    }
}

/// Documents as texts, as a database keeps them: what the historian itself takes of memory is seen beside them.
#[derive(Default)]
pub(crate) struct TextDocs(Mutex<BTreeMap<(&'static str, String), Box<str>>>);

impl DocStore for TextDocs {
    fn get(&self, collection: &'static str, key: &str) -> Result<Option<Document>, StoreError> {
        let documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(documents.get(&(collection, key.to_owned())).map(|text| document(key, text)))
    }

    fn list(
        &self,
        collection: &'static str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        let documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let start = match after {
            Some(after) => Bound::Excluded((collection, after.to_owned())),
            None => Bound::Included((collection, prefix.to_owned())),
        };
        let found = documents.range((start, Bound::Unbounded)).take(limit);
        let found = found.take_while(|((name, key), _)| *name == collection && key.starts_with(prefix));
        Ok(found.map(|((_, key), text)| document(key, text)).collect())
    }

    fn write(&self, writes: Vec<Write>, _audit: Option<Audit>) -> Result<Vec<Etag>, StoreError> {
        let mut documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let etags = writes.iter().map(|_| Etag(1)).collect();
        for write in writes {
            match write {
                Write::Put { collection, key, value, .. } => {
                    documents.insert((collection, key), value.to_string().into());
                }
                Write::Delete { collection, key, .. } => drop(documents.remove(&(collection, key))),
            }
        }
        Ok(etags)
    }
}

fn document(key: &str, text: &str) -> Document {
    Document { key: key.to_owned(), etag: Etag(1), value: serde_json::from_str(text).unwrap_or_default() }
}
