//! The store against a plain model, under re-delivery, disorder, crashes and full disks.

mod damage;
mod gaps;
mod house;
mod merging;
mod model;
mod random;

use crate::day::TimeRange;
use crate::file::read::Wanted;
use crate::testing::{Batch, TestEdge, WRITER, at};
use gemba_api::{GapQuery, StoredSample};
use gemba_model::{DateTime, FieldGap, GapMessage, GapReason, GapRecord, GapScope, Hop, StatusCode, Variant};
use house::House;

fn values(samples: &[StoredSample]) -> Vec<(i64, String)> {
    let time = |sample: &StoredSample| (sample.time().ticks() - at(0).ticks()) / 10_000_000;
    samples.iter().map(|sample| (time(sample), format!("{:?} {}", sample.value, sample.status))).collect()
}

#[test]
fn what_was_taken_in_is_read_from_memory_and_from_files_alike() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 2);
    house.log.append(0, edge.metadata(&description));
    house
        .log
        .append(0, edge.data(&description, &Batch::of(&description).value(0, 10, 1.0).value(1, 10, 9.0).0));
    house
        .log
        .append(0, edge.data(&description, &Batch::of(&description).value(0, 30, 3.0).value(0, 20, 2.0).0));
    house.ingest();
    let expected = [
        (10, "Double(1.0) Good".to_owned()),
        (20, "Double(2.0) Good".to_owned()),
        (30, "Double(3.0) Good".to_owned()),
    ];
    assert_eq!(values(&house.read(1)), expected);
    house.engine().flush_all().expect("flushes");
    assert_eq!(values(&house.read(1)), expected);
    house.reopen();
    assert_eq!(values(&house.read(1)), expected);
    assert_eq!(values(&house.read_range(1, at(20), at(30), true)), expected[1..2]);
    let last = house.engine().with_state(|state| state.last(1).map(|row| row.time));
    assert_eq!(last, Some(at(30).ticks()));
}

#[test]
fn a_value_and_its_bad_status_at_one_timestamp_are_both_kept_and_a_repeat_is_not() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    house.log.append(0, edge.metadata(&description));
    let (good, bad) = (StatusCode::GOOD, StatusCode(0x8005_0000));
    let time = Some(at(5));
    let first = Batch::of(&description)
        .sample(0, time, time, good, &Variant::Double(1.0))
        .sample(0, time, time, bad, &Variant::Double(1.0))
        .sample(0, time, time, good, &Variant::Double(2.0));
    for _ in 0..2 {
        house.log.append(0, edge.data(&description, &first.0));
        house.ingest();
        house.engine().flush_all().expect("flushes");
    }
    let expected = ["Double(1.0) Good", "Double(1.0) BadCommunicationError", "Double(2.0) Good"];
    assert_eq!(values(&house.read(1)), expected.map(|text| (5, text.to_owned())));
    let mut newest_first = house.read_range(1, at(0), at(9), true);
    newest_first.reverse();
    assert_eq!(newest_first, house.read(1));
}

#[test]
fn values_without_any_time_are_all_kept_in_order_of_arrival() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    house.log.append(0, edge.metadata(&description));
    for value in [7.0, 7.0, 6.0] {
        let batch = Batch::of(&description).sample(0, None, None, StatusCode::GOOD, &Variant::Double(value));
        house.log.append(0, edge.data(&description, &batch.0));
    }
    house.ingest();
    house.engine().flush_all().expect("flushes");
    let read = house.read(1);
    assert_eq!(read.len(), 3);
    assert!(read.iter().all(|sample| sample.source_timestamp.is_none() && sample.server_timestamp.is_none()));
    assert_eq!(read.last().map(|sample| sample.value.clone()), Some(Variant::Double(6.0)));
}

