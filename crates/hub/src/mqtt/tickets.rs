//! Answers to publishes, in the order in which they came: each waits for its message to become durable.

use super::batch::Published;
use gemba_wal::{AppendError, AppendTicket};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::Instant;

/// What publishes wait for.
#[derive(Debug)]
pub(super) enum Append {
    /// Only their turn to be answered.
    Nothing,
    /// The log.
    Waiting(AppendTicket),
    /// Nothing any more: their messages are not durable.
    Failed(AppendError),
}

/// Publishes that came together and are not answered.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) append: Append,
    /// In order.
    pub(super) publishes: Vec<Published>,
    /// Bytes that count towards the bound.
    pub(super) bytes: usize,
    /// Since when they wait.
    pub(super) since: Instant,
}

/// Publishes whose messages are durable, or that needed no append.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) publishes: Vec<Published>,
    pub(super) bytes: usize,
    /// Of the first message; 0 when nothing was appended.
    pub(super) first_offset: u64,
}

/// The queue of one connection.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    waiting: VecDeque<Ticket>,
    publishes: usize,
    bytes: usize,
}

impl Tickets {
    pub(super) fn push(&mut self, ticket: Ticket) {
        self.publishes += ticket.publishes.len();
        self.bytes += ticket.bytes;
        self.waiting.push_back(ticket);
    }

    /// Publishes that wait.
    pub(super) const fn len(&self) -> usize {
        self.publishes
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn oldest(&self) -> Option<Instant> {
        self.waiting.front().map(|ticket| ticket.since)
    }

    /// Waits until the oldest publishes can be answered, and takes them with all that follow them and are ready
    /// too. Dropping the future loses nothing.
    pub(super) async fn ready(&mut self) -> Result<Vec<Done>, AppendError> {
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<Done>, AppendError>> {
        let mut done = Vec::new();
        while let Some(oldest) = self.waiting.front_mut() {
            let outcome = match &mut oldest.append {
                Append::Nothing => Ok(0),
                Append::Failed(error) => Err(error.clone()),
                Append::Waiting(append) => match Pin::new(append).poll(cx) {
                    Poll::Ready(outcome) => outcome,
                    Poll::Pending => break,
                },
            };
            let first_offset = match outcome {
                Ok(offset) => offset,
                Err(error) if done.is_empty() => return Poll::Ready(Err(error)),
                Err(error) => {
                    // What is durable before it is answered first.
                    oldest.append = Append::Failed(error);
                    break;
                }
            };
            if let Some(Ticket { publishes, bytes, .. }) = self.waiting.pop_front() {
                self.publishes -= publishes.len();
                self.bytes -= bytes;
                done.push(Done { publishes, bytes, first_offset });
            }
        }
        if done.is_empty() { Poll::Pending } else { Poll::Ready(Ok(done)) }
    }
}
