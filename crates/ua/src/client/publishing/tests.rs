//! Every rule of the publish loop, with virtual time.

use super::*;
use crate::client::decoder::DataChange;
use expect_test::{Expect, expect};
use gemba_model::{Sample, Value};
use std::fmt::Write;

mod faults;

const PART: PartId = PartId(0);
const START: DateTime = DateTime::from_ticks(1_000_000);

/// A machine, a clock, and the requests that are out.
struct Rig {
    machine: PublishLoop,
    monotonic: Duration,
    out: VecDeque<u64>,
    deliveries: Vec<(PartId, u64)>,
    subscription: u32,
}

fn made(id: u32) -> CreatedSubscription {
    CreatedSubscription {
        id,
        publishing_interval: Duration::from_millis(100),
        keep_alive_count: 10,
        lifetime_count: 6000,
    }
}

fn change(handle: u32, status: u32) -> ReceivedBody {
    let sample = Sample { status: StatusCode(status), value: Value::Int32(1), ..Sample::default() };
    ReceivedBody::DataChange(DataChange { handles: vec![handle], samples: vec![sample], bytes: Vec::new() })
}

fn code(name: &str) -> StatusCode {
    StatusCode::from_name(name).expect(name)
}

impl Rig {
    /// Without a connection.
    fn idle(resume: Option<ResumePoint>) -> Self {
        let mut rig = Self {
            machine: PublishLoop::new(16),
            monotonic: Duration::from_secs(100),
            out: VecDeque::new(),
            deliveries: Vec::new(),
            subscription: 7,
        };
        rig.machine.add(rig.now(), PART, resume);
        rig
    }

    /// Connected, with subscription 7, and its first delivery durable.
    fn running() -> Self {
        let mut rig = Self::idle(None);
        rig.connect(START);
        rig.acts();
        rig.machine.on_created(rig.now(), PART, &made(7));
        rig.acts();
        rig.durable(0);
        rig.acts();
        rig
    }

    fn now(&self) -> Now {
        // The wall clock shows the monotonic one, for gaps that can be read.
        let ticks = START.ticks() + (self.monotonic.as_nanos() / 100) as i64;
        Now { monotonic: self.monotonic, wall: DateTime::from_ticks(ticks) }
    }

    fn connect(&mut self, start: DateTime) {
        self.machine.on_connected(self.now(), start, 16);
    }

    fn cut(&mut self) {
        self.out.clear();
        self.machine.on_disconnected(self.now());
    }

    fn answer(&mut self, number: u32, body: ReceivedBody, results: &[StatusCode]) {
        let request = self.out.pop_front().expect("a request is out");
        let message = ReceivedMessage {
            sequence_number: number,
            publish_time: Some(DateTime::from_ticks(i64::from(number))),
            body,
        };
        let answer = PublishAnswer { subscription: self.subscription, message, results: results.to_vec() };
        self.machine.on_published(self.now(), request, answer);
    }

    fn message(&mut self, number: u32) {
        self.answer(number, change(1, 0), &[]);
    }

    fn keep_alive(&mut self, number: u32) {
        self.answer(number, ReceivedBody::KeepAlive, &[]);
    }

    fn fail(&mut self, failure: PublishFailure) {
        let request = self.out.pop_front().expect("a request is out");
        self.machine.on_publish_failed(self.now(), request, failure);
    }

    fn republished(&mut self, number: u32, found: bool) {
        let message = found.then(|| ReceivedMessage {
            sequence_number: number,
            publish_time: Some(DateTime::from_ticks(i64::from(number))),
            body: change(1, 0),
        });
        self.machine.on_republished(self.now(), PART, number, message);
    }

    /// The delivery with this index, counted from the first.
    fn durable(&mut self, index: usize) {
        let (part, delivery) = self.deliveries[index];
        self.machine.on_durable(self.now(), part, delivery);
    }

    fn after(&mut self, millis: u64) {
        self.monotonic += Duration::from_millis(millis);
        self.machine.on_time(self.now());
    }

