//! What happens to the file: restarts, damage, later versions, permissions, audit.

use crate::folder::Folder;
use expect_test::expect;
use gemba_api::docs::{Audit, Expect};
use gemba_api::{DocStore, Write};
use gemba_base::Clock;
use gemba_model::DateTime;
use gemba_registry::{OpenError, SqliteDocStore};
use rusqlite::Connection;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime {
        "2026-03-01T12:00:00Z".parse().expect("a time")
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

fn put(key: &str) -> Vec<Write> {
    vec![Write::Put {
        collection: "users",
        key: key.to_owned(),
        value: json!({"n": 1}),
        expect: Expect::Absent,
    }]
}

fn fault(path: &Path) -> String {
    let error = SqliteDocStore::open(path).expect_err("does not open");
    let folder = path.parent().expect("a folder").display().to_string();
    assert!(error.to_string().starts_with(error.code().0), "the text begins with the code");
    // A line each for what happened and for the remedy.
    error.to_string().replace(&folder, "DIR").replace("; ", ";\n")
}

#[test]
fn documents_and_versions_survive_a_restart() {
    let folder = Folder::new();
    let path = folder.path("registry.db");
    let first = SqliteDocStore::open(&path).expect("opens").write(put("anna"), None).expect("writes");
    let store = SqliteDocStore::open(&path).expect("opens again");
    assert!(store.get("users", "anna").expect("reads").is_some());
    assert!(store.write(put("otto"), None).expect("writes") > first);
}

#[test]
fn only_the_owner_can_read_the_files() {
    let folder = Folder::new();
    let path = folder.path("registry.db");
    std::fs::write(&path, b"").expect("an empty file that anybody may read");
    let store = SqliteDocStore::open(&path).expect("opens");
    store.write(put("anna"), None).expect("writes");
    for name in ["registry.db", "registry.db-wal", "registry.db-shm"] {
        let mode = std::fs::metadata(folder.path(name)).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn what_cannot_be_opened_says_what_and_how_to_go_on() {
    let folder = Folder::new();
    expect![[r#"
        GMB-REG-001: the registry DIR/registry.db cannot be opened: No such file or directory (os error 2);
        check that its folder exists and belongs to the user that runs Gemba"#]]
    .assert_eq(&fault(&folder.path("none/registry.db")).replace("/none", ""));

    let other = folder.path("other.db");
    Connection::open(&other).expect("opens").execute_batch("CREATE TABLE t (x)").expect("creates");
    expect![[r#"
        GMB-REG-003: the registry DIR/other.db is damaged or is not a registry: it is a database of another program;
        move it away together with its -wal and -shm files and restore them from a backup"#]]
        .assert_eq(&fault(&other));

    let text = folder.path("text.db");
    std::fs::write(&text, "this is not a database, and long enough to tell".repeat(40)).expect("writes");
    expect![[r#"
        GMB-REG-003: the registry DIR/text.db is damaged or is not a registry: file is not a database;
        move it away together with its -wal and -shm files and restore them from a backup"#]]
    .assert_eq(&fault(&text));

    let newer = folder.path("newer.db");
    drop(SqliteDocStore::open(&newer).expect("opens"));
    Connection::open(&newer).expect("opens").pragma_update(None, "user_version", 7).expect("updates");
    expect![[r#"
        GMB-REG-002: the registry DIR/newer.db has format 7, this program knows formats up to 2;
        run the newer Gemba that wrote it, or restore the copy from before the upgrade"#]]
    .assert_eq(&fault(&newer));
}

#[test]
fn damaged_pages_are_found_when_the_registry_is_opened() {
    let folder = Folder::new();
    let path = folder.path("registry.db");
    let store = SqliteDocStore::open(&path).expect("opens");
    for n in 0..200 {
        store.write(put(&format!("user-{n:04}")), None).expect("writes");
    }
    drop(store);
    let mut bytes = std::fs::read(&path).expect("reads");
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xA5);
    std::fs::write(&path, bytes).expect("writes");
    assert!(matches!(SqliteDocStore::open(&path), Err(OpenError::Damaged { .. })));
}

#[test]
fn the_audit_trail_has_what_was_written_and_nothing_else() {
    let folder = Folder::new();
    let path = folder.path("registry.db");
    let store = SqliteDocStore::open_with_clock(&path, Arc::new(Noon)).expect("opens");
    let audit = |target: &str| {
        Some(Audit { actor: "anna".to_owned(), action: "user.create", target: target.to_owned() })
    };
    store.write(put("otto"), audit("otto")).expect("writes");
    store.write(put("otto"), audit("twice")).expect_err("is refused");
    store.write(put("quiet"), None).expect("writes");
    store.write(put("olga"), audit("olga")).expect("writes");
    let rows = store.audit(None, 10).expect("reads");
    let shown: Vec<String> =
        rows.iter().map(|row| format!("{} {} {} {}", row.time, row.actor, row.action, row.target)).collect();
    expect![[r#"
        [
            "2026-03-01T12:00:00.0000000Z anna user.create olga",
            "2026-03-01T12:00:00.0000000Z anna user.create otto",
        ]
    "#]]
    .assert_debug_eq(&shown);
    assert_eq!(store.audit(Some(rows[0].id), 10).expect("reads"), rows[1..]);
}
