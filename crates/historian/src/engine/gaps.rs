//! What messages and the log say about missing values, series by series.

use super::sender::Sender;
use super::{Engine, State};
use crate::ledger::{Doubt, Gap, Ledger, Told};
use crate::pending::PendingMessage;
use crate::producers::{Came, Producer, ProducerKey};
use crate::row::Place;
use gemba_model::{DateTime, GapMessage, GapReason, GapRecord, GapScope, Hop, ProducerStart, WriterKey};
use std::sync::Arc;

/// Ranges of messages that one gap record may name: our edge names one, and each is held against all holes.
const RANGES_MAX: usize = 16;

/// What a gap record says, or why it is none.
pub(super) fn read(body: &[u8]) -> Result<GapMessage, String> {
    let message: GapMessage =
        serde_json::from_slice(body).map_err(|error| format!("a gap record cannot be read: {error}"))?;
    match message.messages.len() {
        0..=RANGES_MAX => Ok(message),
        ranges => Err(format!("a gap record names {ranges} ranges of messages, and {RANGES_MAX} are taken")),
    }
}

impl Engine {
    /// Enters an open gap for some series, each from its newest sample on.
    fn open_gaps(
        &self,
        state: &mut State,
        ids: &[u64],
        reason: GapReason,
        hop: Hop,
        doubt: Doubt,
        told: Told,
    ) {
        let gap = |series: &u64| {
            let from = state.last_time(*series);
            (*series, Gap { from, to: None, reason, hop, count: None, closed: false, doubt })
        };
        let gaps = ids.iter().map(gap).collect();
        self.enter(state, told, gaps);
    }

    fn enter(&self, state: &mut State, told: Told, gaps: Vec<(u64, Gap)>) {
        // Values that wait may come to lie between what looks like one gap now.
        let some_wait = !state.pending.is_empty();
        let ledger = &mut state.ledger;
        for (series, gap) in gaps {
            let is_apart = gap.reason == GapReason::SequenceGap || (some_wait && gap.doubt == Doubt::None);
            let add = if is_apart { Ledger::add_apart } else { Ledger::add };
            add(ledger, series, told, gap, self.options.gaps_max);
        }
    }

    pub(super) fn producer_gap(
        &self,
        state: &mut State,
        key: &ProducerKey,
        reason: GapReason,
        hop: Hop,
        doubt: Doubt,
        told: Told,
    ) {
        let ids = state.descriptions.series_of_producer(&key.device, &key.producer);
        self.open_gaps(state, &ids, reason, hop, doubt, told);
    }

    /// Values of a writer cannot be read for want of a description.
    pub(super) fn writer_gap(&self, state: &mut State, device: &str, writer: u16, doubt: Doubt, told: Told) {
        let ids = state.descriptions.series_of_writer_id(device, writer);
        self.open_gaps(state, &ids, GapReason::MissingMetadata, Hop::Store, doubt, told);
    }

    /// A gap record of a producer, and what it says about the producer's messages. One that came late stands in the hole
    /// where it was missing.
    pub(super) fn gap_message(
        &self,
        state: &mut State,
        sender: &Sender,
        message: GapMessage,
        hole: Option<Told>,
    ) {
        let GapMessage { mut record, messages, again, starts, part } = message;
        self.put_back(state, sender, &starts, &messages);
        let mut told = hole.unwrap_or(sender.told);
        if let Some(key) = sender.key() {
            let producer = Arc::make_mut(&mut state.producers).of(key);
            let is_known = again.iter().any(|number| producer.has(*number));
            // It is told again far behind its place: that is in the hole that its first message left.
            told = again.first().and_then(|number| producer.hole_of(*number)).unwrap_or(told);
            // The holes in the numbers know the times.
            let knows_cause_alone = record.from.is_none() && record.to.is_none() && record.count != Some(0);
            let holes = if knows_cause_alone { producer.holes_among(&messages) } else { Vec::new() };
            let is_news = messages.is_empty() || producer.misses_some(&messages);
            forget_what_came(&mut record, producer, &messages);
            producer.explain(&messages, part);
            let settled = producer.take_settled();
            let ledger = &mut state.ledger;
            let (reason, hop) = (record.reason, record.hop);
            holes.iter().for_each(|hole| ledger.attribute(*hole, reason, hop, self.options.gaps_max));
            settled.into_iter().for_each(|told| ledger.retract(told));
            if is_known || !holes.is_empty() || (knows_cause_alone && !is_news) {
                return;
            }
        }
        if !self.waits(state, sender, &record, told) {
            self.record(state, &sender.device, sender.key(), &record, told);
        }
    }

