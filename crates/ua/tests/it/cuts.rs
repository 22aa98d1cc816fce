//! Cuts, black holes, restarts of either side: each value once, or a gap that says why.

use crate::flow::STOP;
use crate::plant::{COUNTERS, Folder, Plant, options, spec};
use crate::proxy::Proxy;
use crate::sink::{Record, Sink};
use gemba_base::{Secret, Tasks};
use gemba_model::GapReason;
use gemba_ua::client::{
    Identity, Security, SecurityMode, SessionEvent, SessionOptions, SessionState, SubscribedSession,
};
use std::collections::HashMap;
use std::time::Duration;

pub(crate) fn secured(url: String, folder: &Folder) -> SessionOptions {
    let mut options = options(url, folder);
    options.security = Security::mode(SecurityMode::SignAndEncrypt);
    options.identity = Identity::UserName { user: "operator".into(), password: Secret::new("correct") };
    options
}

fn outages(record: &Record) -> Vec<u64> {
    let missing = record.events.iter().filter_map(|event| match event {
        SessionEvent::OutageEnded { missing, .. } => Some(*missing),
        _ => None,
    });
    missing.collect()
}

async fn started(url: String, folder: &Folder, sink: &Sink, tasks: &Tasks) -> SubscribedSession {
    let specs = vec![spec("line", 0..COUNTERS)];
    let session = SubscribedSession::start(secured(url, folder), specs, sink.cursors(), sink.shared(), tasks)
        .expect("starts");
    sink.until("the first values came", |record| record.values().len() == COUNTERS as usize).await;
    session
}

