//! What is missing, and the counts that prove that nothing else is.

use crate::ApiError;
use crate::core::Core;
use crate::params::{NUMBER_MAX, Params};
use crate::shapes::{Gap, List, Page};
use axum::Json;
use axum::extract::State;
use gemba_api::{GapQuery, WriterCompleteness};
use std::sync::Arc;

const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1_000;

/// Gaps, newest first.
#[utoipa::path(get, path = "/api/v1/gaps", tag = "completeness",
    params(
        ("series" = Option<u64>, Query, description = "Of this series only."),
        ("from" = Option<String>, Query, description = "That end after this."),
        ("to" = Option<String>, Query, description = "That begin before this."),
        ("limit" = Option<u64>, Query, minimum = 1, description = "Size of a page; default 100, at most 1000."),
        ("continuationToken" = Option<String>, Query, description = "From the page before."),
    ),
    responses((status = 200, body = Page<Gap>)))]
pub(crate) async fn gaps(State(core): State<Arc<Core>>, params: Params) -> Result<Json<Page<Gap>>, ApiError> {
    let now = core.clock.now();
    let query = GapQuery {
        series: params.number("series", 0..=NUMBER_MAX)?,
        from: params.time("from", now)?,
        to: params.time("to", now)?,
        limit: params.limit(PAGE_DEFAULT, PAGE_MAX)?,
        continuation: params.text("continuationToken").map(str::to_owned),
    };
    let ledger = Arc::clone(&core.ledger);
    let page = core.reads.run(move || ledger.gaps(&query)).await?;
    let items = page.items.into_iter().map(Gap::from).collect();
    Ok(Json(Page { items, continuation_token: page.continuation }))
}

/// Counts of every producer's epochs, accounted by message sequence numbers.
#[utoipa::path(get, path = "/api/v1/completeness", tag = "completeness",
    responses((status = 200, body = List<WriterCompleteness>)))]
pub(crate) async fn completeness(
    State(core): State<Arc<Core>>,
    _: Params,
) -> Result<Json<List<WriterCompleteness>>, ApiError> {
    let ledger = Arc::clone(&core.ledger);
    let items = core.reads.run(move || Ok::<_, ApiError>(ledger.completeness())).await?;
    Ok(Json(List { items }))
}
