//! The hub's durable log of device messages, as its consumers see it.

use crate::BoxFuture;
use bytes::Bytes;
use gemba_model::{DateTime, ErrorCode};

/// One message from a device, as accepted by the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceMessage {
    /// Who sent it; authenticated by the hub.
    pub device: String,
    /// The module of the device, if it was one.
    pub module: Option<String>,
    /// When the hub took it.
    pub enqueued: DateTime,
    /// System properties without their prefix on any wire, in order: `message-id` (`$.mid`),
    /// `correlation-id` (`$.cid`), `user-id` (`$.uid`), `content-type` (`$.ct`), `content-encoding` (`$.ce`),
    /// `output-name` (`$.on`), …
    pub system: Vec<(String, String)>,
    /// Application properties, in order.
    pub properties: Vec<(String, String)>,
    /// The payload. At most 256 KiB.
    pub body: Bytes,
}

impl DeviceMessage {
    /// The application property of this name.
    pub fn property(&self, name: &str) -> Option<&str> {
        find(&self.properties, name)
    }

    /// How many values it says it holds; 0 when it says nothing.
    pub fn values(&self) -> u64 {
        self.property(properties::VALUES).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The system property of this name.
    pub fn system_property(&self, name: &str) -> Option<&str> {
        find(&self.system, name)
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Names of the properties and values that Gemba's own messages carry.
pub mod properties {
    /// Which kind of message; absent means data.
    pub const KIND: &str = "gemba-kind";
    /// Data set messages.
    pub const KIND_DATA: &str = "data";
    /// Descriptions.
    pub const KIND_METADATA: &str = "metadata";
    /// A gap record as JSON.
    pub const KIND_GAP: &str = "gap";
    /// A [`crate::flow::StatusMessage`] as JSON; not for the historian.
    pub const KIND_STATUS: &str = "status";
    /// How many values a data message holds, so that nobody has to decode it to count.
    pub const VALUES: &str = "gemba-values";
    /// Which start of the producer gave the message its number: 16 hexadecimal digits. The same number of another
    /// life is another message, which only a data directory does that was put back from a copy.
    pub const LIFE: &str = "gemba-life";
    /// System property with the message id.
    pub const MESSAGE_ID: &str = "message-id";
    /// System property with the content type.
    pub const CONTENT_TYPE: &str = "content-type";
    /// Content type of UADP.
    pub const UADP: &str = "application/opcua+uadp";
    /// Content type of JSON data set messages.
    pub const JSON: &str = "application/opcua+json";
}

/// A message at its place.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// Position in its partition; grows by one from entry to entry.
    pub offset: u64,
    /// The message.
    pub message: DeviceMessage,
}

/// What a read finds.
#[derive(Debug, Clone)]
pub enum LogItem {
    /// A message.
    Entry(LogEntry),
    /// Offsets `from..to` are not there any more, or are damaged.
    Missing {
        /// First missing offset.
        from: u64,
        /// First offset after the hole.
        to: u64,
        /// True when bytes are damaged; false when retention took them.
        damaged: bool,
    },
}

impl LogItem {
    /// The offset at which to go on reading.
    pub const fn next_offset(&self) -> u64 {
        match self {
            Self::Entry(entry) => entry.offset + 1,
            Self::Missing { to, .. } => *to,
        }
    }
}

/// The log could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct LogError {
    /// Page under docs/errors.
    pub code: ErrorCode,
    /// What failed, where, and what would help.
    pub detail: String,
}

/// A partitioned, durable, ordered log. Messages of one device are in one partition, in order.
pub trait EventLog: Send + Sync + 'static {
    /// Number of partitions; fixed for the life of the log.
    fn partitions(&self) -> u32;

    /// Messages from an offset on, about `bytes_max` of them (at least one message); empty at the end.
    fn read(
        &self,
        partition: u32,
        from: u64,
        bytes_max: usize,
    ) -> BoxFuture<'_, Result<Vec<LogItem>, LogError>>;

    /// Completes when there is something to read at `offset`.
    fn wait(&self, partition: u32, offset: u64) -> BoxFuture<'_, ()>;

    /// Remembers, durably, that a consumer group needs nothing below `offset` any more.
    fn commit(&self, group: &str, partition: u32, offset: u64) -> BoxFuture<'_, Result<(), LogError>>;

    /// First offset that is still there, and the offset after the last durable message.
    fn bounds(&self, partition: u32) -> (u64, u64);

    /// Whether room is short that a consumer would give back if it committed `offset` now. A consumer that
    /// gathers before it writes must ask, or a log that is smaller than what it gathers stays full.
    fn wants_commit(&self, partition: u32, offset: u64) -> bool;
}
