//! The live stream: what changes, what is coalesced, when it ends.

use crate::client::{Events, Request};
use crate::house::House;
use crate::plant::{field_report, sample};
use gemba_api::rest::Role;
use gemba_model::Variant;
use serde_json::{Value, json};
use std::time::Duration;

fn live(house: &House, series: &str) -> Request {
    house.request("GET", &format!("/api/v1/live{series}")).bearer(&house.token(Role::Viewer))
}

fn value(n: i32) -> gemba_api::StoredSample {
    let at = format!("2026-03-01T11:00:{:02}.{:07}Z", n / 10_000_000, n);
    sample(&at, Variant::Int32(n))
}

#[tokio::test]
async fn the_first_event_has_all_and_later_ones_what_changed() {
    let house = House::new().await;
    house.plant.add(1, value(1));
    house.plant.add(2, value(2));
    house.plant.add_series(3);
    let mut events = live(&house, "?series=2,1,3,1").listen().await;
    assert_eq!(events.status, 200);
    assert_eq!(events.headers.get("content-type").map(String::as_str), Some("text/event-stream"));
    let first = events.next_named("values").await;
    assert_eq!((&first["series"]["1"]["value"], &first["series"]["3"]), (&json!(1), &Value::Null));
    assert_eq!(first["series"].as_object().map(serde_json::Map::len), Some(3));
    assert_eq!(first["series"]["2"]["sourceTimestamp"], "2026-03-01T11:00:00.0000002Z");

    house.plant.add(9, value(3));
    house.plant.add(2, value(4));
    let next = events.next_named("values").await;
    assert_eq!(next["series"].as_object().map(serde_json::Map::len), Some(1), "{next}");
    assert_eq!(next["series"]["2"]["value"], 4);
}

#[tokio::test]
async fn a_thousand_changes_are_few_events_and_the_newest_value_is_among_them() {
    let house = House::new().await;
    house.plant.add(1, value(0));
    let mut events = live(&house, "?series=1").listen().await;
    events.next_named("values").await;
    for n in 1..=1_000 {
        house.plant.add(1, value(n));
    }
    let mut seen = 0;
    while events.next_named("values").await["series"]["1"]["value"] != 1_000 {
        seen += 1;
    }
    assert!(seen < 100, "{seen} events");
}

#[tokio::test]
async fn the_flow_comes_at_once_and_each_second() {
    let house = House::new().await;
    let mut events = live(&house, "").listen().await;
    let first = events.next_named("flow").await;
    assert_eq!((&first["openGaps"], &first["stages"]), (&json!(2), &json!([])));
    house.plant.report(vec![field_report()]);
    house.clock.advance(Duration::from_secs(1));
    loop {
        let flow = events.next_named("flow").await;
        if flow["stages"] != json!([]) {
            assert_eq!(flow["problems"][0]["code"], "GMB-REG-006");
            break;
        }
    }
}

async fn rest(mut events: Events) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        all.push(event);
    }
    all
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_says_why() {
    let house = House::new().await;
    house.user("anna", Role::Viewer);
    let session = house.session("anna").await;
    let mut events = session.request(&house, "GET", "/api/v1/live").listen().await;
    events.next_named("flow").await;
    assert_eq!(session.request(&house, "DELETE", "/api/v1/session").send().await.status, 204);
    let end = rest(events).await.pop().expect("an event");
    assert_eq!(end, ("end".to_owned(), json!({"reason": "session-expired"})));
}

#[tokio::test]
async fn a_stream_ends_when_the_console_stops() {
    let house = House::new().await;
    let mut events = live(&house, "").listen().await;
    events.next_named("flow").await;
    assert!(house.tasks.drain(Duration::from_secs(10)).await, "no task is left behind");
    let end = rest(events).await.pop().expect("an event");
    assert_eq!(end, ("end".to_owned(), json!({"reason": "shutting-down"})));
}

#[tokio::test]
async fn streams_and_their_series_are_bounded() {
    let house = House::new().await;
    let many: Vec<String> = (0..501).map(|id| id.to_string()).collect();
    let answer = live(&house, &format!("?series={}", many.join(","))).send().await;
    assert_eq!(answer.problem(), (400, "GMB-API-002".to_owned()));
    let answer = live(&house, "?series=1,x").send().await;
    assert_eq!(answer.json()["detail"], "series: 'x' is not the id of a series");

    let request = live(&house, "");
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(request.listen().await);
    }
    assert_eq!(request.send().await.problem(), (429, "GMB-API-018".to_owned()));
    assert_eq!(live(&house, "").listen().await.status, 200, "another token has its own");
    // A place is free again as soon as the console notices that a client has left.
    open.pop();
    while request.listen().await.status == 429 {
        tokio::task::yield_now().await;
    }
}
