//! Other people's engines read the files, and say the same as the historian.

use crate::house::House;
use crate::testing::{Batch, TestEdge, WRITER, at};
use expect_test::expect;
use gemba_api::{History, SampleQuery};
use gemba_model::binary::encode_variant;
use gemba_model::{BuiltInType, DateTime, StatusCode, Variant};
use gemba_testkit::peers::{python, skip};
use std::path::Path;
use std::process::Command;

fn values(n: i64) -> [Variant; 6] {
    [
        Variant::Double(n as f64 / 7.0),
        Variant::UInt64(u64::MAX - n as u64),
        Variant::Boolean(n % 2 == 0),
        Variant::String((n % 5 != 0).then(|| format!("größe {n}"))),
        Variant::Array {
            element: BuiltInType::Int32,
            values: vec![Variant::Int32(n as i32); n as usize % 3],
            dimensions: vec![],
        },
        Variant::Float(n as f32 / 3.0),
    ]
}

/// Three days of six series of different types, with a value a minute and every kind of timestamp.
async fn fill(house: &House) {
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 6);
    house.log.append(2, edge.metadata(&description));
    for hour in 0..72 {
        let mut batch = Batch::of(&description);
        for minute in 0..60 {
            let n = hour * 60 + minute;
            let source = at(n * 60).saturating_add_ticks(n % 11);
            let server = source.saturating_add_ticks(n * 37 % 50_000);
            let status = if n % 97 == 0 { StatusCode(0x8005_0000) } else { StatusCode::GOOD };
            for (field, value) in (0..).zip(values(n)) {
                let server = (field != 1).then_some(server);
                batch = batch.sample(field, Some(source), server, status, &value);
            }
        }
        house.log.append(2, edge.data(&description, &batch.0));
    }
    let good = StatusCode::GOOD;
    let mut odd = Batch::of(&description)
        .sample(0, None, Some(at(5).saturating_add_ticks(3)), good, &Variant::Double(f64::NAN))
        .sample(0, None, None, good, &Variant::Null)
        .sample(0, Some(DateTime::from_ticks(0)), None, good, &Variant::Int16(-3))
        .sample(0, Some(DateTime::from_ticks(i64::MAX)), None, good, &Variant::DateTime(at(1)))
        .sample(0, Some(DateTime::from_ticks(i64::MIN)), None, good, &Variant::Double(-0.0));
    odd.0.samples.iter_mut().take(1).for_each(|sample| sample.server_picoseconds = 1_234);
    house.log.append(2, edge.data(&description, &odd.0));
    house.caught_up().await;
}

/// A sample as the peers' script prints it.
fn line(series: u64, sample: &gemba_api::StoredSample) -> String {
    let time = |time: Option<DateTime>, pico: u16| {
        time.map_or_else(|| "-".to_owned(), |time| format!("{}+{pico}", time.ticks()))
    };
    let mut encoded = Vec::new();
    encode_variant(&sample.value, &mut encoded);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let double = |v: f64| hex(&v.to_be_bytes());
    let value = match &sample.value {
        Variant::Double(v) => double(*v),
        Variant::Float(v) => double(f64::from(*v)),
        Variant::Boolean(v) => u8::from(*v).to_string(),
        Variant::Int16(v) => v.to_string(),
        Variant::UInt64(v) => v.to_string(),
        Variant::DateTime(v) => v.ticks().to_string(),
        Variant::String(Some(v)) => format!("'{}'", hex(v.as_bytes())),
        Variant::String(None) | Variant::Null => "-".to_owned(),
        _ => hex(&encoded),
    };
    format!(
        "{series} {} {} {} {} {value}",
        time(sample.source_timestamp, sample.source_picoseconds),
        time(sample.server_timestamp, sample.server_picoseconds),
        sample.status.0,
        encoded.first().copied().unwrap_or(0),
    )
}

