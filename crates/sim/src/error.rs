//! Why a plant does not start.

use gemba_model::ErrorCode;
use gemba_ua::server::ServerError;

/// Errors of starting a plant or a load.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// An option is outside its range.
    #[error("{option} is {given}, but must be {range}")]
    Option {
        /// Which option.
        option: &'static str,
        /// What was given.
        given: String,
        /// What is possible.
        range: &'static str,
    },
    /// One of the servers did not start.
    #[error("the server {name} did not start: {source}")]
    Server {
        /// Which server.
        name: String,
        /// Why.
        #[source]
        source: ServerError,
    },
}

impl SimError {
    /// The short name of the error.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Option { .. } => ErrorCode("GMB-SIM-001"),
            Self::Server { source, .. } => source.code(),
        }
    }
}
