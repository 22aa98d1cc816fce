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
        Identity::Certificate { name } => name,
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
fn an_empty_list_publishes_nothing_and_an_empty_file_is_half_written() {
    check("[]", expect![""]);
    check("\u{feff}[ ] // nothing yet", expect![""]);
    for text in ["", " \n", "// a comment"] {
        check(text, expect!["GMB-FLD-001: the file is not JSON: it is empty; [] publishes nothing"]);
    }
}

#[test]
fn keys_that_stand_twice_are_refused_in_any_case() {
    check(
        r#"[ { "EndpointUrl": "opc.tcp://a:1", "OpcNodes": [],
               "EndpointUrl": "opc.tcp://b:1" } ]"#,
        expect![
            "GMB-FLD-001: the file is not JSON: the key 'EndpointUrl' stands twice in one object at line 2 column 28"
        ],
    );
    check(
        r#"[ { "EndpointUrl": "opc.tcp://a:1", "endpointurl": "opc.tcp://b:1" } ]"#,
        expect!["GMB-FLD-002: entry 1: 'endpointurl' is there twice (also as 'EndpointUrl')"],
    );
}

#[test]
fn wrong_types_are_named_with_what_would_be_right() {
    for (field, value) in [
        ("UseSecurity", "1"),
        ("OpcNodes", "{}"),
        ("EndpointUrl", "7"),
        ("DataSetPublishingInterval", "-5"),
        ("DataSetPublishingIntervalTimespan", "\"soon\""),
        ("DataSetWriterId", "[]"),
    ] {
        let text = match field {
            "EndpointUrl" => format!("[ {{ \"EndpointUrl\": {value} }} ]"),
            _ => format!("[ {{ \"EndpointUrl\": \"opc.tcp://a:1\", \"{field}\": {value} }} ]"),
        };
        let error = parse(&text).expect_err(field).to_string();
        assert!(error.contains(&format!("'{field}'")) && error.contains("must be"), "{error}");
    }
    let error =
        parse(r#"[ { "EndpointUrl": "opc.tcp://a:1", "OpcNodes": [ { "Id": "i=1", "QueueSize": 1.5 } ] } ]"#);
    assert_eq!(
        error.expect_err("a fraction").to_string(),
        "GMB-FLD-002: entry 1 (opc.tcp://a:1), node 1 (i=1): 'QueueSize' must be a whole number from 0 to 4294967295"
    );
}

#[test]
fn certificates_of_users_and_policies_are_read() {
    check(
        r#"[ { "EndpointUrl": "opc.tcp://a:1", "EndpointSecurityMode": "Best", "EndpointSecurityPolicy": "aes256-sha256-rsapss",
               "OpcAuthenticationMode": "Certificate", "OpcAuthenticationUsername": "operator" } ]"#,
        expect![[r#"
            opc.tcp://a:1 Best/Aes256_Sha256_RsaPss as operator: <<UnknownWriterGroup>>/<<UnknownDataSet>> (<<UnknownDataSet>>)
        "#]],
    );
    for (fields, message) in [
        (
            r#""OpcAuthenticationMode": "Certificate""#,
            "GMB-FLD-002: entry 1 (opc.tcp://a:1): 'OpcAuthenticationUsername' is missing",
        ),
        (
            r#""OpcAuthenticationMode": "Certificate", "OpcAuthenticationUsername": "o", "OpcAuthenticationPassword": "hunter2""#,
            "GMB-FLD-002: entry 1 (opc.tcp://a:1): 'OpcAuthenticationPassword' opens no key here: store the user's key without a passphrase, and remove the password",
        ),
        (
            r#""UseSecurity": true, "EndpointSecurityPolicy": "Basic256Sha265""#,
            "GMB-FLD-002: entry 1 (opc.tcp://a:1): 'EndpointSecurityPolicy' is one of None, Basic256Sha256, Aes128_Sha256_RsaOaep, Aes256_Sha256_RsaPss; did you mean 'Basic256Sha256'?",
        ),
        (
            r#""EndpointSecurityPolicy": "Basic256Sha256""#,
            "GMB-FLD-002: entry 1 (opc.tcp://a:1): 'EndpointSecurityPolicy' goes with a security mode; set UseSecurity to true, or EndpointSecurityMode",
        ),
        (
            r#""EndpointSecurityMode": "Sign", "EndpointSecurityPolicy": "None""#,
            "GMB-FLD-002: entry 1 (opc.tcp://a:1): 'EndpointSecurityPolicy' None does not go with a security mode",
        ),
    ] {
        let error =
            parse(&format!("[ {{ \"EndpointUrl\": \"opc.tcp://a:1\", {fields} }} ]")).expect_err(fields);
        assert_eq!(error.to_string(), message);
        assert!(!error.to_string().contains("hunter2"));
    }
}

#[test]
fn a_node_that_stands_twice_is_published_once_and_named() {
    let twice = r#"[ { "EndpointUrl": "opc.tcp://a:1", "DataSetWriterId": "w", "OpcNodes": [
        { "Id": "i=1" }, { "Id": "i=2" }, { "Id": "i=1" }, { "Id": "i=1", "DisplayName": "other" } ] } ]"#;
    let mut entries = parse(twice).expect("read");
    assert_eq!(fold_duplicates(&mut entries), ["i=1 of opc.tcp://a:1 in writer 'w'"]);
    assert_eq!(entries[0].nodes.len(), 3, "another name is another field");
    assert!(fold_duplicates(&mut entries).is_empty());
}

#[test]
fn passwords_do_not_print() {
    let entries = parse(
        r#"[ { "EndpointUrl": "opc.tcp://b:1", "OpcAuthenticationUsername": "u", "OpcAuthenticationPassword": "hunter2" } ]"#,
    );
    assert!(!format!("{entries:?}").contains("hunter2"));
}

/// What is refused says why. What is read can be planned: the same the second time, every node kept, and no handle
/// given twice in a session.
fn file_of_bytes(bytes: &[u8]) {
    let mut entries = match parse(&String::from_utf8_lossy(bytes)) {
        Ok(entries) => entries,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    fold_duplicates(&mut entries);
    let sessions = crate::plan::plan(&entries);
    assert_eq!(sessions, crate::plan::plan(&entries));
    let wanted: usize = entries.iter().map(|entry| entry.nodes.len()).sum();
    assert_eq!(sessions.values().map(|session| session.items()).sum::<usize>(), wanted);
    for session in sessions.values() {
        assert!(session.name.len() <= 512 && !session.name.contains('#'));
        let items = session.subscriptions.values().flat_map(|subscription| &subscription.items);
        let mut handles = HashSet::new();
        assert!(items.into_iter().all(|item| handles.insert(item.handle)));
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
