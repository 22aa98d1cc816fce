//! What can go wrong, with its page and remedy.

use gemba_api::StoreError;
use gemba_model::ErrorCode;
use rusqlite::ErrorCode as SqliteCode;
use std::path::{Path, PathBuf};

pub(crate) const CANNOT_OPEN: ErrorCode = ErrorCode("GMB-REG-001");
pub(crate) const NEWER: ErrorCode = ErrorCode("GMB-REG-002");
pub(crate) const DAMAGED: ErrorCode = ErrorCode("GMB-REG-003");
pub(crate) const OUT_OF_BOUNDS: ErrorCode = ErrorCode("GMB-REG-004");
pub(crate) const STORAGE: ErrorCode = ErrorCode("GMB-REG-005");
pub(crate) const POISONED: ErrorCode = ErrorCode("GMB-REG-006");
pub(crate) const BUSY: ErrorCode = ErrorCode("GMB-REG-007");
pub(crate) const KEY: ErrorCode = ErrorCode("GMB-REG-008");
pub(crate) const WRONG_KEY: ErrorCode = ErrorCode("GMB-REG-009");

/// The registry could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or its folder cannot be used.
    #[error("GMB-REG-001: the registry {} cannot be opened: {detail}; \
        check that its folder exists and belongs to the user that runs Gemba", path.display())]
    CannotOpen {
        /// The file.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// A later Gemba wrote it.
    #[error("GMB-REG-002: the registry {} has format {found}, this program knows formats up to {known}; \
        run the newer Gemba that wrote it, or restore the copy from before the upgrade", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The bytes are not a registry, or not whole.
    #[error("GMB-REG-003: the registry {} is damaged or is not a registry: {detail}; \
        move it away together with its -wal and -shm files and restore them from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The key for secrets cannot be had.
    #[error("GMB-REG-008: the registry {} cannot be opened: {detail}; \
        put the key back where it was, or set secrets.key-file to where it is now", path.display())]
    Key {
        /// The registry.
        path: PathBuf,
        /// What is wrong, without the key.
        detail: String,
    },
    /// The key is not the one that the secrets were encrypted with.
    #[error("GMB-REG-009: the key in {key} is not the one of the registry {}; \
        restore the key that belongs to it, from the same installation", path.display())]
    WrongKey {
        /// The registry.
        path: PathBuf,
        /// Where the key came from.
        key: String,
    },
}

impl OpenError {
    /// The error's page.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::CannotOpen { .. } => CANNOT_OPEN,
            Self::Newer { .. } => NEWER,
            Self::Damaged { .. } => DAMAGED,
            Self::Key { .. } => KEY,
            Self::WrongKey { .. } => WRONG_KEY,
        }
    }

    pub(crate) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, detail) = (path.to_owned(), error.to_string());
        if is_damage(error) { Self::Damaged { path, detail } } else { Self::CannotOpen { path, detail } }
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(SqliteCode::DatabaseCorrupt | SqliteCode::NotADatabase))
        || matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..)
        )
}

/// Whether what is on disk is no longer certain, so that no further write may build on it.
pub(crate) fn poisons(error: &rusqlite::Error) -> bool {
    is_damage(error) || error.sqlite_error_code() == Some(SqliteCode::SystemIoFailure)
}

/// An operation's error for the seam.
pub(crate) fn failed(path: &Path, error: &rusqlite::Error) -> StoreError {
    let place = path.display();
    let (code, remedy) = match error.sqlite_error_code() {
        _ if is_damage(error) => (
            DAMAGED,
            "the file is damaged; stop Gemba and restore it with its -wal and -shm files from a backup",
        ),
        Some(SqliteCode::DatabaseBusy | SqliteCode::DatabaseLocked) => {
            (BUSY, "another program holds its lock; find out which has the file open")
        }
        Some(SqliteCode::DiskFull) => (STORAGE, "the disk is full; free space, then the next write succeeds"),
        _ => (STORAGE, "check the disk and the permissions of the folder"),
    };
    StoreError::Failed { code, detail: format!("registry {place}: {error}; {remedy}") }
}

pub(crate) fn poisoned(path: &Path) -> StoreError {
    StoreError::Failed {
        code: POISONED,
        detail: format!(
            "registry {}: an earlier write failed on the disk, so that nothing may be written after it; check the disk and restart Gemba",
            path.display()
        ),
    }
}

pub(crate) fn out_of_bounds(detail: String) -> StoreError {
    StoreError::Failed { code: OUT_OF_BOUNDS, detail }
}
