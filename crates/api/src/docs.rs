//! Small documents with conditional writes: identities, users, tokens, series, settings.

use gemba_model::ErrorCode;
use serde_json::Value;

/// Version of a document; changes with each write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Etag(pub u64);

/// A stored document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Key inside its collection.
    pub key: String,
    /// Its version.
    pub etag: Etag,
    /// Its content.
    pub value: Value,
}

/// What must hold for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Anything.
    Any,
    /// The document does not exist.
    Absent,
    /// The document has this version.
    Version(Etag),
}

/// One write of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Creates or replaces.
    Put {
        /// The collection, such as `identities`.
        collection: &'static str,
        /// Key in the collection, at most 512 bytes.
        key: String,
        /// The content.
        value: Value,
        /// The condition.
        expect: Expect,
    },
    /// Deletes; deleting what is absent is not an error unless a version is expected.
    Delete {
        /// The collection.
        collection: &'static str,
        /// Key in the collection.
        key: String,
        /// The condition.
        expect: Expect,
    },
}

/// A store operation failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A condition did not hold; nothing was written.
    #[error("{collection}/{key} was changed by somebody else, or exists already")]
    Conflict {
        /// The collection.
        collection: &'static str,
        /// The key.
        key: String,
    },
    /// Storage failed; nothing was written.
    #[error("{code}: {detail}")]
    Failed {
        /// Page under docs/errors.
        code: ErrorCode,
        /// What failed.
        detail: String,
    },
}

/// Who did something, for the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// A user, token name, or `system`.
    pub actor: String,
    /// What was done, such as `identity.create`.
    pub action: &'static str,
    /// To what.
    pub target: String,
}

/// Documents in named collections. Calls are short (a memory or SQLite access) and may block; each write
/// is durable when it returns.
pub trait DocStore: Send + Sync + 'static {
    /// One document.
    ///
    /// # Errors
    /// When storage fails.
    fn get(&self, collection: &'static str, key: &str) -> Result<Option<Document>, StoreError>;

    /// Documents in key order, after `after`, whose keys begin with `prefix`.
    ///
    /// # Errors
    /// When storage fails.
    fn list(
        &self,
        collection: &'static str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError>;

    /// All writes or none, with an audit row in the same transaction if one is given. Returns the new
    /// versions, one per write (deletes give version 0).
    ///
    /// # Errors
    /// When a condition does not hold or storage fails.
    fn write(&self, writes: Vec<Write>, audit: Option<Audit>) -> Result<Vec<Etag>, StoreError>;
}
