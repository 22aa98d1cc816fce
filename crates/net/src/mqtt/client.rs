//! The client of an uplink: pipelined QoS 1 publishes within a window, on one connection.
//!
//! It has no task and no reconnect of its own. The owner publishes while there is room and awaits
//! [`Client::event`], which moves the bytes; when that fails, the owner knows what was not acknowledged and
//! connects anew.

mod dial;
mod words;

use super::connection::{Connection, PACKET_BYTES_MAX};
use super::window::{PacketId, Window};
use super::{Connect, ConnectAckReason, Packet, QoS, SubscribeReturnCode, publish};
use crate::error::ConnectError;
use bytes::Bytes;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

pub use dial::{Dial, Dialling, Duplex};
pub use words::{ClientOptions, Event, Lost, PublishError};

/// An accepted connection to an MQTT server.
#[derive(Debug)]
pub struct Client {
    connection: Connection<Box<dyn Duplex>>,
    window: Window,
    keep_alive: Duration,
    acknowledged_within: Duration,
    window_bytes: usize,
    /// When something was last queued; decides about the next ping.
    last_sent: Instant,
    /// Since when a ping is unanswered.
    asked: Option<Instant>,
}

impl Client {
    /// Connects (a [`crate::tls::Connector`] does so with TLS) and is accepted, all within `options.connect_within`.
    ///
    /// # Errors
    /// [`ConnectError`]; its `needs_a_person` tells wrong credentials from a server that is away.
    pub async fn connect(dial: &dyn Dial, options: &ClientOptions) -> Result<Self, ConnectError> {
        let target = format!("{}:{}", options.host, options.port);
        let handshake = async {
            let stream = dial.dial(&options.host, options.port, options.connect_within).await?;
            let mut connection = Connection::new(stream);
            connection.trust(PACKET_BYTES_MAX);
            connection.queue(Packet::Connect(Box::new(Connect {
                clean_session: options.clean_session,
                keep_alive: u16::try_from(options.keep_alive.as_secs()).unwrap_or(u16::MAX),
                client_id: options.client_id.clone().into(),
                username: Some(options.user_name.clone().into()),
                password: Some(Bytes::copy_from_slice(options.password.reveal().as_bytes())),
                ..Connect::default()
            })));
            let ended = |detail: String| ConnectError::Mqtt { target: target.clone(), detail };
            match connection.receive().await.map_err(|error| ended(error.to_string()))? {
                Packet::ConnectAck(ack) => match ack.return_code {
                    ConnectAckReason::ConnectionAccepted => Ok(connection),
                    reason => Err(ConnectError::Refused { target: target.clone(), reason }),
                },
                other => Err(ended(format!("unexpected packet of type {:#04x}", other.packet_type()))),
            }
        };
        let connection = match timeout(options.connect_within, handshake).await {
            Ok(connection) => connection?,
            Err(_) => {
                let seconds = options.connect_within.as_secs();
                return Err(ConnectError::Timeout { target, seconds });
            }
        };
        Ok(Self {
            connection,
            window: Window::new(options.window_messages, options.window_bytes),
            keep_alive: options.keep_alive.max(Duration::from_millis(1)),
            acknowledged_within: options.acknowledged_within,
            window_bytes: options.window_bytes,
            last_sent: Instant::now(),
            asked: None,
        })
    }

