//! A console over made-up series, to see what the page and the streams cost at scale.
//!
//! `cargo run -p gemba-console --example filled -- 100000 tokens.txt`: so many series, each with a new value a second;
//! prints the first-start link and writes 300 tokens of viewers, one a line. `crowd` makes the load.
#![allow(clippy::print_stdout, reason = "it talks to who started it")]

use gemba_api::flow::{FlowSource, SourceReport, SourceState, Stage, StageReport};
use gemba_api::rest::Role;
use gemba_api::{
    Bucket, DocStore, GapEntry, GapQuery, History, HistoryError, Ledger, Page, SampleQuery, SampleTable,
    SeriesInfo, StoredSample, TableFormat, WriterCompleteness,
};
use gemba_base::{Clock, Metrics, SystemClock, Tasks};
use gemba_console::{Console, ConsoleParts, Transport};
use gemba_model::{DateTime, StatusCode, Variant};
use gemba_net::http::{HttpOptions, serve};
use gemba_net::{ListenerMetrics, listen};
use gemba_registry::SqliteDocStore;
use std::error::Error;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

const TOKENS: usize = 300;
const TICKS_PER_TENTH: i64 = 1_000_000;
const KINDS: [(&str, &str); 5] = [
    ("Temperature", "°C"),
    ("Pressure", "bar"),
    ("Motor current", "A"),
    ("Vibration", "mm/s"),
    ("Speed", "1/min"),
];
const PER_SERVER: u64 = 1_000;

/// Values are a function of series and time, so nothing is kept but the texts to search.
struct Filled {
    texts: Vec<String>,
    clock: SystemClock,
}

impl Filled {
    fn new(count: u64) -> Self {
        let texts = (1..=count).map(|id| {
            let (server, unit) = (id / PER_SERVER, id % PER_SERVER / 5);
            format!("{} {unit:03} s=unit{unit} opc.tcp://machine-{server}:4840", kind(id).0.to_lowercase())
        });
        Self { texts: texts.collect(), clock: SystemClock::new() }
    }

    fn tenths(&self) -> i64 {
        self.clock.now().ticks() / TICKS_PER_TENTH
    }

    /// The newest sample at a time: each series has its tenth of each second.
    fn sample(id: u64, tenth: i64) -> StoredSample {
        let own = tenth - (tenth - id as i64).rem_euclid(10);
        let at = DateTime::from_ticks(own * TICKS_PER_TENTH);
        let value = 50.0 + 40.0 * ((own as f64) / 600.0 + id as f64).sin();
        StoredSample {
            source_timestamp: Some(at),
            server_timestamp: Some(at),
            source_picoseconds: 0,
            server_picoseconds: 0,
            received: at,
            value: Variant::Double((value * 100.0).round() / 100.0),
            status: StatusCode::GOOD,
        }
    }

    fn info(&self, id: u64) -> SeriesInfo {
        let (server, unit) = (id / PER_SERVER, id % PER_SERVER / 5);
        SeriesInfo {
            id,
            name: format!("{} {unit:03}", kind(id).0),
            node_id: format!("nsu=urn:plant;s=Unit{unit}"),
            attribute_id: 13,
            source: format!("opc.tcp://machine-{server}:4840"),
            application_uri: "urn:plant".to_owned(),
            device: "edge-1".to_owned(),
            writer_group: format!("machine-{server}"),
            writer: "writer-1".to_owned(),
            unit: kind(id).1.to_owned(),
            last: Some(Self::sample(id, self.tenths())),
        }
    }

    fn known(&self, id: u64) -> Result<(), HistoryError> {
        let known = (1..=self.texts.len() as u64).contains(&id);
        known.then_some(()).ok_or(HistoryError::UnknownSeries(id))
    }
}

fn kind(id: u64) -> (&'static str, &'static str) {
    KINDS.get(id as usize % KINDS.len()).copied().unwrap_or_default()
}

impl History for Filled {
    fn series(
        &self,
        search: &str,
        limit: usize,
        token: Option<&str>,
    ) -> Result<Page<SeriesInfo>, HistoryError> {
        let after: usize = token.map_or(Ok(0), str::parse).map_err(|_| HistoryError::InvalidContinuation)?;
        let words: Vec<String> = search.split_whitespace().map(str::to_lowercase).collect();
        let fits = |(_, text): &(usize, &String)| words.iter().all(|word| text.contains(word.as_str()));
        let mut found =
            self.texts.iter().enumerate().skip(after).filter(fits).map(|(index, _)| index as u64 + 1);
        let items: Vec<SeriesInfo> = found.by_ref().take(limit).map(|id| self.info(id)).collect();
        let more = found.next().is_some();
        let continuation = items.last().filter(|_| more).map(|last| last.id.to_string());
        Ok(Page { items, continuation })
    }

    fn series_by_id(&self, id: u64) -> Result<SeriesInfo, HistoryError> {
        self.known(id).map(|()| self.info(id))
    }

    fn last(&self, ids: &[u64]) -> Vec<Option<StoredSample>> {
        let now = self.tenths();
        ids.iter().map(|id| self.known(*id).is_ok().then(|| Self::sample(*id, now))).collect()
    }

