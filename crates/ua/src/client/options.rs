//! What a session needs to know before it dials.

use super::error::UaError;
use super::trust::TrustStore;
use gemba_base::Secret;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Security policies that are spoken, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecurityPolicy {
    /// Nothing is signed, nothing encrypted.
    None,
    /// RSA-OAEP, SHA-256, AES-256-CBC.
    Basic256Sha256,
    /// RSA-OAEP, SHA-256, AES-128-CBC.
    Aes128Sha256RsaOaep,
    /// RSA-PSS, RSA-OAEP with SHA-256, AES-256-CBC.
    Aes256Sha256RsaPss,
}

const PREFIX: &str = "http://opcfoundation.org/UA/SecurityPolicy#";

impl SecurityPolicy {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::None, Self::Basic256Sha256, Self::Aes128Sha256RsaOaep, Self::Aes256Sha256RsaPss];

    /// The URI in endpoint descriptions.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::None => "http://opcfoundation.org/UA/SecurityPolicy#None",
            Self::Basic256Sha256 => "http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256",
            Self::Aes128Sha256RsaOaep => "http://opcfoundation.org/UA/SecurityPolicy#Aes128_Sha256_RsaOaep",
            Self::Aes256Sha256RsaPss => "http://opcfoundation.org/UA/SecurityPolicy#Aes256_Sha256_RsaPss",
        }
    }

    /// The last part of the URI.
    pub fn name(self) -> &'static str {
        self.uri().strip_prefix(PREFIX).unwrap_or_default()
    }

    /// Reads a name or a URI. Names are compared without case, `-` and `_`: both forms are in use.
    ///
    /// # Errors
    /// [`UaError::UnsupportedPolicy`] for every other policy, also for the deprecated ones of the standard.
    pub fn parse(text: &str) -> Result<Self, UaError> {
        let plain = |text: &str| text.replace(['-', '_'], "").to_ascii_lowercase();
        let name = plain(text.strip_prefix(PREFIX).unwrap_or(text));
        Self::ALL
            .into_iter()
            .find(|policy| plain(policy.name()) == name)
            .ok_or_else(|| UaError::UnsupportedPolicy { policy: text.to_owned() })
    }
}

/// How messages are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityMode {
    /// Not at all.
    None,
    /// Signed.
    Sign,
    /// Signed and encrypted.
    SignAndEncrypt,
    /// The strongest that the server offers and we speak, never None.
    Best,
}

impl fmt::Display for SecurityMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Sign => "Sign",
            Self::SignAndEncrypt => "SignAndEncrypt",
            Self::Best => "the best security",
        })
    }
}

/// The endpoint that is wanted of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Security {
    /// The mode.
    pub mode: SecurityMode,
    /// Name or URI of the policy; `None` takes the one that fits the mode.
    pub policy: Option<String>,
}

impl Security {
    /// No security.
    pub const NONE: Self = Self { mode: SecurityMode::None, policy: None };
    /// The best of what the server offers.
    pub const BEST: Self = Self { mode: SecurityMode::Best, policy: None };

    /// This mode, with the strongest policy that both sides speak.
    pub const fn mode(mode: SecurityMode) -> Self {
        Self { mode, policy: None }
    }

    /// The policies that will do, checked against the mode.
    pub(crate) fn policies(&self) -> Result<Vec<SecurityPolicy>, UaError> {
        let fits = |policy: &SecurityPolicy| match self.mode {
            SecurityMode::None => *policy == SecurityPolicy::None,
            _ => *policy != SecurityPolicy::None,
        };
        let fitting = SecurityPolicy::ALL.into_iter().filter(fits);
        let Some(text) = &self.policy else { return Ok(fitting.collect()) };
        let policy = SecurityPolicy::parse(text)?;
        if fitting.clone().any(|fitting| fitting == policy) {
            return Ok(vec![policy]);
        }
        Err(UaError::Options {
            reason: format!(
                "the security policy {} does not go with the mode {}; None goes with None alone",
                policy.name(),
                self.mode
            ),
        })
    }
}

/// Who we are to the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Identity {
    /// Nobody.
    #[default]
    Anonymous,
    /// A user with a password.
    UserName {
        /// The user's name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// The owner of a certificate in `user/certs` of the trust folders, whose key is in `user/private`.
    Certificate {
        /// The file's name without its ending, or the certificate's common name.
        name: String,
    },
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous access"),
            Self::UserName { user, .. } => write!(f, "the user '{user}'"),
            Self::Certificate { name } => write!(f, "the user certificate '{name}'"),
        }
    }
}

