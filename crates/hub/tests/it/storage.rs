//! Disks that are slow, full or broken: nothing is acknowledged that is not durable, and the hub recovers.

use crate::PATIENCE;
use crate::world::{Choice, World, gone, next, publish, until};
use gemba_api::{EventLog, LogItem};
use gemba_base::disk::Disk;
use gemba_hub::{EndReason, HubLogOptions};
use gemba_iothub::SymmetricKey;
use gemba_net::ConnectError;
use gemba_net::mqtt::{Client, ConnectAckReason, Event};
use gemba_testkit::{FaultyDisk, MemoryDocs};
use gemba_wal::Reserve;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

fn on(disk: &FaultyDisk, docs: &Arc<MemoryDocs>) -> Choice {
    let mut choice = Choice {
        disk: Arc::new(disk.clone()) as Arc<dyn Disk>,
        log_folder: Some(PathBuf::from("/hub/log")),
        docs: docs.clone(),
        ..Choice::default()
    };
    choice.log = HubLogOptions { partitions: 1, ..choice.log };
    choice
}

/// Connects as often as it takes.
async fn come_back(world: &World, name: &str, key: &SymmetricKey) -> Client {
    let trying = async {
        loop {
            match world.try_connect(&world.options(name, key)).await {
                Ok(client) => return client,
                Err(ConnectError::Refused { reason: ConnectAckReason::ServiceUnavailable, .. }) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.expect("the hub recovers")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_before_it_is_durable() {
    let (disk, docs) = (FaultyDisk::new(1), Arc::new(MemoryDocs::default()));
    let world = World::with(on(&disk, &docs)).await;
    let mut client = world.connected("d").await;
    disk.hold_syncs();
    publish(&mut client, "d", "", "held");
    let early = tokio::time::timeout(Duration::from_millis(200), client.event()).await;
    assert!(early.is_err(), "acknowledged before the sync: {early:?}");
    assert_eq!(world.log.bounds(0), (0, 0));
    disk.stop_holding_syncs();
    assert!(matches!(next(&mut client).await, Event::Acknowledged(_)));
    // What was acknowledged survives a power cut.
    let after = disk.power_cut();
    drop(world);
    let again = World::with(on(&after, &docs)).await;
    let messages = again.messages().await;
    assert_eq!(messages.iter().map(|one| one.body.clone()).collect::<Vec<_>>(), ["held"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_acknowledges_nothing_and_space_brings_it_back() {
    let (disk, docs) = (FaultyDisk::new(1), Arc::new(MemoryDocs::default()));
    let mut choice = on(&disk, &docs);
    choice.log.wal.reserve = Reserve::Bytes(1 << 20);
    disk.set_volume_bytes(64 << 20);
    let world = World::with(choice).await;
    let key = world.device("d");
    let mut client = world.try_connect(&world.options("d", &key)).await.expect("accepted");
    world.send_all(&mut client, "d", &["before".into()]).await;
    disk.set_bytes_of_others(64 << 20);
    publish(&mut client, "d", "", "refused");
    gone(&mut client).await;
    assert_eq!(client.in_flight(), 1, "nothing was acknowledged");
    world.ended(EndReason::LogUnavailable, 1).await;
    let refused = world.try_connect(&world.options("d", &key)).await;
    assert!(
        matches!(refused, Err(ConnectError::Refused { reason: ConnectAckReason::ServiceUnavailable, .. })),
        "{refused:?}"
    );
    let problems = world.report().problems;
    assert!(problems.iter().any(|one| one.code == "GMB-WAL-007" && one.urgency == 3), "{problems:?}");
    disk.set_bytes_of_others(0);
    let mut client = come_back(&world, "d", &key).await;
    world.send_all(&mut client, "d", &["refused".into()]).await;
    let bodies: Vec<_> = world.messages().await.iter().map(|one| one.body.clone()).collect();
    assert_eq!(bodies, ["before", "refused"]);
    assert!(world.report().problems.iter().all(|one| one.code != "GMB-WAL-007"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sync_acknowledges_nothing_and_the_log_is_opened_again() {
    let (disk, docs) = (FaultyDisk::new(1), Arc::new(MemoryDocs::default()));
    let world = World::with(on(&disk, &docs)).await;
    let key = world.device("d");
    let mut client = world.try_connect(&world.options("d", &key)).await.expect("accepted");
    world.send_all(&mut client, "d", &["before".into()]).await;
    // A consumer that waits across the failure.
    let waiting = world.log.wait(0, 1);
    disk.fail_next_sync();
    publish(&mut client, "d", "", "lost with the sync");
    gone(&mut client).await;
    assert_eq!(client.in_flight(), 1, "nothing was acknowledged");
    world.ended(EndReason::LogUnavailable, 1).await;
    let mut client = come_back(&world, "d", &key).await;
    world.send_all(&mut client, "d", &["after".into()]).await;
    tokio::time::timeout(PATIENCE, waiting).await.expect("the consumer hears of the new message");
    let bodies: Vec<_> = world.messages().await.iter().map(|one| one.body.clone()).collect();
    assert_eq!(bodies.first().map(|body| &body[..]), Some(&b"before"[..]));
    assert_eq!(bodies.last().map(|body| &body[..]), Some(&b"after"[..]));
    until("the reopening is counted", || world.metrics.text().contains("gemba_hub_log_reopened_total 1"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_disk_stops_reading_and_then_ends_with_a_reason() {
    let (disk, docs) = (FaultyDisk::new(1), Arc::new(MemoryDocs::default()));
    let mut choice = on(&disk, &docs);
    choice.mqtt.stall_max = Duration::from_millis(300);
    choice.mqtt.waiting_messages_max = 10;
    let world = World::with(choice).await;
    let key = world.device("d");
    let mut client = world.try_connect(&world.options("d", &key)).await.expect("accepted");
    disk.hold_syncs();
    for number in 0..60 {
        publish(&mut client, "d", "", &number.to_string());
    }
    gone(&mut client).await;
    assert_eq!(client.in_flight(), 60, "nothing was acknowledged");
    world.ended(EndReason::LogUnavailable, 1).await;
    disk.stop_holding_syncs();
    until("what was read is durable", || world.log.bounds(0).1 > 0).await;
    assert!(world.log.bounds(0).1 <= 10, "no more than the bound was read: {:?}", world.log.bounds(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_queue_slows_the_client_down_and_loses_nothing() {
    let (disk, docs) = (FaultyDisk::new(1), Arc::new(MemoryDocs::default()));
    let mut choice = on(&disk, &docs);
    choice.log.wal.queue_bytes_max = 4_096;
    let world = World::with(choice).await;
    let mut client = world.connected("d").await;
    let bodies: Vec<String> = (0..500).map(|number| format!("{number:01000}")).collect();
    world.send_all(&mut client, "d", &bodies).await;
    let found: Vec<_> = world.messages().await.iter().map(|one| one.body.clone()).collect();
    assert_eq!(found, bodies);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_unread_messages_is_chosen_counted_and_seen_by_the_reader() {
    let (disk, docs) = (FaultyDisk::new(1), Arc::new(MemoryDocs::default()));
    let mut choice = on(&disk, &docs);
    choice.log.required_groups = vec!["historian".into()];
    choice.log.drop_unread_when_full = true;
    choice.log.wal.segment_bytes = 8_192;
    choice.log.wal.bytes_max = 32_768;
    let world = World::with(choice).await;
    let key = world.device("d");
    let mut client = world.try_connect(&world.options("d", &key)).await.expect("accepted");
    let body = "x".repeat(1_000);
    for number in 0..60 {
        publish(&mut client, "d", "", &body);
        let event = tokio::time::timeout(PATIENCE, client.event()).await.expect("something happens");
        if event.is_err() {
            client = come_back(&world, "d", &key).await;
        }
        assert!(number < 59 || world.log.bounds(0).0 > 0, "the oldest messages went");
    }
    let items = world.log.read(0, 0, 1 << 20).await.expect("readable");
    assert!(matches!(items[0], LogItem::Missing { from: 0, damaged: false, .. }), "{:?}", items[0]);
    let text = world.metrics.text();
    assert!(!text.contains("gemba_hub_log_lost_unread_messages_total 0"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_message_is_told_and_the_others_are_read() {
    let (disk, docs) = (FaultyDisk::new(1), Arc::new(MemoryDocs::default()));
    let world = World::with(on(&disk, &docs)).await;
    let mut client = world.connected("d").await;
    world.send_all(&mut client, "d", &["first".into(), "second".into(), "third".into()]).await;
    let segment = disk.paths().into_iter().find(|path| path.extension().is_some_and(|one| one == "log"));
    let segment = segment.expect("there is a segment");
    let bytes = disk.contents(&segment).expect("can be read");
    let at = bytes.windows(6).position(|part| part == b"second").expect("is in it");
    disk.flip(&segment, at, 1);
    let mut items = Vec::new();
    while items.last().map_or(0, LogItem::next_offset) < 3 {
        let from = items.last().map_or(0, LogItem::next_offset);
        items.extend(world.log.read(0, from, 1 << 20).await.expect("readable"));
    }
    let told: Vec<String> = items
        .iter()
        .map(|item| match item {
            LogItem::Entry(entry) => String::from_utf8_lossy(&entry.message.body).into_owned(),
            LogItem::Missing { from, to, damaged } => format!("{from}..{to} damaged={damaged}"),
        })
        .collect();
    assert_eq!(told, ["first", "1..2 damaged=true", "third"]);
    assert!(world.metrics.text().contains("gemba_hub_log_unreadable_messages_total 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_is_asked_to_commit_before_and_when_the_log_is_full() {
    let mut choice = Choice::default();
    choice.log.partitions = 1;
    choice.log.required_groups = vec!["historian".into()];
    choice.log.retention_interval = Duration::from_secs(3_600);
    choice.log.retention_bytes = 40_000;
    choice.log.wal.segment_bytes = 8_192;
    choice.log.wal.bytes_max = 40_000;
    let world = World::with(choice).await;
    let key = world.device("d");
    let mut client = world.try_connect(&world.options("d", &key)).await.expect("accepted");
    let kilobytes = |count| vec!["x".repeat(1_000); count];
    world.send_all(&mut client, "d", &kilobytes(5)).await;
    assert!(!world.log.wants_commit(0, 5), "an eighth of the log");
    world.send_all(&mut client, "d", &kilobytes(10)).await;
    assert!(world.log.wants_commit(0, 15), "three eighths");
    assert!(!world.log.wants_commit(0, 4), "who is behind cannot give it back yet");
    world.log.commit("historian", 0, 15).await.expect("committed");
    assert!(!world.log.wants_commit(0, 15));
    // A full log wants every message.
    (0..40).for_each(|_| drop(publish(&mut client, "d", "", &"x".repeat(1_000))));
    gone(&mut client).await;
    world.ended(EndReason::LogUnavailable, 1).await;
    assert!(world.log.wants_commit(0, 16));
    let (_, end) = world.log.bounds(0);
    world.log.commit("historian", 0, end).await.expect("committed");
    let mut client = come_back(&world, "d", &key).await;
    world.send_all(&mut client, "d", &["taken again".into()]).await;
}
