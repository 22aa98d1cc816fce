//! Shapes of `/api/v1`: what scripts rely on.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// RFC 9457 problem with Gemba's code. Content type `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemDetails {
    /// Path of the error's page, such as `/docs/errors/GMB-API-001`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short text for the kind of error.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened here, and what would help.
    pub detail: String,
    /// Gemba's code.
    pub code: String,
}

/// What a person or a token may do. Each role includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Acknowledges, writes to machines.
    Operator,
    /// Configures.
    Engineer,
    /// Users, tokens, certificates.
    Admin,
}

impl Role {
    /// The role as it is written in APIs and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Engineer => "engineer",
            Self::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Viewer, Self::Operator, Self::Engineer, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("'{text}' is not a role; roles are viewer, operator, engineer and admin"))
    }
}
