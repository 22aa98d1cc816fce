//! What a server promises about values: every one, in order, with its own timestamps.

use crate::peer::{Item, Peer, node, number, server};
use gemba_base::Secret;
use gemba_model::{DateTime, StatusCode, Variant};
use gemba_ua::server::{RunningServer, Update, User, VariableHandle};
use opcua::client::UARequest;
use opcua::client::services::CreateMonitoredItems;
use opcua::types::{
    AttributeId, DataValue, MonitoredItemCreateRequest, MonitoringMode, ReadValueId, TimestampsToReturn,
};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_millis(20);

/// Odd in every digit that a coarser clock would lose.
const FIRST_TICK: i64 = 155_000_000_123_456_789;

fn update(variable: VariableHandle, value: u64) -> Update {
    Update {
        variable,
        value: Variant::UInt64(value),
        status: StatusCode::GOOD,
        source_timestamp: Some(instant(value)),
    }
}

fn instant(value: u64) -> DateTime {
    DateTime::from_ticks(FIRST_TICK + value as i64)
}

fn write(server: &RunningServer, variable: VariableHandle, values: impl IntoIterator<Item = u64>) {
    let received = DateTime::from_ticks(FIRST_TICK + 1_000_003);
    server.write(Some(received), values.into_iter().map(|value| update(variable, value)));
}

