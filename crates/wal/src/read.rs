//! Reading durable frames in order, in large blocks, with every loss told.

use crate::block_on::block_on;
use crate::error::ReadError;
use crate::format::{FRAME_HEADER_BYTES, FrameHeader};
use crate::scan::{Resync, Scanner};
use crate::segment::Segment;
use crate::shared::{Life, Progress, Shared};
use crate::stats::Counters;
use bytes::Bytes;
use gemba_base::disk::DiskFile;
use gemba_model::DateTime;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// One append, as it was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its number in the log.
    pub offset: u64,
    /// When it was appended, by the wall clock of then.
    pub time: DateTime,
    /// As given by the producer.
    pub kind: u8,
    /// As given by the producer.
    pub flags: u8,
    /// As given by the producer. A slice of the block that was read: keeping it keeps the block, so copy what
    /// is to be kept for long.
    pub payload: Bytes,
}

/// What stands at the reader's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadItem {
    /// An intact frame.
    Frame(Frame),
    /// Frames `from_offset..next_offset` are lost: their bytes are damaged or their file is gone.
    Corrupt {
        /// The first lost offset.
        from_offset: u64,
        /// Where reading goes on.
        next_offset: u64,
    },
    /// Frames `from_offset..next_offset` had been deleted before they were read.
    Trimmed {
        /// The first deleted offset.
        from_offset: u64,
        /// Where reading goes on.
        next_offset: u64,
    },
}

impl ReadItem {
    /// The offset after this item.
    pub const fn next_offset(&self) -> u64 {
        match self {
            Self::Frame(frame) => frame.offset + 1,
            Self::Corrupt { next_offset, .. } | Self::Trimmed { next_offset, .. } => *next_offset,
        }
    }
}

/// Where the next frame begins in an open segment.
#[derive(Debug)]
struct Cursor {
    segment: Arc<Segment>,
    file: Box<dyn DiskFile>,
    position: u64,
}

/// Reads a log from an offset on. Readers do not hinder each other, appends or trims.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    offset: u64,
    cursor: Option<Cursor>,
}