    fn samples(
        &self,
        query: &SampleQuery,
        receiver: &mut dyn FnMut(Vec<StoredSample>) -> ControlFlow<()>,
    ) -> Result<(), HistoryError> {
        self.known(query.series)?;
        let now = self.tenths();
        let tenth = |at: DateTime| (at.ticks() / TICKS_PER_TENTH).clamp(now - 864_000, now);
        let mut all: Vec<StoredSample> = (tenth(query.from)..tenth(query.to))
            .step_by(10)
            .map(|at| Self::sample(query.series, at))
            .collect();
        all.retain(|sample| (query.from..query.to).contains(&sample.time()));
        if query.descending {
            all.reverse();
        }
        for chunk in all.chunks(8_192) {
            if receiver(chunk.to_vec()).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn table(&self, format: TableFormat, query: &SampleQuery) -> Result<Box<dyn SampleTable>, HistoryError> {
        gemba_historian::sample_table(format, &self.series_by_id(query.series)?, [11].into_iter().collect())
    }

    fn buckets(
        &self,
        id: u64,
        from: DateTime,
        to: DateTime,
        count: u32,
    ) -> Result<Vec<Bucket>, HistoryError> {
        self.known(id)?;
        let width = (to.ticks() - from.ticks()) / i64::from(count.max(1));
        let bucket = |index: i64| {
            let start = from.saturating_add_ticks(index * width);
            let value = |sample: StoredSample| match sample.value {
                Variant::Double(value) => value,
                _ => 0.0,
            };
            let first = value(Self::sample(id, start.ticks() / TICKS_PER_TENTH));
            let last = value(Self::sample(id, (start.ticks() + width) / TICKS_PER_TENTH));
            let seconds = width / TICKS_PER_TENTH / 10;
            Bucket {
                start,
                min: Some(first.min(last)),
                max: Some(first.max(last)),
                avg: Some((first + last) / 2.0),
                count: seconds.unsigned_abs(),
                bad: 0,
                first: Some((start, first)),
                last: Some((start.saturating_add_ticks(width - 1), last)),
            }
        };
        Ok((0..i64::from(count)).map(bucket).collect())
    }

    fn version(&self) -> u64 {
        self.tenths().unsigned_abs()
    }

    fn changed_since(&self, version: u64, ids: &[u64]) -> Vec<u64> {
        let now = self.version();
        // A series changes in the tenth that has its last digit.
        ids.iter().copied().filter(|id| now - (now - id % 10) % 10 > version).collect()
    }
}

impl Ledger for Filled {
    fn gaps(&self, _: &GapQuery) -> Result<Page<GapEntry>, HistoryError> {
        Ok(Page { items: Vec::new(), continuation: None })
    }
    fn open_gaps(&self) -> u64 {
        0
    }
    fn completeness(&self) -> Vec<WriterCompleteness> {
        Vec::new()
    }
}

impl FlowSource for Filled {
    fn reports(&self) -> Vec<StageReport> {
        let now = self.clock.now();
        let stages = [Stage::Field, Stage::Edge, Stage::Hub, Stage::Store];
        let reports = stages.map(|stage| StageReport::idle(stage, "edge-1", now));
        let servers = self.texts.len() as u64 / PER_SERVER;
        let sources = (0..servers).map(|server| SourceReport {
            endpoint: format!("opc.tcp://machine-{server}:4840"),
            group: format!("machine-{server}"),
            state: SourceState::Live,
            since: now.saturating_sub(Duration::from_secs(3_600)),
            last_data: Some(now),
            items: PER_SERVER,
            items_bad: 0,
            problem: None,
        });
        let sources: Vec<SourceReport> = sources.collect();
        let filled = |mut report: StageReport| {
            report.values_in = self.version() * self.texts.len() as u64 / 10;
            report.values_out = report.values_in;
            if report.stage == Stage::Field {
                report.sources.clone_from(&sources);
            }
            report
        };
        reports.map(filled).into()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let tokens = arguments.next().unwrap_or_else(|| "tokens.txt".to_owned());
    let folder = std::env::temp_dir().join(format!("gemba-filled-{}", gemba_base::random::hex::<8>()));
    std::fs::create_dir_all(&folder)?;
    let docs = Arc::new(SqliteDocStore::open(folder.join("registry.db"))?);
    let (clock, metrics, tasks) = (Arc::new(SystemClock::new()), Metrics::default(), Tasks::new("filled"));
    let secrets = (0..TOKENS).map(|n| {
        let token = gemba_console::create_token(&*docs, Role::Viewer, &format!("viewer-{n}"), clock.now());
        token.map(|secret| secret.reveal().to_owned())
    });
    std::fs::write(tokens, secrets.collect::<Result<Vec<_>, _>>()?.join("\n"))?;
    let filled = Arc::new(Filled::new(count));
    let console = Console::start(ConsoleParts {
        history: Arc::clone(&filled) as _,
        ledger: Arc::clone(&filled) as _,
        flow: filled,
        docs: Arc::clone(&docs) as Arc<dyn DocStore>,
        metrics: metrics.clone(),
        clock: Arc::clone(&clock) as _,
        tasks: tasks.clone(),
        ready: Arc::new(|| Ok(())),
        version: "0.0.0".to_owned(),
        time_zone: None,
        hosts: Vec::new(),
    });
    let (listener, address) =
        listen::bind_plain(([127, 0, 0, 1], 0).into(), "console", "console.listen").await?;
    if let Some(secret) = gemba_console::first_start(&*docs, clock.now())? {
        println!("{}", gemba_console::first_start_link(&format!("http://{address}"), &secret).reveal());
    }
    let metrics = ListenerMetrics::new(&metrics, "console");
    let options = HttpOptions::default();
    options.listener.limits.set(4_000, 4_000);
    serve(listener, None, options, metrics, console.router(Transport::Loopback), tasks).await?;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
