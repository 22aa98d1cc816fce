//! Facts about the state machines, with a clock that the tests hold.

use super::engine::{Answer, Bounds, Engine, Now, Waiting};
use super::item::{Item, Parameters, Target};
use super::{Owner, Settings};
use crate::server::convert::Codec;
use crate::server::stored::{Body, OVERFLOW, Stored, Timestamps};
use gemba_model::binary::{Reader, skip_data_value};
use gemba_model::{DateTime, StatusCode as ModelStatus, Variant};
use opcua::types::{MonitoringMode, StatusCode};
use std::collections::VecDeque;
use std::time::Duration;

const SESSION: u32 = 7;
const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: f64) -> Now {
    let monotonic = Duration::from_secs_f64(seconds);
    Now { monotonic, wall: DateTime::from_ticks(133_000_000_000_000_000).saturating_add(monotonic) }
}

/// Publishes each second, keeps alive after three, lives for nine.
fn settings() -> Settings {
    Settings {
        interval: SECOND,
        keep_alive_count: 3,
        lifetime_count: 9,
        values_per_message: u32::MAX,
        priority: 0,
    }
}

fn owner(user: Option<&str>, application: &str) -> Owner {
    Owner { user: user.map(str::to_owned), application_uri: application.to_owned() }
}

struct Rig {
    engine: Engine,
    codec: Codec,
    subscription: u32,
    requests: u32,
}

impl Rig {
    fn new(settings: Settings) -> Self {
        let bounds = Bounds { requests_per_subscription: 4, sent: 3, lies: false };
        Self::bounded(settings, bounds)
    }

    fn bounded(settings: Settings, bounds: Bounds) -> Self {
        let mut engine = Engine::new(100, bounds);
        engine.open_session(SESSION, 0);
        let subscription = engine.create(SESSION, owner(None, "urn:a"), settings, true, Duration::ZERO);
        Self { engine, codec: Codec::new(), subscription, requests: 0 }
    }

    fn item(&mut self, handle: u32, queue_size: usize, discard_oldest: bool) -> u32 {
        let timestamps = Timestamps { source: false, server: false };
        let parameters =
            Parameters { client_handle: handle, timestamps, queue_size, discard_oldest, filter: None };
        let place = self.engine.place(self.subscription).unwrap();
        self.engine.at(place).unwrap().add(|id| Item {
            id,
            target: Target::Constant,
            mode: MonitoringMode::Reporting,
            parameters,
            range: None,
            queue: VecDeque::new(),
            ready: false,
        })
    }

    fn write(&mut self, item: u32, values: impl IntoIterator<Item = u32>) {
        let place = self.engine.place(self.subscription).unwrap();
        let subscription = self.engine.at(place).unwrap();
        for value in values {
            let body = Body::of(&Variant::UInt32(value), &mut Vec::new());
            let value = Stored::new(body, ModelStatus::GOOD, None, None);
            subscription.with_item(item, |item| item.offer(&value, true, &self.codec, false));
        }
    }

    fn ask(&mut self, now: Now) {
        self.requests += 1;
        let waiting = Waiting {
            connection: 1,
            request: self.requests,
            handle: self.requests,
            results: Vec::new(),
            deadline: None,
        };
        self.engine.publish(SESSION, waiting, now);
    }

    fn poll(&mut self, now: Now) -> Vec<String> {
        self.engine.poll(now, &|_| None);
        self.shown()
    }

    /// Each answer as `request: message`.
    fn shown(&mut self) -> Vec<String> {
        self.engine.take_answers().iter().map(shown).collect()
    }
}

fn shown(answer: &Answer) -> String {
    let request = answer.to.request;
    match &answer.outcome {
        Err(status) => format!("{request}: {status}"),
        Ok(published) => {
            let more = if published.more { " and more" } else { "" };
            format!("{request}: {}{more} {:?}", message(&published.message), published.available)
        }
    }
}

