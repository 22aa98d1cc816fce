//! The handlers, and the router that collects them with their description.

mod accept;
mod accounts;
mod completeness;
mod json_body;
mod samples;
mod series;
mod session;
mod system;

use crate::core::Core;
use crate::{live, openapi};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Every route of the console except the page.
pub(crate) fn all() -> OpenApiRouter<Arc<Core>> {
    OpenApiRouter::with_openapi(openapi::empty())
        .routes(routes!(system::healthz))
        .routes(routes!(system::readyz))
        .routes(routes!(system::metrics))
        .routes(routes!(system::openapi))
        .routes(routes!(system::system))
        .routes(routes!(system::flow))
        .routes(routes!(session::first_start_state, session::first_start))
        .routes(routes!(session::log_in, session::session, session::log_out))
        .routes(routes!(session::change_password))
        .routes(routes!(accounts::users, accounts::create_user))
        .routes(routes!(accounts::change_user, accounts::delete_user))
        .routes(routes!(accounts::tokens, accounts::create_token))
        .routes(routes!(accounts::delete_token))
        .routes(routes!(series::list_series))
        .routes(routes!(series::series))
        .routes(routes!(series::last_sample))
        .routes(routes!(series::buckets))
        .routes(routes!(samples::samples))
        .routes(routes!(completeness::gaps))
        .routes(routes!(completeness::completeness))
        .routes(routes!(live::live))
}
