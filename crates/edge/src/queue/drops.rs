//! Giving up the oldest data, by rule and with a record of what was in it.

mod loss;

use super::{Shared, Work};
use crate::encoding::Writer;
use crate::queue::appender::FRAME_KIND;
use crate::record::{self, Entry, Message, MessageKind};
use crate::replay;
use bytes::Bytes;
use gemba_model::{DateTime, FieldGap, GapMessage, GapReason, GapRecord, GapScope, Hop, Part, WriterKey};
use gemba_wal::{Frame, Record, SegmentInfo};
use loss::{FieldLoss, Loss, LostGap, Unreadable, loss_of};
use std::collections::BTreeMap;

/// Drops the oldest segment. Its gap records, numbered from `sequence` on, are durable before anything is
/// deleted. Returns how many numbers they took, or `None` when nothing was dropped.
pub(super) async fn drop_oldest(shared: &Shared, sequence: u64) -> Option<u64> {
    let log = shared.log()?;
    let segment = log.oldest_segment().ok().flatten().filter(|segment| segment.trimmable)?;
    let loss = loss_of(shared, &log, &segment);
    let used = loss.records();
    if used > 0 {
        let mut payload = gap_record(&loss, sequence);
        record::put_life(&mut payload, shared.life);
        let ticket = log.append_into_headroom(Record::new(FRAME_KIND, Bytes::from(payload))).await;
        let offset = match ticket {
            Ok(ticket) => ticket.await,
            Err(error) => Err(error),
        };
        match offset {
            Ok(offset) => {
                let mut state = shared.state.lock();
                state.offset = offset + 1;
                if let Some(ages) = &mut state.ages {
                    ages.note(offset, shared.clock.monotonic());
                }
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
    // Given up they are, whether or not the segment can be deleted.
    if loss.descriptions {
        announce_again(shared);
    }
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
    Some(used)
}

/// The hub never saw some descriptions; what comes after needs them.
fn announce_again(shared: &Shared) {
    let announced: Vec<_> = shared.state.lock().announced.values().cloned().collect();
    for metadata in announced {
        drop(shared.put(Work::Announce(metadata), 1024));
    }
}

/// The record of a drop had reached the disk after all, though its writing failed: what it gives up is given up. Returns
/// how many numbers from `sequence` on it has.
pub(super) fn take_over(shared: &Shared, found: &Frame, sequence: u64) -> u64 {
    let mut state = shared.state.lock();
    let mut next = sequence;
    for entry in record::entries(&found.payload).into_iter().flatten().flatten() {
        let Entry::Message(message) = entry else { continue };
        next = next.max(message.sequence + 1);
        let Some(gap) = replay::drop_told(&message) else { continue };
        let to = gap.messages.iter().map(|(_, to)| *to).max().unwrap_or(0);
        state.unacknowledged.1 = state.unacknowledged.1.max(to);
        if gap.again.is_empty() {
            let count = gap.record.count.unwrap_or(0);
            state.values_waiting = state.values_waiting.saturating_sub(count);
            shared.counters.values_dropped.add(count);
        }
    }
    state.offset = found.offset + 1;
    state.next_sequence = next;
    drop(state);
    // Some may have been in the segment.
    announce_again(shared);
    next - sequence
}

/// Drops segments whose newest record is older than the age limit.
pub(super) async fn expire(shared: &Shared, writer: &mut Writer) {
    let is_over = |segment: &SegmentInfo| {
        let (now, state) = (shared.clock.monotonic(), shared.state.lock());
        state.ages.as_ref().is_some_and(|ages| ages.is_over(segment.last_offset, segment.last_time, now))
    };
    while shared.options.queue_age_max.is_some()
        && let Some(log) = shared.log()
        && let Ok(Some(segment)) = log.oldest_segment()
        && segment.trimmable
        && is_over(&segment)
    {
        let before = segment.first_offset;
        let Some(used) = drop_oldest(shared, writer.next_sequence()).await else { break };
        writer.skip(used);
        if log.first_offset() == before {
            break;
        }
    }
}

/// Old descriptions and gap records that were in the segment, then a record for each writer that lost something.
/// Each also tells which messages will never come.
fn gap_record(loss: &Loss, sequence: u64) -> Vec<u8> {
    let mut fresh: Vec<GapMessage> =
        loss.fields.iter().map(|(key, fields)| writer_gap(*key, fields)).collect();
    if let Some(messages) = loss.messages {
        if fresh.is_empty() {
            fresh.push(nothing_lost());
        }
        let of = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
        // Each: when some of these came, no writer's counts are known any more.
        for (gap, number) in fresh.iter_mut().zip(1..) {
            gap.messages.push(messages);
            gap.starts.clone_from(&loss.starts);
            gap.part = (of > 1).then_some(Part { number, of });
        }
    }
    let old = loss.old_descriptions.iter().map(|body| (MessageKind::MetaData, body.clone()));
    let damage = (!loss.unreadable.is_empty()).then(|| damage_below(loss.next_sequence));
    fresh.splice(0..0, loss.unreadable.iter().map(unreadable_gap).chain(damage));
    let again = loss.gaps.iter().map(|gap| (MessageKind::Gap, told_again(gap)));
    let fresh = fresh.iter().map(|gap| (MessageKind::Gap, serde_json::to_vec(gap).unwrap_or_default()));
    let mut out = record::begin();
    for ((kind, body), sequence) in old.chain(again).chain(fresh).zip(sequence..) {
        let uadp = kind == MessageKind::MetaData;
        let message = Message { sequence, kind, uadp, values: 0, span: (0, 0), body: &body };
        record::put_message(&mut out, &message);
    }
    out
}

/// The same record at another place. A bound that stays open is that of the hole in the numbers where it stood first.
fn told_again(lost: &LostGap) -> Vec<u8> {
    let Ok(mut gap) = serde_json::from_slice::<GapMessage>(&lost.body) else { return lost.body.clone() };
    gap.again.push(lost.sequence);
    gap.record.from = gap.record.from.or(lost.before.map(DateTime::from_ticks));
    gap.record.to = gap.record.to.or(lost.after.map(DateTime::from_ticks));
    serde_json::to_vec(&gap).unwrap_or_default()
}

fn writer_gap(key: WriterKey, fields: &BTreeMap<u16, FieldLoss>) -> GapMessage {
    let count = fields.values().map(|seen| seen.count).sum();
    let from = fields.values().map(|seen| seen.span.0).min();
    let to = fields.values().map(|seen| seen.span.1).max();
    let list = fields.iter().map(|(field, seen)| FieldGap {
        field: *field,
        count: Some(seen.count),
        messages: Some(seen.messages),
    });
    GapMessage::from(GapRecord {
        scope: GapScope::Writer { group: key.group, writer: key.writer, fields: Some(list.collect()) },
        from: from.map(DateTime::from_ticks),
        to: to.map(DateTime::from_ticks),
        reason: GapReason::Drop,
        hop: Hop::Edge,
        count: Some(count),
    })
}

/// What could not even be read: nobody knows how many values.
fn unreadable_gap(lost: &Unreadable) -> GapMessage {
    GapMessage::from(GapRecord {
        scope: GapScope::Producer,
        // Without data before it in the segment, the loss begins at a time that nobody knows.
        from: Some(lost.before.map_or(DateTime::MIN, DateTime::from_ticks)),
        to: lost.after.map(DateTime::from_ticks),
        reason: GapReason::Corruption,
        hop: Hop::Edge,
        count: None,
    })
}

/// Whatever below a number never came and has no other cause, damage took it: also the record that told its cause.
pub(crate) fn damage_below(to: u64) -> GapMessage {
    let record = GapRecord {
        scope: GapScope::Producer,
        from: None,
        to: None,
        reason: GapReason::Corruption,
        hop: Hop::Edge,
        count: None,
    };
    GapMessage { messages: vec![(0, to)], ..GapMessage::from(record) }
}

/// Messages went, and no value with them: descriptions, or gap records that are told again.
fn nothing_lost() -> GapMessage {
    GapMessage::from(GapRecord {
        scope: GapScope::Writer { group: 0, writer: 0, fields: Some(Vec::new()) },
        from: None,
        to: None,
        reason: GapReason::Drop,
        hop: Hop::Edge,
        count: Some(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gemba_model::SampleBatch;

    #[test]
    fn the_record_of_each_writer_tells_which_messages_never_come() {
        let mut loss = Loss { messages: Some((3, 9)), ..Loss::default() };
        for writer in [1, 2] {
            let lost = FieldLoss { count: 4, span: (10, 20), messages: (3, 8) };
            let fields = BTreeMap::from([(0, lost)]);
            loss.fields.insert(WriterKey { group: 1, writer }, fields);
        }
        let record = gap_record(&loss, 40);
        let told = record::entries(&record).into_iter().flatten().flatten().map(|entry| {
            let Entry::Message(message) = entry else { panic!("{entry:?} is no message") };
            let gap: GapMessage = serde_json::from_slice(message.body).expect("a gap record");
            (message.sequence, gap.record.count, gap.messages, gap.part)
        });
        let part = |number| Some(Part { number, of: 2 });
        let expected = [(40, Some(4), vec![(3, 9)], part(1)), (41, Some(4), vec![(3, 9)], part(2))];
        assert_eq!(told.collect::<Vec<_>>(), expected, "else one counts what came, as if it were missing");
    }

    #[test]
    fn a_gap_record_that_is_given_up_keeps_bounds_of_its_own_writer_alone() {
        let writer = |writer| WriterKey { group: 1, writer };
        let gap: GapMessage = GapRecord {
            scope: GapScope::writer(writer(2)),
            from: None,
            to: None,
            reason: GapReason::Disconnection,
            hop: Hop::Field,
            count: None,
        }
        .into();
        let body = serde_json::to_vec(&gap).expect("is JSON");
        let message = |sequence, kind, body| Message {
            sequence,
            kind,
            uadp: kind == MessageKind::Data,
            values: 1,
            span: (0, 0),
            body,
        };
        let mut loss = Loss::default();
        let batch = |loss: &mut Loss, sequence, key, times: &[i64]| {
            let mut batch = SampleBatch::new(key, gemba_model::ConfigurationVersion { major: 1, minor: 1 });
            batch.samples.extend(times.iter().map(|time| gemba_model::Sample {
                source_timestamp: Some(DateTime::from_ticks(*time)),
                ..gemba_model::Sample::default()
            }));
            loss.batch(&batch, &message(sequence, MessageKind::Data, &[]));
        };
        let tell = |loss: &mut Loss, sequence| {
            let gap = LostGap::new(loss, &message(sequence, MessageKind::Gap, &body));
            loss.gaps.push(gap);
        };
        batch(&mut loss, 0, writer(1), &[900, 901]);
        tell(&mut loss, 1);
        batch(&mut loss, 2, writer(1), &[902]);
        batch(&mut loss, 3, writer(2), &[20, 24]);
        tell(&mut loss, 4);
        let bounds: Vec<_> = loss.gaps.iter().map(|gap| (gap.before, gap.after)).collect();
        assert_eq!(bounds, [(None, Some(24)), (Some(20), None)], "the historian knows the rest");
        let again: GapMessage = serde_json::from_slice(&told_again(&loss.gaps[0])).expect("is JSON");
        assert_eq!((again.record.from, again.again), (None, vec![1]));
    }
}
