//! Small documents that must survive: identities, users, tokens, settings, with who changed what.
//!
//! Purpose: [`gemba_api::DocStore`] in one SQLite file, each write durable and audited in one transaction, secrets
//! encrypted.
//! Knows: SQLite, the file system.
//! Does not know: what the documents mean, any socket or other room.

mod audit;
mod error;
mod key;
mod schema;
mod seal;
mod store;

pub use audit::AuditRow;
pub use error::OpenError;
pub use key::KeySource;
pub use schema::SCHEMA_VERSION;
pub use seal::Sealing;
pub use store::{KEY_BYTES_MAX, SqliteDocStore, VALUE_BYTES_MAX};
