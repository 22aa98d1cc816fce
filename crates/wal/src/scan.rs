//! Walking over the frames of one file, through damage, with bounded memory and time.

use crate::format::{FRAME_HEADER_BYTES, FrameHeader, u64_at};
use gemba_base::disk::DiskFile;
use std::io;

/// What one read from the disk brings.
const WINDOW_BYTES: usize = 64 << 10;
/// Where an offset stands in a frame header.
const OFFSET_AT: usize = 12;
/// A search through damage may checksum this many times the bytes it searches. Only bytes made to look like
/// frame headers can reach it.
const RESYNC_EFFORT: u64 = 8;

/// Reads headers and checks frames of one file up to `end`.
pub(crate) struct Scanner<'a> {
    file: &'a dyn DiskFile,
    seed: u32,
    end: u64,
    window: Vec<u8>,
    window_start: u64,
}

/// What a search through damage found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resync {
    /// The next intact frame.
    Found { position: u64, header: FrameHeader },
    /// There is none up to the end.
    Nothing,
    /// The bytes look like so many frames that the search stopped.
    GaveUp,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(file: &'a dyn DiskFile, seed: u32, end: u64) -> Self {
        Self { file, seed, end, window: Vec::new(), window_start: 0 }
    }

    /// Up to `bytes` (at most one window) from a position; fewer only at the end.
    fn view(&mut self, position: u64, bytes: usize) -> io::Result<&[u8]> {
        let have = self.window_start..self.window_start + self.window.len() as u64;
        let wanted_end = position.saturating_add(bytes as u64).min(self.end);
        if position < have.start || wanted_end > have.end || have.is_empty() {
            let room = usize::try_from(self.end.saturating_sub(position)).unwrap_or(usize::MAX);
            self.window.resize(WINDOW_BYTES.min(room), 0);
            let filled = self.file.read_at(&mut self.window, position)?;
            self.window.truncate(filled);
            self.window_start = position;
        }
        let start = usize::try_from(position - self.window_start).unwrap_or(usize::MAX);
        let rest = self.window.get(start..).unwrap_or_default();
        Ok(rest.get(..bytes).unwrap_or(rest))
    }

    /// The header at a position if it and the payload it announces fit before the end.
    pub(crate) fn header_at(&mut self, position: u64) -> io::Result<Option<FrameHeader>> {
        let end = self.end;
        let header = FrameHeader::decode(self.view(position, FRAME_HEADER_BYTES)?);
        Ok(header.filter(|header| position.saturating_add(header.frame_bytes()) <= end))
    }

    /// Whether the frame at a position is whole, read in windows.
    pub(crate) fn intact(&mut self, position: u64, header: &FrameHeader) -> io::Result<bool> {
        let mut crc = header.crc_start(self.seed);
        let mut at = position + FRAME_HEADER_BYTES as u64;
        let end = position + header.frame_bytes();
        while at < end {
            let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(WINDOW_BYTES);
            let part = self.view(at, wanted)?;
            if part.is_empty() {
                return Ok(false);
            }
            crc = crc32c::crc32c_append(crc, part);
            at += part.len() as u64;
        }
        Ok(header.matches(crc))
    }

    /// Searches after `position` for an intact frame with an offset above `damaged` and below `limit`.
    pub(crate) fn resync(&mut self, position: u64, damaged: u64, limit: u64) -> io::Result<Resync> {
        let span = self.end.saturating_sub(position);
        // Each frame takes at least a header, which bounds the offsets that can be meant.
        let limit = limit.min(damaged.saturating_add(span / FRAME_HEADER_BYTES as u64 + 2));
        let mut effort = span.saturating_mul(RESYNC_EFFORT).saturating_add(WINDOW_BYTES as u64);
        let mut at = position.saturating_add(1);
        while let Some(candidate) = self.next_candidate(at, damaged, limit)? {
            if let Some(header) = self.header_at(candidate)? {
                if header.frame_bytes() > effort {
                    return Ok(Resync::GaveUp);
                }
                effort -= header.frame_bytes();
                if self.intact(candidate, &header)? {
                    return Ok(Resync::Found { position: candidate, header });
                }
            }
            at = candidate + 1;
        }
        Ok(Resync::Nothing)
    }

    /// The first position from `at` on where a header with a plausible offset might begin.
    fn next_candidate(&mut self, mut at: u64, damaged: u64, limit: u64) -> io::Result<Option<u64>> {
        while at.saturating_add(FRAME_HEADER_BYTES as u64) <= self.end {
            let part = self.view(at, WINDOW_BYTES / 2)?;
            if part.len() < FRAME_HEADER_BYTES {
                return Ok(None);
            }
            let starts = part.len() - FRAME_HEADER_BYTES + 1;
            let plausible = |start: &usize| {
                u64_at(part, start + OFFSET_AT).is_some_and(|offset| offset > damaged && offset < limit)
            };
            if let Some(start) = (0..starts).find(plausible) {
                return Ok(Some(at + start as u64));
            }
            at += starts as u64;
        }
        Ok(None)
    }
}

