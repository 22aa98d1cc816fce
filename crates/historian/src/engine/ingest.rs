//! Taking in what the log holds: each message once, by its number.

use super::sender::Sender;
use super::{Engine, FROZEN_MAX, Frozen, State};
use crate::decoder::{Batches, Decoded, Decoder, Encoding, Unreadable};
use crate::descriptions::Description;
use crate::error::Result;
use crate::ledger::{Doubt, Told};
use crate::memtable::{Memtable, ROWS_MAX};
use crate::pending::PendingMessage;
use crate::producers::{Arrival, ProducerKey};
use crate::row::{Place, RowRef};
use gemba_api::log::properties;
use gemba_api::{DeviceMessage, LogEntry, LogItem};
use gemba_model::{DataSetMetaData, GapMessage, SampleBatch, StatusCode};
use parking_lot::MutexGuard;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How far a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ingested {
    /// The offset at which to go on.
    pub(crate) next: u64,
    /// Memory is full: go on when a flush has made room.
    pub(crate) full: bool,
}

/// What a message is, before it is taken in.
enum Content<'a> {
    /// Nothing for us; `foreign` when nobody said so.
    Nothing {
        foreign: bool,
    },
    Batches(Batches<'a>),
    MetaData(Box<DataSetMetaData>),
    Gap(GapMessage),
    Waiting(Encoding, u16),
    Malformed(String),
}

impl Engine {
    /// Takes in what was read from a partition, in order, until memory is full.
    ///
    /// # Errors
    /// When documents cannot be written; everything before `next_offset` was taken in, and the call may be
    /// repeated from there.
    pub(crate) fn ingest(
        &self,
        partition: u32,
        items: &[LogItem],
        decoder: &mut Decoder,
    ) -> Result<Ingested> {
        let mut next = self.next_offset(partition);
        for item in items {
            if item.next_offset() <= next {
                continue;
            }
            if !self.make_room() {
                return Ok(Ingested { next, full: true });
            }
            match item {
                LogItem::Missing { from, to, damaged } => {
                    self.log_lost(partition, (*from).max(next), *to, *damaged);
                }
                LogItem::Entry(entry) => self.message(partition, entry, decoder)?,
            }
            next = item.next_offset();
        }
        Ok(Ingested { next, full: false })
    }

    /// Freezes the active table when it has its size. False when it must and cannot.
    fn make_room(&self) -> bool {
        let mut state = self.state.lock();
        let table = &state.active;
        let rows_max = self.options.memtable_rows_max.min(ROWS_MAX);
        if table.rows() < rows_max && table.memory() < self.options.memtable_bytes_max {
            return true;
        }
        if state.frozen.len() >= FROZEN_MAX {
            return false;
        }
        state.freeze();
        true
    }

    /// Freezes the active table if anything came since the last freeze. False when it must wait.
    pub(crate) fn freeze(&self) -> bool {
        let mut state = self.state.lock();
        if state.dirty_since.is_none() {
            return true;
        }
        if state.frozen.len() >= FROZEN_MAX {
            return false;
        }
        state.freeze();
        true
    }

    /// Whether what is in memory is old enough to be written.
    pub(crate) fn is_due(&self) -> bool {
        let since = self.state.lock().dirty_since;
        since.is_some_and(|since| self.clock.monotonic().saturating_sub(since) >= self.options.flush_interval)
    }

