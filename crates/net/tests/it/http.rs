//! The HTTP shell.

use crate::{Folder, PATIENCE, both_ends, until};
use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use gemba_base::{Metrics, Tasks};
use gemba_net::ListenerMetrics;
use gemba_net::http::{HttpOptions, Peer, serve};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn router() -> Router {
    Router::new()
        .route("/", get(|ConnectInfo(peer): ConnectInfo<Peer>| async move { format!("tls={}", peer.tls) }))
}

async fn request(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    let text = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    stream.write_all(text.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    // A server that closes TLS without goodbye has still answered.
    drop(tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await);
    String::from_utf8_lossy(&answer).lines().last().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_router_is_served_on_tls_and_on_plain_loopback() {
    let folder = Folder::new();
    let (acceptor, connector) = both_ends(&folder);
    let tasks = Tasks::new("http");
    let mut ports = Vec::new();
    for acceptor in [Some(acceptor), None] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        ports.push(listener.local_addr().expect("bound").port());
        let metrics = ListenerMetrics::new(&Metrics::default(), "http");
        tasks.spawn(serve(listener, acceptor, HttpOptions::default(), metrics, router(), tasks.clone()));
    }
    let tls = connector.connect("localhost", ports[0], PATIENCE).await.expect("connects");
    assert_eq!(request(tls).await, "tls=true");
    let plain = TcpStream::connect(("127.0.0.1", ports[1])).await.expect("connects");
    assert_eq!(request(plain).await, "tls=false");
    assert!(tasks.drain(PATIENCE).await, "the server ends when told to");
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_and_frees_its_place() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("bound");
    let (metrics, tasks) = (ListenerMetrics::new(&Metrics::default(), "http"), Tasks::new("http"));
    let options = HttpOptions { idle_max: Duration::from_millis(100), ..HttpOptions::default() };
    tasks.spawn(serve(listener, None, options, metrics.clone(), router(), tasks.clone()));
    let mut slow = TcpStream::connect(address).await.expect("connects");
    slow.write_all(b"GET / HT").await.expect("sent");
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the server closes");
    until("the place is free", || metrics.open.value() == 0).await;
}

#[tokio::test]
async fn plain_beyond_loopback_is_not_served() {
    let listener = TcpListener::bind("0.0.0.0:0").await.expect("bound");
    let metrics = ListenerMetrics::new(&Metrics::default(), "http");
    let served = serve(listener, None, HttpOptions::default(), metrics, router(), Tasks::new("http")).await;
    assert_eq!(served.map_err(|error| error.kind()), Err(std::io::ErrorKind::InvalidInput));
}