#[test]
fn times_outside_of_the_calendar_keep_every_tick() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    house.log.append(0, edge.metadata(&description));
    let times = [i64::MIN + 1, -504_911_232_000_000_001, -1, 0, 1, at(0).ticks() + 3, i64::MAX - 1];
    let mut batch = Batch::of(&description);
    for ticks in times {
        let time = Some(DateTime::from_ticks(ticks));
        batch = batch.sample(0, time, time, StatusCode::GOOD, &Variant::Int64(ticks));
    }
    house.log.append(0, edge.data(&description, &batch.0));
    house.ingest();
    house.engine().flush_all().expect("flushes");
    house.reopen();
    let all = house.read_range(1, DateTime::from_ticks(i64::MIN), DateTime::from_ticks(i64::MAX), false);
    let ticks: Vec<Option<i64>> =
        all.iter().map(|sample| sample.source_timestamp.map(DateTime::ticks)).collect();
    assert_eq!(ticks, times.map(Some));
    assert!(all.iter().all(|sample| sample.server_timestamp == sample.source_timestamp));
    assert!(all.iter().all(|s| s.value == Variant::Int64(s.time().ticks())));
}

#[test]
fn a_hole_in_the_numbers_is_a_gap_until_the_next_value() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 2);
    house.log.append(0, edge.metadata(&description));
    house
        .log
        .append(0, edge.data(&description, &Batch::of(&description).value(0, 10, 1.0).value(1, 11, 1.0).0));
    let lost = edge.data(&description, &Batch::of(&description).value(0, 20, 2.0).0);
    let after = edge.data(&description, &Batch::of(&description).value(0, 30, 3.0).0);
    let offset = house.log.append(0, after.clone());
    house.ingest();
    let gaps = house.gaps();
    assert_eq!(gaps.len(), 2);
    assert!(gaps.iter().all(|gap| gap.reason == GapReason::SequenceGap));
    assert_eq!((gaps[1].from, gaps[1].to, gaps[1].closed), (Some(at(10)), Some(at(30)), true));
    assert_eq!((gaps[0].from, gaps[0].to, gaps[0].closed), (Some(at(11)), None, false));
    // The lost one comes late after all: it is stored, and the account says that nothing is missing.
    house.log.append(0, lost);
    house.log.append(0, after);
    house.ingest();
    assert_eq!(values(&house.read(1)).len(), 3);
    let account = house.account("press");
    assert_eq!((account.messages, account.missing, account.duplicates), (4, 0, 1));
    assert!(house.gaps().is_empty(), "what came late is no gap any more");
    assert_eq!((account.received, account.stored), (4, 4));
    let before = house.gaps();
    house.engine().flush_all().expect("flushes");
    house.reopen();
    assert_eq!(house.gaps(), before);
    assert_eq!(house.account("press"), account);
    assert!(offset > 0);
}

#[test]
fn messages_wait_for_their_description_over_a_restart() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 3, 1);
    let announcement = edge.metadata(&description);
    for is_json in [false, true] {
        edge.is_json = is_json;
        let seconds = 10 + i64::from(is_json);
        house.log.append(0, edge.data(&description, &Batch::of(&description).value(0, seconds, 1.0).0));
    }
    house.ingest();
    assert_eq!(house.account("press").pending, 2);
    house.engine().flush_all().expect("flushes");
    house.log.trim(0, 2);
    house.reopen();
    assert_eq!(house.account("press").pending, 2);
    house.log.append(0, announcement);
    house.ingest();
    assert_eq!(values(&house.read(1)).len(), 2);
    let account = house.account("press");
    assert_eq!((account.pending, account.stored, account.missing), (0, 2, 0));
}

