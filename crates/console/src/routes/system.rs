//! Health, metrics, the API's description, the flow.

use crate::core::Core;
use crate::params::Params;
use crate::shapes::{Flow, System};
use crate::{ApiError, openapi};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use std::sync::Arc;

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "system",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn healthz() -> &'static str {
    "ok"
}

/// Whether the process is ready; 503 with the reason until then.
#[utoipa::path(get, path = "/readyz", tag = "system",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn readyz(State(core): State<Arc<Core>>) -> Result<&'static str, ApiError> {
    (core.ready)().map(|()| "ready").map_err(ApiError::NotReady)
}

/// Counters and gauges in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "system",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(core): State<Arc<Core>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], core.metrics.text())
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "system",
    responses((status = 200, body = Object)))]
pub(crate) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], openapi::served())
}

/// What runs here.
#[utoipa::path(get, path = "/api/v1/system", tag = "system", responses((status = 200, body = System)))]
pub(crate) async fn system(State(core): State<Arc<Core>>) -> Json<System> {
    Json(System { version: core.version.clone(), started_at: core.started, now: core.clock.now() })
}

/// How it flows: counters, rates and an hour of history of each stage, and what needs a person.
#[utoipa::path(get, path = "/api/v1/flow", tag = "flow", responses((status = 200, body = Flow)))]
pub(crate) async fn flow(State(core): State<Arc<Core>>, _: Params) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], core.board.json())
}
