//! What can go wrong, where, and what to do about it.

use gemba_model::ErrorCode;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// Why a log could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// GMB-WAL-001.
    #[error("the log in {} is open elsewhere, in this or another process; stop that one first", folder.display())]
    Locked {
        /// The log's folder.
        folder: PathBuf,
    },
    /// GMB-WAL-002.
    #[error("the log in {} could not be opened: {doing} failed: {source}", folder.display())]
    Io {
        /// The log's folder.
        folder: PathBuf,
        /// What was being done, with the path.
        doing: String,
        /// The disk's word.
        source: io::Error,
    },
    /// GMB-WAL-003.
    #[error("{} does not belong to this log ({reason}); move it out of the folder", segment.display())]
    Foreign {
        /// The file.
        segment: PathBuf,
        /// How one sees it.
        reason: &'static str,
    },
    /// GMB-WAL-004.
    #[error(
        "no segment of the log in {} has a readable header; move the folder away to begin a new log, and keep it",
        folder.display()
    )]
    Unreadable {
        /// The log's folder.
        folder: PathBuf,
    },
    /// GMB-WAL-005.
    #[error("{} has format version {found}, this program reads version {supported}; use a newer program", segment.display())]
    Version {
        /// The file.
        segment: PathBuf,
        /// Its version.
        found: u16,
        /// Ours.
        supported: u16,
    },
    /// GMB-WAL-006.
    #[error("the options of the log in {} contradict each other: {reason}", folder.display())]
    Options {
        /// The log's folder.
        folder: PathBuf,
        /// The rule that is broken.
        reason: &'static str,
    },
}

impl OpenError {
    /// The short name, which has a page under `docs/errors/`.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode(match self {
            Self::Locked { .. } => "GMB-WAL-001",
            Self::Io { .. } => "GMB-WAL-002",
            Self::Foreign { .. } => "GMB-WAL-003",
            Self::Unreadable { .. } => "GMB-WAL-004",
            Self::Version { .. } => "GMB-WAL-005",
            Self::Options { .. } => "GMB-WAL-006",
        })
    }
}

/// Why an append was not acknowledged.
///
/// After `DiskFull`, `Full`, `TooLarge`, `QueueFull` and `Closed` the frame is not in the log. After `Poisoned`
/// it may be: the next open tells.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AppendError {
    /// GMB-WAL-007. Goes away by itself once space is freed.
    #[error(
        "the volume of the log has {free} bytes free and must keep a reserve; {needed} more are needed: free space or trim the log"
    )]
    DiskFull {
        /// Bytes free on the volume.
        free: u64,
        /// Bytes that had to be written.
        needed: u64,
    },
    /// GMB-WAL-008. Goes away by itself once the log is trimmed.
    #[error("the log has reached its limit of {bytes_max} bytes; trim it or raise the limit")]
    Full {
        /// The limit.
        bytes_max: u64,
    },
    /// GMB-WAL-009. Final: drop the log and open it again.
    #[error("the log stopped after a disk error and must be opened again: {reason}")]
    Poisoned {
        /// The disk's word.
        reason: Arc<str>,
    },
    /// GMB-WAL-010.
    #[error("the log is closed")]
    Closed,
    /// GMB-WAL-011.
    #[error(
        "a frame of {bytes} bytes is larger than the limit of {bytes_max}; split it or raise the segment size"
    )]
    TooLarge {
        /// The payload's size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// GMB-WAL-012. Only from `try_append`, which does not wait.
    #[error("the append queue of {bytes_max} bytes is full; wait and try again")]
    QueueFull {
        /// The limit.
        bytes_max: usize,
    },
}

impl AppendError {
    /// The short name, which has a page under `docs/errors/`.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode(match self {
            Self::DiskFull { .. } => "GMB-WAL-007",
            Self::Full { .. } => "GMB-WAL-008",
            Self::Poisoned { .. } => "GMB-WAL-009",
            Self::Closed => "GMB-WAL-010",
            Self::TooLarge { .. } => "GMB-WAL-011",
            Self::QueueFull { .. } => "GMB-WAL-012",
        })
    }

    /// Whether the same append may succeed later on the same log.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::DiskFull { .. } | Self::Full { .. } | Self::QueueFull { .. })
    }
}

/// Why a new segment could not be started: as for an append.
pub type RollError = AppendError;

/// Why a read gave nothing.
#[derive(Debug, Clone, Error)]
pub enum ReadError {
    /// GMB-WAL-013. The reader keeps its place and may try again.
    #[error("{} could not be read at byte {position}: {source}", segment.display())]
    Io {
        /// The file.
        segment: PathBuf,
        /// Where in it.
        position: u64,
        /// The disk's word.
        source: Arc<io::Error>,
    },
    /// GMB-WAL-010.
    #[error("the log is closed")]
    Closed,
    /// GMB-WAL-009. Only from waiting: what is durable can still be read.
    #[error("the log stopped after a disk error and must be opened again: {reason}")]
    Poisoned {
        /// The disk's word.
        reason: Arc<str>,
    },
}

impl ReadError {
    /// The short name, which has a page under `docs/errors/`.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode(match self {
            Self::Io { .. } => "GMB-WAL-013",
            Self::Closed => "GMB-WAL-010",
            Self::Poisoned { .. } => "GMB-WAL-009",
        })
    }
}

/// Why old segments could not be deleted.
#[derive(Debug, Clone, Error)]
pub enum TrimError {
    /// GMB-WAL-014. The segment is still there; try again.
    #[error("{} could not be deleted: {source}", segment.display())]
    Io {
        /// The file.
        segment: PathBuf,
        /// The disk's word.
        source: Arc<io::Error>,
    },
    /// GMB-WAL-009. Nobody knows whether the deletion is durable: drop the log and open it again.
    #[error("the log stopped after a disk error and must be opened again: {reason}")]
    Poisoned {
        /// The disk's word.
        reason: Arc<str>,
    },
    /// GMB-WAL-010.
    #[error("the log is closed")]
    Closed,
}

impl TrimError {
    /// The short name, which has a page under `docs/errors/`.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode(match self {
            Self::Io { .. } => "GMB-WAL-014",
            Self::Poisoned { .. } => "GMB-WAL-009",
            Self::Closed => "GMB-WAL-010",
        })
    }
}
