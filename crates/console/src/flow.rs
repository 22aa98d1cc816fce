//! The flow document: reports of the stages, with rates and an hour of history made from their counters.

mod rates;

use crate::live;
use crate::shapes::{Flow, Rate, Sparkline};
use axum::body::Bytes;
use gemba_api::flow::{Problem, Stage, StageReport};
use gemba_model::DateTime;
use parking_lot::Mutex;
use rates::Instance;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::sync::watch;

/// Problems that are shown; the most urgent ones.
const PROBLEMS_MAX: usize = 200;
/// Instances whose counters are followed; reports of more are shown without rates.
const INSTANCES_MAX: usize = 4_096;
/// An instance that is not reported any more is forgotten after so long.
const FORGET_AFTER: Duration = Duration::from_secs(3_600);
/// Steps of the history.
const STEPS: i64 = 60;
const STEP_SECONDS: i64 = 60;

/// The newest flow document, renewed by whoever calls [`Board::look`].
pub(crate) struct Board {
    version: String,
    state: Mutex<State>,
    newest: watch::Sender<Newest>,
}

/// The document as JSON, and as an event of live streams: made once for all of them.
#[derive(Clone, Default)]
pub(crate) struct Newest {
    pub(crate) json: Bytes,
    pub(crate) event: Bytes,
}

#[derive(Default)]
struct State {
    instances: HashMap<(Stage, String), Instance>,
    history: BTreeMap<Stage, Ring>,
}

impl Board {
    pub(crate) fn new(version: String) -> Self {
        Self { version, state: Mutex::new(State::default()), newest: watch::Sender::default() }
    }

    /// The newest document as JSON.
    pub(crate) fn json(&self) -> Bytes {
        self.newest.borrow().json.clone()
    }

    /// Tells of each new document.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Newest> {
        self.newest.subscribe()
    }

    /// Takes the reports of now. `monotonic` tells how old a report is that does not change any more.
    pub(crate) fn look(&self, now: DateTime, monotonic: Duration, stages: Vec<StageReport>, open_gaps: u64) {
        let flow = self.state.lock().look(now, monotonic, stages, open_gaps, &self.version);
        match serde_json::to_string(&flow) {
            Ok(json) => {
                let event = live::event("flow", &json);
                drop(self.newest.send_replace(Newest { json: json.into(), event }));
            }
            Err(error) => tracing::error!(%error, "the flow document is not JSON"),
        }
    }
}

impl State {
    fn look(
        &mut self,
        now: DateTime,
        monotonic: Duration,
        mut stages: Vec<StageReport>,
        open_gaps: u64,
        version: &str,
    ) -> Flow {
        stages.sort_by(|a, b| (a.stage, &a.instance).cmp(&(b.stage, &b.instance)));
        self.instances.retain(|_, instance| monotonic.saturating_sub(instance.heard()) < FORGET_AFTER);
        let mut rates: BTreeMap<&'static str, Rate> = BTreeMap::new();
        for report in &stages {
            let key = (report.stage, report.instance.clone());
            if self.instances.len() >= INSTANCES_MAX && !self.instances.contains_key(&key) {
                continue;
            }
            let instance = self.instances.entry(key).or_default();
            let (came_in, went_out) = instance.take(report, monotonic);
            let rate = instance.rate(monotonic);
            let sum = rates.entry(name(report.stage)).or_default();
            sum.values_in += rate.values_in;
            sum.values_out += rate.values_out;
            self.history.entry(report.stage).or_default().add(now, came_in, went_out);
        }
        let history = self.history.iter().map(|(stage, ring)| (name(*stage), ring.sparkline(now))).collect();
        let (problems, problems_total) = problems(&stages);
        Flow {
            at: now,
            version: version.to_owned(),
            stages,
            rates,
            history,
            open_gaps,
            problems,
            problems_total,
        }
    }
}

const fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Field => "field",
        Stage::Edge => "edge",
        Stage::Hub => "hub",
        Stage::Store => "store",
    }
}

/// Problems of stages and of their sources, each once, most urgent first, older before younger.
fn problems(stages: &[StageReport]) -> (Vec<Problem>, usize) {
    let of_stage = |stage: &StageReport| {
        let of_sources: Vec<Problem> = stage.sources.iter().filter_map(|s| s.problem.clone()).collect();
        stage.problems.iter().cloned().chain(of_sources).collect::<Vec<_>>()
    };
    let mut all: Vec<Problem> = stages.iter().flat_map(of_stage).collect();
    let rank = |p: &Problem| (std::cmp::Reverse(p.urgency), p.since, p.code.clone(), p.place.clone());
    all.sort_by_cached_key(rank);
    all.dedup();
    let total = all.len();
    all.truncate(PROBLEMS_MAX);
    (all, total)
}

/// Values of each of the last minutes.
#[derive(Default)]
struct Ring {
    minutes: BTreeMap<i64, (u64, u64)>,
    /// The second of the first report, which counts nothing yet.
    since: Option<i64>,
}

impl Ring {
    fn add(&mut self, now: DateTime, came_in: u64, went_out: u64) {
        let second = now.unix_seconds();
        // A wall clock that was set back has it begin anew.
        self.since = Some(self.since.map_or(second, |since| since.min(second)));
        let minute = second.div_euclid(STEP_SECONDS);
        let sum = self.minutes.entry(minute).or_default();
        sum.0 = sum.0.saturating_add(came_in);
        sum.1 = sum.1.saturating_add(went_out);
        // A wall clock that was set back leaves minutes of the future behind; they go too.
        self.minutes.retain(|other, _| (minute - STEPS + 1..=minute).contains(other));
    }

    /// Seconds of a minute whose values are known: a minute in progress, or one in which the first report came, is
    /// divided by what was seen of it, so that its value is not lower than what flowed.
    fn seconds_of(&self, minute: i64, now: DateTime) -> f64 {
        let begin = minute * STEP_SECONDS;
        let begin = self.since.map_or(begin, |since| begin.max(since + 1));
        let end = ((minute + 1) * STEP_SECONDS).min(now.unix_seconds() + 1);
        (end - begin).max(1) as f64
    }

    fn sparkline(&self, now: DateTime) -> Sparkline {
        let current = now.unix_seconds().div_euclid(STEP_SECONDS);
        let first = current - STEPS + 1;
        let value = |minute: i64, pick: fn(&(u64, u64)) -> u64| {
            let sums = self.minutes.get(&minute)?;
            Some(rounded(pick(sums) as f64 / self.seconds_of(minute, now)))
        };
        Sparkline {
            from: DateTime::from_unix_millis(first * STEP_SECONDS * 1000),
            step_seconds: STEP_SECONDS as u32,
            values_in: (first..=current).map(|minute| value(minute, |sums| sums.0)).collect(),
            values_out: (first..=current).map(|minute| value(minute, |sums| sums.1)).collect(),
        }
    }
}

/// One decimal: more would pretend, and would be sent to every page each second.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests;