    /// Everything that is to be done, one thing a line; publish requests are only counted where they carry nothing.
    fn acts(&mut self) -> String {
        let mut text = String::new();
        let mut empty = 0;
        while let Some(action) = self.machine.poll_action() {
            let line = match action {
                Action::Publish { request, acknowledgements, .. } => {
                    self.out.push_back(request);
                    if acknowledgements.is_empty() {
                        empty += 1;
                        continue;
                    }
                    format!("publish, acknowledging {acknowledgements:?}")
                }
                Action::Deliver(batch) => {
                    self.deliveries.push((batch.part, batch.delivery));
                    let numbers: Vec<u32> = batch.messages.iter().map(|m| m.sequence_number).collect();
                    let gap = batch.gap.map_or(String::new(), |gap| {
                        let since = gap.since.map_or(-1, DateTime::ticks);
                        format!(" after a gap ({}, since {since}, {:?})", gap.reason, gap.handles)
                    });
                    format!("deliver {numbers:?} of {} up to {}{gap}", batch.subscription, batch.last)
                }
                Action::Transfer { subscription, .. } => format!("transfer {subscription}"),
                Action::Create { delete, .. } => format!("create, deleting {delete:?}"),
                Action::Republish { subscription, sequence_number, .. } => {
                    format!("republish {sequence_number} of {subscription}")
                }
                Action::Disconnect(reason) => format!("disconnect: {reason}"),
                Action::Suspect(reason) => format!("suspect: {reason}"),
                Action::Heard => "heard".to_owned(),
                Action::Report(report) => format!("{report:?}"),
            };
            writeln!(text, "{line}").expect("a string");
        }
        if empty > 0 {
            writeln!(text, "publish x {empty}").expect("a string");
        }
        text
    }

    fn check(&mut self, expected: Expect) {
        expected.assert_eq(&self.acts());
    }
}

fn resume(last: u32) -> ResumePoint {
    ResumePoint {
        subscription: 7,
        server_start: START,
        last,
        publish_time: Some(DateTime::from_ticks(50)),
        keep_alive: Duration::from_secs(1),
        same_items: true,
    }
}

