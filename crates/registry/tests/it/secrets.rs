//! Secrets at rest: nothing of them stands in the file, and without the right key nothing opens.

use crate::folder::Folder;
use expect_test::expect;
use gemba_api::docs::Expect;
use gemba_api::{DocStore, Etag, StoreError, Write};
use gemba_registry::{KeySource, OpenError, Sealing, SqliteDocStore};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::Path;

const SECRET: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn sealing(folder: &Folder) -> Sealing {
    Sealing { key: KeySource::File(folder.path("secrets.key")), collections: &["identities", "users"] }
}

fn put(collection: &'static str, key: &str, value: Value) -> Vec<Write> {
    vec![Write::Put { collection, key: key.to_owned(), value, expect: Expect::Any }]
}

/// Whether a text stands in the registry or in one of the files beside it.
fn stands_in_clear(folder: &Folder, text: &str) -> bool {
    ["registry.db", "registry.db-wal", "registry.db-shm"].iter().any(|name| {
        let bytes = std::fs::read(folder.path(name)).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

fn fault(path: &Path, sealing: &Sealing) -> (&'static str, String) {
    let error = SqliteDocStore::open_sealed(path, sealing).expect_err("does not open");
    let folder = path.parent().expect("a folder").display().to_string();
    (error.code().0, error.to_string().replace(&folder, "DIR").replace("; ", ";\n"))
}

#[test]
fn secrets_are_read_back_and_stand_nowhere() {
    let folder = Folder::new();
    let path = folder.path("registry.db");
    let document = json!({"primaryKey": SECRET});
    let store = SqliteDocStore::open_sealed(&path, &sealing(&folder)).expect("opens");
    store.write(put("identities", "d", document.clone()), None).expect("writes");
    store.write(put("series", "s", json!({"name": "in clear"})), None).expect("writes");
    assert!(!stands_in_clear(&folder, SECRET) && !stands_in_clear(&folder, "primaryKey"));
    assert!(stands_in_clear(&folder, "in clear"), "the search finds what is there");
    drop(store);
    let store = SqliteDocStore::open_sealed(&path, &sealing(&folder)).expect("opens again");
    assert_eq!(store.get("identities", "d").expect("reads").expect("is there").value, document);
    let listed = store.list("identities", "", None, 10).expect("reads");
    assert_eq!(listed.iter().map(|one| &one.value).collect::<Vec<_>>(), [&document]);
    drop(store);
    assert!(!stands_in_clear(&folder, SECRET), "not after the checkpoint either");
}

/// A registry as the first release wrote it.
fn of_version_1(path: &Path) {
    let connection = Connection::open(path).expect("opens");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE document (
                 collection TEXT NOT NULL, key TEXT NOT NULL, etag INTEGER NOT NULL, value TEXT NOT NULL,
                 PRIMARY KEY (collection, key)) STRICT, WITHOUT ROWID;
             CREATE TABLE audit (
                 id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, actor TEXT NOT NULL,
                 action TEXT NOT NULL, target TEXT NOT NULL) STRICT;
             CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
             INSERT INTO counter VALUES ('etag', 900);
             PRAGMA application_id = 0x474D4241;
             PRAGMA user_version = 1;",
        )
        .expect("creates");
    for number in 0..300 {
        let value = json!({"primaryKey": SECRET, "more": "x".repeat(200)}).to_string();
        connection
            .execute(
                "INSERT INTO document VALUES ('identities', ?1, ?2, ?3)",
                rusqlite::params![format!("d{number:03}"), number, value],
            )
            .expect("inserts");
    }
    // Free pages keep what was deleted.
    connection.execute("DELETE FROM document WHERE key < 'd100'", []).expect("deletes");
}

#[test]
fn a_registry_of_version_1_is_encrypted_when_it_is_opened() {
    let folder = Folder::new();
    let path = folder.path("registry.db");
    of_version_1(&path);
    assert!(stands_in_clear(&folder, SECRET));
    let store = SqliteDocStore::open_sealed(&path, &sealing(&folder)).expect("opens");
    assert!(!stands_in_clear(&folder, SECRET), "neither in pages in use nor in free ones nor in the journal");
    let found = store.get("identities", "d123").expect("reads").expect("is there");
    assert_eq!((found.etag, &found.value["primaryKey"]), (Etag(123), &json!(SECRET)), "versions stay");
    assert_eq!(store.list("identities", "", None, 1_000).expect("reads").len(), 200);
}

#[test]
fn without_the_right_key_nothing_opens_and_the_remedy_is_told() {
    let folder = Folder::new();
    let path = folder.path("registry.db");
    drop(SqliteDocStore::open_sealed(&path, &sealing(&folder)).expect("opens"));
    let key = std::fs::read(folder.path("secrets.key")).expect("was made");
    assert!(matches!(SqliteDocStore::open(&path), Err(OpenError::Key { .. })), "no key at all");

    std::fs::remove_file(folder.path("secrets.key")).expect("removes");
    let (code, text) = fault(&path, &sealing(&folder));
    assert_eq!(code, "GMB-REG-008");
    expect![[r#"
        GMB-REG-008: the registry DIR/registry.db cannot be opened: its secrets are encrypted, and their key is not in DIR/secrets.key;
        put the key back where it was, or set secrets.key-file to where it is now"#]]
    .assert_eq(&text);
    assert!(!folder.path("secrets.key").exists(), "no new key is made in its place");

    std::fs::write(folder.path("secrets.key"), "gemba-secrets-key:1:AAAA\n").expect("writes");
    let (code, text) = fault(&path, &sealing(&folder));
    assert_eq!(code, "GMB-REG-008");
    assert!(text.contains("DIR/secrets.key holds no key"), "{text}");

    let other = Folder::new();
    drop(SqliteDocStore::open_sealed(other.path("registry.db"), &sealing(&other)).expect("opens"));
    std::fs::copy(other.path("secrets.key"), folder.path("secrets.key")).expect("copies");
    let (code, text) = fault(&path, &sealing(&folder));
    assert_eq!(code, "GMB-REG-009");
    expect![[r#"
        GMB-REG-009: the key in DIR/secrets.key is not the one of the registry DIR/registry.db;
        restore the key that belongs to it, from the same installation"#]]
    .assert_eq(&text);

    std::fs::write(folder.path("secrets.key"), key).expect("writes");
    assert!(SqliteDocStore::open_sealed(&path, &sealing(&folder)).is_ok(), "nothing was changed meanwhile");
    let environment =
        Sealing { key: KeySource::Environment("GEMBA_TEST_NO_SUCH".into()), ..sealing(&folder) };
    assert_eq!(fault(&path, &environment).0, "GMB-REG-008");
}

#[test]
fn a_value_that_was_moved_or_changed_is_damage() {
    let folder = Folder::new();
    let path = folder.path("registry.db");
    let store = SqliteDocStore::open_sealed(&path, &sealing(&folder)).expect("opens");
    store.write(put("identities", "mine", json!({"primaryKey": SECRET})), None).expect("writes");
    store.write(put("identities", "yours", json!({"primaryKey": "other"})), None).expect("writes");
    drop(store);
    Connection::open(&path)
        .expect("opens")
        .execute(
            "UPDATE document SET value = (SELECT value FROM document WHERE key = 'mine') WHERE key = 'yours'",
            [],
        )
        .expect("updates");
    let store = SqliteDocStore::open_sealed(&path, &sealing(&folder)).expect("opens");
    assert!(store.get("identities", "mine").is_ok());
    let StoreError::Failed { code, .. } = store.get("identities", "yours").expect_err("is damaged") else {
        panic!("not a conflict");
    };
    assert_eq!(code.0, "GMB-REG-003");
}
