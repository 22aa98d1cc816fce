//! The completeness ledger.

use crate::house::{House, seconds};
use crate::testing::{Batch, TestEdge, WRITER, at};
use expect_test::{Expect, expect};
use gemba_api::{GapQuery, Ledger};
use gemba_model::{FieldGap, GapReason, GapRecord, GapScope, Hop, StatusCode, Variant, WriterKey};

fn record(scope: GapScope, reason: GapReason, count: Option<u64>) -> GapRecord {
    GapRecord { scope, from: None, to: None, reason, hop: Hop::Field, count }
}

fn check(house: &House, query: GapQuery, expected: &Expect) {
    let page = house.historian().gaps(&GapQuery { limit: 100, ..query }).expect("a page");
    let lines = page.items.iter().map(|gap| {
        format!(
            "{} {:?}..{:?} {} {} {:?}{}\n",
            gap.series,
            gap.from.map(seconds),
            gap.to.map(seconds),
            gap.reason,
            gap.hop.as_str(),
            gap.count,
            if gap.closed { "" } else { " open" }
        )
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[tokio::test(flavor = "multi_thread")]
async fn records_become_entries_of_their_series_and_values_end_them() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let second = WriterKey { group: 1, writer: 2 };
    let (one, two) = (edge.description(WRITER, 1, 2), edge.description(second, 1, 1));
    house.log.append(0, edge.metadata(&one));
    house.log.append(0, edge.metadata(&two));
    house.log.append(0, edge.data(&one, &Batch::of(&one).value(0, 10, 1.0).value(1, 11, 1.0).0));
    house.log.append(0, edge.data(&two, &Batch::of(&two).value(0, 12, 1.0).0));
    house.log.append(0, edge.gap(&record(GapScope::Producer, GapReason::EdgeRestart, None)));
    let fields = Some(vec![FieldGap { field: 1, count: Some(4), messages: None }]);
    let scope = GapScope::Writer { group: 1, writer: 1, fields };
    house.log.append(0, edge.gap(&record(scope, GapReason::Drop, None)));
    let recovered = GapRecord {
        from: Some(at(5)),
        to: Some(at(8)),
        ..record(GapScope::writer(second), GapReason::Disconnection, Some(0))
    };
    house.log.append(0, edge.gap(&recovered));
    house.log.append(0, edge.data(&one, &Batch::of(&one).value(1, 30, 2.0).0));
    house.caught_up().await;
    let all = expect![[r#"
        3 Some(5)..Some(8) disconnection field Some(0)
        2 Some(11)..Some(30) drop field Some(4)
        3 Some(12)..None edge-restart field None open
        2 Some(11)..Some(30) edge-restart field None
        1 Some(10)..None edge-restart field None open
    "#]];
    check(&house, GapQuery::default(), &all);
    assert_eq!(house.historian().open_gaps(), 2);
    check(
        &house,
        GapQuery { series: Some(2), from: Some(at(0)), to: Some(at(12)), ..GapQuery::default() },
        &expect![[r#"
            2 Some(11)..Some(30) drop field Some(4)
            2 Some(11)..Some(30) edge-restart field None
        "#]],
    );
    check(&house, GapQuery { series: Some(1), to: Some(at(10)), ..GapQuery::default() }, &expect![""]);
    house.kill().await;
    house.start();
    house.caught_up().await;
    check(&house, GapQuery::default(), &all);
    house.stop().await;
    house.start();
    check(&house, GapQuery::default(), &all);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overflow_bit_without_a_record_is_a_gap() {
    let house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    house.log.append(0, edge.metadata(&description));
    let batch = Batch::of(&description).value(0, 10, 1.0).sample(
        0,
        Some(at(20)),
        None,
        StatusCode(0x0000_0480),
        &Variant::Double(2.0),
    );
    house.log.append(0, edge.data(&description, &batch.0));
    house.caught_up().await;
    check(
        &house,
        GapQuery::default(),
        &expect![[r#"
        1 Some(10)..Some(20) overflow field None
    "#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_read_is_a_gap_of_its_producer() {
    let house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    house.log.append(0, edge.metadata(&description));
    house.log.append(0, edge.data(&description, &Batch::of(&description).value(0, 10, 1.0).0));
    let mut broken = edge.data(&description, &Batch::of(&description).value(0, 20, 2.0).0);
    broken.body = broken.body.slice(..broken.body.len() / 2);
    house.log.append(0, broken);
    house.log.append(0, edge.data(&description, &Batch::of(&description).value(0, 30, 3.0).0));
    house.caught_up().await;
    check(
        &house,
        GapQuery::default(),
        &expect![[r#"
        1 Some(10)..Some(30) corruption store None
    "#]],
    );
    let account = house.historian().completeness().remove(0);
    assert_eq!((account.messages, account.missing, account.stored), (4, 0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_others_are_none_of_ours() {
    let house = House::new();
    let mut edge = TestEdge::new("thermometer");
    let description = edge.description(WRITER, 1, 1);
    let mut message = edge.metadata(&description);
    message.system = vec![("content-type".to_owned(), "application/json".to_owned())];
    message.properties.clear();
    message.body = b"{\"temperature\":21}"[..].into();
    house.log.append(3, message);
    house.caught_up().await;
    assert!(house.historian().completeness().is_empty());
    check(&house, GapQuery::default(), &expect![""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_between_messages_that_wait_for_their_description_stands_between_them() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let (old, new) = (edge.description(WRITER, 1, 1), edge.description(WRITER, 2, 1));
    house.log.append(0, edge.metadata(&old));
    house.log.append(0, edge.data(&old, &Batch::of(&old).value(0, 10, 1.0).0));
    house.log.append(0, edge.data(&new, &Batch::of(&new).value(0, 20, 2.0).0));
    house.log.append(0, edge.gap(&record(GapScope::writer(WRITER), GapReason::Disconnection, None)));
    house.log.append(0, edge.data(&new, &Batch::of(&new).value(0, 30, 3.0).0));
    house.caught_up().await;
    check(
        &house,
        GapQuery::default(),
        &expect![[r#"
            1 Some(10)..None disconnection field None open
            1 Some(10)..None missing-metadata store None open
        "#]],
    );
    // What waits outlives a stop.
    house.stop().await;
    house.start();
    house.log.append(0, edge.metadata(&new));
    house.caught_up().await;
    let expected = expect![[r#"
        1 Some(20)..Some(30) disconnection field None
    "#]];
    check(&house, GapQuery::default(), &expected);
    assert_eq!(house.samples(1, false).len(), 3);
}
