//! What an encoder yields, and the limits that it keeps.

use gemba_model::{ErrorCode, WriterKey, binary};
use std::collections::VecDeque;

/// How large messages may become. The types keep the limits of the format itself (OPC 10000-14 v1.05, A.2
/// and 7.2.4.4); a limit of 0 counts as 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of a NetworkMessage. 250 KiB by default: an IoT hub takes 256 KiB with all properties.
    pub max_message_bytes: usize,
    /// DataSetMessages in a UADP NetworkMessage; their count is one byte on the wire.
    pub max_data_set_messages: u8,
    /// Bytes of a UADP DataSetMessage that shares its NetworkMessage with others; a lone one may be larger.
    pub max_data_set_message_bytes: u16,
    /// Fields in a DataSetMessage.
    pub max_fields: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: 250 * 1024,
            max_data_set_messages: u8::MAX,
            max_data_set_message_bytes: u16::MAX,
            max_fields: u16::MAX,
        }
    }
}

/// A finished NetworkMessage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payload {
    /// The message.
    pub bytes: Vec<u8>,
    /// The WriterGroupId of all its writers.
    pub group: u16,
    /// How many DataSetMessages it holds.
    pub data_set_messages: u32,
    /// How many samples it holds.
    pub values: u32,
}

/// Why a sample is in no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// GMB-PUB-006.
    #[error(
        "alone in a message it takes {size} bytes, {limit} are allowed; raise the limit or publish parts of the value"
    )]
    Oversized {
        /// Bytes of a message that holds nothing else.
        size: usize,
        /// Bytes that a message may have.
        limit: usize,
    },
    /// GMB-PUB-007.
    #[error("its encoded bytes are not a value: {0}")]
    NotAVariant(binary::DecodeError),
    /// GMB-PUB-007.
    #[error("the data set's description has no such field")]
    NoSuchField,
}

/// A sample that no message carries; the caller must account for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a value of field {field} of writer {writer} cannot be published: {reason}")]
pub struct RefusedSample {
    /// Whose sample.
    pub writer: WriterKey,
    /// Its field.
    pub field: u16,
    /// Why.
    pub reason: Refusal,
}

impl RefusedSample {
    /// The short name of the error.
    pub const fn code(&self) -> ErrorCode {
        match self.reason {
            Refusal::Oversized { .. } => ErrorCode("GMB-PUB-006"),
            Refusal::NotAVariant(_) | Refusal::NoSuchField => ErrorCode("GMB-PUB-007"),
        }
    }
}

/// What became of samples: each is in exactly one payload, or refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// A finished message.
    Payload(Payload),
    /// A sample that is in none.
    Refused(RefusedSample),
}

/// Outcomes that wait to be fetched; as many as the batches pushed since the last fetch made.
pub(crate) type Outcomes = VecDeque<Outcome>;
