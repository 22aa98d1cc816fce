//! MQTT 3.1.1: packets, a framed connection with limits, and the client of an uplink.
//!
//! The codec is `rmqtt-codec`; only this module names it. What topics mean is not known here.

mod client;
mod connection;
mod window;

pub use client::{Client, ClientOptions, Dial, Dialling, Duplex, Event, Lost, PublishError};
pub use connection::{ByteStream, Connection, PACKET_BYTES_MAX, PACKET_BYTES_MAX_UNPROVEN, ReceiveError};
pub use rmqtt_codec::types::{Protocol, Publish, QoS};
pub use rmqtt_codec::v3::{Connect, ConnectAck, ConnectAckReason, LastWill, Packet, SubscribeReturnCode};
pub use window::PacketId;

/// A QoS 0 or 1 PUBLISH.
pub fn publish(topic: String, payload: bytes::Bytes, packet_id: Option<PacketId>) -> Packet {
    Packet::Publish(Box::new(Publish {
        dup: false,
        retain: false,
        qos: if packet_id.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce },
        topic: topic.into(),
        packet_id,
        payload,
        properties: None,
    }))
}
