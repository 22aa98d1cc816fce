//! The document store: one writing connection, a few reading ones.

use crate::audit::{self, AuditRow};
use crate::error::{failed, out_of_bounds, poisoned, poisons};
use crate::seal::{self, Seal, Sealing};
use crate::{OpenError, schema};
use gemba_api::docs::{Audit, Expect};
use gemba_api::{DocStore, Document, Etag, StoreError, Write};
use gemba_base::{Clock, SystemClock};
use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use std::fs::OpenOptions;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A key is at most so long.
pub const KEY_BYTES_MAX: usize = 512;
/// A document's JSON is at most so long.
pub const VALUE_BYTES_MAX: usize = 1 << 20;

/// Readers do not wait for a writer's fsync, so a handful of connections serves all.
const READERS: usize = 4;
/// How long a command-line tool and the service wait for each other.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A [`DocStore`] in one SQLite file (WAL, `synchronous=FULL`).
pub struct SqliteDocStore {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    writer: Mutex<Connection>,
    readers: [Mutex<Connection>; READERS],
    poisoned: AtomicBool,
    seal: Option<Seal>,
}

impl std::fmt::Debug for SqliteDocStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteDocStore").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SqliteDocStore {
    /// Opens the file, or creates it with mode 0600, with all documents in clear. The folder must exist.
    ///
    /// # Errors
    /// When the file cannot be used, is damaged, has encrypted documents, or was written by a later Gemba.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with_clock(path.as_ref(), Arc::new(SystemClock::new()))
    }

    /// Opens or creates the file with the documents of some collections encrypted. What stands in clear in these
    /// is encrypted now, and no copy of it stays in the file.
    ///
    /// # Errors
    /// As [`SqliteDocStore::open`], and when the key cannot be had or is another one.
    pub fn open_sealed(path: impl AsRef<Path>, sealing: &Sealing) -> Result<Self, OpenError> {
        Self::open_as(path.as_ref(), Arc::new(SystemClock::new()), Some(sealing))
    }

    /// [`SqliteDocStore::open`] with the clock that dates the audit trail.
    ///
    /// # Errors
    /// As [`SqliteDocStore::open`].
    pub fn open_with_clock(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::open_as(path, clock, None)
    }

    fn open_as(path: &Path, clock: Arc<dyn Clock>, sealing: Option<&Sealing>) -> Result<Self, OpenError> {
        make_private(path)
            .map_err(|error| OpenError::CannotOpen { path: path.to_owned(), detail: error.to_string() })?;
        let open = |error: rusqlite::Error| OpenError::from_sqlite(path, &error);
        let mut writer = connect(path).map_err(open)?;
        schema::prepare(&mut writer, path)?;
        let seal = seal::ensure(&mut writer, path, sealing)?;
        let reader = || connect(path).map(Mutex::new).map_err(open);
        let readers = [reader()?, reader()?, reader()?, reader()?];
        Ok(Self {
            path: path.to_owned(),
            clock,
            writer: Mutex::new(writer),
            readers,
            poisoned: AtomicBool::new(false),
            seal,
        })
    }

    /// The audit trail, newest first, of rows with an id below `before`; `None` begins at the newest.
    ///
    /// # Errors
    /// When storage fails.
    pub fn audit(&self, before: Option<i64>, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        audit::read(&self.reader(), before.unwrap_or(i64::MAX), limit).map_err(|e| failed(&self.path, &e))
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        let [first, rest @ ..] = &self.readers;
        rest.iter().find_map(Mutex::try_lock).unwrap_or_else(|| first.lock())
    }

    /// The document of a row of key, version and value.
    fn document(&self, collection: &str, row: &rusqlite::Row<'_>) -> rusqlite::Result<Document> {
        let (key, etag, text): (String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let damaged = |error: Box<dyn std::error::Error + Send + Sync>| {
            rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, error)
        };
        let text = if seal::is_sealed(&text) {
            let opened = self.seal.as_ref().and_then(|seal| seal.open(collection, &key, &text));
            opened.ok_or_else(|| damaged("the encrypted value is damaged or was moved".into()))?
        } else {
            text
        };
        let value = serde_json::from_str(&text).map_err(|error| damaged(Box::new(error)))?;
        Ok(Document { key, etag: Etag(etag.cast_unsigned()), value })
    }

    fn transact(&self, writes: &[Write], audit: Option<&Audit>) -> Result<Vec<Etag>, Refusal> {
        let mut connection = self.writer.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut etags = Vec::with_capacity(writes.len());
        for write in writes {
            etags.push(apply(&transaction, write, self.seal.as_ref())?);
        }
        if let Some(entry) = audit {
            audit::append(&transaction, self.clock.now(), entry)?;
        }
        transaction.commit()?;
        Ok(etags)
    }
}

impl DocStore for SqliteDocStore {
    fn get(&self, collection: &'static str, key: &str) -> Result<Option<Document>, StoreError> {
        let read = |connection: &Connection| {
            connection
                .prepare_cached("SELECT key, etag, value FROM document WHERE collection = ?1 AND key = ?2")?
                .query_row([collection, key], |row| self.document(collection, row))
                .optional()
        };
        read(&self.reader()).map_err(|error| failed(&self.path, &error))
    }

