//! How a client comes to a stream of bytes.

use crate::error::ConnectError;
use crate::mqtt::ByteStream;
use crate::tls::Connector;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A stream of bytes in both directions, whatever carries it.
pub trait Duplex: ByteStream + Sync + Debug {}

impl<S: ByteStream + Sync + Debug> Duplex for S {}

/// A stream on its way.
pub type Dialling<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Duplex>, ConnectError>> + Send + 'a>>;

/// The way to a server.
pub trait Dial: Send + Sync + Debug + 'static {
    /// Opens a stream to `host` and `port` within a time.
    ///
    /// # Errors
    /// [`ConnectError`] up to the first byte of MQTT.
    fn dial<'a>(&'a self, host: &'a str, port: u16, within: Duration) -> Dialling<'a>;
}

/// TLS over TCP.
impl Dial for Connector {
    fn dial<'a>(&'a self, host: &'a str, port: u16, within: Duration) -> Dialling<'a> {
        Box::pin(async move {
            let stream = self.connect(host, port, within).await?;
            Ok(Box::new(stream) as Box<dyn Duplex>)
        })
    }
}
