//! What a decoded NetworkMessage holds, whichever encoding it came in.

use gemba_model::{
    ConfigurationVersion, DataSetMetaData, DateTime, Guid, Sample, SampleBatch, StatusCode, WriterKey,
};
use std::fmt;

/// Who publishes (OPC 10000-14 v1.05, 6.2.7.1). JSON carries every form as text, so numbers return as strings.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)] // The names are the standard's.
pub enum PublisherId {
    Byte(u8),
    UInt16(u16),
    UInt32(u32),
    UInt64(u64),
    String(String),
}

impl fmt::Display for PublisherId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(id) => id.fmt(f),
            Self::UInt16(id) => id.fmt(f),
            Self::UInt32(id) => id.fmt(f),
            Self::UInt64(id) => id.fmt(f),
            Self::String(id) => id.fmt(f),
        }
    }
}

impl From<&str> for PublisherId {
    fn from(id: &str) -> Self {
        Self::String(id.to_owned())
    }
}

impl From<String> for PublisherId {
    fn from(id: String) -> Self {
        Self::String(id)
    }
}

/// What the values of a DataSetMessage are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FrameKind {
    /// All fields of the data set, in order.
    KeyFrame,
    /// The fields that have a new value.
    #[default]
    DeltaFrame,
    /// No values: the writer lives.
    KeepAlive,
}

/// One DataSetMessage: samples of one writer.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DataSetMessage {
    /// Key frame, delta frame or keep-alive.
    pub kind: FrameKind,
    /// The writer's number of this message; UADP wraps at 16 bits, JSON at 32.
    pub sequence_number: Option<u32>,
    /// Major version of the description; when absent, the batch says 0.
    pub major_version: Option<u32>,
    /// Minor version of the description; when absent, the batch says 0.
    pub minor_version: Option<u32>,
    /// Status of the whole message; UADP carries its upper 16 bits.
    pub status: Option<StatusCode>,
    /// When the message was made.
    pub timestamp: Option<DateTime>,
    /// Picoseconds below the tick of `timestamp`, in units of 10 ps.
    pub picoseconds: u16,
    /// The samples. The group of its writer is 0 when the message does not say one.
    pub batch: SampleBatch,
}

/// What a decoder passed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Skipped {
    /// Event messages; a batch cannot hold them.
    pub events: u32,
    /// Messages that their publisher marked as not valid.
    pub invalid: u32,
}

/// A decoded NetworkMessage. A decoder reuses its buffers; take what shall outlive the next message.
#[derive(Clone, Debug, Default)]
pub struct NetworkMessage {
    /// Who published it.
    pub publisher_id: Option<PublisherId>,
    /// JSON only.
    pub message_id: Option<String>,
    /// The class of all data sets in it.
    pub data_set_class_id: Option<Guid>,
    /// UADP only.
    pub writer_group_id: Option<u16>,
    /// JSON only.
    pub writer_group_name: Option<String>,
    /// UADP only: version of the group's layout.
    pub group_version: Option<u32>,
    /// UADP only: which of the group's messages of one interval.
    pub network_message_number: Option<u16>,
    /// UADP only: the group's number of this message.
    pub sequence_number: Option<u16>,
    /// UADP only: when it was made.
    pub timestamp: Option<DateTime>,
    /// Picoseconds below the tick of `timestamp`, in units of 10 ps.
    pub picoseconds: u16,
    /// The DataSetMessages, in order.
    pub messages: Vec<DataSetMessage>,
    /// What is not among them.
    pub skipped: Skipped,
    spare: Vec<SampleBatch>,
}

/// A decoder keeps this much memory for reuse; what is beyond it is freed.
const SPARE_BYTES_MAX: usize = 16 << 20;

fn memory(batch: &SampleBatch) -> usize {
    batch.samples.capacity() * size_of::<Sample>() + batch.bytes.capacity()
}

impl NetworkMessage {
    /// Forgets the content and keeps the buffers.
    pub(crate) fn clear(&mut self) {
        let mut spare = std::mem::take(&mut self.spare);
        let mut messages = std::mem::take(&mut self.messages);
        spare.extend(messages.drain(..).map(|message| message.batch));
        let mut kept = 0_usize;
        spare.retain(|batch| {
            // An empty batch costs its own few bytes, which bounds how many there are.
            kept = kept.saturating_add(memory(batch) + size_of::<SampleBatch>());
            kept <= SPARE_BYTES_MAX
        });
        *self = Self { spare, messages, ..Self::default() };
    }

    /// An empty batch, with old buffers where there are some.
    pub(crate) fn batch(&mut self, writer: WriterKey, version: ConfigurationVersion) -> SampleBatch {
        let mut batch = self.spare.pop().unwrap_or_default();
        batch.writer = writer;
        batch.version = version;
        batch.samples.clear();
        batch.bytes.clear();
        batch
    }
}

/// The announcement of a data set's description.
#[derive(Clone, PartialEq, Debug)]
pub struct MetaDataMessage {
    /// Who published it.
    pub publisher_id: Option<PublisherId>,
    /// JSON only.
    pub message_id: Option<String>,
    /// UADP only: the publisher's number of this announcement.
    pub sequence_number: Option<u16>,
    /// JSON only: when it was made.
    pub timestamp: Option<DateTime>,
    /// Bad when the publisher could not describe the data set.
    pub status: StatusCode,
    /// The description.
    pub meta_data: DataSetMetaData,
}

/// What came.
#[derive(Debug)]
pub enum Received<'a> {
    /// Values. Batches may be taken out (`std::mem::take`) without harm to the decoder.
    Data(&'a mut NetworkMessage),
    /// A description.
    MetaData(Box<MetaDataMessage>),
}
