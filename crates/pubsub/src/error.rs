//! Why a message cannot be read, and why a description cannot be written.

use gemba_model::{ErrorCode, WriterKey, binary};

/// Why a message cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// GMB-PUB-001.
    #[error("this is not a complete UADP message: {0}; it was damaged or cut, or is in another encoding")]
    Uadp(#[from] binary::DecodeError),
    /// GMB-PUB-002.
    #[error("{what} cannot be read here; {remedy}")]
    NotSupported {
        /// What the message has.
        what: String,
        /// What to change at the publisher.
        remedy: &'static str,
    },
    /// GMB-PUB-003.
    #[error(
        "the description of writer {writer} (version {}) is not known, and its values cannot be read without; \
         let the publisher send its metadata", major_version.map_or("any".to_owned(), |major| major.to_string())
    )]
    UnknownDataSet {
        /// DataSetWriterId.
        writer: u16,
        /// The version that the message asks for.
        major_version: Option<u32>,
    },
    /// GMB-PUB-004.
    #[error(
        "{place}: the data set '{data_set}' has no field '{field}'; let the publisher send its metadata again"
    )]
    UnknownField {
        /// Where in the message.
        place: String,
        /// Name of the data set.
        data_set: String,
        /// The name that is not among its fields.
        field: String,
    },
    /// GMB-PUB-005.
    #[error("{}{reason}", if place.is_empty() { String::new() } else { format!("{place}: ") })]
    Json {
        /// Where in the message, such as `Messages[2].Payload.Speed`; empty for the message itself.
        place: String,
        /// What is wrong.
        reason: String,
    },
}

impl DecodeError {
    /// The short name of the error.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Uadp(_) => ErrorCode("GMB-PUB-001"),
            Self::NotSupported { .. } => ErrorCode("GMB-PUB-002"),
            Self::UnknownDataSet { .. } => ErrorCode("GMB-PUB-003"),
            Self::UnknownField { .. } => ErrorCode("GMB-PUB-004"),
            Self::Json { .. } => ErrorCode("GMB-PUB-005"),
        }
    }

    pub(crate) fn not_supported(what: impl Into<String>, remedy: &'static str) -> Self {
        Self::NotSupported { what: what.into(), remedy }
    }

    pub(crate) fn json(reason: impl Into<String>) -> Self {
        Self::Json { place: String::new(), reason: reason.into() }
    }

    /// The same error, found inside `outer`.
    pub(crate) fn within(self, outer: &str) -> Self {
        let joined = |inner: String| match inner.as_bytes().first() {
            None => outer.to_owned(),
            Some(b'[') => format!("{outer}{inner}"),
            Some(_) => format!("{outer}.{inner}"),
        };
        match self {
            Self::Json { place, reason } => Self::Json { place: joined(place), reason },
            Self::UnknownField { place, data_set, field } => {
                Self::UnknownField { place: joined(place), data_set, field }
            }
            other => other,
        }
    }
}

/// Why a data set's description cannot be written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EncodeError {
    /// GMB-PUB-008.
    #[error(
        "the description of writer {writer} takes {size} bytes, {limit} fit in a message; \
         divide its {fields} fields among more writers"
    )]
    MetaDataTooLarge {
        /// Whose description.
        writer: WriterKey,
        /// Its fields.
        fields: usize,
        /// What the message would take.
        size: usize,
        /// What a message may take.
        limit: usize,
    },
    /// GMB-PUB-008.
    #[error(
        "the data set of writer {writer} has {fields} fields, 65535 is the limit; divide them among more writers"
    )]
    TooManyFields {
        /// Whose description.
        writer: WriterKey,
        /// Its fields.
        fields: usize,
    },
}

impl EncodeError {
    /// The short name of the error.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::MetaDataTooLarge { .. } | Self::TooManyFields { .. } => ErrorCode("GMB-PUB-008"),
        }
    }
}
