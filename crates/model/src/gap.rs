//! What is missing, and why: the records that make completeness provable.

use crate::{DateTime, WriterKey};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why values are missing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapReason {
    /// The server's own queue for an item overflowed (overflow bit).
    Overflow,
    /// A message of the producer never came, though a later one did.
    SequenceGap,
    /// The connection to the server was lost, and what it kept could not be fetched.
    Disconnection,
    /// The server was restarted or forgot the subscription.
    ServerRestart,
    /// The edge was restarted, and what the server kept for it could not be fetched.
    EdgeRestart,
    /// A bounded queue dropped its oldest entries.
    Drop,
    /// A message came whose description (metadata) is not known.
    MissingMetadata,
    /// Stored bytes were damaged.
    Corruption,
    /// A hop can never take the values, whatever is waited for: a message beyond every size, a broken contract.
    Rejected,
}

impl GapReason {
    /// The reason as it is written in APIs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overflow => "overflow",
            Self::SequenceGap => "sequence-gap",
            Self::Disconnection => "disconnection",
            Self::ServerRestart => "server-restart",
            Self::EdgeRestart => "edge-restart",
            Self::Drop => "drop",
            Self::MissingMetadata => "missing-metadata",
            Self::Corruption => "corruption",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which part of the chain lost the values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hop {
    /// OPC UA server to publisher.
    Field,
    /// The edge's own queue.
    Edge,
    /// The hub and its log.
    Hub,
    /// The historian and its files.
    Store,
}

impl Hop {
    /// The hop as it is written in APIs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Field => "field",
            Self::Edge => "edge",
            Self::Hub => "hub",
            Self::Store => "store",
        }
    }
}

/// What a gap is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapScope {
    /// All writers of the producer.
    Producer,
    /// Fields of one writer; no list means all of its fields.
    #[serde(rename_all = "camelCase")]
    Writer {
        /// WriterGroupId.
        group: u16,
        /// DataSetWriterId.
        writer: u16,
        /// The fields, with what is known of each.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fields: Option<Vec<FieldGap>>,
    },
}

impl GapScope {
    /// All fields of one writer.
    pub const fn writer(key: WriterKey) -> Self {
        Self::Writer { group: key.group, writer: key.writer, fields: None }
    }
}

/// One field's part of a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FieldGap {
    /// Index into the data set's fields.
    pub field: u16,
    /// How many values are missing, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Numbers `from..to` of the messages that they were in, of those that the record gives up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<(u64, u64)>,
}

/// A statement that values are missing; it travels in the producer's order, before the data after it.
///
/// A bound that is `None` is the nearest value of the series on that side: the last stored before this
/// record (`from`), the first one after it (`to`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GapRecord {
    /// Whose values.
    pub scope: GapScope,
    /// Source time after which values may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime>,
    /// Source time until which values may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime>,
    /// Why.
    pub reason: GapReason,
    /// Where.
    pub hop: Hop,
    /// How many values in all, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// A gap record on its way, with what it says about the producer's own messages.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GapMessage {
    /// What is missing.
    #[serde(flatten)]
    pub record: GapRecord,
    /// Numbers `from..to` of messages that will never come because of it: their absence has no other cause.
    /// What came of them nevertheless is not missing. A record without bounds gives the cause alone: the holes that
    /// these numbers left have the bounds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<(u64, u64)>,
    /// Numbers under which the same record may have come before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<u64>,
    /// The starts of the producer that gave these messages, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts: Vec<ProducerStart>,
    /// Which one it is of several that account for these messages together; absent: it does so alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

/// One of several records of the same loss.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Part {
    /// From 1 on.
    pub number: u32,
    /// How many they are.
    pub of: u32,
}

/// One start of a producer, and from which number on it gave messages. When something of these numbers came from
/// another start, the producer was put back to an older state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProducerStart {
    /// As in the property `gemba-life` of its messages, as a number.
    pub life: u64,
    /// The first of the numbers.
    pub first: u64,
}

impl From<GapRecord> for GapMessage {
    fn from(record: GapRecord) -> Self {
        Self { record, messages: Vec::new(), again: Vec::new(), starts: Vec::new(), part: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap_of_bytes(bytes: &[u8]) {
        let Ok(gap) = serde_json::from_slice::<GapRecord>(bytes) else { return };
        let text = serde_json::to_vec(&gap).expect("is written");
        assert_eq!(serde_json::from_slice::<GapRecord>(&text).ok(), Some(gap));
    }

    #[test]
    fn fuzz_gap_record() {
        let words =
            ["\"fields\":", "null", "\"reason\":\"overflow\"", "9999-12-31T23:59:59.9999999Z", "ticks:-1"];
        gemba_testkit::fuzz::Target::new("model-gap-record", gap_of_bytes).words(words).run();
    }
}
