//! What the historian answers: [`History`], [`Ledger`] and [`FlowSource`].

use crate::day::TimeRange;
use crate::engine::{Engine, State};
use crate::error::HistorianError;
use crate::file::read::Wanted;
use crate::read::Scan;
use crate::read::buckets::Buckets;
use crate::row::Row;
use crate::series::{SeriesEntry, Words};
use crate::service::Historian;
use crate::table::sample_table;
use gemba_api::flow::{FlowSource, Problem};
use gemba_api::{
    Bucket, GapEntry, GapQuery, History, HistoryError, Ledger, Page, SampleQuery, SampleTable, SeriesInfo,
    Stage, StageReport, StoredSample, TableFormat, WriterCompleteness,
};
use gemba_model::DateTime;
use std::ops::ControlFlow;

/// Samples handed over at a time.
const CHUNK: usize = 8_192;
const BUCKETS_MAX: u32 = 10_000;
const SERIES_PAGE_MAX: usize = 10_000;
/// Series that a search looks at before others have their turn.
const SEARCH_PIECE: usize = 16_384;

fn info(state: &State, entry: &SeriesEntry) -> SeriesInfo {
    let alias = entry.current().cloned().unwrap_or_default();
    SeriesInfo {
        id: entry.id,
        name: alias.field.to_string(),
        node_id: entry.node.to_string(),
        attribute_id: entry.attribute,
        source: alias.way.endpoint_url.to_string(),
        application_uri: alias.way.application_uri.to_string(),
        device: alias.way.device.to_string(),
        writer_group: alias.way.writer_group.to_string(),
        writer: alias.way.writer.to_string(),
        unit: entry.unit.to_string(),
        last: state.last(entry.id).as_ref().map(Row::stored),
    }
}

/// What a search has found so far.
struct Found {
    items: Vec<SeriesInfo>,
    /// There is one more than may be in the page.
    more: bool,
    /// The last series that was looked at.
    after: u64,
}

impl Found {
    /// Looks at some more series. False at the end.
    fn look_on(&mut self, state: &State, words: &mut Words, limit: usize) -> bool {
        let mut looked = 0;
        for entry in state.series.after(self.after).take(SEARCH_PIECE) {
            (self.after, looked) = (entry.id, looked + 1);
            if !words.match_series(entry) {
                continue;
            }
            if self.items.len() >= limit {
                self.more = true;
                return false;
            }
            self.items.push(info(state, entry));
        }
        looked == SEARCH_PIECE
    }
}

fn known(engine: &Engine, series: u64) -> Result<(), HistoryError> {
    let known = engine.with_state(|state| state.series.entry(series).is_some());
    known.then_some(()).ok_or(HistoryError::UnknownSeries(series))
}