fn expected(house: &House) -> String {
    let (from, to) = (DateTime::from_ticks(i64::MIN), DateTime::from_ticks(i64::MAX));
    let mut lines = Vec::new();
    for series in 1..=6 {
        let query = SampleQuery { series, from, to, descending: false };
        lines.extend(house.query(&query).iter().map(|sample| line(series, sample)));
    }
    lines.sort_unstable();
    let page = house.historian().series("", 10, None).expect("a page");
    lines.extend(page.items.iter().map(|series| format!("name {} {}", series.id, series.name)));
    lines.join("\n") + "\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn duckdb_pyarrow_and_pandas_read_what_the_historian_reads() {
    let Some(programs) = python("duckdb, pandas, pyarrow") else {
        return skip("duckdb, pandas and pyarrow (PyPI)");
    };
    let mut house = House::new();
    house.options.memtable_rows_max = 20_000;
    house.kill().await;
    house.start();
    fill(&house).await;
    house.historian().flush().await.expect("flushes");
    // Some days are of one flush, some merged.
    house.clock.set(at(40 * 86_400));
    house.historian().compact().await.expect("compacts");
    let expected = expected(&house);
    assert_eq!(expected.lines().count(), 72 * 60 * 6 + 5 + 6);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/read_samples.py");
    let output = Command::new(programs.join("python"))
        .arg(script)
        .arg(house.folder.join("hist/v1"))
        .output()
        .expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).expect("is text");
    let mut columns = String::new();
    for engine in printed.split("engine ").filter(|part| !part.is_empty()) {
        let (name, rest) = engine.split_once('\n').expect("a name");
        let (kinds, rows): (Vec<&str>, Vec<&str>) =
            rest.lines().partition(|line| line.starts_with("column "));
        let rows = rows.join("\n") + "\n";
        let differs = rows.lines().zip(expected.lines()).find(|(theirs, ours)| theirs != ours);
        assert_eq!(differs, None, "{name}: theirs, ours");
        assert_eq!(rows.lines().count(), expected.lines().count(), "{name}");
        let kinds: Vec<&str> = kinds.iter().filter_map(|line| line.strip_prefix("column ")).collect();
        columns.push_str(&format!("{name}: {}\n", kinds.join(", ")));
    }
    expect![[r#"
        duckdb: series UBIGINT, source_ts TIMESTAMP WITH TIME ZONE, source_sub UINTEGER, source_ticks BIGINT, server_ts TIMESTAMP WITH TIME ZONE, server_sub UINTEGER, server_ticks BIGINT, server_delay INTEGER, received TIMESTAMP WITH TIME ZONE, type UTINYINT, f64 DOUBLE, i64 BIGINT, u64 UBIGINT, string VARCHAR, binary BLOB, status UINTEGER, log_partition UINTEGER, log_offset UBIGINT, date DATE
        pyarrow: series uint64, source_ts timestamp[us, tz=UTC], source_sub uint32, source_ticks int64, server_ts timestamp[us, tz=UTC], server_sub uint32, server_ticks int64, server_delay int32, received timestamp[ms, tz=UTC], type uint8, f64 double, i64 int64, u64 uint64, string string, binary binary, status uint32, log_partition uint32, log_offset uint64, date string
        pandas: series uint64[pyarrow], source_ts timestamp[us, tz=UTC][pyarrow], source_sub uint32[pyarrow], source_ticks int64[pyarrow], server_ts timestamp[us, tz=UTC][pyarrow], server_sub uint32[pyarrow], server_ticks int64[pyarrow], server_delay int32[pyarrow], received timestamp[ms, tz=UTC][pyarrow], type uint8[pyarrow], f64 double[pyarrow], i64 int64[pyarrow], u64 uint64[pyarrow], string string[pyarrow], binary binary[pyarrow], status uint32[pyarrow], log_partition uint32[pyarrow], log_offset uint64[pyarrow], date dictionary<values=string, indices=int32, ordered=0>[pyarrow]
    "#]]
    .assert_eq(&columns);
}
