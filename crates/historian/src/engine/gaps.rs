//! What messages and the log say about missing values, series by series.

use super::sender::Sender;
use super::{Engine, State};
use crate::ledger::{Doubt, Gap, Told};
use crate::pending::PendingMessage;
use crate::producers::ProducerKey;
use gemba_model::{DateTime, GapMessage, GapReason, GapRecord, GapScope, Hop, WriterKey};
use std::sync::Arc;

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
        let from: Vec<Option<i64>> = ids.iter().map(|id| state.last_time(*id)).collect();
        let ledger = &mut state.ledger;
        for (&series, from) in ids.iter().zip(from) {
            let gap = Gap { from, to: None, reason, hop, count: None, closed: false, doubt };
            ledger.add(series, told, gap, self.options.gaps_max);
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

    /// A gap record of a producer, and what it says about the producer's messages.
    pub(super) fn gap_message(&self, state: &mut State, sender: &Sender, message: GapMessage) {
        let GapMessage { mut record, messages, again } = message;
        if let Some(key) = sender.key() {
            let producer = Arc::make_mut(&mut state.producers).of(key);
            let is_known = again.iter().any(|number| producer.has(*number));
            let is_news = producer.misses_some(&messages);
            let some_came = producer.explain(&messages);
            let settled = producer.take_settled();
            let ledger = &mut state.ledger;
            if record.from.is_none() && record.to.is_none() && !messages.is_empty() {
                // It knows the cause alone. The holes in the numbers know the times.
                let (reason, hop) = (record.reason, record.hop);
                settled.iter().for_each(|told| ledger.rename(*told, reason, hop));
                if !is_news || !settled.is_empty() {
                    return;
                }
            }
            settled.into_iter().for_each(|told| ledger.retract(told));
            if is_known {
                return;
            }
            if some_came {
                // It counts what the producer gave up, and some of that had come already.
                forget_counts(&mut record);
            }
        }
        if !self.waits(state, sender, &record) {
            self.record(state, &sender.device, sender.key(), &record, sender.told);
        }
    }

    /// Keeps a record behind the messages that wait for the description of its writer: what it leaves open is
    /// the time between them.
    fn waits(&self, state: &mut State, sender: &Sender, record: &GapRecord) -> bool {
        let GapScope::Writer { writer, .. } = record.scope else { return false };
        let is_open = record.from.is_none() || record.to.is_none();
        let has_room = state.pending.bytes() < self.options.pending_bytes_max;
        if !(is_open && has_room) {
            return false;
        }
        let Some(writer) = state.pending.behind(&sender.device, writer) else { return false };
        let Ok(body) = serde_json::to_vec(record) else { return false };
        Arc::make_mut(&mut state.pending).push(PendingMessage {
            place: sender.place,
            device: sender.device.clone(),
            producer: sender.key().cloned(),
            encoding: None,
            body: body.into(),
            writer,
            values: 0,
        });
        true
    }

    /// The messages before a record that waited are stored.
    pub(super) fn waiting_gap(&self, state: &mut State, message: &PendingMessage, told: Told) {
        // We wrote it ourselves.
        if let Ok(record) = serde_json::from_slice::<GapRecord>(&message.body) {
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
        let (from, to) = (record.from.map(DateTime::ticks), record.to.map(DateTime::ticks));
        let gaps: Vec<(u64, Gap)> = targets
            .into_iter()
            .map(|(series, count)| {
                let from = from.or_else(|| state.last_time(series));
                let (reason, hop) = (record.reason, record.hop);
                let closed = to.is_some();
                (series, Gap { from, to, reason, hop, count, closed, doubt: Doubt::None })
            })
            .collect();
        let ledger = &mut state.ledger;
        for (series, gap) in gaps {
            ledger.add(series, told, gap, self.options.gaps_max);
        }
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

fn forget_counts(record: &mut GapRecord) {
    record.count = record.count.filter(|count| *count == 0);
    if let GapScope::Writer { fields: Some(fields), .. } = &mut record.scope {
        fields.iter_mut().for_each(|field| field.count = None);
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