#[test]
fn a_loss_of_the_log_is_a_gap_only_for_whom_it_took_messages_of() {
    let mut house = House::new();
    let (mut a, mut b) = (TestEdge::new("a"), TestEdge::new("b"));
    let (of_a, of_b) = (a.description(WRITER, 1, 1), b.description(WRITER, 1, 1));
    house.log.append(0, a.metadata(&of_a));
    house.log.append(0, b.metadata(&of_b));
    house.log.append(0, a.data(&of_a, &Batch::of(&of_a).value(0, 1, 1.0).0));
    house.log.append(0, b.data(&of_b, &Batch::of(&of_b).value(0, 1, 1.0).0));
    house.ingest();
    let lost = house.log.append(0, a.data(&of_a, &Batch::of(&of_a).value(0, 2, 2.0).0));
    house.log.lose(0, lost, lost + 1, true);
    house.ingest();
    assert_eq!(house.gaps().len(), 2, "nobody knows yet whose message it was");
    house.log.append(0, b.data(&of_b, &Batch::of(&of_b).value(0, 3, 3.0).0));
    house.log.append(0, a.data(&of_a, &Batch::of(&of_a).value(0, 3, 3.0).0));
    house.ingest();
    let gaps = house.gaps();
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].series, gaps[0].reason, gaps[0].closed), (1, GapReason::Corruption, true));
    assert_eq!((gaps[0].from, gaps[0].to), (Some(at(1)), Some(at(3))));
    assert_eq!((house.account("a").missing, house.account("b").missing), (1, 0));
}

#[test]
fn a_damaged_file_hides_only_itself_and_is_named() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    house.log.append(0, edge.metadata(&description));
    for day in 0..3 {
        let batch = Batch::of(&description).value(0, day * 86_400 + 60, day as f64);
        house.log.append(0, edge.data(&description, &batch.0));
        house.ingest();
        house.engine().flush_all().expect("flushes");
    }
    let damaged = house.sample_paths().into_iter().nth(1).expect("three files");
    house.disk.flip(&damaged, 40, 0x10);
    house.reopen();
    let days: Vec<i64> = values(&house.read_range(1, at(0), at(9 * 86_400), false))
        .iter()
        .map(|(seconds, _)| seconds / 86_400)
        .collect();
    assert_eq!(days, [0, 2]);
    let gaps = house.gaps();
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].reason, gaps[0].from), (GapReason::Corruption, Some(at(86_460))));
    assert!(house.engine().problems.list().iter().any(|problem| problem.code == "GMB-HIS-004"));
    house.engine().flush_all().expect("flushes");
    house.reopen();
    house.read_range(1, at(0), at(9 * 86_400), true);
    assert_eq!(house.gaps().len(), 1, "found again, entered once");
}

#[test]
fn crowded_days_are_merged_and_readers_keep_what_they_read() {
    let mut house = House::new();
    house.options.day_files_max = 3;
    house.reopen();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 2);
    house.log.append(0, edge.metadata(&description));
    for round in 0..9 {
        let mut batch = Batch::of(&description);
        for value in 0..20 {
            batch = batch.value(0, value * 9 + round, value as f64).value(1, value * 9 + 8 - round, 0.5);
        }
        house.log.append(0, edge.data(&description, &batch.0));
        house.ingest();
        house.engine().flush_all().expect("flushes");
    }
    let before = (house.read(1), house.read(2));
    assert_eq!(before.0.len(), 180);
    let snapshot =
        house.engine().snapshot(Wanted { series: 1, range: TimeRange::new(at(0).ticks(), at(999).ticks()) });
    while house.engine().compact().expect("compacts") {}
    assert_eq!(house.sample_paths().len(), 9 + 1, "inputs stay as long as they may be read");
    drop(snapshot);
    assert!(house.sample_paths().len() <= 3);
    assert_eq!((house.read(1), house.read(2)), before);
    house.reopen();
    assert_eq!((house.read(1), house.read(2)), before);
}

