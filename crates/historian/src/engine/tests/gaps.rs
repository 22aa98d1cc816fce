//! Where a gap begins and ends, and when it is none.

use super::*;
use gemba_model::{DataSetMetaData, Part, ProducerStart, WriterKey};

const SECOND: WriterKey = WriterKey { group: 1, writer: 2 };

/// An edge with a described writer of two fields, and a value of the first.
fn begin(house: &House) -> (TestEdge, DataSetMetaData) {
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 2);
    house.log.append(0, edge.metadata(&description));
    house.log.append(0, value(&mut edge, &description, 10));
    (edge, description)
}

fn value(edge: &mut TestEdge, description: &DataSetMetaData, seconds: i64) -> gemba_api::DeviceMessage {
    edge.data(description, &Batch::of(description).value(0, seconds, 1.0).0)
}

fn disconnection(writer: WriterKey) -> GapMessage {
    let (reason, hop) = (GapReason::Disconnection, Hop::Field);
    let scope = GapScope::writer(writer);
    GapRecord { scope, from: None, to: None, reason, hop, count: None }.into()
}

/// An edge's record of what it gave up: values of fields, each with the numbers of its messages.
fn drop_of(fields: &[(u16, u64, (u64, u64))], messages: (u64, u64)) -> GapMessage {
    let field = |&(field, count, messages)| FieldGap { field, count: Some(count), messages: Some(messages) };
    let fields = Some(fields.iter().map(field).collect());
    let record = GapRecord {
        scope: GapScope::Writer { group: WRITER.group, writer: WRITER.writer, fields },
        from: Some(at(20)),
        to: Some(at(30)),
        reason: GapReason::Drop,
        hop: Hop::Edge,
        count: None,
    };
    GapMessage { messages: vec![messages], ..record.into() }
}

/// Reason, bounds in seconds and count.
type Entry = (GapReason, Option<i64>, Option<i64>, Option<u64>);

/// Each entry of a series, oldest first.
fn entries(house: &House, series: u64) -> Vec<Entry> {
    let seconds = |time: Option<DateTime>| time.map(|time| (time.ticks() - at(0).ticks()) / 10_000_000);
    let gaps = house.gaps().into_iter().rev().filter(|gap| gap.series == series);
    gaps.map(|gap| (gap.reason, seconds(gap.from), seconds(gap.to), gap.count)).collect()
}

#[test]
fn a_record_that_is_told_again_stands_in_the_hole_where_it_was_lost() {
    let mut house = House::new();
    let (mut edge, description) = begin(&house);
    let first = edge.sequence;
    drop(value(&mut edge, &description, 20));
    drop(edge.gap_message(&disconnection(WRITER)));
    for seconds in [50, 60] {
        house.log.append(0, value(&mut edge, &description, seconds));
    }
    let again = GapMessage { again: vec![first + 1], ..disconnection(WRITER) };
    house.log.append(0, edge.gap_message(&again));
    house.log.append(0, edge.gap_message(&drop_of(&[(0, 1, (first, first + 1))], (first, first + 2))));
    house.log.append(0, value(&mut edge, &description, 70));
    house.ingest();
    let expected = [
        (GapReason::Disconnection, Some(10), Some(50), None),
        (GapReason::Drop, Some(20), Some(30), Some(1)),
    ];
    assert_eq!(entries(&house, 1), expected);
}

#[test]
fn a_field_of_which_all_that_was_given_up_came_has_no_entry() {
    let mut house = House::new();
    let (mut edge, description) = begin(&house);
    let first = edge.sequence;
    house.log.append(0, value(&mut edge, &description, 20));
    drop(edge.data(&description, &Batch::of(&description).value(1, 30, 1.0).0));
    let fields = [(0, 1, (first, first + 1)), (1, 1, (first + 1, first + 2))];
    house.log.append(0, edge.gap_message(&drop_of(&fields, (first, first + 2))));
    house.log.append(0, value(&mut edge, &description, 40));
    house.ingest();
    assert_eq!(entries(&house, 1), [], "its only value came");
    assert_eq!(entries(&house, 2), [(GapReason::Drop, Some(20), Some(30), Some(1))]);
}

