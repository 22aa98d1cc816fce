//! The sparse index of a segment: where to start looking for an offset or a time.

use crate::format::{u16_at, u32_at, u64_at};
use crate::scan::Step;

/// One entry for this many bytes of a segment.
const INTERVAL_BYTES: u64 = 64 << 10;
const MAGIC: [u8; 8] = *b"GEMBAIDX";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = 80;
const ENTRY_BYTES: usize = 24;

/// A frame that a search may start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) offset: u64,
    pub(crate) position: u64,
    /// The latest append time, in ticks, among the frames before this one; clocks may jump back.
    pub(crate) latest_before: i64,
}

/// Append times of a segment's frames, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) latest: i64,
}

/// The index of one segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SparseIndex {
    entries: Vec<IndexEntry>,
    times: Option<Times>,
}

/// Whether the writer of an index file knew that all of its frames were durable, or had only seen headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vouches {
    No,
    ForAllFrames,
}

/// What an index file must agree with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IndexKey {
    pub(crate) log_id: u128,
    pub(crate) first_offset: u64,
    pub(crate) end_offset: u64,
    pub(crate) segment_bytes: u64,
}

impl SparseIndex {
    /// Takes note of a frame that follows all noted before.
    pub(crate) fn note(&mut self, offset: u64, position: u64, time: i64) {
        let due = self.entries.last().is_none_or(|last| position - last.position >= INTERVAL_BYTES);
        if due {
            let latest_before = self.times.map_or(i64::MIN, |times| times.latest);
            self.entries.push(IndexEntry { offset, position, latest_before });
        }
        self.times = Some(match self.times {
            None => Times { first: time, last: time, latest: time },
            Some(times) => Times { last: time, latest: times.latest.max(time), ..times },
        });
    }

    /// Takes note of a walk's step.
    pub(crate) fn note_step(&mut self, step: &Step) {
        if let Step::Frame { position, header } = step {
            self.note(header.offset, *position, header.time.ticks());
        }
    }

    pub(crate) const fn times(&self) -> Option<Times> {
        self.times
    }

    /// The last entry at or before an offset.
    pub(crate) fn floor(&self, offset: u64) -> Option<IndexEntry> {
        let after = self.entries.partition_point(|entry| entry.offset <= offset);
        self.entries.get(after.checked_sub(1)?).copied()
    }

    /// The last entry before which no frame has a time at or after `time`.
    pub(crate) fn floor_by_time(&self, time: i64) -> Option<IndexEntry> {
        let after = self.entries.partition_point(|entry| entry.latest_before < time);
        self.entries.get(after.saturating_sub(1)).copied()
    }

