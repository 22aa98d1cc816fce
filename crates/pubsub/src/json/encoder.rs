//! From samples to JSON NetworkMessages within a limit of bytes.

use super::{write_text, write_value};
use crate::layers::Layers;
use crate::payload::Outcomes;
use crate::{Limits, Outcome, Payload, PublisherId, Refusal, RefusedSample};
use gemba_model::{DataSetMetaData, Sample, SampleBatch, WriterKey};
use std::collections::HashMap;

/// Ends the payload and the DataSetMessage.
const DATA_SET_MESSAGE_END: &[u8] = b"}}";
/// Ends the list of DataSetMessages and the NetworkMessage.
const MESSAGE_END: &[u8] = b"]}";

/// Writes batches as NetworkMessages: push batches with their descriptions, flush, and take the outcomes.
///
/// Batches of one writer group share messages; order and repeated fields are as in [`crate::uadp::Encoder`].
/// Of the limits only `max_message_bytes` applies. Sequence numbers start at 0 with the encoder and wrap at 32
/// bits. A message's id is the prefix, a dash and a number from 0.
pub struct Encoder {
    publisher_id: String,
    message_id_prefix: String,
    next_message: u64,
    limits: Limits,
    layers: Layers,
    writer_sequence: HashMap<WriterKey, u32>,
    message: OpenMessage,
    /// One field of a payload, before it is known which message has room for it.
    piece: Vec<u8>,
    outcomes: Outcomes,
}

#[derive(Default)]
struct OpenMessage {
    group: u16,
    group_name: String,
    text: Vec<u8>,
    data_set_messages: u32,
    values: u32,
    /// Whether the last DataSetMessage still takes fields.
    open: bool,
}

impl Encoder {
    /// An encoder with its numbers at 0. The prefix must differ after every restart, or ids come twice.
    pub fn new(publisher_id: &PublisherId, message_id_prefix: &str, limits: Limits) -> Self {
        Self {
            publisher_id: publisher_id.to_string(),
            message_id_prefix: message_id_prefix.to_owned(),
            next_message: 0,
            limits,
            layers: Layers::default(),
            writer_sequence: HashMap::new(),
            message: OpenMessage::default(),
            piece: Vec::new(),
            outcomes: Outcomes::new(),
        }
    }

    /// Writes a batch that follows this description. Finished messages wait for [`Self::next_outcome`]; the last
    /// one stays open for more.
    pub fn push(&mut self, batch: &SampleBatch, data_set: &DataSetMetaData) {
        let mut layers = std::mem::take(&mut self.layers);
        let count = layers.arrange(&batch.samples);
        if count < 2 {
            for sample in &batch.samples {
                self.add(batch, data_set, sample);
            }
            self.close_data_set_message();
        } else {
            for layer in 0..count {
                for sample in layers.layer(layer).iter().filter_map(|place| batch.samples.get(*place)) {
                    self.add(batch, data_set, sample);
                }
                self.close_data_set_message();
            }
        }
        self.layers = layers;
    }

    /// Finishes the open message.
    pub fn flush(&mut self) {
        self.close_message();
    }

