//! The UADP message mapping (OPC 10000-14 v1.05, 7.2.4): NetworkMessages in OPC UA binary.
//!
//! Written are: version 1, PublisherId, group header with WriterGroupId and SequenceNumber, payload header, and
//! delta frames of full DataValues. Read is all that the standard allows without security, in one piece.

mod data_set_message;
mod decoder;
mod encoder;
mod header;
mod meta_data;
mod schema;
mod value;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use meta_data::{encode_meta_data, meta_data_base_bytes, meta_data_bytes};

pub(crate) use meta_data::built_in_type;
pub(crate) use value::{read_data_value, write_data_value};

/// The only version of the mapping.
const UADP_VERSION: u8 = 1;

/// Bits of the first byte (7.2.4.4.2).
mod uadp_flags {
    pub(super) const PUBLISHER_ID: u8 = 0x10;
    pub(super) const GROUP_HEADER: u8 = 0x20;
    pub(super) const PAYLOAD_HEADER: u8 = 0x40;
    pub(super) const EXTENDED_FLAGS_1: u8 = 0x80;
}

/// Bits of ExtendedFlags1 above the publisher id's type (7.2.4.4.2).
mod extended_flags_1 {
    pub(super) const PUBLISHER_ID_TYPE: u8 = 0x07;
    pub(super) const DATA_SET_CLASS_ID: u8 = 0x08;
    pub(super) const SECURITY: u8 = 0x10;
    pub(super) const TIMESTAMP: u8 = 0x20;
    pub(super) const PICOSECONDS: u8 = 0x40;
    pub(super) const EXTENDED_FLAGS_2: u8 = 0x80;
}

/// Bits of ExtendedFlags2 (7.2.4.4.2).
mod extended_flags_2 {
    pub(super) const CHUNK: u8 = 0x01;
    pub(super) const PROMOTED_FIELDS: u8 = 0x02;
    pub(super) const MESSAGE_TYPE: u8 = 0x1C;
    pub(super) const DISCOVERY_PROBE: u8 = 0x04;
    pub(super) const DISCOVERY_ANNOUNCEMENT: u8 = 0x08;
    /// The action header and bits without a meaning yet: what follows them cannot be known.
    pub(super) const UNKNOWN: u8 = 0xE0;
}

/// Bits of GroupFlags (7.2.4.4.2).
mod group_flags {
    pub(super) const WRITER_GROUP_ID: u8 = 0x01;
    pub(super) const GROUP_VERSION: u8 = 0x02;
    pub(super) const NETWORK_MESSAGE_NUMBER: u8 = 0x04;
    pub(super) const SEQUENCE_NUMBER: u8 = 0x08;
    pub(super) const UNKNOWN: u8 = 0xF0;
}

/// Bits of DataSetFlags1 (7.2.4.5.4).
mod data_set_flags_1 {
    pub(super) const VALID: u8 = 0x01;
    pub(super) const FIELD_ENCODING: u8 = 0x06;
    pub(super) const VARIANT: u8 = 0x00;
    pub(super) const RAW_DATA: u8 = 0x02;
    pub(super) const DATA_VALUE: u8 = 0x04;
    pub(super) const SEQUENCE_NUMBER: u8 = 0x08;
    pub(super) const STATUS: u8 = 0x10;
    pub(super) const MAJOR_VERSION: u8 = 0x20;
    pub(super) const MINOR_VERSION: u8 = 0x40;
    pub(super) const DATA_SET_FLAGS_2: u8 = 0x80;
}

/// Bits of DataSetFlags2 (7.2.4.5.4).
mod data_set_flags_2 {
    pub(super) const MESSAGE_TYPE: u8 = 0x0F;
    pub(super) const KEY_FRAME: u8 = 0;
    pub(super) const DELTA_FRAME: u8 = 1;
    pub(super) const EVENT: u8 = 2;
    pub(super) const KEEP_ALIVE: u8 = 3;
    pub(super) const TIMESTAMP: u8 = 0x10;
    pub(super) const PICOSECONDS: u8 = 0x20;
}

/// Announcement type of DataSetMetaData (7.2.4.6.3).
const ANNOUNCE_META_DATA: u8 = 2;
