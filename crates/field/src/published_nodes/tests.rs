use super::*;
use expect_test::{Expect, expect};

fn check(text: &str, expected: Expect) {
    let shown = match parse(text) {
        Ok(entries) => entries.iter().map(show).collect(),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&shown);
}

fn show(entry: &PublishedEntry) -> String {
    let user = match &entry.identity {
        Identity::Anonymous => "anonymous",
        Identity::UserName { user, .. } => user,
    };
    let head = format!(
        "{} {:?}/{} as {user}: {}/{} ({})\n",
        entry.endpoint_url,
        entry.security.mode,
        entry.security.policy,
        entry.group,
        entry.writer,
        entry.data_set
    );
    let nodes = entry.nodes.iter().map(|node| {
        format!(
            "  {} '{}' {:?}/{:?} queue {:?}\n",
            node.node_id, node.field_name, node.sampling_interval, node.publishing_interval, node.queue_size
        )
    });
    head + &nodes.collect::<String>()
}

#[test]
fn the_forms_of_2_8_and_2_9_are_read() {
    check(
        r#"[ // a comment
          { "EndpointUrl": "opc.tcp://plc:4840", "UseSecurity": true, "OpcNodes": [
              { "Id": "nsu=urn:m;s=A", "OpcSamplingInterval": 100, "DisplayName": "a" },
              { "ExpandedNodeId": "http://x/#i=3", "OpcPublishingIntervalTimespan": "00:00:05", "queuesize": 7 } ] },
          { "EndpointUrl": "opc.tcp://b:1/p", "EndpointSecurityMode": "SignAndEncrypt",
            "EndpointSecurityPolicy": "http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256",
            "OpcAuthenticationMode": "UsernamePassword", "OpcAuthenticationUsername": "u",
            "OpcAuthenticationPassword": "secret", "DataSetWriterGroup": "g", "DataSetWriterId": "w",
            "DataSetName": "d", "DataSetPublishingInterval": 250, "DataSetKeyFrameCount": 0,
            "OpcNodes": [ { "Id": "i=2258", "SkipFirst": false } ] } ]"#,
        expect![[r#"
            opc.tcp://plc:4840 NotNone/ as anonymous: <<UnknownWriterGroup>>/<<UnknownDataSet>> (<<UnknownDataSet>>)
              nsu=urn:m;s=A 'a' 100ms/1s queue None
              nsu=http://x/;i=3 'nsu=http://x/;i=3' 1s/5s queue Some(7)
            opc.tcp://b:1/p SignAndEncrypt/Basic256Sha256 as u: g/w (d)
              i=2258 'i=2258' 1s/250ms queue None
        "#]],
    );
}

#[test]
fn defaults_are_those_of_opc_publisher() {
    check(
        r#"[ { "EndpointUrl": "opc.tcp://plc:4840", "OpcNodes": [ { "Id": "i=2258" } ] } ]"#,
        expect![[r#"
            opc.tcp://plc:4840 None/ as anonymous: <<UnknownWriterGroup>>/<<UnknownDataSet>> (<<UnknownDataSet>>)
              i=2258 'i=2258' 1s/1s queue None
        "#]],
    );
}

#[test]
fn what_is_not_supported_yet_is_named() {
    check(
        r#"[ { "EndpointUrl": "opc.tcp://plc:4840", "OpcNodes": [ { "Id": "i=1", "HeartbeatInterval": 5 } ] } ]"#,
        expect![
            "GMB-FLD-003: entry 1 (opc.tcp://plc:4840), node 1 (i=1): 'HeartbeatInterval' is not supported yet; remove it, or set it to its default"
        ],
    );
    check(
        r#"[ { "EndpointUrl": "opc.tcp://plc:4840", "MessagingMode": "Samples" } ]"#,
        expect![
            "GMB-FLD-003: entry 1 (opc.tcp://plc:4840): 'MessagingMode' is not supported yet; remove it, or set it to its default"
        ],
    );
    check(
        r#"[ { "EndpointUrl": "opc.tcp://plc:4840", "OpcAuthenticationMode": "Certificate" } ]"#,
        expect![
            "GMB-FLD-003: entry 1 (opc.tcp://plc:4840): 'OpcAuthenticationMode: Certificate' is not supported yet; remove it, or set it to its default"
        ],
    );
}

#[test]
fn mistakes_are_named_with_their_place_and_remedy() {
    check(
        r#"[ { "EndpointUrl": "opc.tcp://plc:4840", "OpcNode": [] } ]"#,
        expect![
            "GMB-FLD-002: entry 1 (opc.tcp://plc:4840): 'OpcNode' is not a field of publishednodes.json; did you mean 'OpcNodes'?"
        ],
    );
    check(
        r#"[ { "EndpointURI": "opc.tcp://plc:4840" } ]"#,
        expect!["GMB-FLD-002: entry 1: 'EndpointUrl' is missing; did you mean it with 'EndpointURI'?"],
    );
    check(
        r#"[ { "EndpointUrl": "http://plc" } ]"#,
        expect!["GMB-FLD-002: entry 1 (http://plc): 'EndpointUrl' must begin with opc.tcp://"],
    );
    check(
        r#"[ { "EndpointUrl": "opc.tcp://plc:4840", "OpcNodes": [ {}, 3 ] } ]"#,
        expect!["GMB-FLD-002: entry 1 (opc.tcp://plc:4840), node 1: 'Id' is missing"],
    );
    check(
        r#"[ { "EndpointUrl": "opc.tcp://plc:4840", "OpcNodes": [ { "Id": "Pump" } ] } ]"#,
        expect![
            "GMB-FLD-002: entry 1 (opc.tcp://plc:4840), node 1 (Pump): 'Id' 'Pump' is not a node id: expected i=, s=, g= or b=, as in ns=2;s=Pump.Speed"
        ],
    );
    check(
        "[ { \"EndpointUrl\": \"opc.tcp://plc:4840\",\n  \"OpcNodes\": [",
        expect!["GMB-FLD-001: the file is not JSON: EOF while parsing a list at line 2 column 15"],
    );
    check(
        "{}",
        expect![[
            r#"GMB-FLD-001: the file is not JSON: expected an array of entries: [ { "EndpointUrl": … } ]"#
        ]],
    );
}

#[test]
fn an_empty_file_publishes_nothing() {
    check("", expect![""]);
    check("[]", expect![""]);
}

#[test]
fn passwords_do_not_print() {
    let entries = parse(
        r#"[ { "EndpointUrl": "opc.tcp://b:1", "OpcAuthenticationUsername": "u", "OpcAuthenticationPassword": "hunter2" } ]"#,
    );
    assert!(!format!("{entries:?}").contains("hunter2"));
}

/// What is refused says why.
fn file_of_bytes(bytes: &[u8]) {
    if let Err(error) = parse(&String::from_utf8_lossy(bytes)) {
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn fuzz_published_nodes() {
    let words = [
        "EndpointUrl",
        "OpcNodes",
        "Id",
        "ExpandedNodeId",
        "nsu=http://x;s=",
        "OpcSamplingIntervalTimespan",
        "00:00:00.100",
        "DataSetPublishingInterval",
        "QueueSize",
        "// ",
        "/*",
        "*/",
        "null",
        "true",
        "UseSecurity",
        "\u{feff}",
    ];
    gemba_testkit::fuzz::Target::new("field-published-nodes", file_of_bytes).words(words).run();
}
