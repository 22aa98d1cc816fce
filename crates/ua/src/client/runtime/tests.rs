//! The way to the sink, with a sink that fails, and the figures that are asked of a server.

use super::deliveries::{self, Parcel};
use super::serve::subscription_request;
use super::*;
use crate::client::publishing::PartId;
use crate::client::trust::{Application, TrustOptions, TrustStore};
use parking_lot::Mutex;

/// Fails what its plan says, by attempt, and everything that is outstanding behind a failure.
#[derive(Default)]
struct Flaky {
    plan: Mutex<Vec<bool>>,
    attempts: Mutex<Vec<u32>>,
    stored: Mutex<Vec<u32>>,
}

impl DeliverySink for Flaky {
    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Result<(), SinkError>> {
        let number = delivery.server_subscription;
        self.attempts.lock().push(number);
        let works = self.plan.lock().pop().unwrap_or(true);
        if works {
            self.stored.lock().push(number);
        }
        Box::pin(async move { if works { Ok(()) } else { Err(SinkError("no".into())) } })
    }

    fn event(&self, _: SessionEvent) {}
}

fn parcel(number: u32) -> Parcel {
    let delivery = Delivery {
        number: u64::from(number),
        subscription: "s".into(),
        cursor_key: "s".into(),
        server_subscription: number,
        gap: None,
        notifications: Vec::new(),
        cursor: Vec::new(),
    };
    Parcel { part: PartId(0), id: u64::from(number), delivery }
}

async fn run(plan: &[bool]) -> (Vec<u32>, Vec<u32>, Vec<u64>) {
    let sink = Arc::new(Flaky::default());
    *sink.plan.lock() = plan.iter().rev().copied().collect();
    let (parcels, inbox) = mpsc::channel(16);
    let (durable, mut stored) = mpsc::channel(16);
    for number in 1..=3 {
        parcels.send(parcel(number)).await.expect("taken");
    }
    let shared: Arc<dyn DeliverySink> = Arc::<Flaky>::clone(&sink);
    let worker = tokio::spawn(deliveries::run(shared, inbox, durable));
    let mut ids = Vec::new();
    while ids.len() < 3 {
        ids.push(stored.recv().await.expect("durable").1);
    }
    drop(parcels);
    worker.await.expect("ends");
    (sink.attempts.lock().clone(), sink.stored.lock().clone(), ids)
}

#[tokio::test]
async fn deliveries_are_stored_in_order_and_reported() {
    let (attempts, stored, ids) = run(&[]).await;
    assert_eq!((attempts, stored), (vec![1, 2, 3], vec![1, 2, 3]));
    assert_eq!(ids, [1, 2, 3]);
}

#[tokio::test]
async fn what_failed_and_all_behind_it_comes_again_in_order_and_what_succeeded_does_not() {
    let (attempts, stored, _) = run(&[true, false, false]).await;
    assert_eq!(attempts, [1, 2, 3, 2, 3]);
    assert_eq!(stored, [1, 2, 3]);
}

#[tokio::test]
async fn nothing_overtakes_a_failure_that_repeats() {
    let (attempts, stored, _) = run(&[false, false, false, false, false, false]).await;
    assert_eq!(attempts, [1, 2, 3, 1, 2, 3, 1, 2, 3]);
    assert_eq!(stored, [1, 2, 3]);
}

#[test]
fn keep_alives_and_lifetimes_follow_the_publishing_interval() {
    let folder = std::env::temp_dir().join(format!("gemba-runtime-{}", gemba_base::random::hex::<8>()));
    let application = Application {
        uri: "urn:test".into(),
        name: "test".into(),
        host_names: Vec::new(),
        addresses: Vec::new(),
    };
    let trust = TrustStore::open(&folder, &application, TrustOptions::default()).expect("a store");
    let options = SessionOptions::new("opc.tcp://localhost:4840", trust, &folder);
    let figures = |millis: u64| {
        let request = subscription_request(&options, Duration::from_millis(millis));
        (request.keep_alive_count, request.lifetime_count)
    };
    std::fs::remove_dir_all(&folder).ok();
    assert_eq!(figures(100), (25, 9_000), "2.5 s and 15 minutes");
    assert_eq!(figures(1_000), (10, 900), "ten intervals");
    assert_eq!(figures(60_000), (10, 30), "at least three keep-alives in a lifetime");
    assert_eq!(figures(0), (2_500, 900_000));
}
