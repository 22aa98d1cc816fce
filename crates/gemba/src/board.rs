//! Everybody's state in one place: the rooms of this process, and what edges elsewhere send up.

use gemba_api::flow::{FlowSource, Problem, StatusMessage};
use gemba_api::log::properties;
use gemba_api::{DeviceMessage, StageReport};
use gemba_base::Clock;
use gemba_hub::MessageTap;
use gemba_model::DateTime;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// An edge that says nothing for this long is shown as silent. It speaks every two seconds.
const SILENT_AFTER: Duration = Duration::from_secs(8);
/// An edge that says nothing for this long is not shown any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);
/// So many edges are shown.
const EDGES_MAX: usize = 10_000;

/// The board.
pub(crate) struct Board {
    clock: Arc<dyn Clock>,
    local: Mutex<Vec<Arc<dyn FlowSource>>>,
    /// By device: when it was heard, and what it said.
    edges: Mutex<BTreeMap<String, (DateTime, StatusMessage)>>,
}

impl Board {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, local: Mutex::default(), edges: Mutex::default() }
    }

    /// Adds a room of this process.
    pub(crate) fn add(&self, source: Arc<dyn FlowSource>) {
        self.local.lock().push(source);
    }
}

impl MessageTap for Board {
    fn wants(&self, message: &DeviceMessage) -> bool {
        message.property(properties::KIND) == Some(properties::KIND_STATUS)
    }

    fn durable(&self, message: DeviceMessage, _partition: u32, _offset: u64) {
        let Ok(mut status) = serde_json::from_slice::<StatusMessage>(&message.body) else {
            tracing::warn!(device = message.device, "a status message that cannot be read");
            return;
        };
        for stage in &mut status.stages {
            // A device speaks for itself alone.
            stage.instance.clone_from(&message.device);
        }
        let mut edges = self.edges.lock();
        if edges.len() < EDGES_MAX || edges.contains_key(&message.device) {
            edges.insert(message.device, (self.clock.now(), status));
        }
    }
}

impl FlowSource for Board {
    fn reports(&self) -> Vec<StageReport> {
        let now = self.clock.now();
        let local = self.local.lock().clone();
        let mut reports: Vec<StageReport> = Vec::new();
        let mut edges = self.edges.lock();
        edges.retain(|_, (heard, _)| now.since(*heard) < FORGOTTEN_AFTER);
        let mut here: Vec<StageReport> = local.iter().flat_map(|source| source.reports()).collect();
        for (device, (heard, status)) in &*edges {
            if here.iter().any(|report| report.instance == *device) {
                // The edge of this process speaks for itself, without the detour.
                continue;
            }
            let silent = now.since(*heard) > SILENT_AFTER;
            for (index, stage) in status.stages.iter().enumerate() {
                let mut stage = stage.clone();
                if silent && index == 0 {
                    stage.problems.push(silence(device, *heard));
                }
                reports.push(stage);
            }
        }
        drop(edges);
        reports.append(&mut here);
        reports.sort_by_key(|report| report.stage);
        reports
    }
}

fn silence(device: &str, heard: DateTime) -> Problem {
    Problem {
        code: "GMB-GEM-001".to_owned(),
        text: format!("The edge {device} has not been heard since {heard}."),
        place: device.to_owned(),
        remedy: "Check that it runs and reaches the hub. What it collects waits in its own queue.".to_owned(),
        since: heard,
        urgency: 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gemba_api::Stage;
    use gemba_base::SystemClock;

    /// A message that claims to be a status changes nothing but its own device's row.
    fn status_of_bytes(bytes: &[u8]) {
        let clock = Arc::new(SystemClock::new());
        let board = Board::new(clock.clone());
        let message = DeviceMessage {
            device: "edge-1".to_owned(),
            module: None,
            enqueued: clock.now(),
            system: Vec::new(),
            properties: vec![(properties::KIND.to_owned(), properties::KIND_STATUS.to_owned())],
            body: bytes.to_vec().into(),
        };
        assert!(board.wants(&message));
        board.durable(message, 0, 0);
        assert!(board.reports().iter().all(|report| report.instance == "edge-1"));
    }

    #[test]
    fn fuzz_status() {
        let now = SystemClock::new().now();
        let mut field = StageReport::idle(Stage::Field, "another", now);
        field.problems.push(silence("edge-2", now));
        let stages = vec![field, StageReport::idle(Stage::Edge, "x", now)];
        let input = serde_json::to_vec(&StatusMessage { version: 1, stages }).expect("is written");
        gemba_testkit::fuzz::Target::new("gemba-status", status_of_bytes).inputs([input]).run();
    }
}