    pub(crate) fn encode(&self, key: &IndexKey, vouches: Vouches) -> Vec<u8> {
        let times = self.times.unwrap_or(Times { first: 0, last: 0, latest: 0 });
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.entries.len() * ENTRY_BYTES + 4);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&u16::from(vouches == Vouches::ForAllFrames).to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(self.entries.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&key.log_id.to_le_bytes());
        for number in [key.first_offset, key.end_offset, key.segment_bytes] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for time in [times.first, times.last, times.latest] {
            bytes.extend_from_slice(&time.to_le_bytes());
        }
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.offset.to_le_bytes());
            bytes.extend_from_slice(&entry.position.to_le_bytes());
            bytes.extend_from_slice(&entry.latest_before.to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads an index file; `None` when it is damaged or of another state of the segment.
    pub(crate) fn decode(bytes: &[u8], key: &IndexKey) -> Option<Self> {
        let (signed, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        let count = usize::try_from(u32_at(signed, 12)?).ok()?;
        let right = signed.starts_with(&MAGIC)
            && u32_at(crc, 0)? == crc32c::crc32c(signed)
            && u16_at(signed, 8)? == VERSION
            && signed.get(16..32)? == key.log_id.to_le_bytes()
            && u64_at(signed, 32)? == key.first_offset
            && u64_at(signed, 40)? == key.end_offset
            && u64_at(signed, 48)? == key.segment_bytes
            && signed.len() == HEAD_BYTES.checked_add(count.checked_mul(ENTRY_BYTES)?)?;
        right.then_some(())?;
        let time = |at| u64_at(signed, at).map(u64::cast_signed);
        let times = Times { first: time(56)?, last: time(64)?, latest: time(72)? };
        let entries = signed.get(HEAD_BYTES..)?.chunks_exact(ENTRY_BYTES).map(|entry| {
            Some(IndexEntry {
                offset: u64_at(entry, 0)?,
                position: u64_at(entry, 8)?,
                latest_before: u64_at(entry, 16)?.cast_signed(),
            })
        });
        let entries = entries.collect::<Option<Vec<_>>>()?;
        let times = (!entries.is_empty()).then_some(times);
        Some(Self { entries, times })
    }

    /// The offset after the last frame that was durable when the file was written, for a segment that may have
    /// changed since.
    pub(crate) fn claimed_end(bytes: &[u8], log_id: u128, first_offset: u64) -> Option<u64> {
        let (end_offset, segment_bytes) = (u64_at(bytes, 40)?, u64_at(bytes, 48)?);
        Self::decode(bytes, &IndexKey { log_id, first_offset, end_offset, segment_bytes })?;
        (u16_at(bytes, 10)? == 1).then_some(end_offset)
    }

    /// The largest index file that a segment of this size can have.
    pub(crate) const fn file_bytes_max(segment_bytes: u64) -> u64 {
        (HEAD_BYTES + 4) as u64 + (segment_bytes / INTERVAL_BYTES + 2) * ENTRY_BYTES as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: IndexKey = IndexKey { log_id: 7, first_offset: 10, end_offset: 16, segment_bytes: 400_000 };

    fn index() -> SparseIndex {
        let mut index = SparseIndex::default();
        for (i, time) in (0..6).zip([50, 40, 70, 60, 90, 80]) {
            index.note(10 + i, 64 + i * 70_000, time);
        }
        index
    }

    #[test]
    fn an_index_file_reads_back_and_any_flipped_bit_is_seen() {
        let bytes = index().encode(&KEY, Vouches::No);
        assert_eq!(SparseIndex::decode(&bytes, &KEY), Some(index()));
        assert!(bytes.len() as u64 <= SparseIndex::file_bytes_max(KEY.segment_bytes));
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert_eq!(SparseIndex::decode(&bytes, &KEY), None, "byte {at}");
            assert_eq!(SparseIndex::decode(&bytes[..at], &KEY), None, "cut at {at}");
        }
        assert_eq!(SparseIndex::decode(&bytes, &IndexKey { segment_bytes: 1, ..KEY }), None);
        assert_eq!(SparseIndex::claimed_end(&bytes, 7, 10), None);
        let vouching = index().encode(&KEY, Vouches::ForAllFrames);
        assert_eq!(SparseIndex::claimed_end(&vouching, 7, 10), Some(16));
        assert_eq!(SparseIndex::claimed_end(&vouching, 8, 10), None, "of another log");
    }

    #[test]
    fn floors_never_skip_a_frame_that_is_looked_for() {
        let index = index();
        assert_eq!(index.floor(9), None);
        assert_eq!(index.floor(12).map(|entry| entry.offset), Some(12));
        assert_eq!(index.floor(99).map(|entry| entry.offset), Some(15));
        // The first frame with a time of 70 or more is 12, although 13 is earlier again.
        assert_eq!(index.floor_by_time(70).map(|entry| entry.offset), Some(12));
        assert_eq!(index.floor_by_time(0).map(|entry| entry.offset), Some(10));
        assert_eq!(index.floor_by_time(95).map(|entry| entry.offset), Some(15));
    }

    #[test]
    fn small_frames_share_an_entry() {
        let mut index = SparseIndex::default();
        for i in 0..10_000 {
            index.note(i, 64 + i * 100, 0);
        }
        assert_eq!(index.entries.len(), 16);
    }
}