    /// Whether [`Client::publish`] would take a message of so many bytes of topic and payload now.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.window.has_room(bytes)
    }

    /// Queues a QoS 1 message; [`Client::event`] sends it and reports [`Event::Acknowledged`] with this id.
    ///
    /// # Errors
    /// [`PublishError`]; nothing was queued then.
    pub fn publish(&mut self, topic: String, payload: Bytes) -> Result<PacketId, PublishError> {
        let bytes = Self::check_size(&topic, &payload)?;
        if !self.window.has_room(bytes) {
            return Err(PublishError::WindowFull);
        }
        let id = self.window.admit(bytes, Instant::now());
        self.send(publish(topic, payload, Some(id)));
        Ok(id)
    }

    /// Queues a QoS 0 message, which nobody acknowledges.
    ///
    /// # Errors
    /// [`PublishError`]; the window counts unwritten bytes here.
    pub fn publish_at_most_once(&mut self, topic: String, payload: Bytes) -> Result<(), PublishError> {
        let bytes = Self::check_size(&topic, &payload)?;
        if self.connection.unwritten() > 0 && self.connection.unwritten() + bytes > self.window_bytes {
            return Err(PublishError::WindowFull);
        }
        self.send(publish(topic, payload, None));
        Ok(())
    }

    /// Asks for messages; [`Event::Subscribed`] answers.
    pub fn subscribe(&mut self, filters: &[(&str, QoS)]) -> PacketId {
        let packet_id = self.window.free_id();
        let topic_filters = filters.iter().map(|(filter, qos)| ((*filter).into(), *qos)).collect();
        self.send(Packet::Subscribe { packet_id, topic_filters });
        packet_id
    }

    /// Takes over a received QoS 1 message.
    pub fn acknowledge(&mut self, packet_id: PacketId) {
        self.send(Packet::PublishAck { packet_id });
    }

    /// Messages that are not acknowledged, oldest first.
    pub fn unacknowledged(&self) -> impl Iterator<Item = PacketId> {
        self.window.ids()
    }

    /// Number of messages that are not acknowledged.
    pub fn in_flight(&self) -> usize {
        self.window.len()
    }

    /// Moves bytes in both directions until the server says something. Nothing happens on the connection, pings
    /// included, while nobody awaits this; dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Lost`]; the client is of no use then.
    pub async fn event(&mut self) -> Result<Event, Lost> {
        loop {
            let due = self.due();
            let packet = tokio::select! {
                biased;
                packet = self.connection.receive() => packet?,
                () = sleep_until(due) => {
                    self.on_time(Instant::now())?;
                    continue;
                }
            };
            // Whatever the server says, it lives.
            self.asked = None;
            match packet {
                Packet::PublishAck { packet_id } => {
                    if self.window.acknowledge(packet_id) {
                        return Ok(Event::Acknowledged(packet_id));
                    }
                    tracing::debug!(packet_id, "acknowledgement of a message that is not on its way");
                }
                Packet::Publish(message) => return Ok(Event::Message(message)),
                Packet::SubscribeAck { packet_id, status } => {
                    let granted = status
                        .into_iter()
                        .map(|code| match code {
                            SubscribeReturnCode::Success(qos) => Some(qos),
                            SubscribeReturnCode::Failure => None,
                        })
                        .collect();
                    return Ok(Event::Subscribed { packet_id, granted });
                }
                Packet::PingResponse | Packet::UnsubscribeAck { .. } => {}
                other => return Err(Lost::Unexpected(other.packet_type())),
            }
        }
    }

    /// Says goodbye and closes; gives up after `within`.
    pub async fn disconnect(mut self, within: Duration) {
        self.connection.queue(Packet::Disconnect);
        // A connection that cannot be closed in order is closed by dropping it.
        drop(timeout(within, self.connection.close()).await);
    }

    fn check_size(topic: &str, payload: &Bytes) -> Result<usize, PublishError> {
        let (topic, payload) = (topic.len(), payload.len());
        if topic > 65_535 || payload > 262_144 {
            return Err(PublishError::TooLarge { topic, payload });
        }
        Ok(topic + payload)
    }

    fn send(&mut self, packet: Packet) {
        self.connection.queue(packet);
        self.last_sent = Instant::now();
    }

    fn due(&self) -> Instant {
        let ping = match self.asked {
            Some(since) => since + self.keep_alive,
            None => self.last_sent + self.keep_alive / 2,
        };
        self.window.oldest().map_or(ping, |oldest| ping.min(oldest + self.acknowledged_within))
    }

    fn on_time(&mut self, now: Instant) -> Result<(), Lost> {
        if self.window.oldest().is_some_and(|oldest| oldest + self.acknowledged_within <= now) {
            return Err(Lost::Unacknowledged(self.acknowledged_within));
        }
        match self.asked {
            Some(since) if since + self.keep_alive <= now => Err(Lost::Silent(self.keep_alive)),
            Some(_) => Ok(()),
            None => {
                if self.last_sent + self.keep_alive / 2 <= now {
                    self.send(Packet::PingRequest);
                    self.asked = Some(now);
                }
                Ok(())
            }
        }
    }
}
