//! Answers are compressed for those who accept it, and streams of events are not.

use crate::client::Request;
use crate::house::House;
use crate::plant::sample;
use flate2::read::GzDecoder;
use gemba_api::rest::Role;
use gemba_model::Variant;
use std::io::Read;

async fn house() -> House {
    let house = House::new().await;
    for n in 0..500 {
        house.plant.add(1, sample(&format!("2026-03-01T11:00:00.{n:07}Z"), Variant::Int32(n)));
    }
    house
}

fn get(house: &House, path: &str, accept: &str) -> Request {
    let request = house.request("GET", path).bearer(&house.token(Role::Viewer));
    request.header("Accept", accept).header("Accept-Encoding", "br, gzip;q=0.8")
}

#[tokio::test]
async fn pages_and_exports_are_smaller_and_the_same() {
    let house = house().await;
    for accept in ["application/json", "application/x-ndjson", "text/csv"] {
        let compressed = get(&house, "/api/v1/series/1/samples", accept);
        let plain = compressed.clone().header("Accept-Encoding", "identity").send().await;
        let (headers, bytes) = compressed.send_raw().await;
        assert_eq!(headers.get("content-encoding").map(String::as_str), Some("gzip"), "{accept}");
        assert_eq!(headers.get("vary").map(String::as_str), Some("accept-encoding"));
        let mut text = String::new();
        GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("is gzip");
        assert_eq!(text, plain.body);
        assert!(bytes.len() * 3 < text.len(), "{accept}: {} of {} bytes", bytes.len(), text.len());
        assert_eq!(plain.header("content-encoding"), "");
    }
}

#[tokio::test]
async fn small_answers_and_live_streams_stay_as_they_are() {
    let house = house().await;
    let answer = get(&house, "/api/v1/system", "application/json").send().await;
    assert_eq!((answer.status, answer.header("content-encoding")), (200, ""));
    let mut events = get(&house, "/api/v1/live?series=1", "text/event-stream").listen().await;
    assert_eq!(events.headers.get("content-encoding"), None);
    assert_eq!(events.next_named("values").await["series"]["1"]["value"], 499);
}