/// The sequence number and the values by client handle, read back from the bytes.
fn message(bytes: &[u8]) -> String {
    let mut reader = Reader::new(bytes);
    let sequence = reader.u32().unwrap();
    reader.i64().unwrap();
    if reader.u32().unwrap() == 0 {
        return format!("#{sequence} alive");
    }
    assert_eq!(reader.take(2).unwrap(), [1, 0]);
    let kind = u16::from_le_bytes(reader.array().unwrap());
    assert_eq!(reader.take(1).unwrap(), [1]);
    let length = reader.u32().unwrap() as usize;
    let body = reader.take(length).unwrap();
    let mut reader = Reader::new(body);
    if kind == 820 {
        return format!("#{sequence} status {}", StatusCode::from(reader.u32().unwrap()));
    }
    assert_eq!(kind, 811);
    let count = reader.u32().unwrap();
    let values: Vec<String> = (0..count)
        .map(|_| {
            let handle = reader.u32().unwrap();
            let rest = &body[reader.since(0).len()..];
            skip_data_value(&mut reader).unwrap();
            // Mask, type, number, and perhaps a status.
            let number = u32::from_le_bytes(rest[2..6].try_into().unwrap());
            let status =
                if rest[0] & 2 == 0 { 0 } else { u32::from_le_bytes(rest[6..10].try_into().unwrap()) };
            let mark = if status & OVERFLOW == OVERFLOW { "!" } else { "" };
            format!("{handle}={number}{mark}")
        })
        .collect();
    assert_eq!(reader.u32().unwrap(), u32::MAX, "no diagnostics");
    assert_eq!(reader.since(0).len(), body.len());
    format!("#{sequence} {}", values.join(" "))
}

#[test]
fn values_are_sent_at_the_end_of_a_cycle_and_kept_until_they_are_acknowledged() {
    let mut rig = Rig::new(settings());
    let item = rig.item(5, 10, true);
    rig.ask(at(0.1));
    rig.ask(at(0.1));
    rig.write(item, [1, 2]);
    assert_eq!(rig.poll(at(0.9)), Vec::<String>::new());
    assert_eq!(rig.poll(at(1.0)), ["1: #1 5=1 5=2 [1]"]);
    rig.write(item, [3]);
    assert_eq!(rig.poll(at(2.0)), ["2: #2 5=3 [1, 2]"]);
    let results = rig.engine.acknowledge(SESSION, [(100, 1), (100, 9), (99, 1)].into_iter());
    let names: Vec<String> = results.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["Good", "BadSequenceNumberUnknown", "BadSubscriptionIdInvalid"]);
    let subscription = rig.engine.of_session(100, SESSION).unwrap();
    assert_eq!(subscription.available(), [2]);
    assert_eq!(message(subscription.sent(2).unwrap()), "#2 5=3");
    assert!(subscription.sent(1).is_none());
}

#[test]
fn the_first_cycle_tells_that_it_works_and_then_silence_is_broken_by_keep_alives() {
    let mut rig = Rig::new(settings());
    for _ in 0..4 {
        rig.ask(at(0.0));
    }
    let mut heard = Vec::new();
    for second in 1..=7 {
        heard.extend(rig.poll(at(f64::from(second))).into_iter().map(|text| format!("{second} s {text}")));
    }
    assert_eq!(heard, ["1 s 1: #1 alive []", "4 s 2: #1 alive []", "7 s 3: #1 alive []"]);
}

#[test]
fn what_was_due_without_a_request_leaves_with_the_next_one() {
    let mut rig = Rig::new(settings());
    let item = rig.item(1, 10, true);
    rig.write(item, [1]);
    assert_eq!(rig.poll(at(1.0)), Vec::<String>::new());
    rig.write(item, [2]);
    rig.ask(at(1.3));
    assert_eq!(rig.shown(), ["1: #1 1=1 1=2 [1]"]);
}

