//! First start, log-in, the life of a session, guessing.

use crate::client::Answer;
use crate::house::{House, PASSWORD, Session, text};
use crate::plant::Plant;
use gemba_api::rest::Role;
use gemba_base::Clock;
use gemba_console::Transport;
use serde_json::json;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

fn link(house: &House) -> String {
    let secret = gemba_console::first_start(house.docs(), house.clock.now()).expect("works").expect("a link");
    secret.reveal().to_owned()
}

async fn take(house: &House, token: &str, user: &str) -> Answer {
    let body = json!({"token": token, "user": user, "password": PASSWORD});
    house.request("POST", "/api/v1/first-start").json(&body).send().await
}

#[tokio::test]
async fn the_first_start_makes_one_administrator_once() {
    let house = House::new().await;
    let refused = (403, "GMB-API-016".to_owned());
    let state = || house.request("GET", "/api/v1/first-start");
    assert_eq!(state().send().await.json(), json!({"open": true}));
    let old = link(&house);
    let token = link(&house);
    assert_eq!(take(&house, &old, "anna").await.problem(), refused, "a later start voids the link");
    let short = json!({"token": token, "user": "anna", "password": "elevenchars"});
    let answer = house.request("POST", "/api/v1/first-start").json(&short).send().await;
    assert_eq!(answer.problem(), (400, "GMB-API-020".to_owned()));
    let answer = take(&house, &token, "anna").await;
    assert_eq!((answer.status, &answer.json()["role"]), (201, &json!("admin")));
    let session = Session { cookie: answer.cookie(), csrf: text(&answer.json()["csrfToken"]) };
    assert!(session.is_alive(&house).await, "who took the link is logged in");
    assert_eq!(take(&house, &token, "eve").await.problem(), refused, "the link works once");
    assert_eq!(state().send().await.json(), json!({"open": false}));
    assert!(gemba_console::first_start(house.docs(), house.clock.now()).expect("works").is_none());
    assert_eq!(house.log_in("Anna", PASSWORD).await.status, 200, "case makes no difference");
}

#[tokio::test]
async fn two_who_take_the_link_at_once_are_not_both_administrators() {
    let house = House::new().await;
    let token = link(&house);
    let (one, two) = tokio::join!(take(&house, &token, "anna"), take(&house, &token, "eve"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403]);
}

#[test]
fn the_link_holds_its_secret_where_browsers_send_it_to_nobody() {
    let secret = gemba_base::Secret::new("ab12");
    let link = gemba_console::first_start_link("http://127.0.0.1:8080/", &secret);
    assert_eq!(link.reveal(), "http://127.0.0.1:8080/first-start#token=ab12");
}

#[tokio::test]
async fn a_session_begins_with_a_password_and_ends_with_log_out() {
    let house = House::new().await;
    house.user("anna", Role::Engineer);
    let answer = house.log_in("anna", PASSWORD).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.contains("; HttpOnly; SameSite=Strict; Path=/; Max-Age=604800"), "{cookie}");
    let json = answer.json();
    assert_eq!(
        (&json["user"], &json["role"], &json["kind"]),
        (&json!("anna"), &json!("engineer"), &json!("session"))
    );
    assert_eq!(json["expiresAt"], "2026-03-02T00:00:00.0000000Z");
    assert_eq!(json["timeZone"], "Europe/Berlin");

    let session = Session { cookie: answer.cookie(), csrf: text(&json["csrfToken"]) };
    let shown = session.request(&house, "GET", "/api/v1/session").send().await.json();
    assert_eq!(shown, json, "a reloaded page has the same session");
    let answer = session.request(&house, "DELETE", "/api/v1/session").send().await;
    assert_eq!(answer.status, 204);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert!(!session.is_alive(&house).await);
}

#[tokio::test]
async fn over_tls_cookies_are_for_this_host_and_tls_alone() {
    let house = House::over(Transport::Tls, Plant::default()).await;
    house.user("anna", Role::Viewer);
    let answer = house.log_in("anna", PASSWORD).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-gemba_session=") && cookie.ends_with("; Secure"), "{cookie}");
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    let other = answer.cookie().replace("__Host-", "");
    let session = |cookie| Session { cookie, csrf: String::new() };
    assert!(session(answer.cookie()).is_alive(&house).await);
    assert!(!session(other).is_alive(&house).await, "a cookie set without TLS is not taken");
}

