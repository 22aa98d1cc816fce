//! An answer in pieces: a blocking thread makes them, a bounded channel waits for the client.

use crate::ApiError;
use crate::core::Core;
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// The makers hand over pieces of about this size.
pub(super) const PIECE_BYTES: usize = 64 * 1024;
/// Pieces that wait for a slow client; then reading waits.
const PIECES_WAITING: usize = 4;
/// A client that takes nothing for so long is given up: it holds a thread.
const STALL_MAX: Duration = Duration::from_secs(60);

pub(super) enum Part {
    Piece(Bytes),
    /// The stream is whole; one that ends without this was broken and the connection must show it.
    End,
    /// Nothing was sent before it.
    Refused(ApiError),
}

/// Begins the answer. `make` runs on a blocking thread; what fails before the first piece is a problem with its status.
pub(super) async fn respond(
    core: Arc<Core>,
    content_type: &'static str,
    make: impl FnOnce(Pieces) + Send + 'static,
) -> Result<Response, ApiError> {
    let place = core.exports.place().await?;
    let (sender, mut receiver) = mpsc::channel(PIECES_WAITING);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let _place = place;
        make(Pieces { core, sender, runtime, sent: false });
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
    // Whoever compresses asks once more after the end.
    Ok(([(header::CONTENT_TYPE, content_type)], Body::from_stream(pieces.fuse())).into_response())
}

/// The way to the client.
pub(super) struct Pieces {
    pub(super) core: Arc<Core>,
    sender: mpsc::Sender<Part>,
    runtime: Handle,
    /// Whether a piece was handed over: from then on a failure cannot be told by a status.
    pub(super) sent: bool,
}

impl Pieces {
    /// Breaks when the client is gone or takes nothing.
    pub(super) fn piece(&mut self, bytes: impl Into<Bytes>) -> ControlFlow<()> {
        self.sent = true;
        self.send(Part::Piece(bytes.into()))
    }

    /// The last part; whether anybody still takes it makes no difference.
    pub(super) fn finish(&self, part: Part) {
        if self.send(part).is_break() {
            tracing::debug!("the client of an export left before its end");
        }
    }

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
