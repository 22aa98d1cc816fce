//! Everything before the payload of a UADP NetworkMessage.

use super::{UADP_VERSION, extended_flags_1, extended_flags_2, group_flags, schema, uadp_flags};
use crate::{DecodeError, NetworkMessage, PublisherId};
use gemba_model::DateTime;
use gemba_model::binary::{Reader, encode_string};

/// What the payload is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PayloadKind {
    DataSetMessages,
    Announcement,
}

/// What the header says about the payload.
pub(super) struct Header<'a> {
    pub(super) kind: PayloadKind,
    /// DataSetWriterIds, two bytes each; `None` without a payload header.
    pub(super) writers: Option<&'a [u8]>,
}

pub(super) fn publisher_id_type(id: &PublisherId) -> u8 {
    match id {
        PublisherId::Byte(_) => 0,
        PublisherId::UInt16(_) => 1,
        PublisherId::UInt32(_) => 2,
        PublisherId::UInt64(_) => 3,
        PublisherId::String(_) => 4,
    }
}

pub(super) fn publisher_id_bytes(id: &PublisherId) -> usize {
    match id {
        PublisherId::Byte(_) => 1,
        PublisherId::UInt16(_) => 2,
        PublisherId::UInt32(_) => 4,
        PublisherId::UInt64(_) => 8,
        PublisherId::String(id) => 4 + id.len(),
    }
}

pub(super) fn write_publisher_id(id: &PublisherId, out: &mut Vec<u8>) {
    match id {
        PublisherId::Byte(id) => out.push(*id),
        PublisherId::UInt16(id) => out.extend_from_slice(&id.to_le_bytes()),
        PublisherId::UInt32(id) => out.extend_from_slice(&id.to_le_bytes()),
        PublisherId::UInt64(id) => out.extend_from_slice(&id.to_le_bytes()),
        PublisherId::String(id) => encode_string(Some(id), out),
    }
}

fn read_publisher_id(kind: u8, reader: &mut Reader<'_>) -> Result<PublisherId, DecodeError> {
    Ok(match kind {
        0 => PublisherId::Byte(reader.u8()?),
        1 => PublisherId::UInt16(reader.u16()?),
        2 => PublisherId::UInt32(reader.u32()?),
        3 => PublisherId::UInt64(reader.u64()?),
        4 => PublisherId::String(reader.string()?.unwrap_or_default().to_owned()),
        _ => return Err(reader.error("unknown type of publisher id").into()),
    })
}

/// Reads the header into an empty message and stops before the payload.
pub(super) fn read_header<'a>(
    reader: &mut Reader<'a>,
    message: &mut NetworkMessage,
) -> Result<Header<'a>, DecodeError> {
    let flags = reader.u8()?;
    if flags & 0x0F != UADP_VERSION {
        return Err(DecodeError::not_supported(
            format!("UADP version {}", flags & 0x0F),
            "version 1 is the one that OPC 10000-14 defines",
        ));
    }
    let first = if flags & uadp_flags::EXTENDED_FLAGS_1 != 0 { reader.u8()? } else { 0 };
    let second = if first & extended_flags_1::EXTENDED_FLAGS_2 != 0 { reader.u8()? } else { 0 };
    let kind = payload_kind(second)?;
    if flags & uadp_flags::PUBLISHER_ID != 0 {
        message.publisher_id = Some(read_publisher_id(first & extended_flags_1::PUBLISHER_ID_TYPE, reader)?);
    }
    if first & extended_flags_1::DATA_SET_CLASS_ID != 0 {
        message.data_set_class_id = Some(schema::read_guid(reader)?);
    }
    if flags & uadp_flags::GROUP_HEADER != 0 {
        read_group_header(reader, message)?;
    }
    let writers = if flags & uadp_flags::PAYLOAD_HEADER != 0 {
        let count = usize::from(reader.u8()?);
        Some(reader.take(2 * count)?)
    } else {
        None
    };
    if first & extended_flags_1::TIMESTAMP != 0 {
        message.timestamp = Some(DateTime::from_ticks(reader.i64()?));
    }
    if first & extended_flags_1::PICOSECONDS != 0 {
        message.picoseconds = reader.u16()?;
    }
    if second & extended_flags_2::PROMOTED_FIELDS != 0 {
        // They repeat fields of the payload for filters on the way.
        let bytes = reader.u16()?;
        reader.take(usize::from(bytes))?;
    }
    if first & extended_flags_1::SECURITY != 0 {
        read_security_header(reader)?;
    }
    Ok(Header { kind, writers })
}

fn payload_kind(flags: u8) -> Result<PayloadKind, DecodeError> {
    if flags & extended_flags_2::UNKNOWN != 0 {
        return Err(DecodeError::not_supported(
            "an action message, or one of a later edition of OPC 10000-14,",
            "only data and metadata are read",
        ));
    }
    if flags & extended_flags_2::CHUNK != 0 {
        return Err(DecodeError::not_supported(
            "a message in chunks",
            "raise the publisher's maximum size of NetworkMessages, or let it send fewer fields in each",
        ));
    }
    match flags & extended_flags_2::MESSAGE_TYPE {
        0 => Ok(PayloadKind::DataSetMessages),
        extended_flags_2::DISCOVERY_ANNOUNCEMENT => Ok(PayloadKind::Announcement),
        extended_flags_2::DISCOVERY_PROBE => {
            Err(DecodeError::not_supported("a discovery probe", "only data and metadata are read"))
        }
        _ => {
            Err(DecodeError::not_supported("a message of an unknown type", "only data and metadata are read"))
        }
    }
}

fn read_group_header(reader: &mut Reader<'_>, message: &mut NetworkMessage) -> Result<(), DecodeError> {
    let flags = reader.u8()?;
    if flags & group_flags::UNKNOWN != 0 {
        return Err(reader.error("unknown bits in the group header").into());
    }
    if flags & group_flags::WRITER_GROUP_ID != 0 {
        message.writer_group_id = Some(reader.u16()?);
    }
    if flags & group_flags::GROUP_VERSION != 0 {
        message.group_version = Some(reader.u32()?);
    }
    if flags & group_flags::NETWORK_MESSAGE_NUMBER != 0 {
        message.network_message_number = Some(reader.u16()?);
    }
    if flags & group_flags::SEQUENCE_NUMBER != 0 {
        message.sequence_number = Some(reader.u16()?);
    }
    Ok(())
}

/// Announcements of v1.05 carry a security header even where nothing is secured (7.2.4.6.3).
fn read_security_header(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    const SIGNED_ENCRYPTED_OR_FOOTER: u8 = 0x07;
    let flags = reader.u8()?;
    if flags & SIGNED_ENCRYPTED_OR_FOOTER != 0 {
        return Err(DecodeError::not_supported(
            "a signed or encrypted message",
            "set the writer group's security mode to None and secure the transport with TLS instead",
        ));
    }
    reader.u32()?;
    let nonce = reader.u8()?;
    reader.take(usize::from(nonce))?;
    Ok(())
}
