//! Handshakes, names, reload and the limits of a listener.

use crate::{Folder, PATIENCE, both_ends, listening, until};
use gemba_base::{Clock, SystemClock, Tasks};
use gemba_net::listen::{ListenerOptions, bind, bind_plain};
use gemba_net::tls::{Acceptor, Connector};
use gemba_net::{ConnectError, ConnectionLimits, Stream};
use gemba_testkit::ManualClock;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn echo(mut stream: Stream, _peer: SocketAddr) {
    let mut byte = [0];
    while let Ok(1) = stream.read(&mut byte).await {
        if stream.write_all(&byte).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

async fn speaks(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> bool {
    let mut answer = [0];
    stream.write_all(b"x").await.is_ok()
        && stream.flush().await.is_ok()
        && matches!(tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await, Ok(Ok(_)))
        && answer == *b"x"
}

#[tokio::test]
async fn addresses_and_names_of_the_certificate_connect() {
    let folder = Folder::new();
    let (acceptor, connector) = both_ends(&folder);
    let (address, ..) = listening(Some(acceptor), ListenerOptions::default(), echo).await;
    for host in ["127.0.0.1", "localhost"] {
        let mut stream = connector.connect(host, address.port(), PATIENCE).await.expect("connects");
        assert!(speaks(&mut stream).await, "{host}");
    }
}

#[tokio::test]
async fn a_wrong_name_a_foreign_authority_and_a_closed_port_are_told_apart() {
    let (folder, other) = (Folder::new(), Folder::new());
    let (acceptor, connector) = both_ends(&folder);
    let (_, stranger) = both_ends(&other);
    let (address, metrics, _) = listening(Some(acceptor), ListenerOptions::default(), echo).await;
    // All of 127/8 reaches the listener only when it is bound there, so another listener stands at 127.0.0.2.
    let (elsewhere, _) = bind("127.0.0.2:0".parse().expect("address"), "test", "test").await.expect("bound");
    let port = elsewhere.local_addr().expect("bound").port();
    let (wrong_name, _) = tokio::join!(connector.connect("127.0.0.2", port, PATIENCE), async {
        let (stream, _) = elsewhere.accept().await.expect("accepts");
        let files = folder.path();
        let acceptor = Acceptor::from_files(&files.join("server.pem"), &files.join("server.key"));
        drop(acceptor.expect("usable").accept(stream).await);
    });
    let foreign = stranger.connect("127.0.0.1", address.port(), PATIENCE).await;
    drop(elsewhere);
    let closed = connector.connect("127.0.0.2", port, PATIENCE).await;
    let invalid = connector.connect("not a host", 1, PATIENCE).await;
    let codes = [wrong_name, foreign, closed, invalid].map(|outcome| {
        let error = outcome.expect_err("fails");
        (error.code().0, error.needs_a_person())
    });
    assert_eq!(
        codes,
        [("GMB-NET-009", true), ("GMB-NET-008", true), ("GMB-NET-007", false), ("GMB-NET-007", true)]
    );
    until("the failed handshake is counted", || metrics.handshakes_failed.value() == 1).await;
}

#[tokio::test]
async fn an_expired_certificate_says_so() {
    let folder = Folder::new();
    let long_ago = SystemClock::new().now().saturating_sub(Duration::from_secs(500 * 86_400));
    let files = gemba_net::pki::ensure_server(folder.path(), &[], long_ago).expect("made");
    let acceptor = Acceptor::from_files(&files.certificate, &files.key).expect("usable");
    let connector = Connector::with_ca_file(&files.ca).expect("usable");
    let (address, ..) = listening(Some(acceptor), ListenerOptions::default(), echo).await;
    let outcome = connector.connect("localhost", address.port(), PATIENCE).await;
    assert!(matches!(outcome, Err(ConnectError::OutsideValidity { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_reload_serves_the_new_certificate_and_keeps_the_old_one_on_errors() {
    let (folder, other) = (Folder::new(), Folder::new());
    let (acceptor, connector) = both_ends(&folder);
    let (_, new_connector) = both_ends(&other);
    let (address, ..) = listening(Some(acceptor.clone()), ListenerOptions::default(), echo).await;
    let mut open = connector.connect("localhost", address.port(), PATIENCE).await.expect("connects");
    std::fs::write(folder.path().join("server.pem"), "nonsense").expect("written");
    assert_eq!(acceptor.reload().expect_err("nonsense").code().0, "GMB-NET-005");
    assert!(connector.connect("localhost", address.port(), PATIENCE).await.is_ok());
    let tasks = Tasks::new("watch");
    acceptor.watch(Duration::from_millis(5), &tasks);
    for name in ["server.key", "server.pem"] {
        std::fs::copy(other.path().join(name), folder.path().join(name)).expect("copied");
    }
    let switched =
        async { while new_connector.connect("localhost", address.port(), PATIENCE).await.is_err() {} };
    tokio::time::timeout(PATIENCE, switched).await.expect("the new certificate is served");
    assert!(speaks(&mut open).await, "open connections go on");
    assert!(tasks.drain(PATIENCE).await);
}

#[tokio::test]
async fn silent_and_surplus_connections_do_not_keep_others_out() {
    let folder = Folder::new();
    let (acceptor, connector) = both_ends(&folder);
    let options =
        ListenerOptions { limits: ConnectionLimits::new(2, 9), handshake_within: Duration::from_millis(300) };
    let (address, metrics, _) = listening(Some(acceptor), options, echo).await;
    let mut silent = TcpStream::connect(address).await.expect("connects");
    let mut stream = connector.connect("localhost", address.port(), PATIENCE).await.expect("connects");
    // Both places are taken.
    let mut surplus = TcpStream::connect(address).await.expect("connects");
    assert_eq!(surplus.read(&mut [0]).await.unwrap_or(0), 0, "closed at once");
    assert_eq!(metrics.refused_full.value(), 1);
    assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0, "closed after the handshake's time");
    until("the place is free again", || metrics.open.value() == 1).await;
    assert!(speaks(&mut stream).await);
    assert!(connector.connect("localhost", address.port(), PATIENCE).await.is_ok());
}

#[tokio::test]
async fn a_taken_port_and_plain_http_beyond_loopback_name_the_remedy() {
    let (_held, taken) =
        bind("127.0.0.1:0".parse().expect("address"), "MQTT", "hub.mqtt.listen").await.expect("bound");
    assert_ne!(taken.port(), 0);
    let error = bind(taken, "MQTT", "hub.mqtt.listen").await.expect_err("is taken");
    assert_eq!(error.code().0, "GMB-NET-001");
    assert_eq!(
        error.to_string(),
        format!(
            "MQTT: the port {taken} is in use by another program; stop it, or set hub.mqtt.listen to a free address (port 0 picks one)"
        )
    );
    let refused = bind_plain("0.0.0.0:0".parse().expect("address"), "console", "console.listen").await;
    assert_eq!(refused.expect_err("is refused").code().0, "GMB-NET-004");
    assert!(bind_plain("[::1]:0".parse().expect("address"), "console", "console.listen").await.is_ok());
    // TEST-NET-1 is no machine's own address.
    let foreign = bind("192.0.2.1:0".parse().expect("address"), "MQTT", "hub.mqtt.listen").await;
    assert_eq!(foreign.expect_err("is not ours").code().0, "GMB-NET-003");
}

#[tokio::test]
async fn a_certificate_near_its_end_is_renewed_and_served_while_connections_stay() {
    let folder = Folder::new();
    let (acceptor, connector) = both_ends(&folder);
    let (address, ..) = listening(Some(acceptor.clone()), ListenerOptions::default(), echo).await;
    let mut open = connector.connect("localhost", address.port(), PATIENCE).await.expect("connects");
    let clock = Arc::new(ManualClock::new(SystemClock::new().now()));
    let (tasks, interval) = (Tasks::new("renewal"), Duration::from_millis(5));
    let own = folder.path().to_owned();
    gemba_net::pki::keep_renewed_each(interval, own, Vec::new(), clock.clone(), &tasks);
    acceptor.watch(interval, &tasks);
    // A certificate lasts 397 days, and is renewed when less than 60 are left.
    clock.advance(Duration::from_secs(340 * 86_400));
    // For this machine's clock the new one begins in the future, which tells it from the old one.
    let renewed = async {
        loop {
            match connector.connect("localhost", address.port(), PATIENCE).await {
                Err(ConnectError::OutsideValidity { .. }) => return,
                Ok(_) => {}
                Err(other) => panic!("{other}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, renewed).await.expect("the new certificate is served");
    assert!(speaks(&mut open).await, "open connections go on");
    assert!(tasks.drain(PATIENCE).await);
}
