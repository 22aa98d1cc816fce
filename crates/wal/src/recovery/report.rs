//! What opening a log tells its user.

use std::path::PathBuf;

/// More findings than this are counted, not listed.
const CORRUPTIONS_LISTED_MAX: usize = 256;

/// What opening found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The log did not exist before.
    pub created: bool,
    /// The oldest offset that is kept.
    pub first_offset: u64,
    /// The offset that the next frame will get.
    pub next_offset: u64,
    /// Number of segment files.
    pub segments: usize,
    /// Bytes whose checksums were verified: only those of the newest segment.
    pub scanned_bytes: u64,
    /// Bytes cut off the end of the newest segment: a write that was never acknowledged. Zeros at the very end do not
    /// count: they were written ahead.
    pub cut_bytes: u64,
    /// What is damaged, at most 256 findings. Older segments are looked into only when they are read.
    pub corruptions: Vec<Corruption>,
    /// All findings, also those that are not listed.
    pub corruptions_found: u64,
}

impl Recovery {
    pub(super) fn report(&mut self, corruption: Corruption) {
        tracing::error!(
            segment = %corruption.segment.display(),
            from_offset = corruption.from_offset,
            next_offset = corruption.next_offset,
            bytes = corruption.bytes,
            kind = ?corruption.kind,
            "log corruption"
        );
        self.corruptions_found += 1;
        if self.corruptions.len() < CORRUPTIONS_LISTED_MAX {
            self.corruptions.push(corruption);
        }
    }
}

/// What is wrong with a place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CorruptionKind {
    /// Frames that had been acknowledged cannot be read.
    Frames,
    /// Frames of the last group before a crash cannot be read, and later ones of that group can: either the
    /// group was still being written, or it was acknowledged and damaged afterwards.
    UnconfirmedFrames,
    /// A segment file between two others is gone.
    MissingSegment,
    /// The header of a segment cannot be read; no frame is lost by that.
    Header,
}

/// One damaged place. Nothing is deleted there, and readers get a `Corrupt` item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corruption {
    /// The damaged file, or the one before the missing file.
    pub segment: PathBuf,
    /// The first offset that cannot be read.
    pub from_offset: u64,
    /// The first offset after it that can be read; equal to `from_offset` when no frame is lost.
    pub next_offset: u64,
    /// Bytes that are no frames; 0 for a missing segment.
    pub bytes: u64,
    /// What is wrong.
    pub kind: CorruptionKind,
}