#[test]
fn a_disk_that_fails_for_a_moment_is_no_corruption() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    house.log.append(0, edge.metadata(&description));
    house.log.append(0, edge.data(&description, &Batch::of(&description).value(0, 10, 1.0).0));
    house.ingest();
    house.engine().flush_all().expect("flushes");
    house.reopen();
    let mut refused = 0;
    for _ in 0..4 {
        house.disk.fail_next_read();
        match house.try_read(1, at(-86_400), at(86_400), false) {
            Ok(all) => assert_eq!(values(&all).len(), 1, "never less than all without a word"),
            Err(error) => {
                assert_eq!(error.code().0, "GMB-HIS-001");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "the disk was asked");
    assert_eq!(values(&house.read(1)).len(), 1);
    assert!(house.gaps().is_empty(), "nothing is damaged: {:?}", house.gaps());
}

#[test]
fn a_hole_that_a_gap_record_accounts_for_has_one_entry_with_its_cause() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    let value = |edge: &mut TestEdge, seconds| {
        edge.data(&description, &Batch::of(&description).value(0, seconds, 1.0).0)
    };
    house.log.append(0, edge.metadata(&description));
    for seconds in [10, 20] {
        house.log.append(0, value(&mut edge, seconds));
    }
    // Two are given up, though the second of them was on its way and comes; then the record of it, twice.
    drop(value(&mut edge, 30));
    house.log.append(0, value(&mut edge, 40));
    house.ingest();
    assert_eq!(house.gaps().len(), 1, "nobody knows why yet");
    let record = GapRecord {
        scope: GapScope::Writer {
            group: WRITER.group,
            writer: WRITER.writer,
            fields: Some(vec![FieldGap { field: 0, count: Some(2), messages: None }]),
        },
        from: Some(at(30)),
        to: Some(at(40)),
        reason: GapReason::Drop,
        hop: Hop::Edge,
        count: Some(2),
    };
    let mut gap = GapMessage { messages: vec![(3, 5)], ..GapMessage::from(record) };
    house.log.append(0, edge.gap_message(&gap));
    gap.again.push(5);
    house.log.append(0, edge.gap_message(&gap));
    house.ingest();
    let said: Vec<_> = house.gaps().iter().map(|gap| (gap.reason, gap.hop, gap.count)).collect();
    assert_eq!(said, [(GapReason::Drop, Hop::Edge, None)], "how many of the two are missing, it cannot say");
    house.engine().flush_all().expect("flushes");
    house.reopen();
    assert_eq!(house.gaps().len(), 1);
}

#[test]
fn days_older_than_the_retention_go_as_a_whole() {
    let mut house = House::new();
    house.options.retention = Some(std::time::Duration::from_secs(86_400));
    house.reopen();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    house.log.append(0, edge.metadata(&description));
    let batch = Batch::of(&description).value(0, 60, 1.0).value(0, 86_400 + 60, 2.0);
    house.log.append(0, edge.data(&description, &batch.0));
    house.ingest();
    house.engine().flush_all().expect("flushes");
    house.clock.set(at(2 * 86_400 - 1));
    assert_eq!(house.engine().expire().expect("expires"), 0);
    let broken = Some(DateTime::from_ticks(0));
    let late = Batch::of(&description).sample(0, broken, None, StatusCode::GOOD, &Variant::Double(3.0));
    edge.now = at(2 * 86_400);
    house.log.append(0, edge.data(&description, &late.0));
    house.ingest();
    house.engine().flush_all().expect("flushes");
    house.clock.set(at(2 * 86_400));
    assert_eq!(house.engine().expire().expect("expires"), 1);
    assert_eq!(values(&house.read_range(1, at(0), at(999_999), false)).len(), 1);
    assert_eq!(house.sample_paths().len(), 2, "a value of a broken clock came today");
}

#[test]
fn a_full_disk_stops_ingest_and_loses_nothing() {
    let mut house = House::new();
    house.options.memtable_rows_max = 4;
    house.reopen();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    house.log.append(0, edge.metadata(&description));
    for message in 0..8 {
        let mut batch = Batch::of(&description);
        for value in 0..4 {
            batch = batch.value(0, message * 4 + value, 1.0);
        }
        house.log.append(0, edge.data(&description, &batch.0));
    }
    house.disk.set_volume_bytes(0);
    assert!(house.ingest(), "memory is full");
    assert!(house.ingest(), "and stays so");
    let error = house.engine().flush_oldest().expect_err("no space");
    assert!(error.is_disk_full(), "{error}");
    let taken = house.read(1).len();
    assert_eq!(taken, 12, "what was taken in stays readable");
    house.disk.set_volume_bytes(1 << 40);
    while house.ingest() {
        house.engine().flush_all().expect("flushes");
    }
    house.engine().flush_all().expect("flushes");
    house.reopen();
    assert_eq!(house.read(1).len(), 32);
    assert!(house.disk.paths().iter().all(|path| path.extension().is_none_or(|e| e != "tmp")));
}

