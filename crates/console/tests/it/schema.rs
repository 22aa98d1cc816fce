//! Answers are what the OpenAPI document says: every member described, every required one there.

use crate::client::Answer;
use crate::house::{House, PASSWORD, text};
use crate::plant::{field_report, sample};
use gemba_api::StoredSample;
use gemba_api::rest::Role;
use gemba_base::Clock;
use gemba_model::Variant;
use serde_json::{Value, json};

/// Where `value` departs from `schema`; nothing if it does not.
fn faults(document: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(reference.trim_start_matches('#')).expect("a component");
        return faults(document, schema, value, place);
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[key].as_array() {
            let fits = choices.iter().any(|choice| faults(document, choice, value, place).is_empty());
            return if fits { vec![] } else { vec![format!("{place}: {value} is none of {key}")] };
        }
    }
    let mut found = Vec::new();
    if let Some(parts) = schema["allOf"].as_array() {
        // Members of all parts together; only what one of them says is wrong counts.
        let mut merged = json!({"type": "object", "properties": {}, "required": []});
        for part in parts {
            let part = part["$ref"].as_str().map_or(part, |reference| {
                document.pointer(reference.trim_start_matches('#')).expect("a component")
            });
            let properties = part["properties"].as_object().cloned().unwrap_or_default();
            merged["properties"].as_object_mut().expect("an object").extend(properties);
            let required = part["required"].as_array().cloned().unwrap_or_default();
            merged["required"].as_array_mut().expect("an array").extend(required);
        }
        return faults(document, &merged, value, place);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    let fits = |allowed: &&str| *allowed == kind || (*allowed == "number" && kind == "integer");
    if !types.is_empty() && !types.iter().any(fits) {
        found.push(format!("{place}: {value} is not {types:?}"));
    }
    if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
        found.push(format!("{place}: {value} is not one of {allowed:?}"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(name).is_none() {
            found.push(format!("{place}: {name} is missing"));
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        match schema["properties"].get(name).or(schema.get("additionalProperties")) {
            Some(schema) => found.extend(faults(document, schema, member, &place)),
            None if types.is_empty() => {}
            None => found.push(format!("{place} is not described")),
        }
    }
    for item in value.as_array().into_iter().flatten() {
        if let Some(schema) = schema.get("items") {
            found.extend(faults(document, schema, item, &format!("{place}[]")));
        }
    }
    found
}

/// Checks an answer of an operation such as `GET /api/v1/series`.
fn check(document: &Value, operation: &str, answer: &Answer) {
    let (method, path) = operation.split_once(' ').expect("method and path");
    let responses = &document["paths"][path][method.to_lowercase()]["responses"];
    let status = answer.status.to_string();
    let response = responses.get(&status).filter(|response| response["content"].is_object());
    let response = response.unwrap_or_else(|| panic!("{operation} has no body for {status}: {answer:?}"));
    let content_type = answer.header("content-type").split(';').next().unwrap_or_default();
    let schema = &response["content"][content_type]["schema"];
    assert!(schema.is_object(), "{operation} does not describe {content_type}");
    assert_eq!(faults(document, schema, &answer.json(), operation), [""; 0]);
}

#[tokio::test]
async fn every_answer_is_as_described() {
    let plant = crate::plant::Plant::default();
    plant.report(vec![field_report()]);
    plant.add(1, sample("2026-03-01T11:00:00Z", Variant::Double(1.5)));
    let untimed = sample("2026-03-01T11:00:01Z", Variant::Double(f64::NAN));
    plant.add(
        1,
        StoredSample { source_timestamp: None, server_timestamp: None, source_picoseconds: 1, ..untimed },
    );
    plant.add_series(2);
    let house = House::over(gemba_console::Transport::Loopback, plant).await;
    let document = house.request("GET", "/openapi.json").send().await.json();

    let secret = gemba_console::first_start(house.docs(), house.clock.now()).expect("works").expect("a link");
    let body = json!({"token": secret.reveal(), "user": "anna", "password": PASSWORD});
    let first = house.request("POST", "/api/v1/first-start").json(&body).send().await;
    check(&document, "POST /api/v1/first-start", &first);
    check(&document, "POST /api/v1/session", &house.log_in("anna", PASSWORD).await);

    let admin = house.token(Role::Admin);
    let mut checked = 3;
    for (operation, path, body) in [
        ("GET /api/v1/first-start", "", json!(null)),
        ("GET /api/v1/session", "", json!(null)),
        ("GET /api/v1/system", "", json!(null)),
        ("GET /api/v1/flow", "", json!(null)),
        ("GET /api/v1/series", "", json!(null)),
        ("GET /api/v1/series/{id}", "/api/v1/series/2", json!(null)),
        ("GET /api/v1/series/{id}/last", "/api/v1/series/1/last", json!(null)),
        ("GET /api/v1/series/{id}/samples", "/api/v1/series/1/samples", json!(null)),
        ("GET /api/v1/series/{id}/buckets", "/api/v1/series/1/buckets?count=2", json!(null)),
        ("GET /api/v1/gaps", "", json!(null)),
        ("GET /api/v1/completeness", "", json!(null)),
        ("POST /api/v1/users", "", json!({"name": "otto", "password": PASSWORD, "role": "viewer"})),
        ("PATCH /api/v1/users/{name}", "/api/v1/users/otto", json!({"role": "operator"})),
        ("GET /api/v1/users", "", json!(null)),
        ("POST /api/v1/tokens", "", json!({"name": "t", "role": "viewer"})),
        ("GET /api/v1/tokens", "", json!(null)),
    ] {
        let (method, template) = operation.split_once(' ').expect("method and path");
        let path = if path.is_empty() { template } else { path };
        let mut request = house.request(method, path).bearer(&admin);
        if !body.is_null() {
            request = request.json(&body);
        }
        check(&document, operation, &request.send().await);
        checked += 1;
    }
    let with_json = document["paths"].to_string().matches("\"content\":{\"application/json\"").count();
    let bodies =
        document["paths"].to_string().matches("\"requestBody\":{\"content\":{\"application/json\"").count();
    // The description of the API itself is the one answer that is not walked.
    assert_eq!(checked, with_json - bodies, "each operation that answers with JSON was checked");
}

#[tokio::test]
async fn problems_and_events_are_as_described() {
    let house = House::new().await;
    house.plant.add(1, sample("2026-03-01T11:00:00Z", Variant::Int32(1)));
    let document = house.request("GET", "/openapi.json").send().await.json();
    let schema = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let problem = house.request("GET", "/api/v1/series").send().await.json();
    assert_eq!(faults(&document, &schema("ProblemDetails"), &problem, "problem"), [""; 0]);
    assert_eq!(text(&problem["type"]), "/docs/errors/GMB-API-003");
    let request = house.request("GET", "/api/v1/live?series=1").bearer(&house.token(Role::Viewer));
    let mut events = request.listen().await;
    let values = events.next_named("values").await;
    assert_eq!(faults(&document, &schema("Sample"), &values["series"]["1"], "values"), [""; 0]);
    let flow = events.next_named("flow").await;
    assert_eq!(faults(&document, &schema("Flow"), &flow, "flow"), [""; 0]);
}

#[test]
fn the_check_finds_what_is_wrong() {
    let schema =
        json!({"type": "object", "required": ["a"], "properties": {"a": {"type": ["string", "null"]}}});
    let found = |value: Value| faults(&json!({}), &schema, &value, "x");
    assert_eq!(found(json!({"a": null})), [""; 0]);
    assert_eq!(found(json!({"a": 1})), ["x.a: 1 is not [\"string\", \"null\"]"]);
    assert_eq!(found(json!({"b": 1})), ["x: a is missing", "x.b is not described"]);
    assert_eq!(found(json!([])), ["x: [] is not [\"object\"]"]);
}