#[test]
fn nothing_is_missing_where_only_records_and_descriptions_were_given_up() {
    let mut house = House::new();
    let (mut edge, description) = begin(&house);
    let first = edge.sequence;
    drop(edge.metadata(&description));
    let mut nothing = drop_of(&[], (first, first + 1));
    (nothing.record.from, nothing.record.to, nothing.record.count) = (None, None, Some(0));
    house.log.append(0, edge.gap_message(&nothing));
    house.log.append(0, value(&mut edge, &description, 40));
    house.ingest();
    assert_eq!(entries(&house, 1), []);
}

#[test]
fn values_that_waited_before_a_record_begin_its_gap_and_those_after_it_end_it() {
    let mut house = House::new();
    let (mut edge, _) = begin(&house);
    let newer = edge.description(WRITER, 2, 2);
    for seconds in [20, 40, 60] {
        house.log.append(0, value(&mut edge, &newer, seconds));
        house.log.append(0, edge.gap_message(&disconnection(WRITER)));
    }
    house.log.append(0, edge.metadata(&newer));
    house.ingest();
    let gap = |from, to| (GapReason::Disconnection, Some(from), to, None);
    let expected = [gap(20, Some(40)), gap(40, Some(60)), gap(60, None)];
    assert_eq!(entries(&house, 1), expected);
}

#[test]
fn a_record_passes_values_that_wait_for_another_writer() {
    let mut house = House::new();
    let (mut edge, description) = begin(&house);
    let other = edge.description(SECOND, 1, 1);
    house.log.append(0, value(&mut edge, &other, 5));
    house.log.append(0, edge.gap_message(&disconnection(WRITER)));
    for seconds in [20, 30] {
        house.log.append(0, value(&mut edge, &description, seconds));
    }
    house.log.append(0, edge.metadata(&other));
    house.ingest();
    assert_eq!(entries(&house, 1), [(GapReason::Disconnection, Some(10), Some(20), None)]);
}

#[test]
fn a_record_about_a_writer_without_a_description_waits_for_it() {
    let mut house = House::new();
    let (mut edge, _) = begin(&house);
    let other = edge.description(SECOND, 1, 1);
    house.log.append(0, value(&mut edge, &other, 20));
    house.log.append(0, edge.gap_message(&disconnection(SECOND)));
    house.log.append(0, value(&mut edge, &other, 30));
    house.ingest();
    house.engine().flush_all().expect("flushes");
    house.reopen();
    house.log.append(0, edge.metadata(&other));
    house.log.append(0, value(&mut edge, &other, 40));
    house.ingest();
    assert_eq!(entries(&house, 3), [(GapReason::Disconnection, Some(20), Some(30), None)]);
}

#[test]
fn damage_at_the_edge_is_the_cause_of_what_never_came_and_nobody_else_explains() {
    let mut house = House::new();
    let (mut edge, description) = begin(&house);
    let first = edge.sequence;
    (0..4).for_each(|_| drop(value(&mut edge, &description, 20)));
    house.log.append(0, value(&mut edge, &description, 50));
    let damage = GapRecord { reason: GapReason::Corruption, hop: Hop::Edge, ..disconnection(WRITER).record };
    let damage = GapRecord { scope: GapScope::Producer, ..damage };
    let damage = GapMessage { messages: vec![(0, first + 2)], ..damage.into() };
    house.log.append(0, edge.gap_message(&damage));
    house.ingest();
    let corruption = (GapReason::Corruption, Some(10), Some(50), None);
    assert_eq!(entries(&house, 1), [(GapReason::SequenceGap, Some(10), Some(50), None), corruption]);
    let rest = drop_of(&[(0, 2, (first + 2, first + 4))], (first + 2, first + 4));
    house.log.append(0, edge.gap_message(&rest));
    house.ingest();
    assert_eq!(entries(&house, 1), [corruption, (GapReason::Drop, Some(20), Some(30), Some(2))]);
}

