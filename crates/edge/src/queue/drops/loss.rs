//! What a segment holds that the hub has not acknowledged, value by value: for the records of a drop.

use crate::queue::Shared;
use crate::record::{self, Entry, Message, MessageKind};
use gemba_model::{DateTime, GapMessage, GapScope, ProducerStart, SampleBatch, WriterKey};
use gemba_pubsub::uadp::Decoder;
use gemba_pubsub::{NoDataSets, Received};
use gemba_wal::{Frame, Log, ReadItem, SegmentInfo};
use std::collections::BTreeMap;

const READ_BYTES: usize = 4 << 20;

/// What a segment holds that the hub has not acknowledged.
#[derive(Default)]
pub(super) struct Loss {
    /// Per writer and field.
    pub(super) fields: BTreeMap<WriterKey, BTreeMap<u16, FieldLoss>>,
    /// Earliest and latest source time of each writer in its last message.
    pub(super) last: BTreeMap<WriterKey, (i64, i64)>,
    /// Gap records that the hub has not acknowledged: what they tell must not be lost with them.
    pub(super) gaps: Vec<LostGap>,
    pub(super) unreadable: Vec<Unreadable>,
    pub(super) values: u64,
    /// Descriptions that are still in force; they are announced again.
    pub(super) descriptions: bool,
    /// Descriptions that newer ones replaced; later data may need them.
    pub(super) old_descriptions: Vec<Vec<u8>>,
    pub(super) next_sequence: u64,
    /// Numbers of all these messages.
    pub(super) messages: Option<(u64, u64)>,
    /// Who gave them.
    pub(super) starts: Vec<ProducerStart>,
}

/// Lost values of one field.
pub(super) struct FieldLoss {
    pub(super) count: u64,
    /// First and last source time, in ticks.
    pub(super) span: (i64, i64),
    /// Numbers `from..to` of the messages that they are in.
    pub(super) messages: (u64, u64),
}

/// Records of the segment that cannot be read: between the source times of the data before and after them.
pub(super) struct Unreadable {
    pub(super) before: Option<i64>,
    pub(super) after: Option<i64>,
}

/// A gap record that is lost.
pub(super) struct LostGap {
    pub(super) sequence: u64,
    pub(super) body: Vec<u8>,
    /// The writer that it is about. Others tell of other machines, whose clocks may differ.
    pub(super) writer: Option<WriterKey>,
    /// Begin of the writer's last message before it and end of the first one after it, in source time, if they are lost
    /// as well. What is stored around them, the historian knows itself.
    pub(super) before: Option<i64>,
    pub(super) after: Option<i64>,
}

impl LostGap {
    pub(super) fn new(loss: &Loss, message: &Message<'_>) -> Self {
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
    pub(super) fn records(&self) -> u64 {
        let fresh = if self.messages.is_some() { self.fields.len().max(1) } else { 0 };
        let damage = usize::from(!self.unreadable.is_empty());
        (self.old_descriptions.len() + self.gaps.len() + self.unreadable.len() + damage + fresh) as u64
    }

    /// Values of a writer in a message.
    pub(super) fn batch(&mut self, batch: &SampleBatch, message: &Message<'_>) {
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

/// Reads what of a segment the hub has not acknowledged.
pub(super) fn loss_of(shared: &Shared, log: &Log, segment: &SegmentInfo) -> Loss {
    let (undelivered, from) = shared.state.lock().unacknowledged;
    let reading = Reading {
        shared,
        undelivered,
        from,
        loss: Loss::default(),
        decoder: Decoder::default(),
        before: None,
    };
    reading.run(log, segment)
}

/// A segment on its way through.
struct Reading<'a> {
    shared: &'a Shared,
    /// Offset and number of the first message that was not acknowledged.
    undelivered: u64,
    from: u64,
    loss: Loss,
    decoder: Decoder,
    /// The latest source time so far.
    before: Option<i64>,
}

impl Reading<'_> {
    fn run(mut self, log: &Log, segment: &SegmentInfo) -> Loss {
        let mut reader = log.reader(segment.first_offset);
        let mut failures = 0;
        loop {
            let items = match reader.read(READ_BYTES) {
                Ok(items) => items,
                // It may be read the next time.
                Err(_) if failures == 0 => {
                    failures = 1;
                    continue;
                }
                // What it held is known as little as what is damaged; the next segment tells where it ends.
                Err(error) if failures == 1 => {
                    failures = 2;
                    tracing::error!(%error, "a segment of the edge's queue cannot be read, and is given up");
                    self.unreadable(segment.last_offset);
                    reader = log.reader(segment.last_offset + 1);
                    continue;
                }
                Err(_) => return self.loss,
            };
            if items.is_empty() {
                return self.loss;
            }
            for item in items {
                match item {
                    ReadItem::Frame(frame) if frame.offset > segment.last_offset => {
                        self.loss.end_at(&frame.payload);
                        return self.loss;
                    }
                    ReadItem::Frame(frame) => self.frame(&frame),
                    ReadItem::Corrupt { from_offset, .. } if from_offset <= segment.last_offset => {
                        self.unreadable(from_offset);
                    }
                    ReadItem::Corrupt { .. } | ReadItem::Trimmed { .. } => {}
                }
            }
        }
    }

    /// The record at this offset, or those up to it, cannot be read.
    fn unreadable(&mut self, offset: u64) {
        if offset >= self.undelivered {
            self.loss.unreadable.push(Unreadable { before: self.before, after: None });
        }
    }

    fn frame(&mut self, frame: &Frame) {
        let life = record::life(&frame.payload);
        for entry in record::entries(&frame.payload).into_iter().flatten().flatten() {
            let Entry::Message(message) = entry else { continue };
            self.loss.next_sequence = self.loss.next_sequence.max(message.sequence + 1);
            if message.sequence >= self.from {
                self.undelivered_message(&message, life);
            }
            if message.kind == MessageKind::Data && message.span != (0, 0) {
                self.before = self.before.max(Some(message.span.1));
                let open = self.loss.unreadable.iter_mut().filter(|lost| lost.after.is_none());
                open.for_each(|lost| lost.after = Some(message.span.1));
            }
        }
    }

    fn undelivered_message(&mut self, message: &Message<'_>, life: Option<u64>) {
        let loss = &mut self.loss;
        // What could not be read before it was waiting as well.
        let begins = if loss.unreadable.is_empty() { message.sequence } else { self.from };
        let (first, _) = *loss.messages.get_or_insert((begins, 0));
        loss.messages = Some((first, message.sequence + 1));
        if let Some(life) = life.filter(|life| loss.starts.last().is_none_or(|last| last.life != *life)) {
            loss.starts.push(ProducerStart { life, first: message.sequence });
        }
        count(self.shared, loss, &mut self.decoder, message);
    }
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

fn widened(span: (i64, i64), time: i64) -> (i64, i64) {
    (span.0.min(time), span.1.max(time))
}
