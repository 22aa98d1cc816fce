//! Values flow, are acknowledged after the sink, and the difference of specs leaves the rest alone.

use crate::plant::{COUNTERS, Folder, NAMESPACE, Plant, item, options, spec};
use crate::sink::Sink;
use gemba_base::Tasks;
use gemba_model::{NodeId, Variant};
use gemba_ua::client::session::{BrowseRequest, endpoints};
use gemba_ua::client::{OpcUaSession, SessionEvent, SessionState, SubscribedSession};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const STOP: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_session_reads_browses_and_knows_its_server() {
    let (plant, folder) = (Plant::start().await, Folder::new());
    let options = options(plant.url(), &folder);
    let offered = endpoints(&options).await.expect("endpoints");
    assert_eq!(offered.len(), 3, "{offered:?}");
    let session = OpcUaSession::connect(options).await.expect("a session");
    plant.tick();
    assert!(session.server().start_time.is_some());
    let namespace = session.namespaces().iter().position(|uri| uri == NAMESPACE).expect("the namespace");
    let node = NodeId::numeric(namespace as u16, 1);
    let absent = NodeId::numeric(namespace as u16, 999);
    let values = session.read(&[node.clone().into(), absent.into()]).await.expect("values");
    assert_eq!(values[0].value, Variant::Int32(1));
    assert!(values[0].source_timestamp.is_some() && values[0].status.is_good());
    assert_eq!(values[1].status.name(), Some("BadNodeIdUnknown"));
    let found = session.browse(&[BrowseRequest::children(NodeId::numeric(0, 85))]).await.expect("references");
    let below = found[0].as_ref().expect("the folder exists");
    assert!(below.iter().any(|reference| reference.target == node.clone().into()), "{below:?}");
    session.close(true).await;
}

#[tokio::test]
async fn more_nodes_than_the_server_takes_are_read_in_several_calls() {
    let plant = Plant::start_with(|mut builder| {
        builder.limits_mut().operational.max_nodes_per_read = 50;
        builder
    })
    .await;
    let folder = Folder::new();
    let session = OpcUaSession::connect(options(plant.url(), &folder)).await.expect("a session");
    assert_eq!(session.operation_limits().nodes_per_read, 50);
    let requests = vec![NodeId::numeric(0, 2258).into(); 205];
    let values = session.read(&requests).await.expect("values");
    assert_eq!(values.len(), 205);
    assert!(values.iter().all(|value| matches!(value.value, Variant::DateTime(_))));
}

