//! Facts about rates, history and problems.

use super::*;
use gemba_api::flow::{SourceReport, SourceState};

/// A board that is looked at once a second from noon on.
struct Seconds {
    state: State,
    second: u64,
}

impl Seconds {
    fn new() -> Self {
        Self { state: State::default(), second: 0 }
    }

    fn noon() -> DateTime {
        "2026-03-01T12:00:00Z".parse().expect("a time")
    }

    fn now(&self) -> DateTime {
        Self::noon().saturating_add(Duration::from_secs(self.second))
    }

    fn report(&self, stage: Stage, instance: &str, values_in: u64) -> StageReport {
        let idle = StageReport::idle(stage, instance, self.now());
        StageReport { values_in, values_out: values_in / 2, ..idle }
    }

    fn look(&mut self, stages: Vec<StageReport>) -> Flow {
        let flow = self.state.look(self.now(), Duration::from_secs(self.second), stages, 3, "1.0.0");
        self.second += 1;
        flow
    }

    /// Looks `seconds` times while a counter grows by `step` a second from `start`.
    fn run(&mut self, seconds: u64, start: u64, step: u64) -> Flow {
        let mut flow = None;
        for n in 0..seconds {
            let report = self.report(Stage::Hub, "platform", start + n * step);
            flow = Some(self.look(vec![report]));
        }
        flow.expect("at least one second")
    }
}

fn values_in(flow: &Flow, stage: &str) -> Option<f64> {
    flow.rates.get(stage).map(|rate| rate.values_in)
}

#[test]
fn a_steady_counter_has_a_steady_rate() {
    let flow = Seconds::new().run(30, 1_000_000, 75);
    assert_eq!(flow.rates.get("hub"), Some(&Rate { values_in: 75.0, values_out: 37.5 }));
    assert_eq!(flow.rates.len(), 1, "stages that do not report have no rate");
    assert_eq!(flow.open_gaps, 3);
}

#[test]
fn the_first_report_says_nothing_about_the_rate() {
    assert_eq!(values_in(&Seconds::new().run(1, 1_000_000, 75), "hub"), Some(0.0));
}

#[test]
fn a_restarted_counter_is_not_a_negative_rate() {
    let mut seconds = Seconds::new();
    seconds.run(30, 5_000, 10);
    let flow = seconds.run(2, 10, 10);
    assert_eq!(values_in(&flow, "hub"), Some(10.0));
}

#[test]
fn instances_add_up_and_rare_reports_are_smooth() {
    let mut seconds = Seconds::new();
    let mut rare = seconds.report(Stage::Edge, "edge-2", 0);
    for n in 0..60 {
        if n % 5 == 0 {
            rare = seconds.report(Stage::Edge, "edge-2", n * 100);
        }
        let flow = seconds.look(vec![seconds.report(Stage::Edge, "edge-1", n * 10), rare.clone()]);
        if n > 10 {
            assert_eq!(values_in(&flow, "edge"), Some(110.0), "second {n}");
        }
    }
}

#[test]
fn an_instance_that_went_quiet_has_no_rate() {
    let mut seconds = Seconds::new();
    seconds.run(20, 0, 10);
    let last = seconds.report(Stage::Hub, "platform", 200);
    let rates: Vec<_> = (0..60).map(|_| values_in(&seconds.look(vec![last.clone()]), "hub")).collect();
    assert_eq!((rates.first(), rates.last()), (Some(&Some(10.0)), Some(&Some(0.0))));
}

#[test]
fn the_history_has_sixty_minutes_and_says_where_nothing_is_known() {
    let mut seconds = Seconds::new();
    let flow = seconds.run(150, 0, 10);
    let hub = flow.history.get("hub").expect("is there");
    assert_eq!(hub.values_in.len(), 60);
    assert_eq!(hub.from.to_string(), "2026-03-01T11:03:00.0000000Z");
    assert_eq!(hub.values_in.get(56..), Some([None, Some(10.0), Some(10.0), Some(10.0)].as_slice()));
    assert_eq!(hub.values_out.get(59), Some(&Some(5.0)));

    seconds.second += 3 * 3_600;
    let flow = seconds.run(1, 5_000, 10);
    let known = flow.history.get("hub").expect("is there").values_in.iter().flatten().count();
    assert_eq!(known, 1, "what is older than an hour is gone");
}

#[test]
fn the_minute_of_the_first_report_is_not_lower_than_what_flowed() {
    let mut seconds = Seconds::new();
    seconds.second = 45;
    for n in 0..40 {
        let flow = seconds.look(vec![seconds.report(Stage::Hub, "platform", n * 10)]);
        let hub = flow.history.get("hub").expect("is there");
        let told: Vec<f64> = hub.values_in.iter().flatten().copied().collect();
        assert!(n == 0 || told.iter().all(|rate| *rate == 10.0), "second {n}: {told:?}");
    }
}

#[test]
fn a_wall_clock_that_is_set_back_leaves_no_future_behind() {
    let mut ring = Ring::default();
    let minute = |minute: i64| DateTime::from_unix_millis(minute * 60_000);
    ring.add(minute(9), 0, 0);
    ring.add(minute(1_000), 60, 0);
    ring.add(minute(10), 120, 0);
    let line = ring.sparkline(DateTime::from_unix_millis(10 * 60_000 + 59_000));
    assert_eq!(line.values_in.iter().flatten().collect::<Vec<_>>(), [&2.0]);
}

fn problem(text: &str, urgency: u8, since: u64) -> Problem {
    Problem {
        code: "GMB-X-001".to_owned(),
        text: text.to_owned(),
        place: "here".to_owned(),
        remedy: "none".to_owned(),
        since: Seconds::noon().saturating_add(Duration::from_secs(since)),
        urgency,
    }
}

#[test]
fn problems_of_stages_and_sources_are_ranked_and_bounded() {
    let mut seconds = Seconds::new();
    let mut field = seconds.report(Stage::Field, "edge-1", 0);
    field.problems = vec![problem("young", 3, 9), problem("info", 1, 0), problem("old", 3, 1)];
    field.sources = vec![SourceReport {
        endpoint: "opc.tcp://x".to_owned(),
        group: "g".to_owned(),
        state: SourceState::Stopped,
        since: Seconds::noon(),
        last_data: None,
        items: 1,
        items_bad: 0,
        problem: Some(problem("lost", 4, 10)),
    }];
    let again = StageReport { instance: "edge-2".to_owned(), ..field.clone() };
    let flow = seconds.look(vec![again, field.clone()]);
    let texts: Vec<&str> = flow.problems.iter().map(|problem| problem.text.as_str()).collect();
    assert_eq!(texts, ["lost", "old", "young", "info"]);
    let instances: Vec<&str> = flow.stages.iter().map(|stage| stage.instance.as_str()).collect();
    assert_eq!(instances, ["edge-1", "edge-2"]);

    field.problems = (0..500).map(|n| problem(&n.to_string(), 2, n)).collect();
    let flow = seconds.look(vec![field]);
    assert_eq!((flow.problems.len(), flow.problems_total), (200, 501));
}
