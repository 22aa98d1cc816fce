//! Series, their newest sample, their aggregates.

use crate::ApiError;
use crate::core::Core;
use crate::params::{Params, shorten};
use crate::shapes::{Buckets, Page, Series};
use crate::value::Sample;
use axum::Json;
use axum::extract::{Path, State};
use std::sync::Arc;
use std::time::Duration;

const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1_000;
const BUCKETS_DEFAULT: u64 = 500;
const BUCKETS_MAX: u64 = 10_000;
/// What is shown when no range is asked for.
const RANGE_DEFAULT: Duration = Duration::from_secs(3_600);

/// A series' id as it stands in a path.
pub(super) fn series_id(text: &str) -> Result<u64, ApiError> {
    text.parse()
        .map_err(|_| ApiError::invalid("id", format!("'{}' is not the id of a series", shorten(text))))
}

/// Series whose name, node or source contains every word of the search, by id.
#[utoipa::path(get, path = "/api/v1/series", tag = "series",
    params(
        ("search" = Option<String>, Query, description = "Words that must all occur; case ignored."),
        ("limit" = Option<u64>, Query, minimum = 1, description = "Size of a page; default 100, at most 1000."),
        ("continuationToken" = Option<String>, Query, description = "From the page before."),
    ),
    responses((status = 200, body = Page<Series>)))]
pub(crate) async fn list_series(
    State(core): State<Arc<Core>>,
    params: Params,
) -> Result<Json<Page<Series>>, ApiError> {
    let limit = params.limit(PAGE_DEFAULT, PAGE_MAX)?;
    let search = params.text("search").unwrap_or_default().to_owned();
    let continuation = params.text("continuationToken").map(str::to_owned);
    let history = Arc::clone(&core.history);
    let page = core.reads.run(move || history.series(&search, limit, continuation.as_deref())).await?;
    let items = page.items.into_iter().map(Series::from).collect();
    Ok(Json(Page { items, continuation_token: page.continuation }))
}

/// One series.
#[utoipa::path(get, path = "/api/v1/series/{id}", tag = "series",
    params(("id" = u64, Path)), responses((status = 200, body = Series)))]
pub(crate) async fn series(
    State(core): State<Arc<Core>>,
    Path(id): Path<String>,
) -> Result<Json<Series>, ApiError> {
    let id = series_id(&id)?;
    let history = Arc::clone(&core.history);
    Ok(Json(core.reads.run(move || history.series_by_id(id)).await?.into()))
}

/// The newest sample of a series.
#[utoipa::path(get, path = "/api/v1/series/{id}/last", tag = "series",
    params(("id" = u64, Path)), responses((status = 200, body = Sample)))]
pub(crate) async fn last_sample(
    State(core): State<Arc<Core>>,
    Path(id): Path<String>,
) -> Result<Json<Sample>, ApiError> {
    let id = series_id(&id)?;
    let history = Arc::clone(&core.history);
    let find = move || match history.last(&[id]).pop().flatten() {
        Some(sample) => Ok(sample),
        // Told apart from a series that does not exist.
        None => Err(history.series_by_id(id).map_or_else(ApiError::from, |_| ApiError::NoValue(id))),
    };
    Ok(Json(core.reads.run(find).await?.into()))
}

/// Aggregates of intervals of equal width. Numbers are of Good and Uncertain samples only; an interval
/// without samples has count 0.
#[utoipa::path(get, path = "/api/v1/series/{id}/buckets", tag = "series",
    params(
        ("id" = u64, Path),
        ("from" = Option<String>, Query, description = "First instant; default an hour before to."),
        ("to" = Option<String>, Query, description = "First instant after the range; default now."),
        ("count" = Option<u64>, Query, minimum = 1, maximum = 10000, description = "Intervals, 1 to 10000; default 500."),
    ),
    responses((status = 200, body = Buckets)))]
pub(crate) async fn buckets(
    State(core): State<Arc<Core>>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Buckets>, ApiError> {
    let id = series_id(&id)?;
    let now = core.clock.now();
    let to = params.time("to", now)?.unwrap_or(now);
    let from = params.time("from", now)?.unwrap_or_else(|| to.saturating_sub(RANGE_DEFAULT));
    if from >= to {
        return Err(ApiError::invalid("from", format!("{from} is not before {to}, the value of to")));
    }
    let count = params.number("count", 1..=BUCKETS_MAX)?.unwrap_or(BUCKETS_DEFAULT);
    let count = u32::try_from(count).unwrap_or(1);
    let history = Arc::clone(&core.history);
    let buckets = core.reads.run(move || history.buckets(id, from, to, count)).await?;
    Ok(Json(Buckets { from, to, items: buckets.into_iter().map(Into::into).collect() }))
}