    /// The next finished message or refused sample, in the order in which they came to be.
    pub fn next_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    /// Pushes all batches, flushes, and returns all outcomes.
    pub fn encode<'a>(
        &mut self,
        batches: impl IntoIterator<Item = (&'a SampleBatch, &'a DataSetMetaData)>,
    ) -> Vec<Outcome> {
        for (batch, data_set) in batches {
            self.push(batch, data_set);
        }
        self.flush();
        self.outcomes.drain(..).collect()
    }

    fn add(&mut self, batch: &SampleBatch, data_set: &DataSetMetaData, sample: &Sample) {
        let Some(field) = data_set.fields.get(usize::from(sample.field)) else {
            return self.refuse(batch, sample, Refusal::NoSuchField);
        };
        let mut piece = std::mem::take(&mut self.piece);
        piece.clear();
        write_text::text(&mut piece, &field.name);
        piece.push(b':');
        match write_value::data_value(&mut piece, batch, sample) {
            Ok(()) => self.place(batch, data_set, sample, &piece),
            Err(error) => self.refuse(batch, sample, Refusal::NotAVariant(error)),
        }
        self.piece = piece;
    }

    /// Puts a written field into the open DataSetMessage, else into a new one, else into a new NetworkMessage.
    fn place(&mut self, batch: &SampleBatch, data_set: &DataSetMetaData, sample: &Sample, piece: &[u8]) {
        let ends = DATA_SET_MESSAGE_END.len() + MESSAGE_END.len();
        let limit = self.limits.max_message_bytes;
        if self.message.open && self.message.text.len() + 1 + piece.len() + ends <= limit {
            self.message.text.push(b',');
            return self.append(piece);
        }
        let sequence = self.writer_sequence.get(&batch.writer).copied().unwrap_or_default();
        let data_set_message = data_set_message_begin(batch, sequence);
        let need = data_set_message.len() + piece.len() + ends;
        let fresh = self.message_begin(data_set);
        if fresh.len() + need > limit {
            return self.refuse(batch, sample, Refusal::Oversized { size: fresh.len() + need, limit });
        }
        self.close_data_set_message();
        let message = &mut self.message;
        let same_group =
            message.group == batch.writer.group && message.group_name == data_set.writer_group_name;
        if message.data_set_messages > 0 && same_group && message.text.len() + 1 + need <= limit {
            message.text.push(b',');
        } else {
            self.close_message();
            self.message.text = fresh;
            self.message.group = batch.writer.group;
            self.message.group_name.clone_from(&data_set.writer_group_name);
        }
        self.message.text.extend_from_slice(&data_set_message);
        self.message.data_set_messages += 1;
        self.message.open = true;
        self.writer_sequence.insert(batch.writer, sequence.wrapping_add(1));
        self.append(piece);
    }

    fn append(&mut self, piece: &[u8]) {
        self.message.text.extend_from_slice(piece);
        self.message.values += 1;
    }

    fn refuse(&mut self, batch: &SampleBatch, sample: &Sample, reason: Refusal) {
        let refused = RefusedSample { writer: batch.writer, field: sample.field, reason };
        self.outcomes.push_back(Outcome::Refused(refused));
    }

    /// A message's text up to its first DataSetMessage.
    fn message_begin(&self, data_set: &DataSetMetaData) -> Vec<u8> {
        let mut text = b"{\"MessageId\":".to_vec();
        // A message that is open has the number before.
        let number = self.next_message + u64::from(self.message.data_set_messages > 0);
        write_text::text(&mut text, &format!("{}-{number}", self.message_id_prefix));
        text.extend_from_slice(b",\"MessageType\":\"ua-data\",\"PublisherId\":");
        write_text::text(&mut text, &self.publisher_id);
        if !data_set.writer_group_name.is_empty() {
            text.extend_from_slice(b",\"WriterGroupName\":");
            write_text::text(&mut text, &data_set.writer_group_name);
        }
        text.extend_from_slice(b",\"Messages\":[");
        text
    }

    fn close_data_set_message(&mut self) {
        if std::mem::take(&mut self.message.open) {
            self.message.text.extend_from_slice(DATA_SET_MESSAGE_END);
        }
    }

    fn close_message(&mut self) {
        self.close_data_set_message();
        let message = std::mem::take(&mut self.message);
        if message.data_set_messages == 0 {
            return;
        }
        self.next_message += 1;
        let mut bytes = message.text;
        bytes.extend_from_slice(MESSAGE_END);
        self.outcomes.push_back(Outcome::Payload(Payload {
            bytes,
            group: message.group,
            data_set_messages: message.data_set_messages,
            values: message.values,
        }));
    }
}

/// A DataSetMessage's text up to the first field.
fn data_set_message_begin(batch: &SampleBatch, sequence: u32) -> Vec<u8> {
    format!(
        "{{\"DataSetWriterId\":{},\"SequenceNumber\":{sequence},\
         \"MetaDataVersion\":{{\"MajorVersion\":{},\"MinorVersion\":{}}},\
         \"MessageType\":\"ua-deltaframe\",\"Payload\":{{",
        batch.writer.writer, batch.version.major, batch.version.minor
    )
    .into_bytes()
}
