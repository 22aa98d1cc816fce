//! Many series: 50,000 items at 10 Hz from one device through one partition; 337,500 with a value every 4 s; 100,000 at rest.
//!
//! `cargo run --release -p gemba-historian --example wide -- [series] [seconds] [period]`: each series gets a value every
//! `period` ms (100 when not said; one that divides 1,000, or a multiple of it, in which each second brings its share of
//! each data set), a quarter of them counters, for so many seconds of plant time, as fast as they are taken in; files
//! are merged every ten seconds of plant time. Then lists, searches, newest values, and a restart. Messages are UADP of
//! data sets of 1,000 fields with both timestamps, from servers with 5,000 fields each.

#[path = "common/tools.rs"]
mod common;

use common::{Edge, TextDocs, VERSION, cpu, description, memory};
use gemba_api::{DeviceMessage, History};
use gemba_base::{Metrics, Tasks};
use gemba_historian::{Historian, HistorianOptions};
use gemba_model::{DataSetMetaData, DataSetSource, DateTime, Sample, SampleBatch, Value, WriterKey};
use gemba_testkit::{ManualClock, MemoryLog};
use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const FIELDS: u64 = 1_000;
const WRITERS_OF_SERVER: u16 = 5;
/// Seconds of plant time between two looks for files to merge.
const COMPACT_EVERY: u64 = 10;

fn announced(writer: u16) -> DataSetMetaData {
    let server = writer / WRITERS_OF_SERVER;
    let source = DataSetSource {
        endpoint_url: format!("opc.tcp://server{server}.plant.example:4840"),
        application_uri: format!("urn:plant:server{server}"),
    };
    description(writer, FIELDS, source, ("tag", &format!("Line{writer}.Machine.tag")))
}

/// One value of each of some fields of a writer.
fn batch(writer: u16, turn: u64, time: DateTime, fields: impl Iterator<Item = u64>) -> SampleBatch {
    let mut batch = SampleBatch::new(WriterKey { group: 1, writer }, VERSION);
    for field in fields {
        let noise = (turn * 31 + field * 17) % 1_000;
        let source = time.saturating_add_ticks(noise as i64 * 7);
        let value = if field % 4 == 0 {
            Value::UInt32(turn as u32)
        } else {
            Value::Double((turn % 50) as f64 + noise as f64 / 100.0)
        };
        batch.samples.push(Sample {
            field: field as u16,
            source_timestamp: Some(source),
            server_timestamp: Some(source.saturating_add_ticks(field as i64 * 11)),
            value,
            ..Sample::default()
        });
    }
    batch
}

/// The messages of a second.
fn second(edge: &mut Edge, writers: u16, period: u64, second: u64, start: DateTime) -> Vec<DeviceMessage> {
    let (turns, share) = ((1_000 / period).max(1), (period / 1_000).max(1));
    let mut messages = Vec::new();
    for turn in second * turns..(second + 1) * turns {
        let time = start.saturating_add_ticks((turn * 10_000_000 / turns) as i64);
        for writer in 1..=writers {
            let fields = (0..FIELDS).filter(|field| field % share == turn % share);
            messages.extend(edge.data([&batch(writer, turn, time, fields)], time));
        }
    }
    messages
}

/// Milliseconds of the best of some runs.
fn best(mut run: impl FnMut()) -> f64 {
    let times = (0..10).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() * 1e3
    });
    times.fold(f64::MAX, f64::min)
}

/// A historian and what it works on.
struct House {
    log: MemoryLog,
    docs: Arc<TextDocs>,
    clock: ManualClock,
    folder: std::path::PathBuf,
}

impl House {
    fn start(&self) -> Result<Arc<Historian>> {
        let folder: &Path = &self.folder;
        let (log, options) = (Arc::new(self.log.clone()), HistorianOptions::default());
        let clock = Arc::new(self.clock.clone());
        Ok(Historian::start(log, self.docs.clone(), folder, options, clock, &Tasks::new("bench"))?)
    }
}

/// CPU seconds of taking in and writing, and of merging.
struct Spent {
    ingest: f64,
    compact: f64,
    taken: f64,
}

