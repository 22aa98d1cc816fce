//! Giving up the oldest data, by rule and with a record of what was in it.

use super::{Shared, Work};
use crate::encoding::Writer;
use crate::queue::appender::FRAME_KIND;
use crate::record::{self, Entry, Message, MessageKind};
use bytes::Bytes;
use gemba_model::{DateTime, FieldGap, GapReason, GapRecord, GapScope, Hop, WriterKey};
use gemba_pubsub::uadp::Decoder;
use gemba_pubsub::{NoDataSets, Received};
use gemba_wal::{Log, ReadItem, Record, SegmentInfo};
use std::collections::BTreeMap;

/// What a segment holds that the hub has not acknowledged.
#[derive(Default)]
struct Loss {
    /// Per writer and field: values, first and last source time.
    fields: BTreeMap<WriterKey, BTreeMap<u16, (u64, i64, i64)>>,
    /// Gap records that the hub has not seen: what they tell must not be lost with them.
    gaps: Vec<Vec<u8>>,
    values: u64,
    descriptions: bool,
    next_sequence: u64,
}

/// Drops the oldest segment. Its gap records, numbered from `sequence` on, are durable before anything is
/// deleted. Returns how many numbers they took, or `None` when nothing was dropped.
pub(super) async fn drop_oldest(shared: &Shared, sequence: u64) -> Option<u64> {
    let log = shared.log()?;
    let segment = log.oldest_segment().ok().flatten().filter(|segment| segment.trimmable)?;
    let loss = loss_of(shared, &log, &segment);
    let used = (loss.gaps.len() + loss.fields.len()) as u64;
    if used > 0 {
        let payload = gap_record(&loss, sequence);
        let ticket = log.append_into_headroom(Record::new(FRAME_KIND, Bytes::from(payload))).await;
        let offset = match ticket {
            Ok(ticket) => ticket.await,
            Err(error) => Err(error),
        };
        match offset {
            Ok(offset) => {
                let mut state = shared.state.lock();
                state.offset = offset + 1;
                state.next_sequence = sequence + used;
            }
            Err(error) => {
                tracing::warn!(%error, "no room for the record of a loss; nothing is dropped");
                return None;
            }
        }
    }
    {
        let mut state = shared.state.lock();
        if state.unacknowledged.0 <= segment.last_offset {
            state.unacknowledged = (segment.last_offset + 1, loss.next_sequence.max(state.unacknowledged.1));
        }
        state.values_waiting = state.values_waiting.saturating_sub(loss.values);
    }
    shared.counters.values_dropped.add(loss.values);
    if let Err(error) = shared.save_checkpoint() {
        tracing::warn!(%error, "the checkpoint was not written; nothing is deleted");
        return Some(used);
    }
    match log.trim_before(segment.last_offset + 1) {
        Ok(_) => {
            tracing::warn!(values = loss.values, "the edge's queue is full: its oldest segment was dropped")
        }
        Err(error) => tracing::warn!(%error, "the oldest segment was not deleted"),
    }
    if loss.descriptions {
        // The hub never saw them; what comes after needs them.
        let announced: Vec<_> = shared.state.lock().announced.values().cloned().collect();
        for metadata in announced {
            drop(shared.put(Work::Announce(metadata), 1024));
        }
    }
    Some(used)
}

/// Drops segments whose newest record is older than the age limit.
pub(super) async fn expire(shared: &Shared, writer: &mut Writer) {
    let Some(age) = shared.options.queue_age_max else { return };
    let limit = shared.clock.now().saturating_sub(age);
    while let Some(log) = shared.log()
        && let Ok(Some(segment)) = log.oldest_segment()
        && segment.trimmable
        && segment.last_time.is_some_and(|time| time < limit)
    {
        let before = segment.first_offset;
        let Some(used) = drop_oldest(shared, writer.next_sequence()).await else { break };
        writer.skip(used);
        if log.first_offset() == before {
            break;
        }
    }
}

fn loss_of(shared: &Shared, log: &Log, segment: &SegmentInfo) -> Loss {
    let mut loss = Loss::default();
    let from = shared.state.lock().unacknowledged;
    let mut reader = log.reader(segment.first_offset.max(from.0));
    let mut decoder = Decoder::default();
    'segment: while let Ok(items) = reader.read(4 << 20) {
        if items.is_empty() {
            break;
        }
        for item in items {
            let ReadItem::Frame(frame) = item else { continue };
            if frame.offset > segment.last_offset {
                break 'segment;
            }
            for entry in record::entries(&frame.payload).into_iter().flatten().flatten() {
                let Entry::Message(message) = entry else { continue };
                loss.next_sequence = loss.next_sequence.max(message.sequence + 1);
                if message.sequence >= from.1 {
                    count(&mut loss, &mut decoder, &message);
                }
            }
        }
    }
    loss
}

fn count(loss: &mut Loss, decoder: &mut Decoder, message: &Message<'_>) {
    match message.kind {
        MessageKind::Data => {}
        MessageKind::MetaData => {
            loss.descriptions = true;
            return;
        }
        MessageKind::Gap => {
            loss.gaps.push(message.body.to_vec());
            return;
        }
    }
    loss.values += u64::from(message.values);
    let Ok(Received::Data(network)) = decoder.decode(message.body, &NoDataSets) else { return };
    for data in &network.messages {
        let fields = loss.fields.entry(data.batch.writer).or_default();
        for sample in &data.batch.samples {
            let time =
                sample.source_timestamp.or(sample.server_timestamp).map_or(message.span.0, DateTime::ticks);
            let seen = fields.entry(sample.field).or_insert((0, time, time));
            *seen = (seen.0 + 1, seen.1.min(time), seen.2.max(time));
        }
    }
}

/// The gap messages that were in the segment, then one for each writer that lost something.
fn gap_record(loss: &Loss, sequence: u64) -> Vec<u8> {
    let mut out = record::begin();
    let kind = MessageKind::Gap;
    for (body, sequence) in loss.gaps.iter().zip(sequence..) {
        record::put_message(
            &mut out,
            &Message { sequence, kind, uadp: false, values: 0, span: (0, 0), body },
        );
    }
    for ((key, fields), sequence) in loss.fields.iter().zip(sequence + loss.gaps.len() as u64..) {
        let count = fields.values().map(|seen| seen.0).sum();
        let from = fields.values().map(|seen| seen.1).min();
        let to = fields.values().map(|seen| seen.2).max();
        let list = fields.iter().map(|(field, seen)| FieldGap { field: *field, count: Some(seen.0) });
        let gap = GapRecord {
            scope: GapScope::Writer { group: key.group, writer: key.writer, fields: Some(list.collect()) },
            from: from.map(DateTime::from_ticks),
            to: to.map(DateTime::from_ticks),
            reason: GapReason::Drop,
            hop: Hop::Edge,
            count: Some(count),
        };
        let body = serde_json::to_vec(&gap).unwrap_or_default();
        record::put_message(
            &mut out,
            &Message { sequence, kind, uadp: false, values: 0, span: (0, 0), body: &body },
        );
    }
    out
}