    /// What a producer gives up may show that it was put back to an older state, though its numbers went on beyond those
    /// that had come: whatever it had not delivered before is gone.
    fn put_back(
        &self,
        state: &mut State,
        sender: &Sender,
        starts: &[ProducerStart],
        messages: &[(u64, u64)],
    ) {
        let Some(key) = sender.key().filter(|_| !starts.is_empty()) else { return };
        let producer = Arc::make_mut(&mut state.producers).of(key);
        if !producer.shows_put_back(starts, messages) {
            return;
        }
        let (reason, hop) = (GapReason::EdgeRestart, Hop::Edge);
        // Behind these numbers: they had come, those of the other start after them had not.
        let from = messages.iter().map(|(from, _)| *from).min().unwrap_or(0);
        let hole = producer.holes_among(&[(from, u64::MAX)]).first().copied();
        let Some(hole) = hole else {
            return self.producer_gap(state, key, reason, hop, Doubt::None, sender.told);
        };
        state.ledger.attribute(hole, reason, hop, self.options.gaps_max);
    }

    /// Keeps a record until the description of its writer comes, by which its series are known.
    fn waits(&self, state: &mut State, sender: &Sender, record: &GapRecord, told: Told) -> bool {
        let GapScope::Writer { group, writer, fields } = &record.scope else { return false };
        let key = WriterKey { group: *group, writer: *writer };
        let is_described = state.descriptions.current(&sender.device, key).is_some();
        let is_about_some = fields.as_ref().is_none_or(|fields| !fields.is_empty());
        let has_room = state.pending.bytes() < self.options.pending_bytes_max;
        if is_described || !is_about_some || !has_room {
            return false;
        }
        let Ok(body) = serde_json::to_vec(record) else { return false };
        Arc::make_mut(&mut state.pending).push(PendingMessage {
            place: Place::new(told.partition, told.offset, DateTime::from_ticks(told.at)),
            device: sender.device.clone(),
            producer: sender.key().cloned(),
            encoding: None,
            body: body.into(),
            writer: *writer,
            values: 0,
        });
        true
    }

    /// The description for which a record waited has come. The record stays where it was told.
    pub(super) fn waiting_gap(&self, state: &mut State, message: &PendingMessage) {
        let Place { partition, offset, received: at } = message.place;
        // We wrote it ourselves.
        if let Ok(record) = serde_json::from_slice::<GapRecord>(&message.body) {
            let told = Told { at, partition, offset };
            self.record(state, &message.device, message.producer.as_ref(), &record, told);
        }
    }

    fn record(
        &self,
        state: &mut State,
        device: &str,
        key: Option<&ProducerKey>,
        record: &GapRecord,
        told: Told,
    ) {
        let targets = targets(state, device, key, record);
        let gaps: Vec<(u64, Gap)> = targets
            .into_iter()
            .map(|(series, count)| {
                let (from, to) = bounds(state, series, record, told);
                let (reason, hop) = (record.reason, record.hop);
                let closed = to.is_some();
                (series, Gap { from, to, reason, hop, count, closed, doubt: Doubt::None })
            })
            .collect();
        self.enter(state, told, gaps);
    }

    /// A message that nobody can read: what it held is lost.
    pub(super) fn malformed(&self, state: &mut State, sender: &Sender, detail: &str) {
        let reason = GapReason::Corruption;
        match sender.key() {
            Some(key) => {
                let key = key.clone();
                self.producer_gap(state, &key, reason, Hop::Store, Doubt::None, sender.told);
            }
            // A message of somebody else that is no data set message is none of ours.
            None => self.counters.foreign_messages.add(1),
        }
        self.problems.set(
            &*self.clock,
            "GMB-HIS-009",
            &sender.device,
            format!(
                "A message of {} at offset {} cannot be read: {detail}",
                sender.device, sender.told.offset
            ),
            "Compare the versions of publisher and platform; the gap ledger names the series",
            4,
        );
    }

