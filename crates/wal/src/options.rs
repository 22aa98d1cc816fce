//! The limits of a log.

use crate::error::OpenError;
use crate::format::{FRAME_HEADER_BYTES, GROUP_FRAMES_MAX, SEGMENT_HEADER_BYTES};
use crate::pump::CommitBy;
use gemba_base::{Clock, SystemClock};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The largest segment that can be asked for.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 4 << 30;

/// The most that can be written ahead: it is written in one go.
const ZEROS_AHEAD_BYTES_MAX: u64 = 16 << 20;

/// How much of the volume a log leaves free for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserve {
    /// The larger of 5 % of the volume and 1 GiB.
    FivePercentOrOneGiB,
    /// This many bytes.
    Bytes(u64),
}

impl Reserve {
    pub(crate) fn bytes(self, volume_bytes: u64) -> u64 {
        match self {
            Self::FivePercentOrOneGiB => (volume_bytes / 20).max(1 << 30),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// The limits of a log; the default suits the hub.
#[derive(Clone)]
pub struct LogOptions {
    /// A segment file never grows beyond this, so it also bounds a frame. Default 128 MiB.
    pub segment_bytes: u64,
    /// All segment files together; appends are refused with `Full` at it. At least two segments. Default 16 GiB.
    pub bytes_max: u64,
    /// How far `append_into_headroom` may go beyond `bytes_max`. Default 1 MiB.
    pub headroom_bytes: u64,
    /// What stays free on the volume; appends are refused with `DiskFull` at it.
    /// `append_into_headroom` may use half of it.
    pub reserve: Reserve,
    /// The newest segment is written ahead with so many zeros, so that small commits sync no metadata; 0 for none.
    /// Within `segment_bytes` and `bytes_max`, and only where the volume has eight times as much beyond the reserve.
    /// Default 256 KiB.
    pub zeros_ahead_bytes: u64,
    /// How long the volume's word about its free space holds while it has 64 MiB more than the reserve; 0 asks at each
    /// commit. Default 250 ms.
    pub free_space_believed: Duration,
    /// Payload and frame headers that wait for the committer; appends wait (or get `QueueFull`) at it.
    /// Default 8 MiB.
    pub queue_bytes_max: usize,
    /// What one write and sync carries at most. Default 8 MiB.
    pub group_bytes_max: usize,
    /// Where append times come from.
    pub clock: Arc<dyn Clock>,
    /// The id of a log that is created; `None` makes a random one. For tests that compare bytes.
    pub new_log_id: Option<u128>,
    /// Who writes. Default: a thread of the log's own.
    pub commit_by: CommitBy,
    /// Acknowledges without syncing. A power cut then loses acknowledged frames: for benches alone.
    pub without_sync_for_benches: bool,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 128 << 20,
            bytes_max: 16 << 30,
            headroom_bytes: 1 << 20,
            reserve: Reserve::FivePercentOrOneGiB,
            zeros_ahead_bytes: 256 << 10,
            free_space_believed: Duration::from_millis(250),
            queue_bytes_max: 8 << 20,
            group_bytes_max: 8 << 20,
            clock: Arc::new(SystemClock::new()),
            new_log_id: None,
            commit_by: CommitBy::Thread,
            without_sync_for_benches: false,
        }
    }
}

impl fmt::Debug for LogOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogOptions")
            .field("segment_bytes", &self.segment_bytes)
            .field("bytes_max", &self.bytes_max)
            .field("headroom_bytes", &self.headroom_bytes)
            .field("reserve", &self.reserve)
            .field("zeros_ahead_bytes", &self.zeros_ahead_bytes)
            .field("free_space_believed", &self.free_space_believed)
            .field("queue_bytes_max", &self.queue_bytes_max)
            .field("group_bytes_max", &self.group_bytes_max)
            .field("without_sync_for_benches", &self.without_sync_for_benches)
            .finish_non_exhaustive()
    }
}

impl LogOptions {
    /// Limits for store-and-forward on a gateway: segments of an eighth of this cap, 1 to 8 MiB.
    pub fn for_edge(bytes_max: u64) -> Self {
        Self { segment_bytes: (bytes_max / 8).clamp(1 << 20, 8 << 20), bytes_max, ..Self::default() }
    }

    /// The largest payload that an append may have.
    pub fn payload_bytes_max(&self) -> usize {
        let segment = self.segment_bytes.saturating_sub(SEGMENT_HEADER_BYTES);
        let frame = usize::try_from(segment).unwrap_or(usize::MAX).min(self.queue_bytes_max);
        frame.min(u32::MAX as usize).saturating_sub(FRAME_HEADER_BYTES)
    }

    /// The most that several appends together may take, with 28 bytes for each frame's header: they go into one
    /// group and one segment.
    pub fn batch_bytes_max(&self) -> usize {
        let frames = GROUP_FRAMES_MAX * FRAME_HEADER_BYTES;
        (self.payload_bytes_max() + FRAME_HEADER_BYTES).min(self.group_bytes_max).min(frames)
    }

    pub(crate) fn check(&self, folder: &Path) -> Result<(), OpenError> {
        let wrong = |reason| Err(OpenError::Options { folder: folder.to_owned(), reason });
        if self.segment_bytes < 256 {
            return wrong("segment_bytes must be at least 256");
        }
        if self.segment_bytes > SEGMENT_BYTES_MAX {
            return wrong("segment_bytes must be at most 4 GiB");
        }
        if self.bytes_max < self.segment_bytes.saturating_mul(2) {
            return wrong("bytes_max must hold at least two segments, else nothing could ever be freed");
        }
        if self.queue_bytes_max < 64 || self.queue_bytes_max > 1 << 31 {
            return wrong("queue_bytes_max must be between 64 bytes and 2 GiB");
        }
        if self.zeros_ahead_bytes > ZEROS_AHEAD_BYTES_MAX {
            return wrong("zeros_ahead_bytes must be at most 16 MiB");
        }
        if self.group_bytes_max == 0 {
            return wrong("group_bytes_max must not be 0");
        }
        Ok(())
    }
}
