//! What can go wrong between us and a server, with the code, the endpoint and the remedy.

use super::trust::TrustError;
use gemba_model::{ErrorCode, StatusCode};
use std::path::PathBuf;
use std::time::Duration;

/// Why a session could not be had, or a service not be done.
#[derive(Debug, thiserror::Error)]
pub enum UaError {
    /// No TCP connection or no secure channel.
    #[error(
        "cannot reach {endpoint}: {status} ({detail}); check host, port and firewall, and that the server runs"
    )]
    Unreachable {
        /// The URL that was dialled.
        endpoint: String,
        /// What the stack made of it.
        status: StatusCode,
        /// In words.
        detail: String,
    },
    /// The server did not answer in time.
    #[error("{endpoint} did not answer {what} within {after:?}")]
    Timeout {
        /// The URL that was dialled.
        endpoint: String,
        /// The service or step.
        what: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// The server offers no endpoint with the wanted security.
    #[error(
        "{endpoint} offers no endpoint with {wanted}; it offers {offered}; choose one of these or enable the wanted one on the server"
    )]
    NoEndpoint {
        /// The URL that was dialled.
        endpoint: String,
        /// Policy and mode that were asked for.
        wanted: String,
        /// What there is.
        offered: String,
    },
    /// A policy that this version does not speak.
    #[error(
        "the security policy '{policy}' is not supported; supported are None, Basic256Sha256, Aes128_Sha256_RsaOaep and Aes256_Sha256_RsaPss"
    )]
    UnsupportedPolicy {
        /// As it was written.
        policy: String,
    },
    /// The server's certificate is not accepted.
    #[error("the certificate of {endpoint} is not accepted: {source}{}", copy_at(copy))]
    Certificate {
        /// The URL that was dialled.
        endpoint: String,
        /// Where it lies, for a person to look at.
        copy: Option<PathBuf>,
        /// Which rule it broke.
        source: TrustError,
    },
    /// The server refuses the identity. Never retried by itself: a log-in loop locks accounts.
    #[error(
        "{endpoint} refuses {identity} ({status}); correct the credentials, no further attempt is made until they change"
    )]
    Authentication {
        /// The URL that was dialled.
        endpoint: String,
        /// `the user 'name'` or `anonymous access`.
        identity: String,
        /// The server's reason.
        status: StatusCode,
    },
    /// A service was refused as a whole.
    #[error("{endpoint} answered {service} with {status}")]
    Service {
        /// The URL that was dialled.
        endpoint: String,
        /// The service's name in the standard.
        service: &'static str,
        /// The service result.
        status: StatusCode,
    },
    /// The connection broke.
    #[error("the connection to {endpoint} was lost: {status}")]
    ConnectionLost {
        /// The URL that was dialled.
        endpoint: String,
        /// Why, as the stack says.
        status: StatusCode,
    },
    /// An answer that makes no sense.
    #[error("{endpoint} sent an answer that cannot be understood: {reason}")]
    Protocol {
        /// The URL that was dialled.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or folder of certificates or of the run directory cannot be used.
    #[error("cannot use {}: {source}; check that the folder exists and belongs to this user", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The password would cross the network in the clear.
    #[error(
        "{endpoint} would take the password in plain text; use a secured endpoint, or allow plain passwords for this endpoint"
    )]
    PlainPassword {
        /// The URL that was dialled.
        endpoint: String,
    },
    /// The certificate of a user, or its key, cannot be used.
    #[error(
        "the user certificate '{name}' cannot be used: {reason}; put the certificate into '{}' and its key, as PEM without a passphrase, into '{}'",
        certificates.display(), keys.display()
    )]
    UserCertificate {
        /// As it was asked for.
        name: String,
        /// What is wrong.
        reason: String,
        /// Where certificates belong.
        certificates: PathBuf,
        /// Where keys belong.
        keys: PathBuf,
    },
    /// The options contradict themselves or the standard.
    #[error("{reason}")]
    Options {
        /// What is wrong and what to do.
        reason: String,
    },
    /// The session was told to stop.
    #[error("the session with {endpoint} was stopped")]
    Stopped {
        /// The URL that was dialled.
        endpoint: String,
    },
}

/// Where the copy of a refused certificate is, as the end of a sentence.
fn copy_at(copy: &Option<PathBuf>) -> String {
    copy.as_ref().map_or_else(String::new, |copy| format!(" (a copy is '{}')", copy.display()))
}

