//! Users and tokens as an administrator manages them.

use crate::house::{House, PASSWORD, text};
use expect_test::expect;
use gemba_api::rest::Role;
use serde_json::{Value, json};

#[tokio::test]
async fn users_are_made_changed_and_deleted() {
    let house = House::new().await;
    house.user("anna", Role::Admin);
    let anna = house.session("anna").await;
    let send = |method: &str, path: &str, body: Value| anna.request(&house, method, path).json(&body);
    let new = json!({"name": "Otto", "password": PASSWORD, "role": "operator"});
    let made = send("POST", "/api/v1/users", new.clone()).send().await;
    assert_eq!(made.status, 201);
    expect![[
        r#"{"name":"Otto","role":"operator","disabled":false,"createdAt":"2026-03-01T12:00:00.0000000Z"}"#
    ]]
    .assert_eq(&made.body);
    let twice = json!({"name": "otto", "password": PASSWORD, "role": "viewer"});
    let answer = send("POST", "/api/v1/users", twice).send().await;
    assert_eq!(answer.problem(), (409, "GMB-API-012".to_owned()));
    assert_eq!(answer.json()["detail"], "there is a user 'otto' already");

    let otto = house.session("otto").await;
    let users = otto.request(&house, "GET", "/api/v1/users").send().await;
    assert_eq!(users.problem(), (403, "GMB-API-004".to_owned()));
    assert_eq!(users.json()["detail"], "this needs the role admin; 'Otto' has the role operator");
    assert_eq!(send("PATCH", "/api/v1/users/otto", json!({"role": "admin"})).send().await.status, 200);
    let users = otto.request(&house, "GET", "/api/v1/users").send().await;
    assert_eq!(users.status, 200, "a new role holds at once");
    assert_eq!(users.json()["items"].as_array().map(Vec::len), Some(2));
    assert!(!users.body.contains("argon2"));

    assert_eq!(send("PATCH", "/api/v1/users/otto", json!({"disabled": true})).send().await.status, 200);
    assert!(!otto.is_alive(&house).await, "who is disabled is out");
    assert_eq!(send("PATCH", "/api/v1/users/otto", json!({"disabled": false})).send().await.status, 200);
    assert!(!otto.is_alive(&house).await, "and does not come back by an old session");
    let otto = house.session("otto").await;
    assert_eq!(send("DELETE", "/api/v1/users/otto", json!(null)).send().await.status, 204);
    assert!(!otto.is_alive(&house).await);
    assert_eq!(send("POST", "/api/v1/users", new).send().await.status, 201);
    assert!(!otto.is_alive(&house).await, "a new user of the name is somebody else");
    assert_eq!(send("DELETE", "/api/v1/users/nobody", json!(null)).send().await.status, 404);

    let trail: Vec<String> = house
        .docs
        .audit(None, 100)
        .expect("reads")
        .into_iter()
        .rev()
        .filter(|row| row.action.starts_with("user."))
        .map(|row| format!("{} {} {}", row.actor, row.action, row.target))
        .collect();
    expect![[r#"
        command line user.create anna
        anna user.create Otto
        anna user.change Otto
        anna user.change Otto
        anna user.change Otto
        anna user.delete Otto
        anna user.create Otto"#]]
    .assert_eq(&trail.join("\n"));
}

#[tokio::test]
async fn somebody_who_can_let_others_in_always_stays() {
    let house = House::new().await;
    house.user("anna", Role::Admin);
    house.user("eve", Role::Admin);
    let (anna, eve) = (house.session("anna").await, house.session("eve").await);
    let last = |session: &crate::house::Session, method: &str, path: &str, body: Value| {
        session.request(&house, method, path).json(&body)
    };
    let remove_each_other = tokio::join!(
        async { last(&anna, "DELETE", "/api/v1/users/eve", json!(null)).send().await.status },
        async { last(&eve, "DELETE", "/api/v1/users/anna", json!(null)).send().await.status },
    );
    assert!(
        remove_each_other == (204, 401)
            || remove_each_other == (401, 204)
            || remove_each_other == (204, 409)
            || remove_each_other == (409, 204),
        "{remove_each_other:?}"
    );
    let (name, session) = if anna.is_alive(&house).await { ("anna", anna) } else { ("eve", eve) };
    let path = format!("/api/v1/users/{name}");
    for (method, body) in [
        ("DELETE", json!(null)),
        ("PATCH", json!({"disabled": true})),
        ("PATCH", json!({"role": "engineer"})),
    ] {
        let answer = last(&session, method, &path, body).send().await;
        assert_eq!(answer.problem(), (409, "GMB-API-012".to_owned()));
    }
    assert_eq!(last(&session, "PATCH", &path, json!({"role": "admin"})).send().await.status, 200);
}

#[tokio::test]
async fn a_tokens_text_is_told_once_and_it_ends_when_it_is_deleted_or_due() {
    let house = House::new().await;
    let admin = house.token(Role::Admin);
    let send = |method: &str, path: &str, body: Value| house.request(method, path).bearer(&admin).json(&body);
    let expires = json!({"name": "grafana", "role": "viewer", "expiresAt": "2026-03-01T13:00:00Z"});
    let made = send("POST", "/api/v1/tokens", expires).send().await;
    assert_eq!(made.status, 201);
    let (id, token) = (text(&made.json()["id"]), text(&made.json()["token"]));
    let works = async || house.request("GET", "/api/v1/flow").bearer(&token).send().await.status == 200;
    assert!(works().await);
    let list = send("GET", "/api/v1/tokens", json!(null)).send().await;
    assert!(!list.body.contains("gtk_"));
    let item = list.json()["items"].as_array().expect("a list").iter().find(|item| item["id"] == id).cloned();
    let item = serde_json::to_string_pretty(&item.expect("is listed")).expect("is JSON").replace(&id, "ID");
    expect![[r#"
        {
          "createdAt": "2026-03-01T12:00:00.0000000Z",
          "createdBy": "token admin",
          "expiresAt": "2026-03-01T13:00:00.0000000Z",
          "id": "ID",
          "name": "grafana",
          "role": "viewer"
        }"#]]
    .assert_eq(&item);
    house.clock.advance(std::time::Duration::from_secs(3_600));
    assert!(!works().await);

    let made =
        send("POST", "/api/v1/tokens", json!({"name": "script", "role": "operator"})).send().await.json();
    let token = text(&made["token"]);
    let who = house.request("GET", "/api/v1/session").bearer(&token).send().await;
    expect![[r#"{"user":"script","role":"operator","kind":"token","csrfToken":null,"expiresAt":null,"timeZone":"Europe/Berlin"}"#]]
        .assert_eq(&who.body);
    let path = format!("/api/v1/tokens/{}", text(&made["id"]));
    assert_eq!(send("DELETE", &path, json!(null)).send().await.status, 204);
    assert_eq!(house.request("GET", "/api/v1/flow").bearer(&token).send().await.status, 401);
    assert_eq!(send("DELETE", &path, json!(null)).send().await.status, 404);
    assert_eq!(send("DELETE", "/api/v1/tokens/0", json!(null)).send().await.status, 404, "no prefix will do");
}

#[tokio::test]
async fn bodies_are_bounded_and_what_is_wrong_is_named_without_repeating_it() {
    let house = House::new().await;
    let admin = house.token(Role::Admin);
    let post = async |body: &str| {
        let request = house.request("POST", "/api/v1/users").bearer(&admin);
        let answer = request.text("application/json; charset=utf-8", body).send().await;
        let (status, code) = answer.problem();
        format!("{status} {code} {}", text(&answer.json()["detail"]))
    };
    expect!["400 GMB-API-002 body: missing field `password` at line 1 column 29"]
        .assert_eq(&post(r#"{"name":"x", "role":"viewer"}"#).await);
    expect![[r#"
        400 GMB-API-002 body: unknown field `admin`,
        expected one of `name`, `password`, `role` at line 1 column 20"#]]
    .assert_eq(&post(r#"{"name":"x", "admin":true}"#).await.replace(", expected", ",\nexpected"));
    expect!["400 GMB-API-002 body: a member has the wrong type at line 1 column 12"]
        .assert_eq(&post(r#"{"password":["secret password"]}"#).await);
    expect!["400 GMB-API-002 body: EOF while parsing an object at line 1 column 1"]
        .assert_eq(&post("{").await);
    expect!["400 GMB-API-002 user: a name has 1 to 64 letters, digits and - _ . @ +"]
        .assert_eq(&post(&json!({"name": "a/b", "password": PASSWORD, "role": "viewer"}).to_string()).await);
    expect!["400 GMB-API-020 a password has 12 to 256 characters, this one has 5"]
        .assert_eq(&post(&json!({"name": "ab", "password": "short", "role": "viewer"}).to_string()).await);
    expect!["413 GMB-API-008 the body is larger than 65536 bytes"]
        .assert_eq(&post(&" ".repeat(70_000)).await);
}