    fn message(&self, partition: u32, entry: &LogEntry, decoder: &mut Decoder) -> Result<()> {
        self.counters.messages_in.add(1);
        let mut sender = Sender::new(partition, entry);
        let descriptions = {
            let mut state = self.lock_dirty();
            self.resolve(&mut state, &mut sender);
            let arrival =
                sender.account.as_ref().map(|(key, sequence)| state.producers.classify(key, *sequence));
            if let Some((key, sequence)) = &sender.account
                && arrival == Some(Arrival::Duplicate)
            {
                Arc::make_mut(&mut state.producers).mark(key, partition, *sequence, Arrival::Duplicate);
                state.advance(&sender);
                return Ok(());
            }
            Arc::clone(&state.descriptions)
        };
        // Decoding is the larger part of the work and needs no lock.
        let content = content(&entry.message, &sender, decoder, &descriptions);
        drop(descriptions);
        if let Content::MetaData(metadata) = &content {
            self.register(&sender, metadata)?;
        }
        let mut state = self.lock_dirty();
        let late = self.account(&mut state, &sender);
        match content {
            Content::Nothing { foreign } => self.counters.foreign_messages.add(u64::from(foreign)),
            Content::Batches(batches) => self.batches(&mut state, &sender, batches, &entry.message),
            Content::Waiting(encoding, writer) => {
                self.wait(&mut state, &sender, encoding, writer, 1, &entry.message);
            }
            Content::MetaData(metadata) => self.read_waiting(&mut state, &sender, &metadata, decoder),
            Content::Gap(message) => self.gap_message(&mut state, &sender, message, late.hole),
            Content::Malformed(detail) => self.malformed(&mut state, &sender, &detail),
        }
        // Not before: a record that came late has the bounds of the hole that it leaves.
        late.settled.into_iter().for_each(|told| state.ledger.retract(told));
        self.counters.messages_taken.add(1);
        state.advance(&sender);
        self.version.store(state.version, Ordering::Release);
        Ok(())
    }

    /// The lock, and a note that there will be something to flush.
    pub(super) fn lock_dirty(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        if state.dirty_since.is_none() {
            state.dirty_since = Some(self.clock.monotonic());
        }
        state
    }

    /// Makes a description and its series durable. Doing it again changes nothing.
    fn register(&self, sender: &Sender, metadata: &DataSetMetaData) -> Result<()> {
        let mut state = self.state.lock();
        let producer = sender.key().map_or("", |key| key.producer.as_str());
        if let Some(known) = state.descriptions.known(&sender.device, metadata)
            && known.producer == producer
        {
            if state.descriptions.is_news(&sender.device, known) {
                let known = Arc::clone(known);
                Arc::make_mut(&mut state.descriptions).announce(&sender.device, &known);
            }
            return Ok(());
        }
        let others = std::cell::OnceCell::new();
        let live = |id: u64| {
            others
                .get_or_init(|| state.descriptions.published_by_others(&sender.device, metadata))
                .contains(&id)
        };
        let plan = state.series.plan(&sender.device, metadata, &live);
        let (description, write) =
            state.descriptions.plan(&sender.device, producer, metadata.clone(), plan.ids.clone())?;
        let mut writes = plan.writes()?;
        writes.push(write);
        self.docs.write(writes, None)?;
        state.series.commit(plan);
        let descriptions = Arc::make_mut(&mut state.descriptions);
        descriptions.announce(&sender.device, &description);
        descriptions.commit(&sender.device, description);
        Ok(())
    }

    fn batches(&self, state: &mut State, sender: &Sender, batches: Batches<'_>, message: &DeviceMessage) {
        match resolve(state, &sender.device, batches) {
            Ok(described) => {
                let from = (sender.device.as_str(), sender.key(), sender.place);
                self.store(state, from, sender.told, batches, &described);
            }
            Err(writer) => {
                let values = batches.iter().map(|batch| batch.samples.len() as u64).sum();
                // Only UADP is readable without a description.
                self.wait(state, sender, Encoding::Uadp, writer, values, message);
            }
        }
    }