#[tokio::test]
async fn values_reach_the_sink_once_and_in_order() {
    let (plant, folder, sink, tasks) =
        (Plant::start().await, Folder::new(), Sink::default(), Tasks::new("test"));
    let specs = vec![spec("line", 0..COUNTERS)];
    let session =
        SubscribedSession::start(options(plant.url(), &folder), specs, HashMap::new(), sink.shared(), &tasks)
            .expect("starts");
    sink.until("the first values came", |record| record.values().len() == COUNTERS as usize).await;
    let last = plant.tick_for(Duration::from_secs(1)).await;
    sink.until("the last value came", |record| (0..COUNTERS).all(|handle| record.last(handle) == last)).await;
    sink.read(|record| {
        record.assert_lossless();
        assert_eq!(record.gaps(), []);
    });
    let status = session.status();
    assert_eq!(status.state, SessionState::Subscribed);
    assert_eq!((status.rejected.len(), status.counters.missing, status.counters.overflows), (0, 0, 0));
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn nothing_is_acknowledged_before_the_sink_has_it_and_the_window_stops_the_flow() {
    let (plant, folder, sink, tasks) =
        (Plant::start().await, Folder::new(), Sink::default(), Tasks::new("test"));
    let session = SubscribedSession::start(
        options(plant.url(), &folder),
        vec![spec("line", 0..COUNTERS)],
        HashMap::new(),
        sink.shared(),
        &tasks,
    )
    .expect("starts");
    sink.until("the first values came", |record| record.last(0) == 0).await;
    sink.hold(true);
    let last = plant.tick_for(Duration::from_secs(3)).await;
    assert!(
        session.status().undurable <= 8,
        "twice the four requests that are out: {}",
        session.status().undurable
    );
    sink.hold(false);
    sink.until("everything came after all", |record| record.last(4) == last).await;
    sink.read(|record| {
        record.assert_lossless();
        assert_eq!(record.gaps(), []);
    });
    assert_eq!(session.status().counters.unknown_acknowledgements, 0);
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn a_delivery_that_fails_comes_again_and_nothing_is_lost_or_doubled() {
    let (plant, folder, sink, tasks) =
        (Plant::start().await, Folder::new(), Sink::default(), Tasks::new("test"));
    sink.fail_next(3);
    let session = SubscribedSession::start(
        options(plant.url(), &folder),
        vec![spec("line", 0..COUNTERS)],
        HashMap::new(),
        sink.shared(),
        &tasks,
    )
    .expect("starts");
    sink.until("the first values came", |record| record.last(0) == 0).await;
    let last = plant.tick_for(Duration::from_millis(500)).await;
    sink.until("the last value came", |record| record.last(4) == last).await;
    sink.read(|record| record.assert_lossless());
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn a_difference_adds_and_removes_items_and_leaves_the_others_alone() {
    let (plant, folder, sink, tasks) =
        (Plant::start().await, Folder::new(), Sink::default(), Tasks::new("test"));
    let session = SubscribedSession::start(
        options(plant.url(), &folder),
        vec![spec("line", 0..2)],
        HashMap::new(),
        sink.shared(),
        &tasks,
    )
    .expect("starts");
    sink.until("the first values came", |record| record.values().len() == 2).await;
    session.apply(vec![spec("line", 1..4), spec("other", 4..5)]).await.expect("applied");
    sink.until("the new items came", |record| record.values().len() == 5).await;
    let removed = sink.read(|record| record.last(0));
    let last = plant.tick_for(Duration::from_millis(500)).await;
    sink.until("the last value came", |record| (1..5).all(|handle| record.last(handle) == last)).await;
    sink.read(|record| {
        record.assert_lossless();
        assert_eq!(record.gaps(), []);
        assert_eq!(record.last(0), removed, "a removed item is silent");
        assert!(record.events.iter().all(|event| !matches!(event, SessionEvent::Recreated { .. })));
    });
    assert_eq!(session.status().counters.creations, 2);
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn another_publishing_interval_is_taken_over_without_a_gap() {
    let (plant, folder, sink, tasks) =
        (Plant::start().await, Folder::new(), Sink::default(), Tasks::new("test"));
    let options = options(plant.url(), &folder);
    let mut line = spec("line", 0..1);
    let session =
        SubscribedSession::start(options, vec![line.clone()], HashMap::new(), sink.shared(), &tasks)
            .expect("starts");
    sink.until("the first value came", |record| record.last(0) == 0).await;
    line.publishing_interval = Duration::from_millis(200);
    line.items.iter_mut().for_each(|item| Arc::make_mut(item).queue_size = 100);
    session.apply(vec![line]).await.expect("applied");
    let last = plant.tick_for(Duration::from_secs(1)).await;
    sink.until("the last value came", |record| record.last(0) == last).await;
    sink.read(|record| {
        record.assert_lossless();
        assert_eq!(record.gaps(), []);
    });
    let covers = session.status().subscriptions.first().and_then(|line| line.queue_covers);
    assert_eq!(covers, Some(Duration::from_secs(20)), "100 values at 200 ms");
    assert_eq!(session.status().counters.creations, 1);
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn an_item_that_the_server_does_not_know_is_reported_and_the_rest_flows() {
    let (plant, folder, sink, tasks) =
        (Plant::start().await, Folder::new(), Sink::default(), Tasks::new("test"));
    let mut line = spec("line", 0..1);
    line.items.push(item(8, "ns=42;i=1"));
    line.items.push(item(9, "nsu=urn:nobody;i=1"));
    let session = SubscribedSession::start(
        options(plant.url(), &folder),
        vec![line],
        HashMap::new(),
        sink.shared(),
        &tasks,
    )
    .expect("starts");
    sink.until("the good item came and the bad ones are reported", |record| {
        let rejected = |event: &&SessionEvent| matches!(event, SessionEvent::ItemRejected { .. });
        record.last(0) == 0 && record.events.iter().filter(rejected).count() == 2
    })
    .await;
    let rejected = session.status().rejected;
    let handles: Vec<_> = rejected.iter().map(|item| (item.handle, item.status.name())).collect();
    assert_eq!(handles, [(8, Some("BadNodeIdUnknown")), (9, Some("BadNodeIdUnknown"))]);
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn a_spec_larger_than_a_subscription_is_split_and_each_part_has_its_cursor() {
    let (plant, folder, sink, tasks) =
        (Plant::start().await, Folder::new(), Sink::default(), Tasks::new("test"));
    let mut line = spec("line", 0..COUNTERS);
    line.max_items = 2;
    let session = SubscribedSession::start(
        options(plant.url(), &folder),
        vec![line],
        HashMap::new(),
        sink.shared(),
        &tasks,
    )
    .expect("starts");
    sink.until("all came", |record| record.values().len() == COUNTERS as usize).await;
    let last = plant.tick_for(Duration::from_millis(500)).await;
    sink.until("the last value came", |record| (0..COUNTERS).all(|handle| record.last(handle) == last)).await;
    let mut keys: Vec<String> = sink.cursors().into_keys().collect();
    keys.sort();
    assert_eq!(keys, ["line", "line#1", "line#2"]);
    sink.read(|record| record.assert_lossless());
    assert!(session.stop(true, STOP).await);
}
