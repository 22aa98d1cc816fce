//! Arrow and Parquet: read by other people's programs, in pages, broken.

use crate::house::House;
use crate::peers::script;
use crate::plant::{sample, time};
use expect_test::expect;
use gemba_api::StoredSample;
use gemba_api::rest::Role;
use gemba_model::binary::encode_variant;
use gemba_model::{BuiltInType, DateTime, StatusCode, Variant};
use gemba_testkit::peers::{python, skip};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

const ARROW: &str = "application/vnd.apache.arrow.stream";
const PARQUET: &str = "application/vnd.apache.parquet";
const START: &str = "2026-03-01T11:00:00Z";

async fn get(house: &House, accept: &str, series: u64, query: &str) -> (HashMap<String, String>, Vec<u8>) {
    let path = format!("/api/v1/series/{series}/samples{query}");
    let request = house.request("GET", &path).bearer(&house.token(Role::Viewer)).header("Accept", accept);
    request.send_raw().await
}

/// Values of each class, and a series of several.
fn values(series: u64, n: i32) -> Variant {
    match series {
        1 => Variant::Double(f64::from(n) / 7.0),
        2 => Variant::UInt64(u64::MAX - n as u64),
        3 => Variant::Int64(i64::MIN + i64::from(n)),
        4 => Variant::Boolean(n % 2 == 0),
        5 => Variant::String((n % 5 != 0).then(|| format!("größe {n}"))),
        6 => Variant::ByteString(Some(vec![n as u8; n as usize % 3])),
        7 => Variant::Array {
            element: BuiltInType::Int32,
            values: vec![Variant::Int32(n); n as usize % 3],
            dimensions: vec![],
        },
        _ => match n % 4 {
            0 => Variant::Int16(n as i16),
            1 => Variant::Float(n as f32 / 3.0),
            2 => Variant::String(Some(n.to_string())),
            _ => Variant::UInt32(n as u32),
        },
    }
}

/// `count` samples of each series, with odd ticks, bad values, and timestamps that are absent or of no calendar.
fn fill(house: &House, count: i32) {
    for series in 1..=8 {
        for n in 0..count {
            let at = time(START).saturating_add_ticks(i64::from(n) * 12_345_677);
            let mut one = sample(&at.to_string(), values(series, n));
            one.source_picoseconds = if n % 50 == 7 { 1_234 } else { 0 };
            if n % 97 == 3 {
                one = StoredSample { value: Variant::Null, status: StatusCode(0x8005_0000), ..one };
            }
            if n % 31 == 5 {
                one.server_timestamp = None;
            }
            house.plant.add(series, one);
        }
        let odd = |source, server| StoredSample {
            source_timestamp: source,
            server_timestamp: server,
            ..sample(START, values(series, 0))
        };
        house.plant.add(series, odd(None, Some(time("1602-03-04T05:06:07.1234567Z"))));
        house.plant.add(series, odd(None, None));
        house.plant.add(series, odd(Some(DateTime::from_ticks(i64::MIN)), None));
        house.plant.add(series, odd(Some(time("9998-03-04T05:06:07.1234567Z")), None));
    }
}