#[tokio::test]
async fn who_is_wrong_and_what_is_wrong_look_the_same() {
    let house = House::new().await;
    house.user("anna", Role::Admin);
    house.user("otto", Role::Viewer);
    let session = house.session("anna").await;
    let disable = session.request(&house, "PATCH", "/api/v1/users/otto").json(&json!({"disabled": true}));
    assert_eq!(disable.send().await.status, 200);
    let wrong = house.log_in("anna", "wrong horse battery").await;
    assert_eq!(wrong.problem(), (401, "GMB-API-013".to_owned()));
    assert!(wrong.header("set-cookie").is_empty());
    assert_eq!(house.log_in("nobody", PASSWORD).await.body, wrong.body);
    assert_eq!(house.log_in("not a name!", PASSWORD).await.body, wrong.body);
    assert_eq!(house.log_in("otto", PASSWORD).await.body, wrong.body);
}

#[tokio::test]
async fn guessing_is_slowed_down_and_a_right_password_must_wait_too() {
    let house = House::new().await;
    house.user("anna", Role::Viewer);
    for _ in 0..6 {
        assert_eq!(house.log_in("anna", "wrong horse battery").await.status, 401);
    }
    let answer = house.log_in("anna", PASSWORD).await;
    assert_eq!(answer.problem(), (429, "GMB-API-009".to_owned()));
    assert_eq!(answer.header("retry-after"), "1");
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(house.log_in("anna", PASSWORD).await.status, 200);
    assert_eq!(house.log_in("anna", "wrong horse battery").await.status, 401, "counting begins anew");
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_after_a_week_in_any_case() {
    let house = House::new().await;
    house.user("anna", Role::Viewer);
    let idle = house.session("anna").await;
    let used = house.session("anna").await;
    for hour in 1..=13 {
        house.clock.advance(HOUR);
        assert!(used.is_alive(&house).await, "hour {hour}");
    }
    assert!(!idle.is_alive(&house).await);
    for _ in 0..(7 * 24 - 14) {
        house.clock.advance(HOUR);
        assert!(used.is_alive(&house).await);
    }
    house.clock.advance(HOUR);
    assert!(!used.is_alive(&house).await);
}

#[tokio::test]
async fn sessions_and_tokens_survive_a_restart() {
    let mut house = House::new().await;
    house.user("anna", Role::Viewer);
    let session = house.session("anna").await;
    let token = house.token(Role::Viewer);
    house.restart().await;
    assert!(session.is_alive(&house).await);
    assert_eq!(house.request("GET", "/api/v1/flow").bearer(&token).send().await.status, 200);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let house = House::new().await;
    house.user("anna", Role::Viewer);
    let (here, elsewhere) = (house.session("anna").await, house.session("anna").await);
    let change = |current: &str, new: &str| {
        let body = json!({"current": current, "new": new});
        here.request(&house, "PUT", "/api/v1/session/password").json(&body)
    };
    let other = "another long password";
    assert_eq!(change("wrong horse battery", other).send().await.problem(), (400, "GMB-API-002".to_owned()));
    assert_eq!(change(PASSWORD, "short").send().await.problem(), (400, "GMB-API-020".to_owned()));
    assert_eq!(change(PASSWORD, other).send().await.status, 204);
    assert!(here.is_alive(&house).await);
    assert!(!elsewhere.is_alive(&house).await);
    assert_eq!(house.log_in("anna", PASSWORD).await.status, 401);
    assert_eq!(house.log_in("anna", other).await.status, 200);
}

#[tokio::test]
async fn nothing_that_is_stored_lets_anybody_in() {
    let house = House::new().await;
    house.user("anna", Role::Viewer);
    let session = house.session("anna").await;
    let token = house.token(Role::Viewer);
    let secret = link_free(&session.cookie);
    for collection in ["users", "sessions", "tokens", "first-start"] {
        for document in house.docs().list(collection, "", None, 100).expect("lists") {
            let text = format!("{} {}", document.key, document.value);
            for hidden in [PASSWORD, &token, &secret, &session.csrf] {
                assert!(!text.contains(hidden), "{collection}: {text}");
            }
        }
    }
}

fn link_free(cookie: &str) -> String {
    cookie.split_once('=').expect("a cookie").1.to_owned()
}
