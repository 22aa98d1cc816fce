//! Giving up the oldest data, by rule and with a record of what was in it.

use super::{Shared, Work};
use crate::encoding::Writer;
use crate::queue::appender::FRAME_KIND;
use crate::record::{self, Entry, Message, MessageKind};
use crate::replay;
use bytes::Bytes;
use gemba_model::{
    DateTime, FieldGap, GapMessage, GapReason, GapRecord, GapScope, Hop, Part, ProducerStart, SampleBatch,
    WriterKey,
};
use gemba_pubsub::uadp::Decoder;
use gemba_pubsub::{NoDataSets, Received};
use gemba_wal::{Frame, Log, ReadItem, Record, SegmentInfo};
use std::collections::BTreeMap;

/// What a segment holds that the hub has not acknowledged.
#[derive(Default)]
struct Loss {
    /// Per writer and field.
    fields: BTreeMap<WriterKey, BTreeMap<u16, FieldLoss>>,
    /// Earliest and latest source time of each writer in its last message.
    last: BTreeMap<WriterKey, (i64, i64)>,
    /// Gap records that the hub has not acknowledged: what they tell must not be lost with them.
    gaps: Vec<LostGap>,
    unreadable: Vec<Unreadable>,
    values: u64,
    /// Descriptions that are still in force; they are announced again.
    descriptions: bool,
    /// Descriptions that newer ones replaced; later data may need them.
    old_descriptions: Vec<Vec<u8>>,
    next_sequence: u64,
    /// Numbers of all these messages.
    messages: Option<(u64, u64)>,
    /// Who gave them.
    starts: Vec<ProducerStart>,
}

/// Lost values of one field.
struct FieldLoss {
    count: u64,
    /// First and last source time, in ticks.
    span: (i64, i64),
    /// Numbers `from..to` of the messages that they are in.
    messages: (u64, u64),
}

/// Records of the segment that cannot be read: between the source times of the data before and after them.
struct Unreadable {
    before: Option<i64>,
    after: Option<i64>,
}

/// A gap record that is lost.
struct LostGap {
    sequence: u64,
    body: Vec<u8>,
    /// The writer that it is about. Others tell of other machines, whose clocks may differ.
    writer: Option<WriterKey>,
    /// Begin of the writer's last message before it and end of the first one after it, in source time, if they are lost
    /// as well. What is stored around them, the historian knows itself.
    before: Option<i64>,
    after: Option<i64>,
}

impl LostGap {
    fn new(loss: &Loss, message: &Message<'_>) -> Self {
        let gap: Option<GapMessage> = serde_json::from_slice(message.body).ok();
        let writer = match gap.map(|gap| gap.record.scope) {
            Some(GapScope::Writer { group, writer, .. }) => Some(WriterKey { group, writer }),
            _ => None,
        };
        let before = writer.and_then(|writer| loss.last.get(&writer)).map(|span| span.0);
        Self { sequence: message.sequence, body: message.body.to_vec(), writer, before, after: None }
    }
}

impl Loss {
    /// How many messages tell of it.
    fn records(&self) -> u64 {
        let fresh = if self.messages.is_some() { self.fields.len().max(1) } else { 0 };
        let damage = usize::from(!self.unreadable.is_empty());
        (self.old_descriptions.len() + self.gaps.len() + self.unreadable.len() + damage + fresh) as u64
    }

    /// Values of a writer in a message.
    fn batch(&mut self, batch: &SampleBatch, message: &Message<'_>) {
        let fields = self.fields.entry(batch.writer).or_default();
        let sequence = message.sequence;
        let mut span: Option<(i64, i64)> = None;
        for sample in &batch.samples {
            let time = sample.source_timestamp.or(sample.server_timestamp);
            let time = time.map_or(message.span.0, DateTime::ticks);
            let fresh = || FieldLoss { count: 0, span: (time, time), messages: (sequence, sequence) };
            let seen = fields.entry(sample.field).or_insert_with(fresh);
            seen.count += 1;
            seen.span = widened(seen.span, time);
            seen.messages.1 = sequence + 1;
            span = Some(span.map_or((time, time), |span| widened(span, time)));
        }
        let Some(span) = span else { return };
        self.last.insert(batch.writer, span);
        let waiting = |gap: &&mut LostGap| gap.after.is_none() && gap.writer == Some(batch.writer);
        self.gaps.iter_mut().filter(waiting).for_each(|gap| gap.after = Some(span.1));
    }

