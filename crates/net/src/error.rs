//! What can fail between this process and the network, in words for whoever runs it.

use crate::mqtt::ConnectAckReason;
use gemba_model::ErrorCode;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A listener could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody else listens there.
    #[error(
        "{what}: the port {address} is in use by another program; stop it, or set {key} to a free address (port 0 picks one)"
    )]
    InUse {
        /// What would have listened.
        what: &'static str,
        /// The configuration key of the address.
        key: &'static str,
        /// Where.
        address: SocketAddr,
    },
    /// The operating system keeps this port for privileged programs.
    #[error(
        "{what}: listening on {address} needs privileges; set {key} to a port above 1023, or grant CAP_NET_BIND_SERVICE"
    )]
    NotPermitted {
        /// What would have listened.
        what: &'static str,
        /// The configuration key of the address.
        key: &'static str,
        /// Where.
        address: SocketAddr,
    },
    /// Anything else, such as an address that this machine does not have.
    #[error("{what}: cannot listen on {address}: {source}; set {key} to an address of this machine")]
    Failed {
        /// What would have listened.
        what: &'static str,
        /// The configuration key of the address.
        key: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// Plain HTTP would be readable and changeable by everybody on the way.
    #[error(
        "{what}: plain HTTP is served on loopback only, not on {address}; set {key} to 127.0.0.1 or [::1], or use the TLS listener"
    )]
    PlainBeyondLoopback {
        /// What would have listened.
        what: &'static str,
        /// The configuration key of the address.
        key: &'static str,
        /// Where.
        address: SocketAddr,
    },
}

impl BindError {
    /// The page under `docs/errors/`.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode(match self {
            Self::InUse { .. } => "GMB-NET-001",
            Self::NotPermitted { .. } => "GMB-NET-002",
            Self::Failed { .. } => "GMB-NET-003",
            Self::PlainBeyondLoopback { .. } => "GMB-NET-004",
        })
    }
}

/// Certificates or keys are not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A certificate or key file holds something else, or the two do not belong together.
    #[error("{path}: {detail}; expected PEM with the certificate chain, leaf first, and its own key", path = path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A file of certificate authorities holds none.
    #[error("{place}: {detail}; expected PEM with at least one CA certificate")]
    NoAuthority {
        /// The file, or where the text came from.
        place: String,
        /// What is wrong.
        detail: String,
    },
    /// Keys or certificates could not be made.
    #[error("{folder}: cannot make a certificate: {detail}", folder = folder.display())]
    Making {
        /// Where it would have been written.
        folder: PathBuf,
        /// What is wrong.
        detail: String,
    },
}

impl TlsError {
    /// The page under `docs/errors/`.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode(match self {
            Self::File { .. } | Self::Unusable { .. } => "GMB-NET-005",
            Self::NoAuthority { .. } => "GMB-NET-006",
            Self::Making { .. } => "GMB-NET-014",
        })
    }
}

/// A connection could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The host name is neither a DNS name nor an address.
    #[error("'{0}' is neither a host name nor an address")]
    InvalidHost(String),
    /// No TCP connection.
    #[error("{target}: {source}; is the host right, is the server running, does a firewall stand between?")]
    Tcp {
        /// Host and port.
        target: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The whole handshake took too long.
    #[error("{target}: no answer within {seconds} s")]
    Timeout {
        /// Host and port.
        target: String,
        /// The limit.
        seconds: u64,
    },
    /// The server's certificate is from another authority.
    #[error(
        "{target}: the server's certificate is not signed by the given CA; give the CA file of this hub (its pki/hub/ca.pem)"
    )]
    UntrustedIssuer {
        /// Host and port.
        target: String,
    },
    /// The certificate is for other names.
    #[error("{target}: the server's certificate is not for this name; {detail}")]
    WrongName {
        /// Host and port.
        target: String,
        /// The names it is for.
        detail: String,
    },
    /// The certificate's time has not begun or is over.
    #[error("{target}: {detail}; renew the server's certificate, or set this machine's clock right")]
    OutsideValidity {
        /// Host and port.
        target: String,
        /// What is wrong.
        detail: String,
    },
    /// Any other failure of the TLS handshake.
    #[error("{target}: TLS handshake failed: {detail}; is this the TLS port?")]
    Tls {
        /// Host and port.
        target: String,
        /// What is wrong.
        detail: String,
    },
    /// The MQTT server refused.
    #[error("{target}: the server refused the connection: {} (code {})", reason.reason(), u8::from(*reason))]
    Refused {
        /// Host and port.
        target: String,
        /// Its reason.
        reason: ConnectAckReason,
    },
    /// The connection ended or spoke nonsense before it was accepted.
    #[error("{target}: the connection ended during the MQTT handshake: {detail}")]
    Mqtt {
        /// Host and port.
        target: String,
        /// What happened.
        detail: String,
    },
}

impl ConnectError {
    /// The page under `docs/errors/`.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode(match self {
            Self::InvalidHost(_) | Self::Tcp { .. } | Self::Timeout { .. } => "GMB-NET-007",
            Self::UntrustedIssuer { .. } => "GMB-NET-008",
            Self::WrongName { .. } => "GMB-NET-009",
            Self::OutsideValidity { .. } => "GMB-NET-010",
            Self::Tls { .. } => "GMB-NET-011",
            Self::Refused { .. } | Self::Mqtt { .. } => "GMB-NET-012",
        })
    }

    /// Whether only a person can mend this: credentials or names are wrong, and trying again will not help
    /// until they are changed. A client may still try again, slowly.
    pub const fn needs_a_person(&self) -> bool {
        match self {
            Self::InvalidHost(_)
            | Self::UntrustedIssuer { .. }
            | Self::WrongName { .. }
            | Self::OutsideValidity { .. } => true,
            Self::Refused { reason, .. } => !matches!(reason, ConnectAckReason::ServiceUnavailable),
            Self::Tcp { .. } | Self::Timeout { .. } | Self::Tls { .. } | Self::Mqtt { .. } => false,
        }
    }
}
