//! Why a connection was refused or ended: every one has a reason, a counter and a line in the log.

use gemba_iothub::IotError;
use gemba_model::ErrorCode;
use gemba_net::mqtt::{ConnectAckReason, ReceiveError};

/// Why a connection was refused or ended. The set is closed, so it may be a label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndReason {
    /// The client said DISCONNECT.
    Disconnected,
    /// The client closed the connection without a word, or it broke.
    ConnectionLost,
    /// This process stops.
    Stopping,
    /// The same identity connected again.
    Replaced,
    /// The token's time was over; the client comes back with a new one.
    TokenEnded,
    /// The identity was disabled, deleted or given other keys.
    Revoked,
    /// No packet within one and a half keep-alive intervals.
    KeepAlive,
    /// The client does not read what is sent to it.
    SlowReader,
    /// No CONNECT in time.
    ConnectTimeout,
    /// The bytes are not MQTT, or a packet that clients do not send.
    Malformed,
    /// MQTT 5 or 3.1.
    OtherVersion,
    /// A packet larger than allowed was announced.
    PacketTooLarge,
    /// The client id is no identity.
    InvalidClientId,
    /// The user name is missing, malformed or does not fit the client id.
    InvalidUserName,
    /// The user name or the token names a host that is not this hub.
    ForeignHost,
    /// No password, or one that is no SAS token.
    InvalidToken,
    /// The token's time is over.
    ExpiredToken,
    /// The token was made with another key.
    WrongKey,
    /// The token is for another device, module or policy.
    WrongResource,
    /// There is no such identity.
    UnknownIdentity,
    /// The identity is disabled.
    DisabledIdentity,
    /// The last will is not for the identity's own events topic.
    InvalidWill,
    /// Identities cannot be read.
    StoreUnavailable,
    /// The event log takes nothing: the disk is full or failing.
    LogUnavailable,
    /// QoS 2.
    QosTwo,
    /// A topic that this identity may not use.
    RefusedTopic,
    /// A property bag that cannot be read.
    InvalidProperties,
    /// More than 256 KiB of body and properties, or too many properties.
    MessageTooLarge,
}

impl EndReason {
    /// All of them, for documents and counters.
    pub const ALL: [Self; 28] = [
        Self::Disconnected,
        Self::ConnectionLost,
        Self::Stopping,
        Self::Replaced,
        Self::TokenEnded,
        Self::Revoked,
        Self::KeepAlive,
        Self::SlowReader,
        Self::ConnectTimeout,
        Self::Malformed,
        Self::OtherVersion,
        Self::PacketTooLarge,
        Self::InvalidClientId,
        Self::InvalidUserName,
        Self::ForeignHost,
        Self::InvalidToken,
        Self::ExpiredToken,
        Self::WrongKey,
        Self::WrongResource,
        Self::UnknownIdentity,
        Self::DisabledIdentity,
        Self::InvalidWill,
        Self::StoreUnavailable,
        Self::LogUnavailable,
        Self::QosTwo,
        Self::RefusedTopic,
        Self::InvalidProperties,
        Self::MessageTooLarge,
    ];

