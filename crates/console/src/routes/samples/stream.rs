//! Streams of samples: a blocking thread reads, a bounded channel waits for the client.

use super::cursor::{Cursor, Progress};
use crate::ApiError;
use crate::core::Core;
use crate::value::{CSV_HEADER, Sample, write_csv};
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use gemba_api::StoredSample;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Text is handed to the client in pieces of about this size.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces that wait for a slow client; then reading waits.
const PIECES_WAITING: usize = 4;
/// A client that takes nothing for so long is given up: it holds a thread.
const STALL_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Ndjson,
    Csv,
}

impl Format {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => super::NDJSON,
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

enum Part {
    Piece(Bytes),
    /// The stream is whole; one that ends without this was broken and the connection must show it.
    End,
    /// Nothing was sent before it.
    Refused(ApiError),
}

/// Begins the stream. What fails before the first piece is a problem with its status.
pub(super) async fn respond(
    core: Arc<Core>,
    cursor: Cursor,
    limit: Option<u64>,
    format: Format,
) -> Result<Response, ApiError> {
    let place = core.exports.place().await?;
    let (sender, mut receiver) = mpsc::channel(PIECES_WAITING);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let _place = place;
        Writer { core, format, sender, runtime, text: String::new(), sent: false }.run(cursor, limit);
    });
    let first = match receiver.recv().await {
        Some(Part::Refused(error)) => return Err(error),
        Some(part) => part,
        None => return Err(ApiError::Internal("a stream ended before it began")),
    };
    let pieces = stream::unfold((Some(first), receiver), |(first, mut receiver)| async move {
        let part = match first {
            Some(part) => Some(part),
            None => receiver.recv().await,
        };
        match part {
            Some(Part::Piece(bytes)) => Some((Ok(bytes), (None, receiver))),
            Some(Part::End) => None,
            Some(Part::Refused(_)) | None => {
                receiver.close();
                Some((Err(std::io::Error::other("the stream was broken off")), (Some(Part::End), receiver)))
            }
        }
    });
    let headers = [(header::CONTENT_TYPE, format.content_type())];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

struct Writer {
    core: Arc<Core>,
    format: Format,
    sender: mpsc::Sender<Part>,
    runtime: Handle,
    text: String,
    sent: bool,
}

impl Writer {
    fn run(mut self, cursor: Cursor, limit: Option<u64>) {
        if self.format == Format::Csv {
            self.text.push_str(CSV_HEADER);
        }
        let history = Arc::clone(&self.core.history);
        let mut progress = Progress::new(cursor);
        let mut left = limit.unwrap_or(u64::MAX);
        let mut cut = false;
        let mut gone = false;
        let result = history.samples(&cursor.query(), &mut |chunk| {
            for sample in chunk {
                if progress.is_old(&sample) {
                    continue;
                }
                if left == 0 {
                    cut = true;
                    return ControlFlow::Break(());
                }
                left -= 1;
                progress.pass(&sample);
                self.line(sample);
                if self.text.len() >= PIECE_BYTES && self.flush().is_break() {
                    gone = true;
                    return ControlFlow::Break(());
                }
            }
            if self.core.tasks.is_stopping() {
                cut = true;
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        match result.map_err(ApiError::from) {
            Err(error) if !self.sent => self.finish(Part::Refused(error)),
            _ if gone => {}
            Ok(()) => self.end(cut.then(|| progress.token()), None),
            Err(error) => self.end(Some(progress.token()), Some(&error)),
        }
    }

    fn line(&mut self, sample: StoredSample) {
        match self.format {
            Format::Csv => write_csv(&sample, &mut self.text),
            Format::Ndjson => {
                self.text.push_str(&serde_json::to_string(&Sample::from(sample)).unwrap_or_default());
                self.text.push('\n');
            }
        }
    }

    /// The closing line of a stream that was cut, by the limit, a stop or a failure.
    fn end(mut self, token: Option<String>, error: Option<&ApiError>) {
        if let Some(token) = token {
            match self.format {
                Format::Csv => {
                    self.text.push_str(&format!("# continuationToken={token}\r\n"));
                    if let Some(error) = error {
                        self.text.push_str(&format!("# {}: {error}\r\n", error.code()));
                    }
                }
                Format::Ndjson => {
                    let mut line = serde_json::json!({"continuationToken": token});
                    if let (Some(error), Some(line)) = (error, line.as_object_mut()) {
                        line.insert("problem".to_owned(), serde_json::json!(error.problem()));
                    }
                    self.text.push_str(&line.to_string());
                    self.text.push('\n');
                }
            }
        }
        if self.flush().is_continue() {
            self.finish(Part::End);
        }
    }

    fn flush(&mut self) -> ControlFlow<()> {
        if self.text.is_empty() {
            return ControlFlow::Continue(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.text));
        self.sent = true;
        self.send(Part::Piece(piece))
    }

    /// The last part; whether anybody still takes it makes no difference.
    fn finish(&self, part: Part) {
        if self.send(part).is_break() {
            tracing::debug!("the client of an export left before its end");
        }
    }

    /// Breaks when the client is gone or takes nothing.
    fn send(&self, part: Part) -> ControlFlow<()> {
        let send = tokio::time::timeout(STALL_MAX, self.sender.send(part));
        match self.runtime.block_on(send) {
            Ok(Ok(())) => ControlFlow::Continue(()),
            Ok(Err(_)) => ControlFlow::Break(()),
            Err(_) => {
                let name = "gemba_console_exports_stalled_total";
                let help = "Exports given up because their client took nothing for a minute.";
                self.core.metrics.counter(name, help, &[]).add(1);
                ControlFlow::Break(())
            }
        }
    }
}
