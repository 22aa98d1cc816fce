//! What the historian costs: CPU seconds a million values, bytes a sample, milliseconds a read.
//!
//! The plant has 10 series with a value every 10 s and 9,990 with one every 58 min, over 30 days: a quarter
//! each random walks with two and with one decimals, noise of full precision, and steps; half of the clocks
//! have a jitter of 50 ms. Messages are UADP with full DataValues, about 500 each, read from a log in memory.
//! `cargo run --release -p gemba-historian --example ingest -- [days] [both] [keep FOLDER]`; `both` gives every
//! value a server timestamp, and both timestamps odd ticks; the files stay where `keep` says.

#[path = "common/tools.rs"]
mod common;
#[path = "ingest/plant.rs"]
mod plant;

use common::{TextDocs, cpu, memory};
use gemba_api::{EventLog, History, SampleQuery};
use gemba_base::{SystemClock, Tasks};
use gemba_historian::{Historian, HistorianOptions};
use gemba_testkit::MemoryLog;
use plant::Plant;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(facts) if facts.is_dir() => bytes(&entry.path()),
        Ok(facts) => facts.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Median milliseconds of some runs, after one that warms up.
fn median(runs: usize, mut run: impl FnMut(usize)) -> f64 {
    run(0);
    let mut times: Vec<f64> = (0..runs)
        .map(|index| {
            let start = Instant::now();
            run(index);
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times.get(runs / 2).copied().unwrap_or(0.0)
}

fn reads(historian: &Historian, plant: &Plant, days: i64, out: &mut impl Write) -> Result<()> {
    let (start, end) =
        (plant.start(), plant.start().saturating_add(Duration::from_secs(days as u64 * 86_400)));
    let day = Duration::from_secs(86_400);
    let from = start.saturating_add(day * (days / 2) as u32);
    let raw = |series: u64| {
        let mut count = 0;
        let query = SampleQuery { series, from, to: from.saturating_add(day), descending: false };
        let read = historian.samples(&query, &mut |chunk| {
            count += chunk.len();
            ControlFlow::Continue(())
        });
        assert!(read.is_ok());
        count
    };
    let id_of = |node: String| {
        let page = historian.series(&node, 1_000, None);
        let found = page.ok().and_then(|page| page.items.into_iter().find(|series| series.node_id == node));
        found.map_or(0, |series| series.id)
    };
    let quick: Vec<u64> = (0..10).map(|field| id_of(format!("ns=2;s=w1.f{field}"))).collect();
    let slowly: Vec<u64> = (0..20).map(|field| id_of(format!("ns=2;s=w{}.f{field}", 5 + field))).collect();
    let pick = |ids: &[u64], index: usize| ids.get(index % ids.len()).copied().unwrap_or(0);
    let mut counts = (0, 0);
    let fast = median(20, |index| counts.0 = raw(pick(&quick, index)));
    let slow = median(20, |index| counts.1 = raw(pick(&slowly, index)));
    let chart = median(20, |index| {
        let buckets = historian.buckets(pick(&quick, index), start, end, 1_000).unwrap_or_default();
        let values: u64 = buckets.iter().map(|bucket| bucket.count).sum();
        assert_eq!((buckets.len(), values), (1_000, days as u64 * 8_640));
    });
    let ids: Vec<u64> = (1..=10_000).collect();
    let last = median(20, |_| assert!(historian.last(&ids).iter().all(Option::is_some)));
    writeln!(out, "1 series x 24 h: {fast:.2} ms ({} samples), slow {slow:.2} ms ({})", counts.0, counts.1)?;
    writeln!(out, "{days} d -> 1,000 buckets: {chart:.2} ms; last of 10,000: {last:.2} ms")?;
    Ok(())
}

/// Bytes a sample in each column.
fn columns(folder: &Path, values: u64, out: &mut impl Write) -> Result<()> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let mut sizes = std::collections::BTreeMap::new();
    for day in fs::read_dir(folder.join("v1/samples"))? {
        for file in fs::read_dir(day?.path())? {
            let reader = SerializedFileReader::new(fs::File::open(file?.path())?)?;
            for column in reader.metadata().row_groups().iter().flat_map(|group| group.columns()) {
                *sizes.entry(column.column_path().string()).or_insert(0) += column.compressed_size();
            }
        }
    }
    let shown = sizes.iter().map(|(name, size)| format!("{name} {:.2}", *size as f64 / values as f64));
    writeln!(out, "{}", shown.collect::<Vec<_>>().join(", "))?;
    Ok(())
}

async fn run(days: i64, both: bool, keep: Option<PathBuf>, out: &mut impl Write) -> Result<()> {
    let temporary = || std::env::temp_dir().join(format!("gemba-ingest-{}", gemba_base::random::hex::<8>()));
    let folder = keep.clone().unwrap_or_else(temporary);
    let log = MemoryLog::new(4);
    let mut plant = Plant::new(both);
    plant.announce(&log);
    let tasks = Tasks::new("bench");
    let shared: Arc<dyn EventLog> = Arc::new(log.clone());
    let docs = Arc::new(TextDocs::default());
    let clock = Arc::new(SystemClock::new());
    let historian = Historian::start(shared, docs, &folder, HistorianOptions::default(), clock, &tasks)?;
    historian.caught_up().await;
    let (mut values, mut spent) = (0_u64, 0.0);
    for day in 0..days {
        // Made first, so that the figures are the historian's alone.
        let (messages, count) = plant.day(day);
        values += count;
        let before = cpu();
        for (partition, message) in messages {
            log.append(partition, message);
        }
        historian.caught_up().await;
        if day % 6 == 5 || day + 1 == days {
            historian.flush().await?;
            for partition in 0..4 {
                log.trim(partition, log.bounds(partition).1);
            }
        }
        spent += cpu() - before;
    }
    let size = bytes(&folder.join("v1/samples")) as f64 / values as f64;
    let millions = values as f64 / 1e6;
    writeln!(
        out,
        "{values} values, {:.3} CPU s/M, {size:.2} B/sample, peak {} MB (log included)",
        spent / millions,
        memory("VmHWM")
    )?;
    columns(&folder, values, out)?;
    reads(&historian, &plant, days, out)?;
    let before = cpu();
    historian.compact().await?;
    writeln!(out, "compaction: {:.3} CPU s/M", (cpu() - before) / millions)?;
    assert!(historian.drain(Duration::from_secs(60)).await);
    if keep.is_none() {
        fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let days = arguments.first().and_then(|text| text.parse().ok()).unwrap_or(30);
    let both = arguments.iter().any(|argument| argument == "both");
    let keep = arguments.iter().skip_while(|argument| *argument != "keep").nth(1).map(PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(days, both, keep, &mut std::io::stdout().lock()))?;
    Ok(())
}
