//! What the sink makes of deliveries, with an uplink that refuses, fails and forgets.

use super::*;
use crate::plan::plan;
use crate::published_nodes::parse;
use gemba_base::Metrics;
use gemba_model::{DataSetMetaData, ErrorCode, Sample, StatusCode, Value};
use gemba_testkit::clock::ManualClock;
use gemba_ua::client::{DataChange, Notification};

const CODE: ErrorCode = ErrorCode("GMB-EDG-004");

/// Takes what its plan allows; each answer is used once, then everything is taken.
#[derive(Default)]
struct Queue {
    answers: Mutex<Vec<Result<(), UplinkError>>>,
    announcing: Mutex<Vec<Result<(), UplinkError>>>,
    taken: Mutex<Vec<Delivery>>,
}

impl Queue {
    fn will(&self, answers: impl IntoIterator<Item = Result<(), UplinkError>>) {
        let mut planned: Vec<_> = answers.into_iter().collect();
        planned.reverse();
        *self.answers.lock() = planned;
    }

    /// Each delivery in short: gaps, values, cursors.
    fn taken(&self) -> Vec<(String, usize, usize)> {
        let taken = self.taken.lock();
        let gaps = |delivery: &Delivery| {
            let gap = |gap: &GapRecord| {
                let GapScope::Writer { fields, .. } = &gap.scope else { return "producer".to_owned() };
                let fields: Vec<_> =
                    fields.iter().flatten().map(|field| (field.field, field.count)).collect();
                let times = [gap.from, gap.to].map(|time| time.map(DateTime::ticks));
                format!("{} at {} of {:?}: {fields:?} {times:?}", gap.reason, gap.hop.as_str(), gap.count)
            };
            delivery.gaps.iter().map(gap).collect::<Vec<_>>().join("; ")
        };
        let values = |delivery: &Delivery| delivery.batches.iter().map(|batch| batch.samples.len()).sum();
        taken.iter().map(|delivery| (gaps(delivery), values(delivery), delivery.cursors.len())).collect()
    }
}

impl Uplink for Queue {
    fn announce(&self, _: Arc<DataSetMetaData>) -> BoxFuture<'static, Result<(), UplinkError>> {
        let answer = self.announcing.lock().pop().unwrap_or(Ok(()));
        Box::pin(std::future::ready(answer))
    }
    fn publish(&self, delivery: Delivery) -> BoxFuture<'static, Result<(), UplinkError>> {
        let answer = self.answers.lock().pop().unwrap_or(Ok(()));
        if answer.is_ok() {
            self.taken.lock().push(delivery);
        }
        Box::pin(std::future::ready(answer))
    }
    fn cursors(&self) -> HashMap<String, Vec<u8>> {
        HashMap::new()
    }
    fn announced(&self) -> Vec<Arc<DataSetMetaData>> {
        Vec::new()
    }
    fn report(&self, _: gemba_api::StageReport) {}
}

fn rejected() -> Result<(), UplinkError> {
    Err(UplinkError::Rejected { code: CODE, detail: "too large".into() })
}

fn full() -> Result<(), UplinkError> {
    Err(UplinkError::Full { code: CODE, detail: "wait".into() })
}

struct Rig {
    queue: Arc<Queue>,
    sink: SessionSink,
    plan: Arc<SessionPlan>,
    clock: ManualClock,
}

fn rig() -> Rig {
    let text = r#"[ { "EndpointUrl": "opc.tcp://a:1", "OpcNodes": [ { "Id": "ns=1;s=A" }, { "Id": "nsu=urn:no;s=B" } ] } ]"#;
    let plan = Arc::new(plan(&parse(text).expect("read")).into_values().next().expect("a session"));
    let (queue, clock) = (Arc::new(Queue::default()), ManualClock::new(DateTime::from_ticks(1000)));
    let metrics = Metrics::default();
    let counter = |name| metrics.counter(name, "", &[]);
    let counters = SinkCounters { values: counter("a"), lost: counter("b"), unknown: counter("c") };
    let writers = Arc::new(Mutex::new(Writers::new(Vec::new())));
    let sink = SessionSink::new(plan.clone(), queue.clone(), Arc::new(clock.clone()), writers, counters);
    Rig { queue, sink, plan, clock }
}

impl Rig {
    fn connected(self) -> Self {
        let namespaces = vec!["http://opcfoundation.org/UA/".to_owned(), "urn:m".to_owned()];
        self.sink.event(SessionEvent::Connected { namespaces, application_uri: "urn:a".into() });
        self
    }

    fn handle(&self, field: u16) -> u32 {
        let mut items = self.plan.subscriptions.values().flat_map(|subscription| &subscription.items);
        items.find(|item| item.field == field).expect("the field").handle
    }

    /// Values of fields at times, as the delivery with this number.
    fn delivery(&self, number: u64, values: &[(u32, i64, StatusCode)]) -> client::Delivery {
        let sample = |(_, time, status): &(u32, i64, StatusCode)| Sample {
            value: Value::Int32(1),
            status: *status,
            source_timestamp: Some(DateTime::from_ticks(*time)),
            ..Sample::default()
        };
        let change = DataChange {
            handles: values.iter().map(|(handle, ..)| *handle).collect(),
            samples: values.iter().map(sample).collect(),
            bytes: Vec::new(),
        };
        client::Delivery {
            number,
            subscription: self.plan.subscriptions.keys().next().expect("one").clone(),
            cursor_key: "k".into(),
            server_subscription: 1,
            gap: None,
            notifications: vec![Notification {
                sequence_number: number as u32,
                publish_time: None,
                change: Arc::new(change),
            }],
            cursor: vec![number as u8],
        }
    }

