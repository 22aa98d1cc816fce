//! A made-up historian, ledger and flow, kept in memory.

use gemba_api::flow::{FlowSource, Problem, Stage, StageReport};
use gemba_api::{
    Bucket, GapEntry, GapQuery, History, HistoryError, Ledger, Page, SampleQuery, SampleTable, SeriesInfo,
    StoredSample, TableFormat, WriterCompleteness,
};
use gemba_model::binary::encode_variant;
use gemba_model::{DateTime, ErrorCode, GapReason, Hop, StatusCode, Variant};
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard};

#[derive(Default)]
struct State {
    samples: BTreeMap<u64, Vec<StoredSample>>,
    version: u64,
    changed: HashMap<u64, u64>,
    reports: Vec<StageReport>,
    /// After so many chunks reading fails.
    fails_after: Option<usize>,
}

/// All rooms that the console looks into.
#[derive(Default)]
pub(crate) struct Plant(Mutex<State>);

pub(crate) fn time(text: &str) -> DateTime {
    text.parse().expect("a time")
}

/// A Good sample.
pub(crate) fn sample(at: &str, value: Variant) -> StoredSample {
    StoredSample {
        source_timestamp: Some(time(at)),
        server_timestamp: Some(time(at).saturating_add_ticks(10_000)),
        source_picoseconds: 0,
        server_picoseconds: 0,
        received: time(at),
        value,
        status: StatusCode::GOOD,
    }
}

/// Samples handed over at a time.
const CHUNK: usize = 7;

impl Plant {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panicked here")
    }

    pub(crate) fn add(&self, series: u64, sample: StoredSample) {
        let mut state = self.state();
        state.version += 1;
        let version = state.version;
        state.changed.insert(series, version);
        let samples = state.samples.entry(series).or_default();
        samples.push(sample);
        samples.sort_by_key(StoredSample::time);
    }

    /// Adds a sample that is the newest.
    pub(crate) fn add_last(&self, series: u64, sample: StoredSample) {
        self.state().samples.entry(series).or_default().push(sample);
    }

    /// A series without samples.
    pub(crate) fn add_series(&self, series: u64) {
        self.state().samples.entry(series).or_default();
    }

    pub(crate) fn report(&self, reports: Vec<StageReport>) {
        self.state().reports = reports;
    }

    pub(crate) fn fail_after(&self, chunks: usize) {
        self.state().fails_after = Some(chunks);
    }

    fn info(id: u64, samples: &[StoredSample]) -> SeriesInfo {
        SeriesInfo {
            id,
            name: format!("Temperature {id}"),
            node_id: format!("nsu=urn:plant:press;s=T{id}"),
            attribute_id: 13,
            source: "opc.tcp://press-1:4840".to_owned(),
            application_uri: "urn:plant:press".to_owned(),
            device: "edge-1".to_owned(),
            writer_group: "press".to_owned(),
            writer: "press-1000".to_owned(),
            unit: "°C".to_owned(),
            last: samples.last().cloned(),
        }
    }
}

fn failure() -> HistoryError {
    HistoryError::Failed { code: ErrorCode("GMB-REG-005"), detail: "the disk fell off".to_owned() }
}

impl History for Plant {
    fn series(
        &self,
        search: &str,
        limit: usize,
        continuation: Option<&str>,
    ) -> Result<Page<SeriesInfo>, HistoryError> {
        let after: u64 = match continuation {
            Some(token) => token.parse().map_err(|_| HistoryError::InvalidContinuation)?,
            None => 0,
        };
        let state = self.state();
        let all = state.samples.iter().map(|(id, samples)| Self::info(*id, samples));
        let words: Vec<String> = search.split_whitespace().map(str::to_lowercase).collect();
        let fits = |info: &SeriesInfo| words.iter().all(|word| info.name.to_lowercase().contains(word));
        let mut items: Vec<SeriesInfo> =
            all.filter(|info| info.id > after && fits(info)).take(limit + 1).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let continuation = items.last().filter(|_| more).map(|info| info.id.to_string());
        Ok(Page { items, continuation })
    }

    fn series_by_id(&self, id: u64) -> Result<SeriesInfo, HistoryError> {
        let state = self.state();
        let samples = state.samples.get(&id).ok_or(HistoryError::UnknownSeries(id))?;
        Ok(Self::info(id, samples))
    }

    fn last(&self, ids: &[u64]) -> Vec<Option<StoredSample>> {
        let state = self.state();
        ids.iter().map(|id| state.samples.get(id)?.last().cloned()).collect()
    }