#[test]
fn a_damaged_manifest_has_a_copy_and_a_newer_one_is_refused() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    house.log.append(0, edge.metadata(&description));
    house.log.append(0, edge.data(&description, &Batch::of(&description).value(0, 10, 1.0).0));
    house.ingest();
    house.engine().flush_all().expect("flushes");
    let manifest = house.manifest_path();
    house.disk.flip(&manifest, 60, 1);
    house.reopen();
    assert_eq!(house.read(1).len(), 1);
    assert!(!house.engine().problems.list().is_empty());
    let copy = manifest.with_extension("copy.json");
    let text = String::from_utf8(house.disk.contents(&copy).expect("is there")).expect("is text");
    let newer = text.replace("\"formatVersion\":2", "\"formatVersion\":3");
    house.disk.install(&manifest, newer.as_bytes());
    let error = house.try_reopen().expect_err("is newer");
    assert_eq!(error.code().0, "GMB-HIS-002");
    assert_eq!(house.sample_paths().len(), 1, "nothing was touched");
}

#[test]
fn without_any_manifest_the_files_speak_for_themselves() {
    for how_many in [1, 99] {
        let mut house = House::new();
        house.options.day_files_max = 2;
        house.reopen();
        let mut edge = TestEdge::new("press");
        let description = edge.description(WRITER, 1, 1);
        house.log.append(0, edge.metadata(&description));
        for value in 0..5 {
            let batch = Batch::of(&description).value(0, value, value as f64);
            house.log.append(0, edge.data(&description, &batch.0));
            house.ingest();
            house.engine().flush_all().expect("flushes");
            if value == 3 {
                while house.engine().compact().expect("compacts") {}
            }
        }
        let before = house.read(1);
        house.log.trim(0, house.engine().covered()[&0]);
        for path in house.manifest_paths().into_iter().rev().take(how_many * 2) {
            house.disk.install(&path, b"{}");
        }
        if how_many > 9 {
            house.manifest_paths().iter().for_each(|path| house.disk.uninstall(path));
            house.disk.uninstall(&house.manifest_path().with_file_name("CURRENT"));
        }
        for _ in 0..2 {
            house.reopen();
            assert_eq!(house.read(1), before);
            let last = house.engine().with_state(|state| state.last(1).map(|row| row.time));
            assert_eq!(last, Some(at(4).ticks()));
        }
        assert!(house.engine().problems.list().iter().any(|problem| problem.code == "GMB-HIS-003"));
        house.log.append(0, edge.data(&description, &Batch::of(&description).value(0, 9, 9.0).0));
        house.ingest();
        assert_eq!((house.read(1).len(), house.gaps().len()), (6, 0));
        house.engine().flush_all().expect("flushes");
        house.reopen();
        assert_eq!(house.read(1).len(), 6);
        assert!(house.engine().problems.list().is_empty());
    }
}

#[test]
fn a_new_epoch_says_that_the_edge_lost_its_state() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    house.log.append(0, edge.metadata(&description));
    house.log.append(0, edge.data(&description, &Batch::of(&description).value(0, 10, 1.0).0));
    edge.epoch += 1;
    edge.sequence = 0;
    house.log.append(0, edge.metadata(&description));
    house.log.append(0, edge.data(&description, &Batch::of(&description).value(0, 20, 1.0).0));
    house.ingest();
    let gaps = house.gaps();
    assert_eq!(gaps.len(), 1);
    assert_eq!(
        (gaps[0].reason, gaps[0].from, gaps[0].to),
        (GapReason::EdgeRestart, Some(at(10)), Some(at(20)))
    );
    let page = house
        .engine()
        .with_state(|state| state.ledger().query(&GapQuery { limit: 1, ..GapQuery::default() }));
    assert_eq!(page.expect("a page").continuation, None);
}