/// A sample of the NDJSON as the peers' script prints it.
fn line(json: &Value, series: u64) -> String {
    let at = |name: &str, pico: &str| match json[name].as_str() {
        None => "-".to_owned(),
        Some(text) => {
            let ticks = match text.strip_prefix("ticks:") {
                Some(ticks) => ticks.parse().expect("a number"),
                None => time(text).ticks(),
            };
            format!("{ticks}+{}", json[pico].as_u64().unwrap_or(0))
        }
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let value = &json["value"];
    let value = match (series, value) {
        (_, Value::Null) => "-".to_owned(),
        (6, Value::String(text)) => hex(&decoded(text)),
        (7, Value::Array(all)) => {
            let numbers = all.iter().filter_map(|n| Some(Variant::Int32(i32::try_from(n.as_i64()?).ok()?)));
            let (values, dimensions) = (numbers.collect(), vec![]);
            let mut bytes = Vec::new();
            encode_variant(&Variant::Array { element: BuiltInType::Int32, values, dimensions }, &mut bytes);
            hex(&bytes)
        }
        // Doubles by their bits; the one series of mixed kinds has Floats, whose shortest text is that of the Float.
        (1, Value::Number(n)) => hex(&n.as_f64().expect("a double").to_be_bytes()),
        (8, Value::Number(n)) if n.is_f64() => {
            let float = n.to_string().parse::<f32>().expect("a float");
            hex(&f64::from(float).to_be_bytes())
        }
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    };
    let status = &json["status"];
    format!(
        "{} {} {status} {value}",
        at("sourceTimestamp", "sourcePicoseconds"),
        at("serverTimestamp", "serverPicoseconds")
    )
}

/// Base64 of the test's own byte strings: one byte repeated up to twice.
fn decoded(text: &str) -> Vec<u8> {
    let found = (0..=u8::MAX).flat_map(|byte| (0..3).map(move |length| vec![byte; length]));
    let mut found = found.filter(|bytes| gemba_model::text::base64(bytes) == text);
    found.next().expect("one of them")
}

fn run(programs: &Path, engine: &str, file: &Path) -> String {
    let mut python = Command::new(programs.join("python"));
    let output = python.arg(script("read_tables.py")).arg(engine).arg(file).output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("is text")
}

#[tokio::test]
async fn pyarrow_and_pandas_read_what_the_ndjson_says() {
    let Some(programs) = python("pandas, pyarrow, pyarrow.parquet") else {
        return skip("pandas and pyarrow (PyPI)");
    };
    let house = House::new().await;
    fill(&house, 400);
    let folder = std::env::temp_dir().join(format!("gemba-tables-{}", gemba_base::random::hex::<8>()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut columns = String::new();
    for series in 1..=8 {
        let (_, ndjson) = get(&house, "application/x-ndjson", series, "").await;
        let text = String::from_utf8(ndjson).expect("is text");
        let lines = text.lines().map(|l| line(&serde_json::from_str(l).expect("is JSON"), series));
        let expected: Vec<String> = lines.collect();
        assert_eq!(expected.len(), 404);
        for (accept, ending, engine) in [
            (ARROW, "arrows", "pyarrow"),
            (PARQUET, "parquet", "pyarrow"),
            (ARROW, "arrows", "pandas"),
            (PARQUET, "parquet", "pandas"),
        ] {
            let (headers, bytes) = get(&house, accept, series, "").await;
            assert_eq!(headers.get("content-type").map(String::as_str), Some(accept));
            let file = folder.join(format!("{series}.{ending}"));
            std::fs::write(&file, bytes).expect("is written");
            let printed = run(&programs, engine, &file);
            let (about, rows): (Vec<&str>, Vec<&str>) =
                printed.lines().partition(|l| l.starts_with("column ") || l.starts_with("about "));
            let differs = rows.iter().zip(&expected).find(|(theirs, ours)| *theirs != *ours);
            assert_eq!(differs, None, "{series} {ending} {engine}: theirs, ours");
            assert_eq!(rows.len(), expected.len(), "{series} {ending} {engine}");
            if engine == "pyarrow" {
                let values = |l: &&&str| !["_ts", "_sub", "_ticks"].iter().any(|part| l.contains(part));
                let about = about.iter().filter(values).filter(|l| series == 1 || l.starts_with("column "));
                let about: Vec<&str> = about.map(|l| l.trim_start_matches("column ")).collect();
                columns.push_str(&format!("{series} {ending}: {}\n", about.join(", ")));
            }
        }
    }
    std::fs::remove_dir_all(folder).expect("is there");
    expect![[r#"
        1 arrows: received timestamp[ms, tz=UTC], type uint8, value double, status uint32, about gemba.name Temperature 1, about gemba.nodeId nsu=urn:plant:press;s=T1, about gemba.series 1, about gemba.source opc.tcp://press-1:4840, about gemba.table 1, about gemba.unit °C
        1 parquet: received timestamp[ms, tz=UTC], type uint8, value double, status uint32, about gemba.name Temperature 1, about gemba.nodeId nsu=urn:plant:press;s=T1, about gemba.series 1, about gemba.source opc.tcp://press-1:4840, about gemba.table 1, about gemba.unit °C
        2 arrows: received timestamp[ms, tz=UTC], type uint8, value uint64, status uint32
        2 parquet: received timestamp[ms, tz=UTC], type uint8, value uint64, status uint32
        3 arrows: received timestamp[ms, tz=UTC], type uint8, value int64, status uint32
        3 parquet: received timestamp[ms, tz=UTC], type uint8, value int64, status uint32
        4 arrows: received timestamp[ms, tz=UTC], type uint8, value bool, status uint32
        4 parquet: received timestamp[ms, tz=UTC], type uint8, value bool, status uint32
        5 arrows: received timestamp[ms, tz=UTC], type uint8, value string, status uint32
        5 parquet: received timestamp[ms, tz=UTC], type uint8, value string, status uint32
        6 arrows: received timestamp[ms, tz=UTC], type uint8, value binary, status uint32
        6 parquet: received timestamp[ms, tz=UTC], type uint8, value binary, status uint32
        7 arrows: received timestamp[ms, tz=UTC], type uint8, value binary, status uint32
        7 parquet: received timestamp[ms, tz=UTC], type uint8, value binary, status uint32
        8 arrows: received timestamp[ms, tz=UTC], type uint8, f64 double, i64 int64, u64 uint64, string string, binary binary, status uint32
        8 parquet: received timestamp[ms, tz=UTC], type uint8, f64 double, i64 int64, u64 uint64, string string, binary binary, status uint32
    "#]].assert_eq(&columns);
}

#[tokio::test]
async fn a_page_says_in_a_header_where_to_go_on() {
    let house = House::new().await;
    fill(&house, 20);
    for accept in [ARROW, PARQUET] {
        let (mut query, mut pages) = ("?limit=9&order=desc".to_owned(), 0);
        loop {
            let (headers, bytes) = get(&house, accept, 1, &query).await;
            assert!(headers.contains_key("content-length"), "a page is whole before it is sent");
            assert!(bytes.len() > 500);
            pages += 1;
            match headers.get("gemba-continuation-token") {
                Some(token) => query = format!("?limit=9&continuationToken={token}"),
                None => break,
            }
        }
        assert_eq!(pages, 3, "24 samples in pages of nine");
    }
    let (_, json) = get(&house, "application/json", 1, "?limit=9&order=desc").await;
    let (headers, _) = get(&house, ARROW, 1, "?limit=9&order=desc").await;
    let json: Value = serde_json::from_slice(&json).expect("is JSON");
    assert_eq!(
        json["continuationToken"].as_str(),
        headers.get("gemba-continuation-token").map(String::as_str)
    );
}

#[tokio::test]
async fn what_fails_before_the_first_byte_has_its_status() {
    let house = House::new().await;
    fill(&house, 5);
    house.plant.fail_after(0);
    for accept in [ARROW, PARQUET] {
        for query in ["", "?limit=3"] {
            let path = format!("/api/v1/series/1/samples{query}");
            let request = house.request("GET", &path).bearer(&house.token(Role::Viewer));
            let answer = request.header("Accept", accept).send().await;
            assert_eq!(answer.problem(), (500, "GMB-REG-005".to_owned()), "{accept}{query}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_fails_on_the_way_is_broken_off() {
    let house = House::new().await;
    for n in 0..40_000 {
        let at = time(START).saturating_add_ticks(i64::from(n));
        house.plant.add_last(1, sample(&at.to_string(), Variant::Int32(n)));
    }
    let ask = || house.request("GET", "/api/v1/series/1/samples").bearer(&house.token(Role::Viewer));
    for (accept, chunks) in [(ARROW, 5_000), (PARQUET, 5_000)] {
        house.plant.fail_after(chunks);
        let answer = ask().header("Accept", accept).send().await;
        // Parquet has nothing to send before the first row group is whole, and then its failure has a status.
        assert!(!answer.whole || answer.status == 500, "{accept} {} {}", answer.status, answer.whole);
        assert_eq!(answer.whole, accept == PARQUET, "{accept}");
    }
}

#[tokio::test]
async fn a_reader_that_leaves_ends_the_stream() {
    let house = House::new().await;
    for n in 0..60_000 {
        let at = time(START).saturating_add_ticks(i64::from(n));
        house.plant.add_last(1, sample(&at.to_string(), Variant::Int32(n)));
    }
    // More than there are places: each must be given back when its reader has gone.
    for _ in 0..24 {
        let request = house.request("GET", "/api/v1/series/1/samples").bearer(&house.token(Role::Viewer));
        drop(request.header("Accept", ARROW).listen().await);
    }
    let (_, bytes) = get(&house, ARROW, 1, "").await;
    assert!(bytes.len() > 60_000 * 20);
}
