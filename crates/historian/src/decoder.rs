//! What messages say, by the encodings of OPC UA PubSub.

use crate::descriptions::DeviceDescriptions;
use gemba_model::{DataSetMetaData, SampleBatch};
use gemba_pubsub::{DataSetMessage, DataSets, DecodeError, Received, json, uadp};

/// How a message is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Uadp,
    Json,
}

impl Encoding {
    /// By content type; what Gemba's own messages leave out is UADP. `None` is a message of somebody else.
    pub(crate) fn of(content_type: Option<&str>, ours: bool) -> Option<Self> {
        let media = content_type.map(|text| text.split(';').next().unwrap_or(text).trim());
        match media {
            Some(text) if text.eq_ignore_ascii_case("application/opcua+uadp") => Some(Self::Uadp),
            Some(text) if text.eq_ignore_ascii_case("application/opcua+json") => Some(Self::Json),
            Some(text) if ours && text.eq_ignore_ascii_case("application/json") => Some(Self::Json),
            None if ours => Some(Self::Uadp),
            _ => None,
        }
    }
}

/// What a message holds.
#[derive(Debug)]
pub(crate) enum Decoded<'a> {
    Batches(Batches<'a>),
    MetaData(Box<DataSetMetaData>),
}

/// The batches of a message, in the decoder's buffers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batches<'a>(&'a [DataSetMessage]);

impl<'a> Batches<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a SampleBatch> {
        self.0.iter().map(|message| &message.batch)
    }
}

/// Why a message cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// The description of this writer is needed first.
    NeedsDescription(u16),
    /// It never will be.
    Malformed(String),
}

/// Reads messages; keeps its buffers between calls.
#[derive(Default)]
pub(crate) struct Decoder {
    uadp: uadp::Decoder,
    json: json::Decoder,
}

impl Decoder {
    pub(crate) fn decode(
        &mut self,
        encoding: Encoding,
        body: &[u8],
        known: &DeviceDescriptions<'_>,
    ) -> Result<Decoded<'_>, Unreadable> {
        let received = match encoding {
            Encoding::Uadp => self.uadp.decode(body, known),
            Encoding::Json => self.json.decode(body, known),
        };
        match received {
            Ok(Received::Data(message)) => Ok(Decoded::Batches(Batches(&message.messages))),
            Ok(Received::MetaData(message)) => Ok(Decoded::MetaData(Box::new(message.meta_data))),
            Err(DecodeError::UnknownDataSet { writer, .. }) => Err(Unreadable::NeedsDescription(writer)),
            Err(error) => Err(Unreadable::Malformed(error.to_string())),
        }
    }
}

impl DataSets for DeviceDescriptions<'_> {
    fn find(&self, writer: &gemba_pubsub::WriterRef<'_>) -> Option<&DataSetMetaData> {
        let version = writer.major_version.map(|major| (major, writer.minor_version.unwrap_or(0)));
        self.lookup(writer.group, writer.group_name, writer.writer, version)
            .map(|description| &description.metadata)
    }
}
