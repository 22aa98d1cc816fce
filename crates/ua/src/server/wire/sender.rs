//! From answers to bytes: chunks, security.

use super::hello::Sizes;
use bytes::{Bytes, BytesMut};
use opcua::core::comms::chunker::Chunker;
use opcua::core::comms::message_chunk::{MessageChunk, MessageChunkType, MessageIsFinalType};
use opcua::core::comms::secure_channel::SecureChannel;
use opcua::core::comms::sequence_number::SequenceNumberHandle;
use opcua::core::comms::tcp_types::ErrorMessage;
use opcua::core::{Message, MessageType, ResponseMessage};
use opcua::types::{
    BinaryEncodable, Context, EncodingResult, Error, NodeId, ObjectId, SimpleBinaryEncodable, StatusCode,
};
use std::io::{Read, Write};

/// An answer that is encoded already, but for its type.
#[derive(Debug)]
pub(in crate::server) struct RawAnswer {
    pub(in crate::server) type_id: u32,
    pub(in crate::server) handle: u32,
    /// Three parts, so that the large one in the middle is never copied for it.
    pub(in crate::server) parts: [Bytes; 3],
}

impl BinaryEncodable for RawAnswer {
    fn byte_len(&self, _: &Context<'_>) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    fn encode<S: Write + ?Sized>(&self, stream: &mut S, _: &Context<'_>) -> EncodingResult<()> {
        for part in &self.parts {
            stream.write_all(part).map_err(|error| Error::encoding(error.to_string()))?;
        }
        Ok(())
    }
}

impl MessageType for RawAnswer {
    fn message_type(&self) -> MessageChunkType {
        MessageChunkType::Message
    }
}

impl Message for RawAnswer {
    fn request_handle(&self) -> u32 {
        self.handle
    }

    fn decode_by_object_id<S: Read>(_: &mut S, _: ObjectId, _: &Context<'_>) -> EncodingResult<Self> {
        Err(Error::decoding("an encoded answer is never read"))
    }

    fn type_id(&self) -> NodeId {
        NodeId::new(0, self.type_id)
    }
}

pub(super) struct Sender {
    sizes: Sizes,
    sequence: SequenceNumberHandle,
    out: Vec<u8>,
    sent: usize,
    storage: BytesMut,
    chunks: Vec<MessageChunk>,
    /// The request that is answered without an end.
    endless: Option<u32>,
}

/// What security may add to a chunk: padding, signature, and blocks of RSA.
const ROOM: usize = 8192;
/// A buffer that a large message has grown is given back beyond this.
const KEPT: usize = 1 << 20;

impl Sender {
    pub(super) fn new(sizes: Sizes) -> Self {
        Self {
            sizes,
            sequence: SequenceNumberHandle::new(true),
            out: Vec::new(),
            sent: 0,
            storage: BytesMut::new(),
            chunks: Vec::new(),
            endless: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sent >= self.out.len()
    }

    pub(super) fn unsent(&self) -> usize {
        self.out.len() - self.sent
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.out.get(self.sent..).unwrap_or_default()
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.is_empty() {
            self.sent = 0;
            self.out.clear();
            if self.out.capacity() > KEPT {
                self.out = Vec::new();
                self.storage = BytesMut::new();
            }
        }
    }

    /// Queues a message; what is larger than the client takes becomes BadResponseTooLarge.
    pub(super) fn message(
        &mut self,
        request: u32,
        message: &impl Message,
        channel: &SecureChannel,
    ) -> Result<(), Error> {
        let handle = message.request_handle();
        let outcome = self.chunked(request, message, channel);
        match outcome {
            Ok(count) if self.sizes.chunks == 0 || count <= self.sizes.chunks => {}
            Ok(_) => return self.too_large(request, handle, channel),
            Err(error) if error.status() == StatusCode::BadResponseTooLarge => {
                return self.too_large(request, handle, channel);
            }
            Err(error) => return Err(error),
        }
        self.secure(channel)
    }

    fn chunked(
        &mut self,
        request: u32,
        message: &impl Message,
        channel: &SecureChannel,
    ) -> Result<usize, Error> {
        self.chunks.clear();
        let Sizes { message: most, chunk, .. } = self.sizes;
        let (storage, chunks) = (&mut self.storage, &mut self.chunks);
        Chunker::encode_into(self.sequence.clone(), request, most, chunk, channel, message, storage, chunks)
    }

    fn too_large(&mut self, request: u32, handle: u32, channel: &SecureChannel) -> Result<(), Error> {
        let fault: ResponseMessage = crate::server::services::fault(handle, StatusCode::BadResponseTooLarge);
        self.chunked(request, &fault, channel)?;
        self.secure(channel)
    }

    /// Moves chunks to the bytes that go out.
    fn secure(&mut self, channel: &SecureChannel) -> Result<(), Error> {
        self.sequence.increment(self.chunks.len() as u32);
        for chunk in self.chunks.drain(..) {
            let before = self.out.len();
            self.out.resize(before + chunk.data.len() + ROOM, 0);
            let place = self.out.get_mut(before..).unwrap_or_default();
            let size = channel
                .apply_security(&chunk, place)
                .map_err(|status| Error::new(status, "a chunk could not be secured"))?;
            self.out.truncate(before + size);
        }
        Ok(())
    }

    /// Begins an answer that never has a last chunk.
    pub(super) fn never_ending(&mut self, request: u32, channel: &SecureChannel) -> Result<(), Error> {
        self.endless = Some(request);
        self.one_more(channel)
    }

    /// Adds to an answer without an end when all before is sent.
    pub(super) fn refill(&mut self, channel: &SecureChannel) -> std::io::Result<()> {
        if self.endless.is_some() && self.is_empty() {
            self.one_more(channel).map_err(std::io::Error::other)?;
        }
        Ok(())
    }

    fn one_more(&mut self, channel: &SecureChannel) -> Result<(), Error> {
        let Some(request) = self.endless else { return Ok(()) };
        let kind = MessageChunkType::Message;
        let size = MessageChunk::body_size_from_message_size(kind, channel, self.sizes.chunk)?;
        let body = vec![0xAA; size];
        let part = MessageIsFinalType::Intermediate;
        let chunk = MessageChunk::new(self.sequence.current(), request, kind, part, channel, &body)?;
        self.chunks.clear();
        self.chunks.push(chunk);
        self.secure(channel)
    }

    /// Queues an error message after what is queued.
    pub(super) fn error(&mut self, error: &ErrorMessage) {
        self.endless = None;
        self.out.extend_from_slice(&error_bytes(error));
    }
}

pub(super) fn error_bytes(error: &ErrorMessage) -> Vec<u8> {
    SimpleBinaryEncodable::encode_to_vec(error)
}
