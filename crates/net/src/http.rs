//! The HTTP server shell: an axum router behind a plain loopback listener or a TLS listener.

use crate::listen::{self, ListenerMetrics, ListenerOptions};
use crate::places::ConnectionLimits;
use crate::stream::Stream;
use crate::tls::Acceptor;
use axum::Router;
use axum::extract::ConnectInfo;
use gemba_base::Tasks;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::time::{Instant, Sleep};

/// Who is connected; handlers take it as `ConnectInfo<Peer>`, or its address as `ConnectInfo<SocketAddr>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Address of the client.
    pub address: SocketAddr,
    /// Whether the connection is TLS.
    pub tls: bool,
}

/// Bounds of an HTTP server.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Those of its listener.
    pub listener: ListenerOptions,
    /// A connection on which no byte moves for so long is closed. A live stream must send something more often.
    pub idle_max: Duration,
    /// From the end of one answer (or the beginning of the connection) to the end of the next request's head:
    /// whoever sends a head byte by byte is cut, however steadily the bytes come. The body has the deadline of its
    /// handler.
    pub head_within: Duration,
    /// The request line and all headers together, in bytes; more is answered with 431.
    pub head_bytes_max: usize,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            listener: ListenerOptions {
                limits: ConnectionLimits::new(4_000, 640),
                ..ListenerOptions::default()
            },
            idle_max: Duration::from_secs(75),
            head_within: Duration::from_secs(30),
            head_bytes_max: 32 * 1024,
        }
    }
}

/// Serves until `tasks` stops, then lets running requests end. Without an acceptor the listener must come
/// from [`listen::bind_plain`], which keeps plain HTTP on loopback.
///
/// # Errors
/// A plain listener beyond loopback; nothing is served then.
pub async fn serve(
    listener: TcpListener,
    acceptor: Option<Acceptor>,
    options: HttpOptions,
    metrics: ListenerMetrics,
    router: Router,
    tasks: Tasks,
) -> io::Result<()> {
    let local = listener.local_addr()?;
    if acceptor.is_none() && !local.ip().to_canonical().is_loopback() {
        let text = format!("plain HTTP is served on loopback only, not on {local}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let idle_max = options.idle_max;
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(options.head_within)
        .max_header_size(options.head_bytes_max)
        .max_buf_size(options.head_bytes_max.max(64 * 1024));
    let service = TowerToHyperService::new(router);
    let branch = tasks.clone();
    let handler = move |stream: Stream, address: SocketAddr| {
        let peer = Peer { address, tls: stream.is_tls() };
        let stream = Guarded { stream, idle: Box::pin(tokio::time::sleep(idle_max)), idle_max };
        one_connection(protocol.clone(), stream, peer, service.clone(), branch.clone())
    };
    listen::serve(listener, acceptor, options.listener, metrics, tasks, handler).await;
    Ok(())
}

async fn one_connection(
    protocol: http1::Builder,
    stream: Guarded,
    peer: Peer,
    router: TowerToHyperService<Router>,
    tasks: Tasks,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        let extensions = request.extensions_mut();
        extensions.insert(ConnectInfo(peer));
        // Handlers that only ask for the address find it under its usual type.
        extensions.insert(ConnectInfo(peer.address));
        let answer = router.call(request);
        async move { answer.await.map(|response: Response<axum::body::Body>| response) }
    });
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = tasks.stopping() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Cut connections, heads that come too slowly, and bytes that are no HTTP.
        tracing::debug!(%error, peer = %peer.address, "an HTTP connection ended early");
    }
}

/// A connection that ends when no byte moves for too long, such as one whose client never reads its answer.
struct Guarded {
    stream: Stream,
    idle: Pin<Box<Sleep>>,
    idle_max: Duration,
}

impl Guarded {
    fn watch<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.idle.as_mut().reset(Instant::now() + self.idle_max);
            return outcome;
        }
        match self.idle.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}
impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.watch(cx, outcome)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        if outcome.is_ready() { outcome } else { self.watch(cx, outcome) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
        if outcome.is_ready() { outcome } else { self.watch(cx, outcome) }
    }
}