    fn list(
        &self,
        collection: &'static str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = |connection: &Connection| {
            // The index delivers keys in byte order, so all keys with the prefix stand together.
            let mut statement = connection.prepare_cached(
                "SELECT key, etag, value FROM document
                 WHERE collection = ?1 AND key >= ?2 AND (?3 IS NULL OR key > ?3) ORDER BY key LIMIT ?4",
            )?;
            let rows = statement
                .query_map(params![collection, prefix, after, limit], |row| self.document(collection, row))?;
            let belongs = |row: &rusqlite::Result<Document>| {
                row.as_ref().map_or(true, |document| document.key.starts_with(prefix))
            };
            rows.take_while(belongs).collect::<rusqlite::Result<Vec<Document>>>()
        };
        read(&self.reader()).map_err(|error| failed(&self.path, &error))
    }

    fn write(&self, writes: Vec<Write>, audit: Option<Audit>) -> Result<Vec<Etag>, StoreError> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(poisoned(&self.path));
        }
        writes.iter().try_for_each(check_bounds)?;
        self.transact(&writes, audit.as_ref()).map_err(|refusal| match refusal {
            Refusal::Conflict { collection, key } => StoreError::Conflict { collection, key },
            Refusal::TooLarge(detail) => out_of_bounds(detail),
            Refusal::Sqlite(error) => {
                if poisons(&error) {
                    // Whether the bytes of this or an earlier write reached the disk is unknown now.
                    self.poisoned.store(true, Ordering::Release);
                    tracing::error!(path = %self.path.display(), %error, "registry takes no more writes");
                }
                failed(&self.path, &error)
            }
        })
    }
}

/// Why a transaction was rolled back.
enum Refusal {
    Conflict { collection: &'static str, key: String },
    TooLarge(String),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn check_bounds(write: &Write) -> Result<(), StoreError> {
    let (Write::Put { collection, key, .. } | Write::Delete { collection, key, .. }) = write;
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        let detail = format!("a key in {collection} must have 1 to {KEY_BYTES_MAX} bytes, not {}", key.len());
        return Err(out_of_bounds(detail));
    }
    Ok(())
}

fn apply(transaction: &Transaction<'_>, write: &Write, seal: Option<&Seal>) -> Result<Etag, Refusal> {
    match write {
        Write::Put { collection, key, value, expect } => {
            let text = value.to_string();
            if text.len() > VALUE_BYTES_MAX {
                return Err(Refusal::TooLarge(format!(
                    "{collection}/{key} has {} bytes; a document has at most {VALUE_BYTES_MAX}",
                    text.len()
                )));
            }
            let text = match seal.filter(|seal| seal.covers(collection)) {
                None => text,
                Some(seal) => seal
                    .close(collection, key, &text)
                    .ok_or_else(|| Refusal::TooLarge(format!("{collection}/{key} cannot be encrypted")))?,
            };
            hold(transaction, collection, key, *expect)?;
            let etag = next_etag(transaction)?;
            transaction
                .prepare_cached(
                    "INSERT INTO document (collection, key, etag, value) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET etag = excluded.etag, value = excluded.value",
                )?
                .execute(params![collection, key, etag, text])?;
            Ok(Etag(etag.cast_unsigned()))
        }
        Write::Delete { collection, key, expect } => {
            hold(transaction, collection, key, *expect)?;
            transaction
                .prepare_cached("DELETE FROM document WHERE collection = ?1 AND key = ?2")?
                .execute([*collection, key])?;
            Ok(Etag(0))
        }
    }
}

/// Checks the condition of a write against what the transaction sees.
fn hold(
    transaction: &Transaction<'_>,
    collection: &'static str,
    key: &str,
    expect: Expect,
) -> Result<(), Refusal> {
    if expect == Expect::Any {
        return Ok(());
    }
    let found: Option<i64> = transaction
        .prepare_cached("SELECT etag FROM document WHERE collection = ?1 AND key = ?2")?
        .query_row([collection, key], |row| row.get(0))
        .optional()?;
    let holds = match expect {
        Expect::Any => true,
        Expect::Absent => found.is_none(),
        Expect::Version(Etag(version)) => found.map(i64::cast_unsigned) == Some(version),
    };
    if holds { Ok(()) } else { Err(Refusal::Conflict { collection, key: key.to_owned() }) }
}

fn next_etag(transaction: &Transaction<'_>) -> rusqlite::Result<i64> {
    transaction
        .prepare_cached("UPDATE counter SET value = value + 1 WHERE name = 'etag' RETURNING value")?
        .query_row([], |row| row.get(0))
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // One thread at a time holds a connection (its mutex), so SQLite's own lock is not needed.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// Creates the file if there is none; SQLite gives its -wal and -shm files the same mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_waits_for_the_disk() {
        let path = std::env::temp_dir().join(format!("gemba-registry-{}", gemba_base::random::hex::<8>()));
        let store = SqliteDocStore::open(&path).expect("opens");
        for connection in std::iter::once(&store.writer).chain(&store.readers) {
            let connection = connection.lock();
            let mode: String =
                connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).expect("reads");
            let synchronous: i64 =
                connection.pragma_query_value(None, "synchronous", |row| row.get(0)).expect("reads");
            assert_eq!((mode.as_str(), synchronous), ("wal", 2), "2 is FULL");
        }
        for suffix in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(format!("{}{suffix}", path.display())));
        }
    }
}
