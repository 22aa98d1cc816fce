//! One record of the queue: messages and cursors that become durable together (docs/formats/edge-queue.md).

use gemba_model::binary::{DecodeError, Reader};

/// First byte of each record.
const VERSION: u8 = 1;

const MESSAGE: u8 = 1;
const CURSOR: u8 = 2;
const CURSOR_FORGOTTEN: u8 = 3;
const LIFE: u8 = 4;

/// What a message is about; the number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageKind {
    Data = 1,
    MetaData = 2,
    Gap = 3,
}

/// One entry of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry<'a> {
    Message(Message<'a>),
    Cursor {
        key: &'a str,
        state: Option<&'a [u8]>,
    },
    /// The start of the edge that wrote the record; always last, because older readers end at it.
    Life(u64),
}

/// A message as it goes to the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// Contiguous from 0 in an epoch.
    pub(crate) sequence: u64,
    pub(crate) kind: MessageKind,
    /// UADP, else JSON.
    pub(crate) uadp: bool,
    /// How many values it holds.
    pub(crate) values: u32,
    /// Earliest and latest source time in it, in ticks; 0 when it holds no values with one.
    pub(crate) span: (i64, i64),
    pub(crate) body: &'a [u8],
}

/// Starts a record.
pub(crate) fn begin() -> Vec<u8> {
    vec![VERSION]
}

/// What the shortest message takes in a record.
pub(crate) const MESSAGE_BYTES_MIN: u64 = 35;

pub(crate) fn put_message(record: &mut Vec<u8>, message: &Message<'_>) {
    record.push(MESSAGE);
    let length = 8 + 1 + 1 + 4 + 16 + message.body.len();
    record.extend_from_slice(&(length as u32).to_le_bytes());
    record.extend_from_slice(&message.sequence.to_le_bytes());
    record.push(message.kind as u8);
    record.push(if message.uadp { 1 } else { 2 });
    record.extend_from_slice(&message.values.to_le_bytes());
    record.extend_from_slice(&message.span.0.to_le_bytes());
    record.extend_from_slice(&message.span.1.to_le_bytes());
    record.extend_from_slice(message.body);
}

/// The key has at most 512 bytes (a contract of `api`); a longer one is cut, which the caller has refused before.
pub(crate) fn put_cursor(record: &mut Vec<u8>, key: &str, state: Option<&[u8]>) {
    record.push(if state.is_some() { CURSOR } else { CURSOR_FORGOTTEN });
    let state = state.unwrap_or_default();
    record.extend_from_slice(&((2 + key.len() + state.len()) as u32).to_le_bytes());
    record.extend_from_slice(&(key.len() as u16).to_le_bytes());
    record.extend_from_slice(key.as_bytes());
    record.extend_from_slice(state);
}

/// Which start of the edge wrote the record. To be put last.
pub(crate) fn put_life(record: &mut Vec<u8>, life: u64) {
    record.push(LIFE);
    record.extend_from_slice(&8_u32.to_le_bytes());
    record.extend_from_slice(&life.to_le_bytes());
}

/// Which start of the edge wrote the record, if it says so.
pub(crate) fn life(record: &[u8]) -> Option<u64> {
    entries(record).into_iter().flatten().flatten().find_map(|entry| match entry {
        Entry::Life(life) => Some(life),
        Entry::Message(_) | Entry::Cursor { .. } => None,
    })
}

/// The same record with its messages numbered from `first` on. A damaged rest is left out, which a record that
/// was just made does not have.
pub(crate) fn renumbered(record: &[u8], first: u64) -> Vec<u8> {
    let mut out = begin();
    let mut sequence = first;
    for entry in entries(record).into_iter().flatten().flatten() {
        match entry {
            Entry::Message(message) => {
                put_message(&mut out, &Message { sequence, ..message });
                sequence += 1;
            }
            Entry::Cursor { key, state } => put_cursor(&mut out, key, state),
            Entry::Life(life) => put_life(&mut out, life),
        }
    }
    out
}

/// The entries of a record. Ends at the first damaged one with an error.
pub(crate) fn entries(
    record: &[u8],
) -> Result<impl Iterator<Item = Result<Entry<'_>, DecodeError>>, DecodeError> {
    let mut reader = Reader::new(record);
    if reader.u8()? != VERSION {
        return Err(reader.error("unknown version of a queue record"));
    }
    let mut failed = false;
    Ok(std::iter::from_fn(move || {
        if failed || reader.remaining() == 0 {
            return None;
        }
        let entry = next(&mut reader);
        failed = entry.is_err();
        Some(entry)
    }))
}

fn next<'a>(reader: &mut Reader<'a>) -> Result<Entry<'a>, DecodeError> {
    let kind = reader.u8()?;
    let length = reader.u32()? as usize;
    let mut body = Reader::new(reader.take(length)?);
    match kind {
        MESSAGE => {
            let sequence = body.u64()?;
            let kind = match body.u8()? {
                1 => MessageKind::Data,
                2 => MessageKind::MetaData,
                3 => MessageKind::Gap,
                _ => return Err(body.error("unknown kind of message")),
            };
            let uadp = body.u8()? == 1;
            let values = body.u32()?;
            let span = (body.i64()?, body.i64()?);
            Ok(Entry::Message(Message {
                sequence,
                kind,
                uadp,
                values,
                span,
                body: body.take(body.remaining())?,
            }))
        }
        CURSOR | CURSOR_FORGOTTEN => {
            let key_length = usize::from(body.u16()?);
            let key =
                std::str::from_utf8(body.take(key_length)?).map_err(|_| body.error("a key is not UTF-8"))?;
            let state = body.take(body.remaining())?;
            Ok(Entry::Cursor { key, state: (kind == CURSOR).then_some(state) })
        }
        LIFE => Ok(Entry::Life(body.u64()?)),
        _ => Err(reader.error("unknown kind of entry")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<u8> {
        let mut record = begin();
        let message = Message {
            sequence: 7,
            kind: MessageKind::Gap,
            uadp: false,
            values: 3,
            span: (-1, 5),
            body: b"{}",
        };
        put_message(&mut record, &message);
        put_cursor(&mut record, "a", Some(b"state"));
        put_cursor(&mut record, "b", None);
        put_life(&mut record, 77);
        record
    }

    #[test]
    fn records_read_back_as_written() -> Result<(), DecodeError> {
        let record = example();
        let found: Vec<Entry<'_>> = entries(&record)?.collect::<Result<_, _>>()?;
        let message = Message {
            sequence: 7,
            kind: MessageKind::Gap,
            uadp: false,
            values: 3,
            span: (-1, 5),
            body: b"{}",
        };
        assert_eq!(
            found,
            [
                Entry::Message(message),
                Entry::Cursor { key: "a", state: Some(b"state") },
                Entry::Cursor { key: "b", state: None },
                Entry::Life(77),
            ]
        );
        Ok(())
    }

    #[test]
    fn every_change_of_a_byte_is_an_error_or_an_entry_and_never_a_panic() {
        let record = example();
        for position in 0..record.len() {
            for value in [0, 1, 2, 3, 0x7F, 0xFF] {
                let mut damaged = record.clone();
                damaged[position] = value;
                crate::fuzz::record(&damaged);
                crate::fuzz::record(&damaged[..position]);
            }
        }
    }

    #[test]
    fn fuzz_record() {
        gemba_testkit::fuzz::Target::new("edge-record", crate::fuzz::record).inputs([example()]).run();
    }
}
