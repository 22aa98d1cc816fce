//! Samples of a range: as one JSON page, streamed as NDJSON or CSV, or as a table (Arrow, Parquet).

mod cursor;
mod pieces;
mod stream;
mod table;

use super::accept;
use super::series::series_id;
use crate::ApiError;
use crate::core::Core;
use crate::params::{NUMBER_MAX, Params};
use crate::shapes::Page;
use crate::value::Sample;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use cursor::{Cursor, Progress};
use gemba_api::{History, HistoryError, TableFormat};
use gemba_model::DateTime;
use std::ops::ControlFlow;
use std::sync::Arc;
use stream::Format;

const PAGE_DEFAULT: usize = 1_000;
const PAGE_MAX: usize = 10_000;

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv";
const ARROW: &str = "application/vnd.apache.arrow.stream";
const PARQUET: &str = "application/vnd.apache.parquet";
const OFFERED: [&str; 5] = [JSON, NDJSON, CSV, ARROW, PARQUET];

/// A file of another format.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "it only stands in the description")]
pub(crate) struct File(String);

/// Samples of a range in time order; those of equal time in order of arrival.
///
/// As JSON one page. As NDJSON one sample a line, all of the range unless a limit is given; a stream that is
/// cut ends with a line `{"continuationToken":…}`. As CSV a cut one ends with `# continuationToken=…`.
/// As an Arrow stream or a Parquet file all of the range, or with a limit a page of it, whose header
/// Gemba-Continuation-Token is there when there are more; one that fails on the way is broken off.
/// With a continuationToken the range and the order are those of the first page.
#[utoipa::path(get, path = "/api/v1/series/{id}/samples", tag = "series",
    params(
        ("id" = u64, Path),
        ("from" = Option<String>, Query, description = "First instant; default the beginning."),
        ("to" = Option<String>, Query, description = "First instant after the range; default no end."),
        ("limit" = Option<u64>, Query, minimum = 1, description = "JSON: default 1000, at most 10000. Streams: default all. \
            Arrow and Parquet: default all, a page has at most 100000."),
        ("order" = Option<String>, Query, pattern = "^(asc|desc)?$", description = "asc (default) or desc."),
        ("continuationToken" = Option<String>, Query, description = "From the page or stream before."),
    ),
    responses((status = 200,
        content(
            (Page<Sample> = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/csv"),
            (File = "application/vnd.apache.arrow.stream"),
            (File = "application/vnd.apache.parquet"),
        ),
        headers(("Gemba-Continuation-Token" = String,
            description = "Arrow and Parquet with a limit: where to go on; not there when there is no more.")),
    )))]
pub(crate) async fn samples(
    State(core): State<Arc<Core>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, ApiError> {
    let cursor = cursor(series_id(&id)?, &params, core.clock.now())?;
    let format = match accept::choose(&headers, &OFFERED) {
        Some(NDJSON) => Format::Ndjson,
        Some(CSV) => Format::Csv,
        Some(media @ (ARROW | PARQUET)) => {
            let format = if media == ARROW { TableFormat::ArrowStream } else { TableFormat::Parquet };
            let limit = params.number("limit", 1..=NUMBER_MAX)?;
            let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX).min(table::PAGE_MAX));
            return table::respond(core, cursor, limit, format).await;
        }
        Some(_) => {
            let limit = params.limit(PAGE_DEFAULT, PAGE_MAX)?;
            let history = Arc::clone(&core.history);
            let page = core.reads.run(move || page(&*history, cursor, limit)).await?;
            return Ok(Json(page).into_response());
        }
        None => {
            return Err(ApiError::NotAcceptable {
                available: "application/json, application/x-ndjson, text/csv, \
                            application/vnd.apache.arrow.stream and application/vnd.apache.parquet",
            });
        }
    };
    let limit = params.number("limit", 1..=NUMBER_MAX)?;
    stream::respond(core, cursor, limit, format).await
}

fn cursor(series: u64, params: &Params, now: DateTime) -> Result<Cursor, ApiError> {
    if let Some(token) = params.text("continuationToken") {
        return Cursor::parse(token, series).ok_or(ApiError::InvalidContinuation);
    }
    let descending = match params.text("order") {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(_) => return Err(ApiError::invalid("order", "it is asc or desc")),
    };
    let from = params.time("from", now)?.unwrap_or(DateTime::from_ticks(i64::MIN));
    let to = params.time("to", now)?.unwrap_or(DateTime::from_ticks(i64::MAX));
    if from > to {
        return Err(ApiError::invalid("from", format!("{from} is after {to}, the value of to")));
    }
    Ok(Cursor::new(series, from, to, descending))
}

fn page(history: &dyn History, cursor: Cursor, limit: usize) -> Result<Page<Sample>, HistoryError> {
    let mut progress = Progress::new(cursor);
    let mut items = Vec::new();
    let mut more = false;
    history.samples(&cursor.query(), &mut |chunk| {
        for sample in chunk {
            if progress.is_old(&sample) {
                continue;
            }
            if items.len() == limit {
                more = true;
                return ControlFlow::Break(());
            }
            progress.pass(&sample);
            items.push(Sample::from(sample));
        }
        ControlFlow::Continue(())
    })?;
    Ok(Page { items, continuation_token: more.then(|| progress.token()) })
}
