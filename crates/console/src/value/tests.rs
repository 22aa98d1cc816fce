//! Facts about the JSON and CSV forms.

use super::*;
use expect_test::{Expect, expect};
use gemba_model::variant::{ExtensionObject, LocalizedText, QualifiedName};
use gemba_model::{BuiltInType, Guid, NodeId};

fn check(variant: &Variant, json: Expect) {
    json.assert_eq(&serde_json::to_string(&Json(variant)).expect("is JSON"));
}

fn array(values: Vec<i32>, dimensions: &[i32]) -> Variant {
    Variant::Array {
        element: BuiltInType::Int32,
        values: values.into_iter().map(Variant::Int32).collect(),
        dimensions: dimensions.to_vec(),
    }
}

#[test]
fn numbers_keep_every_digit() {
    check(&Variant::UInt64(u64::MAX), expect!["18446744073709551615"]);
    check(&Variant::Int64(i64::MIN), expect!["-9223372036854775808"]);
    check(&Variant::Float(0.1), expect!["0.1"]);
    check(&Variant::Double(0.1 + 0.2), expect!["0.30000000000000004"]);
    check(&Variant::Double(1e300), expect!["1e+300"]);
    check(&Variant::Double(-0.0), expect!["-0.0"]);
    check(&Variant::Float(f32::NAN), expect![[r#""NaN""#]]);
    check(&Variant::Double(f64::INFINITY), expect![[r#""Infinity""#]]);
    check(&Variant::Double(f64::NEG_INFINITY), expect![[r#""-Infinity""#]]);
}

#[test]
fn every_kind_of_value_has_a_form() {
    check(&Variant::Null, expect!["null"]);
    check(&Variant::Boolean(true), expect!["true"]);
    check(&Variant::String(None), expect!["null"]);
    check(&Variant::String(Some("a\"\n".into())), expect![[r#""a\"\n""#]]);
    check(&Variant::DateTime(DateTime::from_ticks(1)), expect![[r#""1601-01-01T00:00:00.0000001Z""#]]);
    check(&Variant::Guid(Guid([7; 16])), expect![[r#""07070707-0707-0707-0707-070707070707""#]]);
    check(&Variant::ByteString(Some(vec![1, 2, 3])), expect![[r#""AQID""#]]);
    check(&Variant::StatusCode(StatusCode(0x8000_0000)), expect!["2147483648"]);
    check(&Variant::NodeId(NodeId::string(2, "x")), expect![[r#""ns=2;s=x""#]]);
    let name = |namespace| Variant::QualifiedName(QualifiedName { namespace, name: Some("n".into()) });
    check(&name(0), expect![[r#""n""#]]);
    check(&name(3), expect![[r#""3:n""#]]);
    let text = LocalizedText { locale: Some("de".into()), text: None };
    check(&Variant::LocalizedText(text), expect![[r#"{"locale":"de","text":null}"#]]);
    let object = |body| Variant::ExtensionObject(ExtensionObject { type_id: NodeId::string(1, "t"), body });
    check(&object(ExtensionBody::Binary(vec![0])), expect![[r#"{"typeId":"ns=1;s=t","body":"AA=="}"#]]);
    check(
        &object(ExtensionBody::Xml(b"<a/>".to_vec())),
        expect![[r#"{"typeId":"ns=1;s=t","body":"PGEvPg==","encoding":"xml"}"#]],
    );
    check(&object(ExtensionBody::None), expect![[r#"{"typeId":"ns=1;s=t","body":null}"#]]);
    check(&Variant::DataValue(vec![0]), expect![[r#"{"dataValue":"AA=="}"#]]);
}

#[test]
fn arrays_nest_by_their_dimensions_where_these_fit() {
    check(&array(vec![], &[]), expect!["[]"]);
    check(&array(vec![1, 2, 3], &[3]), expect!["[1,2,3]"]);
    check(&array(vec![1, 2, 3, 4, 5, 6], &[2, 3]), expect!["[[1,2,3],[4,5,6]]"]);
    check(&array(vec![1, 2, 3, 4], &[2, 1, 2]), expect!["[[[1,2]],[[3,4]]]"]);
    check(&array(vec![1, 2, 3], &[2, 2]), expect!["[1,2,3]"]);
    check(&array(vec![1, 2], &[-1, -2]), expect!["[1,2]"]);
    check(&array(vec![], &[0, 3]), expect!["[]"]);
    check(&array(vec![1], &[i32::MAX, i32::MAX, i32::MAX]), expect!["[1]"]);
}

fn sample(value: Variant) -> StoredSample {
    StoredSample {
        source_timestamp: Some("2026-03-01T12:00:00.1234567Z".parse().expect("a time")),
        server_timestamp: None,
        source_picoseconds: 9,
        server_picoseconds: 0,
        received: DateTime::MIN,
        value,
        status: StatusCode(0x800A_0480),
    }
}

#[test]
fn a_sample_keeps_all_bits_of_its_status_and_every_tick() {
    let json = serde_json::to_string_pretty(&Sample::from(sample(Variant::Int32(1)))).expect("is JSON");
    expect![[r#"
        {
          "value": 1,
          "status": 2148140160,
          "statusName": "BadTimeout",
          "sourceTimestamp": "2026-03-01T12:00:00.1234567Z",
          "serverTimestamp": null,
          "sourcePicoseconds": 9
        }"#]]
    .assert_eq(&json);
}

#[test]
fn a_sample_without_times_says_when_it_came() {
    let untimed = StoredSample { source_timestamp: None, source_picoseconds: 0, ..sample(Variant::Null) };
    let json = serde_json::to_string_pretty(&Sample::from(untimed)).expect("is JSON");
    expect![[r#"
        {
          "value": null,
          "status": 2148140160,
          "statusName": "BadTimeout",
          "sourceTimestamp": null,
          "serverTimestamp": null,
          "receivedTimestamp": "1601-01-01T00:00:00.0000000Z"
        }"#]]
    .assert_eq(&json);
}

#[test]
fn csv_tells_null_from_empty_and_quotes_what_needs_it() {
    let mut text = CSV_HEADER.to_owned();
    for value in [
        Variant::Float(0.1),
        Variant::UInt64(u64::MAX),
        Variant::Null,
        Variant::String(Some(String::new())),
        Variant::String(Some("a,\"b\"".into())),
        array(vec![1, 2], &[]),
    ] {
        write_csv(&sample(value), &mut text);
    }
    expect![[r#"
        sourceTimestamp,serverTimestamp,value,status,statusName
        2026-03-01T12:00:00.1234567Z,,0.1,2148140160,BadTimeout
        2026-03-01T12:00:00.1234567Z,,18446744073709551615,2148140160,BadTimeout
        2026-03-01T12:00:00.1234567Z,,,2148140160,BadTimeout
        2026-03-01T12:00:00.1234567Z,,"",2148140160,BadTimeout
        2026-03-01T12:00:00.1234567Z,,"a,""b""",2148140160,BadTimeout
        2026-03-01T12:00:00.1234567Z,,"[1,2]",2148140160,BadTimeout
    "#]]
    .assert_eq(&text.replace("\r\n", "\n"));
}