/// Everything that opens a session. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// `opc.tcp://host:port/path`. This URL is dialled, whatever the server advertises.
    pub endpoint_url: String,
    /// The endpoint that is wanted.
    pub security: Security,
    /// Who we are.
    pub identity: Identity,
    /// Lets a user name go to a server that takes the password unencrypted.
    pub allow_plain_password: bool,
    /// Own certificate and trusted ones; read anew at each connect.
    pub trust: Arc<TrustStore>,
    /// For the private folders of sessions; each is deleted with its session.
    pub run_folder: PathBuf,
    /// Shown by servers beside the session.
    pub session_name: String,
    /// For GetEndpoints, and again for channel and session together.
    pub connect_timeout: Duration,
    /// For each service.
    pub request_timeout: Duration,
    /// Asked of the server: each cut leaves an old session there for so long.
    pub session_timeout: Duration,
    /// Between reads of the server's state, which hold session and channel alive; two failures end the connection.
    pub keep_alive_interval: Duration,
    /// Life of a channel's keys; renewed after three quarters.
    pub channel_lifetime: Duration,
    /// Shortest keep-alive of a subscription; a silent one is given up after twice its keep-alive.
    pub subscription_keep_alive_min: Duration,
    /// How long a server shall keep a subscription without its client: the longest restart without loss.
    pub subscription_lifetime_min: Duration,
    /// Publish requests that are kept out, at most; fewer where the server takes fewer.
    pub publish_requests_max: usize,
}

impl SessionOptions {
    /// An anonymous session without security, with the defaults of the house.
    pub fn new(
        endpoint_url: impl Into<String>,
        trust: Arc<TrustStore>,
        run_folder: impl Into<PathBuf>,
    ) -> Self {
        Self {
            endpoint_url: endpoint_url.into(),
            security: Security::NONE,
            identity: Identity::Anonymous,
            allow_plain_password: false,
            trust,
            run_folder: run_folder.into(),
            session_name: "gemba".to_owned(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(20),
            session_timeout: Duration::from_secs(60),
            keep_alive_interval: Duration::from_secs(5),
            channel_lifetime: Duration::from_secs(600),
            subscription_keep_alive_min: Duration::from_millis(2500),
            subscription_lifetime_min: Duration::from_secs(15 * 60),
            publish_requests_max: 16,
        }
    }

    /// The host of the URL, as certificates name it.
    pub(crate) fn host(&self) -> &str {
        let rest = self.endpoint_url.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if let Some((host, _)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            return host;
        }
        authority.rsplit_once(':').map_or(authority, |(host, _)| host)
    }

    /// The port of the URL; 4840 when it has none.
    pub(crate) fn port(&self) -> u16 {
        let rest = self.endpoint_url.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let port = authority.rsplit(']').next().unwrap_or_default().rsplit_once(':').map(|(_, port)| port);
        port.and_then(|port| port.parse().ok()).unwrap_or(4840)
    }

    /// Refuses what cannot work before anything is dialled.
    pub(crate) fn check(&self) -> Result<Vec<SecurityPolicy>, UaError> {
        if !self.endpoint_url.starts_with("opc.tcp://") || self.host().is_empty() {
            return Err(UaError::Options {
                reason: format!(
                    "'{}' is not an endpoint URL that can be dialled; the form is opc.tcp://host:4840/path",
                    self.endpoint_url
                ),
            });
        }
        self.security.policies()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_known_by_all_their_names_and_others_are_refused() {
        for (text, policy) in [
            ("basic256sha256", SecurityPolicy::Basic256Sha256),
            ("Aes128_Sha256_RsaOaep", SecurityPolicy::Aes128Sha256RsaOaep),
            ("Aes256-Sha256-RsaPss", SecurityPolicy::Aes256Sha256RsaPss),
            (SecurityPolicy::Aes256Sha256RsaPss.uri(), SecurityPolicy::Aes256Sha256RsaPss),
        ] {
            assert_eq!(SecurityPolicy::parse(text).ok(), Some(policy), "{text}");
        }
        let error = SecurityPolicy::parse("http://opcfoundation.org/UA/SecurityPolicy#Basic128Rsa15")
            .expect_err("unsupported");
        assert_eq!(error.code().0, "GMB-UA-004");
        let odd = Security { mode: SecurityMode::Sign, policy: Some("None".into()) };
        assert!(odd.policies().expect_err("contradiction").to_string().contains("None goes with None alone"));
    }
}
