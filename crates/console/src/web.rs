//! The embedded page: its files, and the shell for every path of its own.

use crate::ApiError;
use crate::core::Core;
use crate::guard::Peer;
use crate::headers::POLICY;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// One file of the page.
struct Asset {
    /// Path in the URL, such as `/assets/index-3f2a.js`.
    path: &'static str,
    content_type: &'static str,
    /// A strong ETag, in quotes.
    etag: &'static str,
    bytes: &'static [u8],
    /// The same, compressed, if the build made it.
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

const SHELL: &str = "/index.html";
/// Vite puts files here whose names have a hash of their content: they never change.
const HASHED: &str = "/assets/";
/// Stands in the shell where the nonce of the answer belongs.
const NONCE: &str = "__CSP_NONCE__";

/// Shown by a program that was built without the page.
const WITHOUT_PAGE: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Gemba</title></head>\
<body><h1>Gemba is running</h1><p>This program was built without its page. Build the page with \
<code>cargo x web</code>, then build the program again.</p><p>The REST API is complete without it: \
<a href=\"/openapi.json\">openapi.json</a>.</p></body></html>\n";

/// Everything that no route took.
pub(crate) async fn serve(State(core): State<Arc<Core>>, request: Request) -> Response {
    if let Err(error) = core.admit_unknown(Peer::of(request.extensions()), 1) {
        return error.into_response();
    }
    let path = request.uri().path();
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return not_found(path);
    }
    if let Some(asset) = ASSETS.iter().find(|asset| asset.path == path && path != SHELL) {
        return file(asset, request.headers());
    }
    // The page's own paths (`/trends`, `/series/7`) are the shell's; a missing script must stay missing.
    let navigates = accepts(request.headers(), header::ACCEPT, "text/html");
    if path == "/" || path == SHELL || (navigates && !path.starts_with("/api/") && !path.starts_with(HASHED))
    {
        return shell();
    }
    not_found(path)
}

fn not_found(path: &str) -> Response {
    ApiError::NotFound(format!("there is nothing at {}", crate::params::shorten(path))).into_response()
}

fn accepts(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|value| value.contains(word))
}

fn file(asset: &Asset, headers: &HeaderMap) -> Response {
    let cache =
        if asset.path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let fixed =
        [(header::ETAG, asset.etag), (header::CACHE_CONTROL, cache), (header::VARY, "accept-encoding")];
    if accepts(headers, header::IF_NONE_MATCH, asset.etag) {
        return (StatusCode::NOT_MODIFIED, fixed).into_response();
    }
    let content_type = [(header::CONTENT_TYPE, asset.content_type)];
    match asset.gzip.filter(|_| accepts(headers, header::ACCEPT_ENCODING, "gzip")) {
        Some(gzip) => (fixed, content_type, [(header::CONTENT_ENCODING, "gzip")], Bytes::from_static(gzip))
            .into_response(),
        None => (fixed, content_type, Bytes::from_static(asset.bytes)).into_response(),
    }
}

/// The shell is not cached: each answer has its own nonce.
fn shell() -> Response {
    let asset = ASSETS.iter().find(|asset| asset.path == SHELL);
    page(&asset.map_or(WITHOUT_PAGE.into(), |asset| String::from_utf8_lossy(asset.bytes)))
}

fn page(text: &str) -> Response {
    let (text, style) = if text.contains(NONCE) {
        let nonce = gemba_base::random::hex::<16>();
        (text.replace(NONCE, &nonce), format!("style-src 'self' 'nonce-{nonce}'"))
    } else {
        (text.to_owned(), "style-src 'self' 'unsafe-inline'".to_owned())
    };
    let policy = POLICY.replace("style-src 'self'", &style);
    let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(POLICY));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;

    const SCRIPT: Asset = Asset {
        path: "/assets/index-1a2b.js",
        content_type: "text/javascript; charset=utf-8",
        etag: "\"1a2b-5\"",
        bytes: b"plain",
        gzip: Some(b"gzipped"),
    };

    fn get(asset: &Asset, header: (header::HeaderName, &'static str)) -> Response {
        file(asset, &HeaderMap::from_iter([(header.0, HeaderValue::from_static(header.1))]))
    }

    fn shown<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response.headers().get(name)?.to_str().ok()
    }

    async fn body(response: Response) -> Bytes {
        to_bytes(response.into_body(), 1 << 20).await.expect("a body")
    }

    #[tokio::test]
    async fn files_are_compressed_for_those_who_accept_it() {
        let plain = get(&SCRIPT, (header::ACCEPT_ENCODING, "br"));
        assert_eq!(shown(&plain, "content-encoding"), None);
        assert_eq!(body(plain).await, "plain");
        let gzip = get(&SCRIPT, (header::ACCEPT_ENCODING, "br, gzip;q=0.9"));
        assert_eq!(shown(&gzip, "content-encoding"), Some("gzip"));
        assert_eq!(shown(&gzip, "content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(shown(&gzip, "vary"), Some("accept-encoding"));
        assert_eq!(body(gzip).await, "gzipped");
    }

    #[test]
    fn hashed_names_are_kept_for_ever_and_others_are_asked_for_again() {
        let none = (header::ACCEPT, "*/*");
        let hashed = get(&SCRIPT, none.clone());
        assert_eq!(shown(&hashed, "cache-control"), Some("public, max-age=31536000, immutable"));
        let other = get(&Asset { path: "/favicon.svg", ..SCRIPT }, none);
        assert_eq!(shown(&other, "cache-control"), Some("no-cache"));
        assert_eq!(shown(&other, "etag"), Some("\"1a2b-5\""));
        assert_eq!(get(&SCRIPT, (header::IF_NONE_MATCH, "W/\"x\", \"1a2b-5\"")).status(), 304);
        assert_eq!(get(&SCRIPT, (header::IF_NONE_MATCH, "\"other\"")).status(), 200);
    }

    #[tokio::test]
    async fn each_answer_has_a_nonce_of_its_own_in_policy_and_page() {
        let first = page("<meta content=\"__CSP_NONCE__\"><style nonce=\"__CSP_NONCE__\">");
        let policy = shown(&first, "content-security-policy").unwrap_or_default().to_owned();
        let nonce =
            policy.split_once("'nonce-").and_then(|(_, rest)| rest.split_once('\'')).expect("a nonce").0;
        assert_eq!(nonce.len(), 32);
        assert!(!policy.contains("unsafe"), "{policy}");
        let text = format!("<meta content=\"{nonce}\"><style nonce=\"{nonce}\">");
        assert_eq!(body(first).await, text);
        let second = page("__CSP_NONCE__");
        assert!(!shown(&second, "content-security-policy").unwrap_or_default().contains(nonce));
    }
}
