//! Samples as an Arrow stream or a Parquet file: all of a range in pieces, or a page whole.
//!
//! The formats have no place for "this is not all": what is cut says so in a header, before the first byte, and what
//! fails on the way breaks the connection off.

use super::cursor::{Cursor, Progress};
use super::pieces::{self, PIECE_BYTES, Part, Pieces};
use super::{ARROW, PARQUET};
use crate::ApiError;
use crate::core::Core;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use gemba_api::{History, HistoryError, TableFormat};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Samples in a page at most.
pub(super) const PAGE_MAX: usize = 100_000;
/// Bytes after which a page ends: it is made whole before its first byte is sent.
const PAGE_BYTES: usize = 8 << 20;
/// Where to go on after a page that is not the last.
pub(super) const CONTINUATION: &str = "gemba-continuation-token";

/// Answers with all of the range, or with a page of it.
pub(super) async fn respond(
    core: Arc<Core>,
    cursor: Cursor,
    limit: Option<usize>,
    format: TableFormat,
) -> Result<Response, ApiError> {
    let mut response = match limit {
        None => pieces::respond(core, media(format), move |pieces| stream(pieces, cursor, format)).await?,
        Some(limit) => {
            let history = Arc::clone(&core.history);
            let (bytes, token) = core.exports.run(move || page(&*history, cursor, limit, format)).await?;
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media(format)));
            if let Some(token) = token.and_then(|token| HeaderValue::try_from(token).ok()) {
                headers.insert(CONTINUATION, token);
            }
            (headers, bytes).into_response()
        }
    };
    let ending = if format == TableFormat::Parquet { "parquet" } else { "arrows" };
    let name = format!("attachment; filename=\"series-{}.{ending}\"", cursor.query().series);
    if let Ok(name) = HeaderValue::try_from(name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

const fn media(format: TableFormat) -> &'static str {
    match format {
        TableFormat::ArrowStream => ARROW,
        TableFormat::Parquet => PARQUET,
    }
}

/// A page and the token of the next.
fn page(
    history: &dyn History,
    cursor: Cursor,
    limit: usize,
    format: TableFormat,
) -> Result<(Vec<u8>, Option<String>), HistoryError> {
    let mut table = history.table(format, &cursor.query())?;
    let mut progress = Progress::new(cursor);
    let (mut bytes, mut left, mut more) = (Vec::new(), limit, false);
    let mut failed = Ok(());
    history.samples(&cursor.query(), &mut |mut chunk| {
        chunk.retain(|sample| !progress.is_old(sample));
        more = chunk.len() > left || (bytes.len() >= PAGE_BYTES && !chunk.is_empty());
        chunk.truncate(if bytes.len() >= PAGE_BYTES { 0 } else { left });
        left -= chunk.len();
        chunk.iter().for_each(|sample| progress.pass(sample));
        failed = table.push(&chunk);
        bytes.append(&mut table.take());
        if more || failed.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    failed?;
    bytes.append(&mut table.finish()?);
    Ok((bytes, more.then(|| progress.token())))
}

/// Why a stream ends early.
enum End {
    /// Nobody takes it any more.
    Gone,
    Failed(ApiError),
}

impl From<ApiError> for End {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

impl From<HistoryError> for End {
    fn from(error: HistoryError) -> Self {
        Self::Failed(error.into())
    }
}

fn stream(mut pieces: Pieces, cursor: Cursor, format: TableFormat) {
    match send(&mut pieces, cursor, format) {
        Ok(()) => pieces.finish(Part::End),
        Err(End::Gone) => {}
        Err(End::Failed(error)) if !pieces.sent => pieces.finish(Part::Refused(error)),
        // Without its end the body is broken off, and no reader takes it for a whole one.
        Err(End::Failed(error)) => tracing::warn!(code = %error.code(), %error, "an export was broken off"),
    }
}

fn send(pieces: &mut Pieces, cursor: Cursor, format: TableFormat) -> Result<(), End> {
    let history = Arc::clone(&pieces.core.history);
    let mut table = history.table(format, &cursor.query())?;
    let mut progress = Progress::new(cursor);
    let mut ready = Vec::new();
    let mut end = Ok(());
    history.samples(&cursor.query(), &mut |mut chunk| {
        chunk.retain(|sample| !progress.is_old(sample));
        end = table.push(&chunk).map_err(End::from).and_then(|()| {
            ready.append(&mut table.take());
            if ready.len() >= PIECE_BYTES {
                hand_over(pieces, std::mem::take(&mut ready))?;
            }
            if pieces.core.tasks.is_stopping() {
                return Err(ApiError::NotReady("the console is stopping".to_owned()).into());
            }
            Ok(())
        });
        if end.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    end?;
    ready.append(&mut table.finish()?);
    hand_over(pieces, ready)
}

/// Sends bytes in pieces, so that few wait for a slow client however large a record batch is.
fn hand_over(pieces: &mut Pieces, bytes: Vec<u8>) -> Result<(), End> {
    let mut bytes = Bytes::from(bytes);
    while !bytes.is_empty() {
        let piece = bytes.split_to(PIECE_BYTES.min(bytes.len()));
        if pieces.piece(piece).is_break() {
            return Err(End::Gone);
        }
    }
    Ok(())
}
