//! The tables, and the version that names them.

use crate::OpenError;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::Path;

/// The format that this program writes (`PRAGMA user_version`).
pub const SCHEMA_VERSION: i64 = 2;

/// "GMBA": tells a registry from any other SQLite file (`PRAGMA application_id`).
const APPLICATION_ID: i64 = 0x474D_4241;

/// Files up to this size are checked whole when they are opened: 64 MiB take about 0.2 s. Larger ones
/// show damage when the damaged page is read.
const CHECKED_BYTES_MAX: i64 = 64 << 20;

const VERSION_1: &str = "
    CREATE TABLE document (
        collection TEXT NOT NULL,
        key        TEXT NOT NULL,
        etag       INTEGER NOT NULL,
        value      TEXT NOT NULL,
        PRIMARY KEY (collection, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE audit (
        id     INTEGER PRIMARY KEY AUTOINCREMENT,
        time   INTEGER NOT NULL, -- ticks of 100 ns since 1601-01-01
        actor  TEXT NOT NULL,
        action TEXT NOT NULL,
        target TEXT NOT NULL
    ) STRICT;
    CREATE TABLE counter (
        name  TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO counter VALUES ('etag', 0);
";

/// Secrets are encrypted from here on; the row proves that a key is the right one.
const VERSION_2: &str = "
    CREATE TABLE sealing (
        id    INTEGER PRIMARY KEY CHECK (id = 1),
        proof TEXT NOT NULL
    ) STRICT;
";

/// Brings the file to [`SCHEMA_VERSION`].
pub(crate) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::from_sqlite(path, &error);
    // Recognised first: a file of somebody else, or of a later Gemba, stays as it is.
    let state = recognise(connection, path)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    if state == State::Known {
        return check(connection, path);
    }
    if state == State::Older {
        check(connection, path)?;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Two first starts at once: the second finds the tables of the first.
    match recognise(&transaction, path)? {
        State::Empty => create(&transaction).map_err(failed)?,
        State::Older => upgrade(&transaction).map_err(failed)?,
        State::Known => {}
    }
    transaction.commit().map_err(failed)
}

#[derive(PartialEq)]
enum State {
    Empty,
    /// Version 1.
    Older,
    Known,
}

fn recognise(connection: &Connection, path: &Path) -> Result<State, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::from_sqlite(path, &error);
    let damaged = |detail: String| Err(OpenError::Damaged { path: path.to_owned(), detail });
    let version = pragma(connection, "user_version").map_err(failed)?;
    let application = pragma(connection, "application_id").map_err(failed)?;
    match (version, application) {
        (0, 0) if table_count(connection).map_err(failed)? == 0 => Ok(State::Empty),
        (_, application) if application != APPLICATION_ID => {
            damaged("it is a database of another program".to_owned())
        }
        (found, _) if found > SCHEMA_VERSION => {
            Err(OpenError::Newer { path: path.to_owned(), found, known: SCHEMA_VERSION })
        }
        (SCHEMA_VERSION, _) => Ok(State::Known),
        (1, _) => Ok(State::Older),
        (found, _) => damaged(format!("there never was a format {found}")),
    }
}

fn create(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(VERSION_1)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    upgrade(transaction)
}

fn upgrade(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(VERSION_2)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)
}

fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::from_sqlite(path, &error);
    let pages = pragma(connection, "page_count").map_err(failed)?;
    let page_bytes = pragma(connection, "page_size").map_err(failed)?;
    if pages.saturating_mul(page_bytes) > CHECKED_BYTES_MAX {
        return Ok(());
    }
    let found: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if found == "ok" {
        return Ok(());
    }
    Err(OpenError::Damaged { path: path.to_owned(), detail: found })
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn table_count(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
}
