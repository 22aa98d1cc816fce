//! The first exchange on a connection (OPC 10000-6 v1.05, 7.1.2.3).

use super::receiver::Receiver;
use crate::server::options::ServerLimits;
use opcua::core::comms::tcp_codec::Message;
use opcua::core::comms::tcp_types::AcknowledgeMessage;
use opcua::types::{SimpleBinaryEncodable, StatusCode};
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;

/// A chunk in either direction, unless the client takes less.
pub(super) const CHUNK_BYTES: u32 = 65_535;
/// What everybody must be able to take.
const CHUNK_BYTES_MIN: u32 = 8_192;

/// What the client takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) chunk: usize,
    /// Bytes in a message; 0 for any number.
    pub(super) message: usize,
    /// Chunks in a message; 0 for any number.
    pub(super) chunks: usize,
}

/// Waits for the hello; returns what the client takes, and the acknowledge to send.
pub(super) async fn greet(
    read: &mut OwnedReadHalf,
    receiver: &mut Receiver,
    limits: &ServerLimits,
) -> Result<(Sizes, Vec<u8>), StatusCode> {
    let hello = loop {
        match receiver.frame().map_err(|error| error.status())? {
            Some(Message::Hello(hello)) => break hello,
            Some(_) => return Err(StatusCode::BadTcpMessageTypeInvalid),
            None => {}
        }
        let read = read.read_buf(receiver.buffer()).await.map_err(|_| StatusCode::BadConnectionClosed)?;
        if read == 0 {
            return Err(StatusCode::BadConnectionClosed);
        }
    };
    if hello.receive_buffer_size < CHUNK_BYTES_MIN || hello.send_buffer_size < CHUNK_BYTES_MIN {
        return Err(StatusCode::BadConnectionRejected);
    }
    let sizes = Sizes {
        chunk: hello.receive_buffer_size.min(CHUNK_BYTES) as usize,
        message: hello.max_message_size as usize,
        chunks: hello.max_chunk_count as usize,
    };
    let message = u32::try_from(limits.message_bytes).unwrap_or(u32::MAX);
    let acknowledge = AcknowledgeMessage::new(
        0,
        hello.send_buffer_size.min(CHUNK_BYTES),
        sizes.chunk as u32,
        message,
        message / CHUNK_BYTES_MIN + 1,
    );
    Ok((sizes, acknowledge.encode_to_vec()))
}
