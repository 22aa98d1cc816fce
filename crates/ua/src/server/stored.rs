//! A value as it is kept and sent: its encoding, its status, its timestamps. Small values need no allocation.

use super::convert::Codec;
use gemba_model::binary::encode_variant;
use gemba_model::{DateTime, StatusCode, Variant};
use opcua::types::{DataValue, TimestampsToReturn};
use std::sync::Arc;

/// Bytes that fit without an allocation: every scalar up to a Guid with its type byte, and short texts.
const INLINE: usize = 22;

/// No timestamp. The instant is out of what anybody means: the year -27,000.
const ABSENT: i64 = i64::MIN;

/// Info type DataValue with the overflow bit (OPC 10000-4 v1.05, 7.39.1).
pub(super) const OVERFLOW: u32 = 0x0000_0480;

/// A Variant in OPC UA binary.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Inline(u8, [u8; INLINE]),
    Shared(Arc<[u8]>),
}

impl Body {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut inline = [0; INLINE];
        match inline.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                Self::Inline(bytes.len() as u8, inline)
            }
            None => Self::Shared(bytes.into()),
        }
    }

    /// Encodes with a buffer that is used again and again.
    pub(super) fn of(value: &Variant, scratch: &mut Vec<u8>) -> Self {
        scratch.clear();
        encode_variant(value, scratch);
        Self::new(scratch)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Inline(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Shared(bytes) => bytes,
        }
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

/// A DataValue.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stored {
    pub(super) body: Body,
    pub(super) status: u32,
    source: i64,
    server: i64,
}

impl Stored {
    pub(super) fn new(
        body: Body,
        status: StatusCode,
        source: Option<DateTime>,
        server: Option<DateTime>,
    ) -> Self {
        let ticks = |instant: Option<DateTime>| instant.map_or(ABSENT, DateTime::ticks);
        Self { body, status: status.0, source: ticks(source), server: ticks(server) }
    }

    /// When it counts as having been: the source's time, else the server's.
    pub(super) fn time(&self) -> i64 {
        if self.source == ABSENT { self.server } else { self.source }
    }

    /// Whether a client that asked for changes of status and value is told (OPC 10000-4 v1.05, 7.22.2).
    pub(super) fn differs(&self, other: &Self) -> bool {
        self.status != other.status || self.body != other.body
    }

    /// Appends the DataValue (OPC 10000-6 v1.05, 5.2.2.17).
    pub(super) fn encode(&self, timestamps: Timestamps, out: &mut Vec<u8>) {
        const VALUE: u8 = 1;
        const STATUS: u8 = 2;
        const SOURCE: u8 = 4;
        const SERVER: u8 = 8;
        let body = self.body.bytes();
        let source = timestamps.source && self.source != ABSENT;
        let server = timestamps.server && self.server != ABSENT;
        let mut mask = if matches!(body, [] | [0]) { 0 } else { VALUE };
        mask |= if self.status == 0 { 0 } else { STATUS };
        mask |= if source { SOURCE } else { 0 };
        mask |= if server { SERVER } else { 0 };
        out.push(mask);
        if mask & VALUE != 0 {
            out.extend_from_slice(body);
        }
        if mask & STATUS != 0 {
            out.extend_from_slice(&self.status.to_le_bytes());
        }
        if source {
            out.extend_from_slice(&self.source.to_le_bytes());
        }
        if server {
            out.extend_from_slice(&self.server.to_le_bytes());
        }
    }

    /// The stack's form, or `None` when the value cannot be read back.
    pub(super) fn to_stack(&self, timestamps: Timestamps, codec: &Codec) -> Option<DataValue> {
        let mut bytes = Vec::with_capacity(64);
        self.encode(timestamps, &mut bytes);
        codec.decode(&bytes)
    }
}

/// Which timestamps a client wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Timestamps {
    pub(super) source: bool,
    pub(super) server: bool,
}

impl Timestamps {
    pub(super) const BOTH: Self = Self { source: true, server: true };

    /// `None` for what is not in the standard's list.
    pub(super) fn wanted(wanted: TimestampsToReturn) -> Option<Self> {
        Some(match wanted {
            TimestampsToReturn::Source => Self { source: true, server: false },
            TimestampsToReturn::Server => Self { source: false, server: true },
            TimestampsToReturn::Both => Self::BOTH,
            TimestampsToReturn::Neither => Self { source: false, server: false },
            TimestampsToReturn::Invalid => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gemba_model::binary::{Reader, skip_data_value};

    #[test]
    fn short_and_long_values_are_kept_byte_for_byte() {
        for length in [0, 1, INLINE - 1, INLINE, INLINE + 1, 5000] {
            let bytes: Vec<u8> = (0..length).map(|n| n as u8).collect();
            assert_eq!(Body::new(&bytes).bytes(), bytes);
        }
    }

    #[test]
    fn a_value_is_encoded_with_what_it_has_and_what_was_asked_for() {
        let body = Body::of(&Variant::UInt32(7), &mut Vec::new());
        let at = DateTime::from_ticks;
        let full = Stored::new(body.clone(), StatusCode(0x4090_0000), Some(at(5)), Some(at(6)));
        let bare = Stored::new(body, StatusCode::GOOD, None, None);
        let only = |source, server| Timestamps { source, server };
        for (value, timestamps, length) in [
            (&full, Timestamps::BOTH, 1 + 5 + 4 + 8 + 8),
            (&full, only(true, false), 1 + 5 + 4 + 8),
            (&full, only(false, false), 1 + 5 + 4),
            (&bare, Timestamps::BOTH, 1 + 5),
        ] {
            let mut out = Vec::new();
            value.encode(timestamps, &mut out);
            assert_eq!(out.len(), length, "{value:?} {timestamps:?}");
            let mut reader = Reader::new(&out);
            skip_data_value(&mut reader).unwrap();
            assert_eq!(reader.since(0).len(), length);
        }
    }
}
