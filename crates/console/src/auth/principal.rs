//! Who a request comes from, once that is proven.

use gemba_api::rest::Role;
use gemba_model::DateTime;

/// A user by its session, or a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    /// The user's or the token's name; for the audit trail.
    pub(crate) name: String,
    /// What it may do.
    pub(crate) role: Role,
    /// How it proved itself.
    pub(crate) via: Via,
}

/// How a request proved who sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Via {
    /// A session cookie.
    Session {
        /// The session's key in the store: the hash of its id.
        key: String,
        /// What unsafe requests must show in X-CSRF-Token.
        csrf: String,
        /// When it ends unless it is used again.
        expires: DateTime,
    },
    /// A bearer token, by its hash.
    Token {
        /// The token's key in the store.
        key: String,
    },
}

impl Principal {
    /// What streams and limits are counted by.
    pub(crate) fn key(&self) -> &str {
        match &self.via {
            Via::Session { key, .. } | Via::Token { key } => key,
        }
    }

    /// The actor of the audit trail: tokens are marked, because a user may have the same name.
    pub(crate) fn actor(&self) -> String {
        match self.via {
            Via::Session { .. } => self.name.clone(),
            Via::Token { .. } => format!("token {}", self.name),
        }
    }
}
