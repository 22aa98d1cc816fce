//! What the owner of a client says and hears: options, events, errors.

use crate::mqtt::{PacketId, Publish, QoS, ReceiveError};
use gemba_base::Secret;
use gemba_model::ErrorCode;
use std::time::Duration;

/// How to connect.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// DNS name or address; the server's certificate must be for it.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// MQTT client id.
    pub client_id: String,
    /// MQTT user name.
    pub user_name: String,
    /// MQTT password, such as a SAS token.
    pub password: Secret,
    /// Longest silence towards the server; also how long the server may be silent after a question.
    pub keep_alive: Duration,
    /// Whether the server forgets the session at the end of the connection.
    pub clean_session: bool,
    /// TCP, TLS and MQTT handshake together.
    pub connect_within: Duration,
    /// Unacknowledged QoS 1 messages at one time.
    pub window_messages: usize,
    /// Bytes of unacknowledged messages at one time; a single larger message still goes.
    pub window_bytes: usize,
    /// A message without acknowledgement for so long means that the connection is lost.
    pub acknowledged_within: Duration,
}

impl ClientOptions {
    /// The defaults: keep-alive 30 s, connect within 20 s, window of 64 messages and 4 MiB, acknowledgements
    /// within 60 s, the session is kept.
    pub fn new(host: impl Into<String>, port: u16, client_id: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port,
            client_id: client_id.into(),
            user_name: String::new(),
            password: Secret::default(),
            keep_alive: Duration::from_secs(30),
            clean_session: false,
            connect_within: Duration::from_secs(20),
            window_messages: 64,
            window_bytes: 4 << 20,
            acknowledged_within: Duration::from_secs(60),
        }
    }
}

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A published message is the server's responsibility now.
    Acknowledged(PacketId),
    /// A message for this client; answer one with a packet id by [`Client::acknowledge`].
    Message(Box<Publish>),
    /// The answer to [`Client::subscribe`]: the granted QoS of each filter, `None` for a refused one.
    Subscribed {
        /// That of the request.
        packet_id: PacketId,
        /// In the order of the request.
        granted: Vec<Option<QoS>>,
    },
}

/// The connection is lost. What was published and not acknowledged may or may not have arrived.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The stream ended or carried nonsense.
    #[error(transparent)]
    Stream(#[from] ReceiveError),
    /// The server did not answer a ping in time.
    #[error("the server was silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// A message was not acknowledged in time.
    #[error("the server did not acknowledge a message within {} s", .0.as_secs())]
    Unacknowledged(Duration),
    /// The server sent a packet that only a client may send.
    #[error("the server sent a packet of type {0:#04x}, which servers do not send")]
    Unexpected(u8),
}

impl Lost {
    /// The page under `docs/errors/`.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode("GMB-NET-013")
    }
}

/// A message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The window is full: await [`Client::event`] and try again.
    #[error("the window of unacknowledged messages is full")]
    WindowFull,
    /// No MQTT server of ours would take it.
    #[error("the topic has {topic} bytes and the payload {payload}; 65535 and 262144 are allowed")]
    TooLarge {
        /// Bytes of the topic.
        topic: usize,
        /// Bytes of the payload.
        payload: usize,
    },
}
