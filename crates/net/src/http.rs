//! The HTTP server shell: an axum router behind a plain loopback listener or a TLS listener.

use crate::listen::{self, ListenerMetrics, ListenerOptions};
use crate::places::ConnectionLimits;
use crate::stream::Stream;
use crate::tls::Acceptor;
use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::serve::IncomingStream;
use gemba_base::Tasks;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

/// Who is connected; handlers take it as `ConnectInfo<Peer>`.
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
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            listener: ListenerOptions {
                limits: ConnectionLimits::new(1_000, 400),
                ..ListenerOptions::default()
            },
            idle_max: Duration::from_secs(75),
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
    // Handshakes run beside each other; a finished one waits here until the server takes it.
    let (sender, receiver) = mpsc::channel(64);
    let idle_max = options.idle_max;
    let handler = move |stream: Stream, peer: SocketAddr| {
        let sender = sender.clone();
        async move {
            let peer = Peer { address: peer, tls: stream.is_tls() };
            let (ended, wait) = tokio::sync::oneshot::channel();
            let stream =
                Guarded { stream, idle: Box::pin(tokio::time::sleep(idle_max)), idle_max, _ended: ended };
            if sender.send((stream, peer)).await.is_ok() {
                // The sender is dropped with the connection, so that the listener's gauge is right.
                drop(wait.await);
            }
        }
    };
    tasks.spawn(listen::serve(listener, acceptor, options.listener, metrics, tasks.clone(), handler));
    let incoming = Incoming { receiver, local };
    let router = router.layer(axum::middleware::from_fn(with_socket_address));
    let service = router.into_make_service_with_connect_info::<Peer>();
    let stop = tasks.stop_token();
    axum::serve(incoming, service).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// Handlers that only ask for the address find it under its usual type, too.
async fn with_socket_address(
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> axum::response::Response {
    request.extensions_mut().insert(ConnectInfo(peer.address));
    next.run(request).await
}

struct Incoming {
    receiver: mpsc::Receiver<(Guarded, Peer)>,
    local: SocketAddr,
}

impl axum::serve::Listener for Incoming {
    type Io = Guarded;
    type Addr = Peer;

    async fn accept(&mut self) -> (Guarded, Peer) {
        match self.receiver.recv().await {
            Some(accepted) => accepted,
            // The accept loop has ended with its task branch; the shutdown signal ends this wait.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer { address: self.local, tls: false })
    }
}

impl Connected<IncomingStream<'_, Incoming>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Incoming>) -> Self {
        *stream.remote_addr()
    }
}

/// A connection that ends when no byte moves for too long, be it a client that sends a request byte by byte
/// in hours or one that never reads its answer.
struct Guarded {
    stream: Stream,
    idle: Pin<Box<Sleep>>,
    idle_max: Duration,
    _ended: tokio::sync::oneshot::Sender<()>,
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