#[tokio::test]
async fn a_cut_loses_nothing_and_is_reported_with_its_times() {
    let (plant, folder, sink, tasks) =
        (Plant::start().await, Folder::new(), Sink::default(), Tasks::new("test"));
    let proxy = Proxy::start(plant.address()).await;
    let session = started(proxy.url(), &folder, &sink, &tasks).await;
    plant.tick_for(Duration::from_millis(500)).await;
    proxy.cut();
    plant.tick_for(Duration::from_secs(2)).await;
    proxy.heal();
    let last = plant.tick_for(Duration::from_millis(500)).await;
    sink.until("the last value came", |record| (0..COUNTERS).all(|handle| record.last(handle) == last)).await;
    sink.until("the outage is over", |record| outages(record) == [0]).await;
    sink.read(|record| {
        record.assert_lossless();
        assert_eq!(record.gaps(), []);
    });
    let counters = session.status().counters;
    assert_eq!((counters.transfers, counters.creations), (1, 1));
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn a_black_hole_is_noticed_by_silence_and_loses_nothing() {
    let (plant, folder, sink, tasks) =
        (Plant::start().await, Folder::new(), Sink::default(), Tasks::new("test"));
    let proxy = Proxy::start(plant.address()).await;
    let session = started(proxy.url(), &folder, &sink, &tasks).await;
    plant.tick_for(Duration::from_millis(300)).await;
    proxy.swallow();
    plant.tick_for(Duration::from_secs(4)).await;
    proxy.heal();
    let last = plant.tick_for(Duration::from_millis(300)).await;
    sink.until("the last value came", |record| (0..COUNTERS).all(|handle| record.last(handle) == last)).await;
    sink.read(|record| {
        record.assert_lossless();
        assert_eq!(record.gaps(), []);
    });
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn a_silence_that_passes_keeps_its_connection_and_is_said() {
    let (plant, folder, sink, tasks) =
        (Plant::start().await, Folder::new(), Sink::default(), Tasks::new("test"));
    let proxy = Proxy::start(plant.address()).await;
    let session = started(proxy.url(), &folder, &sink, &tasks).await;
    plant.tick_for(Duration::from_millis(300)).await;
    proxy.hold();
    plant.tick_for(Duration::from_millis(300)).await;
    let states = |record: &Record, wanted: SessionState| {
        let states = record.events.iter().filter_map(|event| match event {
            SessionEvent::State { state, .. } => Some(*state),
            _ => None,
        });
        states.filter(|state| *state == wanted).count()
    };
    sink.until("the silence is said", |record| states(record, SessionState::Silent) == 1).await;
    assert_eq!(session.status().state, SessionState::Silent);
    proxy.heal();
    let last = plant.tick_for(Duration::from_millis(300)).await;
    sink.until("the last value came", |record| (0..COUNTERS).all(|handle| record.last(handle) == last)).await;
    sink.read(|record| {
        record.assert_lossless();
        assert_eq!(record.gaps(), []);
        assert_eq!(states(record, SessionState::Subscribed), 2, "before, and again after the silence");
        assert_eq!(states(record, SessionState::Reconnecting), 0);
    });
    let counters = session.status().counters;
    assert_eq!((counters.silences, counters.transfers), (1, 0), "the first connection won");
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn a_client_that_dies_takes_its_subscription_over_at_the_next_start() {
    let (plant, folder, sink) = (Plant::start().await, Folder::new(), Sink::default());
    // A process of its own, as far as tasks and sockets go: it can be killed without a good-bye.
    let process = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let (url, first_sink) = (plant.url(), sink.clone());
    let options = secured(url, &folder);
    let first = process.spawn(async move {
        let specs = vec![spec("line", 0..COUNTERS)];
        let tasks = Tasks::new("first");
        SubscribedSession::start(options, specs, HashMap::new(), first_sink.shared(), &tasks).expect("starts")
    });
    let first = first.await.expect("started");
    sink.until("the first values came", |record| record.values().len() == COUNTERS as usize).await;
    plant.tick_for(Duration::from_millis(500)).await;
    // Received, but not durable: the server must keep it.
    sink.hold(true);
    plant.tick_for(Duration::from_millis(500)).await;
    let cursors = sink.cursors();
    process.shutdown_background();
    std::mem::forget(first);
    let second_sink = Sink::default();
    plant.tick_for(Duration::from_millis(500)).await;
    let tasks = Tasks::new("second");
    let specs = vec![spec("line", 0..COUNTERS)];
    let session =
        SubscribedSession::start(secured(plant.url(), &folder), specs, cursors, second_sink.shared(), &tasks)
            .expect("starts");
    let last = plant.tick_for(Duration::from_millis(300)).await;
    second_sink.until("the last value came", |record| (0..COUNTERS).all(|h| record.last(h) == last)).await;
    let before = sink.read(|record| record.values());
    second_sink.read(|record| {
        record.assert_lossless();
        assert_eq!(record.gaps(), []);
        for (handle, values) in record.values() {
            let stored = before.get(&handle).and_then(|values| values.last()).copied();
            assert_eq!(
                values.first().copied(),
                stored.map(|value| value + 1),
                "handle {handle} goes on seamlessly"
            );
        }
    });
    let counters = session.status().counters;
    assert!(counters.republished > 0, "{counters:?}");
    assert_eq!(counters.creations, 0);
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn a_server_that_restarts_gives_a_gap_and_a_new_subscription() {
    let (plant, folder, sink, tasks) =
        (Plant::start().await, Folder::new(), Sink::default(), Tasks::new("test"));
    let proxy = Proxy::start(plant.address()).await;
    let session = started(proxy.url(), &folder, &sink, &tasks).await;
    plant.tick_for(Duration::from_millis(300)).await;
    proxy.cut();
    plant.kill().await;
    let plant = Plant::start().await;
    proxy.lead_to(plant.address());
    proxy.heal();
    sink.until("a gap stands", |record| !record.gaps().is_empty()).await;
    let gaps = sink.read(Record::gaps);
    assert_eq!(gaps.iter().map(|gap| gap.reason).collect::<Vec<_>>(), [GapReason::ServerRestart]);
    assert!(gaps.iter().all(|gap| gap.since.is_some()));
    for _ in 0..100 {
        plant.tick();
    }
    let last = plant.tick();
    sink.until("the new server's values came", |record| record.last(0) == last).await;
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn other_items_at_the_next_start_mean_a_new_subscription_and_a_gap() {
    let (plant, folder, sink, tasks) =
        (Plant::start().await, Folder::new(), Sink::default(), Tasks::new("first"));
    let first = started(plant.url(), &folder, &sink, &tasks).await;
    assert!(first.stop(false, STOP).await);
    let tasks = Tasks::new("second");
    let specs = vec![spec("line", 0..2)];
    let session =
        SubscribedSession::start(secured(plant.url(), &folder), specs, sink.cursors(), sink.shared(), &tasks)
            .expect("starts");
    sink.until("a gap stands", |record| !record.gaps().is_empty()).await;
    let reasons: Vec<_> = sink.read(|record| record.gaps().iter().map(|gap| gap.reason).collect());
    assert_eq!(reasons, [GapReason::EdgeRestart]);
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn an_anonymous_session_without_security_may_not_take_over_and_says_so() {
    let (plant, folder, sink, tasks) =
        (Plant::start().await, Folder::new(), Sink::default(), Tasks::new("test"));
    let proxy = Proxy::start(plant.address()).await;
    let session = SubscribedSession::start(
        options(proxy.url(), &folder),
        vec![spec("line", 0..1)],
        HashMap::new(),
        sink.shared(),
        &tasks,
    )
    .expect("starts");
    sink.until("the first value came", |record| record.last(0) == 0).await;
    proxy.cut();
    plant.tick_for(Duration::from_millis(200)).await;
    proxy.heal();
    sink.until("a gap stands", |record| !record.gaps().is_empty()).await;
    sink.read(|record| {
        let refused = |event: &SessionEvent| {
            matches!(event, SessionEvent::TransferRefused { status, .. } if status.name() == Some("BadUserAccessDenied"))
        };
        assert!(record.events.iter().any(refused), "{:?}", record.events);
        assert_eq!(record.gaps().first().map(|gap| gap.reason), Some(GapReason::Disconnection));
    });
    let last = plant.tick();
    sink.until("values flow again", |record| record.last(0) == last).await;
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn a_queue_that_is_too_short_is_said_at_once_and_its_overflow_is_a_gap() {
    let plant = Plant::start_with(|mut builder| {
        builder.limits_mut().subscriptions.max_monitored_item_queue_size = 3;
        builder
    })
    .await;
    let (folder, sink, tasks) = (Folder::new(), Sink::default(), Tasks::new("test"));
    let proxy = Proxy::start(plant.address()).await;
    let session = started(proxy.url(), &folder, &sink, &tasks).await;
    sink.until("the warning came", |record| {
        record.events.iter().any(|event| matches!(event, SessionEvent::QueueTooShort { items: 5, .. }))
    })
    .await;
    proxy.cut();
    let last = plant.tick_for(Duration::from_secs(1)).await;
    proxy.heal();
    sink.until("the last value came", |record| (0..COUNTERS).all(|handle| record.last(handle) == last)).await;
    let gaps = sink.read(Record::gaps);
    assert!(
        gaps.iter()
            .any(|gap| gap.reason == GapReason::Overflow && gap.handles.as_deref() == Some(&[0, 1, 2, 3, 4])),
        "{gaps:?}"
    );
    assert!(session.stop(true, STOP).await);
}
