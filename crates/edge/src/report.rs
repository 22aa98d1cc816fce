//! What the edge says about itself.

use crate::queue::{Shared, StoreAndForward};
use gemba_api::flow::{FlowSource, Problem, Stage, StageReport, StatusMessage};

/// Format version of the status message.
const STATUS_VERSION: u32 = 1;

impl Shared {
    /// The edge stage as it is now.
    pub(crate) fn report(&self, link: Option<Problem>) -> StageReport {
        let now = self.clock.now();
        let mut report = StageReport::idle(Stage::Edge, self.options.producer.clone(), now);
        report.values_in = self.counters.values_in.value();
        report.values_out = self.counters.values_out.value();
        report.messages_in = self.counters.messages_in.value();
        report.messages_out = self.counters.messages_out.value();
        report.bytes_out = self.counters.bytes_out.value();
        report.values_lost = self.counters.values_dropped.value();
        report.queue_bytes_max = self.options.queue_bytes_max;
        let state = self.state.lock();
        report.queue_messages = state.next_sequence.saturating_sub(state.unacknowledged.1);
        if report.queue_messages > 0 {
            report.queue_bytes = self.log().map_or(0, |log| log.stats().bytes);
            let waited = state.oldest_waiting.map_or(0, |since| now.since(since).as_millis());
            report.lag_ms = u64::try_from(waited).unwrap_or(u64::MAX);
        }
        if let Some(trouble) = &state.trouble {
            report.problems.push(Problem {
                code: trouble.code.to_string(),
                text: format!("The edge's queue takes no data: {}.", trouble.text),
                place: self.options.data.display().to_string(),
                remedy: "Free space on the volume or raise edge.queue-bytes-max. Until then the machines' own queues hold the values.".to_owned(),
                since: trouble.since,
                urgency: 3,
            });
        }
        report.problems.extend(link);
        report
    }

    /// What goes up every few seconds.
    pub(crate) fn status(&self, link: Option<Problem>) -> StatusMessage {
        let mut stages: Vec<StageReport> = self.field_report.lock().clone().into_iter().collect();
        stages.push(self.report(link));
        StatusMessage { version: STATUS_VERSION, stages }
    }
}

impl FlowSource for StoreAndForward {
    fn reports(&self) -> Vec<StageReport> {
        self.shared.status(self.shared.link_problem.lock().clone()).stages
    }
}