#[test]
fn a_message_has_as_many_values_as_were_asked_for_and_says_that_there_are_more() {
    let mut rig = Rig::new(Settings { values_per_message: 2, ..settings() });
    let items = [rig.item(1, 10, true), rig.item(2, 10, true)];
    rig.write(items[0], [1, 2, 3]);
    rig.write(items[1], [4, 5]);
    rig.ask(at(0.0));
    rig.ask(at(0.0));
    assert_eq!(rig.poll(at(1.0)), ["1: #1 1=1 1=2 and more [1]", "2: #2 1=3 2=4 and more [1, 2]"]);
    rig.ask(at(1.1));
    assert_eq!(rig.shown(), ["3: #3 2=5 [1, 2, 3]"]);
}

#[test]
fn messages_are_cut_to_the_size_that_the_session_takes() {
    let mut rig = Rig::new(settings());
    rig.engine.open_session(SESSION, 8192);
    let item = rig.item(1, 10_000, true);
    rig.write(item, 0..1000);
    for _ in 0..4 {
        rig.ask(at(0.0));
    }
    let answers = {
        rig.engine.poll(at(1.0), &|_| None);
        rig.engine.take_answers()
    };
    let sizes: Vec<usize> =
        answers.iter().map(|answer| answer.outcome.as_ref().unwrap().message.len()).collect();
    assert!(sizes.iter().all(|size| *size < 8192) && sizes.len() == 3, "{sizes:?}");
}

#[test]
fn a_full_queue_loses_on_the_side_that_was_asked_for_and_marks_the_hole() {
    for (discard_oldest, expected) in [(true, "1=3! 1=4 1=5"), (false, "1=1 1=2 1=5!")] {
        let mut rig = Rig::new(settings());
        let item = rig.item(1, 3, discard_oldest);
        rig.write(item, 1..=5);
        rig.ask(at(0.0));
        assert_eq!(rig.poll(at(1.0)), [format!("1: #1 {expected} [1]")]);
    }
}

#[test]
fn too_many_requests_send_the_oldest_one_away() {
    let mut rig = Rig::new(settings());
    for _ in 0..6 {
        rig.ask(at(0.0));
    }
    assert_eq!(rig.shown(), ["1: BadTooManyPublishRequests", "2: BadTooManyPublishRequests"]);
}

#[test]
fn a_subscription_that_nobody_asks_for_ends_and_says_so_to_the_next_request() {
    let mut rig = Rig::new(settings());
    rig.item(1, 1, true);
    for second in 1..9 {
        rig.poll(at(f64::from(second)));
        assert!(rig.engine.take_ended().is_empty(), "second {second}");
    }
    rig.poll(at(9.0));
    assert_eq!(rig.engine.take_ended(), [0]);
    assert_eq!(rig.engine.monitored_items(), 0);
    rig.ask(at(9.5));
    rig.ask(at(9.6));
    assert_eq!(rig.shown(), ["1: #1 status BadTimeout []", "2: BadNoSubscription"]);
}

#[test]
fn requests_have_deadlines_and_end_with_their_connection_and_their_session() {
    let mut rig = Rig::new(settings());
    let waiting = |request, connection, deadline| Waiting {
        connection,
        request,
        handle: 0,
        results: Vec::new(),
        deadline: Some(Duration::from_secs(deadline)),
    };
    for (request, connection, deadline) in [(1, 1, 30), (2, 2, 30), (3, 2, 2)] {
        rig.engine.publish(SESSION, waiting(request, connection, deadline), at(0.0));
    }
    assert_eq!(rig.engine.next_due(), Some(SECOND));
    rig.engine.connection_lost(1);
    assert_eq!(rig.poll(at(2.0)), ["3: BadTimeout", "2: #1 alive []"]);
    rig.ask(at(2.1));
    rig.engine.close_session(SESSION);
    assert_eq!(rig.shown(), ["1: BadSessionClosed"]);
}

