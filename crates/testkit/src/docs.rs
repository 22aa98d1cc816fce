//! A document store in memory.

use gemba_api::docs::{Audit, Expect};
use gemba_api::{DocStore, Document, Etag, StoreError, Write};
use gemba_model::ErrorCode;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

type Key = (&'static str, String);

#[derive(Debug, Default)]
struct Inner {
    documents: BTreeMap<Key, Document>,
    version: u64,
    audits: Vec<Audit>,
    failing: bool,
}

/// A store that forgets nothing until the last clone is gone. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryDocs(Arc<Mutex<Inner>>);

impl MemoryDocs {
    /// Whether every call fails from now on.
    pub fn fail(&self, failing: bool) {
        self.0.lock().failing = failing;
    }

    /// All audit rows, oldest first.
    pub fn audits(&self) -> Vec<Audit> {
        self.0.lock().audits.clone()
    }

    /// A copy as of now that goes its own way.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        let inner = self.0.lock();
        let (documents, audits) = (inner.documents.clone(), inner.audits.clone());
        Self(Arc::new(Mutex::new(Inner { documents, version: inner.version, audits, failing: false })))
    }
}

impl Inner {
    fn alive(&self) -> Result<(), StoreError> {
        let detail = || "the test lets the store fail".to_owned();
        if self.failing {
            return Err(StoreError::Failed { code: ErrorCode("TEST-001"), detail: detail() });
        }
        Ok(())
    }

    fn check(&self, key: &Key, expect: Expect) -> Result<(), StoreError> {
        let found = self.documents.get(key).map(|document| document.etag);
        let holds = match expect {
            Expect::Any => true,
            Expect::Absent => found.is_none(),
            Expect::Version(etag) => found == Some(etag),
        };
        if holds { Ok(()) } else { Err(StoreError::Conflict { collection: key.0, key: key.1.clone() }) }
    }
}

impl DocStore for MemoryDocs {
    fn get(&self, collection: &'static str, key: &str) -> Result<Option<Document>, StoreError> {
        let inner = self.0.lock();
        inner.alive()?;
        Ok(inner.documents.get(&(collection, key.to_owned())).cloned())
    }

    fn list(
        &self,
        collection: &'static str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        let inner = self.0.lock();
        inner.alive()?;
        let start = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded((collection, after.to_owned())),
            None => Bound::Included((collection, prefix.to_owned())),
        };
        let wanted = inner.documents.range((start, Bound::Unbounded));
        let wanted = wanted.take_while(|((name, key), _)| *name == collection && key.starts_with(prefix));
        Ok(wanted.map(|(_, document)| document.clone()).take(limit).collect())
    }

    fn write(&self, writes: Vec<Write>, audit: Option<Audit>) -> Result<Vec<Etag>, StoreError> {
        let mut inner = self.0.lock();
        inner.alive()?;
        for write in &writes {
            let (Write::Put { collection, key, expect, .. } | Write::Delete { collection, key, expect }) =
                write;
            inner.check(&(*collection, key.clone()), *expect)?;
        }
        let mut etags = Vec::with_capacity(writes.len());
        for write in writes {
            match write {
                Write::Put { collection, key, value, .. } => {
                    inner.version += 1;
                    let etag = Etag(inner.version);
                    inner.documents.insert((collection, key.clone()), Document { key, etag, value });
                    etags.push(etag);
                }
                Write::Delete { collection, key, .. } => {
                    inner.documents.remove(&(collection, key));
                    etags.push(Etag(0));
                }
            }
        }
        inner.audits.extend(audit);
        Ok(etags)
    }
}
