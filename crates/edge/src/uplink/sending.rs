//! One connection: reads the queue, keeps the window full, moves on with each PUBACK.

use super::{End, HubLinkOptions};
use crate::queue::{Shared, StoreAndForward};
use crate::record::{self, Entry, Message, MessageKind};
use bytes::Bytes;
use gemba_api::log::properties;
use gemba_base::Tasks;
use gemba_iothub::{Identity, MessageProperties, Topics};
use gemba_model::{DateTime, MessageId};
use gemba_net::mqtt::{Client, Event, PublishError};
use gemba_wal::{Frame, ReadItem, Reader};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// How often the state goes up. A server that dies is to be seen within five seconds.
const STATUS_INTERVAL: Duration = Duration::from_secs(2);
/// How long a stopping edge tries to deliver what waits.
const FAREWELL: Duration = Duration::from_secs(3);
/// How much of the queue is held in memory ahead of the window.
const READ_BYTES: usize = 1 << 20;

/// A message that is ready to go, or on its way.
struct Outgoing {
    topic: String,
    body: Bytes,
    /// Where it stands in the queue, and what it stands for.
    place: Place,
}

#[derive(Clone, Copy)]
struct Place {
    offset: u64,
    sequence: u64,
    /// The last message of its record.
    last: bool,
    values: u32,
    bytes: usize,
    time: DateTime,
}

/// A connection at work.
struct Sending<'a> {
    queue: &'a StoreAndForward,
    topics: Topics,
    client: Client,
    ready: VecDeque<Outgoing>,
    /// In the order sent: packet id, place, acknowledged.
    under_way: VecDeque<(u16, Place, bool)>,
    /// The number of the next message that is read, if none is missing.
    due: u64,
    /// Records before it could not be read.
    after_damage: bool,
}

pub(super) async fn serve(
    queue: &StoreAndForward,
    options: &HubLinkOptions,
    client: Client,
    renew_at: Instant,
    stop: &Tasks,
) -> End {
    let identity: Identity = match options.connection.identity() {
        Ok(identity) => identity,
        Err(error) => return End::Lost(error.to_string()),
    };
    let Some(log) = queue.shared.log() else {
        return End::Lost("the edge's queue is being opened again".into());
    };
    let unacknowledged = queue.shared.state.lock().unacknowledged;
    let mut reader = log.reader(unacknowledged.0);
    let mut sending = Sending {
        queue,
        topics: Topics::of(&identity),
        client,
        ready: VecDeque::new(),
        under_way: VecDeque::new(),
        due: unacknowledged.1,
        after_damage: false,
    };
    let mut status = interval(STATUS_INTERVAL);
    status.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut farewell: Option<Instant> = None;
    loop {
        if let Err(reason) = sending.fill(&mut reader) {
            return End::Lost(reason);
        }
        let idle = sending.ready.is_empty() && sending.under_way.is_empty();
        if let Some(deadline) = farewell
            && (idle || Instant::now() >= deadline)
        {
            sending.client.disconnect(Duration::from_secs(1)).await;
            return End::Stop;
        }
        let renewing = Instant::now() >= renew_at;
        if renewing && sending.under_way.is_empty() {
            sending.client.disconnect(Duration::from_secs(1)).await;
            return End::Renew;
        }
        if !renewing && let Err(reason) = sending.send() {
            return End::Lost(reason);
        }
        tokio::select! {
            biased;
            event = sending.client.event() => match event {
                Ok(Event::Acknowledged(id)) => sending.acknowledged(id),
                // Nothing was asked for; commands from the hub are not there yet.
                Ok(Event::Message(_) | Event::Subscribed { .. }) => {}
                Err(lost) => return End::Lost(lost.to_string()),
            },
            _ = status.tick() => {
                sending.status();
                if let Err(error) = forget_delivered(&queue.shared) {
                    tracing::warn!(error, "delivered data could not be deleted");
                }
            }
            waited = reader.wait(), if sending.ready.is_empty() => if let Err(error) = waited {
                return End::Lost(format!("the edge's queue: {error}"));
            },
            () = sleep_until(renew_at), if !renewing => {}
            () = stop.stopping(), if farewell.is_none() => farewell = Some(Instant::now() + FAREWELL),
            () = sleep_until(farewell.unwrap_or(renew_at)), if farewell.is_some() => {}
        }
    }
}

