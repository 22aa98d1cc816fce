//! Floods without proof of who sends them: the work is bounded, and others are served meanwhile.

use crate::client::Request;
use crate::house::{House, PASSWORD};
use gemba_api::rest::Role;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Sends requests one after the other on one connection; counts the answers by status.
async fn flood(address: SocketAddr, count: usize, text: impl Fn(usize) -> String) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    let mut stream = BufReader::new(TcpStream::connect(address).await.expect("connects"));
    for n in 0..count {
        stream.write_all(text(n).as_bytes()).await.expect("sends");
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            assert_ne!(stream.read_line(&mut line).await.expect("reads"), 0, "the connection is kept");
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest.split(' ').next().and_then(|code| code.parse().ok()).expect("a status");
            }
            if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.trim().parse().expect("a length");
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("reads");
        *statuses.entry(status).or_default() += 1;
    }
    statuses
}

fn log_in(address: SocketAddr, user: &str) -> String {
    let body = json!({"user": user, "password": "not the right one"}).to_string();
    let length = body.len();
    format!(
        "POST /api/v1/session HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Runs floods on some connections at once; `others` goes on until they end.
async fn beside(
    house: &House,
    text: impl Fn(usize) -> String + Clone + Send + Sync + 'static,
    others: &[Request],
) -> BTreeMap<u16, usize> {
    let address = house.address;
    let floods: Vec<_> = (0..4)
        .map(|worker| {
            let text = text.clone();
            tokio::spawn(flood(address, 2_500, move |n| text(worker * 2_500 + n)))
        })
        .collect();
    let mut served = 0;
    while served < 5 || floods.iter().any(|flood| !flood.is_finished()) {
        for request in others {
            let answer = request.send().await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        served += 1;
    }
    let mut all = BTreeMap::new();
    for flood in floods {
        for (status, count) in flood.await.expect("ends") {
            *all.entry(status).or_default() += count;
        }
    }
    all
}

#[tokio::test]
async fn ten_thousand_bad_log_ins_cost_eleven_hashes_and_others_are_served() {
    let house = House::new().await;
    house.user("anna", Role::Viewer);
    let session = house.session("anna").await;
    let others = [
        session.request(&house, "GET", "/api/v1/flow"),
        house.request("GET", "/api/v1/system").bearer(&house.token(Role::Viewer)),
    ];
    let address = house.address;
    let statuses = beside(&house, move |n| log_in(address, &format!("user-{n}")), &others).await;
    assert_eq!(statuses.get(&401), Some(&11), "{statuses:?}");
    assert_eq!(statuses.get(&429), Some(&9_989), "{statuses:?}");
    let metrics = house.read("/metrics").await.body;
    assert!(metrics.contains("gemba_console_log_in_failures_total 11"), "{metrics}");
    // Those of this address wait; whoever is signed in does not notice.
    let refused = house.log_in("anna", PASSWORD).await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
    assert!(session.is_alive(&house).await);
}

#[tokio::test]
async fn wrong_tokens_are_looked_up_so_often_and_right_ones_always() {
    let house = House::new().await;
    let right = house.request("GET", "/api/v1/system").bearer(&house.token(Role::Viewer));
    assert_eq!(right.send().await.status, 200);
    let address = house.address;
    let wrong = move |n: usize| {
        format!("GET /api/v1/system HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer gtk_{n:064}\r\n\r\n")
    };
    let statuses = beside(&house, wrong, std::slice::from_ref(&right)).await;
    assert_eq!((statuses.get(&401), statuses.get(&429)), (Some(&2_000), Some(&8_000)), "{statuses:?}");
    // A token that was never seen before waits like a guess; with time it is let in.
    let new = house.request("GET", "/api/v1/system").bearer(&house.token(Role::Viewer));
    assert_eq!(new.send().await.problem(), (429, "GMB-API-024".to_owned()));
    house.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(new.send().await.status, 200);
}

#[tokio::test]
async fn what_anybody_may_ask_is_bounded_for_each_address() {
    let house = House::new().await;
    let right = house.request("GET", "/api/v1/system").bearer(&house.token(Role::Viewer));
    let address = house.address;
    let paths = ["/healthz", "/readyz", "/", "/no-such-file.js", "/api/v1/first-start", "/api/v1/series"];
    let text = move |n: usize| {
        let path = paths.get(n % paths.len()).expect("a path");
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")
    };
    let statuses = beside(&house, text, std::slice::from_ref(&right)).await;
    assert_eq!(statuses.get(&429), Some(&5_000), "{statuses:?}");
    assert_eq!(house.request("GET", "/healthz").send().await.problem(), (429, "GMB-API-024".to_owned()));
    house.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(house.request("GET", "/healthz").send().await.status, 200);
}
