use super::*;
use crate::row::CellRef;
use expect_test::{Expect, expect};

const MAX: usize = 1_000;

fn row(series: u64, time: i64, status: u32) -> RowRef<'static> {
    RowRef {
        series,
        time,
        source: Some(time),
        server: None,
        received: 100,
        offset: 100,
        partition: 0,
        status,
        source_pico: 0,
        server_pico: 0,
        kind: 0,
        cell: CellRef::Null,
    }
}

fn told(offset: u64) -> Told {
    Told { at: offset as i64, partition: 0, offset }
}

fn open(from: i64, reason: GapReason, count: Option<u64>) -> Gap {
    Gap { from: Some(from), to: None, reason, hop: Hop::Edge, count, closed: false, doubt: Doubt::None }
}

fn check(ledger: &Ledger, expected: Expect) {
    let page = ledger.query(&GapQuery { limit: 100, ..GapQuery::default() }).expect("a page");
    let lines: Vec<String> = page
        .items
        .iter()
        .map(|gap| {
            let ticks = |time: Option<DateTime>| time.map(DateTime::ticks);
            format!(
                "{} {:?}..{:?} {} {:?} closed={}\n",
                gap.series,
                ticks(gap.from),
                ticks(gap.to),
                gap.reason,
                gap.count,
                gap.closed
            )
        })
        .collect();
    expected.assert_eq(&lines.concat());
}

#[test]
fn a_gap_ends_with_the_next_value_and_repeats_add_up() {
    let mut ledger = Ledger::default();
    ledger.add(1, told(1), open(10, GapReason::Drop, Some(3)), MAX);
    ledger.add(1, told(2), open(10, GapReason::Drop, Some(4)), MAX);
    ledger.add(1, told(2), open(10, GapReason::Disconnection, None), MAX);
    ledger.add(2, told(2), open(5, GapReason::Disconnection, None), MAX);
    assert_eq!(ledger.open_count(), 3);
    ledger.value_came(&row(1, 20, 0), false);
    ledger.value_came(&row(1, 30, 0), false);
    check(
        &ledger,
        expect![[r#"
            2 Some(5)..None disconnection None closed=false
            1 Some(10)..Some(20) disconnection None closed=true
            1 Some(10)..Some(20) drop Some(7) closed=true
        "#]],
    );
}

#[test]
fn an_older_value_closes_a_gap_without_turning_it_round() {
    let mut ledger = Ledger::default();
    ledger.add(1, told(1), open(10, GapReason::Disconnection, None), MAX);
    ledger.value_came(&row(1, 10, 0), false);
    check(
        &ledger,
        expect![[r#"
            1 Some(10)..Some(10) disconnection None closed=true
        "#]],
    );
}

#[test]
fn an_overflow_bit_is_a_gap_unless_a_record_told_of_it() {
    let mut ledger = Ledger::default();
    ledger.overflowed(&row(1, 20, 0x480), Some(10), told(1), MAX);
    ledger.add(1, told(2), open(20, GapReason::Overflow, Some(2)), MAX);
    ledger.overflowed(&row(1, 40, 0x480), Some(20), told(3), MAX);
    ledger.value_came(&row(1, 40, 0x480), false);
    check(
        &ledger,
        expect![[r#"
            1 Some(20)..Some(40) overflow Some(2) closed=true
            1 Some(10)..Some(20) overflow None closed=true
        "#]],
    );
}

#[test]
fn doubtful_gaps_are_taken_back_or_stand() {
    let mut ledger = Ledger::default();
    let doubtful = |from| Gap { doubt: Doubt::LogLoss, ..open(from, GapReason::Corruption, None) };
    ledger.add(1, told(1), doubtful(1), MAX);
    ledger.add(2, told(1), doubtful(2), MAX);
    ledger.settle(&[1], Doubt::LogLoss, false);
    ledger.settle(&[2], Doubt::LogLoss, true);
    check(
        &ledger,
        expect![[r#"
            2 Some(2)..None corruption None closed=false
        "#]],
    );
}

#[test]
fn pages_follow_each_other_and_the_bound_counts_what_it_takes() {
    let mut ledger = Ledger::default();
    for offset in 0..40 {
        ledger.add(offset, told(offset), Gap { closed: true, ..open(1, GapReason::Drop, None) }, 32);
    }
    assert_eq!(ledger.entries.len() as u64 + ledger.dropped, 40);
    let mut query = GapQuery { limit: 7, ..GapQuery::default() };
    let mut seen = Vec::new();
    loop {
        let page = ledger.query(&query).expect("a page");
        seen.extend(page.items.iter().map(|gap| gap.series));
        query.continuation = page.continuation;
        if query.continuation.is_none() {
            break;
        }
    }
    let newest_first: Vec<u64> = (40 - ledger.entries.len() as u64..40).rev().collect();
    assert_eq!(seen, newest_first);
    query.continuation = Some("x".into());
    assert!(matches!(ledger.query(&query), Err(HistoryError::InvalidContinuation)));
}

#[test]
fn a_hole_in_the_numbers_takes_the_cause_that_is_told_later() {
    let mut ledger = Ledger::default();
    let hole = |from| Gap { hop: Hop::Hub, ..open(from, GapReason::SequenceGap, None) };
    ledger.add(1, told(1), hole(10), MAX);
    ledger.value_came(&row(1, 20, 0), false);
    ledger.add(1, told(2), hole(20), MAX);
    ledger.attribute(told(1), GapReason::Corruption, Hop::Edge, MAX);
    ledger.retract(told(1));
    check(
        &ledger,
        expect![[r#"
            1 Some(20)..None sequence-gap None closed=false
            1 Some(10)..Some(20) corruption None closed=true
        "#]],
    );
}

#[test]
fn holes_in_the_numbers_stay_apart_because_each_may_be_taken_back() {
    let mut ledger = Ledger::default();
    for at in [1, 2] {
        let hole = Gap { hop: Hop::Hub, ..open(10, GapReason::SequenceGap, None) };
        ledger.add_apart(1, told(at), hole, MAX);
    }
    ledger.attribute(told(2), GapReason::Corruption, Hop::Edge, MAX);
    assert_eq!(ledger.hole(told(2), 1), Some((Some(10), None)));
    ledger.retract(told(2));
    ledger.value_came(&row(1, 20, 0), false);
    check(
        &ledger,
        expect![[r#"
            1 Some(10)..Some(20) corruption None closed=true
            1 Some(10)..Some(20) sequence-gap None closed=true
        "#]],
    );
}

#[test]
fn a_value_that_waited_before_a_gap_begins_it_and_one_that_comes_ends_it_whatever_its_offset() {
    let mut ledger = Ledger::default();
    ledger.add(1, told(200), open(10, GapReason::Disconnection, None), MAX);
    ledger.value_came(&row(1, 15, 0), true);
    assert!(ledger.has_open(1));
    ledger.value_came(&row(1, 30, 0), false);
    check(
        &ledger,
        expect![[r#"
            1 Some(15)..Some(30) disconnection None closed=true
        "#]],
    );
}