#[test]
fn a_loss_of_the_log_is_taken_back_when_the_messages_are_sent_again() {
    let mut house = House::new();
    let (mut edge, description) = begin(&house);
    let lost = value(&mut edge, &description, 20);
    let offset = house.log.append(0, lost.clone());
    house.log.lose(0, offset, offset + 1, true);
    house.log.append(0, value(&mut edge, &description, 30));
    house.ingest();
    assert_eq!(entries(&house, 1), [(GapReason::Corruption, Some(10), Some(30), None)]);
    // The power went before the hub had acknowledged any of them.
    house.log.append(0, lost);
    house.ingest();
    assert_eq!(entries(&house, 1), []);
}

#[test]
fn an_edge_that_was_put_back_and_gave_up_what_it_gave_anew_leaves_a_gap_of_its_own() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    edge.life = Some(1);
    let description = edge.description(WRITER, 1, 2);
    house.log.append(0, edge.metadata(&description));
    let first = edge.sequence;
    for seconds in [10, 11] {
        house.log.append(0, value(&mut edge, &description, seconds));
    }
    // Put back to what it was before these: it gives their numbers anew, and gives that up, before it is heard again.
    (edge.life, edge.sequence) = (Some(2), first + 4);
    house.log.append(0, value(&mut edge, &description, 50));
    let mut given_up = drop_of(&[(0, 4, (first, first + 4))], (first, first + 4));
    given_up.starts = vec![ProducerStart { life: 2, first }];
    house.log.append(0, edge.gap_message(&given_up));
    house.ingest();
    let gone = (GapReason::EdgeRestart, Some(11), Some(50), None);
    assert_eq!(entries(&house, 1), [gone, (GapReason::Drop, Some(20), Some(30), None)]);
}

#[test]
fn a_new_epoch_is_a_gap_also_when_the_manifest_was_lost() {
    let mut house = House::new();
    let (mut edge, description) = begin(&house);
    house.ingest();
    house.engine().state.lock().resync = true;
    (edge.epoch, edge.sequence) = (0xF, 7);
    house.log.append(0, value(&mut edge, &description, 50));
    house.ingest();
    assert_eq!(entries(&house, 1), [(GapReason::EdgeRestart, Some(10), Some(50), None)]);
}

#[test]
fn ranges_at_the_edges_of_numbers_are_taken_and_too_many_are_damage() {
    let all = (0, u64::MAX);
    for (ranges, expected) in [
        (vec![all; 16], vec![(GapReason::Drop, Some(20), Some(30), None)]),
        (vec![all; 17], vec![(GapReason::Corruption, Some(10), None, None)]),
    ] {
        let mut house = House::new();
        let (mut edge, _) = begin(&house);
        let starts = vec![ProducerStart { life: 7, first: 0 }, ProducerStart { life: 8, first: u64::MAX }];
        let gap = GapMessage { messages: ranges, starts, ..drop_of(&[(0, 1, all)], all) };
        house.log.append(0, edge.gap_message(&gap));
        house.ingest();
        assert_eq!(entries(&house, 1), expected);
    }
}