impl Sending<'_> {
    /// Reads on when nothing is ready.
    fn fill(&mut self, reader: &mut Reader) -> Result<(), String> {
        while self.ready.is_empty() {
            let items = reader.read(READ_BYTES).map_err(|error| format!("the edge's queue: {error}"))?;
            if items.is_empty() {
                return Ok(());
            }
            for item in items {
                match item {
                    ReadItem::Frame(frame) => self.prepare(&frame),
                    ReadItem::Corrupt { from_offset, next_offset } => {
                        tracing::error!(from_offset, next_offset, "records of the edge's queue are damaged");
                        self.after_damage = true;
                    }
                    // The gap record of what was dropped is further on in the queue.
                    ReadItem::Trimmed { .. } => {}
                }
            }
        }
        Ok(())
    }

    fn prepare(&mut self, frame: &Frame) {
        let unacknowledged = self.queue.shared.state.lock().unacknowledged.1;
        let first = self.ready.len();
        let entries = || record::entries(&frame.payload).into_iter().flatten().flatten();
        let life = record::life(&frame.payload);
        for entry in entries() {
            let Entry::Message(message) = entry else { continue };
            if std::mem::take(&mut self.after_damage) {
                self.queue.shared.damaged(self.due.max(unacknowledged), message.sequence);
            }
            self.due = message.sequence + 1;
            if message.sequence >= unacknowledged {
                let outgoing = self.outgoing(frame, &message, life);
                self.ready.push_back(outgoing);
            }
        }
        let is_empty = self.ready.len() == first;
        match self.ready.back_mut() {
            Some(outgoing) if !is_empty => outgoing.place.last = true,
            // A record with nothing to send is delivered as soon as all before it is.
            _ => self.skip(frame.offset),
        }
    }

    fn skip(&self, offset: u64) {
        if self.ready.is_empty() && self.under_way.is_empty() {
            let mut state = self.queue.shared.state.lock();
            state.unacknowledged.0 = state.unacknowledged.0.max(offset + 1);
        }
    }

    fn outgoing(&self, frame: &Frame, message: &Message<'_>, life: Option<u64>) -> Outgoing {
        let shared = &self.queue.shared;
        let id = MessageId {
            producer: shared.options.producer.clone(),
            epoch: shared.epoch,
            sequence: message.sequence,
        };
        let kind = match message.kind {
            MessageKind::Data => properties::KIND_DATA,
            MessageKind::MetaData => properties::KIND_METADATA,
            MessageKind::Gap => properties::KIND_GAP,
        };
        let content_type = match (message.kind, message.uadp) {
            (MessageKind::Gap, _) => "application/json",
            (_, true) => properties::UADP,
            (_, false) => properties::JSON,
        };
        let mut bag = MessageProperties {
            system: vec![
                (properties::MESSAGE_ID.to_owned(), id.to_string()),
                (properties::CONTENT_TYPE.to_owned(), content_type.to_owned()),
            ],
            application: vec![
                (properties::KIND.to_owned(), kind.to_owned()),
                (properties::VALUES.to_owned(), message.values.to_string()),
            ],
        };
        let life = life.map(|life| (properties::LIFE.to_owned(), format!("{life:016x}")));
        bag.application.extend(life);
        let place = Place {
            offset: frame.offset,
            sequence: message.sequence,
            last: false,
            values: message.values,
            bytes: message.body.len(),
            time: frame.time,
        };
        Outgoing {
            topic: self.topics.event(&bag.to_bag()),
            body: frame.payload.slice_ref(message.body),
            place,
        }
    }

    /// Fills the window.
    fn send(&mut self) -> Result<(), String> {
        let dropped_below = self.queue.shared.state.lock().unacknowledged.1;
        while let Some(outgoing) = self.ready.front() {
            if outgoing.place.sequence < dropped_below {
                // Given up meanwhile: its gap record says that it never comes.
                self.ready.pop_front();
                continue;
            }
            match self.client.publish(outgoing.topic.clone(), outgoing.body.clone()) {
                Ok(id) => {
                    self.under_way.push_back((id.get(), outgoing.place, false));
                    self.ready.pop_front();
                }
                Err(PublishError::WindowFull) => break,
                Err(error @ PublishError::TooLarge { .. }) => return Err(error.to_string()),
            }
        }
        Ok(())
    }

    /// The hub has it durably. Progress is counted in order, so that a hole is sent again.
    fn acknowledged(&mut self, id: gemba_net::mqtt::PacketId) {
        if let Some(entry) = self.under_way.iter_mut().find(|(packet, _, done)| *packet == id.get() && !done)
        {
            entry.2 = true;
        }
        let shared = &self.queue.shared;
        while let Some((_, place, true)) = self.under_way.front().copied() {
            self.under_way.pop_front();
            let mut state = shared.state.lock();
            // What was dropped meanwhile lies behind: never go back.
            let (offset, sequence) = state.unacknowledged;
            let reached = (place.offset + u64::from(place.last), place.sequence + 1);
            state.unacknowledged = (offset.max(reached.0), sequence.max(reached.1));
            if place.sequence >= sequence {
                state.values_waiting = state.values_waiting.saturating_sub(u64::from(place.values));
            }
            let next = self.under_way.front().map(|(_, place, _)| place.time);
            let next = next.or_else(|| self.ready.front().map(|outgoing| outgoing.place.time));
            let all_sent = state.unacknowledged.1 >= state.next_sequence;
            state.oldest_waiting = if all_sent { None } else { next.or(state.oldest_waiting) };
            drop(state);
            shared.counters.values_out.add(u64::from(place.values));
            shared.counters.messages_out.add(1);
            shared.counters.bytes_out.add(place.bytes as u64);
        }
    }

    /// Sends the state, if there is room; the next one comes soon.
    fn status(&mut self) {
        let message = self.queue.shared.status(None);
        let body = serde_json::to_vec(&message).unwrap_or_default();
        let bag = MessageProperties {
            system: vec![(properties::CONTENT_TYPE.to_owned(), "application/json".to_owned())],
            application: vec![(properties::KIND.to_owned(), properties::KIND_STATUS.to_owned())],
        };
        if let Err(error) =
            self.client.publish_at_most_once(self.topics.event(&bag.to_bag()), Bytes::from(body))
        {
            tracing::debug!(%error, "the state was not sent");
        }
    }
}

/// Deletes segments of which everything was acknowledged, after the checkpoint says so.
fn forget_delivered(shared: &Shared) -> Result<(), String> {
    let Some(log) = shared.log() else { return Ok(()) };
    let delivered = shared.state.lock().unacknowledged.0;
    let oldest = log.oldest_segment().map_err(|error| error.to_string())?;
    if oldest.is_none_or(|segment| !segment.trimmable || segment.last_offset >= delivered) {
        return Ok(());
    }
    shared.save_checkpoint().map_err(|error| error.to_string())?;
    log.trim_before(delivered).map(drop).map_err(|error| error.to_string())
}
