//! From samples to UADP NetworkMessages within limits.

use super::{
    UADP_VERSION, data_set_flags_1, data_set_flags_2, extended_flags_1, group_flags, header, uadp_flags,
    value,
};
use crate::layers::Layers;
use crate::payload::Outcomes;
use crate::{Limits, Outcome, Payload, PublisherId, Refusal, RefusedSample};
use gemba_model::{DateTime, Sample, SampleBatch, WriterKey};
use std::collections::HashMap;

/// Flags, sequence number, both versions and the field count.
const DATA_SET_MESSAGE_HEADER_BYTES: usize = 14;

/// Writes batches as NetworkMessages: push batches, flush, and take the outcomes.
///
/// Batches of one writer group share messages. The values of one field keep their order over all messages;
/// a field that comes more than once in a batch goes on in further DataSetMessages. Sequence numbers start at 0
/// with the encoder and wrap at 16 bits, as the standard has it: they are for other readers, not for accounting.
pub struct Encoder {
    publisher_id: PublisherId,
    limits: Limits,
    timestamp: Option<DateTime>,
    layers: Layers,
    group_sequence: HashMap<u16, u16>,
    writer_sequence: HashMap<WriterKey, u16>,
    message: OpenMessage,
    outcomes: Outcomes,
}

/// The NetworkMessage being filled: its DataSetMessages, before the headers that depend on their number.
#[derive(Default)]
struct OpenMessage {
    group: u16,
    writers: Vec<u16>,
    sizes: Vec<u16>,
    body: Vec<u8>,
    values: u32,
    /// The only DataSetMessage is larger than one among several may be.
    full: bool,
    current: Option<OpenDataSetMessage>,
}

/// The DataSetMessage at the end of the body.
struct OpenDataSetMessage {
    start: usize,
    fields: u16,
    fields_left: u16,
    bytes_left: usize,
}

impl Encoder {
    /// An encoder with its sequence numbers at 0.
    pub fn new(publisher_id: PublisherId, limits: Limits) -> Self {
        let limits = Limits {
            max_data_set_messages: limits.max_data_set_messages.max(1),
            max_fields: limits.max_fields.max(1),
            ..limits
        };
        Self {
            publisher_id,
            limits,
            timestamp: None,
            layers: Layers::default(),
            group_sequence: HashMap::new(),
            writer_sequence: HashMap::new(),
            message: OpenMessage::default(),
            outcomes: Outcomes::new(),
        }
    }

    /// The timestamp of NetworkMessages begun from now on; `None`, the default, writes none.
    pub fn set_timestamp(&mut self, timestamp: Option<DateTime>) {
        self.close_message();
        self.timestamp = timestamp;
    }

