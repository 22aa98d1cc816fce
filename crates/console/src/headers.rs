//! Headers of every answer, and the cookie.

use crate::core::Transport;
use crate::guard::cookie_name;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use gemba_base::Secret;

/// Nothing from elsewhere, nobody frames us. Styles are named by their nonce where the page has one.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const ALWAYS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Adds what every answer has. What an answer set itself stays.
pub(crate) async fn protect(transport: Transport, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // Answers are of the moment and of the user; only the page's files say otherwise.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if transport == Transport::Tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    pairs
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Sets the session cookie, or with `None` deletes it.
pub(crate) fn set_cookie(transport: Transport, id: Option<&Secret>, seconds_max: u64) -> HeaderValue {
    let secure = if transport == Transport::Tls { "; Secure" } else { "" };
    let (value, age) = id.map_or(("", 0), |id| (id.reveal(), seconds_max));
    let name = cookie_name(transport);
    let text = format!("{name}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={age}{secure}");
    let mut header = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    header.set_sensitive(true);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_not_by_a_longer_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; xgemba_session=2"));
        headers.append(header::COOKIE, HeaderValue::from_static("gemba_session=3;b=4"));
        assert_eq!(cookie(&headers, "gemba_session"), Some("3"));
        assert_eq!(cookie(&headers, "gemba"), None);
    }

    #[test]
    fn cookies_are_for_this_origin_alone() {
        let id = Secret::new("ab");
        let text = |transport| set_cookie(transport, Some(&id), 60).to_str().map(str::to_owned).ok();
        assert_eq!(
            text(Transport::Tls).as_deref(),
            Some("__Host-gemba_session=ab; HttpOnly; SameSite=Strict; Path=/; Max-Age=60; Secure")
        );
        assert_eq!(
            text(Transport::Loopback).as_deref(),
            Some("gemba_session=ab; HttpOnly; SameSite=Strict; Path=/; Max-Age=60")
        );
    }
}
