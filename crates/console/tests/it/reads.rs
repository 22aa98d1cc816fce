//! Series, samples, aggregates, gaps, flow: the shapes that scripts rely on.

use crate::client::Answer;
use crate::house::{House, text};
use crate::plant::{field_report, sample};
use expect_test::expect;
use gemba_api::StoredSample;
use gemba_api::rest::Role;
use gemba_model::{DateTime, StatusCode, Variant};
use serde_json::Value;

/// Series 1 with three values, series 2 with none.
async fn house() -> House {
    let house = House::new().await;
    house.plant.add(1, sample("2026-03-01T11:00:00Z", Variant::UInt64(u64::MAX)));
    house.plant.add(1, sample("2026-03-01T11:30:00.1234567Z", Variant::Double(f64::NAN)));
    let bad = sample("2026-03-01T11:59:00Z", Variant::Null);
    house.plant.add(1, StoredSample { status: StatusCode(0x8031_0000), source_timestamp: None, ..bad });
    house.plant.add_series(2);
    house
}

fn detail(answer: &Answer) -> String {
    let (status, code) = answer.problem();
    format!("{status} {code} {}", text(&answer.json()["detail"]))
}

#[tokio::test]
async fn series_are_listed_with_their_newest_sample() {
    let house = house().await;
    let answer = house.read("/api/v1/series?search=temperature&limit=1").await;
    expect![[r#"
        {"items":[{"id":1,"name":"Temperature 1","nodeId":"nsu=urn:plant:press;s=T1","attributeId":13,
        "source":"opc.tcp://press-1:4840","applicationUri":"urn:plant:press","device":"edge-1",
        "writerGroup":"press","writer":"press-1000","unit":"°C","last":{"value":null,"status":2150694912,
        "statusName":"BadNoCommunication","sourceTimestamp":null,
        "serverTimestamp":"2026-03-01T11:59:00.0010000Z"}}],"continuationToken":"1"}"#]]
    .assert_eq(&answer.lines());
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let next = house.read("/api/v1/series?limit=1&continuationToken=1").await.json();
    assert_eq!((&next["items"][0]["id"], &next["continuationToken"]), (&Value::from(2), &Value::Null));
    assert_eq!(next["items"][0]["last"], Value::Null);
    let token = house.read("/api/v1/series?continuationToken=x").await;
    assert_eq!(token.problem(), (400, "GMB-API-021".to_owned()));
    assert_eq!(house.read("/api/v1/series/2").await.json()["id"], 2);
}

#[tokio::test]
async fn what_is_not_there_is_told_apart_from_what_is_empty() {
    let house = house().await;
    expect!["404 GMB-API-005 there is no series 9"].assert_eq(&detail(&house.read("/api/v1/series/9").await));
    expect!["404 GMB-API-005 there is no series 9"]
        .assert_eq(&detail(&house.read("/api/v1/series/9/last").await));
    expect!["404 GMB-API-023 series 2 has no value yet"]
        .assert_eq(&detail(&house.read("/api/v1/series/2/last").await));
    expect!["404 GMB-API-005 there is no series 9"]
        .assert_eq(&detail(&house.read("/api/v1/series/9/samples").await));
    expect!["404 GMB-API-005 there is no series 9"]
        .assert_eq(&detail(&house.read("/api/v1/series/9/buckets").await));
    expect!["400 GMB-API-002 id: 'x' is not the id of a series"]
        .assert_eq(&detail(&house.read("/api/v1/series/x").await));
    expect!["404 GMB-API-005 there is nothing at /api/v1/nothing"]
        .assert_eq(&detail(&house.read("/api/v1/nothing").await));
    let empty = house.read("/api/v1/series/2/samples").await;
    assert_eq!(empty.body, r#"{"items":[],"continuationToken":null}"#);
}

#[tokio::test]
async fn samples_come_as_json_with_every_digit() {
    let house = house().await;
    let answer = house.read("/api/v1/series/1/samples?from=-1h&to=now").await;
    expect![[r#"
        {"items":[{"value":18446744073709551615,"status":0,"statusName":"Good",
        "sourceTimestamp":"2026-03-01T11:00:00.0000000Z","serverTimestamp":"2026-03-01T11:00:00.0010000Z"},
        {"value":"NaN","status":0,"statusName":"Good","sourceTimestamp":"2026-03-01T11:30:00.1234567Z",
        "serverTimestamp":"2026-03-01T11:30:00.1244567Z"},{"value":null,"status":2150694912,
        "statusName":"BadNoCommunication","sourceTimestamp":null,
        "serverTimestamp":"2026-03-01T11:59:00.0010000Z"}],"continuationToken":null}"#]]
    .assert_eq(&answer.lines());
    let last = house.read("/api/v1/series/1/last").await.json();
    assert_eq!(last, answer.json()["items"][2]);
    let range = house
        .read("/api/v1/series/1/samples?from=2026-03-01T11:00:00Z&to=2026-03-01T11:30:00.1234567Z")
        .await;
    assert_eq!(
        range.json()["items"].as_array().map(Vec::len),
        Some(1),
        "the end does not belong to the range"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_query_is_named() {
    let house = house().await;
    for (query, fault) in [
        (
            "/series/1/samples?form=now",
            expect!["400 GMB-API-001 there is no query parameter 'form' here; did you mean 'from'?"],
        ),
        (
            "/series/1/samples?to=later",
            expect![
                "400 GMB-API-002 to: 'later' is not a time such as 2026-03-01T12:00:00Z, now, -1h or now-90m (s, m, h, d, w)"
            ],
        ),
        (
            "/series/1/samples?from=now&to=-1h",
            expect![
                "400 GMB-API-002 from: 2026-03-01T12:00:00.0000000Z is after 2026-03-01T11:00:00.0000000Z, the value of to"
            ],
        ),
        ("/series/1/samples?order=up", expect!["400 GMB-API-002 order: it is asc or desc"]),
        ("/series/1/samples?limit=-1", expect!["400 GMB-API-002 limit: '-1' is not a whole number from 1"]),
        (
            "/series/1/samples?continuationToken=1.2.a.0.1.0",
            expect!["400 GMB-API-021 the continuationToken is not one that this path gave; begin without it"],
        ),
        (
            "/series/1/buckets?count=10001",
            expect!["400 GMB-API-002 count: '10001' is not a whole number from 1 to 10000"],
        ),
        (
            "/series/1/buckets?from=now",
            expect![
                "400 GMB-API-002 from: 2026-03-01T12:00:00.0000000Z is not before 2026-03-01T12:00:00.0000000Z, the value of to"
            ],
        ),
        ("/gaps?series=x", expect!["400 GMB-API-002 series: 'x' is not a whole number from 0"]),
        (
            "/gaps?continuationToken=nonsense",
            expect!["400 GMB-API-021 the continuationToken is not one that this path gave; begin without it"],
        ),
        ("/flow?x=1", expect!["400 GMB-API-001 there is no query parameter 'x' here; this path has none"]),
    ] {
        fault.assert_eq(&detail(&house.read(&format!("/api/v1{query}")).await));
    }
}

#[tokio::test]
async fn buckets_gaps_and_counts_have_their_shapes() {
    let house = house().await;
    let buckets = house.read("/api/v1/series/1/buckets?from=-1h&count=2").await;
    expect![[r#"
        {"from":"2026-03-01T11:00:00.0000000Z","to":"2026-03-01T12:00:00.0000000Z",
        "items":[{"start":"2026-03-01T11:00:00.0000000Z","min":1.0,"max":"Infinity","avg":1.5,"count":1,
        "bad":0,"first":{"time":"2026-03-01T11:00:00.0000000Z","value":1.0},
        "last":{"time":"2026-03-01T11:00:00.0000000Z","value":2.0}},{"start":"2026-03-01T11:30:00.0000000Z",
        "min":null,"max":null,"avg":null,"count":0,"bad":0,"first":null,"last":null}]}"#]]
    .assert_eq(&buckets.lines());
    let gaps = house.read("/api/v1/gaps?series=7&from=-1h&limit=1").await;
    expect![[r#"
        {"items":[{"series":7,"from":"2026-03-01T11:00:00.0000000Z","to":null,"reason":"server-restart",
        "hop":"field","count":null,"closed":false}],"continuationToken":"next"}"#]]
    .assert_eq(&gaps.lines());
    let counts = house.read("/api/v1/completeness").await;
    expect![[r#"
        {"items":[{"device":"edge-1","producer":"edge-1","epoch":"00000000000000ab","messages":10,
        "duplicates":1,"missing":0,"received":1000,"stored":990,"pending":10}]}"#]]
    .assert_eq(&counts.lines());
}

#[tokio::test]
async fn the_flow_says_what_needs_a_person() {
    let plant = crate::plant::Plant::default();
    plant.report(vec![field_report()]);
    let house = House::over(gemba_console::Transport::Loopback, plant).await;
    let mut flow = house.read("/api/v1/flow").await.json();
    let line = flow["history"]["field"]["valuesIn"].take();
    assert_eq!(line.as_array().map(Vec::len), Some(60));
    flow["history"]["field"]["valuesOut"].take();
    expect![[r#"
        {
          "at": "2026-03-01T12:00:00.0000000Z",
          "history": {
            "field": {
              "from": "2026-03-01T11:01:00.0000000Z",
              "stepSeconds": 60,
              "valuesIn": null,
              "valuesOut": null
            }
          },
          "openGaps": 2,
          "problems": [
            {
              "code": "GMB-REG-006",
              "place": "opc.tcp://press-1:4840",
              "remedy": "Trust it.",
              "since": "2026-03-01T12:00:00.0000000Z",
              "text": "The server's certificate is not trusted.",
              "urgency": 3
            }
          ],
          "problemsTotal": 1,
          "rates": {
            "field": {
              "valuesIn": 0.0,
              "valuesOut": 0.0
            }
          },
          "stages": [
            {
              "at": "2026-03-01T12:00:00.0000000Z",
              "bytesOut": 0,
              "instance": "edge-1",
              "lagMs": 0,
              "messagesIn": 0,
              "messagesOut": 0,
              "problems": [
                {
                  "code": "GMB-REG-006",
                  "place": "opc.tcp://press-1:4840",
                  "remedy": "Trust it.",
                  "since": "2026-03-01T12:00:00.0000000Z",
                  "text": "The server's certificate is not trusted.",
                  "urgency": 3
                }
              ],
              "queueBytes": 0,
              "queueBytesMax": 0,
              "queueMessages": 0,
              "sources": [],
              "stage": "field",
              "valuesIn": 100,
              "valuesLost": 0,
              "valuesOut": 0
            }
          ],
          "version": "1.2.3"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&flow).expect("is JSON"));
}

#[tokio::test]
async fn health_is_open_and_metrics_are_not() {
    let house = House::new().await;
    let open = async |path: &str| house.request("GET", path).send().await;
    assert_eq!(open("/healthz").await.body, "ok");
    assert_eq!(open("/readyz").await.status, 200);
    house.ready.store(false, std::sync::atomic::Ordering::SeqCst);
    expect!["503 GMB-API-022 not ready: keys are being made"].assert_eq(&detail(&open("/readyz").await));
    assert_eq!(open("/metrics").await.status, 401);
    let metrics = house.request("GET", "/metrics").bearer(&house.token(Role::Viewer)).send().await;
    assert!(metrics.body.contains("gemba_console_requests_total{result=\"refused\"} 1"), "{}", metrics.body);
    let system = house.read("/api/v1/system").await;
    expect![[r#"{"version":"1.2.3","startedAt":"2026-03-01T12:00:00.0000000Z","now":"2026-03-01T12:00:00.0000000Z"}"#]].assert_eq(&system.lines());
}

#[tokio::test]
async fn pages_of_any_size_give_every_sample_once_though_many_share_a_time() {
    let house = House::new().await;
    let start: DateTime = "2026-03-01T11:00:00Z".parse().expect("a time");
    for n in 0..40_i32 {
        let at = start.saturating_add_ticks(i64::from(n / 9)).to_string();
        house.plant.add(1, sample(&at, Variant::Int32(n)));
    }
    for order in ["asc", "desc"] {
        for limit in [1, 2, 3, 8, 9, 10, 39, 40, 41] {
            let mut found = Vec::new();
            let mut token = String::new();
            loop {
                let path =
                    format!("/api/v1/series/1/samples?order={order}&limit={limit}&continuationToken={token}");
                let page = house.read(&path).await.json();
                found.extend(
                    page["items"].as_array().expect("items").iter().map(|item| item["value"].as_i64()),
                );
                match page["continuationToken"].as_str() {
                    Some(next) => next.clone_into(&mut token),
                    None => break,
                }
            }
            let mut expected: Vec<_> = (0..40).map(Some).collect();
            if order == "desc" {
                expected.reverse();
            }
            assert_eq!(found, expected, "{order}, {limit} a page");
        }
    }
}
