//! The embedded page: its files, and the shell for every path of its own.

use crate::ApiError;
use crate::core::Core;
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
pub(crate) async fn serve(State(_core): State<Arc<Core>>, request: Request) -> Response {
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
    let text = asset.map_or(WITHOUT_PAGE.into(), |asset| String::from_utf8_lossy(asset.bytes));
    let (text, style) = if text.contains(NONCE) {
        let nonce = gemba_base::random::hex::<16>();
        (text.replace(NONCE, &nonce), format!("style-src 'self' 'nonce-{nonce}'"))
    } else {
        (text.into_owned(), "style-src 'self' 'unsafe-inline'".to_owned())
    };
    let policy = POLICY.replace("style-src 'self'", &style);
    let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(POLICY));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    (headers, text).into_response()
}