#[test]
fn a_transferred_subscription_goes_on_elsewhere_and_its_old_session_is_told() {
    let mut rig = Rig::new(settings());
    let item = rig.item(1, 10, true);
    rig.ask(at(0.0));
    rig.write(item, [1]);
    assert_eq!(rig.poll(at(1.0)), ["1: #1 1=1 [1]"]);
    rig.ask(at(1.1));
    rig.engine.open_session(8, 0);
    assert_eq!(rig.engine.transfer(100, 8, at(1.2)), Some(vec![1]));
    assert_eq!(rig.shown(), ["2: #2 status GoodSubscriptionTransferred []"]);
    assert!(rig.engine.of_session(100, SESSION).is_none());
    assert_eq!(rig.engine.of_session(100, 8).unwrap().available(), [1]);
}

#[test]
fn users_take_over_their_own_and_anonymous_applications_theirs() {
    let (anna, none) = (owner(Some("anna"), "urn:a"), owner(None, "urn:a"));
    assert!(owner(Some("anna"), "urn:b").may_take_over(&anna));
    assert!(owner(None, "urn:a").may_take_over(&none));
    for other in [owner(Some("bert"), "urn:a"), none.clone()] {
        assert!(!other.may_take_over(&anna), "{other:?}");
    }
    assert!(!owner(None, "urn:b").may_take_over(&none));
    assert!(!anna.may_take_over(&none));
}

#[test]
fn items_switched_off_forget_and_items_that_only_sample_keep_for_later() {
    let mut rig = Rig::new(settings());
    let item = rig.item(1, 10, true);
    let place = rig.engine.place(100).unwrap();
    rig.write(item, [1]);
    rig.engine.at(place).unwrap().switch(item, MonitoringMode::Sampling);
    rig.write(item, [2]);
    rig.ask(at(0.0));
    rig.ask(at(0.0));
    assert_eq!(rig.poll(at(1.0)), ["1: #1 alive []"]);
    rig.engine.at(place).unwrap().switch(item, MonitoringMode::Reporting);
    assert_eq!(rig.poll(at(2.0)), ["2: #1 1=1 1=2 [1]"]);
    rig.write(item, [3]);
    rig.engine.at(place).unwrap().switch(item, MonitoringMode::Disabled);
    rig.write(item, [4]);
    rig.ask(at(2.1));
    assert_eq!(rig.poll(at(3.0)), Vec::<String>::new());
}

#[test]
fn the_oldest_kept_message_makes_room_for_a_new_one() {
    let mut rig = Rig::new(settings());
    let item = rig.item(1, 10, true);
    for second in 1..=5_u32 {
        rig.ask(at(f64::from(second) - 0.5));
        rig.write(item, [second]);
        rig.poll(at(f64::from(second)));
    }
    assert_eq!(rig.engine.of_session(100, SESSION).unwrap().available(), [3, 4, 5]);
}

#[test]
fn a_liar_skips_numbers_names_strangers_and_miscounts() {
    let bounds = Bounds { requests_per_subscription: 100, sent: 100, lies: true };
    let mut rig = Rig::bounded(settings(), bounds);
    let item = rig.item(1, 10, true);
    let mut numbers = Vec::new();
    for second in 1..=12_u32 {
        rig.ask(at(f64::from(second) - 0.5));
        rig.write(item, [second]);
        rig.engine.poll(at(f64::from(second)), &|_| None);
        for answer in rig.engine.take_answers() {
            let bytes = answer.outcome.unwrap().message;
            numbers.push(u32::from_le_bytes(bytes[..4].try_into().unwrap()));
        }
    }
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14]);
    let subscription = rig.engine.of_session(100, SESSION).unwrap();
    let count = |sequence| {
        let bytes = subscription.sent(sequence).unwrap();
        // After number, time, one notification, its type and its length.
        u32::from_le_bytes(bytes[25..29].try_into().unwrap())
    };
    assert_eq!([4, 5, 11, 12].map(count), [1, 2, 2, 1]);
}

#[test]
fn a_machine_that_slept_does_not_make_up_for_all_it_missed() {
    let mut rig = Rig::new(settings());
    for _ in 0..4 {
        rig.ask(at(0.0));
    }
    assert_eq!(rig.poll(at(1000.0)).len(), 1);
    assert!(rig.engine.next_due().unwrap() > Duration::from_secs(1000));
}
