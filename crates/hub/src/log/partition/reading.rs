//! Reading a partition and waiting for more, across reopenings.

use super::Partition;
use crate::log::record::{self, KIND_MESSAGE};
use gemba_api::{LogEntry, LogError, LogItem};
use gemba_model::ErrorCode;
use gemba_wal::{ReadError, ReadItem, Reader};

/// Readers whose place is remembered: a consumer goes on without looking for it again.
const READERS_MAX: usize = 8;

impl Partition {
    pub(in crate::log) fn read(&self, from: u64, bytes_max: usize) -> Result<Vec<LogItem>, LogError> {
        let mut reader = self.reader(from)?;
        let mut outcome = reader.read(bytes_max);
        if matches!(outcome, Err(ReadError::Closed)) {
            // Its log was given up; the present one has the same messages.
            reader = self.fresh_reader(from)?;
            outcome = reader.read(bytes_max);
        }
        let items = outcome.map_err(|error| LogError {
            code: error.code(),
            detail: format!("partition {}: {error}", self.place.index),
        })?;
        let mut readers = self.readers.lock();
        if readers.len() >= READERS_MAX {
            readers.remove(0);
        }
        readers.push(reader);
        drop(readers);
        Ok(items.into_iter().map(|item| self.item(item)).collect())
    }

    fn reader(&self, from: u64) -> Result<Reader, LogError> {
        let mut readers = self.readers.lock();
        if let Some(at) = readers.iter().position(|reader| reader.offset() == from) {
            return Ok(readers.remove(at));
        }
        drop(readers);
        self.fresh_reader(from)
    }

    fn fresh_reader(&self, from: u64) -> Result<Reader, LogError> {
        let Some(log) = self.current() else {
            let detail = format!("partition {} is being opened again after a disk error", self.place.index);
            return Err(LogError { code: ErrorCode("GMB-HUB-008"), detail });
        };
        Ok(log.reader(from))
    }

    fn item(&self, item: ReadItem) -> LogItem {
        let frame = match item {
            ReadItem::Frame(frame) => frame,
            ReadItem::Corrupt { from_offset: from, next_offset: to } => {
                self.unreadable.add(to - from);
                return LogItem::Missing { from, to, damaged: true };
            }
            ReadItem::Trimmed { from_offset: from, next_offset: to } => {
                return LogItem::Missing { from, to, damaged: false };
            }
        };
        let offset = frame.offset;
        let unreadable = match (frame.kind, record::decode(frame.payload)) {
            (KIND_MESSAGE, Ok(message)) => return LogItem::Entry(LogEntry { offset, message }),
            (KIND_MESSAGE, Err(error)) => error.to_string(),
            (kind, _) => format!("the frame has kind {kind}, which this program does not know"),
        };
        self.unreadable.add(1);
        tracing::error!(
            partition = self.place.index,
            offset,
            code = "GMB-HUB-007",
            error = unreadable,
            "a message in the event log cannot be read"
        );
        LogItem::Missing { from: offset, to: offset + 1, damaged: true }
    }

    pub(in crate::log) async fn wait(&self, offset: u64) {
        let mut openings = self.openings.subscribe();
        loop {
            openings.mark_unchanged();
            if let Some(log) = self.current() {
                let mut reader = log.reader(offset);
                // Not to keep the log open while waiting: it could not be opened again then.
                drop(log);
                if reader.wait().await.is_ok() {
                    return;
                }
            }
            // Poisoned or closed: the next opening decides. The sender lives as long as this partition.
            if openings.changed().await.is_err() {
                return;
            }
        }
    }
}
