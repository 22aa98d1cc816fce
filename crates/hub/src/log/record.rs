//! A message as bytes in the log (docs/formats/hub-log.md).

use bytes::{Buf, BufMut, Bytes, BytesMut};
use gemba_api::DeviceMessage;
use gemba_model::{DateTime, ErrorCode};

/// Kind of the log's frames that hold a message.
pub(crate) const KIND_MESSAGE: u8 = 1;
const VERSION: u8 = 1;
const FLAG_MODULE: u8 = 1;

/// System properties that are stored as one byte, by position from 1. The list only grows.
const NAMES: [&str; 13] = [
    "message-id",
    "correlation-id",
    "user-id",
    "content-type",
    "content-encoding",
    "output-name",
    "expiry-time",
    "to",
    "creation-time",
    "interface-id",
    "subject",
    "connection-device-id",
    "connection-module-id",
];

/// The bytes are not a record that this version reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Written by a newer program.
    #[error("the record has version {0}, this program reads version 1; use a newer program")]
    Version(u8),
    /// Cut off or contradicting itself.
    #[error("the record is damaged: {0}")]
    Damaged(&'static str),
}

impl RecordError {
    /// The page under `docs/errors/`.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode("GMB-HUB-007")
    }
}

/// The bytes of a message. Ids longer than 255 bytes and names longer than 65,535 are cut; front ends do not
/// let such through.
pub fn encode(message: &DeviceMessage) -> Bytes {
    let mut out = BytesMut::with_capacity(bytes_max(message));
    put(message, &mut out);
    out.freeze()
}

/// Room that a message takes at most.
pub(crate) fn bytes_max(message: &DeviceMessage) -> usize {
    let pairs = message.system.iter().chain(&message.properties);
    let texts: usize = pairs.map(|(name, value)| name.len() + value.len() + 7).sum();
    let ids = message.device.len() + message.module.as_ref().map_or(0, String::len);
    // Version, flags, time, two lengths of ids, two numbers of pairs.
    16 + ids + texts + message.body.len()
}

/// [`encode`] to the end of a buffer.
pub(crate) fn put(message: &DeviceMessage, out: &mut BytesMut) {
    out.put_u8(VERSION);
    out.put_u8(if message.module.is_some() { FLAG_MODULE } else { 0 });
    out.put_i64_le(message.enqueued.ticks());
    put_id(out, &message.device);
    if let Some(module) = &message.module {
        put_id(out, module);
    }
    put_pairs(out, &message.system, true);
    put_pairs(out, &message.properties, false);
    out.put_slice(&message.body);
}

/// The message in these bytes; its body is a slice of them.
///
/// # Errors
/// [`RecordError`].
pub fn decode(mut bytes: Bytes) -> Result<DeviceMessage, RecordError> {
    let version = u8(&mut bytes)?;
    if version != VERSION {
        return Err(RecordError::Version(version));
    }
    let flags = u8(&mut bytes)?;
    if flags & !FLAG_MODULE != 0 {
        return Err(RecordError::Damaged("an unknown flag is set"));
    }
    let enqueued = DateTime::from_ticks(bytes.try_get_i64_le().map_err(|_| CUT)?);
    let device = id(&mut bytes)?;
    let module = if flags & FLAG_MODULE != 0 { Some(id(&mut bytes)?) } else { None };
    let system = pairs(&mut bytes, true)?;
    let properties = pairs(&mut bytes, false)?;
    Ok(DeviceMessage { device, module, enqueued, system, properties, body: bytes })
}

const CUT: RecordError = RecordError::Damaged("it is cut off");

