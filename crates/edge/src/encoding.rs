//! Deliveries become messages: gaps first, then the batches, each message with its sequence number.

use crate::record::{self, Message, MessageKind};
use gemba_api::Delivery;
use gemba_model::{
    DataSetMetaData, DateTime, FieldGap, GapMessage, GapReason, GapRecord, GapScope, Hop, SampleBatch,
};
use gemba_pubsub::uadp::{Encoder, encode_meta_data};
use gemba_pubsub::{EncodeError, Limits, Outcome, PublisherId, RefusedSample};

/// Writes messages into a record and numbers them.
pub(crate) struct Writer {
    publisher: PublisherId,
    encoder: Encoder,
    next_sequence: u64,
    announcements: u16,
}

/// What went into a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) messages: u64,
    pub(crate) values: u64,
    /// Values that fit into no message.
    pub(crate) refused: u64,
}

impl Writer {
    pub(crate) fn new(publisher: &str, next_sequence: u64) -> Self {
        let publisher = PublisherId::from(publisher);
        let encoder = Encoder::new(publisher.clone(), Limits::default());
        Self { publisher, encoder, next_sequence, announcements: 0 }
    }

    pub(crate) const fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Leaves `count` numbers to records that go first.
    pub(crate) const fn skip(&mut self, count: u64) {
        self.next_sequence += count;
    }

    /// The record that began with this number was not written: the next one begins with it.
    pub(crate) const fn take_back(&mut self, first: u64) {
        self.next_sequence = first;
    }

    /// Gaps, batches and cursors of one delivery, in this order.
    pub(crate) fn delivery(&mut self, delivery: &Delivery, record: &mut Vec<u8>) -> Written {
        let mut written = Written::default();
        for gap in &delivery.gaps {
            self.gap(gap, record, &mut written);
        }
        let mut span = (0, 0);
        for batch in &delivery.batches {
            span = widened(span, batch);
            self.encoder.push(batch);
        }
        self.encoder.flush();
        while let Some(outcome) = self.encoder.next_outcome() {
            match outcome {
                Outcome::Payload(payload) => {
                    written.values += u64::from(payload.values);
                    let kind = MessageKind::Data;
                    self.put(record, kind, true, payload.values, span, &payload.bytes, &mut written);
                }
                Outcome::Refused(refused) => {
                    tracing::warn!(code = %refused.code(), "{refused}");
                    written.refused += 1;
                    self.gap(&refused_gap(&refused, &delivery.batches), record, &mut written);
                }
            }
        }
        for cursor in &delivery.cursors {
            record::put_cursor(record, &cursor.key, cursor.state.as_deref());
        }
        written
    }

    /// A description.
    pub(crate) fn announcement(
        &mut self,
        metadata: &DataSetMetaData,
        record: &mut Vec<u8>,
    ) -> Result<Written, EncodeError> {
        let bytes = encode_meta_data(&self.publisher, self.announcements, metadata, &Limits::default())?;
        self.announcements = self.announcements.wrapping_add(1);
        let mut written = Written::default();
        self.put(record, MessageKind::MetaData, true, 0, (0, 0), &bytes, &mut written);
        Ok(written)
    }

    /// A gap record.
    pub(crate) fn gap(&mut self, gap: &GapRecord, record: &mut Vec<u8>, written: &mut Written) {
        let body = serde_json::to_vec(gap).unwrap_or_default();
        self.put(record, MessageKind::Gap, false, 0, (0, 0), &body, written);
    }

    /// A statement about the producer's own messages.
    pub(crate) fn tell(&mut self, gap: &GapMessage, record: &mut Vec<u8>) -> Written {
        let mut written = Written::default();
        let body = serde_json::to_vec(gap).unwrap_or_default();
        self.put(record, MessageKind::Gap, false, 0, (0, 0), &body, &mut written);
        written
    }

    #[expect(clippy::too_many_arguments, reason = "a message has that many parts")]
    fn put(
        &mut self,
        record: &mut Vec<u8>,
        kind: MessageKind,
        uadp: bool,
        values: u32,
        span: (i64, i64),
        body: &[u8],
        written: &mut Written,
    ) {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        written.messages += 1;
        record::put_message(record, &Message { sequence, kind, uadp, values, span, body });
    }
}

/// A span of source times that also covers a batch; (0, 0) is the empty span.
fn widened(span: (i64, i64), batch: &SampleBatch) -> (i64, i64) {
    let times = batch.samples.iter().filter_map(|sample| sample.source_timestamp.or(sample.server_timestamp));
    times.map(DateTime::ticks).fold(span, |(from, to), ticks| match (from, to) {
        (0, 0) => (ticks, ticks),
        (from, to) => (from.min(ticks), to.max(ticks)),
    })
}

fn refused_gap(refused: &RefusedSample, batches: &[SampleBatch]) -> GapRecord {
    let sample = batches
        .iter()
        .filter(|batch| batch.writer == refused.writer)
        .flat_map(|batch| &batch.samples)
        .find(|sample| sample.field == refused.field);
    let time = sample.and_then(|sample| sample.source_timestamp);
    GapRecord {
        scope: GapScope::Writer {
            group: refused.writer.group,
            writer: refused.writer.writer,
            fields: Some(vec![FieldGap { field: refused.field, count: Some(1), messages: None }]),
        },
        from: time,
        to: time,
        reason: GapReason::Drop,
        hop: Hop::Edge,
        count: Some(1),
    }
}
