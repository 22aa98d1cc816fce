//! Packets over a stream, in both directions at once, with bounded memory.

use super::Packet;
use bytes::BytesMut;
use rmqtt_codec::error::DecodeError;
use rmqtt_codec::v3::Codec;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_util::codec::{Decoder, Encoder};
use tokio_util::io::{poll_read_buf, poll_write_buf};

/// Largest packet of a peer that has proven nothing yet. The codec reserves what a packet announces, so
/// this is also what a stranger can make us reserve.
pub const PACKET_BYTES_MAX_UNPROVEN: u32 = 16 * 1024;

/// Largest packet of an accepted peer: 256 KiB of payload and 64 KiB of topic.
pub const PACKET_BYTES_MAX: u32 = 320 * 1024;

/// Reads begin with this room and double while they fill it: ten thousand idle connections must not hold
/// the buffers of ten thousand busy ones.
const ROOM_MIN: usize = 4 * 1024;
const ROOM_MAX: usize = 64 * 1024;

/// Why no further packet comes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveError {
    /// The peer closed the connection.
    #[error("the peer closed the connection{}", if *.inside_a_packet { " inside a packet" } else { "" })]
    Closed {
        /// Whether a part of a packet was there.
        inside_a_packet: bool,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// A packet announced more than is allowed.
    #[error("a packet announces {announced} bytes, {limit} are allowed")]
    TooLarge {
        /// Announced.
        announced: u32,
        /// Allowed.
        limit: u32,
    },
    /// The peer wants another version of MQTT.
    #[error("the peer wants a version of MQTT other than 3.1.1")]
    OtherVersion,
    /// The bytes are not MQTT.
    #[error("malformed packet: {0}")]
    Malformed(String),
}

/// What packets travel over: TLS, plain, or memory in tests.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}

/// A stream of packets. All waiting is cancel-safe: no byte and no packet is lost when a future is dropped.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    codec: Codec,
    inbound: BytesMut,
    outbound: BytesMut,
    room: usize,
    unflushed: bool,
    written: u64,
    begin: Begin,
}

/// What is known about the first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// It must be that of CONNECT, and nothing has come yet.
    MustConnect,
    /// It was right, or any packet may come.
    Free,
}

/// Packet type and flags of CONNECT (MQTT 3.1.1, 3.1.1).
const CONNECT: u8 = 0x10;

