//! The HTTP shell.

use crate::{Folder, PATIENCE, both_ends, until};
use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use gemba_base::{Metrics, Tasks};
use gemba_net::http::{HttpOptions, Peer, serve};
use gemba_net::{ConnectionLimits, ListenerMetrics, ListenerOptions};
use std::net::SocketAddr;
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

async fn serving(options: HttpOptions) -> (SocketAddr, ListenerMetrics, Tasks) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("bound");
    let (metrics, tasks) = (ListenerMetrics::new(&Metrics::default(), "http"), Tasks::new("http"));
    tasks.spawn(serve(listener, None, options, metrics.clone(), router(), tasks.clone()));
    (address, metrics, tasks)
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_cut_while_others_are_served() {
    let options = HttpOptions { head_within: Duration::from_millis(300), ..HttpOptions::default() };
    let (address, metrics, _tasks) = serving(options).await;
    let mut slow = TcpStream::connect(address).await.expect("connects");
    slow.write_all(b"GET / HTTP/1.1\r\nX-Slow: ").await.expect("sent");
    let drip = async {
        // A byte moves all the time, so that only the deadline of the whole head can end this.
        while slow.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, drip).await.expect("the server closes");
    assert_eq!(request(TcpStream::connect(address).await.expect("connects")).await, "tls=false");
    until("the places are free", || metrics.open.value() == 0).await;
}

#[tokio::test]
async fn garbage_and_heads_beyond_the_bound_are_refused() {
    let (address, metrics, _tasks) = serving(HttpOptions::default()).await;
    let long = format!("GET / HTTP/1.1\r\nHost: h\r\nX-Long: {}\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "X-Many: 1\r\n".repeat(1_000));
    let garbage = "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}\r\n\r\n".to_owned();
    for (bytes, answer) in [(long, "HTTP/1.1 431"), (many, "HTTP/1.1 431"), (garbage, "HTTP/1.1 400")] {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        // The server may answer and close before it has all.
        drop(stream.write_all(bytes.as_bytes()).await);
        let mut text = vec![0; 12];
        match tokio::time::timeout(PATIENCE, stream.read_exact(&mut text)).await.expect("it answers") {
            Ok(_) => assert_eq!(String::from_utf8_lossy(&text), answer),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
    until("the places are free", || metrics.open.value() == 0).await;
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_no_more() {
    let listener = ListenerOptions { limits: ConnectionLimits::new(9, 2), ..ListenerOptions::default() };
    let (address, metrics, _tasks) = serving(HttpOptions { listener, ..HttpOptions::default() }).await;
    let first = TcpStream::connect(address).await.expect("connects");
    let _second = TcpStream::connect(address).await.expect("connects");
    until("both are taken", || metrics.open.value() == 2).await;
    let mut third = TcpStream::connect(address).await.expect("connects");
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, third.read_to_end(&mut rest)).await;
    assert!(ended.is_ok() && rest.is_empty(), "it is closed without a word");
    assert_eq!(metrics.refused_address.value(), 1);
    drop(first);
    until("a place is free", || metrics.open.value() == 1).await;
    assert_eq!(request(TcpStream::connect(address).await.expect("connects")).await, "tls=false");
}

#[tokio::test]
async fn plain_beyond_loopback_is_not_served() {
    let listener = TcpListener::bind("0.0.0.0:0").await.expect("bound");
    let metrics = ListenerMetrics::new(&Metrics::default(), "http");
    let served = serve(listener, None, HttpOptions::default(), metrics, router(), Tasks::new("http")).await;
    assert_eq!(served.map_err(|error| error.kind()), Err(std::io::ErrorKind::InvalidInput));
}
