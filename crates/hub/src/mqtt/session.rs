//! An accepted connection: publishes in, acknowledgements out, in order, until it ends for a reason.
//!
//! Messages are appended as they are read, those that came together as one append, without waiting for those before;
//! acknowledgements follow in the same order when the log says that they are durable. When too much waits, the socket
//! is not read.

mod deadlines;

use super::Shared;
use super::batch::{Batch, Published};
use super::handshake::Accepted;
use super::tickets::{Done, Ticket, Tickets};
use super::twin;
use crate::log::{Partition, Unavailable, encode};
use crate::reason::{End, EndReason};
use bytes::Bytes;
use gemba_api::{BoxFuture, DeviceMessage};
use gemba_iothub::{DeviceTopic, Filter, Identity, MessageProperties, Topics};
use gemba_model::DateTime;
use gemba_net::mqtt::{
    ByteStream, Connection, LastWill, Packet, PacketId, Publish, QoS, ReceiveError, SubscribeReturnCode,
};
use gemba_wal::{AppendError, AppendTicket, Fence};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::time::{Instant, sleep_until};

/// What a message with RETAIN carries on: nothing is retained, and whoever reads is told that it was wanted.
/// The service does the same.
const RETAINED: (&str, &str) = ("mqtt-retain", "true");

/// Answers that a client may leave unread before its publishes are not read either.
const UNWRITTEN_MAX: usize = 256 * 1024;

/// Messages that found the log's queue full, on their way into it.
struct Blocked {
    append: BoxFuture<'static, Result<AppendTicket, AppendError>>,
    ticket: Ticket,
}

/// Answers wait for the client to read, as seen at the last look.
struct Unread {
    /// How much it had taken.
    written: u64,
    /// Since when it has taken nothing.
    since: Instant,
}

pub(super) struct Session<'a, S> {
    shared: Arc<Shared>,
    connection: &'a mut Connection<S>,
    accepted: Accepted,
    topics: Topics,
    device: String,
    module: Option<String>,
    /// What the present look at the socket brought.
    batch: Batch,
    tickets: Tickets,
    /// What came behind a refused message is refused, too: the device sends both again, in order.
    fence: Fence,
    blocked: Option<Blocked>,
    subscribed: BTreeSet<Filter>,
    last_packet: Instant,
    /// The wall clock then.
    arrived: DateTime,
    unread: Option<Unread>,
}

impl<'a, S: ByteStream> Session<'a, S> {
    pub(super) fn new(shared: Arc<Shared>, connection: &'a mut Connection<S>, accepted: Accepted) -> Self {
        let Identity { device, module } = &accepted.identity;
        Self {
            topics: Topics::of(&accepted.identity),
            device: device.to_string(),
            module: module.as_ref().map(ToString::to_string),
            batch: Batch::default(),
            tickets: Tickets::default(),
            fence: Fence::default(),
            blocked: None,
            subscribed: BTreeSet::new(),
            last_packet: Instant::now(),
            arrived: shared.parts.clock.now(),
            unread: None,
            shared,
            connection,
            accepted,
        }
    }

    /// Runs to the end and says why it came. The last will is sent unless the client said goodbye.
    pub(super) async fn run(mut self) -> End {
        let end = match self.serve().await {
            Ok(never) => never,
            Err(end) => end,
        };
        if end.reason != EndReason::Disconnected
            && let Some(will) = self.accepted.will.take()
        {
            self.send_will(&will);
        }
        end
    }

    async fn serve(&mut self) -> Result<End, End> {
        let timer = sleep_until(self.next_look());
        // Once for the connection: each new wait would take the lock that all connections share.
        let stop = self.shared.tasks.stop_token();
        let stopping = stop.cancelled();
        tokio::pin!(timer, stopping);
        loop {
            let reading = self.may_read();
            tokio::select! {
                biased;
                end = &mut self.accepted.place.kicked => {
                    return Err(end.unwrap_or_else(|_| EndReason::Stopping.into()));
                }
                () = &mut stopping => return Err(EndReason::Stopping.into()),
                done = self.tickets.ready(), if !self.tickets.is_empty() => {
                    let done = done.map_err(|error| unavailable(&self.accepted.partition, &error))?;
                    self.answer(done);
                }
                queued = queued(&mut self.blocked), if self.blocked.is_some() => self.unblock(queued)?,
                packet = move_bytes(self.connection, reading) => {
                    // One look at the clock for all that came at once.
                    self.last_packet = Instant::now();
                    self.arrived = self.shared.parts.clock.now();
                    let taken = self.take_all(packet);
                    // What came before a mistake counts.
                    self.append_batch()?;
                    taken?;
                }
                () = &mut timer => self.look(timer.as_mut())?,
            }
        }
    }