    /// The segment's last records could not be read: what they held ends where the next segment begins.
    fn end_at(&mut self, next: &[u8]) {
        let Some(lost) = self.unreadable.last_mut().filter(|lost| lost.after.is_none()) else { return };
        let mut messages = record::entries(next).into_iter().flatten().flatten();
        let Some(Entry::Message(message)) = messages.find(|entry| matches!(entry, Entry::Message(_))) else {
            return;
        };
        lost.after = Some(message.span.0).filter(|_| message.span != (0, 0));
        let (first, _) = self.messages.unwrap_or((message.sequence, 0));
        self.messages = Some((first, message.sequence)).filter(|(from, to)| from < to);
        self.next_sequence = self.next_sequence.max(message.sequence);
    }
}

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

fn loss_of(shared: &Shared, log: &Log, segment: &SegmentInfo) -> Loss {
    let mut loss = Loss::default();
    let (undelivered, from) = shared.state.lock().unacknowledged;
    let mut reader = log.reader(segment.first_offset);
    let mut decoder = Decoder::default();
    let mut before: Option<i64> = None;
    'segment: while let Ok(items) = reader.read(4 << 20) {
        if items.is_empty() {
            break;
        }
        for item in items {
            let frame = match item {
                ReadItem::Frame(frame) => frame,
                ReadItem::Corrupt { from_offset, .. } => {
                    if (undelivered..=segment.last_offset).contains(&from_offset) {
                        loss.unreadable.push(Unreadable { before, after: None });
                    }
                    continue;
                }
                ReadItem::Trimmed { .. } => continue,
            };
            if frame.offset > segment.last_offset {
                loss.end_at(&frame.payload);
                break 'segment;
            }
            let life = record::life(&frame.payload);
            for entry in record::entries(&frame.payload).into_iter().flatten().flatten() {
                let Entry::Message(message) = entry else { continue };
                loss.next_sequence = loss.next_sequence.max(message.sequence + 1);
                if message.sequence >= from {
                    // What could not be read before it was waiting as well.
                    let begins = if loss.unreadable.is_empty() { message.sequence } else { from };
                    let (first, _) = *loss.messages.get_or_insert((begins, 0));
                    loss.messages = Some((first, message.sequence + 1));
                    if let Some(life) =
                        life.filter(|life| loss.starts.last().is_none_or(|last| last.life != *life))
                    {
                        loss.starts.push(ProducerStart { life, first: message.sequence });
                    }
                    count(shared, &mut loss, &mut decoder, &message);
                }
                if message.kind == MessageKind::Data && message.span != (0, 0) {
                    before = before.max(Some(message.span.1));
                    let open = loss.unreadable.iter_mut().filter(|lost| lost.after.is_none());
                    open.for_each(|lost| lost.after = Some(message.span.1));
                }
            }
        }
    }
    loss
}

fn count(shared: &Shared, loss: &mut Loss, decoder: &mut Decoder, message: &Message<'_>) {
    let received = match message.kind {
        MessageKind::Data | MessageKind::MetaData => decoder.decode(message.body, &NoDataSets),
        MessageKind::Gap => {
            let gap = LostGap::new(loss, message);
            loss.gaps.push(gap);
            return;
        }
    };
    loss.values += u64::from(message.values);
    match received {
        Ok(Received::Data(network)) => {
            for data in &network.messages {
                loss.batch(&data.batch, message);
            }
        }
        Ok(Received::MetaData(found)) => {
            let state = shared.state.lock();
            let newest = state.announced.get(&found.meta_data.writer);
            if newest.is_some_and(|newest| newest.version == found.meta_data.version) {
                loss.descriptions = true;
            } else {
                loss.old_descriptions.push(message.body.to_vec());
            }
        }
        Err(_) => {}
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

fn widened(span: (i64, i64), time: i64) -> (i64, i64) {
    (span.0.min(time), span.1.max(time))
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
