//! Every format that was ever written is read for ever.

use crate::house::House;
use crate::testing::{Batch, TestEdge, WRITER, at};
use gemba_api::docs::Expect;
use gemba_api::{DocStore, GapQuery, Ledger, Write};
use gemba_model::{BuiltInType, DateTime, GapReason, GapRecord, GapScope, Hop, StatusCode, Variant};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const COLLECTIONS: [&str; 2] = ["series", "descriptions"];

/// Versions of which a folder is kept; the last is the one that is written.
const VERSIONS: [&str; 2] = ["v1", "v2"];

fn testdata(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(version)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("creates");
    for entry in fs::read_dir(from).expect("lists") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copies");
        }
    }
}

/// Everything that a store can hold.
fn content(house: &House) {
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 2);
    house.log.append(0, edge.metadata(&description));
    let time = |ticks: i64| Some(at(0).saturating_add_ticks(ticks));
    let good = StatusCode::GOOD;
    let array = Variant::Array {
        element: BuiltInType::Int16,
        values: vec![Variant::Int16(-1), Variant::Int16(2)],
        dimensions: vec![],
    };
    let far = Some(DateTime::from_ticks(i64::MAX - 1));
    let mut batch = Batch::of(&description)
        .sample(0, time(1), time(13), good, &Variant::Double(1.5))
        .sample(0, time(1), time(13), StatusCode(0x8005_0000), &Variant::Double(1.5))
        .sample(0, time(10_000_001), None, good, &Variant::Float(0.1))
        .sample(0, None, time(20_000_000), good, &Variant::UInt64(u64::MAX))
        .sample(0, None, None, good, &Variant::Int64(i64::MIN))
        .sample(0, far, far, good, &Variant::String(Some("größe".to_owned())))
        .sample(1, time(864_000_000_000), None, good, &array)
        .sample(1, time(864_000_000_001), None, StatusCode(0x480), &Variant::Null);
    batch.0.samples.iter_mut().take(1).for_each(|sample| sample.source_picoseconds = 9_999);
    house.log.append(0, edge.data(&description, &batch.0));
    let record = GapRecord {
        scope: GapScope::Producer,
        from: None,
        to: None,
        reason: GapReason::Drop,
        hop: Hop::Edge,
        count: None,
    };
    house.log.append(0, edge.gap(&record));
    let next = edge.description(WRITER, 2, 3);
    house.log.append(0, edge.data(&next, &Batch::of(&next).value(2, 9, 9.0).0));
}

fn documents(house: &House) -> Value {
    let of = |collection| {
        let all = house.docs.list(collection, "", None, 1_000).expect("lists");
        all.into_iter().map(|document| (document.key, document.value)).collect::<serde_json::Map<_, _>>()
    };
    COLLECTIONS
        .map(|name| (name, of(name)))
        .into_iter()
        .map(|(name, all)| (name.to_owned(), json!(all)))
        .collect()
}

fn shown(house: &House) -> String {
    let mut text = String::new();
    for series in 1..=2 {
        let query = gemba_api::SampleQuery {
            series,
            from: DateTime::from_ticks(i64::MIN),
            to: DateTime::from_ticks(i64::MAX),
            descending: false,
        };
        for sample in house.query(&query) {
            text.push_str(&format!("{series} {sample:?}\n"));
        }
    }
    let page = house.historian().gaps(&GapQuery { limit: 100, ..GapQuery::default() }).expect("a page");
    page.items.iter().for_each(|gap| text.push_str(&format!("{gap:?}\n")));
    house.historian().completeness().iter().for_each(|account| text.push_str(&format!("{account:?}\n")));
    text
}

/// Writes the committed folder anew when `GEMBA_BLESS` is set: only ever for a version that was not released.
async fn bless() {
    let mut house = House::new();
    content(&house);
    house.caught_up().await;
    let text = shown(&house);
    let hist = house.folder.join("hist");
    house.stop().await;
    let target = testdata("v2");
    drop(fs::remove_dir_all(&target));
    copy(&hist, &target.join("hist"));
    let json = serde_json::to_string_pretty(&documents(&house)).expect("is JSON");
    fs::write(target.join("documents.json"), json + "\n").expect("writes");
    fs::write(target.join("expected.txt"), text).expect("writes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_any_version_is_read() {
    if std::env::var_os("GEMBA_BLESS").is_some() {
        bless().await;
    }
    for version in VERSIONS {
        read(&testdata(version)).await;
    }
}

async fn read(testdata: &Path) {
    let mut house = House::new();
    house.kill().await;
    drop(fs::remove_dir_all(house.folder.join("hist")));
    copy(&testdata.join("hist"), &house.folder.join("hist"));
    let text = fs::read_to_string(testdata.join("documents.json")).expect("reads");
    let documents: Value = serde_json::from_str(&text).expect("is JSON");
    for collection in COLLECTIONS {
        for (key, value) in documents.get(collection).and_then(Value::as_object).expect("an object") {
            let (key, value) = (key.clone(), value.clone());
            house
                .docs
                .write(vec![Write::Put { collection, key, value, expect: Expect::Any }], None)
                .expect("writes");
        }
    }
    // The log begins where the files end.
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    for _ in 0..4 {
        house.log.append(0, edge.metadata(&description));
    }
    house.log.trim(0, 4);
    house.start();
    let expected = fs::read_to_string(testdata.join("expected.txt")).expect("reads");
    assert_eq!(shown(&house), expected);
    // The waiting message is read when its description comes.
    house.log.append(0, edge.metadata(&edge.clone().description(WRITER, 2, 3)));
    house.caught_up().await;
    assert_eq!(house.samples(3, false).len(), 1);
}
