//! The embedded page, or what stands in for it, and the headers of every answer.

use crate::house::House;

#[tokio::test]
async fn every_path_of_the_page_gives_its_shell_with_a_policy() {
    let house = House::new().await;
    for path in ["/", "/index.html", "/trends?series=1", "/series/7", "/first-start"] {
        let answer = house.request("GET", path).header("Accept", "text/html,*/*;q=0.8").send().await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, "text/html; charset=utf-8"),
            "{path}"
        );
        assert_eq!(answer.header("cache-control"), "no-store");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'; script-src 'self'; style-src 'self' '"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!answer.body.contains("__CSP_NONCE__"));
    }
}

#[tokio::test]
async fn what_is_not_a_page_is_not_found() {
    let house = House::new().await;
    for (method, path, accept) in [
        ("GET", "/trends", "application/json"),
        ("GET", "/assets/missing.js", "text/html"),
        ("GET", "/api/v1/missing", "text/html"),
        ("GET", "/../../etc/passwd", "*/*"),
        ("POST", "/trends", "text/html"),
    ] {
        let answer = house.request(method, path).header("Accept", accept).send().await;
        assert_eq!(answer.problem(), (404, "GMB-API-005".to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_that_protect_it() {
    let house = House::new().await;
    for path in ["/", "/healthz", "/api/v1/series", "/missing"] {
        let answer = house.request("GET", path).send().await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "no other site reads us");
        assert_eq!(answer.header("strict-transport-security"), "", "not without TLS");
    }
}
