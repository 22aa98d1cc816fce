//! What an operation of the hub can fail with.

use gemba_api::StoreError;
use gemba_model::ErrorCode;
use std::path::PathBuf;

/// An operation on identities or on the event log failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The identity is there already.
    #[error("the identity '{0}' exists already; show it, or choose another name")]
    Exists(String),
    /// No such identity.
    #[error("there is no identity '{0}'; list the identities, or create it")]
    Unknown(String),
    /// The text is no identity.
    #[error("{0}")]
    InvalidId(String),
    /// A module needs its device first.
    #[error(
        "the module '{module}' needs the device '{device}', which does not exist; create the device first"
    )]
    NoDevice {
        /// The device.
        device: String,
        /// The module.
        module: String,
    },
    /// Somebody else changed the identity at the same time.
    #[error("the identity '{0}' was changed by somebody else at the same time; look at it and try again")]
    Conflict(String),
    /// The document store failed.
    #[error("the identities cannot be read or written: {0}")]
    Store(#[source] StoreError),
    /// A stored identity cannot be understood.
    #[error("the stored identity '{id}' is damaged: {detail}; delete it and create it again")]
    Damaged {
        /// Which one.
        id: String,
        /// What is wrong.
        detail: String,
    },
    /// The number of partitions is fixed at creation.
    #[error(
        "the event log in {} has {found} partitions and hub.partitions says {wanted}; the number is fixed when a log \
         is created: set it back to {found}, or start with an empty folder",
        folder.display()
    )]
    PartitionsChanged {
        /// The log's folder.
        folder: PathBuf,
        /// On disk.
        found: u32,
        /// Configured.
        wanted: u32,
    },
    /// The log's folder or description cannot be used.
    #[error("the event log in {} cannot be opened: {detail}", folder.display())]
    Log {
        /// The log's folder.
        folder: PathBuf,
        /// What is wrong.
        detail: String,
    },
}

impl HubError {
    /// The page under `docs/errors/`.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode(match self {
            Self::Exists(_) => "GMB-HUB-001",
            Self::Unknown(_) => "GMB-HUB-002",
            Self::InvalidId(_) | Self::NoDevice { .. } => "GMB-HUB-003",
            Self::Conflict(_) | Self::Store(_) | Self::Damaged { .. } => "GMB-HUB-004",
            Self::PartitionsChanged { .. } => "GMB-HUB-005",
            Self::Log { .. } => "GMB-HUB-006",
        })
    }
}