    fn samples(
        &self,
        query: &SampleQuery,
        receiver: &mut dyn FnMut(Vec<StoredSample>) -> ControlFlow<()>,
    ) -> Result<(), HistoryError> {
        let (mut found, fails_after) = {
            let state = self.state();
            let all = state.samples.get(&query.series).ok_or(HistoryError::UnknownSeries(query.series))?;
            let inside = |sample: &&StoredSample| (query.from..query.to).contains(&sample.time());
            (all.iter().filter(inside).cloned().collect::<Vec<_>>(), state.fails_after)
        };
        if query.descending {
            found.reverse();
        }
        for (index, chunk) in found.chunks(CHUNK).enumerate() {
            if Some(index) == fails_after {
                return Err(failure());
            }
            if receiver(chunk.to_vec()).is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// As the historian makes it, so that other people's readers can say what is in the answer.
    fn table(&self, format: TableFormat, query: &SampleQuery) -> Result<Box<dyn SampleTable>, HistoryError> {
        let series = self.series_by_id(query.series)?;
        let state = self.state();
        let samples = state.samples.get(&query.series).into_iter().flatten();
        let values = samples.filter(|sample| (query.from..query.to).contains(&sample.time()));
        let mut encoded = Vec::new();
        let kinds = values.map(|sample| {
            encoded.clear();
            encode_variant(&sample.value, &mut encoded);
            encoded.first().copied().unwrap_or(0)
        });
        gemba_historian::sample_table(format, &series, kinds.collect())
    }

    fn buckets(
        &self,
        series: u64,
        from: DateTime,
        to: DateTime,
        count: u32,
    ) -> Result<Vec<Bucket>, HistoryError> {
        self.series_by_id(series)?;
        let width = (to.ticks() - from.ticks()) / i64::from(count);
        Ok((0..i64::from(count))
            .map(|index| {
                let start = from.saturating_add_ticks(index * width);
                let empty = index > 0;
                let value = |value: f64| (!empty).then_some(value);
                Bucket {
                    start,
                    min: value(1.0),
                    max: value(f64::INFINITY),
                    avg: value(1.5),
                    count: u64::from(!empty),
                    bad: 0,
                    first: value(1.0).map(|v| (start, v)),
                    last: value(2.0).map(|v| (start, v)),
                }
            })
            .collect())
    }

    fn version(&self) -> u64 {
        self.state().version
    }

    fn changed_since(&self, version: u64, ids: &[u64]) -> Vec<u64> {
        let state = self.state();
        ids.iter().copied().filter(|id| state.changed.get(id).is_some_and(|at| *at > version)).collect()
    }
}

impl Ledger for Plant {
    fn gaps(&self, query: &GapQuery) -> Result<Page<GapEntry>, HistoryError> {
        if query.continuation.as_deref() == Some("nonsense") {
            return Err(HistoryError::InvalidContinuation);
        }
        let gap = GapEntry {
            series: query.series.unwrap_or(1),
            from: query.from,
            to: query.to,
            reason: GapReason::ServerRestart,
            hop: Hop::Field,
            count: None,
            closed: false,
        };
        let items = vec![gap; query.limit.min(2)];
        Ok(Page { items, continuation: Some("next".to_owned()) })
    }

    fn open_gaps(&self) -> u64 {
        2
    }

    fn completeness(&self) -> Vec<WriterCompleteness> {
        vec![WriterCompleteness {
            device: "edge-1".to_owned(),
            producer: "edge-1".to_owned(),
            epoch: "00000000000000ab".to_owned(),
            messages: 10,
            duplicates: 1,
            missing: 0,
            received: 1_000,
            stored: 990,
            pending: 10,
        }]
    }
}

impl FlowSource for Plant {
    fn reports(&self) -> Vec<StageReport> {
        self.state().reports.clone()
    }
}

/// A field stage with a problem, at noon.
pub(crate) fn field_report() -> StageReport {
    let at = time("2026-03-01T12:00:00Z");
    let mut report = StageReport::idle(Stage::Field, "edge-1", at);
    report.values_in = 100;
    report.problems.push(Problem {
        code: "GMB-REG-006".to_owned(),
        text: "The server's certificate is not trusted.".to_owned(),
        place: "opc.tcp://press-1:4840".to_owned(),
        remedy: "Trust it.".to_owned(),
        since: at,
        urgency: 3,
    });
    report
}