impl History for Historian {
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
        let limit = limit.clamp(1, SERIES_PAGE_MAX);
        let mut words = Words::new(search);
        let mut found = Found { items: Vec::new(), more: false, after };
        // In pieces, because values wait for the lock as well.
        while self.engine().with_state(|state| found.look_on(state, &mut words, limit)) {}
        let continuation = found.items.last().filter(|_| found.more).map(|last| last.id.to_string());
        Ok(Page { items: found.items, continuation })
    }

    fn series_by_id(&self, id: u64) -> Result<SeriesInfo, HistoryError> {
        self.engine()
            .with_state(|state| state.series.entry(id).map(|entry| info(state, entry)))
            .ok_or(HistoryError::UnknownSeries(id))
    }

    fn last(&self, ids: &[u64]) -> Vec<Option<StoredSample>> {
        // Values are made outside of the lock, which ingest needs too.
        let rows: Vec<Option<Row>> =
            self.engine().with_state(|state| ids.iter().map(|id| state.last(*id)).collect());
        rows.iter().map(|row| row.as_ref().map(Row::stored)).collect()
    }

    fn samples(
        &self,
        query: &SampleQuery,
        receiver: &mut dyn FnMut(Vec<StoredSample>) -> ControlFlow<()>,
    ) -> Result<(), HistoryError> {
        known(self.engine(), query.series)?;
        let range = TimeRange::new(query.from.ticks(), query.to.ticks());
        let wanted = Wanted { series: query.series, range };
        let mut chunk = Vec::new();
        let mut stopped = false;
        let read = self.engine().scan(Scan { wanted, descending: query.descending }, &mut |row| {
            chunk.push(row.stored());
            if chunk.len() == CHUNK {
                let flow = receiver(std::mem::take(&mut chunk));
                stopped = flow.is_break();
                return flow;
            }
            ControlFlow::Continue(())
        });
        if !stopped && !chunk.is_empty() {
            // Nothing follows, so whether the receiver wants more does not matter.
            let _more = receiver(chunk);
        }
        Ok(read?)
    }

    fn table(&self, format: TableFormat, query: &SampleQuery) -> Result<Box<dyn SampleTable>, HistoryError> {
        let series = self.series_by_id(query.series)?;
        let range = TimeRange::new(query.from.ticks(), query.to.ticks());
        let kinds = self.engine().kinds(Wanted { series: query.series, range })?;
        sample_table(format, &series, kinds)
    }

    fn buckets(
        &self,
        series: u64,
        from: DateTime,
        to: DateTime,
        count: u32,
    ) -> Result<Vec<Bucket>, HistoryError> {
        known(self.engine(), series)?;
        if count == 0 || count > BUCKETS_MAX {
            let text = format!("{count} buckets are not possible; ask for 1 to {BUCKETS_MAX}");
            return Err(HistorianError::Invalid(text).into());
        }
        let mut buckets = Buckets::new(from.ticks(), to.ticks(), count);
        let wanted = Wanted { series, range: TimeRange::new(from.ticks(), to.ticks()) };
        self.engine().aggregate(wanted, &mut buckets)?;
        Ok(buckets.finish())
    }

    fn version(&self) -> u64 {
        self.engine().version()
    }

    fn changed_since(&self, version: u64, ids: &[u64]) -> Vec<u64> {
        self.engine()
            .with_state(|state| ids.iter().copied().filter(|id| state.changed(*id) > version).collect())
    }
}

impl Ledger for Historian {
    fn gaps(&self, query: &GapQuery) -> Result<Page<GapEntry>, HistoryError> {
        self.engine().with_state(|state| state.ledger().query(query))
    }

    fn open_gaps(&self) -> u64 {
        self.engine().with_state(|state| state.ledger().open_count())
    }

    fn completeness(&self) -> Vec<WriterCompleteness> {
        self.engine().with_state(|state| state.producers().completeness())
    }
}

impl FlowSource for Historian {
    fn reports(&self) -> Vec<StageReport> {
        let engine = self.engine();
        let now = engine.clock.now();
        let counters = &engine.counters;
        let mut report = StageReport::idle(Stage::Store, "platform", now);
        report.values_in = counters.values_in.value();
        report.values_out = counters.values_stored.value();
        report.messages_in = counters.messages_in.value();
        report.messages_out = counters.messages_taken.value();
        report.bytes_out = counters.bytes_written.value();
        report.values_lost = counters.values_lost.value();
        let (waiting, queue, oldest) = engine.with_state(|state| {
            let waiting = (state.pending().len(), state.pending().bytes());
            let behind = self.behind(|partition| state.consumed(partition));
            let messages: u64 = behind.iter().map(|(_, behind)| *behind).sum();
            let heard = behind.iter().filter(|(_, behind)| *behind > 0);
            (waiting, messages, heard.filter_map(|(partition, _)| state.heard(*partition)).min())
        });
        report.queue_messages = queue;
        report.lag_ms = oldest.map_or(0, |ticks| {
            now.since(DateTime::from_ticks(ticks)).as_millis().try_into().unwrap_or(u64::MAX)
        });
        report.problems = engine.problems.list();
        if waiting.0 > 0 {
            report.problems.push(waiting_problem(waiting.0, waiting.1, now));
        }
        vec![report]
    }
}

fn waiting_problem(messages: usize, bytes: usize, now: DateTime) -> Problem {
    Problem {
        code: "GMB-HIS-010".to_owned(),
        text: format!("{messages} messages ({bytes} bytes) wait for the description of their data set"),
        place: "historian".to_owned(),
        remedy: "They are kept and stored as soon as the description comes; restart the publisher to have it sent again"
            .to_owned(),
        since: now,
        urgency: 2,
    }
}
