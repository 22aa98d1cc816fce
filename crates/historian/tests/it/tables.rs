//! Tables for other programs: which columns a range gets, from files and from memory.

use crate::house::House;
use crate::testing::{Batch, TestEdge, WRITER, at};
use arrow_ipc::reader::StreamReader;
use gemba_api::{History, HistoryError, SampleQuery, TableFormat};
use gemba_model::{StatusCode, Variant};
use std::ops::ControlFlow;

const DAY: i64 = 86_400;

/// The columns of values in the table of a range, and its rows.
fn table(house: &House, series: u64, from: i64, to: i64) -> (String, usize) {
    let query = SampleQuery { series, from: at(from), to: at(to), descending: false };
    let mut table = house.historian().table(TableFormat::ArrowStream, &query).expect("begins");
    let mut bytes = table.take();
    let read = house.historian().samples(&query, &mut |chunk| {
        table.push(&chunk).expect("has a column");
        bytes.append(&mut table.take());
        ControlFlow::Continue(())
    });
    read.expect("reads");
    bytes.append(&mut table.finish().expect("ends"));
    let reader = StreamReader::try_new(bytes.as_slice(), None).expect("is a stream");
    let schema = reader.schema();
    let values =
        schema.fields().iter().skip(8).map(|field| format!("{} {}", field.name(), field.data_type()));
    let values: Vec<String> = values.filter(|name| !name.starts_with("status")).collect();
    (values.join(", "), reader.map(|batch| batch.expect("is whole").num_rows()).sum())
}

/// Series 1: doubles on the first day, integers on the third. Series 2: texts. More than a page of each.
async fn fill(house: &House, day: i64, edge: &mut TestEdge) {
    let description = edge.description(WRITER, 1, 2);
    if day == 0 {
        house.log.append(2, edge.metadata(&description));
    }
    for part in 0..100 {
        let mut batch = Batch::of(&description);
        for n in 0..100 {
            let time = Some(at(day * DAY + part * 100 + n));
            let value = if day == 0 { Variant::Double(n as f64) } else { Variant::Int32(n as i32) };
            batch = batch.sample(0, time, None, StatusCode::GOOD, &value);
            let text = Variant::String(Some(n.to_string()));
            batch = batch.sample(1, time, None, StatusCode::GOOD, &text);
        }
        house.log.append(2, edge.data(&description, &batch.0));
    }
    house.caught_up().await;
}

const MIXED: &str = "f64 Float64, i64 Int64, u64 UInt64, string Utf8, binary Binary";

#[tokio::test(flavor = "multi_thread")]
async fn a_range_has_one_column_of_values_if_they_are_of_one_kind() {
    let house = House::new();
    let mut edge = TestEdge::new("press");
    fill(&house, 0, &mut edge).await;
    for stored in [false, true] {
        if stored {
            house.historian().flush().await.expect("flushes");
            fill(&house, 2, &mut edge).await;
        }
        assert_eq!(table(&house, 1, 0, DAY), ("value Float64".to_owned(), 10_000), "stored: {stored}");
        assert_eq!(table(&house, 2, 0, DAY), ("value Utf8".to_owned(), 10_000), "stored: {stored}");
        assert_eq!(table(&house, 1, 3_000, 3_010), ("value Float64".to_owned(), 10));
    }
    for _ in 0..2 {
        assert_eq!(table(&house, 1, DAY, 3 * DAY), ("value Int64".to_owned(), 10_000));
        assert_eq!(table(&house, 1, 0, 3 * DAY), (MIXED.to_owned(), 20_000));
        assert_eq!(table(&house, 2, 0, 3 * DAY), ("value Utf8".to_owned(), 20_000));
        // An empty range is of the kind that the newest value has.
        assert_eq!(table(&house, 1, 5 * DAY, 6 * DAY), ("value Int64".to_owned(), 0));
        house.historian().flush().await.expect("flushes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_the_begun_table_has_no_column_for_ends_it() {
    let house = House::new();
    let mut edge = TestEdge::new("press");
    fill(&house, 0, &mut edge).await;
    let query = SampleQuery { series: 1, from: at(0), to: at(9 * DAY), descending: false };
    let mut table = house.historian().table(TableFormat::Parquet, &query).expect("begins");
    fill(&house, 2, &mut edge).await;
    let mut failed = None;
    let read = house.historian().samples(&query, &mut |chunk| {
        failed = table.push(&chunk).err();
        if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    read.expect("reads");
    assert!(matches!(failed, Some(HistoryError::Failed { code, .. }) if code.0 == "GMB-HIS-013"));
    let none = SampleQuery { series: 99, ..query };
    assert!(matches!(
        house.historian().table(TableFormat::Parquet, &none).err(),
        Some(HistoryError::UnknownSeries(99))
    ));
}
