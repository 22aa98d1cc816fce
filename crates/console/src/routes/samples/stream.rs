//! Streams of samples as text, one a line.

use super::cursor::{Cursor, Progress};
use super::pieces::{self, PIECE_BYTES, Part, Pieces};
use crate::ApiError;
use crate::core::Core;
use crate::value::{CSV_HEADER, Sample, write_csv};
use axum::response::Response;
use gemba_api::StoredSample;
use std::ops::ControlFlow;
use std::sync::Arc;

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

/// Begins the stream.
pub(super) async fn respond(
    core: Arc<Core>,
    cursor: Cursor,
    limit: Option<u64>,
    format: Format,
) -> Result<Response, ApiError> {
    pieces::respond(core, format.content_type(), move |pieces| {
        Writer { pieces, format, text: String::new() }.run(cursor, limit);
    })
    .await
}

struct Writer {
    pieces: Pieces,
    format: Format,
    text: String,
}

impl Writer {
    fn run(mut self, cursor: Cursor, limit: Option<u64>) {
        if self.format == Format::Csv {
            self.text.push_str(CSV_HEADER);
        }
        let history = Arc::clone(&self.pieces.core.history);
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
            if self.pieces.core.tasks.is_stopping() {
                cut = true;
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        match result.map_err(ApiError::from) {
            Err(error) if !self.pieces.sent => self.pieces.finish(Part::Refused(error)),
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
            self.pieces.finish(Part::End);
        }
    }

    fn flush(&mut self) -> ControlFlow<()> {
        if self.text.is_empty() {
            return ControlFlow::Continue(());
        }
        self.pieces.piece(std::mem::take(&mut self.text))
    }
}
