//! From bytes to requests: frames, security, chunks. Everything is bounded before it is believed.

use crate::server::application;
use crate::server::options::ServerOptions;
use bytes::BytesMut;
use opcua::core::RequestMessage;
use opcua::core::comms::chunker::Chunker;
use opcua::core::comms::message_chunk::{MessageChunk, MessageIsFinalType};
use opcua::core::comms::secure_channel::SecureChannel;
use opcua::core::comms::security_header::SecurityHeader;
use opcua::core::comms::sequence_number::SequenceNumberHandle;
use opcua::core::comms::tcp_codec::{Message, TcpCodec};
use opcua::crypto::{KeySize, SecurityPolicy, X509};
use opcua::types::{DecodingOptions, Error, MessageSecurityMode, StatusCode};
use tokio_util::codec::Decoder;

/// A request, decoded.
pub(super) struct Received {
    pub(super) request: u32,
    pub(super) message: Box<RequestMessage>,
    pub(super) header: SecurityHeader,
}

pub(super) struct Receiver {
    buffer: BytesMut,
    codec: TcpCodec,
    options: DecodingOptions,
    chunks: Vec<MessageChunk>,
    received: usize,
    sequence: SequenceNumberHandle,
}

/// Message header, channel id, and either a token id or the shortest security header there is.
const HEADERS_MIN: usize = 8 + 4 + 4;

impl Receiver {
    pub(super) fn new(message_bytes: usize) -> Self {
        let options = crate::server::convert::decoding_options(message_bytes);
        Self {
            buffer: BytesMut::with_capacity(16 << 10),
            codec: TcpCodec::new(options.clone()),
            options,
            chunks: Vec::new(),
            received: 0,
            sequence: SequenceNumberHandle::new(true),
        }
    }

    /// Where to read into.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        self.buffer.reserve(8 << 10);
        &mut self.buffer
    }

    /// The next frame that has arrived whole.
    pub(super) fn frame(&mut self) -> Result<Option<Message>, Error> {
        if let Some(Ok(size)) = self.buffer.get(4..8).map(<[u8; 4]>::try_from) {
            let size = u32::from_le_bytes(size);
            if size > super::hello::CHUNK_BYTES.saturating_mul(2) || size < 8 {
                return Err(Error::new(
                    StatusCode::BadTcpMessageTooLarge,
                    format!("a chunk of {size} bytes"),
                ));
            }
        }
        self.codec
            .decode(&mut self.buffer)
            .map_err(|error| Error::new(StatusCode::BadDecodingError, error.to_string()))
    }

    /// The next request that has arrived whole.
    pub(super) fn next(
        &mut self,
        channel: &mut SecureChannel,
        options: &ServerOptions,
    ) -> Result<Option<Received>, Error> {
        while let Some(frame) = self.frame()? {
            let Message::Chunk(chunk) = frame else {
                return Err(Error::new(StatusCode::BadTcpMessageTypeInvalid, "a chunk was expected"));
            };
            if let Some(received) = self.chunk(chunk, channel, options)? {
                return Ok(Some(received));
            }
        }
        Ok(None)
    }

    fn chunk(
        &mut self,
        chunk: MessageChunk,
        channel: &mut SecureChannel,
        options: &ServerOptions,
    ) -> Result<Option<Received>, Error> {
        let header = chunk.message_header(&self.options)?;
        self.check(&chunk, channel, options)?;
        let chunk = channel.verify_and_remove_security_server(chunk.data)?;
        let info = chunk.chunk_info(channel)?;
        if self.sequence.current() == 1 && self.chunks.is_empty() {
            // A client begins where it likes.
            self.sequence.set(info.sequence_header.sequence_number);
        }
        self.sequence.validate_and_increment(info.sequence_header.sequence_number)?;
        if header.is_final == MessageIsFinalType::FinalError {
            self.forget();
            return Ok(None);
        }
        self.received += chunk.data.len();
        self.chunks.push(chunk);
        if self.received > self.options.max_message_size || self.chunks.len() > self.options.max_chunk_count {
            self.forget();
            return Err(Error::new(StatusCode::BadRequestTooLarge, "the message is larger than was agreed"));
        }
        if header.is_final == MessageIsFinalType::Intermediate {
            return Ok(None);
        }
        let decoded = Chunker::validate_chunks(channel, &self.chunks)
            .and_then(|()| Chunker::decode::<RequestMessage>(&self.chunks, channel, None))
            .map_err(|error| error.with_request_id(info.sequence_header.request_id));
        self.forget();
        Ok(Some(Received {
            request: info.sequence_header.request_id,
            message: Box::new(decoded?),
            header: info.security_header,
        }))
    }

    fn forget(&mut self) {
        self.chunks.clear();
        self.received = 0;
    }

    /// The stack takes lengths and certificates as they come: what it could stumble over is refused here.
    fn check(
        &self,
        chunk: &MessageChunk,
        channel: &SecureChannel,
        options: &ServerOptions,
    ) -> Result<(), Error> {
        let refused = |status, text: &str| Err(Error::new(status, text.to_owned()));
        let length = chunk.data.len();
        if length < HEADERS_MIN {
            return refused(StatusCode::BadTcpMessageTypeInvalid, "the chunk is too short");
        }
        if !chunk.is_open_secure_channel(&self.options) {
            let secured = channel.security_policy() != SecurityPolicy::None
                && channel.security_mode() != MessageSecurityMode::None;
            let signature = if secured { channel.security_policy().symmetric_signature_size() } else { 0 };
            if length < HEADERS_MIN + 8 + signature {
                return refused(StatusCode::BadSecurityChecksFailed, "the chunk is too short");
            }
            let block = if channel.security_mode() == MessageSecurityMode::SignAndEncrypt { 16 } else { 1 };
            if secured && !(length - HEADERS_MIN).is_multiple_of(block) {
                return refused(
                    StatusCode::BadSecurityChecksFailed,
                    "the chunk is no whole number of blocks",
                );
            }
            return Ok(());
        }
        let mut rest = chunk.data.get(12..).unwrap_or_default();
        let header = SecurityHeader::decode_from_stream(&mut rest, true, &self.options)?;
        let SecurityHeader::Asymmetric(header) = header else {
            return refused(StatusCode::BadSecurityChecksFailed, "no asymmetric header");
        };
        let uri = header.security_policy_uri.as_ref();
        let policy = if uri.is_empty() { SecurityPolicy::None } else { SecurityPolicy::from_uri(uri) };
        if !application::speaks(options, policy) {
            return refused(StatusCode::BadSecurityPolicyRejected, "the server has no such policy");
        }
        if policy == SecurityPolicy::None {
            return Ok(());
        }
        let certificate = X509::from_byte_string(&header.sender_certificate)?;
        let (own, key) = (channel.cert(), certificate.public_key()?);
        let block = own.and_then(|own| own.public_key().ok()).map_or(0, |key| key.size());
        // Whole RSA blocks, and room for the client's signature in them once they are decrypted.
        if block == 0 || rest.is_empty() || !rest.len().is_multiple_of(block) || rest.len() < key.size() {
            return refused(
                StatusCode::BadSecurityChecksFailed,
                "the request is not encrypted for this server",
            );
        }
        Ok(())
    }
}