    /// The log does not have some offsets any more. Whether a producer's messages were among them shows with
    /// its next one; until then its series have doubtful gaps.
    pub(super) fn log_lost(&self, partition: u32, from: u64, to: u64, damaged: bool) {
        let mut state = self.lock_dirty();
        let state = &mut *state;
        let reason = if damaged { GapReason::Corruption } else { GapReason::Drop };
        let told = Told { at: state.heard.get(&partition).copied().unwrap_or(0), partition, offset: from };
        let mut keys = Vec::new();
        if state.producers.iter().any(|(_, producer)| producer.partition == partition) {
            for (key, producer) in Arc::make_mut(&mut state.producers).iter_mut() {
                if producer.partition == partition {
                    producer.doubtful = true;
                    keys.push(key.clone());
                }
            }
        }
        for key in &keys {
            self.producer_gap(state, key, reason, Hop::Hub, Doubt::LogLoss, told);
        }
        state.consumed.insert(partition, to);
        if !keys.is_empty() {
            let what = if damaged { "damaged" } else { "deleted before they were read" };
            self.problems.set(
                &*self.clock,
                "GMB-HIS-008",
                &format!("partition {partition}"),
                format!("Messages {from} to {} of the event log are {what}", to - 1),
                "See the gap ledger for the series; give the log more space or keep the historian running",
                4,
            );
        }
    }
}

/// Bounds for one series: those of the record, else those of the hole in which it was told, else the newest value and
/// none. A beginning that lies behind the end is not known.
fn bounds(state: &State, series: u64, record: &GapRecord, told: Told) -> (Option<i64>, Option<i64>) {
    let (from, to) = (record.from.map(DateTime::ticks), record.to.map(DateTime::ticks));
    let hole = state.ledger.hole(told, series);
    let to = to.or(hole.and_then(|(_, to)| to));
    let from = from.or_else(|| hole.map_or_else(|| state.last_time(series), |(from, _)| from));
    (from.filter(|from| to.is_none_or(|to| *from <= to)), to)
}

/// Some of the messages that a producer gave up came after all: what was in them is not missing.
fn forget_what_came(record: &mut GapRecord, producer: &Producer, messages: &[(u64, u64)]) {
    if messages.is_empty() || producer.came(messages) == Came::Nothing {
        return;
    }
    record.count = record.count.filter(|count| *count == 0);
    if let GapScope::Writer { fields: Some(fields), .. } = &mut record.scope {
        fields.retain_mut(|field| {
            let came = producer.came(field.messages.as_ref().map_or(messages, std::slice::from_ref));
            field.count = field.count.filter(|_| came == Came::Nothing);
            came != Came::All
        });
    }
}

/// The series that a record is about, each with its count.
fn targets(
    state: &State,
    device: &str,
    key: Option<&ProducerKey>,
    record: &GapRecord,
) -> Vec<(u64, Option<u64>)> {
    let ids = match &record.scope {
        GapScope::Producer => {
            state.descriptions.series_of_producer(device, key.map_or("", |key| key.producer.as_str()))
        }
        GapScope::Writer { group, writer, fields } => {
            let writer = WriterKey { group: *group, writer: *writer };
            let Some(description) = state.descriptions.current(device, writer) else { return Vec::new() };
            if let Some(fields) = fields {
                let known = fields.iter().filter_map(|field| {
                    let series = description.ids.get(usize::from(field.field))?;
                    Some((*series, field.count))
                });
                let known: Vec<(u64, Option<u64>)> = known.collect();
                return match known.as_slice() {
                    [(series, None)] => vec![(*series, record.count)],
                    _ => known,
                };
            }
            crate::descriptions::distinct(description.ids.iter().copied())
        }
    };
    // A sum over many series says how many of each only when it is none at all.
    let count = record.count.filter(|count| *count == 0 || ids.len() == 1);
    ids.into_iter().map(|series| (series, count)).collect()
}