/// What became of looking for the reader's place.
enum Located {
    /// The cursor is at it; frames are durable up to this length and offset.
    Ready { bytes: u64, end_offset: u64 },
    /// Something is told instead.
    Item(ReadItem),
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, offset: u64) -> Self {
        let progress = shared.progress.subscribe();
        Self { shared, progress, offset, cursor: None }
    }

    /// The offset of the next item.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes to another offset; one beyond the end waits there.
    pub fn seek(&mut self, offset: u64) {
        if offset != self.offset {
            self.offset = offset;
            self.cursor = None;
        }
    }

    /// The next items, from one block of at most `bytes_max` bytes (more only for a single larger frame).
    ///
    /// Empty only at the end of what is durable. Blocks on the disk for one read, rarely more: after a seek
    /// and at damage, up to one segment.
    ///
    /// # Errors
    /// The reader stays where it is and may try again.
    pub fn read(&mut self, bytes_max: usize) -> Result<Vec<ReadItem>, ReadError> {
        let progress = *self.progress.borrow_and_update();
        if progress.life == Life::Closed {
            return Err(ReadError::Closed);
        }
        while self.offset < progress.next_offset {
            let items = match self.locate(progress.next_offset)? {
                Located::Item(item) => vec![item],
                Located::Ready { bytes, end_offset } => self.read_block(bytes, end_offset, bytes_max)?,
            };
            if let Some(last) = items.last() {
                self.offset = last.next_offset();
                self.count_losses(&items);
                return Ok(items);
            }
        }
        Ok(Vec::new())
    }

    /// Waits until there is something to read. May be dropped and called again.
    ///
    /// # Errors
    /// `Closed` or `Poisoned` when nothing more will come; what is durable can still be read after `Poisoned`.
    pub async fn wait(&mut self) -> Result<(), ReadError> {
        let offset = self.offset;
        let arrived = |progress: &Progress| progress.next_offset > offset || progress.life != Life::Open;
        let progress = match self.progress.wait_for(arrived).await {
            Ok(progress) => *progress,
            Err(_) => return Err(ReadError::Closed),
        };
        match progress.life {
            Life::Closed => Err(ReadError::Closed),
            Life::Poisoned if progress.next_offset <= offset => {
                Err(ReadError::Poisoned { reason: self.shared.poison_reason().unwrap_or_default() })
            }
            Life::Poisoned | Life::Open => Ok(()),
        }
    }

    /// [`Self::wait`] for plain threads.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub fn wait_blocking(&mut self) -> Result<(), ReadError> {
        block_on(self.wait())
    }

    fn count_losses(&self, items: &[ReadItem]) {
        for item in items {
            if let ReadItem::Corrupt { from_offset, next_offset } = item {
                tracing::error!(
                    folder = %self.shared.place.folder.display(), from_offset, next_offset, "corrupt frames read"
                );
                Counters::add(&self.shared.counters.corrupt_frames_read, next_offset - from_offset);
            }
        }
    }

    fn locate(&mut self, durable: u64) -> Result<Located, ReadError> {
        let offset = self.offset;
        let (segment, next_first) = {
            let segments = self.shared.segments.read();
            let after = segments.partition_point(|segment| segment.first_offset <= offset);
            let Some(segment) = after.checked_sub(1).and_then(|at| segments.get(at)) else {
                let first = segments.first().map_or(durable, |segment| segment.first_offset);
                let trimmed = ReadItem::Trimmed { from_offset: offset, next_offset: first };
                return Ok(Located::Item(trimmed));
            };
            (Arc::clone(segment), segments.get(after).map(|segment| segment.first_offset))
        };
        let (bytes, end_offset) = {
            let state = segment.state.lock();
            (state.bytes, state.end_offset)
        };
        if offset >= end_offset {
            let next_offset = next_first.unwrap_or(durable);
            return Ok(Located::Item(ReadItem::Corrupt { from_offset: offset, next_offset }));
        }
        let ready = Located::Ready { bytes, end_offset };
        if self.cursor.as_ref().is_some_and(|cursor| Arc::ptr_eq(&cursor.segment, &segment)) {
            return Ok(ready);
        }
        match self.open_at(&segment) {
            Ok(None) => Ok(ready),
            Ok(Some(found)) => {
                let next_offset = found.min(end_offset);
                Ok(Located::Item(ReadItem::Corrupt { from_offset: offset, next_offset }))
            }
            Err(error) => self.locate_after_failure(&segment, error),
        }
    }

    /// A file that a trim deleted meanwhile is no failure.
    fn locate_after_failure(&mut self, segment: &Segment, error: io::Error) -> Result<Located, ReadError> {
        let first = self.shared.segments.read().first().map_or(0, |segment| segment.first_offset);
        if error.kind() == io::ErrorKind::NotFound && first > segment.first_offset {
            let trimmed = ReadItem::Trimmed { from_offset: self.offset, next_offset: first };
            return Ok(Located::Item(trimmed));
        }
        Err(io_error(&segment.path, 0, error))
    }

    /// Puts the cursor at the reader's offset, or returns the first readable offset after it.
    fn open_at(&mut self, segment: &Arc<Segment>) -> io::Result<Option<u64>> {
        let place = &self.shared.place;
        let file = place.disk.open(&segment.path, false)?;
        let found = segment.seek(place, &*file, self.offset)?;
        let Some(found) = found else { return Ok(Some(u64::MAX)) };
        let segment = Arc::clone(segment);
        self.cursor = Some(Cursor { segment, file, position: found.position });
        Ok((found.offset != self.offset).then_some(found.offset))
    }

    /// Items of one block; empty only when the cursor has moved to where nothing more is.
    fn read_block(
        &mut self,
        bytes: u64,
        end_offset: u64,
        bytes_max: usize,
    ) -> Result<Vec<ReadItem>, ReadError> {
        let Some(cursor) = &mut self.cursor else { return Ok(Vec::new()) };
        let failed = |position, error| io_error(&cursor.segment.path, position, error);
        let seed = self.shared.place.seed;
        let rest = usize::try_from(bytes.saturating_sub(cursor.position)).unwrap_or(usize::MAX);
        let mut wanted = bytes_max.max(FRAME_HEADER_BYTES).min(rest);
        loop {
            let block = read_exactly(&*cursor.file, cursor.position, wanted)
                .map_err(|error| failed(cursor.position, error))?;
            let whole = block.len() == rest || block.len() < wanted;
            let parsed = parse_block(&block, seed, self.offset, end_offset);
            cursor.position += parsed.bytes as u64;
            if !parsed.frames.is_empty() {
                return Ok(parsed.frames.into_iter().map(ReadItem::Frame).collect());
            }
            match parsed.stop {
                // The first frame is larger than the block: read exactly it.
                Stop::Needs(more) if !whole && more > wanted && more <= rest => wanted = more,
                Stop::Needs(_) | Stop::Damage => break,
            }
        }
        let mut scanner = Scanner::new(&*cursor.file, seed, bytes);
        let found = scanner
            .resync(cursor.position, self.offset, end_offset)
            .map_err(|error| failed(cursor.position, error))?;
        let next_offset = match found {
            Resync::Found { position, header } => {
                cursor.position = position;
                header.offset
            }
            Resync::Nothing | Resync::GaveUp => {
                cursor.position = bytes;
                end_offset
            }
        };
        Ok(vec![ReadItem::Corrupt { from_offset: self.offset, next_offset }])
    }
}

fn io_error(segment: &Path, position: u64, source: io::Error) -> ReadError {
    ReadError::Io { segment: segment.to_owned(), position, source: Arc::new(source) }
}

fn read_exactly(file: &dyn DiskFile, position: u64, bytes: usize) -> io::Result<Bytes> {
    let mut block = vec![0; bytes];
    let filled = file.read_at(&mut block, position)?;
    block.truncate(filled);
    Ok(block.into())
}

/// Why parsing stopped before the end of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The next frame takes this many bytes from its beginning.
    Needs(usize),
    /// The next bytes are not the expected frame.
    Damage,
}

#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) frames: Vec<Frame>,
    /// How far the frames reach.
    pub(crate) bytes: usize,
    pub(crate) stop: Stop,
}

/// The frames at the beginning of a block, up to `end_offset`.
pub(crate) fn parse_block(block: &Bytes, seed: u32, mut expected: u64, end_offset: u64) -> Parsed {
    let mut frames = Vec::new();
    let mut at = 0;
    let stop = loop {
        let rest = block.get(at..).unwrap_or_default();
        let Some(header) = FrameHeader::decode(rest).filter(|_| expected < end_offset) else {
            break Stop::Needs(FRAME_HEADER_BYTES);
        };
        if header.offset != expected {
            break Stop::Damage;
        }
        let size = usize::try_from(header.frame_bytes()).unwrap_or(usize::MAX);
        let Some(payload) = rest.get(FRAME_HEADER_BYTES..size) else { break Stop::Needs(size) };
        if !header.matches(crc32c::crc32c_append(header.crc_start(seed), payload)) {
            break Stop::Damage;
        }
        frames.push(Frame {
            offset: header.offset,
            time: header.time,
            kind: header.kind,
            flags: header.flags,
            payload: block.slice(at + FRAME_HEADER_BYTES..at + size),
        });
        at += size;
        expected += 1;
    };
    Parsed { frames, bytes: at, stop }
}
