//! What a server is told before it starts.

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
    /// Queue of one monitored item, in values.
    pub queue_size: usize,
    /// Publish requests waiting, of one subscription. Twice as many sent messages are kept for Republish.
    pub publish_requests_per_subscription: usize,
    /// Shortest publishing interval. Also how exactly longer ones are kept.
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
    /// Upper limits.
    pub limits: ServerLimits,
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
            limits: ServerLimits::default(),
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
