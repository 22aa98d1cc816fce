//! Who may do what: walked over every operation of the OpenAPI document.

use crate::house::House;
use gemba_api::rest::Role;
use serde_json::{Value, json};

/// Method, path with something in its placeholders, role.
fn operations(document: &Value) -> Vec<(String, String, Option<Role>)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let path = path.replace("{id}", "1").replace("{name}", "nobody");
        for (method, operation) in item.as_object().expect("operations") {
            let text = operation["description"].as_str().expect("a description");
            let role = text.rsplit_once("Role: ").expect("a role").1.trim_end_matches('.');
            operations.push((method.to_uppercase(), path.clone(), role.parse().ok()));
        }
    }
    operations
}

#[tokio::test]
async fn every_operation_needs_its_role() {
    let house = House::new().await;
    let document = house.request("GET", "/openapi.json").send().await.json();
    let operations = operations(&document);
    assert!(operations.len() > 20, "the walk finds the operations");
    assert!(operations.iter().any(|(_, _, role)| *role == Some(Role::Admin)));
    for (method, path, role) in operations {
        let request = house.request(&method, &path).json(&json!({}));
        let Some(role) = role else {
            let answer = request.send().await;
            assert!(![401, 403].contains(&answer.status), "{method} {path} is open: {answer:?}");
            continue;
        };
        let place = format!("{method} {path}");
        let answer = request.send().await;
        assert_eq!(answer.problem(), (401, "GMB-API-003".to_owned()), "{place} without a token");
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{place}");
        for wrong in ["gtk_", "gtk_00", "nonsense"] {
            assert_eq!(request.clone().bearer(wrong).send().await.status, 401, "{place} with {wrong}");
        }
        for other in [Role::Viewer, Role::Operator, Role::Engineer, Role::Admin] {
            let request = request.clone().bearer(&house.token(other));
            if path == "/api/v1/live" {
                if other >= role {
                    assert_eq!(request.listen().await.status, 200);
                }
                continue;
            }
            let answer = request.send().await;
            if other < role {
                assert_eq!(answer.problem(), (403, "GMB-API-004".to_owned()), "{place} as {other:?}");
            } else {
                assert!(![401, 403].contains(&answer.status), "{place} as {other:?}: {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn head_needs_what_get_needs() {
    let house = House::new().await;
    assert_eq!(house.request("HEAD", "/api/v1/users").send().await.status, 401);
    let request = house.request("HEAD", "/api/v1/users");
    assert_eq!(request.clone().bearer(&house.token(Role::Viewer)).send().await.status, 403);
    assert_eq!(request.bearer(&house.token(Role::Admin)).send().await.status, 200);
}

#[tokio::test]
async fn methods_that_a_path_does_not_have_are_refused_by_name() {
    let house = House::new().await;
    let answer = house.request("POST", "/api/v1/series").send().await;
    assert_eq!(answer.problem(), (405, "GMB-API-006".to_owned()));
    assert_eq!(answer.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn only_our_own_names_are_served_without_tls() {
    let house = House::new().await;
    let port = house.address.port();
    for (host, status) in [
        (format!("localhost:{port}"), 200),
        (format!("127.0.0.1:{port}"), 200),
        ("[::1]".to_owned(), 200),
        ("LOCALHOST".to_owned(), 200),
        (format!("plant.example:{port}"), 200),
        ("evil.example".to_owned(), 421),
        (format!("localhost.evil.example:{port}"), 421),
        ("127.0.0.1.evil.example".to_owned(), 421),
        (String::new(), 421),
    ] {
        let answer = house.request("GET", "/healthz").header("Host", host.as_str()).send().await;
        assert_eq!(answer.status, status, "{host}");
    }
}

#[tokio::test]
async fn requests_that_another_site_sends_are_refused() {
    let house = House::new().await;
    house.user("anna", Role::Admin);
    let session = house.session("anna").await;
    let end = session.request(&house, "DELETE", "/api/v1/session");
    let refused = (403, "GMB-API-010".to_owned());
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(end.clone().header("Origin", origin).send().await.problem(), refused, "{origin}");
    }
    for token in ["", "0", &session.csrf.replace(|c: char| c.is_ascii_digit(), "x")] {
        assert_eq!(end.clone().header("X-CSRF-Token", token).send().await.problem(), refused, "{token}");
    }
    let form = "application/x-www-form-urlencoded";
    let log_in = house.request("POST", "/api/v1/session").text(form, "user=anna").send().await;
    assert_eq!(log_in.problem(), (415, "GMB-API-017".to_owned()));
    let own = format!("http://{}", house.address);
    assert_eq!(end.header("Origin", own).send().await.status, 204);
}
