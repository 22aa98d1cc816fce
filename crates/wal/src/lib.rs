//! The durable log: frames in segment files, one sync for many appends, every loss accounted for.
//!
//! Purpose: keep what was acknowledged through crashes, torn writes, full volumes and failing disks.
//! Knows: files through `gemba_base::disk`, checksums, offsets, one committer thread a log.
//! Does not know: what a payload means, who produces it, partitions, retention policy.
//!
//! A frame is one append: opaque bytes with a kind and flags, written whole or not at all. Frames are numbered
//! without holes from 0; the number is the frame's offset. The format is in `docs/formats/wal.md`.

mod block_on;
mod commit;
mod error;
mod fence;
mod format;
pub mod fuzz;
mod index;
mod log;
mod options;
mod pump;
mod queue;
mod read;
mod recovery;
mod scan;
mod segment;
mod shared;
mod stats;
mod trim;

pub use error::{AppendError, OpenError, ReadError, RollError, TrimError};
pub use fence::Fence;
pub use log::Log;
pub use options::{LogOptions, Reserve};
pub use pump::{CommitBy, Pump};
pub use queue::{AppendTicket, Record};
pub use read::{Frame, ReadItem, Reader};
pub use recovery::{Corruption, CorruptionKind, Recovery};
pub use segment::SegmentInfo;
pub use stats::{LogState, Stats};
pub use trim::{Hold, TrimReport, TrimmedSegment};
