//! The durable state of one subscription, which travels with each delivery (`docs/formats/ua-cursor.md`).

use super::session::SessionKey;
use gemba_model::binary::{self, Reader};
use gemba_model::{DateTime, NodeId};
use std::time::Duration;

/// Incremented when the layout changes; an unknown one is treated as no cursor at all.
const VERSION: u8 = 1;

/// What is needed to take a subscription over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The id that the server gave.
    pub(crate) subscription: u32,
    /// The start of the server that gave it: after a restart the same id may be somebody else's.
    pub(crate) server_start: DateTime,
    /// Of the items, so that a handle still means the same node.
    pub(crate) fingerprint: u128,
    /// The last message that is durable with this cursor; 0 before the first.
    pub(crate) last: u32,
    /// When the server published it.
    pub(crate) publish_time: Option<DateTime>,
    /// Publishing interval times keep-alive count, as the server revised them.
    pub(crate) keep_alive: Duration,
    /// Only for servers that need it; a secret.
    pub(crate) session: Option<SessionKey>,
}

impl Cursor {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.push(VERSION);
        out.extend_from_slice(&self.subscription.to_le_bytes());
        out.extend_from_slice(&self.server_start.ticks().to_le_bytes());
        out.extend_from_slice(&self.fingerprint.to_le_bytes());
        out.extend_from_slice(&self.last.to_le_bytes());
        out.extend_from_slice(&self.publish_time.unwrap_or(DateTime::MIN).ticks().to_le_bytes());
        let keep_alive = u32::try_from(self.keep_alive.as_millis()).unwrap_or(u32::MAX);
        out.extend_from_slice(&keep_alive.to_le_bytes());
        out.push(u8::from(self.session.is_some()));
        if let Some(session) = &self.session {
            binary::encode_node_id(&session.id, &mut out);
            binary::encode_node_id(&session.token, &mut out);
        }
        out
    }

    /// `None` for bytes that are no cursor of this version.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        if reader.u8().ok()? != VERSION {
            return None;
        }
        let subscription = reader.u32().ok()?;
        let server_start = DateTime::from_ticks(reader.i64().ok()?);
        let fingerprint = u128::from_le_bytes(reader.array().ok()?);
        let last = reader.u32().ok()?;
        let publish_time =
            Some(DateTime::from_ticks(reader.i64().ok()?)).filter(|time| *time != DateTime::MIN);
        let keep_alive = Duration::from_millis(u64::from(reader.u32().ok()?));
        let session = match reader.u8().ok()? {
            0 => None,
            _ => Some(SessionKey { id: read_node(&mut reader)?, token: read_node(&mut reader)? }),
        };
        (reader.remaining() == 0).then_some(Self {
            subscription,
            server_start,
            fingerprint,
            last,
            publish_time,
            keep_alive,
            session,
        })
    }
}

fn read_node(reader: &mut Reader<'_>) -> Option<NodeId> {
    binary::read_node_id(reader).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_and_hides_its_token() {
        let cursor = Cursor {
            subscription: 78,
            server_start: DateTime::from_ticks(133_000_000_000_000_001),
            fingerprint: u128::MAX - 5,
            last: u32::MAX,
            publish_time: None,
            keep_alive: Duration::from_millis(2500),
            session: Some(SessionKey { id: NodeId::numeric(1, 5), token: NodeId::string(0, "hunter2") }),
        };
        let bytes = cursor.encode();
        assert_eq!(Cursor::decode(&bytes), Some(cursor.clone()));
        assert!(!format!("{cursor:?}").contains("hunter2"));
        for length in 0..bytes.len() {
            assert_eq!(Cursor::decode(&bytes[..length]), None, "cut at {length}");
        }
        let mut other = bytes;
        other[0] = 9;
        assert_eq!(Cursor::decode(&other), None, "a later version is no cursor of ours");
    }

    fn cursor_of_bytes(bytes: &[u8]) {
        if let Some(cursor) = Cursor::decode(bytes) {
            assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }
    }

    #[test]
    fn fuzz_cursor() {
        let session = SessionKey { id: NodeId::numeric(1, 5), token: NodeId::string(0, "token") };
        let plain = Cursor {
            subscription: 78,
            server_start: DateTime::from_ticks(133_000_000_000_000_001),
            fingerprint: 5,
            last: 9,
            publish_time: Some(DateTime::from_ticks(133_000_000_000_000_002)),
            keep_alive: Duration::from_secs(2),
            session: None,
        };
        let inputs = [plain.encode(), Cursor { session: Some(session), ..plain }.encode()];
        gemba_testkit::fuzz::Target::new("ua-cursor", cursor_of_bytes).inputs(inputs).run();
    }
}
