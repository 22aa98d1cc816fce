//! The event log as its consumers see it.

use crate::PATIENCE;
use crate::world::{Choice, World, next, publish};
use gemba_api::{EventLog, LogItem};
use gemba_base::{Metrics, SystemClock, Tasks};
use gemba_hub::{HubError, HubLog, HubLogOptions};
use gemba_testkit::{FaultyDisk, MemoryDocs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn open(disk: &FaultyDisk, docs: &Arc<MemoryDocs>, options: HubLogOptions) -> Result<HubLog, HubError> {
    HubLog::open(
        Arc::new(disk.clone()),
        Path::new("/log"),
        options,
        docs.clone(),
        Arc::new(SystemClock::new()),
        &Metrics::default(),
        &Tasks::new("log"),
    )
}

#[tokio::test]
async fn the_number_of_partitions_is_fixed_at_creation() {
    let (disk, docs) = (FaultyDisk::new(1), Arc::new(MemoryDocs::default()));
    let options = |partitions| HubLogOptions { partitions, ..HubLogOptions::default() };
    open(&disk, &docs, options(3)).expect("is created").close();
    let error = open(&disk, &docs, options(4)).expect_err("is refused");
    assert_eq!(error.code().0, "GMB-HUB-005");
    assert!(error.to_string().contains("has 3 partitions and hub.partitions says 4"), "{error}");
    for partitions in [0, 5_000] {
        let none = FaultyDisk::new(2);
        assert_eq!(open(&none, &docs, options(partitions)).expect_err("refused").code().0, "GMB-HUB-006");
    }
}

#[tokio::test]
async fn commits_are_durable_and_never_go_back() {
    let (disk, docs) = (FaultyDisk::new(1), Arc::new(MemoryDocs::default()));
    let required =
        || HubLogOptions { required_groups: vec!["a".into(), "b".into()], ..HubLogOptions::default() };
    let log = open(&disk, &docs, required()).expect("opens");
    assert_eq!((log.committed("a", 0), log.committed_by_all(0)), (None, Some(0)));
    // Nothing was written yet, so these offsets are of a log that was replaced; see below.
    log.commit("a", 0, 7).await.expect("committed");
    log.commit("a", 0, 5).await.expect("is older, and no error");
    assert_eq!((log.committed("a", 0), log.committed_by_all(0)), (Some(7), Some(0)));
    assert_eq!(log.commit("a", 9, 1).await.expect_err("no such partition").code.0, "GMB-HUB-006");
    docs.fail(true);
    assert_eq!(log.commit("b", 0, 3).await.expect_err("not written").code.0, "GMB-HUB-008");
    docs.fail(false);
    assert_eq!(log.committed("b", 0), None);
    log.close();
    let log = open(&disk, &docs, required()).expect("opens");
    assert_eq!(
        log.committed("a", 0),
        Some(0),
        "a log that ends before the offset is read from its beginning"
    );
}

#[tokio::test]
async fn a_reader_waits_and_goes_on_where_it_was() {
    let world = World::new().await;
    let mut client = world.connected("d").await;
    let partition = world.log.partition_of("d");
    let (log, mut offset) = (world.log.clone(), 0);
    for body in ["a", "b", "c"] {
        let waiting = log.wait(partition, offset);
        let sending = async {
            publish(&mut client, "d", "", body);
            next(&mut client).await;
        };
        let both = async { tokio::join!(waiting, sending) };
        tokio::time::timeout(PATIENCE, both).await.expect("something comes");
        let items = log.read(partition, offset, 1 << 20).await.expect("readable");
        let [LogItem::Entry(entry)] = items.as_slice() else { panic!("one entry: {items:?}") };
        assert_eq!((entry.offset, &entry.message.body[..]), (offset, body.as_bytes()));
        offset = items[0].next_offset();
        log.commit("historian", partition, offset).await.expect("committed");
    }
    assert!(log.read(partition, offset, 1 << 20).await.expect("readable").is_empty());
    assert_eq!(log.bounds(partition), (0, 3));
    assert_eq!(log.committed("historian", partition), Some(3));
}

#[tokio::test]
async fn retention_keeps_what_a_required_consumer_has_not_committed() {
    let mut choice = Choice::default();
    choice.log.partitions = 1;
    choice.log.required_groups = vec!["historian".into()];
    choice.log.retention_interval = Duration::from_millis(5);
    choice.log.retention_bytes = 20_000;
    choice.log.wal.segment_bytes = 8_192;
    let world = World::with(choice).await;
    let mut client = world.connected("d").await;
    let bodies = vec!["x".repeat(1_000); 100];
    world.send_all(&mut client, "d", &bodies).await;
    assert_eq!(world.log.bounds(0), (0, 100), "nothing is committed");
    let report = world.report();
    assert_eq!((report.messages_in, report.messages_out, report.queue_messages), (100, 0, 100));
    world.log.commit("historian", 0, 50).await.expect("committed");
    crate::world::until("what was consumed goes", || world.log.bounds(0).0 > 30).await;
    // Retention by bytes would delete more, but stops at the consumer.
    assert!(world.log.bounds(0).0 <= 50);
    world.log.commit("historian", 0, 100).await.expect("committed");
    crate::world::until("the log shrinks to its bound", || world.log.bounds(0).0 > 75).await;
    let items = world.log.read(0, 0, 1 << 20).await.expect("readable");
    assert!(matches!(items[0], LogItem::Missing { from: 0, damaged: false, .. }), "{:?}", items[0]);
    let report = world.report();
    assert_eq!((report.messages_out, report.queue_messages, report.lag_ms), (100, 0, 0));
}

#[tokio::test]
async fn old_messages_go_by_age() {
    let mut choice = Choice::default();
    choice.log.partitions = 1;
    choice.log.retention_interval = Duration::from_millis(5);
    choice.log.retention_age = Duration::from_secs(3_600);
    choice.log.wal.segment_bytes = 8_192;
    let world = World::with(choice).await;
    let mut client = world.connected("d").await;
    world.send_all(&mut client, "d", &vec!["x".repeat(1_000); 50]).await;
    assert_eq!(world.log.bounds(0).0, 0);
    world.move_clock(3_700);
    crate::world::until("old segments go", || world.log.bounds(0).0 > 30).await;
}