fn ticks(value: &DataValue) -> (Option<i64>, Option<i64>) {
    (value.source_timestamp.map(|at| at.ticks()), value.server_timestamp.map(|at| at.ticks()))
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_and_status_arrive_as_they_were_written() {
    let (server, variables, _folder) = server(1, |_| {}).await;
    let peer = Peer::connect(server.endpoint_url()).await;
    let subscription = peer.subscribe(INTERVAL, 3000).await;
    peer.watch(subscription, &[Item::new(1, 10)]).await;
    let uncertain = StatusCode::from_name("UncertainLastUsableValue").unwrap();
    let odd = Update { status: uncertain, ..update(variables[0], 7) };
    server.write(Some(DateTime::from_ticks(FIRST_TICK + 1_000_003)), [odd]);
    let reported = peer.collect(|values| values.iter().any(|(_, value)| number(value) == 7)).await;
    for value in [&reported.last().unwrap().1, &peer.value(1).await] {
        assert_eq!(ticks(value), (Some(FIRST_TICK + 7), Some(FIRST_TICK + 1_000_003)));
        assert_eq!(value.status.map(|status| status.bits()), Some(uncertain.0));
    }
    // An item that asked for every change sees a source clock that goes back.
    let old = DateTime::from_ticks(1);
    server.write(None, [Update { source_timestamp: Some(old), ..update(variables[0], 8) }]);
    let reported = peer.collect(|values| values.iter().any(|(_, value)| number(value) == 8)).await;
    assert_eq!(ticks(&reported.last().unwrap().1), (Some(1), None));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_is_reported_whatever_sampling_interval_was_asked_for() {
    let (server, variables, _folder) = server(1, |_| {}).await;
    let peer = Peer::connect(server.endpoint_url()).await;
    let subscription = peer.subscribe(INTERVAL, 3000).await;
    let slow = Item { sampling_interval: 5000.0, ..Item::new(1, 1000) };
    let created = peer.watch(subscription, &[slow]).await;
    assert_eq!((created[0].revised_sampling_interval, created[0].revised_queue_size), (0.0, 1000));
    write(&server, variables[0], 1..=500);
    let reported = peer.collect(|values| values.len() == 501).await;
    let values: Vec<u64> = reported.iter().map(|(_, value)| number(value)).collect();
    assert_eq!(values, (0..=500).collect::<Vec<_>>());
    let stamps: Vec<_> = reported[1..].iter().map(|(_, value)| ticks(value).0.unwrap()).collect();
    assert_eq!(stamps, (1..=500).map(|value| FIRST_TICK + value).collect::<Vec<_>>());
    server.stop().await;
}

async fn reported_with_queue(queue_size: u32, discard_oldest: bool) -> Vec<(u64, bool)> {
    let (server, variables, _folder) = server(1, |_| {}).await;
    let peer = Peer::connect(server.endpoint_url()).await;
    // No publish is out, so what is written now piles up in the queue.
    let subscription = peer.subscribe(INTERVAL, 3000).await;
    peer.watch(subscription, &[Item { discard_oldest, ..Item::new(1, queue_size) }]).await;
    write(&server, variables[0], 1..=5);
    let reported = peer.collect(|values| values.len() >= queue_size as usize).await;
    server.stop().await;
    reported.iter().map(|(_, value)| (number(value), value.status().overflow())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_drops_as_asked_and_sets_the_overflow_bit() {
    assert_eq!(reported_with_queue(1, true).await, [(5, true)]);
    // The mark stands beside the hole.
    assert_eq!(reported_with_queue(3, true).await, [(3, true), (4, false), (5, false)]);
    // The newest place is overwritten: the first values stay.
    assert_eq!(reported_with_queue(3, false).await, [(0, false), (1, false), (5, true)]);
    let all: Vec<(u64, bool)> = (0..=5).map(|value| (value, false)).collect();
    assert_eq!(reported_with_queue(6, true).await, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_written_while_an_item_is_being_created_are_not_lost() {
    const ITEMS: u32 = 300;
    let (server, variables, _folder) = server(ITEMS, |_| {}).await;
    let peer = Peer::connect(server.endpoint_url()).await;
    let writer = server.writer();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let mut value = 0;
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            value += 1;
            writer.write(None, variables.iter().map(|variable| update(*variable, value)));
            std::thread::yield_now();
        }
        value
    });
    let subscription = peer.subscribe(INTERVAL, 3000).await;
    let items: Vec<Item> = (1..=ITEMS).map(|number| Item::new(number, 10_000)).collect();
    let created = peer.watch(subscription, &items).await;
    assert!(created.iter().all(|item| item.status_code.is_good()));
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let last = writing.await.unwrap();
    let everybody_has_the_last = |values: &[(u32, DataValue)]| {
        values.iter().filter(|(_, value)| number(value) == last).count() == ITEMS as usize
    };
    let reported = peer.collect(everybody_has_the_last).await;
    for handle in 1..=ITEMS {
        let counts: Vec<u64> =
            reported.iter().filter(|(of, _)| *of == handle).map(|(_, value)| number(value)).collect();
        let first = counts[0];
        assert_eq!(counts, (first..=last).collect::<Vec<_>>(), "item {handle}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_subscriptions_on_one_variable_both_get_every_value() {
    let (server, variables, _folder) = server(1, |_| {}).await;
    let peers = [Peer::connect(server.endpoint_url()).await, Peer::connect(server.endpoint_url()).await];
    for peer in &peers {
        let subscription = peer.subscribe(INTERVAL, 3000).await;
        peer.watch(subscription, &[Item::new(1, 100), Item::new(1, 100)]).await;
    }
    assert_eq!(server.monitored_items(), 4);
    write(&server, variables[0], 1..=9);
    for peer in &peers {
        let reported = peer.collect(|values| values.len() == 20).await;
        for handle in [1, 2] {
            let of_item = reported.iter().filter(|(of, _)| *of == handle);
            let values: Vec<u64> = of_item.map(|(_, value)| number(value)).collect();
            assert_eq!(values, (0..=9).collect::<Vec<_>>());
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transferred_subscription_republishes_and_goes_on() {
    let (server, variables, _folder) = server(1, |options| {
        options.users = vec![User { name: "edge".to_owned(), password: Secret::new("secret") }];
    })
    .await;
    let login = Some(("edge", "secret"));
    let first = Peer::try_connect(server.endpoint_url(), "None", login).await.unwrap();
    let subscription = first.subscribe(INTERVAL, 3000).await;
    first.watch(subscription, &[Item::new(1, 100)]).await;
    write(&server, variables[0], 1..=3);
    let lost = first.publish(None).await.unwrap();
    let sequence = lost.notification_message.sequence_number;
    first.kill().await;
    write(&server, variables[0], 4..=6);

    let second = Peer::try_connect(server.endpoint_url(), "None", login).await.unwrap();
    assert_eq!(second.transfer(subscription).await, ("Good".to_owned(), vec![sequence]));
    let again = second.republish(subscription, sequence).await;
    let mut values: Vec<u64> = again.iter().map(|(_, value)| number(value)).collect();
    write(&server, variables[0], 7..=9);
    let rest = second.collect(|values| values.iter().any(|(_, value)| number(value) == 9)).await;
    values.extend(rest.iter().map(|(_, value)| number(value)));
    assert_eq!(values, (0..=9).collect::<Vec<_>>());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn items_are_forgotten_with_their_subscription() {
    let (server, variables, _folder) = server(2, |_| {}).await;
    let peer = Peer::connect(server.endpoint_url()).await;
    let items = [Item::new(1, 1), Item::new(2, 1)];
    let deleted = peer.subscribe(INTERVAL, 3000).await;
    let created = peer.watch(deleted, &items).await;
    assert_eq!(server.monitored_items(), 2);
    peer.unwatch(deleted, created[0].monitored_item_id).await;
    assert_eq!(server.monitored_items(), 1);
    peer.unsubscribe(deleted).await;
    assert_eq!(server.monitored_items(), 0);
    // This one ends because nobody ever publishes.
    let expiring = peer.subscribe(Duration::from_millis(10), 3).await;
    peer.watch(expiring, &items).await;
    let mut value = 0;
    let forgotten = async {
        while server.monitored_items() > 0 {
            value += 1;
            write(&server, variables[0], [value]);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::peer::PATIENCE, forgotten).await.expect("expired items are forgotten");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_switched_on_again_reports_the_present_value() {
    let (server, variables, _folder) = server(1, |_| {}).await;
    let peer = Peer::connect(server.endpoint_url()).await;
    let subscription = peer.subscribe(INTERVAL, 3000).await;
    let item = peer.watch(subscription, &[Item::new(1, 10)]).await[0].monitored_item_id;
    peer.collect(|values| values.len() == 1).await;
    peer.set_mode(subscription, item, MonitoringMode::Disabled).await;
    write(&server, variables[0], [5]);
    peer.set_mode(subscription, item, MonitoringMode::Reporting).await;
    let reported = peer.collect(|values| !values.is_empty()).await;
    assert_eq!(number(&reported[0].1), 5);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_can_be_watched_too_and_events_cannot() {
    let (server, _, _folder) = server(1, |_| {}).await;
    let peer = Peer::connect(server.endpoint_url()).await;
    let subscription = peer.subscribe(INTERVAL, 3000).await;
    let request = |attribute| MonitoredItemCreateRequest {
        item_to_monitor: ReadValueId {
            node_id: node(1),
            attribute_id: attribute as u32,
            ..Default::default()
        },
        monitoring_mode: MonitoringMode::Reporting,
        requested_parameters: Default::default(),
    };
    let requests = [AttributeId::DisplayName, AttributeId::EventNotifier, AttributeId::Executable];
    let created = CreateMonitoredItems::new(subscription, &peer.session)
        .timestamps_to_return(TimestampsToReturn::Both)
        .items_to_create(requests.map(request).to_vec())
        .send(peer.session.channel())
        .await
        .unwrap();
    let statuses: Vec<String> =
        created.results.iter().map(|item| item.result.status_code.to_string()).collect();
    assert_eq!(statuses, ["Good", "BadAttributeIdInvalid", "BadAttributeIdInvalid"]);
    assert_eq!(server.monitored_items(), 1);
    server.stop().await;
}
