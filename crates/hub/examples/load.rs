//! A load of MQTT clients over TLS, for any server: QoS 1 publishes within a window, and the times until they are
//! acknowledged. `cargo x bench` runs it against Gemba and against mosquitto.
//!
//! ```text
//! load --port P --ca FILE --clients FILE --connections N --messages N [--window W] [--bytes B]
//! ```
//!
//! The file of clients is JSON: `[{"clientId","userName","password","topic"}]`, or with `"connectionString"` in place
//! of these. It prints `connected` when so many of them are, waits for a line on its input, publishes so many messages of each client, prints
//! one line of JSON, and keeps the connections until its input ends.

#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use bytes::Bytes;
use gemba_base::{Clock, Secret, SystemClock};
use gemba_iothub::{ConnectionString, Login, SasToken, Topics};
use gemba_net::mqtt::{Client, ClientOptions, Event};
use gemba_net::tls::Connector;
use serde::Deserialize;
use std::collections::VecDeque;
use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Handshakes at one time: a thousand at once would only time out.
const CONNECTING_MAX: usize = 32;
const HOST: &str = "127.0.0.1";

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Account {
    client_id: String,
    user_name: String,
    password: String,
    topic: String,
    connection_string: String,
}

#[derive(Debug, Clone)]
struct Load {
    port: u16,
    ca: PathBuf,
    clients: PathBuf,
    connections: usize,
    messages: usize,
    window: usize,
    bytes: usize,
}

fn load() -> Result<Load> {
    let args: Vec<String> = std::env::args().collect();
    let find = |name: &str| args.iter().skip_while(|arg| *arg != name).nth(1).cloned();
    let needed = |name: &str| find(name).ok_or_else(|| format!("{name} is needed"));
    let number = |name: &str, default: usize| find(name).map_or(Ok(default), |text| text.parse());
    Ok(Load {
        port: needed("--port")?.parse()?,
        ca: needed("--ca")?.into(),
        clients: needed("--clients")?.into(),
        connections: number("--connections", 1)?,
        messages: number("--messages", 0)?,
        window: number("--window", 1)?,
        bytes: number("--bytes", 256)?,
    })
}

/// The options of a client and the topic that it publishes to.
fn options(login: &Account, load: &Load) -> Result<(ClientOptions, String)> {
    let login = if login.connection_string.is_empty() { login.clone() } else { of_string(login)? };
    let mut options = ClientOptions::new(HOST, load.port, login.client_id);
    options.user_name = login.user_name;
    options.password = Secret::new(login.password);
    options.window_messages = load.window;
    options.window_bytes = usize::MAX / 2;
    options.connect_within = Duration::from_secs(120);
    options.clean_session = true;
    Ok((options, login.topic))
}

/// What an SDK makes of a connection string.
fn of_string(login: &Account) -> Result<Account> {
    let connection = ConnectionString::parse(&login.connection_string)?;
    let identity = connection.identity()?;
    let host = connection.host_name.clone();
    let expiry = SystemClock::new().now().saturating_add(Duration::from_secs(3600));
    let key = connection.shared_access_key.as_ref().ok_or("the connection string has no key")?;
    Ok(Account {
        client_id: identity.to_string(),
        user_name: Login::user_name(&host, &identity, "load/1"),
        password: SasToken::generate(&identity.resource(&host), key, expiry, None),
        topic: Topics::of(&identity).event(""),
        connection_string: String::new(),
    })
}

/// Publishes and returns the microseconds that each message took.
async fn publish(client: &mut Client, topic: &str, load: &Load) -> Result<Vec<u32>> {
    let body = Bytes::from(vec![b'x'; load.bytes]);
    let (mut sent, mut times) = (VecDeque::with_capacity(load.window), Vec::with_capacity(load.messages));
    let mut left = load.messages;
    while times.len() < load.messages {
        while left > 0 && client.has_room(body.len() + topic.len()) {
            client.publish(topic.to_owned(), body.clone())?;
            sent.push_back(Instant::now());
            left -= 1;
        }
        if let Event::Acknowledged(_) = client.event().await? {
            // Both servers acknowledge in order.
            let since = sent.pop_front().ok_or("an acknowledgement of nothing")?;
            times.push(u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
    }
    Ok(times)
}

async fn line() -> Result<bool> {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    Ok(read.await?? > 0)
}

#[tokio::main]
async fn main() -> Result<()> {
    gemba_net::install_crypto();
    let load = load()?;
    let logins: Vec<Account> = serde_json::from_slice(&std::fs::read(&load.clients)?)?;
    let connector = Connector::with_ca_file(&load.ca)?;
    let mut clients = Vec::new();
    for some in logins.get(..load.connections).ok_or("the file has fewer clients")?.chunks(CONNECTING_MAX) {
        let mut connecting = tokio::task::JoinSet::new();
        for login in some {
            let ((options, topic), connector) = (options(login, &load)?, connector.clone());
            connecting
                .spawn(async move { Client::connect(&connector, &options).await.map(|one| (one, topic)) });
        }
        while let Some(connected) = connecting.join_next().await {
            clients.push(connected??);
        }
    }
    println!("connected");
    line().await?;
    let (began, cpu) = (Instant::now(), cpu());
    let mut publishing = tokio::task::JoinSet::new();
    for (mut client, topic) in clients {
        let load = load.clone();
        publishing
            .spawn(async move { publish(&mut client, &topic, &load).await.map(|times| (client, times)) });
    }
    let (mut kept, mut times) = (Vec::new(), Vec::new());
    while let Some(done) = publishing.join_next().await {
        let (client, some) = done??;
        kept.push(client);
        times.extend(some);
    }
    let seconds = began.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: usize| times.get(times.len().saturating_sub(1) * share / 100).copied().unwrap_or(0);
    let result = serde_json::json!({
        "messages": times.len(), "seconds": seconds, "p50Micros": at(50), "p99Micros": at(99),
        "clientCpuSeconds": self::cpu() - cpu,
    });
    println!("{result}");
    while line().await? {}
    drop(kept);
    Ok(())
}

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let rest = text.rsplit(')').next().unwrap_or_default();
    let fields = rest.split_whitespace().map(|field| field.parse().unwrap_or(0.0));
    // User and system time in ticks of 10 ms.
    fields.skip(11).take(2).sum::<f64>() / 100.0
}
