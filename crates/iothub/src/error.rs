//! What can be wrong with a text of this wire, for a person who has to repair it.

use gemba_model::ErrorCode;

/// A text or message that breaks the rules of the Azure IoT wire.
///
/// The texts never hold a key or a signature, so they may be logged and shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IotError {
    /// The token is not `SharedAccessSignature sr=…&sig=…&se=…`.
    #[error(
        "the SAS token is malformed: {0}; expected 'SharedAccessSignature sr=<uri>&sig=<base64>&se=<seconds>'"
    )]
    MalformedToken(&'static str),
    /// The token's time is over.
    #[error(
        "the SAS token expired at {expired} and it is {now}; sign a new one, or set the device's clock right"
    )]
    ExpiredToken {
        /// When the token ended.
        expired: gemba_model::DateTime,
        /// The verifier's clock.
        now: gemba_model::DateTime,
    },
    /// No key of the identity made this signature.
    #[error(
        "the SAS signature was made with neither the primary nor the secondary key; copy the connection string again"
    )]
    WrongSignature,
    /// The token speaks of another host, device or module.
    #[error("the SAS token is for '{found}', not for {wanted}; sign the resource that is connected to")]
    WrongResource {
        /// The resource in the token, decoded.
        found: String,
        /// What would have been right.
        wanted: String,
    },
    /// A key is not Base64 of 1 to 64 bytes.
    #[error(
        "the shared access key is not Base64 of 16 to 64 bytes; copy it again, with every '=' at its end"
    )]
    InvalidKey,
    /// A connection string cannot be read.
    #[error(
        "the connection string is invalid: {0}; expected 'HostName=<host>;DeviceId=<id>;SharedAccessKey=<key>'"
    )]
    InvalidConnectionString(String),
    /// The MQTT user name cannot be read.
    #[error("the MQTT user name is invalid: {0}; expected '<host>/<device>[/<module>]/?api-version=<date>'")]
    InvalidUserName(&'static str),
    /// The MQTT client id names no device or module, or another one than the user name.
    #[error("the MQTT client id is invalid: {0}; expected '<device>' or '<device>/<module>'")]
    InvalidClientId(String),
    /// The topic is not one that this identity may use.
    #[error("the topic '{topic}' is refused: {why}")]
    RefusedTopic {
        /// The topic, cut to 256 characters.
        topic: String,
        /// The rule that it breaks.
        why: &'static str,
    },
    /// The property bag of a topic cannot be read.
    #[error("the property bag is malformed: {0}; expected 'key=value&key=value', each percent-encoded")]
    MalformedBag(&'static str),
    /// The message or a part of it is larger than the wire allows.
    #[error("{what} has {found} bytes, {limit} are allowed; send smaller messages")]
    TooLarge {
        /// The part that is too large.
        what: &'static str,
        /// Its size in bytes.
        found: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The message has more properties than the wire allows.
    #[error("the message has {found} properties, {limit} are allowed")]
    TooManyProperties {
        /// The number of properties.
        found: usize,
        /// The limit.
        limit: usize,
    },
}

impl IotError {
    /// The page under `docs/errors/`.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode(match self {
            Self::MalformedToken(_) => "GMB-IOT-001",
            Self::ExpiredToken { .. } => "GMB-IOT-002",
            Self::WrongSignature => "GMB-IOT-003",
            Self::WrongResource { .. } => "GMB-IOT-004",
            Self::InvalidKey => "GMB-IOT-005",
            Self::InvalidConnectionString(_) => "GMB-IOT-006",
            Self::InvalidUserName(_) => "GMB-IOT-007",
            Self::InvalidClientId(_) => "GMB-IOT-008",
            Self::RefusedTopic { .. } => "GMB-IOT-009",
            Self::MalformedBag(_) => "GMB-IOT-010",
            Self::TooLarge { .. } | Self::TooManyProperties { .. } => "GMB-IOT-011",
        })
    }
}

/// The first `count` characters, for texts that a stranger sent.
pub(crate) fn shortened(text: &str, count: usize) -> String {
    text.chars().take(count).collect()
}
