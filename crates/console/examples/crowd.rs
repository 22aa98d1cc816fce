//! A crowd of browsers, or of guessers, before one console; says what it got and what it cost the console.
//!
//! `crowd ADDRESS TOKENS PID streams N SECONDS [SLOW]`: N live streams of twelve series, and SLOW more that never read.
//! `crowd ADDRESS TOKENS PID log-ins CONNECTIONS SECONDS`: wrong passwords as fast as they are refused, beside a reader.
#![allow(clippy::print_stdout, reason = "it talks to who started it")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Default)]
struct Counts {
    bytes: AtomicU64,
    events: AtomicU64,
    ends: AtomicU64,
    answers: AtomicU64,
    refused: AtomicU64,
}

/// Processor seconds and resident MB of a process, from /proc.
fn cost(pid: &str) -> Outcome<(f64, f64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages: f64 = statm.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0.0);
    Ok(((ticks(11) + ticks(12)) / 100.0, pages * 4096.0 / 1e6))
}

fn occurrences(bytes: &[u8], word: &[u8]) -> u64 {
    bytes.windows(word.len()).filter(|window| *window == word).count() as u64
}

async fn stream(address: String, token: String, first: u64, reads: bool, counts: Arc<Counts>) -> Outcome {
    let series: Vec<String> = (first..first + 12).map(|id| id.to_string()).collect();
    let mut connection = TcpStream::connect(&address).await?;
    let head = format!(
        "GET /api/v1/live?series={} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n",
        series.join(",")
    );
    connection.write_all(head.as_bytes()).await?;
    if !reads {
        std::future::pending::<()>().await;
    }
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = connection.read(&mut buffer).await?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            counts.ends.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        counts.bytes.fetch_add(read as u64, Ordering::Relaxed);
        counts.events.fetch_add(occurrences(bytes, b"event: "), Ordering::Relaxed);
    }
}

/// One request after the other on one connection; answers are short.
async fn ask(address: String, request: String, counts: Arc<Counts>) -> Outcome {
    let mut connection = TcpStream::connect(&address).await?;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        connection.write_all(request.as_bytes()).await?;
        let read = connection.read(&mut buffer).await?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        counts.answers.fetch_add(1, Ordering::Relaxed);
        if bytes.starts_with(b"HTTP/1.1 429") {
            counts.refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn metric(address: &str, token: &str) -> Outcome<String> {
    let mut connection = TcpStream::connect(address).await?;
    let head = format!(
        "GET /metrics HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await?;
    let mut text = String::new();
    connection.read_to_string(&mut text).await?;
    let wanted = ["live_streams", "log_in_failures", "gemba_net_connections"];
    Ok(text
        .lines()
        .filter(|l| !l.starts_with('#') && wanted.iter().any(|w| l.contains(w)))
        .collect::<Vec<_>>()
        .join("; "))
}

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize| arguments.get(index).cloned().unwrap_or_default();
    let (address, pid, mode) = (argument(0), argument(2), argument(3));
    let tokens: Vec<String> = std::fs::read_to_string(argument(1))?.lines().map(str::to_owned).collect();
    let number = |index: usize| argument(index).parse::<usize>().unwrap_or(0);
    let (many, seconds, slow) = (number(4), number(5) as u64, number(6));
    let token = |n: usize| tokens.get(n % tokens.len().max(1)).cloned().unwrap_or_default();
    let (counts, reader) = (Arc::new(Counts::default()), Arc::new(Counts::default()));
    println!("before: {:?} (processor seconds, resident MB)", cost(&pid)?);
    for n in 0..many + slow {
        let (address, counts) = (address.clone(), Arc::clone(&counts));
        if mode == "streams" {
            tokio::spawn(stream(address, token(n), n as u64 + 1, n < many, counts));
        } else {
            let body = format!("{{\"user\":\"user-{n}\",\"password\":\"not the right one\"}}");
            let request = format!(
                "POST /api/v1/session HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            tokio::spawn(ask(address, request, counts));
        }
    }
    let request = format!(
        "GET /api/v1/system HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\r\n",
        token(0)
    );
    tokio::spawn(ask(address.clone(), request, Arc::clone(&reader)));
    tokio::time::sleep(Duration::from_secs(5)).await;
    for round in 0..3 {
        let (begin, before) = (Instant::now(), cost(&pid)?);
        let at = |counts: &Counts| {
            [&counts.bytes, &counts.events, &counts.answers, &counts.refused]
                .map(|c| c.load(Ordering::Relaxed))
        };
        let (then, other) = (at(&counts), at(&reader));
        tokio::time::sleep(Duration::from_secs(seconds.div_ceil(3))).await;
        let (after, passed) = (cost(&pid)?, begin.elapsed().as_secs_f64());
        let now = at(&counts);
        let rate =
            |index: usize| (now.get(index).unwrap_or(&0) - then.get(index).unwrap_or(&0)) as f64 / passed;
        println!(
            "part {round}: {:.0} % of a core, {:.0} MB; {:.0} events/s, {:.2} MB/s, {:.0} answers/s of which {:.0} refused; \
             the reader beside has {:.0} answers/s, refused {}; ended {}",
            100.0 * (after.0 - before.0) / passed,
            after.1,
            rate(1),
            rate(0) / 1e6,
            rate(2),
            rate(3),
            (at(&reader).get(2).unwrap_or(&0) - other.get(2).unwrap_or(&0)) as f64 / passed,
            reader.refused.load(Ordering::Relaxed),
            counts.ends.load(Ordering::Relaxed)
        );
    }
    println!("{}", metric(&address, &token(1)).await?);
    Ok(())
}