/// The longest beginning of at most `bytes_max` bytes that is text.
fn beginning(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

fn put_id(out: &mut BytesMut, id: &str) {
    let id = beginning(id, 255);
    out.put_u8(id.len() as u8);
    out.put_slice(id.as_bytes());
}

fn put_pairs(out: &mut BytesMut, pairs: &[(String, String)], system: bool) {
    let count = pairs.len().min(usize::from(u16::MAX));
    out.put_u16_le(count as u16);
    for (name, value) in pairs.iter().take(count) {
        if system {
            let at = NAMES.iter().position(|known| known == name);
            out.put_u8(at.map_or(0, |at| at as u8 + 1));
            if at.is_none() {
                put_name(out, name);
            }
        } else {
            put_name(out, name);
        }
        out.put_u32_le(value.len() as u32);
        out.put_slice(value.as_bytes());
    }
}

fn put_name(out: &mut BytesMut, name: &str) {
    let name = beginning(name, usize::from(u16::MAX));
    out.put_u16_le(name.len() as u16);
    out.put_slice(name.as_bytes());
}

fn u8(bytes: &mut Bytes) -> Result<u8, RecordError> {
    bytes.try_get_u8().map_err(|_| CUT)
}

fn id(bytes: &mut Bytes) -> Result<String, RecordError> {
    let length = usize::from(u8(bytes)?);
    text(bytes, length)
}

fn pairs(bytes: &mut Bytes, system: bool) -> Result<Vec<(String, String)>, RecordError> {
    let count = usize::from(bytes.try_get_u16_le().map_err(|_| CUT)?);
    // A pair has at least five bytes, so a lying count reserves no more than the record is long.
    let mut pairs = Vec::with_capacity(count.min(bytes.len() / 5));
    for _ in 0..count {
        let code = if system { u8(bytes)? } else { 0 };
        let name = if code == 0 {
            let length = usize::from(bytes.try_get_u16_le().map_err(|_| CUT)?);
            text(bytes, length)?
        } else {
            let known = NAMES.get(usize::from(code) - 1);
            (*known.ok_or(RecordError::Damaged("an unknown system property"))?).to_owned()
        };
        let length = bytes.try_get_u32_le().map_err(|_| CUT)? as usize;
        pairs.push((name, text(bytes, length)?));
    }
    Ok(pairs)
}

fn text(bytes: &mut Bytes, length: usize) -> Result<String, RecordError> {
    if bytes.len() < length {
        return Err(CUT);
    }
    let part = bytes.split_to(length);
    let text = std::str::from_utf8(&part).map_err(|_| RecordError::Damaged("a text is not UTF-8"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    fn sample() -> DeviceMessage {
        DeviceMessage {
            device: "edge-1".into(),
            module: Some("m".into()),
            enqueued: DateTime::from_ticks(0x0102_0304_0506_0708),
            system: vec![pair("message-id", "a-1"), pair("x-new", "é")],
            properties: vec![pair("gemba-kind", "gap"), pair("flag", "")],
            body: Bytes::from_static(b"\x00body"),
        }
    }

    /// The golden bytes of version 1, also in docs/formats/hub-log.md.
    const GOLDEN: &[u8] = b"\x01\x01\x08\x07\x06\x05\x04\x03\x02\x01\x06edge-1\x01m\
        \x02\x00\x01\x03\x00\x00\x00a-1\x00\x05\x00x-new\x02\x00\x00\x00\xc3\xa9\
        \x02\x00\x0a\x00gemba-kind\x03\x00\x00\x00gap\x04\x00flag\x00\x00\x00\x00\x00body";

    #[test]
    fn version_1_is_written_and_read_for_ever() {
        assert_eq!(encode(&sample())[..], *GOLDEN);
        assert_eq!(decode(Bytes::from_static(GOLDEN)), Ok(sample()));
        let plain = DeviceMessage {
            module: None,
            system: Vec::new(),
            properties: Vec::new(),
            body: Bytes::new(),
            ..sample()
        };
        assert_eq!(decode(encode(&plain)), Ok(plain));
    }

    #[test]
    fn the_body_is_a_slice_of_the_record() {
        let bytes = encode(&sample());
        let message = decode(bytes.clone()).expect("is a record");
        let offset = bytes.len() - message.body.len();
        assert_eq!(message.body.as_ptr(), bytes[offset..].as_ptr());
    }

    #[test]
    fn damaged_records_are_errors() {
        let mut newer = GOLDEN.to_vec();
        newer[0] = 2;
        assert_eq!(decode(newer.into()), Err(RecordError::Version(2)));
        // Everything up to the body is needed.
        for length in 0..GOLDEN.len() - 5 {
            assert!(decode(Bytes::copy_from_slice(&GOLDEN[..length])).is_err(), "{length}");
        }
        for (at, byte) in [(1, 2), (21, 0xfe), (30, 0xff)] {
            let mut bytes = GOLDEN.to_vec();
            bytes[at] = byte;
            assert!(decode(bytes.into()).is_err(), "{at}");
        }
    }

    #[test]
    fn fuzz_record() {
        let plain = DeviceMessage { module: None, system: Vec::new(), ..sample() };
        let inputs = [GOLDEN.to_vec(), encode(&plain).to_vec()];
        gemba_testkit::fuzz::Target::new("hub-record", super::super::fuzz::record).inputs(inputs).run();
    }
}