async fn feed(
    house: &House,
    historian: &Historian,
    writers: u16,
    (seconds, period): (u64, u64),
    out: &mut impl Write,
) -> Result<Spent> {
    let log = &house.log;
    let start = gemba_base::Clock::now(&house.clock);
    let mut edge = Edge::new("edge");
    for writer in 1..=writers {
        log.append(0, edge.announce(&announced(writer), start));
    }
    let before = cpu();
    historian.caught_up().await;
    historian.flush().await?;
    let series = u64::from(writers) * FIELDS;
    writeln!(out, "{series} series announced: {:.2} CPU s, {} MB", cpu() - before, memory("VmRSS"))?;
    let mut spent = Spent { ingest: 0.0, compact: 0.0, taken: 0.0 };
    for now in 0..seconds {
        // Made first, so that the figures are the historian's alone.
        let messages = second(&mut edge, writers, period, now, start);
        let (before, clock) = (cpu(), Instant::now());
        house.clock.advance(Duration::from_secs(1));
        for message in messages {
            log.append(0, message);
        }
        historian.caught_up().await;
        spent.ingest += cpu() - before;
        spent.taken += clock.elapsed().as_secs_f64();
        log.trim(0, log.committed("historian", 0));
        if now % COMPACT_EVERY == 0 {
            let before = cpu();
            historian.compact().await?;
            spent.compact += cpu() - before;
        }
    }
    let before = cpu();
    historian.flush().await?;
    spent.ingest += cpu() - before;
    log.trim(0, log.committed("historian", 0));
    Ok(spent)
}

async fn run(series: u64, seconds: u64, period: u64, out: &mut impl Write) -> Result<()> {
    let start = DateTime::from_date(2025, 10, 20).unwrap_or(DateTime::MIN);
    let house = House {
        log: MemoryLog::new(1),
        docs: Arc::new(TextDocs::default()),
        clock: ManualClock::new(start),
        folder: std::env::temp_dir().join(format!("gemba-wide-{}", gemba_base::random::hex::<8>())),
    };
    let metrics = Metrics::default();
    let historian = house.start()?;
    historian.observe(&metrics);
    let writers = (series / FIELDS) as u16;
    let values = u64::from(writers) * FIELDS * seconds * 1_000 / period;
    let spent = feed(&house, &historian, writers, (seconds, period), out).await?;
    writeln!(
        out,
        "{values} values: {:.3} CPU s/M and {:.3} of merging, {:.0} values/s taken in, now {} MB, peak {} MB (log included)",
        spent.ingest / values as f64 * 1e6,
        spent.compact / values as f64 * 1e6,
        values as f64 / spent.taken,
        memory("VmRSS"),
        memory("VmHWM"),
    )?;
    historian.observe(&metrics);
    for line in metrics.text().lines().filter(|line| !line.starts_with('#')) {
        writeln!(out, "  {line}")?;
    }
    let ids: Vec<u64> = (1..=10_000).collect();
    let page = best(|| assert!(historian.series("", 1_000, None).is_ok()));
    let found = best(|| assert!(historian.series("line7 tag77", 100, None).is_ok()));
    let none = best(|| assert!(historian.series("nothing has this", 100, None).is_ok()));
    let last = best(|| assert!(historian.last(&ids).iter().all(Option::is_some)));
    writeln!(
        out,
        "page of 1,000 with values {page:.2} ms, search {found:.2} ms, in vain {none:.2} ms, last of 10,000 {last:.2} ms"
    )?;
    assert!(historian.drain(Duration::from_secs(60)).await);
    drop(historian);
    let (before, clock) = (cpu(), Instant::now());
    let historian = house.start()?;
    let opened = clock.elapsed().as_secs_f64();
    assert!(historian.last(&ids).iter().all(Option::is_some));
    writeln!(
        out,
        "restart: {:.0} ms, {:.2} CPU s (documents as text in memory)",
        opened * 1e3,
        cpu() - before
    )?;
    assert!(historian.drain(Duration::from_secs(60)).await);
    fs::remove_dir_all(&house.folder)?;
    Ok(())
}

fn main() -> Result<()> {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let series = numbers.first().copied().unwrap_or(50_000);
    let seconds = numbers.get(1).copied().unwrap_or(20);
    let period = numbers.get(2).copied().unwrap_or(100).max(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(series, seconds, period, &mut std::io::stdout().lock()))?;
    Ok(())
}
