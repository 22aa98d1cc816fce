//! Documents in memory, with the rules of the real store.

use gemba_api::docs::{Audit, Expect};
use gemba_api::{DocStore, Document, Etag, StoreError, Write};
use gemba_model::ErrorCode;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Mutex;

type Rows = BTreeMap<(&'static str, String), (Etag, Value)>;

#[derive(Default)]
pub(crate) struct MemoryDocs {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rows: Rows,
    version: u64,
    audit: Vec<Audit>,
    failing: bool,
}

impl MemoryDocs {
    pub(crate) fn fail(&self, failing: bool) {
        self.state.lock().expect("not poisoned").failing = failing;
    }

    pub(crate) fn audit(&self) -> Vec<String> {
        let state = self.state.lock().expect("not poisoned");
        state.audit.iter().map(|row| format!("{} {} {}", row.actor, row.action, row.target)).collect()
    }

    fn state(&self) -> Result<std::sync::MutexGuard<'_, State>, StoreError> {
        let state = self.state.lock().expect("not poisoned");
        if state.failing {
            return Err(StoreError::Failed {
                code: ErrorCode("GMB-TEST-001"),
                detail: "told to fail".into(),
            });
        }
        Ok(state)
    }
}

impl DocStore for MemoryDocs {
    fn get(&self, collection: &'static str, key: &str) -> Result<Option<Document>, StoreError> {
        let state = self.state()?;
        let row = state.rows.get(&(collection, key.to_owned()));
        Ok(row.map(|(etag, value)| Document { key: key.to_owned(), etag: *etag, value: value.clone() }))
    }

    fn list(
        &self,
        collection: &'static str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        let state = self.state()?;
        let rows = state.rows.iter().filter(|((of, key), _)| {
            *of == collection && key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after)
        });
        let document = |((_, key), (etag, value)): (&(&str, String), &(Etag, Value))| Document {
            key: key.clone(),
            etag: *etag,
            value: value.clone(),
        };
        Ok(rows.map(document).take(limit).collect())
    }

    fn write(&self, writes: Vec<Write>, audit: Option<Audit>) -> Result<Vec<Etag>, StoreError> {
        let mut state = self.state()?;
        for write in &writes {
            let (Write::Put { collection, key, expect, .. } | Write::Delete { collection, key, expect }) =
                write;
            let found = state.rows.get(&(*collection, key.clone())).map(|(etag, _)| *etag);
            let holds = match expect {
                Expect::Any => true,
                Expect::Absent => found.is_none(),
                Expect::Version(version) => found == Some(*version),
            };
            if !holds {
                return Err(StoreError::Conflict { collection, key: key.clone() });
            }
        }
        let mut etags = Vec::new();
        for write in writes {
            match write {
                Write::Put { collection, key, value, .. } => {
                    state.version += 1;
                    let etag = Etag(state.version);
                    state.rows.insert((collection, key), (etag, value));
                    etags.push(etag);
                }
                Write::Delete { collection, key, .. } => {
                    state.rows.remove(&(collection, key));
                    etags.push(Etag(0));
                }
            }
        }
        state.audit.extend(audit);
        Ok(etags)
    }
}
