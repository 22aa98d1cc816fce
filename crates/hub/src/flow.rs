//! The hub's line on the page "how it flows".

use crate::log::{HubLog, PartitionState};
use crate::mqtt::{MqttFront, RefusedDevice};
use crate::reason::EndReason;
use gemba_api::flow::FlowSource;
use gemba_api::{EventLog, Problem, Stage, StageReport};
use gemba_base::{Clock, Tasks};
use gemba_model::{DateTime, ErrorCode};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// One mark a second and partition, for an hour: what waits longer is at least that old.
const MARKS_MAX: usize = 3_600;

/// Reports about the hub: what came in, what the required consumers have committed, what is wrong.
#[derive(Clone)]
pub struct HubFlow(Arc<Inner>);

struct Inner {
    log: HubLog,
    front: MqttFront,
    clock: Arc<dyn Clock>,
    /// Committed offsets when the process began: what went out is counted from there.
    begin: Vec<u64>,
    marks: Mutex<Vec<VecDeque<Mark>>>,
    /// Since when each problem lasts.
    since: Mutex<BTreeMap<String, DateTime>>,
}

/// Where a partition ended at some time.
#[derive(Debug, Clone, Copy)]
struct Mark {
    next_offset: u64,
    at: DateTime,
}

impl std::fmt::Debug for HubFlow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubFlow").finish_non_exhaustive()
    }
}

impl HubFlow {
    /// Watches a log and a front end until `tasks` stops.
    pub fn new(log: HubLog, front: MqttFront, clock: Arc<dyn Clock>, tasks: &Tasks) -> Self {
        let partitions = 0..log.partitions();
        let begin = partitions.clone().map(|partition| consumed(&log, partition)).collect();
        let marks = Mutex::new(partitions.map(|_| VecDeque::new()).collect());
        let flow =
            Self(Arc::new(Inner { log, front, clock, begin, marks, since: Mutex::new(BTreeMap::new()) }));
        let (marking, stopping) = (flow.clone(), tasks.clone());
        tasks.spawn(async move {
            loop {
                marking.mark();
                tokio::select! {
                    () = stopping.stopping() => return,
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
            }
        });
        flow
    }

    fn mark(&self) {
        let at = self.0.clock.now();
        let mut marks = self.0.marks.lock();
        for (partition, marks) in (0..).zip(marks.iter_mut()) {
            let (_, next_offset) = self.0.log.bounds(partition);
            if marks.back().is_some_and(|mark| mark.next_offset == next_offset) {
                continue;
            }
            if marks.len() >= MARKS_MAX {
                marks.pop_front();
            }
            marks.push_back(Mark { next_offset, at });
        }
    }

    /// How long the oldest message that is not consumed has been waiting.
    fn lag(&self, partition: u32, consumed: u64, next_offset: u64, now: DateTime) -> Duration {
        if consumed >= next_offset {
            return Duration::ZERO;
        }
        let mut marks = self.0.marks.lock();
        let Some(marks) = marks.get_mut(partition as usize) else { return Duration::ZERO };
        // The last mark at or before the first message that waits: it came after that.
        while marks.get(1).is_some_and(|second| second.next_offset <= consumed) {
            marks.pop_front();
        }
        marks.front().map_or(Duration::ZERO, |mark| now.since(mark.at))
    }

    fn problems(&self, states: &[PartitionState], now: DateTime) -> Vec<Problem> {
        let mut problems = Vec::new();
        for state in states {
            if let Some((code, text)) = &state.problem {
                problems.push(Problem {
                    code: code.to_string(),
                    text: text.clone(),
                    place: format!("event log, partition {}", state.partition),
                    remedy: EndReason::LogUnavailable.remedy().to_owned(),
                    since: now,
                    urgency: 3,
                });
            }
        }
        problems.extend(self.0.front.ends().refused().into_iter().filter_map(refused));
        // A partition's problem began when it was first reported.
        let mut since = self.0.since.lock();
        since.retain(|place, _| problems.iter().any(|problem| problem.place == *place));
        for problem in &mut problems {
            let first = *since.entry(problem.place.clone()).or_insert(problem.since);
            problem.since = first.min(problem.since);
        }
        problems
    }
}

/// What the required consumers have of a partition; all of it when none is required.
fn consumed(log: &HubLog, partition: u32) -> u64 {
    let (first, next) = log.bounds(partition);
    log.committed_by_all(partition).map_or(next, |committed| committed.clamp(first, next.max(first)))
}

fn refused(device: RefusedDevice) -> Option<Problem> {
    let code: ErrorCode = device.end.reason.code()?;
    Some(Problem {
        code: code.to_string(),
        text: format!(
            "device '{}' was turned away {} times: {}",
            device.identity,
            device.times,
            if device.end.detail.is_empty() { device.end.reason.name() } else { &device.end.detail }
        ),
        place: device.identity,
        remedy: device.end.reason.remedy().to_owned(),
        since: device.since,
        urgency: 2,
    })
}

impl FlowSource for HubFlow {
    fn reports(&self) -> Vec<StageReport> {
        let now = self.0.clock.now();
        let shared = self.0.front.shared();
        let states = self.0.log.states();
        let mut report = StageReport::idle(Stage::Hub, "platform", now);
        report.messages_in = shared.counters.messages.value();
        report.bytes_out = shared.counters.bytes.value();
        for (state, begin) in states.iter().zip(&self.0.begin) {
            let consumed = consumed(&self.0.log, state.partition);
            report.messages_out += consumed.saturating_sub(*begin);
            report.queue_messages += state.next_offset.saturating_sub(consumed) + state.queue_messages as u64;
            report.queue_bytes += state.queue_bytes as u64;
            let lag = self.lag(state.partition, consumed, state.next_offset, now);
            report.lag_ms = report.lag_ms.max(u64::try_from(lag.as_millis()).unwrap_or(u64::MAX));
        }
        report.problems = self.problems(&states, now);
        vec![report]
    }
}