    /// Writes a batch. Finished messages wait for [`Self::next_outcome`]; the last one stays open for more.
    pub fn push(&mut self, batch: &SampleBatch) {
        let mut layers = std::mem::take(&mut self.layers);
        let count = layers.arrange(&batch.samples);
        if count < 2 {
            for sample in &batch.samples {
                self.add(batch, sample);
            }
            self.close_data_set_message();
        } else {
            for layer in 0..count {
                for sample in layers.layer(layer).iter().filter_map(|place| batch.samples.get(*place)) {
                    self.add(batch, sample);
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
    pub fn encode<'a>(&mut self, batches: impl IntoIterator<Item = &'a SampleBatch>) -> Vec<Outcome> {
        for batch in batches {
            self.push(batch);
        }
        self.flush();
        self.outcomes.drain(..).collect()
    }

    fn add(&mut self, batch: &SampleBatch, sample: &Sample) {
        // The field's index and its DataValue.
        let size = match value::data_value_size(batch, sample) {
            Ok(size) => 2 + size,
            Err(error) => return self.refuse(batch, sample, Refusal::NotAVariant(error)),
        };
        let fits = |current: &OpenDataSetMessage| current.fields_left > 0 && current.bytes_left >= size;
        if !self.message.current.as_ref().is_some_and(fits) {
            let (alone, limit) = (self.bytes_alone(size), self.limits.max_message_bytes);
            if alone > limit {
                return self.refuse(batch, sample, Refusal::Oversized { size: alone, limit });
            }
            self.close_data_set_message();
            self.open_data_set_message(batch, size);
        }
        if let Some(current) = &mut self.message.current {
            current.fields += 1;
            current.fields_left -= 1;
            current.bytes_left -= size;
            self.message.values += 1;
            self.message.body.extend_from_slice(&sample.field.to_le_bytes());
            value::write_data_value(batch, sample, &mut self.message.body);
        }
    }

    fn refuse(&mut self, batch: &SampleBatch, sample: &Sample, reason: Refusal) {
        let refused = RefusedSample { writer: batch.writer, field: sample.field, reason };
        self.outcomes.push_back(Outcome::Refused(refused));
    }

    /// Bytes before the DataSetMessages when there are `count` of them.
    fn header_bytes(&self, count: usize) -> usize {
        let sizes = if count > 1 { 2 * count } else { 0 };
        let timestamp = if self.timestamp.is_some() { 8 } else { 0 };
        2 + header::publisher_id_bytes(&self.publisher_id) + 5 + 1 + 2 * count + timestamp + sizes
    }

    /// Bytes of a message that holds one sample of `size` bytes and nothing else.
    fn bytes_alone(&self, size: usize) -> usize {
        self.header_bytes(1) + DATA_SET_MESSAGE_HEADER_BYTES + size
    }

    /// Begins a DataSetMessage with room for `size` bytes, in the open message if possible, else in a new one,
    /// which is known to have that room.
    fn open_data_set_message(&mut self, batch: &SampleBatch, size: usize) {
        let need = DATA_SET_MESSAGE_HEADER_BYTES + size;
        let count = self.message.writers.len();
        let shared_max = usize::from(self.limits.max_data_set_message_bytes);
        let used = self.header_bytes(count + 1) + self.message.body.len();
        let shares = count > 0
            && !self.message.full
            && self.message.group == batch.writer.group
            && count < usize::from(self.limits.max_data_set_messages)
            && need <= shared_max
            && used + need <= self.limits.max_message_bytes;
        if shares {
            let room = shared_max.min(self.limits.max_message_bytes - used);
            self.begin_data_set_message(batch, room - DATA_SET_MESSAGE_HEADER_BYTES);
        } else {
            self.close_message();
            self.begin_data_set_message(batch, self.limits.max_message_bytes - self.bytes_alone(0));
        }
    }

    fn begin_data_set_message(&mut self, batch: &SampleBatch, bytes_left: usize) {
        use data_set_flags_1 as flags;
        const FLAGS: u8 = flags::VALID
            | flags::DATA_VALUE
            | flags::SEQUENCE_NUMBER
            | flags::MAJOR_VERSION
            | flags::MINOR_VERSION
            | flags::DATA_SET_FLAGS_2;
        let sequence = next(self.writer_sequence.entry(batch.writer).or_default());
        let message = &mut self.message;
        message.group = batch.writer.group;
        message.writers.push(batch.writer.writer);
        let start = message.body.len();
        let fields_left = self.limits.max_fields;
        message.current = Some(OpenDataSetMessage { start, fields: 0, fields_left, bytes_left });
        message.body.extend_from_slice(&[FLAGS, data_set_flags_2::DELTA_FRAME]);
        message.body.extend_from_slice(&sequence.to_le_bytes());
        message.body.extend_from_slice(&batch.version.major.to_le_bytes());
        message.body.extend_from_slice(&batch.version.minor.to_le_bytes());
        // The field count, known when the DataSetMessage closes.
        message.body.extend_from_slice(&[0; 2]);
    }

    fn close_data_set_message(&mut self) {
        let message = &mut self.message;
        let Some(current) = message.current.take() else { return };
        let count_at = current.start + DATA_SET_MESSAGE_HEADER_BYTES - 2;
        if let Some(count) = message.body.get_mut(count_at..count_at + 2) {
            count.copy_from_slice(&current.fields.to_le_bytes());
        }
        let size = message.body.len() - current.start;
        message.full = size > usize::from(self.limits.max_data_set_message_bytes);
        // Never written for a lone message, and a larger one is always alone.
        message.sizes.push(u16::try_from(size).unwrap_or(u16::MAX));
    }

    fn close_message(&mut self) {
        self.close_data_set_message();
        if self.message.writers.is_empty() {
            return;
        }
        let mut bytes =
            Vec::with_capacity(self.header_bytes(self.message.writers.len()) + self.message.body.len());
        self.write_header(&mut bytes);
        let message = &mut self.message;
        if message.sizes.len() > 1 {
            message.sizes.iter().for_each(|size| bytes.extend_from_slice(&size.to_le_bytes()));
        }
        bytes.extend_from_slice(&message.body);
        self.outcomes.push_back(Outcome::Payload(Payload {
            bytes,
            group: message.group,
            data_set_messages: message.writers.len() as u32,
            values: message.values,
        }));
        message.writers.clear();
        message.sizes.clear();
        message.body.clear();
        message.values = 0;
        message.full = false;
    }

    fn write_header(&mut self, out: &mut Vec<u8>) {
        use uadp_flags as flags;
        let timestamp = if self.timestamp.is_some() { extended_flags_1::TIMESTAMP } else { 0 };
        out.push(
            UADP_VERSION
                | flags::PUBLISHER_ID
                | flags::GROUP_HEADER
                | flags::PAYLOAD_HEADER
                | flags::EXTENDED_FLAGS_1,
        );
        out.push(header::publisher_id_type(&self.publisher_id) | timestamp);
        header::write_publisher_id(&self.publisher_id, out);
        let sequence = next(self.group_sequence.entry(self.message.group).or_default());
        out.push(group_flags::WRITER_GROUP_ID | group_flags::SEQUENCE_NUMBER);
        out.extend_from_slice(&self.message.group.to_le_bytes());
        out.extend_from_slice(&sequence.to_le_bytes());
        out.push(self.message.writers.len() as u8);
        self.message.writers.iter().for_each(|writer| out.extend_from_slice(&writer.to_le_bytes()));
        if let Some(timestamp) = self.timestamp {
            out.extend_from_slice(&timestamp.ticks().to_le_bytes());
        }
    }
}

/// The number, which then moves on.
fn next(number: &mut u16) -> u16 {
    let now = *number;
    *number = now.wrapping_add(1);
    now
}
