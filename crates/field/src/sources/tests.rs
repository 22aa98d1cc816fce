use super::*;
use crate::plan::plan;
use crate::published_nodes::parse;
use expect_test::{Expect, expect};
use gemba_model::StatusCode;

use gemba_ua::client::runtime::{RejectedItem, SubscriptionStatus};
use std::fmt::Write;

fn shown(change: impl FnOnce(&mut Session<'_>)) -> String {
    let text = r#"[ { "EndpointUrl": "opc.tcp://a:1", "OpcNodes": [ { "Id": "i=1" }, { "Id": "i=2" } ] } ]"#;
    let plan = plan(&parse(text).expect("read")).into_values().next().expect("a session");
    let now = DateTime::from_ticks(100_000_000_000);
    let part = SubscriptionStatus {
        subscription: "s".into(),
        cursor_key: "s".into(),
        server_subscription: Some(1),
        items: 2,
        monitored: 2,
        queue_covers: Some(Duration::from_secs(10)),
        short_queues: 0,
        queues_of_one: 0,
        resumed: false,
    };
    let status = SessionStatus {
        state: SessionState::Subscribed,
        since: Some(DateTime::from_ticks(1)),
        subscriptions: vec![part],
        ..SessionStatus::default()
    };
    let mut session =
        Session { plan: &plan, status, health: ItemHealth::default(), refused: None, first_rejected: None };
    change(&mut session);
    let report = report("edge", std::iter::once(session), now);
    let mut text = String::new();
    for source in &report.sources {
        writeln!(text, "{:?}, {} of {} items bad", source.state, source.items_bad, source.items)
            .expect("a text");
    }
    let first = report.sources.iter().filter_map(|source| source.problem.as_ref());
    for problem in first.chain(&report.problems) {
        writeln!(text, "{} ({}) {}", problem.code, problem.urgency, problem.text).expect("a text");
    }
    text
}

fn check(change: impl FnOnce(&mut Session<'_>), expected: Expect) {
    expected.assert_eq(&shown(change));
}

#[test]
fn a_server_is_live_when_data_flows_and_says_nothing_more() {
    check(
        |_| {},
        expect![[r#"
        Live, 0 of 2 items bad
    "#]],
    );
}

#[test]
fn silence_is_a_state_of_its_own() {
    check(
        |session| session.status.state = SessionState::Silent,
        expect![[r#"
        Silent, 0 of 2 items bad
        GMB-FLD-010 (3) Nothing is heard of the server, though its connection stands.
    "#]],
    );
}

#[test]
fn a_server_of_which_nothing_is_monitored_is_not_live() {
    check(
        |session| {
            session.status.subscriptions[0].monitored = 0;
            let status = StatusCode::from_name("BadNodeIdUnknown").expect("known");
            session.status.rejected =
                (0..2).map(|handle| RejectedItem { subscription: "s".into(), handle, status }).collect();
            session.status.rejected_items = 2;
            session.first_rejected = Some("i=1".into());
        },
        expect![[r#"
            Silent, 2 of 2 items bad
            GMB-FLD-008 (2) The server refuses 2 of 2 items; the first is i=1 with BadNodeIdUnknown.
        "#]],
    );
}

#[test]
fn bad_and_missing_values_are_told_with_their_node() {
    check(
        |session| {
            let bad = StatusCode::from_name("BadNoCommunication").expect("known");
            session.health = ItemHealth {
                bad: 1,
                first_bad: Some(("i=2".into(), bad)),
                unheard: 1,
                first_unheard: Some("i=1".into()),
            };
        },
        expect![[r#"
            Live, 2 of 2 items bad
            GMB-FLD-011 (2) 1 items have not delivered a first value; the first is i=1.
            GMB-FLD-011 (1) 1 items deliver Bad values; the first is i=2 with BadNoCommunication.
        "#]],
    );
}

#[test]
fn queues_that_lose_values_are_told_and_those_without_a_sign_louder() {
    check(
        |session| session.status.subscriptions[0].short_queues = 2,
        expect![[r#"
        Live, 0 of 2 items bad
        GMB-FLD-012 (1) The server keeps fewer values of 2 items than was asked for: an absence of more than 10s loses values.
    "#]],
    );
    check(
        |session| session.status.subscriptions[0].queues_of_one = 2,
        expect![[r#"
        Live, 0 of 2 items bad
        GMB-FLD-012 (2) The server keeps one value only of 2 items: what changes more than once between two sendings is lost, and the server does not say so.
    "#]],
    );
}

#[test]
fn a_refused_certificate_keeps_its_own_code_and_a_refused_subscription_is_told() {
    check(
        |session| {
            session.status.state = SessionState::Reconnecting;
            session.status.error =
                Some("GMB-UA-022 the certificate of opc.tcp://a:1 is not accepted: revoked".into());
        },
        expect![[r#"
            Reconnecting, 0 of 2 items bad
            GMB-UA-022 (3) There is no trust: GMB-UA-022 the certificate of opc.tcp://a:1 is not accepted: revoked.
        "#]],
    );
    check(
        |session| {
            session.status.state = SessionState::Connected;
            session.status.error = Some(
                "GMB-UA-007 opc.tcp://a:1 answered CreateSubscription with BadTooManySubscriptions".into(),
            );
        },
        expect![[r#"
            Connecting, 0 of 2 items bad
            GMB-FLD-013 (3) The server does not give all that is asked of it: GMB-UA-007 opc.tcp://a:1 answered CreateSubscription with BadTooManySubscriptions.
        "#]],
    );
}

#[test]
fn a_refused_delivery_is_shown_for_an_hour_and_first() {
    let refused = |last: i64| {
        let last = DateTime::from_ticks(last);
        Refused { values: 7, reason: "GMB-EDG-004: too large".into(), since: last, last }
    };
    check(
        |session| {
            session.refused = Some(refused(99_999_999_999));
            session.status.subscriptions[0].short_queues = 1;
        },
        expect![[r#"
            Live, 0 of 2 items bad
            GMB-FLD-009 (4) 7 values were refused for ever and dropped: GMB-EDG-004: too large.
            GMB-FLD-012 (1) The server keeps fewer values of 1 items than was asked for: an absence of more than 10s loses values.
        "#]],
    );
    assert!(!shown(|session| session.refused = Some(refused(1))).contains("FLD-009"), "hours ago");
}
