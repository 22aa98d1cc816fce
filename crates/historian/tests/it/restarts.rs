//! Stops, kills and what the log is told.

use crate::house::House;
use crate::testing::{Batch, TestEdge, WRITER, at};
use gemba_api::{History, Ledger};
use gemba_model::StatusCode;

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_writes_everything_and_tells_the_log() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    house.log.append(0, edge.metadata(&description));
    house.log.append(0, edge.data(&description, &Batch::of(&description).value(0, 10, 1.0).0));
    house.caught_up().await;
    assert_eq!(house.log.committed("historian", 0), 0);
    house.stop().await;
    assert_eq!(house.log.committed("historian", 0), 2);
    house.log.trim(0, 2);
    house.start();
    assert_eq!(house.samples(1, false).len(), 1);
    assert_eq!(house.historian().last(&[1]).len(), 1);
    // The description was in the part of the log that is gone.
    house.log.append(0, edge.data(&description, &Batch::of(&description).value(0, 20, 2.0).0));
    house.caught_up().await;
    assert_eq!(house.samples(1, false).len(), 2);
    assert_eq!(house.historian().open_gaps(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_short_of_room_is_relieved_before_memory_is_full() {
    let house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    house.log.append(0, edge.metadata(&description));
    house.caught_up().await;
    assert_eq!(house.log.committed("historian", 0), 0);
    house.log.crowd(true);
    house.log.append(0, edge.data(&description, &Batch::of(&description).value(0, 10, 1.0).0));
    house.until("the log hears of it", |house| house.log.committed("historian", 0) == 2).await;
    assert_eq!(house.samples(1, false).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_the_log_gives_back_what_was_in_memory() {
    let mut house = House::new();
    let mut edges = ["a", "b", "c"].map(TestEdge::new);
    for round in 0..6 {
        for (partition, edge) in edges.iter_mut().enumerate() {
            let description = edge.description(WRITER, 1, 2);
            if round == 0 {
                house.log.append(partition as u32, edge.metadata(&description));
            }
            let batch = Batch::of(&description).value(0, round, 1.0).value(1, round, 2.0);
            house.log.append(partition as u32, edge.data(&description, &batch.0));
        }
        house.caught_up().await;
        match round % 3 {
            0 => house.historian().flush().await.expect("flushes"),
            1 => {
                house.kill().await;
                house.start();
            }
            _ => {}
        }
    }
    house.kill().await;
    house.start();
    house.caught_up().await;
    for series in 1..=6 {
        assert_eq!(house.samples(series, false).len(), 6, "series {series}");
    }
    for account in house.historian().completeness() {
        assert_eq!((account.messages, account.duplicates, account.missing), (7, 0, 0), "{account:?}");
        assert_eq!((account.received, account.stored), (12, 12));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_or_store_that_fails_for_a_while_costs_nothing() {
    let house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    house.docs.fail(true);
    house.log.append(0, edge.metadata(&description));
    house.log.append(0, edge.data(&description, &Batch::of(&description).value(0, 10, 1.0).0));
    tokio::time::timeout(crate::house::PATIENCE, async {
        use gemba_api::flow::FlowSource;
        while house.historian().reports().iter().all(|report| report.problems.is_empty()) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the problem is reported");
    house.docs.fail(false);
    house.caught_up().await;
    assert_eq!(house.samples(1, false).len(), 1);
    house.log.fail(true);
    assert!(house.historian().flush().await.is_err(), "the log cannot be told");
    house.log.fail(false);
    house.historian().flush().await.expect("flushes");
    assert_eq!(house.log.committed("historian", 0), 2);
    let sample = house.samples(1, false).remove(0);
    assert_eq!((sample.source_timestamp, sample.status), (Some(at(10)), StatusCode::GOOD));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_set_back_is_read_again_and_known_messages_are_skipped() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    let messages = [
        edge.metadata(&description),
        edge.data(&description, &Batch::of(&description).value(0, 10, 1.0).0),
        edge.data(&description, &Batch::of(&description).value(0, 20, 2.0).0),
    ];
    for message in &messages {
        house.log.append(0, message.clone());
    }
    house.caught_up().await;
    house.stop().await;
    house.log = gemba_testkit::MemoryLog::new(4);
    for message in messages.iter().take(2) {
        house.log.append(0, message.clone());
    }
    house.start();
    house.log.append(0, edge.data(&description, &Batch::of(&description).value(0, 30, 3.0).0));
    house.caught_up().await;
    assert_eq!(house.samples(1, false).len(), 3);
    let account = house.historian().completeness().remove(0);
    assert_eq!((account.messages, account.duplicates, account.missing), (4, 2, 0));
}
