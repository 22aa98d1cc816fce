//! What can go wrong in the historian.

use gemba_api::{HistoryError, LogError, StoreError};
use gemba_model::ErrorCode;
use std::io;
use std::path::{Path, PathBuf};

/// The historian could not start, store or read.
#[derive(Debug, thiserror::Error)]
pub enum HistorianError {
    /// GMB-HIS-001. The folder cannot be read or written; writes are tried again.
    #[error("{path}: {source}; check the volume's health and its free space")]
    Storage {
        /// Where.
        path: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// GMB-HIS-002. A newer Gemba wrote the data; nothing was changed.
    #[error(
        "{path} has format version {found}, and this Gemba reads up to {known}; start the newer version again"
    )]
    NewerFormat {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The newest version that is understood.
        known: u64,
    },
    /// GMB-HIS-004. A file's bytes are not those that were written.
    #[error("{path} is damaged: {detail}; what else is stored stays readable")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// GMB-HIS-005. Series or descriptions could not be kept.
    #[error("the series dictionary cannot be read or written: {0}")]
    Documents(#[from] StoreError),
    /// GMB-HIS-006. The event log could not be read.
    #[error("the event log cannot be read: {0}")]
    Log(#[from] LogError),
    /// GMB-HIS-007. The caller asked for something that is not possible.
    #[error("{0}")]
    Invalid(String),
    /// GMB-HIS-013. A value came, while its range was being read, that the begun table has no column for.
    #[error(
        "a value of another type (built-in type {0}) came while the table was being made; read the range once more"
    )]
    OtherType(u8),
}

impl HistorianError {
    /// The page under docs/errors.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode(match self {
            Self::Storage { .. } => "GMB-HIS-001",
            Self::NewerFormat { .. } => "GMB-HIS-002",
            Self::Damaged { .. } => "GMB-HIS-004",
            Self::Documents(_) => "GMB-HIS-005",
            Self::Log(_) => "GMB-HIS-006",
            Self::Invalid(_) => "GMB-HIS-007",
            Self::OtherType(_) => "GMB-HIS-013",
        })
    }

    /// Whether the volume has no space left.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Storage { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }

    pub(crate) fn storage(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Storage { path, source }
    }

    /// Bytes that should be there were not read. Only a file that is too short is damaged; a disk that fails for a
    /// moment is no damage, and is asked again.
    pub(crate) fn unread(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::damaged(path, source),
            _ => Self::Storage { path: path.to_owned(), source },
        }
    }

    pub(crate) fn damaged(path: &Path, detail: impl ToString) -> Self {
        Self::Damaged { path: path.to_owned(), detail: detail.to_string() }
    }
}

impl From<HistorianError> for HistoryError {
    fn from(error: HistorianError) -> Self {
        Self::Failed { code: error.code(), detail: error.to_string() }
    }
}

pub(crate) type Result<T> = std::result::Result<T, HistorianError>;
