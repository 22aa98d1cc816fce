//! Messages whose description has not come yet: kept whole, read as soon as it comes.

use crate::decoder::Encoding;
use crate::error::{HistorianError, Result};
use crate::producers::ProducerKey;
use crate::row::Place;
use bytes::Bytes;
use gemba_model::text::{base64, from_base64};
use serde::{Deserialize, Serialize};

/// Bytes that a waiting message takes besides its body.
const OVERHEAD_BYTES: usize = 256;

/// One waiting message.
#[derive(Debug, Clone)]
pub(crate) struct PendingMessage {
    pub(crate) place: Place,
    pub(crate) device: String,
    /// The account that it belongs to, if it was numbered.
    pub(crate) producer: Option<ProducerKey>,
    /// `None` for a gap record as JSON, of whose writer no description is known.
    pub(crate) encoding: Option<Encoding>,
    pub(crate) body: Bytes,
    /// The writer whose description is missing first.
    pub(crate) writer: u16,
    /// Values in it, as far as that is known; at least 1, and 0 for a gap record.
    pub(crate) values: u64,
}

/// All waiting messages, in order of arrival.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pending {
    messages: Vec<PendingMessage>,
    bytes: usize,
}

impl Pending {
    pub(crate) const fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(crate) const fn len(&self) -> usize {
        self.messages.len()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn push(&mut self, message: PendingMessage) {
        self.bytes += message.body.len() + OVERHEAD_BYTES;
        self.messages.push(message);
    }

    /// Takes out the messages of a device that wait for a writer.
    pub(crate) fn take(&mut self, device: &str, writer: u16) -> Vec<PendingMessage> {
        let (taken, kept) = std::mem::take(&mut self.messages)
            .into_iter()
            .partition(|message| message.device == device && message.writer == writer);
        *self = Self::default();
        let kept: Vec<PendingMessage> = kept;
        kept.into_iter().for_each(|message| self.push(message));
        taken
    }

    pub(crate) fn has(&self, device: &str, writer: u16) -> bool {
        self.messages.iter().any(|message| message.device == device && message.writer == writer)
    }
}

/// [`Pending`] as it stands in its file.
#[derive(Serialize, Deserialize)]
pub(crate) struct PendingDocument(Vec<MessageDocument>);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageDocument {
    partition: u32,
    offset: u64,
    received: i64,
    device: String,
    producer: Option<ProducerKey>,
    json: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    gap: bool,
    writer: u16,
    values: u64,
    /// Base64.
    body: String,
}

impl From<&Pending> for PendingDocument {
    fn from(pending: &Pending) -> Self {
        let documents = pending.messages.iter().map(|message| MessageDocument {
            partition: message.place.partition,
            offset: message.place.offset,
            received: message.place.received,
            device: message.device.clone(),
            producer: message.producer.clone(),
            json: message.encoding == Some(Encoding::Json),
            gap: message.encoding.is_none(),
            writer: message.writer,
            values: message.values,
            body: base64(&message.body),
        });
        Self(documents.collect())
    }
}

impl TryFrom<PendingDocument> for Pending {
    type Error = HistorianError;

    fn try_from(document: PendingDocument) -> Result<Self> {
        let mut pending = Self::default();
        for message in document.0 {
            let body = from_base64(&message.body)
                .ok_or_else(|| HistorianError::Invalid("a waiting message is not Base64".to_owned()))?;
            pending.push(PendingMessage {
                place: Place {
                    partition: message.partition,
                    offset: message.offset,
                    received: message.received,
                },
                device: message.device,
                producer: message.producer,
                encoding: match (message.gap, message.json) {
                    (true, _) => None,
                    (false, true) => Some(Encoding::Json),
                    (false, false) => Some(Encoding::Uadp),
                },
                body: body.into(),
                writer: message.writer,
                values: message.values,
            });
        }
        Ok(pending)
    }
}
