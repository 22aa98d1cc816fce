//! Sockets with their protection: TLS, certificates, listeners, the MQTT connection, the HTTP server shell.
//!
//! Purpose: one way in and one way out of a process, each bounded, timed and explained when it fails.
//! Knows: rustls, X.509, MQTT 3.1.1 packets, HTTP serving.
//! Does not know: who may connect, what a topic or a route means, any room of the house.

mod error;
pub mod http;
pub mod listen;
pub mod mqtt;
pub mod pki;
mod places;
mod read_ahead;
pub mod stream;
pub mod tls;

pub use error::{BindError, ConnectError, TlsError};
pub use listen::{ListenerMetrics, ListenerOptions};
pub use places::ConnectionLimits;
pub use read_ahead::ReadAhead;
pub use stream::Stream;

/// Installs the provider of all cryptography of this process. Call it first thing in `main` and in tests;
/// calling it again does nothing.
pub fn install_crypto() {
    // The error says that a provider is installed already, which is what is wanted.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
}
