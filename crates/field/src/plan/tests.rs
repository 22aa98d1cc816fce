use super::*;
use crate::published_nodes::parse;
use expect_test::{Expect, expect};

fn show(text: &str) -> String {
    let entries = parse(text).unwrap_or_else(|error| panic!("{error}"));
    let mut out = String::new();
    for session in plan(&entries).values() {
        out += &format!("session {}\n", session.name);
        for (name, subscription) in &session.subscriptions {
            out += &format!("  subscription {}\n", name.rsplit('|').next().unwrap_or_default());
            for item in &subscription.items {
                let set = &session.data_sets[item.data_set];
                out += &format!(
                    "    {} -> {}.{}\n",
                    item.node.node_id,
                    set.writer,
                    set.fields[usize::from(item.field)].name
                );
            }
        }
    }
    out
}

fn check(text: &str, expected: Expect) {
    expected.assert_eq(&show(text));
}

#[test]
fn writers_split_by_interval_and_sessions_by_group_and_endpoint() {
    check(
        r#"[
          { "EndpointUrl": "opc.tcp://a:1", "DataSetWriterGroup": "g", "DataSetWriterId": "w", "OpcNodes": [
             { "Id": "ns=2;s=A", "DisplayName": "Speed" }, { "Id": "ns=2;s=B", "DisplayName": "Speed" },
             { "Id": "ns=2;s=C", "OpcPublishingInterval": 100 } ] },
          { "EndpointUrl": "opc.tcp://a:1", "DataSetWriterGroup": "g", "DataSetWriterId": "v", "OpcNodes": [ { "Id": "i=1" } ] },
          { "EndpointUrl": "opc.tcp://a:1", "DataSetWriterGroup": "h", "OpcNodes": [ { "Id": "i=1" } ] },
          { "EndpointUrl": "opc.tcp://b:1", "DataSetWriterGroup": "h", "OpcNodes": [] } ]"#,
        expect![[r#"
            session g|opc.tcp://a:1|None||
              subscription 1000ms
                ns=2;s=A -> w_1000ms.Speed
                ns=2;s=B -> w_1000ms.Speed (ns=2;s=B)
                i=1 -> v.i=1
              subscription 100ms
                ns=2;s=C -> w_100ms.ns=2;s=C
            session h|opc.tcp://a:1|None||
              subscription 1000ms
                i=1 -> <<UnknownDataSet>>.i=1
        "#]],
    );
}

#[test]
fn handles_survive_an_edit_of_other_items() {
    let file = |nodes: &str| {
        let text = format!(
            r#"[ {{ "EndpointUrl": "opc.tcp://a:1", "DataSetWriterId": "w", "OpcNodes": [ {nodes} ] }} ]"#
        );
        let sessions = plan(&parse(&text).unwrap_or_else(|error| panic!("{error}")));
        let session = sessions.into_values().next().unwrap_or_else(|| panic!("one session"));
        let items = session.subscriptions.into_values().flat_map(|s| s.items);
        items.map(|item| (item.node.node_id.to_string(), item.handle)).collect::<BTreeMap<_, _>>()
    };
    let before = file(r#"{ "Id": "ns=2;s=A" }, { "Id": "ns=2;s=B" }"#);
    let after = file(r#"{ "Id": "ns=2;s=C" }, { "Id": "ns=2;s=B" }"#);
    assert_eq!(before["ns=2;s=B"], after["ns=2;s=B"]);
    assert_ne!(after["ns=2;s=C"], after["ns=2;s=B"]);
}

#[test]
fn a_data_set_closes_at_its_field_limit() {
    let nodes = |count: usize| {
        (0..count).map(|i| format!(r#"{{ "Id": "ns=2;i={i}" }}"#)).collect::<Vec<_>>().join(",")
    };
    let sizes = |count: usize| {
        let text = format!(
            r#"[ {{ "EndpointUrl": "opc.tcp://a:1", "DataSetWriterId": "w", "OpcNodes": [ {} ] }} ]"#,
            nodes(count)
        );
        let sessions = plan(&parse(&text).unwrap_or_else(|error| panic!("{error}")));
        let sets = sessions.into_values().flat_map(|session| session.data_sets);
        sets.map(|set| (set.writer, set.fields.len())).collect::<Vec<_>>()
    };
    assert_eq!(sizes(FIELDS_MAX), [("w".to_owned(), FIELDS_MAX)]);
    assert_eq!(sizes(FIELDS_MAX + 1), [("w".to_owned(), FIELDS_MAX), ("w~2".to_owned(), 1)]);
}

#[test]
fn long_names_close_a_data_set_before_its_description_is_too_large() {
    let long = "x".repeat(400);
    let nodes: Vec<String> = (0..600).map(|i| format!(r#"{{ "Id": "ns=2;s={long}{i}" }}"#)).collect();
    let text = format!(r#"[ {{ "EndpointUrl": "opc.tcp://a:1", "OpcNodes": [ {} ] }} ]"#, nodes.join(","));
    let sessions = plan(&parse(&text).unwrap_or_else(|error| panic!("{error}")));
    for set in sessions.values().flat_map(|session| &session.data_sets) {
        assert!(description_bytes(&set.fields) <= DESCRIPTION_BYTES_MAX, "{}", set.fields.len());
    }
}
