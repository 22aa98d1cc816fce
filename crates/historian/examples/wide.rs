//! Many series: 50,000 items at 10 Hz from one device through one partition, and 100,000 series at rest.
//!
//! `cargo run --release -p gemba-historian --example wide -- [series] [seconds]`: each series gets ten values a second, a quarter of
//! them counters, for so many seconds of plant time, as fast as they are taken in. Then lists, searches, newest values,
//! and a restart. Messages are UADP of 1,000 values with both timestamps.

use gemba_api::log::properties;
use gemba_api::{DeviceMessage, EventLog, History};
use gemba_base::{Metrics, SystemClock, Tasks};
use gemba_historian::{Historian, HistorianOptions};
use gemba_model::{
    BuiltInType, ConfigurationVersion, DataSetMetaData, DataSetSource, DateTime, FieldMetaData, Guid,
    MessageId, NodeId, Sample, SampleBatch, Value, WriterKey,
};
use gemba_pubsub::{Limits, Outcome, PublisherId, uadp};
use gemba_testkit::{MemoryDocs, MemoryLog};
use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const FIELDS: u64 = 1_000;
const VERSION: ConfigurationVersion = ConfigurationVersion { major: 1, minor: 1 };

fn stat(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    // User and system time in ticks of 10 ms.
    fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

struct Edge {
    sequence: u64,
    encoder: uadp::Encoder,
    start: DateTime,
}

impl Edge {
    fn message(&mut self, kind: &str, body: Vec<u8>, enqueued: DateTime) -> DeviceMessage {
        let id = MessageId { producer: "edge".to_owned(), epoch: 1, sequence: self.sequence };
        self.sequence += 1;
        DeviceMessage {
            device: "edge".to_owned(),
            module: None,
            enqueued,
            system: vec![
                (properties::MESSAGE_ID.to_owned(), id.to_string()),
                (properties::CONTENT_TYPE.to_owned(), properties::UADP.to_owned()),
            ],
            properties: vec![(properties::KIND.to_owned(), kind.to_owned())],
            body: body.into(),
        }
    }

    fn announce(&mut self, writer: u16) -> DeviceMessage {
        let field = |index: u64| FieldMetaData {
            name: format!("tag{index}"),
            data_set_field_id: Guid::default(),
            built_in_type: BuiltInType::Double,
            value_rank: -1,
            node_id: NodeId::string(2, format!("Line{writer}.Machine.tag{index}")).into(),
            attribute_id: 13,
            unit: String::new(),
        };
        let description = DataSetMetaData {
            writer: WriterKey { group: 1, writer },
            version: VERSION,
            source: DataSetSource {
                endpoint_url: "opc.tcp://plant:4840".to_owned(),
                application_uri: "urn:plant".to_owned(),
            },
            fields: (0..FIELDS).map(field).collect(),
            ..DataSetMetaData::default()
        };
        let publisher = PublisherId::from("edge");
        let limits = Limits { max_message_bytes: usize::MAX, ..Limits::default() };
        let body = uadp::encode_meta_data(&publisher, 1, &description, &limits).unwrap_or_default();
        self.message(properties::KIND_METADATA, body, self.start)
    }

    /// One value of each field of a writer.
    fn data(&mut self, writer: u16, turn: u64) -> Vec<DeviceMessage> {
        let time = self.start.saturating_add_ticks(turn as i64 * 1_000_000);
        let mut batch = SampleBatch::new(WriterKey { group: 1, writer }, VERSION);
        for field in 0..FIELDS {
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
        let payloads = self.encoder.encode([&batch]).into_iter().filter_map(|outcome| match outcome {
            Outcome::Payload(payload) => Some(payload.bytes),
            Outcome::Refused(_) => None,
        });
        let payloads: Vec<Vec<u8>> = payloads.collect();
        payloads.into_iter().map(|bytes| self.message(properties::KIND_DATA, bytes, time)).collect()
    }
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

fn start(log: &MemoryLog, docs: &Arc<MemoryDocs>, folder: &Path, tasks: &Tasks) -> Result<Arc<Historian>> {
    let shared: Arc<dyn EventLog> = Arc::new(log.clone());
    let clock = Arc::new(SystemClock::new());
    let options = HistorianOptions::default();
    Ok(Historian::start(shared, docs.clone(), folder, options, clock, tasks)?)
}

async fn run(series: u64, seconds: u64, out: &mut impl Write) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("gemba-wide-{}", gemba_base::random::hex::<8>()));
    let (log, docs) = (MemoryLog::new(1), Arc::new(MemoryDocs::default()));
    let tasks = Tasks::new("bench");
    let metrics = Metrics::default();
    let historian = start(&log, &docs, &folder, &tasks)?;
    historian.observe(&metrics);
    let writers = (series / FIELDS) as u16;
    let publisher = PublisherId::from("edge");
    let start_time = DateTime::from_date(2025, 10, 20).unwrap_or(DateTime::MIN);
    let mut edge =
        Edge { sequence: 0, encoder: uadp::Encoder::new(publisher, Limits::default()), start: start_time };
    for writer in 1..=writers {
        log.append(0, edge.announce(writer));
    }
    let before = cpu();
    historian.caught_up().await;
    writeln!(out, "{series} series announced: {:.2} CPU s, {} MB", cpu() - before, stat("VmRSS"))?;
    let (mut values, mut spent, mut taken) = (0_u64, 0.0, 0.0);
    for second in 0..seconds {
        // Made first, so that the figures are the historian's alone.
        let mut messages = Vec::new();
        for turn in second * 10..second * 10 + 10 {
            (1..=writers).for_each(|writer| messages.extend(edge.data(writer, turn)));
        }
        let (before, clock) = (cpu(), Instant::now());
        for message in messages {
            log.append(0, message);
        }
        historian.caught_up().await;
        spent += cpu() - before;
        taken += clock.elapsed().as_secs_f64();
        values += series * 10;
        log.trim(0, log.committed("historian", 0));
    }
    let before = cpu();
    historian.flush().await?;
    spent += cpu() - before;
    writeln!(
        out,
        "{values} values: {:.3} CPU s/M, {:.0} values/s taken in, now {} MB, peak {} MB (log included)",
        spent / values as f64 * 1e6,
        values as f64 / taken,
        stat("VmRSS"),
        stat("VmHWM"),
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
    let tasks = Tasks::new("bench");
    let historian = start(&log, &docs, &folder, &tasks)?;
    let opened = clock.elapsed().as_secs_f64();
    assert!(historian.last(&ids).iter().all(Option::is_some));
    writeln!(out, "restart: {:.0} ms, {:.2} CPU s (documents in memory)", opened * 1e3, cpu() - before)?;
    assert!(historian.drain(Duration::from_secs(60)).await);
    fs::remove_dir_all(&folder)?;
    Ok(())
}

fn main() -> Result<()> {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let series = numbers.first().copied().unwrap_or(50_000);
    let seconds = numbers.get(1).copied().unwrap_or(20);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(series, seconds, &mut std::io::stdout().lock()))?;
    Ok(())
}