    fn take_all(&mut self, packet: Result<Packet, ReceiveError>) -> Result<(), End> {
        self.take(packet?)?;
        while self.may_read()
            && let Some(packet) = self.connection.received()?
        {
            self.take(packet)?;
        }
        Ok(())
    }

    fn may_read(&self) -> bool {
        let options = &self.shared.options;
        self.blocked.is_none()
            && self.tickets.len() + self.batch.len() < options.waiting_messages_max
            && self.tickets.bytes() + self.batch.bytes() < options.waiting_bytes_max
            && self.connection.unwritten() < UNWRITTEN_MAX
    }

    fn take(&mut self, packet: Packet) -> Result<(), End> {
        match packet {
            Packet::Publish(message) => self.publish(*message),
            Packet::PingRequest => {
                self.connection.queue(Packet::PingResponse);
                Ok(())
            }
            Packet::Subscribe { packet_id, topic_filters } => {
                let status = topic_filters.iter().map(|(filter, qos)| self.subscribe(filter, *qos)).collect();
                self.connection.queue(Packet::SubscribeAck { packet_id, status });
                Ok(())
            }
            Packet::Unsubscribe { packet_id, topic_filters } => {
                for filter in &topic_filters {
                    if let Some(filter) = self.topics.filter(filter) {
                        self.subscribed.remove(&filter);
                    }
                }
                self.connection.queue(Packet::UnsubscribeAck { packet_id });
                Ok(())
            }
            // Nothing is sent with QoS 1 yet, so this acknowledges nothing.
            Packet::PublishAck { .. } => Ok(()),
            Packet::Disconnect => Err(EndReason::Disconnected.into()),
            Packet::Connect(_) => Err(End::new(EndReason::Malformed, "a second CONNECT")),
            other => {
                let detail = format!("a packet of type {:#04x} from a client", other.packet_type());
                Err(End::new(EndReason::Malformed, detail))
            }
        }
    }

    /// Grants documented filters, with QoS 1 at most, and refuses all others.
    fn subscribe(&mut self, filter: &str, qos: QoS) -> SubscribeReturnCode {
        match self.topics.filter(filter) {
            Some(known) => {
                self.subscribed.insert(known);
                let at_most_once = qos == QoS::AtMostOnce;
                SubscribeReturnCode::Success(if at_most_once { QoS::AtMostOnce } else { QoS::AtLeastOnce })
            }
            None => {
                let filter: String = filter.chars().take(256).collect();
                tracing::info!(device = self.device, filter, "subscription refused");
                SubscribeReturnCode::Failure
            }
        }
    }

    fn publish(&mut self, message: Publish) -> Result<(), End> {
        if message.qos == QoS::ExactlyOnce {
            return Err(EndReason::QosTwo.into());
        }
        match self.topics.read(&message.topic)? {
            DeviceTopic::Event { bag } => {
                let more = if message.retain { &[RETAINED][..] } else { &[] };
                let (packet_id, payload) = (message.packet_id, message.payload.clone());
                self.append(self.message(bag, payload, more, self.arrived)?, packet_id)
            }
            DeviceTopic::TwinRead { request_id } | DeviceTopic::TwinReported { request_id } => {
                self.shared.counters.twin_operations.add(1);
                // Whoever has not subscribed to answers gets none, as from the service.
                if self.subscribed.contains(&Filter::TwinResponses) {
                    self.connection.queue(twin::not_available(request_id));
                }
                self.answer_in_turn(message.packet_id);
                Ok(())
            }
            DeviceTopic::MethodResponse { .. } => {
                self.shared.counters.unanswered_methods.add(1);
                self.answer_in_turn(message.packet_id);
                Ok(())
            }
        }
    }

    fn message(
        &self,
        bag: &str,
        body: Bytes,
        more: &[(&str, &str)],
        enqueued: DateTime,
    ) -> Result<DeviceMessage, End> {
        let mut properties = MessageProperties::from_device(bag)?;
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        properties.application.extend(more);
        properties.check_message_size(body.len())?;
        Ok(DeviceMessage {
            device: self.device.clone(),
            module: self.module.clone(),
            enqueued,
            system: properties.system,
            properties: properties.application,
            body,
        })
    }

