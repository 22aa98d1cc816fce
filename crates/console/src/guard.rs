//! What stands before every handler: bounds, names, proof of identity, role, forgery, parameters.

use crate::access::Access;
use crate::auth::principal::{Principal, Via};
use crate::auth::{secrets, sessions, tokens};
use crate::core::{Core, Transport};
use crate::params::{Params, shorten};
use crate::{ApiError, headers};
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use gemba_api::rest::Role;
use gemba_base::secret::equal_in_constant_time;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// A handler has so long to begin its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The cookie over TLS: browsers take a `__Host-` cookie only from this host itself, over TLS.
const COOKIE_TLS: &str = "__Host-gemba_session";
const COOKIE_LOOPBACK: &str = "gemba_session";

/// The session cookie's name.
pub(crate) const fn cookie_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Tls => COOKIE_TLS,
        Transport::Loopback => COOKIE_LOOPBACK,
    }
}

/// Bounds of all requests: the names that reach us, and time. Counts the answers.
pub(crate) async fn bound(
    State((core, transport)): State<(Arc<Core>, Transport)>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(transport);
    let response = match check_host(&core, transport, request.headers()) {
        Ok(()) => match tokio::time::timeout(ANSWER_TIMEOUT, next.run(request)).await {
            Ok(response) => response,
            Err(_) => ApiError::TimedOut(ANSWER_TIMEOUT).into_response(),
        },
        Err(error) => error.into_response(),
    };
    let class = match response.status().as_u16() {
        ..400 => "ok",
        400..500 => "refused",
        _ => "failed",
    };
    core.metrics
        .counter("gemba_console_requests_total", "Requests answered by the console.", &[("result", class)])
        .add(1);
    response
}

