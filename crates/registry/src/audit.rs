//! Who did what, when.

use gemba_api::docs::Audit;
use gemba_model::DateTime;
use rusqlite::{Connection, Transaction, params};

/// So many rows are kept; the oldest make room (about 20 MB).
const ROWS_MAX: i64 = 200_000;

/// One row of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Grows from row to row; numbers are never used again.
    pub id: i64,
    /// When.
    pub time: DateTime,
    /// A user, token name, or `system`.
    pub actor: String,
    /// What was done, such as `user.create`.
    pub action: String,
    /// To what.
    pub target: String,
}

pub(crate) fn append(transaction: &Transaction<'_>, time: DateTime, audit: &Audit) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO audit (time, actor, action, target) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![time.ticks(), audit.actor, audit.action, audit.target])?;
    let oldest = transaction.last_insert_rowid() - ROWS_MAX;
    transaction.prepare_cached("DELETE FROM audit WHERE id <= ?1")?.execute([oldest])?;
    Ok(())
}

pub(crate) fn read(connection: &Connection, before: i64, limit: i64) -> rusqlite::Result<Vec<AuditRow>> {
    connection
        .prepare_cached(
            "SELECT id, time, actor, action, target FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        )?
        .query_map([before, limit], |row| {
            Ok(AuditRow {
                id: row.get(0)?,
                time: DateTime::from_ticks(row.get(1)?),
                actor: row.get(2)?,
                action: row.get(3)?,
                target: row.get(4)?,
            })
        })?
        .collect()
}