    fn append(&mut self, message: DeviceMessage, packet_id: Option<PacketId>) -> Result<(), End> {
        let values = message.values();
        if values > 0 {
            self.shared.counters.values.add(values);
        }
        if !self.batch.has_room(&message, self.accepted.partition.batch_bytes_max()) {
            self.append_batch()?;
        }
        let tap = self.shared.parts.tap.as_ref();
        let wanted = tap.filter(|tap| tap.wants(&message)).map(|_| Box::new(message.clone()));
        let publish = Published { packet_id, kept: true, wanted };
        self.batch.push(&message, publish, self.connection.unread());
        Ok(())
    }

    /// Queues what was batched. While what came before is blocked it stays: that unblocks it too.
    fn append_batch(&mut self) -> Result<(), End> {
        if self.blocked.is_some() || self.batch.is_empty() {
            return Ok(());
        }
        let (records, ticket) = self.batch.take(self.last_packet);
        if records.is_empty() {
            self.tickets.push(ticket);
            return Ok(());
        }
        let partition = &self.accepted.partition;
        match partition.try_append_all(records, &self.fence) {
            Ok(append) => {
                self.tickets.push(ticket.waiting_for(append));
                Ok(())
            }
            Err((AppendError::QueueFull { .. }, records)) => {
                let (partition, fence) = (partition.clone(), self.fence.clone());
                let append = Box::pin(async move { partition.append_all(records, &fence).await });
                self.blocked = Some(Blocked { append, ticket });
                Ok(())
            }
            Err((error, _)) => Err(unavailable(partition, &error)),
        }
    }

    fn unblock(&mut self, queued: Result<AppendTicket, AppendError>) -> Result<(), End> {
        let Some(Blocked { ticket, .. }) = self.blocked.take() else { return Ok(()) };
        let append = queued.map_err(|error| unavailable(&self.accepted.partition, &error))?;
        self.tickets.push(ticket.waiting_for(append));
        self.append_batch()
    }

    /// Acknowledges a publish that is not kept, behind all before it (MQTT 3.1.1, 4.6).
    fn answer_in_turn(&mut self, packet_id: Option<PacketId>) {
        if let Some(packet_id) = packet_id {
            self.batch.push_answer(packet_id);
        }
    }

    fn answer(&mut self, done: Vec<Done>) {
        let (mut messages, mut bytes) = (0, 0);
        for Done { publishes, bytes: some, first_offset } in done {
            bytes += some as u64;
            let mut offset = first_offset;
            for one in publishes {
                if let Some(packet_id) = one.packet_id {
                    self.connection.queue(Packet::PublishAck { packet_id });
                }
                if let (Some(message), Some(tap)) = (one.wanted, &self.shared.parts.tap) {
                    tap.durable(*message, self.accepted.partition.index(), offset);
                }
                let kept = u64::from(one.kept);
                offset += kept;
                messages += kept;
            }
        }
        if messages > 0 {
            self.accepted.partition.succeeded();
            self.shared.counters.messages.add(messages);
            self.shared.counters.bytes.add(bytes);
        }
    }

    /// Nobody is there to be told whether it became durable.
    fn send_will(&self, will: &LastWill) {
        let Ok(DeviceTopic::Event { bag }) = self.topics.read(&will.topic) else { return };
        let more = [("iothub-MessageType", "Will"), RETAINED];
        let more = if will.retain { &more[..] } else { &more[..1] };
        let message = self.message(bag, will.message.clone(), more, self.shared.parts.clock.now());
        let queued = message.map(|message| self.accepted.partition.try_append(encode(&message)));
        if !matches!(queued, Ok(Ok(_))) {
            tracing::warn!(device = self.device, "the last will could not be kept");
        }
    }
}

/// Writes what waits, and reads the next packet unless the client has to wait.
async fn move_bytes<S: ByteStream>(
    connection: &mut Connection<S>,
    reading: bool,
) -> Result<Packet, ReceiveError> {
    if reading { connection.receive().await } else { Err(connection.write_only().await) }
}

async fn queued(blocked: &mut Option<Blocked>) -> Result<AppendTicket, AppendError> {
    match blocked {
        Some(blocked) => blocked.append.as_mut().await,
        None => std::future::pending().await,
    }
}

fn unavailable(partition: &Partition, error: &AppendError) -> End {
    let Unavailable { code, detail } = partition.failed(error);
    End::new(EndReason::LogUnavailable, format!("{code}: {detail}"))
}