const BAD_USER_ACCESS_DENIED: u32 = 0x801F_0000;
const BAD_IDENTITY_TOKEN_INVALID: u32 = 0x8020_0000;
const BAD_IDENTITY_TOKEN_REJECTED: u32 = 0x8021_0000;
const BAD_USER_SIGNATURE_INVALID: u32 = 0x8057_0000;
const BAD_IDENTITY_CHANGE_NOT_SUPPORTED: u32 = 0x80C6_0000;

/// Whether a status, met while a session is opened, says that the credentials are wrong.
pub(crate) const fn is_authentication(status: StatusCode) -> bool {
    matches!(
        status.0 & 0xFFFF_0000,
        BAD_USER_ACCESS_DENIED
            | BAD_IDENTITY_TOKEN_INVALID
            | BAD_IDENTITY_TOKEN_REJECTED
            | BAD_USER_SIGNATURE_INVALID
            | BAD_IDENTITY_CHANGE_NOT_SUPPORTED
    )
}

/// Whether a status says that connection, channel or session are gone.
pub(crate) fn is_connection_lost(status: StatusCode) -> bool {
    matches!(
        status.name(),
        Some(
            "BadConnectionClosed"
                | "BadCommunicationError"
                | "BadNotConnected"
                | "BadServerNotConnected"
                | "BadSecureChannelClosed"
                | "BadSecureChannelIdInvalid"
                | "BadSessionIdInvalid"
                | "BadSessionClosed"
                | "BadSessionNotActivated"
                | "BadTcpInternalError"
                | "BadTcpSecureChannelUnknown"
                | "BadDisconnect"
                | "BadShutdown"
                | "BadServerHalted"
                | "BadConnectionRejected"
        )
    )
}

impl UaError {
    /// The short name; each has a page under `docs/errors/`.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode(match self {
            Self::Unreachable { .. } => "GMB-UA-001",
            Self::Timeout { .. } => "GMB-UA-002",
            Self::NoEndpoint { .. } => "GMB-UA-003",
            Self::UnsupportedPolicy { .. } => "GMB-UA-004",
            Self::Certificate { source, .. } => return source.code(),
            Self::Authentication { .. } => "GMB-UA-006",
            Self::Service { .. } => "GMB-UA-007",
            Self::ConnectionLost { .. } => "GMB-UA-008",
            Self::Protocol { .. } => "GMB-UA-009",
            Self::Folder { .. } => "GMB-UA-010",
            Self::PlainPassword { .. } => "GMB-UA-011",
            Self::Options { .. } => "GMB-UA-012",
            Self::Stopped { .. } => "GMB-UA-013",
            Self::UserCertificate { .. } => "GMB-UA-014",
        })
    }

    /// Whether the same call may succeed later although nobody changed anything.
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Timeout { .. }
                | Self::Service { .. }
                | Self::ConnectionLost { .. }
                | Self::Protocol { .. }
        )
    }

    /// Whether the server refused the credentials: then no further attempt must be made by itself.
    pub const fn is_authentication(&self) -> bool {
        matches!(self, Self::Authentication { .. })
    }

    /// The status code behind the error, where one was received or decided.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Unreachable { status, .. }
            | Self::Authentication { status, .. }
            | Self::Service { status, .. }
            | Self::ConnectionLost { status, .. } => Some(*status),
            Self::Timeout { .. } => StatusCode::from_name("BadTimeout"),
            _ => None,
        }
    }

    /// The name of the status code, or an empty text.
    pub(crate) fn status_name(&self) -> &'static str {
        self.status().and_then(StatusCode::name).unwrap_or_default()
    }

    /// Whether connection or session are gone, so that only a new connection helps.
    pub(crate) fn ends_connection(&self) -> bool {
        match self {
            Self::ConnectionLost { .. } | Self::Timeout { .. } | Self::Stopped { .. } => true,
            _ => self.status().is_some_and(is_connection_lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_authentication_failures_are_those_of_the_standard() {
        for name in [
            "BadUserAccessDenied",
            "BadIdentityTokenInvalid",
            "BadIdentityTokenRejected",
            "BadUserSignatureInvalid",
            "BadIdentityChangeNotSupported",
        ] {
            assert!(is_authentication(StatusCode::from_name(name).expect(name)), "{name}");
        }
        assert!(!is_authentication(StatusCode::from_name("BadTimeout").expect("known")));
    }

    #[test]
    fn a_refused_password_is_never_retryable() {
        let error = UaError::Authentication {
            endpoint: "opc.tcp://a:4840".into(),
            identity: "the user 'eve'".into(),
            status: StatusCode(BAD_IDENTITY_TOKEN_REJECTED),
        };
        assert!(error.is_authentication() && !error.is_retryable());
        assert!(error.to_string().contains("BadIdentityTokenRejected"), "{error}");
    }
}
