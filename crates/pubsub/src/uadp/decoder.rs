//! From UADP NetworkMessages to batches.

use super::header::{self, PayloadKind};
use super::{ANNOUNCE_META_DATA, data_set_message, meta_data};
use crate::{DataSets, DecodeError, MetaDataMessage, NetworkMessage, Received, WriterRef};
use gemba_model::WriterKey;
use gemba_model::binary::Reader;

/// Reads NetworkMessages; keeps its buffers from one to the next.
///
/// A message takes at most about 64 times its bytes in memory; how long it may be is the caller's decision.
#[derive(Default)]
pub struct Decoder {
    message: NetworkMessage,
}

impl Decoder {
    /// A decoder without buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one NetworkMessage. Descriptions are looked up only for what cannot be read without: raw data, and
    /// whether a lone bad StatusCode is a field's value or its status.
    ///
    /// # Errors
    /// When it is not a complete message, or holds what this crate does not read; nothing of it is returned then.
    pub fn decode<D: DataSets + ?Sized>(
        &mut self,
        bytes: &[u8],
        data_sets: &D,
    ) -> Result<Received<'_>, DecodeError> {
        self.message.clear();
        let mut reader = Reader::new(bytes);
        let header = header::read_header(&mut reader, &mut self.message)?;
        if header.kind == PayloadKind::Announcement {
            return self.announcement(&mut reader).map(|message| Received::MetaData(Box::new(message)));
        }
        match header.writers.unwrap_or(&[0, 0]) {
            [] => end(&mut reader)?,
            [low, high] => {
                let writer = u16::from_le_bytes([*low, *high]);
                let size = reader.remaining();
                read_sized(&mut reader, size, writer, &mut self.message, data_sets)?;
            }
            writers => {
                let sizes = reader.take(writers.len())?;
                for (writer, size) in pairs(writers).zip(pairs(sizes)) {
                    read_sized(&mut reader, usize::from(size), writer, &mut self.message, data_sets)?;
                }
                end(&mut reader)?;
            }
        }
        Ok(Received::Data(&mut self.message))
    }

    fn announcement(&mut self, reader: &mut Reader<'_>) -> Result<MetaDataMessage, DecodeError> {
        let kind = reader.u8()?;
        if kind != ANNOUNCE_META_DATA {
            return Err(DecodeError::not_supported(
                format!("a discovery announcement of type {kind}"),
                "only metadata announcements (type 2) are read",
            ));
        }
        let sequence_number = reader.u16()?;
        let (meta_data, status) = meta_data::read_meta_data(reader)?;
        end(reader)?;
        Ok(MetaDataMessage {
            publisher_id: self.message.publisher_id.take(),
            message_id: None,
            sequence_number: Some(sequence_number),
            timestamp: None,
            status,
            meta_data,
        })
    }
}

fn pairs(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair))
}

fn end(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    if reader.remaining() > 0 {
        return Err(reader.error("bytes follow the message").into());
    }
    Ok(())
}

/// Reads the DataSetMessage in the next `size` bytes.
fn read_sized<D: DataSets + ?Sized>(
    reader: &mut Reader<'_>,
    size: usize,
    writer: u16,
    message: &mut NetworkMessage,
    data_sets: &D,
) -> Result<(), DecodeError> {
    let base = reader.position();
    let mut inner = Reader::new(reader.take(size)?);
    let key = WriterKey { group: message.writer_group_id.unwrap_or_default(), writer };
    let publisher_id = message.publisher_id.take();
    let group = message.writer_group_id;
    let find = |major_version, minor_version| {
        let publisher_id = publisher_id.as_ref();
        data_sets.find(&WriterRef {
            publisher_id,
            group,
            group_name: None,
            writer,
            major_version,
            minor_version,
        })
    };
    let read = data_set_message::read(&mut inner, key, message, &find).and_then(|()| padding(&mut inner));
    message.publisher_id = publisher_id;
    read.map_err(|error| match error {
        DecodeError::Uadp(mut error) => {
            error.position += base;
            DecodeError::Uadp(error)
        }
        other => other,
    })
}

/// A publisher with a configured message size fills up with zeros (OPC 10000-14 v1.05, 6.3.1.3.3).
fn padding(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    let rest = reader.take(reader.remaining())?;
    if rest.iter().any(|byte| *byte != 0) {
        return Err(reader.error("bytes follow the fields").into());
    }
    Ok(())
}