impl<S: ByteStream> Connection<S> {
    /// A connection to a peer that has proven nothing: its first packet must be CONNECT, and packets must be
    /// small, until [`Connection::trust`].
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            codec: Codec::new(PACKET_BYTES_MAX_UNPROVEN),
            inbound: BytesMut::new(),
            outbound: BytesMut::new(),
            room: ROOM_MIN,
            unflushed: false,
            written: 0,
            begin: Begin::MustConnect,
        }
    }

    /// Accepts any packet of up to `bytes_max` from now on.
    pub fn trust(&mut self, bytes_max: u32) {
        self.begin = Begin::Free;
        self.codec.set_max_size(bytes_max);
    }

    /// Puts a packet at the end of what is to be written. It is written by [`Connection::receive`],
    /// [`Connection::write_only`] or [`Connection::flush`]; whoever queues must look at
    /// [`Connection::unwritten`], because the buffer grows.
    pub fn queue(&mut self, packet: Packet) {
        // Encoding fails for a QoS 1 PUBLISH without packet id and for lengths that MQTT cannot express; both are
        // ruled out by the callers' types and limits, and a packet that cannot be said is not sent.
        if let Err(error) = self.codec.encode(packet, &mut self.outbound) {
            tracing::error!(?error, "a packet could not be encoded");
        }
    }

    /// What is queued and not yet taken by the stream.
    pub fn unwritten_bytes(&self) -> &[u8] {
        &self.outbound
    }

    /// Bytes queued and not yet taken by the stream.
    pub fn unwritten(&self) -> usize {
        self.outbound.len()
    }

    /// Bytes received whose packets have not been taken yet.
    pub fn unread(&self) -> usize {
        self.inbound.len()
    }

    /// Bytes taken by the stream so far; stands still while the peer does not read.
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// The next packet of those that have already been received, without waiting.
    ///
    /// # Errors
    /// [`ReceiveError`]; the connection is of no use then.
    pub fn received(&mut self) -> Result<Option<Packet>, ReceiveError> {
        if self.begin == Begin::MustConnect
            && let Some(first) = self.inbound.first()
        {
            // The codec looks at the type only when the whole packet is there; HTTP would wait for its 69th byte.
            if *first != CONNECT {
                return Err(ReceiveError::Malformed("a connection begins with CONNECT".into()));
            }
            self.begin = Begin::Free;
        }
        match self.codec.decode(&mut self.inbound) {
            Ok(packet) => Ok(packet.map(|(packet, _)| packet)),
            Err(DecodeError::MaxSizeExceeded { size, max }) => {
                Err(ReceiveError::TooLarge { announced: size, limit: max })
            }
            Err(DecodeError::UnsupportedProtocolLevel) => Err(ReceiveError::OtherVersion),
            Err(error) => Err(ReceiveError::Malformed(error.to_string())),
        }
    }

    /// Waits for the next packet, and writes meanwhile what is queued.
    ///
    /// # Errors
    /// [`ReceiveError`]; the connection is of no use then.
    pub async fn receive(&mut self) -> Result<Packet, ReceiveError> {
        poll_fn(|cx| self.poll_receive(cx)).await
    }

    /// Writes what is queued and reads nothing: back-pressure on the peer. Ends only with an error.
    pub async fn write_only(&mut self) -> ReceiveError {
        poll_fn(|cx| match self.poll_outbound(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(error),
            // All is written; whoever queues more polls again.
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Writes all that is queued. Bound it in time: a peer that does not read makes it wait.
    ///
    /// # Errors
    /// [`ReceiveError::Broken`].
    pub async fn flush(&mut self) -> Result<(), ReceiveError> {
        poll_fn(|cx| self.poll_outbound(cx)).await
    }

    /// Writes all that is queued and says goodbye to the stream below. Bound it in time.
    ///
    /// # Errors
    /// [`ReceiveError::Broken`].
    pub async fn close(mut self) -> Result<(), ReceiveError> {
        self.flush().await?;
        self.stream.shutdown().await.map_err(|error| broken(&error))
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Packet, ReceiveError>> {
        if let Poll::Ready(Err(error)) = self.poll_outbound(cx) {
            return Poll::Ready(Err(error));
        }
        loop {
            if let Some(packet) = self.received()? {
                return Poll::Ready(Ok(packet));
            }
            self.inbound.reserve(self.room);
            match ready!(poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.inbound)) {
                Ok(0) => {
                    let inside_a_packet = !self.inbound.is_empty();
                    return Poll::Ready(Err(ReceiveError::Closed { inside_a_packet }));
                }
                Ok(count) if count >= self.room => self.room = (self.room * 2).min(ROOM_MAX),
                Ok(count) if count < self.room / 4 => self.room = (self.room / 2).max(ROOM_MIN),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(broken(&error))),
            }
        }
    }

    fn poll_outbound(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ReceiveError>> {
        while !self.outbound.is_empty() {
            match ready!(poll_write_buf(Pin::new(&mut self.stream), cx, &mut self.outbound)) {
                Ok(0) => return Poll::Ready(Err(ReceiveError::Broken("nothing could be written".into()))),
                Ok(count) => {
                    self.written += count as u64;
                    self.unflushed = true;
                }
                Err(error) => return Poll::Ready(Err(broken(&error))),
            }
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx)).map_err(|error| broken(&error))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

fn broken(error: &std::io::Error) -> ReceiveError {
    ReceiveError::Broken(error.to_string())
}

#[cfg(test)]
mod tests;
