//! What a server is told before it starts.

use super::behaviour::Behaviour;
use gemba_base::Secret;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// A security policy with its mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndpointSecurity {
    /// Neither signed nor encrypted.
    None,
    /// Basic256Sha256, signed.
    Basic256Sha256Sign,
    /// Basic256Sha256, signed and encrypted.
    Basic256Sha256SignAndEncrypt,
    /// Aes128-Sha256-RsaOaep, signed.
    Aes128Sha256RsaOaepSign,
    /// Aes128-Sha256-RsaOaep, signed and encrypted.
    Aes128Sha256RsaOaepSignAndEncrypt,
    /// Aes256-Sha256-RsaPss, signed.
    Aes256Sha256RsaPssSign,
    /// Aes256-Sha256-RsaPss, signed and encrypted.
    Aes256Sha256RsaPssSignAndEncrypt,
}

impl EndpointSecurity {
    /// All there are, from the weakest to the strongest.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Basic256Sha256Sign,
        Self::Aes128Sha256RsaOaepSign,
        Self::Aes256Sha256RsaPssSign,
        Self::Aes128Sha256RsaOaepSignAndEncrypt,
        Self::Basic256Sha256SignAndEncrypt,
        Self::Aes256Sha256RsaPssSignAndEncrypt,
    ];

    /// How strong it is among the others: the place in [`EndpointSecurity::ALL`].
    pub fn level(self) -> u8 {
        Self::ALL.iter().position(|known| *known == self).unwrap_or(0) as u8
    }

    /// Whether messages are signed only, encrypted too, or neither: the name of the MessageSecurityMode.
    pub const fn mode_name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Basic256Sha256Sign | Self::Aes128Sha256RsaOaepSign | Self::Aes256Sha256RsaPssSign => "Sign",
            Self::Basic256Sha256SignAndEncrypt
            | Self::Aes128Sha256RsaOaepSignAndEncrypt
            | Self::Aes256Sha256RsaPssSignAndEncrypt => "SignAndEncrypt",
        }
    }
}

/// Somebody who may log in with a certificate, over secured endpoints.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserCertificate {
    /// The name that the server gives to that user.
    pub name: String,
    /// The certificate itself, DER.
    pub der: Vec<u8>,
}

/// Somebody who may log in.
#[derive(Clone, Debug)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password.
    pub password: Secret,
}

/// Upper limits; a client that asks for more gets these, or an error where the standard says so.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Sessions at once.
    pub sessions: usize,
    /// Subscriptions of one session.
    pub subscriptions_per_session: usize,
    /// Monitored items of one subscription.
    pub items_per_subscription: usize,
    /// Nodes or items in one call of any service.
    pub items_per_call: usize,
    /// Nodes in one Read, when that is fewer.
    pub nodes_per_read: usize,
    /// Items in one CreateMonitoredItems or another service on items, when that is fewer.
    pub monitored_items_per_call: usize,
    /// Queue of one monitored item, in values.
    pub queue_size: usize,
    /// Publish requests waiting, of one subscription; one more is answered with BadTooManyPublishRequests to
    /// the oldest. Twice as many sent messages are kept for Republish.
    pub publish_requests_per_subscription: usize,
    /// Shortest publishing interval.
    pub publishing_interval_min: Duration,
    /// One message in either direction, in bytes.
    pub message_bytes: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            sessions: 100,
            subscriptions_per_session: 100,
            items_per_subscription: 200_000,
            items_per_call: 10_000,
            nodes_per_read: 10_000,
            monitored_items_per_call: 10_000,
            queue_size: 10_000,
            publish_requests_per_subscription: 20,
            publishing_interval_min: Duration::from_millis(10),
            message_bytes: 64 << 20,
        }
    }
}

/// What a server is and where it listens.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Name for people.
    pub application_name: String,
    /// Unique in the world; also the second namespace of the server.
    pub application_uri: String,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Names of this machine for the certificate; the first one stands in endpoint URLs. When empty: the
    /// listen address, or `localhost` when that means all addresses.
    pub host_names: Vec<String>,
    /// Folder of the key and the certificate, made at the first start with a secured policy.
    pub pki: PathBuf,
    /// The endpoints.
    pub security: Vec<EndpointSecurity>,
    /// Whether one may come in without a name.
    pub anonymous: bool,
    /// Who else may come in.
    pub users: Vec<User>,
    /// Who may come in with a certificate.
    pub user_certificates: Vec<UserCertificate>,
    /// Upper limits.
    pub limits: ServerLimits,
    /// How long values are kept for HistoryRead, by their source timestamps; zero for not at all.
    pub history: Duration,
    /// Faults to show.
    pub behaviour: Behaviour,
}

impl ServerOptions {
    /// A server on a free port of the loopback interface, policy None, anonymous.
    pub fn new(
        application_name: impl Into<String>,
        application_uri: impl Into<String>,
        pki: impl Into<PathBuf>,
    ) -> Self {
        Self {
            application_name: application_name.into(),
            application_uri: application_uri.into(),
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            host_names: Vec::new(),
            pki: pki.into(),
            security: vec![EndpointSecurity::None],
            anonymous: true,
            users: Vec::new(),
            user_certificates: Vec::new(),
            limits: ServerLimits::default(),
            history: Duration::ZERO,
            behaviour: Behaviour::default(),
        }
    }

    /// The name in endpoint URLs.
    pub fn advertised_host(&self) -> String {
        match self.host_names.first() {
            Some(name) => name.clone(),
            None if self.listen.ip().is_unspecified() => "localhost".to_owned(),
            None => match self.listen.ip() {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            },
        }
    }

    /// Whether any endpoint needs a certificate.
    pub(crate) fn needs_certificate(&self) -> bool {
        self.security.iter().any(|security| *security != EndpointSecurity::None)
    }
}
