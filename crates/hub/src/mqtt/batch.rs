//! Publishes that came together: their messages go into the log as one append, with one ticket.

use super::tickets::{Append, Ticket};
use crate::log::{KIND_MESSAGE, bytes_max, put};
use bytes::BytesMut;
use gemba_api::DeviceMessage;
use gemba_net::mqtt::PacketId;
use gemba_wal::{AppendTicket, Record};
use std::mem;
use tokio::time::Instant;

/// A batch is queued when it has so many bytes: more together gain nothing.
const BYTES_FULL: usize = 64 * 1024;
/// What the log adds to each record.
const FRAME_BYTES: usize = 28;

/// One publish that is not answered.
#[derive(Debug)]
pub(super) struct Published {
    /// `None` for QoS 0, which nobody answers.
    pub(super) packet_id: Option<PacketId>,
    /// Whether it was appended.
    pub(super) kept: bool,
    /// For the tap.
    pub(super) wanted: Option<Box<DeviceMessage>>,
}

/// What is not yet queued.
#[derive(Debug, Default)]
pub(super) struct Batch {
    records: Vec<Record>,
    publishes: Vec<Published>,
    /// Of the records.
    bytes: usize,
    /// All records stand in one buffer.
    buffer: BytesMut,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.publishes.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.publishes.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a message still fits into an append of so many bytes. The first always does.
    pub(super) fn has_room(&self, message: &DeviceMessage, append_bytes_max: usize) -> bool {
        let after = self.bytes + bytes_max(message) + (self.records.len() + 1) * FRAME_BYTES;
        self.records.is_empty() || after <= append_bytes_max.min(BYTES_FULL)
    }

    /// Takes a message. `more` are the bytes that have been received behind it.
    pub(super) fn push(&mut self, message: &DeviceMessage, publish: Published, more: usize) {
        let bytes = bytes_max(message);
        if self.buffer.capacity() - self.buffer.len() < bytes {
            // One block for all that came together; exactly what is needed for one that came alone.
            self.buffer = BytesMut::with_capacity(bytes.max(bytes.saturating_add(more).min(BYTES_FULL)));
        }
        put(message, &mut self.buffer);
        let record = Record::new(KIND_MESSAGE, self.buffer.split().freeze());
        self.bytes += record.payload.len();
        self.records.push(record);
        self.publishes.push(publish);
    }

    /// Takes a publish that is only answered in its turn.
    pub(super) fn push_answer(&mut self, packet_id: PacketId) {
        self.publishes.push(Published { packet_id: Some(packet_id), kept: false, wanted: None });
    }

    /// Everything, for one append; the ticket waits for nothing yet.
    pub(super) fn take(&mut self, since: Instant) -> (Vec<Record>, Ticket) {
        let Self { records, publishes, bytes, .. } = mem::take(self);
        (records, Ticket { append: Append::Nothing, publishes, bytes, since })
    }
}

impl Ticket {
    pub(super) fn waiting_for(self, append: AppendTicket) -> Self {
        Self { append: Append::Waiting(append), ..self }
    }
}