#[test]
fn a_hole_stays_while_one_of_the_records_that_account_for_it_is_missing() {
    let mut house = House::new();
    let (mut edge, description) = begin(&house);
    let second = edge.description(SECOND, 1, 1);
    house.log.append(0, edge.metadata(&second));
    house.log.append(0, edge.data(&second, &Batch::of(&second).value(0, 10, 1.0).0));
    let first = edge.sequence;
    drop(value(&mut edge, &description, 25));
    drop(edge.data(&second, &Batch::of(&second).value(0, 25, 1.0).0));
    house.log.append(0, value(&mut edge, &description, 50));
    house.log.append(0, edge.data(&second, &Batch::of(&second).value(0, 50, 1.0).0));
    let given_up = (first, first + 2);
    let mut of_second = drop_of(&[(0, 1, (first + 1, first + 2))], given_up);
    of_second.record.scope = GapScope::Writer {
        group: SECOND.group,
        writer: SECOND.writer,
        fields: Some(vec![FieldGap { field: 0, count: Some(1), messages: Some((first + 1, first + 2)) }]),
    };
    of_second.part = Some(Part { number: 2, of: 2 });
    house.log.append(0, edge.gap_message(&of_second));
    house.ingest();
    let hole = (GapReason::SequenceGap, Some(10), Some(50), None);
    let drop = (GapReason::Drop, Some(20), Some(30), Some(1));
    assert_eq!(entries(&house, 1), [hole], "what told of it is missing");
    assert_eq!(entries(&house, 3), [hole, drop]);
    let mut of_first = drop_of(&[(0, 1, (first, first + 1))], given_up);
    of_first.part = Some(Part { number: 1, of: 2 });
    house.log.append(0, edge.gap_message(&of_first));
    house.ingest();
    assert_eq!([entries(&house, 1), entries(&house, 3)], [[drop], [drop]]);
}

#[test]
fn a_record_that_comes_late_stands_in_the_hole_where_it_was_missing() {
    let mut house = House::new();
    let (mut edge, description) = begin(&house);
    let late = edge.gap_message(&disconnection(WRITER));
    for seconds in [50, 60] {
        house.log.append(0, value(&mut edge, &description, seconds));
    }
    house.log.append(0, late);
    house.log.append(0, value(&mut edge, &description, 70));
    house.ingest();
    assert_eq!(entries(&house, 1), [(GapReason::Disconnection, Some(10), Some(50), None)]);
}

/// Any bytes as the gap record of a known edge, after a hole in its numbers.
fn record_of_bytes(bytes: &[u8]) {
    let mut house = House::new();
    let (mut edge, description) = begin(&house);
    drop(value(&mut edge, &description, 20));
    house.log.append(0, value(&mut edge, &description, 50));
    let mut record = edge.gap_message(&disconnection(WRITER));
    record.body = bytes::Bytes::copy_from_slice(bytes);
    house.log.append(0, record);
    house.log.append(0, value(&mut edge, &description, 60));
    house.ingest();
    let accounts = house.engine().with_state(|state| state.producers.completeness());
    let counts: Vec<_> = accounts.iter().map(|one| (one.messages, one.missing, one.stored)).collect();
    assert_eq!(counts, [(5, 1, 3)], "a record changes no count");
    for gap in house.gaps() {
        assert!(gap.to.is_none() || gap.from.is_none() || gap.from <= gap.to, "{gap:?}");
    }
}

#[test]
fn fuzz_record() {
    let drop = drop_of(&[(0, 1, (2, 3))], (2, 3));
    let part = GapMessage { part: Some(Part { number: 1, of: 2 }), again: vec![2], ..drop.clone() };
    let start = ProducerStart { life: 7, first: 1 };
    let starts = GapMessage { starts: vec![start], ..drop.clone() };
    let of_all = GapMessage::from(GapRecord { scope: GapScope::Producer, ..disconnection(WRITER).record });
    let inputs = [drop, part, starts, of_all].map(|gap| serde_json::to_vec(&gap).expect("is JSON"));
    let words = [
        "\"messages\":[[0,18446744073709551615]]",
        "\"part\":",
        "\"again\":[",
        "\"count\":0",
        "\"producer\"",
        "null",
    ];
    gemba_testkit::fuzz::Target::new("historian-gap-record", record_of_bytes)
        .inputs(inputs)
        .words(words)
        .executions(1_000)
        .run();
}