/// Without TLS a foreign name can be made to point here (DNS rebinding), and its page would be of our origin.
fn check_host(core: &Core, transport: Transport, headers: &HeaderMap) -> Result<(), ApiError> {
    if transport == Transport::Tls {
        return Ok(());
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host_name(host);
    let known = ["localhost", "127.0.0.1", "[::1]"].into_iter().chain(core.hosts.iter().map(String::as_str));
    if known.into_iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    Err(ApiError::UnknownHost(shorten(host)))
}

/// A Host header without its port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Lets a request pass to its handler if the table says so. [`Principal`] and [`Params`] go with it.
pub(crate) async fn admit(
    State(core): State<Arc<Core>>,
    path: MatchedPath,
    mut request: Request,
    next: Next,
) -> Response {
    match check(&core, path.as_str(), &mut request).await {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

async fn check(core: &Core, path: &str, request: &mut Request) -> Result<(), ApiError> {
    let method = request.method().clone();
    let Some(route) = core.access.route(&method, path) else {
        return Err(ApiError::MethodNotAllowed(method.to_string()));
    };
    check_origin(&method, request.headers())?;
    let peer = Peer::of(request.extensions());
    match route.access {
        Access::Open if is_safe(&method) => core.admit_unknown(peer, cost(path))?,
        // The open routes that change something are the ways in.
        Access::Open => core.rates.entry(peer.0, core.clock.monotonic())?,
        Access::Role(needed) => admit_known(core, needed, peer, request).await?,
    }
    let params = Params::parse(request.uri(), &route.query)?;
    request.extensions_mut().insert(params);
    Ok(())
}

/// What an open route costs beside a health check.
fn cost(path: &str) -> u32 {
    // It is large, and compressed for each client.
    if path == "/openapi.json" { 20 } else { 1 }
}

async fn admit_known(core: &Core, needed: Role, peer: Peer, request: &mut Request) -> Result<(), ApiError> {
    let method = request.method().clone();
    let transport = request.extensions().get::<Transport>().copied().unwrap_or(Transport::Tls);
    let principal = authenticate(core, transport, peer, request.headers()).await?;
    if principal.role < needed {
        return Err(ApiError::RoleTooLow { actor: principal.name, has: principal.role, needed });
    }
    check_csrf(&method, request.headers(), &principal)?;
    request.extensions_mut().insert(principal);
    Ok(())
}

async fn authenticate(
    core: &Core,
    transport: Transport,
    peer: Peer,
    headers: &HeaderMap,
) -> Result<Principal, ApiError> {
    if let Some(authorization) = headers.get(header::AUTHORIZATION) {
        let text = authorization.to_str().unwrap_or_default();
        let token = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let token = token.map(|(_, token)| token.trim().to_owned()).unwrap_or_default();
        let proof = admit_proof(core, peer, &token)?;
        let find =
            core.accounts.with_docs(move |docs, clock| tokens::authenticate(docs, &token, clock.now()));
        let found = decided(core, peer, &proof, find.await?);
        return found.ok_or(ApiError::NotAuthenticated("the bearer token is not valid"));
    }
    let Some(id) = headers::cookie(headers, cookie_name(transport)) else {
        core.admit_unknown(peer, 1)?;
        return Err(ApiError::NotAuthenticated("log in, or send a bearer token"));
    };
    let id = id.to_owned();
    let proof = admit_proof(core, peer, &id)?;
    let find = core.accounts.with_docs(move |docs, clock| sessions::authenticate(docs, &id, clock.now()));
    decided(core, peer, &proof, find.await?)
        .ok_or(ApiError::NotAuthenticated("the session has ended; log in again"))
}

/// Lets a credential be looked up, unless its address sent too many wrong ones.
fn admit_proof(core: &Core, peer: Peer, credential: &str) -> Result<Proof, ApiError> {
    let hash = secrets::hash(credential);
    let counts = core.rates.proof(peer.0, &hash, core.clock.monotonic())?;
    Ok(Proof { hash, counts })
}

/// A credential that is being looked up.
struct Proof {
    hash: String,
    /// Whether it counts as wrong until it is found right.
    counts: bool,
}

fn decided(core: &Core, peer: Peer, proof: &Proof, found: Option<Principal>) -> Option<Principal> {
    match found {
        Some(_) => core.rates.right(peer.0, &proof.hash, proof.counts),
        None => core.rates.wrong(&proof.hash),
    }
    found
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// A browser names the page that sends an unsafe request; it must be ours. Programs send no Origin.
fn check_origin(method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(origin) = headers.get(header::ORIGIN).filter(|_| !is_safe(method)) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let ours = origin.split_once("://").is_some_and(|(_, name)| name.eq_ignore_ascii_case(host));
    if ours { Ok(()) } else { Err(ApiError::ForeignOrigin(shorten(origin))) }
}

fn check_csrf(method: &Method, headers: &HeaderMap, principal: &Principal) -> Result<(), ApiError> {
    let Via::Session { csrf, .. } = &principal.via else { return Ok(()) };
    if is_safe(method) {
        return Ok(());
    }
    let shown = headers.get("x-csrf-token").map(|value| value.as_bytes()).unwrap_or_default();
    if equal_in_constant_time(shown, csrf.as_bytes()) { Ok(()) } else { Err(ApiError::Csrf) }
}

pub(crate) async fn method_not_allowed(
    State(core): State<Arc<Core>>,
    peer: Peer,
    method: Method,
) -> ApiError {
    match core.admit_unknown(peer, 1) {
        Ok(()) => ApiError::MethodNotAllowed(method.to_string()),
        Err(error) => error,
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or(ApiError::NotAuthenticated("log in"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.remove::<Self>().ok_or(ApiError::Internal("parameters"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Transport {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().copied().ok_or(ApiError::Internal("transport"))
    }
}

/// The address of the client, if whoever serves the router tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) Option<IpAddr>);

impl Peer {
    pub(crate) fn of(extensions: &Extensions) -> Self {
        Self(extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.extensions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_header_has_a_name_and_perhaps_a_port() {
        for (host, name) in [
            ("localhost:8080", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]:8080", "[::1]"),
            ("[::1]", "[::1]"),
            ("evil.example:x", "evil.example:x"),
        ] {
            assert_eq!(host_name(host), name);
        }
    }
}
