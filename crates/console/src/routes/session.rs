//! Log-in, log-out, the first start.

use super::json_body::JsonBody;
use crate::ApiError;
use crate::auth::principal::{Principal, Via};
use crate::auth::users::{self, User};
use crate::auth::{first_start as start, password, sessions};
use crate::core::{Core, Transport};
use crate::guard::Peer;
use crate::headers::set_cookie;
use crate::shapes::{FirstStartRequest, FirstStartState, LogIn, PasswordChange, SessionInfo};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use gemba_api::rest::Role;
use gemba_base::Secret;
use std::sync::Arc;

fn with_cookie(
    core: &Core,
    status: StatusCode,
    transport: Transport,
    (id, principal): (Secret, Principal),
) -> Response {
    let cookie = set_cookie(transport, Some(&id), sessions::AGE_MAX.as_secs());
    (status, [(header::SET_COOKIE, cookie)], Json(SessionInfo::new(principal, core.time_zone.clone())))
        .into_response()
}

/// Whether an administrator is still to be made with the one-time link.
#[utoipa::path(get, path = "/api/v1/first-start", tag = "session",
    responses((status = 200, body = FirstStartState)))]
pub(crate) async fn first_start_state(
    State(core): State<Arc<Core>>,
) -> Result<Json<FirstStartState>, ApiError> {
    let open = core.accounts.with_docs(|docs, _| start::is_open(docs)).await?;
    Ok(Json(FirstStartState { open }))
}

/// Makes the administrator with the one-time link, once, and logs in.
#[utoipa::path(post, path = "/api/v1/first-start", tag = "session", request_body = FirstStartRequest,
    responses((status = 201, body = SessionInfo)))]
pub(crate) async fn first_start(
    State(core): State<Arc<Core>>,
    transport: Transport,
    Peer(address): Peer,
    JsonBody(body): JsonBody<FirstStartRequest>,
) -> Result<Response, ApiError> {
    users::key(&body.user)?;
    password::check_length(&body.password)?;
    let attempt = core.accounts.attempt(address, "first-start link")?;
    let token = body.token.clone();
    // Before the costly hash of the password: without the link nothing is worked for.
    if !core.accounts.with_docs(move |docs, _| start::is_valid(docs, token.reveal())).await? {
        return Err(ApiError::FirstStart);
    }
    let hash = core.accounts.passwords.hash(body.password).await?;
    let session = core.accounts.with_docs(move |docs, clock| {
        let admin = User::new(&body.user, Role::Admin, hash, clock.now());
        start::take(docs, body.token.reveal(), &admin)?;
        sessions::create(docs, &admin, clock.now())
    });
    let session = session.await?;
    attempt.succeeded();
    tracing::info!(user = %session.1.name, "the administrator was made with the first-start link");
    Ok(with_cookie(&core, StatusCode::CREATED, transport, session))
}

/// Logs in and sets the session cookie.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = LogIn,
    responses((status = 200, body = SessionInfo)))]
pub(crate) async fn log_in(
    State(core): State<Arc<Core>>,
    transport: Transport,
    Peer(address): Peer,
    JsonBody(body): JsonBody<LogIn>,
) -> Result<Response, ApiError> {
    let attempt = core.accounts.attempt(address, &body.user)?;
    let name = body.user.clone();
    let user = core.accounts.with_docs(move |docs, _| users::find(docs, &name)).await?.map(|(user, _)| user);
    let stored = user.as_ref().map(|user| user.password_hash.clone());
    let right = match core.accounts.passwords.verify(body.password, stored).await {
        Ok(right) => right,
        Err(error) => {
            attempt.undecided();
            return Err(error);
        }
    };
    // A disabled user learns nothing about the password.
    let Some(user) = user.filter(|user| right && !user.disabled) else {
        let failures = "gemba_console_log_in_failures_total";
        core.metrics.counter(failures, "Log-ins with a wrong user or password.", &[]).add(1);
        let address = address.map(|address| address.to_string()).unwrap_or_default();
        tracing::warn!(user = ?crate::params::shorten(&body.user), address, "log-in failed");
        return Err(ApiError::WrongCredentials);
    };
    attempt.succeeded();
    let session = core.accounts.with_docs(move |docs, clock| sessions::create(docs, &user, clock.now()));
    Ok(with_cookie(&core, StatusCode::OK, transport, session.await?))
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/v1/session", tag = "session", responses((status = 200, body = SessionInfo)))]
pub(crate) async fn session(State(core): State<Arc<Core>>, principal: Principal) -> Json<SessionInfo> {
    Json(SessionInfo::new(principal, core.time_zone.clone()))
}

/// Logs out. With a bearer token it does nothing.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses((status = 204)))]
pub(crate) async fn log_out(
    State(core): State<Arc<Core>>,
    transport: Transport,
    principal: Principal,
) -> Result<Response, ApiError> {
    if let Via::Session { key, .. } = principal.via {
        core.accounts.with_docs(move |docs, _| sessions::end(docs, &key, &principal.name)).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, set_cookie(transport, None, 0))]).into_response())
}

/// Changes one's own password. The user's other sessions end.
#[utoipa::path(put, path = "/api/v1/session/password", tag = "session", request_body = PasswordChange,
    responses((status = 204)))]
pub(crate) async fn change_password(
    State(core): State<Arc<Core>>,
    Peer(address): Peer,
    principal: Principal,
    JsonBody(body): JsonBody<PasswordChange>,
) -> Result<StatusCode, ApiError> {
    let Via::Session { key, .. } = principal.via else {
        return Err(ApiError::Conflict("a token has no password; log in".to_owned()));
    };
    password::check_length(&body.new)?;
    // A stolen session must not be a way to guess the password.
    let attempt = core.accounts.attempt(address, &principal.name)?;
    let name = principal.name.clone();
    let user = core.accounts.with_docs(move |docs, _| users::find(docs, &name)).await?;
    let stored = user.map(|(user, _)| user.password_hash);
    match core.accounts.passwords.verify(body.current, stored).await {
        Ok(true) => attempt.succeeded(),
        Ok(false) => return Err(ApiError::invalid("current", "it is not the current password")),
        Err(error) => {
            attempt.undecided();
            return Err(error);
        }
    }
    let hash = core.accounts.passwords.hash(body.new).await?;
    let name = principal.name;
    core.accounts.with_docs(move |docs, _| sessions::change_password(docs, &key, &name, hash)).await?;
    Ok(StatusCode::NO_CONTENT)
}
