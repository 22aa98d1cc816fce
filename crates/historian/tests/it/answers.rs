//! Series, samples, buckets, newest values and the flow report.

use crate::house::{House, seconds};
use crate::testing::{Batch, TestEdge, WRITER, at};
use expect_test::expect;
use gemba_api::flow::FlowSource;
use gemba_api::{History, HistoryError, SampleQuery, Stage};
use gemba_model::{StatusCode, Variant, WriterKey};
use std::ops::ControlFlow;

#[tokio::test(flavor = "multi_thread")]
async fn series_are_listed_page_by_page_and_found_by_words() {
    let house = House::new();
    let mut edge = TestEdge::new("press");
    for writer in 1..=3 {
        let description = edge.description(WriterKey { group: 1, writer }, 1, 5);
        house.log.append(0, edge.metadata(&description));
    }
    house.caught_up().await;
    let historian = house.historian();
    let mut ids = Vec::new();
    let mut token = None;
    loop {
        let page = historian.series("", 4, token.as_deref()).expect("a page");
        ids.extend(page.items.iter().map(|series| series.id));
        token = page.continuation;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(ids, (1..=15).collect::<Vec<u64>>());
    let found = historian.series("URN:PRESS w2.f3", 10, None).expect("a page");
    assert_eq!(found.items.len(), 1);
    let series = historian.series_by_id(9).expect("is there");
    assert_eq!(found.items.first(), Some(&series));
    expect![[r#"
        SeriesInfo {
            id: 9,
            name: "f3",
            node_id: "nsu=urn:press;s=w2.f3",
            attribute_id: 13,
            source: "opc.tcp://press:4840",
            application_uri: "urn:press",
            device: "press",
            writer_group: "group1",
            writer: "writer2",
            unit: "bar",
            last: None,
        }
    "#]]
    .assert_debug_eq(&series);
    assert!(matches!(historian.series("", 4, Some("x")), Err(HistoryError::InvalidContinuation)));
    assert!(matches!(historian.series_by_id(99), Err(HistoryError::UnknownSeries(99))));
    assert!(matches!(historian.buckets(99, at(0), at(1), 1), Err(HistoryError::UnknownSeries(99))));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_reads_come_in_chunks_and_stop_when_told() {
    let house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 2);
    house.log.append(2, edge.metadata(&description));
    let total = 30_000;
    for start in (0..total).step_by(200) {
        let batch = (start..start + 200).fold(Batch::of(&description), |batch, value| {
            batch.value(0, value, value as f64).value(1, value, 1.0)
        });
        house.log.append(2, edge.data(&description, &batch.0));
        if start == 20_000 {
            house.caught_up().await;
            house.historian().flush().await.expect("flushes");
        }
    }
    house.caught_up().await;
    for descending in [false, true] {
        let samples = house.samples(1, descending);
        assert_eq!(samples.len() as i64, total);
        let ordered = |pair: &[gemba_api::StoredSample]| match pair {
            [a, b] => (a.time() < b.time()) != descending,
            _ => true,
        };
        assert!(samples.windows(2).all(ordered));
    }
    let query = SampleQuery { series: 1, from: at(5), to: at(20_000), descending: true };
    let mut chunks = 0;
    let read = house.historian().samples(&query, &mut |chunk| {
        chunks += 1;
        assert_eq!(chunk.first().map(|sample| seconds(sample.time())), Some(19_999));
        ControlFlow::Break(())
    });
    assert!(read.is_ok() && chunks == 1);
    let buckets = house.historian().buckets(1, at(0), at(30_000), 3).expect("buckets");
    let shown: Vec<_> = buckets.iter().map(|b| (seconds(b.start), b.count, b.min, b.max, b.avg)).collect();
    assert_eq!(
        shown,
        [
            (0, 10_000, Some(0.0), Some(9_999.0), Some(4_999.5)),
            (10_000, 10_000, Some(10_000.0), Some(19_999.0), Some(14_999.5)),
            (20_000, 10_000, Some(20_000.0), Some(29_999.0), Some(24_999.5)),
        ]
    );
    let error = house.historian().buckets(1, at(0), at(1), 10_001).expect_err("too many");
    assert!(error.to_string().contains("GMB-HIS-007"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_value_is_the_one_of_the_latest_time() {
    let house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 3);
    house.log.append(1, edge.metadata(&description));
    let batch = Batch::of(&description).value(0, 50, 5.0).value(0, 40, 4.0).sample(
        1,
        Some(at(7)),
        None,
        StatusCode(0x800A_0000),
        &Variant::UInt64(u64::MAX),
    );
    house.log.append(1, edge.data(&description, &batch.0));
    house.caught_up().await;
    let historian = house.historian();
    let last = historian.last(&[2, 1, 3, 77]);
    let shown: Vec<_> =
        last.iter().map(|s| s.as_ref().map(|s| (seconds(s.time()), s.value.clone()))).collect();
    assert_eq!(shown, [Some((7, Variant::UInt64(u64::MAX))), Some((50, Variant::Double(5.0))), None, None]);
    let version = historian.version();
    assert_eq!(version, 3);
    assert_eq!(historian.changed_since(0, &[1, 2, 3]), [1, 2]);
    assert!(historian.changed_since(version, &[1, 2, 3]).is_empty());
    house.log.append(1, edge.data(&description, &Batch::of(&description).value(2, 1, 1.0).0));
    house.caught_up().await;
    assert_eq!(historian.changed_since(version, &[1, 2, 3]), [3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_flow_report_counts_and_names_what_waits() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 1);
    let announcement = edge.metadata(&description);
    house.log.append(0, edge.data(&description, &Batch::of(&description).value(0, 1, 1.0).0));
    house.caught_up().await;
    let report = house.historian().reports().remove(0);
    assert_eq!((report.stage, report.values_in, report.queue_messages), (Stage::Store, 0, 0));
    assert_eq!(report.problems.iter().map(|p| p.code.as_str()).collect::<Vec<_>>(), ["GMB-HIS-010"]);
    house.log.append(0, announcement);
    house.caught_up().await;
    let report = house.historian().reports().remove(0);
    assert_eq!((report.values_in, report.values_out, report.messages_in), (1, 1, 2));
    assert_eq!((report.lag_ms, report.problems.len()), (0, 0));
    house.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_shown_beside_what_it_may_be() {
    let mut house = House::new();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 3);
    house.log.append(0, edge.metadata(&description));
    house.log.append(0, edge.data(&description, &Batch::of(&description).value(0, 1, 1.0).0));
    let newer = edge.description(WRITER, 2, 4);
    house.log.append(0, edge.data(&newer, &Batch::of(&newer).value(3, 2, 1.0).0));
    house.caught_up().await;
    let metrics = gemba_base::Metrics::default();
    let value = |name: &str| {
        let text = metrics.text();
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<i64>().ok());
        found.unwrap_or_else(|| panic!("{name} is not in\n{text}"))
    };
    let part = |kind: &str, name: &str| value(&format!("gemba_historian_memory_{kind}{{part=\"{name}\"}}"));
    house.historian().observe(&metrics);
    for name in ["memtable", "pending", "ledger"] {
        assert!(part("bytes", name) > 0, "{name}");
    }
    for name in ["memtable", "frozen", "pending", "ledger", "footers"] {
        assert!(part("bytes", name) <= part("budget_bytes", name), "{name}");
    }
    assert_eq!((value("gemba_historian_series "), value("gemba_historian_files ")), (3, 0));
    house.historian().flush().await.expect("flushes");
    house.historian().observe(&metrics);
    assert_eq!((part("bytes", "memtable"), part("bytes", "frozen")), (0, 0));
    assert!(part("bytes", "newest") > 0);
    assert_eq!(value("gemba_historian_files "), 1);
    house.kill().await;
}
