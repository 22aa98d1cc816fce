//! What the API answers when it cannot do what was asked: RFC 9457 problems with a code.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gemba_api::rest::{ProblemDetails, Role};
use gemba_api::{HistoryError, StoreError};
use gemba_model::ErrorCode;
use std::time::Duration;

/// Every way in which a request fails. The text says what happened and what would help; it never holds
/// a secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    /// A query parameter that the path does not have.
    #[error("there is no query parameter '{name}' here{hint}")]
    UnknownParameter {
        /// As it came.
        name: String,
        /// The nearest known one, or the list of all.
        hint: String,
    },
    /// A parameter, path segment or member with a value that cannot be used.
    #[error("{name}: {detail}")]
    InvalidValue {
        /// Which one.
        name: String,
        /// Why, and what is allowed.
        detail: String,
    },
    /// Neither a session nor a token, or one that is not valid any more.
    #[error("{0}")]
    NotAuthenticated(&'static str),
    /// Signed in, but the role does not suffice.
    #[error("this needs the role {}; '{actor}' has the role {}", needed.as_str(), has.as_str())]
    RoleTooLow {
        /// Who asked.
        actor: String,
        /// Its role.
        has: Role,
        /// The least role that may.
        needed: Role,
    },
    /// The path, or what it names, does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The path does not have this method.
    #[error("this path does not have the method {0}")]
    MethodNotAllowed(String),
    /// None of the accepted types can be given.
    #[error("this path gives {available}")]
    NotAcceptable {
        /// The types that it gives.
        available: &'static str,
    },
    /// The body is larger than the path takes.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// Too many tries.
    #[error("too many log-in attempts; try again in {} s", seconds(*.0))]
    TooManyAttempts(Duration),
    /// More than an address may ask for without proof of who it is.
    #[error("too many requests of this address; try again in {} s", seconds(*.0))]
    TooManyRequests(Duration),
    /// An unsafe method with a cookie, without the session's token.
    #[error(
        "the header X-CSRF-Token is missing or is not that of this session; GET /api/v1/session gives it"
    )]
    Csrf,
    /// A page of another origin sent the request.
    #[error("the request comes from another site ({0})")]
    ForeignOrigin(String),
    /// The Host header names neither this machine nor a configured name.
    #[error("the name '{0}' is not one of this console's; use localhost or 127.0.0.1, or configure the name")]
    UnknownHost(String),
    /// It exists already, or a rule forbids the change.
    #[error("{0}")]
    Conflict(String),
    /// User or password are wrong, or the user is disabled; which of them is not told.
    #[error("the user or the password is wrong, or the user is disabled")]
    WrongCredentials,
    /// More work than may wait.
    #[error("the console is busy with {0}; try again")]
    Busy(&'static str),
    /// The link was used, replaced by a later start, or mistyped.
    #[error(
        "the first-start link is not valid any more; restart Gemba for a new one, or log in if an administrator exists"
    )]
    FirstStart,
    /// The body is not JSON by its content type.
    #[error("the body must have the content type application/json")]
    NotJson,
    /// A bound of live streams.
    #[error("{0}")]
    TooManyStreams(String),
    /// The request took too long.
    #[error("the answer took longer than {} s; ask for less", .0.as_secs())]
    TimedOut(Duration),
    /// A password that may not be used.
    #[error("a password has {min} to {max} characters, this one has {found}")]
    Password {
        /// Fewest.
        min: usize,
        /// Most.
        max: usize,
        /// Given.
        found: usize,
    },
    /// A continuation token that is not one of ours.
    #[error("the continuationToken is not one that this path gave; begin without it")]
    InvalidContinuation,
    /// Not ready yet.
    #[error("not ready: {0}")]
    NotReady(String),
    /// The series exists and never had a value.
    #[error("series {0} has no value yet")]
    NoValue(u64),
    /// A room failed, with its own code.
    #[error("{detail}")]
    Failed {
        /// The page of the room's error.
        code: ErrorCode,
        /// What failed.
        detail: String,
    },
    /// A mistake in the program.
    #[error("an internal error; the log says more ({0})")]
    Internal(&'static str),
}

impl ApiError {
    /// A value that cannot be used.
    pub(crate) fn invalid(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::InvalidValue { name: name.into(), detail: detail.into() }
    }

    /// The page under docs/errors.
    pub const fn code(&self) -> ErrorCode {
        self.facts().0
    }

    /// The HTTP status.
    pub const fn status(&self) -> StatusCode {
        self.facts().1
    }

