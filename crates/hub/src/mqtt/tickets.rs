//! Answers to publishes, in the order in which they came: each waits for its message to become durable.

use gemba_api::DeviceMessage;
use gemba_net::mqtt::PacketId;
use gemba_wal::{AppendError, AppendTicket};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::Instant;

/// What a publish waits for.
#[derive(Debug)]
pub(super) enum Append {
    /// Only its turn to be answered.
    Nothing,
    /// The log.
    Waiting(AppendTicket),
    /// Nothing any more: its message is not durable.
    Failed(AppendError),
}

/// One publish that is not answered.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) append: Append,
    /// `None` for QoS 0, which nobody answers.
    pub(super) packet_id: Option<PacketId>,
    /// Bytes that count towards the bound.
    pub(super) bytes: usize,
    /// Since when it waits.
    pub(super) since: Instant,
    /// For the tap.
    pub(super) wanted: Option<Box<DeviceMessage>>,
}

/// A message that is durable, or a publish that needed no append.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) packet_id: Option<PacketId>,
    pub(super) bytes: usize,
    /// `None` when nothing was appended.
    pub(super) offset: Option<u64>,
    pub(super) wanted: Option<Box<DeviceMessage>>,
}

/// The queue of one connection.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    waiting: VecDeque<Ticket>,
    bytes: usize,
}

impl Tickets {
    pub(super) fn push(&mut self, ticket: Ticket) {
        self.bytes += ticket.bytes;
        self.waiting.push_back(ticket);
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
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

    /// Waits until the oldest publish can be answered, and takes it with all that follow it and are ready too.
    /// Dropping the future loses nothing.
    pub(super) async fn ready(&mut self) -> Result<Vec<Done>, AppendError> {
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<Done>, AppendError>> {
        let mut done = Vec::new();
        while let Some(oldest) = self.waiting.front_mut() {
            let outcome = match &mut oldest.append {
                Append::Nothing => Ok(None),
                Append::Failed(error) => Err(error.clone()),
                Append::Waiting(append) => match Pin::new(append).poll(cx) {
                    Poll::Ready(outcome) => outcome.map(Some),
                    Poll::Pending => break,
                },
            };
            let offset = match outcome {
                Ok(offset) => offset,
                Err(error) if done.is_empty() => return Poll::Ready(Err(error)),
                Err(error) => {
                    // What is durable before it is answered first.
                    oldest.append = Append::Failed(error);
                    break;
                }
            };
            if let Some(ticket) = self.waiting.pop_front() {
                self.bytes -= ticket.bytes;
                let Ticket { packet_id, bytes, wanted, .. } = ticket;
                done.push(Done { packet_id, bytes, offset, wanted });
            }
        }
        if done.is_empty() { Poll::Pending } else { Poll::Ready(Ok(done)) }
    }
}