    /// The name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::ConnectionLost => "connection-lost",
            Self::Stopping => "stopping",
            Self::Replaced => "replaced",
            Self::TokenEnded => "token-ended",
            Self::Revoked => "revoked",
            Self::KeepAlive => "keep-alive",
            Self::SlowReader => "slow-reader",
            Self::ConnectTimeout => "connect-timeout",
            Self::Malformed => "malformed",
            Self::OtherVersion => "other-version",
            Self::PacketTooLarge => "packet-too-large",
            Self::InvalidClientId => "invalid-client-id",
            Self::InvalidUserName => "invalid-user-name",
            Self::ForeignHost => "foreign-host",
            Self::InvalidToken => "invalid-token",
            Self::ExpiredToken => "expired-token",
            Self::WrongKey => "wrong-key",
            Self::WrongResource => "wrong-resource",
            Self::UnknownIdentity => "unknown-identity",
            Self::DisabledIdentity => "disabled-identity",
            Self::InvalidWill => "invalid-will",
            Self::StoreUnavailable => "store-unavailable",
            Self::LogUnavailable => "log-unavailable",
            Self::QosTwo => "qos-2",
            Self::RefusedTopic => "refused-topic",
            Self::InvalidProperties => "invalid-properties",
            Self::MessageTooLarge => "message-too-large",
        }
    }

    /// The page under `docs/errors/`; `None` for what is part of a normal day.
    pub const fn code(self) -> Option<ErrorCode> {
        Some(ErrorCode(match self {
            Self::Disconnected | Self::ConnectionLost | Self::Stopping | Self::TokenEnded => return None,
            Self::LogUnavailable | Self::StoreUnavailable => "GMB-HUB-008",
            Self::InvalidClientId | Self::InvalidUserName | Self::InvalidToken => "GMB-HUB-011",
            Self::ExpiredToken => "GMB-HUB-012",
            Self::WrongKey => "GMB-HUB-013",
            Self::WrongResource | Self::ForeignHost => "GMB-HUB-014",
            Self::UnknownIdentity | Self::DisabledIdentity | Self::Revoked => "GMB-HUB-015",
            Self::Malformed | Self::OtherVersion | Self::PacketTooLarge | Self::QosTwo => "GMB-HUB-016",
            Self::RefusedTopic | Self::InvalidProperties | Self::MessageTooLarge | Self::InvalidWill => {
                "GMB-HUB-017"
            }
            Self::Replaced => "GMB-HUB-018",
            Self::KeepAlive | Self::SlowReader | Self::ConnectTimeout => "GMB-HUB-019",
        }))
    }

    /// What CONNACK says when a connection is refused for this; `None` when MQTT 3.1.1 wants it closed in silence.
    pub const fn return_code(self) -> Option<ConnectAckReason> {
        match self {
            Self::OtherVersion => Some(ConnectAckReason::UnacceptableProtocolVersion),
            Self::InvalidClientId => Some(ConnectAckReason::IdentifierRejected),
            Self::StoreUnavailable | Self::LogUnavailable | Self::Stopping => {
                Some(ConnectAckReason::ServiceUnavailable)
            }
            Self::InvalidUserName | Self::InvalidToken | Self::ForeignHost => {
                Some(ConnectAckReason::BadUserNameOrPassword)
            }
            Self::ExpiredToken
            | Self::WrongKey
            | Self::WrongResource
            | Self::UnknownIdentity
            | Self::DisabledIdentity
            | Self::InvalidWill => Some(ConnectAckReason::NotAuthorized),
            _ => None,
        }
    }

    /// What a person does about it; empty for what is part of a normal day.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Disconnected | Self::ConnectionLost | Self::Stopping | Self::TokenEnded => "",
            Self::Replaced => "two programs use one identity: give each its own",
            Self::Revoked | Self::DisabledIdentity => {
                "enable the identity, or take the device out of service"
            }
            Self::UnknownIdentity => "create the identity, or correct the device id in the connection string",
            Self::ExpiredToken => "set the device's clock right, or sign a new token",
            Self::WrongKey => "copy the identity's connection string to the device again",
            Self::WrongResource => "sign the token for the device or module that connects",
            Self::ForeignHost => "use this hub's name, or add the name to hub.host_names",
            Self::InvalidClientId | Self::InvalidUserName | Self::InvalidToken | Self::OtherVersion => {
                "connect with MQTT 3.1.1 as the Azure IoT SDKs do"
            }
            Self::KeepAlive => "look for a broken network between device and hub",
            Self::SlowReader => "let the device read what it is sent",
            Self::ConnectTimeout | Self::Malformed | Self::PacketTooLarge => {
                "connect with an MQTT 3.1.1 client over TLS"
            }
            Self::StoreUnavailable | Self::LogUnavailable => {
                "free space on the hub's disk or replace it; the hub recovers by itself"
            }
            Self::QosTwo => "publish with QoS 0 or 1",
            Self::RefusedTopic | Self::InvalidWill => "publish to devices/<device>/messages/events/",
            Self::InvalidProperties => "percent-encode names and values of properties",
            Self::MessageTooLarge => "send messages of at most 256 KiB with at most 512 properties",
        }
    }
}

impl From<&ReceiveError> for EndReason {
    fn from(error: &ReceiveError) -> Self {
        match error {
            ReceiveError::Closed { .. } | ReceiveError::Broken(_) => Self::ConnectionLost,
            ReceiveError::TooLarge { .. } => Self::PacketTooLarge,
            ReceiveError::OtherVersion => Self::OtherVersion,
            ReceiveError::Malformed(_) => Self::Malformed,
        }
    }
}

impl From<&IotError> for EndReason {
    fn from(error: &IotError) -> Self {
        match error {
            IotError::ExpiredToken { .. } => Self::ExpiredToken,
            IotError::WrongSignature => Self::WrongKey,
            IotError::WrongResource { .. } => Self::WrongResource,
            IotError::InvalidUserName(_) => Self::InvalidUserName,
            IotError::InvalidClientId(_) => Self::InvalidClientId,
            IotError::RefusedTopic { .. } => Self::RefusedTopic,
            IotError::MalformedBag(_) => Self::InvalidProperties,
            IotError::TooLarge { .. } | IotError::TooManyProperties { .. } => Self::MessageTooLarge,
            _ => Self::InvalidToken,
        }
    }
}

/// A reason with what was seen, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Why.
    pub reason: EndReason,
    /// What was seen; no secrets. May be empty.
    pub detail: String,
}

impl End {
    pub(crate) fn new(reason: EndReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl From<EndReason> for End {
    fn from(reason: EndReason) -> Self {
        Self { reason, detail: String::new() }
    }
}

impl From<IotError> for End {
    fn from(error: IotError) -> Self {
        Self { reason: EndReason::from(&error), detail: error.to_string() }
    }
}

impl From<ReceiveError> for End {
    fn from(error: ReceiveError) -> Self {
        Self { reason: EndReason::from(&error), detail: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_reason_has_its_own_name_and_those_with_a_page_have_a_remedy() {
        let names: BTreeSet<&str> = EndReason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), EndReason::ALL.len());
        for reason in EndReason::ALL {
            assert_eq!(reason.code().is_some(), !reason.remedy().is_empty(), "{reason:?}");
        }
    }
}