    /// Keeps a message until its description comes.
    fn wait(
        &self,
        state: &mut State,
        sender: &Sender,
        encoding: Encoding,
        writer: u16,
        values: u64,
        message: &DeviceMessage,
    ) {
        let values = values.max(1);
        if state.pending.bytes() + message.body.len() > self.options.pending_bytes_max {
            self.counters.values_lost.add(values);
            self.writer_gap(state, &sender.device, writer, Doubt::None, sender.told);
            self.problems.set(
                &*self.clock,
                "GMB-HIS-010",
                &sender.device,
                format!(
                    "Values of {} are lost: their descriptions have not come, and no more messages can wait",
                    sender.device
                ),
                "Restart the publisher, so that it sends its descriptions again",
                4,
            );
            return;
        }
        if let Some(key) = sender.key() {
            Arc::make_mut(&mut state.producers).of(key).pending += values;
        }
        self.writer_gap(state, &sender.device, writer, Doubt::Pending, sender.told);
        Arc::make_mut(&mut state.pending).push(PendingMessage {
            place: sender.place,
            device: sender.device.clone(),
            producer: sender.key().cloned(),
            encoding: Some(encoding),
            body: message.body.clone(),
            writer,
            values,
        });
    }

    /// A description came: messages that waited for it are read.
    fn read_waiting(
        &self,
        state: &mut State,
        sender: &Sender,
        metadata: &DataSetMetaData,
        decoder: &mut Decoder,
    ) {
        let writer = metadata.writer.writer;
        if !state.pending.has(&sender.device, writer) {
            return;
        }
        let waiting = Arc::make_mut(&mut state.pending).take(&sender.device, writer);
        let mut still: Vec<PendingMessage> = Vec::new();
        for mut message in waiting {
            let Some(encoding) = message.encoding else {
                self.waiting_gap(state, &message);
                continue;
            };
            let descriptions = Arc::clone(&state.descriptions);
            let decoded = decoder.decode(encoding, &message.body, &descriptions.device(&sender.device));
            let waits_for = match decoded {
                Ok(Decoded::Batches(batches)) => match resolve(state, &sender.device, batches) {
                    Ok(described) => {
                        self.settle_waiting(state, &message);
                        let from = (sender.device.as_str(), message.producer.as_ref(), message.place);
                        self.store(state, from, sender.told, batches, &described);
                        continue;
                    }
                    Err(writer) => writer,
                },
                Err(Unreadable::NeedsDescription(writer)) => writer,
                Ok(Decoded::MetaData(_)) => continue,
                Err(Unreadable::Malformed(detail)) => {
                    self.settle_waiting(state, &message);
                    self.malformed(state, sender, &detail);
                    continue;
                }
            };
            message.writer = waits_for;
            still.push(message);
        }
        let done = !still.iter().any(|message| message.writer == writer);
        let pending = Arc::make_mut(&mut state.pending);
        still.into_iter().for_each(|message| pending.push(message));
        if done {
            let ids = state.descriptions.series_of_writer_id(&sender.device, writer);
            state.ledger.settle(&ids, Doubt::Pending, false);
        }
    }

    fn settle_waiting(&self, state: &mut State, message: &PendingMessage) {
        if let Some(key) = &message.producer {
            let producer = Arc::make_mut(&mut state.producers).of(key);
            producer.pending = producer.pending.saturating_sub(message.values);
        }
    }

    /// Stores the samples of a message of a device and producer, at its place.
    fn store(
        &self,
        state: &mut State,
        (device, key, place): (&str, Option<&ProducerKey>, Place),
        told: Told,
        batches: Batches<'_>,
        described: &[Option<Arc<Description>>],
    ) {
        state.active.begin(place);
        let (mut received, mut stored) = (0_u64, 0_u64);
        for (batch, description) in batches.iter().zip(described) {
            received += batch.samples.len() as u64;
            let Some(description) = description else { continue };
            for sample in &batch.samples {
                if let Some(&series) = description.ids.get(usize::from(sample.field)) {
                    state.push(&RowRef::new(series, sample, batch, place), told, self.options.gaps_max);
                    stored += 1;
                }
            }
        }
        if stored < received {
            // The publisher broke its own description; the account shows how many values that cost.
            let writer = batches.iter().next().map_or(0, |batch| batch.writer.writer);
            self.writer_gap(state, device, writer, Doubt::None, told);
            self.counters.values_lost.add(received - stored);
        }
        self.counters.values_in.add(received);
        self.counters.values_stored.add(stored);
        if let Some(key) = key {
            let producer = Arc::make_mut(&mut state.producers).of(key);
            producer.received += received;
            producer.stored += stored;
        }
    }
}