#[test]
fn a_new_subscription_is_durable_before_its_first_value_and_begins_without_a_gap() {
    let mut rig = Rig::idle(None);
    rig.check(expect![""]);
    rig.connect(START);
    rig.check(expect![[r#"
        create, deleting None
    "#]]);
    rig.machine.on_created(rig.now(), PART, &made(7));
    rig.check(expect![[r#"
        deliver [] of 7 up to 0
        publish x 4
    "#]]);
}

#[test]
fn a_message_is_acknowledged_only_after_it_is_durable() {
    let mut rig = Rig::running();
    rig.message(1);
    rig.check(expect![[r#"
        deliver [1] of 7 up to 1
        publish x 1
    "#]]);
    rig.message(2);
    rig.check(expect![[r#"
        deliver [2] of 7 up to 2
        publish x 1
    "#]]);
    rig.durable(1);
    rig.message(3);
    rig.check(expect![[r#"
        deliver [3] of 7 up to 3
        publish, acknowledging [(7, 1)]
    "#]]);
}

#[test]
fn acknowledgements_follow_the_order_of_deliveries() {
    let mut rig = Rig::running();
    rig.message(1);
    rig.message(2);
    rig.acts();
    rig.durable(2);
    rig.message(3);
    rig.check(expect![[r#"
        deliver [3] of 7 up to 3
        publish x 1
    "#]]);
    rig.durable(1);
    rig.message(4);
    rig.check(expect![[r#"
        deliver [4] of 7 up to 4
        publish, acknowledging [(7, 1), (7, 2)]
    "#]]);
}

#[test]
fn a_keep_alive_is_never_acknowledged_and_its_number_is_the_next_one() {
    let mut rig = Rig::running();
    rig.keep_alive(1);
    rig.message(1);
    rig.acts();
    rig.durable(1);
    rig.keep_alive(2);
    rig.check(expect![[r#"
        publish, acknowledging [(7, 1)]
    "#]]);
    rig.message(2);
    rig.check(expect![[r#"
        deliver [2] of 7 up to 2
        publish x 1
    "#]]);
}

#[test]
fn the_window_counts_requests_and_undurable_messages_together() {
    let mut rig = Rig::running();
    for number in 1..=8 {
        rig.message(number);
        rig.acts();
    }
    assert_eq!(
        (rig.out.len(), rig.machine.undurable()),
        (0, 8),
        "no request is left to carry a ninth message"
    );
    rig.durable(1);
    rig.check(expect![[r#"
        publish, acknowledging [(7, 1)]
    "#]]);
}

#[test]
fn too_many_requests_shrink_the_window() {
    let mut rig = Rig::running();
    assert_eq!(rig.out.len(), 4);
    rig.fail(PublishFailure::TooMany);
    rig.fail(PublishFailure::TooMany);
    rig.check(expect![""]);
    assert_eq!(rig.out.len(), 2);
    for number in 1..=4 {
        rig.message(number);
        rig.acts();
    }
    assert_eq!((rig.out.len(), rig.machine.undurable()), (0, 4));
}

#[test]
fn answers_that_overtake_each_other_are_no_hole() {
    let mut rig = Rig::running();
    rig.message(2);
    rig.check(expect![[r#"
        publish x 1
    "#]]);
    rig.after(100);
    rig.message(1);
    rig.check(expect![[r#"
        deliver [1, 2] of 7 up to 2
        publish x 1
    "#]]);
    rig.after(1000);
    rig.check(expect![""]);
}

#[test]
fn a_hole_is_asked_for_again_and_filled_in_order() {
    let mut rig = Rig::running();
    rig.message(1);
    rig.message(4);
    rig.acts();
    assert_eq!(rig.machine.next_deadline(), Some(rig.monotonic + HOLE_GRACE));
    rig.after(250);
    rig.check(expect![[r#"
        republish 2 of 7
        republish 3 of 7
    "#]]);
    rig.republished(3, true);
    rig.check(expect![""]);
    rig.republished(2, true);
    rig.check(expect![[r#"
        deliver [2, 3, 4] of 7 up to 4
    "#]]);
    assert_eq!(rig.machine.counters().republished, 2);
}

#[test]
fn what_does_not_come_again_is_a_gap_before_the_values_behind_it() {
    let mut rig = Rig::running();
    rig.message(1);
    rig.message(4);
    rig.acts();
    rig.after(250);
    rig.acts();
    rig.republished(2, false);
    rig.republished(3, true);
    rig.check(expect![[r#"
        deliver [] of 7 up to 2 after a gap (sequence-gap, since 1, None)
        deliver [3, 4] of 7 up to 4
    "#]]);
    let counters = rig.machine.counters();
    assert_eq!((counters.missing, counters.gaps), (1, 1));
}

#[test]
fn a_keep_alive_shows_that_the_last_messages_were_lost() {
    let mut rig = Rig::running();
    rig.message(1);
    rig.keep_alive(3);
    rig.acts();
    rig.after(250);
    rig.check(expect![[r#"
        republish 2 of 7
    "#]]);
    rig.republished(2, false);
    rig.check(expect![[r#"
        deliver [] of 7 up to 2 after a gap (sequence-gap, since 1, None)
    "#]]);
}

#[test]
fn a_server_that_claims_millions_of_messages_is_not_asked_for_each() {
    let mut rig = Rig::running();
    rig.keep_alive(2_000_000_000);
    rig.check(expect![[r#"
        deliver [] of 7 up to 1999999999 after a gap (sequence-gap, since -1, None)
        publish x 1
    "#]]);
    rig.message(2_000_000_000);
    rig.check(expect![[r#"
        deliver [2000000000] of 7 up to 2000000000
        publish x 1
    "#]]);
}

#[test]
fn a_body_that_is_not_understood_is_a_gap_and_never_acknowledged() {
    let mut rig = Rig::running();
    rig.message(1);
    rig.answer(2, ReceivedBody::NotUnderstood("events".into()), &[]);
    rig.check(expect![[r#"
        deliver [1] of 7 up to 1
        NotUnderstood { part: PartId(0), sequence_number: 2, reason: "events" }
        deliver [] of 7 up to 2 after a gap (corruption, since 1, None)
        publish x 2
    "#]]);
    rig.durable(1);
    rig.durable(2);
    rig.message(3);
    rig.check(expect![[r#"
        deliver [3] of 7 up to 3
        publish, acknowledging [(7, 1)]
    "#]]);
}

#[test]
fn an_overflow_is_a_gap_of_its_handle_before_the_message() {
    let mut rig = Rig::running();
    rig.message(1);
    // With the info type of the standard, and without it, as async-opcua's server sends it.
    rig.answer(2, change(9, 0x0000_0480), &[]);
    rig.answer(3, change(8, 0x0000_0080), &[]);
    rig.message(4);
    rig.check(expect![[r#"
        deliver [1] of 7 up to 1
        deliver [2] of 7 up to 2 after a gap (overflow, since -1, Some([9]))
        deliver [3] of 7 up to 3 after a gap (overflow, since -1, Some([8]))
        deliver [4] of 7 up to 4
        publish x 4
    "#]]);
    assert_eq!(rig.machine.counters().overflows, 2);
}

#[test]
fn a_request_that_the_server_hands_back_is_replaced() {
    let mut rig = Rig::running();
    rig.after(1000);
    rig.fail(PublishFailure::Timeout);
    rig.check(expect![[r#"
        publish x 1
    "#]]);
}

#[test]
fn our_own_publish_deadline_is_a_lost_connection() {
    let mut rig = Rig::running();
    // Five keep-alives of a second and the margin.
    rig.monotonic += Duration::from_secs(10);
    rig.fail(PublishFailure::Timeout);
    assert!(rig.acts().contains("disconnect: a PublishRequest was not answered in time"));
}

#[test]
fn endless_refusals_end_the_connection() {
    let mut rig = Rig::running();
    let mut acts = String::new();
    for _ in 0..20 {
        rig.fail(PublishFailure::Refused);
        acts = rig.acts();
    }
    assert!(acts.contains("disconnect: the server refuses PublishRequests"));
}

#[test]
fn acknowledgements_of_a_failed_request_are_sent_again() {
    let mut rig = Rig::running();
    rig.message(1);
    rig.acts();
    rig.durable(1);
    rig.message(2);
    rig.check(expect![[r#"
        deliver [2] of 7 up to 2
        publish, acknowledging [(7, 1)]
    "#]]);
    while rig.out.len() > 1 {
        rig.out.pop_front();
    }
    rig.fail(PublishFailure::Timeout);
    rig.check(expect![[r#"
        publish, acknowledging [(7, 1)]
    "#]]);
}

#[test]
fn acknowledgements_that_the_server_does_not_know_are_counted() {
    let mut rig = Rig::running();
    rig.answer(1, change(1, 0), &[code("BadSequenceNumberUnknown"), StatusCode::GOOD]);
    assert_eq!(rig.machine.counters().unknown_acknowledgements, 1);
}

#[test]
fn a_message_that_comes_twice_is_delivered_once() {
    let mut rig = Rig::running();
    rig.message(1);
    rig.message(1);
    rig.check(expect![[r#"
        deliver [1] of 7 up to 1
        publish x 2
    "#]]);
    assert_eq!(rig.machine.counters().duplicates, 1);
}

#[test]
fn an_answer_for_a_strange_subscription_is_counted_and_not_acknowledged() {
    let mut rig = Rig::running();
    rig.subscription = 99;
    rig.message(1);
    rig.check(expect![[r#"
        publish x 1
    "#]]);
    assert_eq!(rig.machine.counters().unknown_subscriptions, 1);
}

#[test]
fn silence_asks_for_a_second_connection_and_a_blocked_sink_does_not() {
    let mut rig = Rig::running();
    rig.after(2900);
    rig.check(expect![""]);
    rig.after(200);
    rig.check(expect![[r#"
        suspect: a subscription is silent
    "#]]);
    rig.after(60_000);
    rig.check(expect![""]);
    assert_eq!(rig.machine.next_deadline(), None, "once is enough");
    rig.message(1);
    rig.check(expect![[r#"
        heard
        deliver [1] of 7 up to 1
        publish x 1
    "#]]);
    rig.after(3100);
    assert!(rig.acts().contains("suspect"), "the next silence counts again");
    let mut rig = Rig::running();
    for number in 1..=8 {
        rig.message(number);
        rig.acts();
    }
    rig.after(60_000);
    rig.check(expect![""]);
}

#[test]
fn after_a_cut_what_is_durable_is_acknowledged_and_what_is_newer_is_fetched() {
    let mut rig = Rig::running();
    rig.message(1);
    rig.message(2);
    rig.acts();
    rig.durable(1);
    rig.cut();
    rig.after(2000);
    rig.connect(START);
    rig.check(expect![[r#"
        transfer 7
    "#]]);
    // 1 was durable, 2 is with the sink, 3 and 4 were sent to nobody.
    rig.machine.on_transferred(rig.now(), PART, StatusCode::GOOD, &[1, 2, 3, 4], Vec::new());
    rig.check(expect![[r#"
        republish 3 of 7
        republish 4 of 7
        publish, acknowledging [(7, 1)]
        publish x 3
    "#]]);
    rig.republished(4, true);
    rig.republished(3, true);
    rig.check(expect![[r#"
        deliver [3, 4] of 7 up to 4
    "#]]);
    rig.message(5);
    rig.check(expect![[r#"
        deliver [5] of 7 up to 5
        Recovered { part: PartId(0), since: 1601-01-01T00:01:40.1000000Z, republished: 2, missing: 0 }
        publish x 1
    "#]]);
}

#[test]
fn a_message_that_the_server_dropped_during_the_cut_is_a_gap_by_disconnection() {
    let mut rig = Rig::running();
    rig.message(1);
    rig.acts();
    rig.durable(1);
    rig.cut();
    rig.connect(START);
    rig.machine.on_transferred(rig.now(), PART, StatusCode::GOOD, &[3], Vec::new());
    rig.acts();
    rig.republished(3, true);
    rig.after(250);
    rig.check(expect![[r#"
        republish 2 of 7
    "#]]);
    rig.republished(2, false);
    rig.message(4);
    rig.check(expect![[r#"
        deliver [3] of 7 up to 3 after a gap (disconnection, since 1, None)
        deliver [4] of 7 up to 4
        Recovered { part: PartId(0), since: 1601-01-01T00:01:40.1000000Z, republished: 1, missing: 1 }
        publish x 1
    "#]]);
}

#[test]
fn a_refused_transfer_is_a_gap_and_a_new_subscription() {
    let mut rig = Rig::running();
    rig.message(1);
    rig.message(3);
    rig.acts();
    rig.cut();
    rig.connect(START);
    rig.acts();
    rig.machine.on_transferred(rig.now(), PART, code("BadSubscriptionIdInvalid"), &[], Vec::new());
    rig.check(expect![[r#"
        TransferRefused { part: PartId(0), status: BadSubscriptionIdInvalid(0x80280000) }
        deliver [3] of 7 up to 3 after a gap (disconnection, since 1, None)
        create, deleting None
    "#]]);
    rig.machine.on_created(rig.now(), PART, &made(8));
    rig.check(expect![[r#"
        Recreated { part: PartId(0), since: Some(1601-01-01T00:00:00.0000003Z), reason: Disconnection }
        deliver [] of 8 up to 0 after a gap (disconnection, since 3, None)
        publish x 4
    "#]]);
}

#[test]
fn a_subscription_that_is_silent_after_its_transfer_is_deleted_and_created_anew() {
    let mut rig = Rig::running();
    rig.message(1);
    rig.acts();
    rig.cut();
    rig.connect(START);
    rig.machine.on_transferred(rig.now(), PART, StatusCode::GOOD, &[1], Vec::new());
    rig.acts();
    rig.after(3100);
    rig.check(expect![[r#"
        create, deleting Some(7)
    "#]]);
}

#[test]
fn a_restarted_server_is_known_by_its_start_time_even_with_the_same_ids() {
    let mut rig = Rig::running();
    rig.message(1);
    rig.acts();
    rig.cut();
    rig.connect(DateTime::from_ticks(2_000_000));
    rig.check(expect![[r#"
        create, deleting None
    "#]]);
    rig.machine.on_created(rig.now(), PART, &made(7));
    rig.check(expect![[r#"
        Recreated { part: PartId(0), since: Some(1601-01-01T00:00:00.0000001Z), reason: ServerRestart }
        deliver [] of 7 up to 0 after a gap (server-restart, since 1, None)
        publish x 4
    "#]]);
    rig.durable(1);
    rig.message(1);
    assert!(!rig.acts().contains("(7, 1)"), "the old message 1 is not the new one");
}

#[test]
fn a_restarted_edge_takes_over_and_fetches_what_is_newer_than_its_cursor() {
    let mut rig = Rig::idle(Some(resume(5)));
    rig.connect(START);
    rig.check(expect![[r#"
        transfer 7
    "#]]);
    rig.machine.on_transferred(rig.now(), PART, StatusCode::GOOD, &[4, 5, 6, 7], Vec::new());
    rig.check(expect![[r#"
        republish 6 of 7
        republish 7 of 7
        publish, acknowledging [(7, 4), (7, 5)]
        publish x 3
    "#]]);
    rig.republished(6, true);
    rig.republished(7, true);
    rig.check(expect![[r#"
        deliver [6] of 7 up to 6
        deliver [7] of 7 up to 7
    "#]]);
    rig.keep_alive(8);
    rig.check(expect![[r#"
        Recovered { part: PartId(0), since: 1601-01-01T00:00:00.0000050Z, republished: 2, missing: 0 }
        publish x 1
    "#]]);
}

#[test]
fn a_restarted_edge_that_may_not_take_over_declares_the_gap_since_its_last_message() {
    let mut rig = Rig::idle(Some(resume(5)));
    rig.connect(START);
    rig.acts();
    rig.machine.on_transferred(rig.now(), PART, code("BadUserAccessDenied"), &[], Vec::new());
    rig.acts();
    rig.machine.on_created(rig.now(), PART, &made(8));
    rig.check(expect![[r#"
        Recreated { part: PartId(0), since: Some(1601-01-01T00:00:00.0000050Z), reason: EdgeRestart }
        deliver [] of 8 up to 0 after a gap (edge-restart, since 50, None)
        publish x 4
    "#]]);
}

#[test]
fn other_items_under_the_same_handles_are_not_taken_over() {
    let mut rig = Rig::idle(Some(ResumePoint { same_items: false, ..resume(5) }));
    rig.connect(START);
    rig.check(expect![[r#"
        create, deleting Some(7)
    "#]]);
}

#[test]
fn a_status_change_creates_a_new_subscription_with_a_gap() {
    let mut rig = Rig::running();
    rig.message(1);
    rig.answer(2, ReceivedBody::StatusChange(code("BadTimeout")), &[]);
    rig.check(expect![[r#"
        deliver [1] of 7 up to 1
        create, deleting None
        publish x 1
    "#]]);
    rig.machine.on_created(rig.now(), PART, &made(8));
    rig.check(expect![[r#"
        Recreated { part: PartId(0), since: Some(1601-01-01T00:00:00.0000001Z), reason: Disconnection }
        deliver [] of 8 up to 0 after a gap (disconnection, since 1, None)
        publish x 1
    "#]]);
}

#[test]
fn no_subscription_creates_all_anew() {
    let mut rig = Rig::running();
    rig.fail(PublishFailure::NoSubscription);
    rig.fail(PublishFailure::NoSubscription);
    rig.check(expect![[r#"
        create, deleting None
    "#]]);
}

#[test]
fn a_refused_creation_is_tried_again_later_and_later() {
    let mut rig = Rig::idle(None);
    rig.connect(START);
    rig.acts();
    rig.machine.on_create_failed(rig.now(), PART);
    assert_eq!(rig.machine.next_deadline(), Some(rig.monotonic + CREATE_RETRY.0));
    rig.after(2000);
    rig.check(expect![[r#"
        create, deleting None
    "#]]);
    rig.machine.on_create_failed(rig.now(), PART);
    assert_eq!(rig.machine.next_deadline(), Some(rig.monotonic + CREATE_RETRY.0 * 2));
}

#[test]
fn sequence_numbers_wrap_without_a_hole() {
    let mut rig = Rig::idle(Some(resume(u32::MAX - 1)));
    rig.connect(START);
    rig.machine.on_transferred(rig.now(), PART, StatusCode::GOOD, &[], Vec::new());
    rig.acts();
    rig.message(u32::MAX);
    rig.message(1);
    rig.message(2);
    rig.check(expect![[r#"
        deliver [4294967295] of 7 up to 4294967295
        Recovered { part: PartId(0), since: 1601-01-01T00:00:00.0000050Z, republished: 0, missing: 0 }
        deliver [1] of 7 up to 1
        deliver [2] of 7 up to 2
        publish x 3
    "#]]);
}

#[test]
fn a_second_cut_during_recovery_asks_again_and_loses_nothing() {
    let mut rig = Rig::running();
    rig.message(1);
    rig.acts();
    rig.cut();
    rig.connect(START);
    rig.machine.on_transferred(rig.now(), PART, StatusCode::GOOD, &[1, 2], Vec::new());
    rig.acts();
    rig.cut();
    rig.connect(START);
    rig.machine.on_transferred(rig.now(), PART, StatusCode::GOOD, &[1, 2], Vec::new());
    rig.check(expect![[r#"
        transfer 7
        republish 2 of 7
        publish x 4
    "#]]);
    rig.republished(2, true);
    rig.message(3);
    rig.check(expect![[r#"
        deliver [2] of 7 up to 2
        deliver [3] of 7 up to 3
        Recovered { part: PartId(0), since: 1601-01-01T00:01:40.1000000Z, republished: 1, missing: 0 }
        publish x 1
    "#]]);
}

#[test]
fn answers_of_an_earlier_connection_are_ignored() {
    let mut rig = Rig::running();
    let old: Vec<u64> = rig.out.iter().copied().collect();
    rig.cut();
    rig.machine.on_publish_failed(rig.now(), old[0], PublishFailure::Lost);
    rig.check(expect![""]);
}
