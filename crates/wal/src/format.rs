//! The bytes of a segment: its header and its frames (docs/formats/wal.md).

use gemba_model::DateTime;

pub(crate) const FORMAT_VERSION: u16 = 1;
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 64;
const SEGMENT_HEADER_LEN: usize = SEGMENT_HEADER_BYTES as usize;
pub(crate) const FRAME_HEADER_BYTES: usize = 28;
/// A group has at most this many frames, so that each frame's place in its group fits its field.
pub(crate) const GROUP_FRAMES_MAX: usize = 1 << 16;
const MAGIC: [u8; 8] = *b"GEMBAWAL";
/// Says that a log's first segment has none before it.
const NO_SEGMENT: u64 = u64::MAX;

/// What stands at the beginning of each segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// Random, made with the log; every frame's checksum starts from it.
    pub(crate) log_id: u128,
    /// The offset of the first frame, as in the file's name.
    pub(crate) first_offset: u64,
    /// The first offset of the segment before, so that a missing file is seen.
    pub(crate) previous_first: Option<u64>,
    pub(crate) created: DateTime,
}

/// Why the first 64 bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Damaged,
    Version(u16),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_LEN] {
        let mut bytes = Vec::with_capacity(SEGMENT_HEADER_LEN);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&(SEGMENT_HEADER_LEN as u16).to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.log_id.to_le_bytes());
        bytes.extend_from_slice(&self.first_offset.to_le_bytes());
        bytes.extend_from_slice(&self.previous_first.unwrap_or(NO_SEGMENT).to_le_bytes());
        bytes.extend_from_slice(&self.created.ticks().to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes.try_into().unwrap_or([0; SEGMENT_HEADER_LEN])
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let header = || {
            let signed = bytes.get(..60)?;
            let intact = signed.starts_with(&MAGIC) && u32_at(bytes, 60)? == crc32c::crc32c(signed);
            intact.then_some(())?;
            let previous = u64_at(bytes, 40)?;
            let header = Self {
                log_id: Self::claimed_log_id(bytes)?,
                first_offset: u64_at(bytes, 32)?,
                previous_first: (previous != NO_SEGMENT).then_some(previous),
                created: DateTime::from_ticks(u64_at(bytes, 48)?.cast_signed()),
            };
            Some((u16_at(bytes, 8)?, header))
        };
        match header() {
            None => Err(HeaderError::Damaged),
            Some((FORMAT_VERSION, header)) => Ok(header),
            Some((version, _)) => Err(HeaderError::Version(version)),
        }
    }

    /// The log id as it stands in a header that may be damaged elsewhere.
    pub(crate) fn claimed_log_id(bytes: &[u8]) -> Option<u128> {
        bytes.get(16..32)?.try_into().ok().map(u128::from_le_bytes)
    }
}

/// The checksum that every frame of a log starts from: a frame of another log never passes.
pub(crate) fn seed(log_id: u128) -> u32 {
    crc32c::crc32c(&log_id.to_le_bytes())
}

/// What stands before each payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) payload_bytes: u32,
    pub(crate) crc: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    /// Place in its group commit. A frame whose group began after another frame proves that one acknowledged.
    pub(crate) group_index: u16,
    pub(crate) offset: u64,
    pub(crate) time: DateTime,
}

impl FrameHeader {
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            payload_bytes: u32_at(bytes, 0)?,
            crc: u32_at(bytes, 4)?,
            kind: *bytes.get(8)?,
            flags: *bytes.get(9)?,
            group_index: u16_at(bytes, 10)?,
            offset: u64_at(bytes, 12)?,
            time: DateTime::from_ticks(u64_at(bytes, 20)?.cast_signed()),
        })
    }

    /// Header and payload together.
    pub(crate) fn frame_bytes(&self) -> u64 {
        FRAME_HEADER_BYTES as u64 + u64::from(self.payload_bytes)
    }

    /// The offset of the first frame of this frame's group.
    pub(crate) const fn group_first(&self) -> u64 {
        self.offset.saturating_sub(self.group_index as u64)
    }

    fn fields(&self) -> [u8; FRAME_HEADER_BYTES - 8] {
        let [g0, g1] = self.group_index.to_le_bytes();
        let [o0, o1, o2, o3, o4, o5, o6, o7] = self.offset.to_le_bytes();
        let [t0, t1, t2, t3, t4, t5, t6, t7] = self.time.ticks().to_le_bytes();
        [self.kind, self.flags, g0, g1, o0, o1, o2, o3, o4, o5, o6, o7, t0, t1, t2, t3, t4, t5, t6, t7]
    }

    /// The checksum of everything before the payload.
    pub(crate) fn crc_start(&self, seed: u32) -> u32 {
        let length = crc32c::crc32c_append(seed, &self.payload_bytes.to_le_bytes());
        crc32c::crc32c_append(length, &self.fields())
    }

    /// Whether a checksum over header and payload is the one that stands here.
    pub(crate) fn matches(&self, crc: u32) -> bool {
        self.crc == never_zero(crc)
    }

    /// Appends a whole frame; the checksum is computed here.
    pub(crate) fn encode(&self, seed: u32, payload: &[u8], buffer: &mut Vec<u8>) {
        let crc = never_zero(crc32c::crc32c_append(self.crc_start(seed), payload));
        buffer.extend_from_slice(&self.payload_bytes.to_le_bytes());
        buffer.extend_from_slice(&crc.to_le_bytes());
        buffer.extend_from_slice(&self.fields());
        buffer.extend_from_slice(payload);
    }
}

/// A stored checksum is never 0, so that zero-filled blocks are never a frame.
const fn never_zero(crc: u32) -> u32 {
    if crc == 0 { u32::MAX } else { crc }
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at.checked_add(2)?)?.try_into().ok().map(u16::from_le_bytes)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at.checked_add(8)?)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests;
