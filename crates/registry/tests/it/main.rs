//! The registry as its users see it.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

mod conformance;
mod files;
mod folder;
mod secrets;

use folder::Folder;
use gemba_registry::SqliteDocStore;

#[test]
fn sqlite_keeps_the_contract_of_a_document_store() {
    let folder = Folder::new();
    let store = SqliteDocStore::open(folder.path("registry.db")).expect("opens");
    conformance::holds_for(&store);
}