    fn good(&self, number: u64) -> client::Delivery {
        let (a, b) = (self.handle(0), self.handle(1));
        let good = StatusCode::GOOD;
        self.delivery(number, &[(a, 100, good), (b, 105, good), (a, 110, good)])
    }
}

#[tokio::test]
async fn what_can_never_be_accepted_becomes_a_gap_and_the_flow_goes_on() {
    let rig = rig().connected();
    rig.queue.will([rejected()]);
    rig.sink.deliver(rig.good(1)).await.expect("accounted for, so the server is acknowledged");
    rig.sink.deliver(rig.good(2)).await.expect("taken");
    assert_eq!(
        rig.queue.taken(),
        [
            ("rejected at edge of Some(3): [(0, Some(2)), (1, Some(1))] [Some(99), Some(110)]".into(), 0, 1),
            (String::new(), 3, 1),
        ]
    );
    let refused = rig.sink.refused().expect("people are told");
    assert_eq!((refused.values, refused.reason.as_str()), (3, "GMB-EDG-004: too large"));
    assert_eq!((rig.sink.0.counters.lost.value(), rig.sink.0.counters.values.value()), (3, 3));
}

#[tokio::test]
async fn a_gap_that_waits_for_room_comes_again_with_its_delivery() {
    let rig = rig().connected();
    rig.queue.will([rejected(), full(), rejected()]);
    rig.sink.deliver(rig.good(1)).await.expect_err("the gap is not stored");
    let behind = rig.sink.deliver(rig.good(2)).await.expect_err("nothing overtakes it");
    assert_eq!(behind.to_string(), "an earlier delivery failed");
    rig.sink.deliver(rig.good(1)).await.expect("now the gap is");
    assert_eq!(rig.queue.taken().len(), 1);
    assert_eq!(rig.sink.refused().expect("told").values, 3, "counted once");
}

#[tokio::test]
async fn a_late_gap_does_not_turn_the_cursor_back() {
    let rig = rig().connected();
    rig.queue.will([rejected(), Ok(())]);
    // The second is handed on before the first is known to be refused.
    let first = rig.sink.deliver(rig.good(1));
    rig.sink.deliver(rig.good(2)).await.expect("taken");
    first.await.expect("a gap");
    let taken = rig.queue.taken();
    assert_eq!(
        taken.iter().map(|(_, values, cursors)| (*values, *cursors)).collect::<Vec<_>>(),
        [(3, 1), (0, 0)]
    );
}

#[tokio::test]
async fn when_not_even_the_gap_is_taken_the_flow_goes_on_and_it_is_said() {
    let rig = rig().connected();
    rig.queue.will([rejected(), rejected(), rejected()]);
    rig.sink.deliver(rig.good(1)).await.expect("given up");
    assert_eq!(rig.queue.taken(), []);
    assert_eq!(rig.sink.refused().expect("told").values, 3);
    rig.sink.deliver(rig.good(2)).await.expect("taken");
}

#[tokio::test]
async fn a_description_that_could_not_be_stored_is_told_again_before_any_data() {
    let rig = rig();
    *rig.queue.announcing.lock() = vec![full()];
    let rig = rig.connected();
    rig.sink.deliver(rig.good(1)).await.expect("the description was told again first");
    *rig.queue.announcing.lock() = vec![full(), full()];
    rig.sink.replan(rig.plan.clone());
    let error = rig.sink.deliver(rig.good(2)).await.expect_err("still no room");
    assert_eq!(error.to_string(), "the description of the data cannot be stored at the moment");
    rig.sink.deliver(rig.good(2)).await.expect("now there is");
    assert_eq!(rig.sink.refused(), None, "nothing was lost by it");
}

#[tokio::test]
async fn items_are_known_by_their_last_status_and_by_the_first_value_that_they_owe() {
    let rig = rig().connected();
    let all = |_: &str| true;
    assert_eq!(rig.sink.health(all).unheard, 2);
    assert_eq!(rig.sink.health(|_| false).unheard, 0, "a subscription that was taken over owes nothing");
    let bad = StatusCode::from_name("BadNoCommunication").expect("known");
    rig.sink.deliver(rig.delivery(1, &[(rig.handle(0), 1, bad)])).await.expect("taken");
    let health = rig.sink.health(all);
    assert_eq!((health.bad, health.unheard), (1, 1));
    assert_eq!(health.first_bad, Some(("ns=1;s=A".into(), bad)));
    assert_eq!(health.first_unheard.as_deref(), Some("nsu=urn:no;s=B"));
    rig.sink.replan(rig.plan.clone());
    assert_eq!(rig.sink.health(all), health, "another plan does not forget");
    rig.sink.deliver(rig.good(2)).await.expect("taken");
    assert_eq!(rig.sink.health(all), ItemHealth::default());
    assert_eq!(
        rig.sink.node_of(rig.handle(1)).as_deref(),
        Some("nsu=urn:no;s=B (the server has no namespace 'urn:no')")
    );
    rig.clock.advance(std::time::Duration::from_secs(1));
}

#[tokio::test]
async fn values_that_nobody_asked_for_are_counted_and_not_stored() {
    let rig = rig().connected();
    let stranger = rig.handle(0) ^ rig.handle(1) ^ 0x5555;
    rig.sink.deliver(rig.delivery(1, &[(stranger, 1, StatusCode::GOOD)])).await.expect("taken");
    assert_eq!(rig.queue.taken(), [(String::new(), 0, 1)]);
    assert_eq!(rig.sink.0.counters.unknown.value(), 1);
}
