//! Why a server does not start.

use gemba_model::ErrorCode;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Errors of building and starting a server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}; choose another port, or 0 for a free one")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// Two nodes have the same id.
    #[error("the node id {0} is declared twice; ids must be unique in a server")]
    DuplicateNode(String),
    /// The key or the certificate cannot be made, read or written.
    #[error("the certificate under {folder} is not usable: {reason}; make the folder writable or remove it")]
    Certificate {
        /// The pki folder.
        folder: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The stack refuses the configuration.
    #[error("the server's options are refused: {0}")]
    Options(String),
}

impl ServerError {
    /// The short name of the error.
    pub fn code(&self) -> ErrorCode {
        ErrorCode(match self {
            Self::Listen { .. } => "GMB-UA-101",
            Self::DuplicateNode(_) => "GMB-UA-102",
            Self::Certificate { .. } => "GMB-UA-103",
            Self::Options(_) => "GMB-UA-104",
        })
    }
}