impl State {
    fn push(&mut self, row: &RowRef<'_>, told: Told, gaps_max: usize) {
        if StatusCode(row.status).overflow() {
            let previous = self.last_time(row.series);
            self.ledger.overflowed(row, previous, told, gaps_max);
        }
        if self.ledger.has_open(row.series) {
            // Else it is in the message that is read now, which lies behind all that was told.
            let waited = (row.partition, row.offset) != (told.partition, told.offset);
            self.ledger.value_came(row, waited);
        }
        self.version += 1;
        self.active.push(row, self.version);
    }

    fn advance(&mut self, sender: &Sender) {
        self.consumed.insert(sender.place.partition, sender.place.offset + 1);
        self.heard.insert(sender.place.partition, sender.told.at);
    }

    /// Takes the newest sample and version of each series of a table over.
    fn remember_newest(&mut self, table: &Memtable) {
        let length = table.series_end();
        let last = Arc::make_mut(&mut self.last);
        if last.len() < length {
            last.resize_with(length, || None);
        }
        if self.changed.len() < length {
            self.changed.resize(length, 0);
        }
        for ((series, last), changed) in (0_u64..).zip(last).zip(&mut self.changed) {
            let Some((row, version)) = table.newest(series) else { continue };
            *changed = version;
            if last.as_ref().is_none_or(|known| known.key() <= row.key()) {
                *last = Some(row.to_row());
            }
        }
        self.last_bytes = self.last.iter().flatten().map(|row| row.cell.bytes()).sum();
    }

    fn freeze(&mut self) {
        let memtable = std::mem::take(&mut self.active);
        self.remember_newest(&memtable);
        self.dirty_since = None;
        self.frozen.push_back(Arc::new(Frozen {
            memtable,
            covered: self.consumed.clone(),
            heard: self.heard.clone(),
            last: Arc::clone(&self.last),
            producers: Arc::clone(&self.producers),
            ledger: self.ledger.snapshot(),
            pending: Arc::clone(&self.pending),
            descriptions: Arc::clone(&self.descriptions),
        }));
    }
}

fn content<'a>(
    message: &DeviceMessage,
    sender: &Sender,
    decoder: &'a mut Decoder,
    descriptions: &crate::descriptions::Descriptions,
) -> Content<'a> {
    let ours = sender.account.is_some();
    match message.property(properties::KIND) {
        Some(properties::KIND_STATUS) => return Content::Nothing { foreign: false },
        Some(properties::KIND_GAP) => {
            return super::gaps::read(&message.body).map_or_else(Content::Malformed, Content::Gap);
        }
        _ => {}
    }
    let content_type = message.system_property(properties::CONTENT_TYPE);
    let Some(encoding) = Encoding::of(content_type, ours) else {
        return Content::Nothing { foreign: true };
    };
    match decoder.decode(encoding, &message.body, &descriptions.device(&sender.device)) {
        Ok(Decoded::Batches(batches)) => Content::Batches(batches),
        Ok(Decoded::MetaData(metadata)) => Content::MetaData(metadata),
        Err(Unreadable::NeedsDescription(writer)) => Content::Waiting(encoding, writer),
        Err(Unreadable::Malformed(detail)) => Content::Malformed(detail),
    }
}

/// The description of each batch, or the first writer that lacks one. Batches without samples need none.
fn resolve(
    state: &State,
    device: &str,
    batches: Batches<'_>,
) -> std::result::Result<Vec<Option<Arc<Description>>>, u16> {
    let known = state.descriptions.device(device);
    let find = |batch: &SampleBatch| {
        if batch.samples.is_empty() {
            return Ok(None);
        }
        known.of_batch(batch.writer, batch.version).cloned().map(Some).ok_or(batch.writer.writer)
    };
    batches.iter().map(find).collect()
}
