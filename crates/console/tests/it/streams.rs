//! NDJSON and CSV: whole, cut, broken, refused.

use crate::client::Answer;
use crate::house::House;
use crate::plant::sample;
use expect_test::expect;
use gemba_api::rest::Role;
use gemba_model::{DateTime, Variant};
use serde_json::Value;

const NDJSON: &str = "application/x-ndjson";

async fn house(samples: i32) -> House {
    let house = House::new().await;
    let start: DateTime = "2026-03-01T11:00:00Z".parse().expect("a time");
    for n in 0..samples {
        let at = start.saturating_add_ticks(i64::from(n / 3)).to_string();
        house.plant.add(1, sample(&at, Variant::Int32(n)));
    }
    house
}

async fn get(house: &House, accept: &str, query: &str) -> Answer {
    let path = format!("/api/v1/series/1/samples{query}");
    house.request("GET", &path).bearer(&house.token(Role::Viewer)).header("Accept", accept).send().await
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert!(answer.whole);
    answer.body.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[tokio::test]
async fn a_stream_has_all_of_the_range_one_sample_a_line() {
    let house = house(3_000).await;
    let answer = get(&house, NDJSON, "").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, NDJSON));
    let lines = lines(&answer);
    assert_eq!(lines.len(), 3_000, "no limit but the range");
    assert!(lines.iter().enumerate().all(|(n, line)| line["value"] == n));
    expect![[r#"{"value":0,"status":0,"statusName":"Good","sourceTimestamp":"2026-03-01T11:00:00.0000000Z","serverTimestamp":"2026-03-01T11:00:00.0010000Z"}"#]]
        .assert_eq(answer.body.lines().next().unwrap_or_default());
    assert_eq!(get(&house, NDJSON, "?from=now").await.body, "");
}

#[tokio::test]
async fn a_cut_stream_says_where_to_go_on() {
    let house = house(20).await;
    let mut found = Vec::new();
    let mut query = "?limit=7&order=desc".to_owned();
    loop {
        let mut page = lines(&get(&house, NDJSON, &query).await);
        let token = page.last().and_then(|line| line["continuationToken"].as_str()).map(str::to_owned);
        page.truncate(page.len() - usize::from(token.is_some()));
        assert!(page.len() <= 7);
        found.extend(page.iter().map(|line| line["value"].as_i64()));
        match token {
            Some(token) => query = format!("?limit=7&continuationToken={token}"),
            None => break,
        }
    }
    assert_eq!(found, (0..20).rev().map(Some).collect::<Vec<_>>());
    assert_eq!(lines(&get(&house, NDJSON, "?limit=20").await).len(), 20, "the last page has no token");
}

#[tokio::test]
async fn csv_has_a_header_and_ends_with_a_comment_when_it_is_cut() {
    let house = house(3).await;
    let answer = get(&house, "text/csv", "?limit=2").await;
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8; header=present");
    expect![[r#"
        sourceTimestamp,serverTimestamp,value,status,statusName
        2026-03-01T11:00:00.0000000Z,2026-03-01T11:00:00.0010000Z,0,0,Good
        2026-03-01T11:00:00.0000000Z,2026-03-01T11:00:00.0010000Z,1,0,Good
        # continuationToken=1.1.a.134168364000000000.9223372036854775807.2
    "#]]
    .assert_eq(&answer.body.replace("\r\n", "\n"));
}

#[tokio::test]
async fn types_that_cannot_be_given_are_refused_with_those_that_can() {
    let house = house(1).await;
    let answer = get(&house, "application/xml", "").await;
    assert_eq!(answer.problem(), (406, "GMB-API-007".to_owned()));
    assert_eq!(
        answer.json()["detail"],
        "this path gives application/json, application/x-ndjson, text/csv, application/vnd.apache.arrow.stream and \
         application/vnd.apache.parquet"
    );
}

#[tokio::test]
async fn what_fails_before_the_first_sample_has_its_status() {
    let house = house(20).await;
    house.plant.fail_after(0);
    for accept in [NDJSON, "text/csv", "application/json"] {
        let answer = get(&house, accept, "").await;
        assert_eq!(answer.problem(), (500, "GMB-REG-005".to_owned()), "{accept}");
        assert_eq!(answer.json()["detail"], "the disk fell off");
    }
}

#[tokio::test]
async fn a_stream_that_fails_on_the_way_says_so_and_where_to_go_on() {
    // Enough for several pieces, so that the first is on its way when reading fails.
    let house = house(7_000).await;
    house.plant.fail_after(900);
    let lines = lines(&get(&house, NDJSON, "").await);
    let last = lines.last().expect("a line");
    assert_eq!(lines.len(), 6_301);
    assert_eq!(last["problem"]["code"], "GMB-REG-005");
    assert_eq!(last["continuationToken"], "1.1.a.134168364000002099.9223372036854775807.3");
}

#[tokio::test]
async fn a_console_that_stops_ends_its_streams_with_a_token() {
    let house = house(20).await;
    house.tasks.stop();
    let lines = lines(&get(&house, NDJSON, "").await);
    assert!(lines.last().expect("a line")["continuationToken"].is_string());
}
