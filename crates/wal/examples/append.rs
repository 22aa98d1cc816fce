//! Throughput of durable appends: 1 KB frames from 1, 16 and 256 producers on the disk of a folder.
//!
//! `cargo run --release -p gemba-wal --example append [FOLDER] [SECONDS]`. Processor time is that of the whole
//! process, producers included.

use gemba_base::disk::RealDisk;
use gemba_wal::{Log, LogOptions, Reserve};
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// User and system time of this process so far, in ticks of 10 ms.
fn processor_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

async fn produce(log: Log, until: Instant) -> Vec<Duration> {
    let payload = bytes::Bytes::from(vec![0x5a; 1_024]);
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let started = Instant::now();
        let Ok(ticket) = log.append(1, payload.clone()).await else { break };
        if ticket.await.is_err() {
            break;
        }
        latencies.push(started.elapsed());
    }
    latencies
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("gemba-wal-bench-{}", gemba_base::random::hex::<8>()));
    let seconds = arguments.next().and_then(|text| text.to_str()?.parse().ok()).unwrap_or(2.5);
    let mut out = std::io::stdout();
    for producers in [1, 16, 256] {
        let options = LogOptions { reserve: Reserve::Bytes(1 << 30), ..LogOptions::default() };
        let (log, _) = Log::open(Arc::new(RealDisk), &folder.join(producers.to_string()), options)?;
        let (cpu, started) = (processor_time(), Instant::now());
        let until = started + Duration::from_secs_f64(seconds);
        let tasks: Vec<_> = (0..producers).map(|_| tokio::spawn(produce(log.clone(), until))).collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await?);
        }
        let wall = started.elapsed().as_secs_f64();
        let cpu = processor_time().zip(cpu).map_or(Duration::ZERO, |(after, before)| after - before);
        latencies.sort_unstable();
        let quantile = |permille: usize| {
            let at = (latencies.len().saturating_sub(1)) * permille / 1_000;
            latencies.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
        };
        let count = latencies.len().max(1) as f64;
        writeln!(
            out,
            "1 KB x {producers:>3}: {:>8.0} msg/s, {:>6.2} CPU us/msg, {:>6.1} frames/sync, ack p50 {:.2} ms p99 {:.2} ms",
            count / wall,
            cpu.as_secs_f64() * 1e6 / count,
            log.stats().frames_per_sync(),
            quantile(500),
            quantile(990),
        )?;
        drop(log);
        std::fs::remove_dir_all(folder.join(producers.to_string()))?;
    }
    Ok(std::fs::remove_dir(folder)?)
}