/// One step of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A frame at a byte position.
    Frame { position: u64, header: FrameHeader },
    /// Frames `from_offset..next_offset` cannot be read; `bytes` from `position` on are not frames.
    Damage { position: u64, bytes: u64, from_offset: u64, next_offset: u64 },
    /// From here to the end nothing is a frame, as a torn write leaves it.
    Tail { position: u64 },
}

/// How much a walk looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Every checksum.
    Frames,
    /// Only that headers follow each other; a mismatch is then searched through as damage.
    Headers,
}

/// Goes from frame to frame.
pub(crate) struct Walk<'a> {
    scanner: Scanner<'a>,
    position: u64,
    expected: u64,
    /// The first offset after this segment, where it is known.
    limit: Option<u64>,
    check: Check,
    ended: bool,
}

impl<'a> Walk<'a> {
    /// Starts at a frame's position and offset.
    pub(crate) fn new(
        scanner: Scanner<'a>,
        position: u64,
        offset: u64,
        limit: Option<u64>,
        check: Check,
    ) -> Self {
        Self { scanner, position, expected: offset, limit, check, ended: false }
    }

    /// The offset that the next frame should have.
    pub(crate) const fn expected(&self) -> u64 {
        self.expected
    }

    /// The next step, or `None` at the end.
    pub(crate) fn step(&mut self) -> io::Result<Option<Step>> {
        if self.ended || self.limit.is_some_and(|limit| self.expected >= limit) {
            return Ok(None);
        }
        if let Some(header) = self.scanner.header_at(self.position)?
            && header.offset == self.expected
            && (self.check == Check::Headers || self.scanner.intact(self.position, &header)?)
        {
            let position = self.position;
            self.position += header.frame_bytes();
            self.expected = self.expected.saturating_add(1);
            return Ok(Some(Step::Frame { position, header }));
        }
        self.step_over_damage()
    }

    fn step_over_damage(&mut self) -> io::Result<Option<Step>> {
        let (position, from_offset) = (self.position, self.expected);
        // A file may be shorter than its header.
        let end = self.scanner.end.max(position);
        let rest = end.saturating_sub(position);
        let found = self.scanner.resync(position, from_offset, self.limit.unwrap_or(u64::MAX))?;
        let (next_position, next_offset) = match (found, self.limit) {
            (Resync::Found { position, header }, _) => (position, header.offset),
            (_, Some(limit)) => (end, limit),
            (Resync::Nothing, None) => {
                self.ended = true;
                return Ok((rest > 0).then_some(Step::Tail { position }));
            }
            // No offset that may have been given out is given out again.
            (Resync::GaveUp, None) => (end, from_offset.saturating_add(rest / FRAME_HEADER_BYTES as u64 + 1)),
        };
        self.ended = next_position >= end;
        self.position = next_position;
        self.expected = next_offset;
        Ok(Some(Step::Damage { position, bytes: next_position - position, from_offset, next_offset }))
    }
}
