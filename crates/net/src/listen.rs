//! Listening: a bind that explains itself, and an accept loop that cannot be exhausted or stopped by clients.

use crate::error::BindError;
use crate::places::{ConnectionLimits, Full, Place, Places};
use crate::stream::Stream;
use crate::tls::Acceptor;
use gemba_base::{Counter, Gauge, Metrics, Tasks};
use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Opens a listener; port 0 picks a free one. Returns it with the address that was really bound. `what` and
/// `key` name the service and its configuration key in errors.
///
/// # Errors
/// [`BindError`] with the remedy.
pub async fn bind(
    address: SocketAddr,
    what: &'static str,
    key: &'static str,
) -> Result<(TcpListener, SocketAddr), BindError> {
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::AddrInUse => BindError::InUse { what, key, address },
        ErrorKind::PermissionDenied => BindError::NotPermitted { what, key, address },
        _ => BindError::Failed { what, key, address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// [`bind`] for plain HTTP, which is refused beyond loopback.
///
/// # Errors
/// [`BindError`] with the remedy.
pub async fn bind_plain(
    address: SocketAddr,
    what: &'static str,
    key: &'static str,
) -> Result<(TcpListener, SocketAddr), BindError> {
    if !address.ip().to_canonical().is_loopback() {
        return Err(BindError::PlainBeyondLoopback { what, key, address });
    }
    bind(address, what, key).await
}

/// Bounds of a listener.
#[derive(Debug, Clone)]
pub struct ListenerOptions {
    /// Connections at one time.
    pub limits: ConnectionLimits,
    /// From the TCP connection to the end of the TLS handshake.
    pub handshake_within: Duration,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self { limits: ConnectionLimits::new(20_000, 5_000), handshake_within: Duration::from_secs(10) }
    }
}

/// What a listener counts.
#[derive(Debug, Clone)]
pub struct ListenerMetrics {
    /// Connections open now, handshakes included.
    pub open: Gauge,
    /// Connections that were handed on.
    pub accepted: Counter,
    /// Connections closed at once because there were too many.
    pub refused_full: Counter,
    /// Connections closed at once because their address had its share.
    pub refused_address: Counter,
    /// TLS handshakes that failed or took too long.
    pub handshakes_failed: Counter,
}

impl ListenerMetrics {
    /// The counters of a listener with this name.
    pub fn new(metrics: &Metrics, listener: &str) -> Self {
        let labels = [("listener", listener)];
        let counter = |name, help| metrics.counter(name, help, &labels);
        Self {
            open: metrics.gauge("gemba_net_connections", "connections open now", &labels),
            accepted: counter("gemba_net_accepted_total", "connections taken"),
            refused_full: counter("gemba_net_refused_full_total", "connections beyond the limit"),
            refused_address: counter(
                "gemba_net_refused_address_total",
                "connections beyond the limit of their address",
            ),
            handshakes_failed: counter("gemba_net_handshakes_failed_total", "TLS handshakes that failed"),
        }
    }
}

/// Accepts until `tasks` stops; each connection gets its own task running `handler`. With an acceptor the
/// handler sees TLS streams, without one plain streams.
pub async fn serve<H, F>(
    listener: TcpListener,
    acceptor: Option<Acceptor>,
    options: ListenerOptions,
    metrics: ListenerMetrics,
    tasks: Tasks,
    handler: H,
) where
    H: Fn(Stream, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let places = Places::new(options.limits.clone());
    loop {
        let accepted = tokio::select! {
            () = tasks.stopping() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, or the client was gone again: neither ends the listener.
                if !is_of_one_connection(&error) {
                    tracing::warn!(%error, "accepting connections failed, trying again in a second");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                continue;
            }
        };
        let place = match places.take(peer) {
            Ok(place) => place,
            Err(full) => {
                refuse(full, peer, &metrics);
                continue;
            }
        };
        let (handler, metrics, acceptor) = (handler.clone(), metrics.clone(), acceptor.clone());
        let within = options.handshake_within;
        tasks.spawn(async move {
            metrics.open.add(1);
            if let Some(stream) = establish(stream, peer, acceptor.as_ref(), within, place, &metrics).await {
                metrics.accepted.add(1);
                handler(stream, peer).await;
            }
            metrics.open.add(-1);
        });
    }
}

/// Counts each, and names one in a thousand: what fills the places must not fill the log.
fn refuse(full: Full, peer: SocketAddr, metrics: &ListenerMetrics) {
    let counter = match full {
        Full::All => &metrics.refused_full,
        Full::Address => &metrics.refused_address,
    };
    if counter.value() % 1_000 == 0 {
        let refused = counter.value();
        tracing::warn!(%peer, ?full, refused, "a connection was closed at once: there are too many");
    }
    counter.add(1);
}

async fn establish(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<&Acceptor>,
    within: Duration,
    place: Place,
    metrics: &ListenerMetrics,
) -> Option<Stream> {
    // Acknowledgements are small and waited for; delaying them by Nagle's algorithm costs 40 ms each. A
    // socket that refuses the option still works.
    drop(stream.set_nodelay(true));
    let Some(acceptor) = acceptor else { return Some(Stream::plain(stream, place)) };
    let reason = match tokio::time::timeout(within, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => return Some(Stream::tls(stream, place)),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("not finished within {} ms", within.as_millis()),
    };
    metrics.handshakes_failed.add(1);
    tracing::debug!(%peer, reason, "TLS handshake failed");
    None
}

fn is_of_one_connection(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}