    /// Code, status and title of each kind: the one table.
    const fn facts(&self) -> (ErrorCode, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::UnknownParameter { .. } => {
                (ErrorCode("GMB-API-001"), S::BAD_REQUEST, "Unknown query parameter")
            }
            Self::InvalidValue { .. } => (ErrorCode("GMB-API-002"), S::BAD_REQUEST, "A value is not valid"),
            Self::NotAuthenticated(_) => (ErrorCode("GMB-API-003"), S::UNAUTHORIZED, "Not signed in"),
            Self::RoleTooLow { .. } => (ErrorCode("GMB-API-004"), S::FORBIDDEN, "The role does not suffice"),
            Self::NotFound(_) => (ErrorCode("GMB-API-005"), S::NOT_FOUND, "Not found"),
            Self::MethodNotAllowed(_) => {
                (ErrorCode("GMB-API-006"), S::METHOD_NOT_ALLOWED, "Method not allowed")
            }
            Self::NotAcceptable { .. } => {
                (ErrorCode("GMB-API-007"), S::NOT_ACCEPTABLE, "None of the accepted types is available")
            }
            Self::TooLarge(_) => (ErrorCode("GMB-API-008"), S::PAYLOAD_TOO_LARGE, "The body is too large"),
            Self::TooManyAttempts(_) => {
                (ErrorCode("GMB-API-009"), S::TOO_MANY_REQUESTS, "Too many log-in attempts")
            }
            Self::Csrf | Self::ForeignOrigin(_) => {
                (ErrorCode("GMB-API-010"), S::FORBIDDEN, "The request may be forged")
            }
            Self::UnknownHost(_) => {
                (ErrorCode("GMB-API-011"), S::MISDIRECTED_REQUEST, "Unknown name in the Host header")
            }
            Self::Conflict(_) => (ErrorCode("GMB-API-012"), S::CONFLICT, "Conflict"),
            Self::WrongCredentials => (ErrorCode("GMB-API-013"), S::UNAUTHORIZED, "Log-in failed"),
            Self::Busy(_) => (ErrorCode("GMB-API-014"), S::SERVICE_UNAVAILABLE, "Busy"),
            Self::TimedOut(_) => (ErrorCode("GMB-API-015"), S::SERVICE_UNAVAILABLE, "Timed out"),
            Self::FirstStart => (ErrorCode("GMB-API-016"), S::FORBIDDEN, "The first-start link is not valid"),
            Self::NotJson => (ErrorCode("GMB-API-017"), S::UNSUPPORTED_MEDIA_TYPE, "The body is not JSON"),
            Self::TooManyStreams(_) => {
                (ErrorCode("GMB-API-018"), S::TOO_MANY_REQUESTS, "Too many live streams")
            }
            Self::Internal(_) => (ErrorCode("GMB-API-019"), S::INTERNAL_SERVER_ERROR, "Internal error"),
            Self::Password { .. } => {
                (ErrorCode("GMB-API-020"), S::BAD_REQUEST, "The password cannot be used")
            }
            Self::InvalidContinuation => {
                (ErrorCode("GMB-API-021"), S::BAD_REQUEST, "The continuation token is not valid")
            }
            Self::NotReady(_) => (ErrorCode("GMB-API-022"), S::SERVICE_UNAVAILABLE, "Not ready"),
            Self::NoValue(_) => (ErrorCode("GMB-API-023"), S::NOT_FOUND, "No value yet"),
            Self::TooManyRequests(_) => (ErrorCode("GMB-API-024"), S::TOO_MANY_REQUESTS, "Too many requests"),
            Self::Failed { code, .. } => (*code, S::INTERNAL_SERVER_ERROR, "Storage failed"),
        }
    }

    /// How long a client should wait, where that is known.
    const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyAttempts(wait) | Self::TooManyRequests(wait) => Some(*wait),
            Self::Busy(_) | Self::TooManyStreams(_) | Self::NotReady(_) => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// The problem document.
    pub fn problem(&self) -> ProblemDetails {
        let (code, status, title) = self.facts();
        ProblemDetails {
            kind: format!("/docs/errors/{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
            code: code.to_string(),
        }
    }
}

/// Whole seconds, at least one, so that a client that waits so long is not refused again.
const fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000) as u64
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = self.problem();
        if self.status().is_server_error() && !matches!(self, Self::NotReady(_) | Self::Busy(_)) {
            tracing::error!(code = %self.code(), detail = %problem.detail, "request failed");
        }
        let text = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (self.status(), text).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
        if matches!(self, Self::NotAuthenticated(_)) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"Gemba\""));
        }
        response
    }
}

impl From<HistoryError> for ApiError {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::UnknownSeries(_) => Self::NotFound(error.to_string()),
            HistoryError::InvalidContinuation => Self::InvalidContinuation,
            HistoryError::Failed { code, detail } => Self::Failed { code, detail },
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } => Self::Conflict(error.to_string()),
            StoreError::Failed { code, detail } => Self::Failed { code, detail },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn every_code_has_its_page_and_every_page_its_code() {
        let source = include_str!("error.rs");
        let mut codes: Vec<String> = source
            .split("ErrorCode(\"GMB-API-")
            .skip(1)
            .filter_map(|rest| Some(format!("GMB-API-{}.md", rest.split_once('"')?.0)))
            .filter(|name| name.len() == "GMB-API-000.md".len())
            .collect();
        codes.sort();
        codes.dedup();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
        let mut pages: Vec<String> = std::fs::read_dir(folder)
            .expect("a folder")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with("GMB-API-"))
            .collect();
        pages.sort();
        assert_eq!(codes, pages);
        assert_eq!(codes.len(), 24);
    }
}
