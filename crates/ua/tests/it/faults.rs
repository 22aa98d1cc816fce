//! Servers as they are in the field: wrong limits, full subscriptions, lies, odd clocks. Each is taken as it is.

use crate::flow::STOP;
use crate::peers::Peer;
use crate::plant::{Folder, NAMESPACE, item, options};
use crate::sink::{Record, Sink};
use gemba_base::Tasks;
use gemba_model::{NodeId, Sample};
use gemba_ua::client::session::ReadRequest;
use gemba_ua::client::{OpcUaSession, SessionEvent, SubscribedSession, SubscriptionSpec};
use std::collections::HashMap;
use std::time::Duration;

fn spec(items: u32, max_items: usize) -> SubscriptionSpec {
    SubscriptionSpec {
        name: "line".to_owned(),
        publishing_interval: Duration::from_millis(100),
        items: (0..items).map(|n| item(n, &format!("nsu={NAMESPACE};i={}", n + 1))).collect(),
        max_items,
    }
}

/// A session with a faulty server that delivers all items, each value once.
struct Rig {
    peer: Peer,
    folder: Folder,
    sink: Sink,
    session: SubscribedSession,
}

async fn faulty(faults: &str, items: u32) -> Option<Rig> {
    let setup = format!(r#""policies": ["None"], "items": {items}, "faults": {{{faults}}}"#);
    let peer = Peer::asyncua(&setup).await?;
    let (folder, sink, tasks) = (Folder::new(), Sink::default(), Tasks::new("test"));
    let mut options = options(peer.url(), &folder);
    options.request_timeout = Duration::from_secs(3);
    options.subscription_keep_alive_min = Duration::from_secs(2);
    let specs = vec![spec(items, 1000)];
    let session =
        SubscribedSession::start(options, specs, HashMap::new(), sink.shared(), &tasks).expect("starts");
    let rig = Rig { peer, folder, sink, session };
    rig.sink
        .until("each item delivers", |record| {
            record.values().values().filter(|values| values.len() > 3).count() == items as usize
        })
        .await;
    Some(rig)
}

impl Rig {
    fn read<T>(&self, read: impl FnOnce(&Record) -> T) -> T {
        self.sink.read(read)
    }

    fn assert_lossless(&self) {
        self.read(|record| {
            record.assert_lossless();
            assert_eq!(record.gaps(), []);
        });
    }

    /// Nothing twice, and nothing missing that no gap explains.
    fn assert_accounted(&self) {
        self.read(|record| match record.gaps().is_empty() {
            true => record.assert_lossless(),
            false => {
                for (handle, values) in record.values() {
                    let forward = values.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
                    assert!(forward, "handle {handle} has repetitions: {values:?}");
                }
            }
        });
    }

    async fn stop(self) {
        assert!(self.session.stop(true, STOP).await);
        drop(self.folder);
    }
}

#[tokio::test]
async fn limits_that_are_not_told_are_learnt_from_refusals() {
    for faults in [
        r#""items_per_call": 7, "no_limits": true"#,
        r#""items_per_call": 7, "nodes_per_read": 3, "lying_limits": true"#,
    ] {
        let Some(rig) = faulty(faults, 40).await else { return };
        rig.assert_lossless();
        rig.stop().await;
    }
}

#[tokio::test]
async fn reads_are_halved_until_they_pass() {
    let Some(peer) =
        Peer::asyncua(r#""policies": ["None"], "faults": {"nodes_per_read": 3, "lying_limits": true}"#).await
    else {
        return;
    };
    let folder = Folder::new();
    let session = OpcUaSession::connect(options(peer.url(), &folder)).await.expect("a session");
    let requests: Vec<ReadRequest> = vec![NodeId::numeric(0, 2258).into(); 100];
    assert_eq!(session.read(&requests).await.expect("values").len(), 100);
    assert!(session.operation_limits().nodes_per_read <= 3);
    session.close(true).await;
}

#[tokio::test]
async fn a_full_subscription_sends_its_items_into_further_ones_and_the_next_start_knows() {
    let Some(rig) = faulty(r#""items_per_subscription": 8"#, 30).await else { return };
    rig.assert_lossless();
    let status = rig.session.status();
    assert_eq!(status.rejected, []);
    let sizes: Vec<usize> = status.subscriptions.iter().map(|part| part.monitored).collect();
    assert_eq!(sizes, [8, 8, 8, 6]);
    // The cursor of a part is durable with its next delivery.
    let keys = ["line", "line#1", "line#2", "line#3"];
    rig.sink.until("all cursors", |record| keys.iter().all(|key| record.cursors.contains_key(*key))).await;
    let options = {
        let mut options = options(rig.peer.url(), &rig.folder);
        options.subscription_keep_alive_min = Duration::from_secs(2);
        options
    };
    let Rig { peer, folder, sink, session } = rig;
    assert!(session.stop(false, STOP).await);
    let (again, tasks) = (Sink::default(), Tasks::new("again"));
    let session =
        SubscribedSession::start(options, vec![spec(30, 1000)], sink.cursors(), again.shared(), &tasks)
            .expect("starts");
    again.until("each item delivers", |record| record.values().len() == 30).await;
    // Each is asked for by its id. This peer may fall silent after the transfer of a closed session's subscription, and
    // is then subscribed anew; what is spread how is known in both cases, without a refusal.
    let status = session.status();
    assert_eq!(status.counters.transfers, 4);
    assert_eq!(status.rejected, []);
    let sizes: Vec<usize> = status.subscriptions.iter().map(|part| part.monitored).collect();
    assert_eq!(sizes, [8, 8, 8, 6]);
    assert!(session.stop(true, STOP).await);
    drop((folder, peer));
}

#[tokio::test]
async fn a_call_that_is_answered_too_late_is_looked_up_and_not_repeated_blindly() {
    let Some(rig) = faulty(r#""slow_first_call": 6"#, 10).await else { return };
    rig.assert_accounted();
    rig.stop().await;
}

#[tokio::test]
async fn an_answer_with_a_missing_result_is_not_believed() {
    let Some(rig) = faulty(r#""short_answer": true"#, 10).await else { return };
    rig.assert_accounted();
    rig.stop().await;
}

type Check = fn(&[Sample]) -> bool;

fn pairs(samples: &[Sample], wanted: fn(&Sample, &Sample) -> bool) -> bool {
    samples.windows(2).any(|pair| matches!(pair, [a, b] if wanted(a, b)))
}

#[tokio::test]
async fn odd_timestamps_and_statuses_pass_as_they_are() {
    let cases: [(&str, Check); 5] = [
        ("null", |samples| samples.iter().any(|s| s.source_timestamp.is_none())),
        ("coarse", |samples| {
            samples.iter().filter_map(|s| s.source_timestamp).any(|t| t.ticks() % 10_000_000 == 0)
        }),
        ("equal", |samples| pairs(samples, |a, b| a.source_timestamp == b.source_timestamp)),
        ("jumping", |samples| pairs(samples, |a, b| b.source_timestamp < a.source_timestamp)),
        ("flapping", |samples| pairs(samples, |a, b| a.status.is_bad() && b.status.is_good())),
    ];
    for (kind, check) in cases {
        let Some(rig) = faulty(&format!(r#""timestamps": "{kind}""#), 1).await else { return };
        rig.sink
            .until(kind, |record| {
                let changes = record.deliveries.iter().flat_map(|delivery| &delivery.notifications);
                let samples: Vec<_> = changes.flat_map(|n| n.change.samples.clone()).collect();
                samples.len() > 12 && check(&samples)
            })
            .await;
        // A Bad value comes without its number.
        if kind != "flapping" {
            rig.assert_lossless();
        }
        let dropped = |event: &SessionEvent| matches!(event, SessionEvent::NotUnderstood { .. });
        assert!(!rig.read(|record| record.events.iter().any(dropped)), "{kind}");
        rig.stop().await;
    }
}
