//! What consumer groups have committed: durable documents, and a copy in memory.

use crate::error::HubError;
use gemba_api::docs::Expect;
use gemba_api::{DocStore, LogError, StoreError, Write};
use gemba_model::ErrorCode;
use parking_lot::Mutex;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

const COLLECTION: &str = "consumer-offsets";

/// Committed offsets. Clones share them.
#[derive(Clone)]
pub(super) struct Consumers(Arc<Inner>);

struct Inner {
    docs: Arc<dyn DocStore>,
    required: Vec<String>,
    committed: Mutex<BTreeMap<(String, u32), u64>>,
}

impl std::fmt::Debug for Consumers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumers").field("committed", &*self.0.committed.lock()).finish_non_exhaustive()
    }
}

impl Consumers {
    pub(super) fn load(docs: Arc<dyn DocStore>, required: Vec<String>) -> Result<Self, HubError> {
        let mut committed = BTreeMap::new();
        let mut after = None;
        loop {
            let page = docs.list(COLLECTION, "", after.as_deref(), 500).map_err(HubError::Store)?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            for document in page {
                let offset = document.value.get("offset").and_then(serde_json::Value::as_u64);
                let place = document.key.rsplit_once('/');
                match (place.and_then(|(group, n)| Some((group, n.parse().ok()?))), offset) {
                    (Some((group, partition)), Some(offset)) => {
                        committed.insert((group.to_owned(), partition), offset);
                    }
                    // Without its offset a group begins at the oldest message again, which loses nothing.
                    _ => tracing::warn!(key = document.key, "a consumer's offset is damaged and not used"),
                }
            }
        }
        Ok(Self(Arc::new(Inner { docs, required, committed: Mutex::new(committed) })))
    }

    pub(super) fn committed(&self, group: &str, partition: u32) -> Option<u64> {
        self.0.committed.lock().get(&(group.to_owned(), partition)).copied()
    }

    pub(super) fn committed_by_all(&self, partition: u32) -> Option<u64> {
        let committed = self.0.committed.lock();
        let of = |group: &String| committed.get(&(group.clone(), partition)).copied().unwrap_or(0);
        self.0.required.iter().map(of).min()
    }

    pub(super) fn required(&self) -> &[String] {
        &self.0.required
    }

    /// Durable on return. Never goes back; returns what is committed now.
    pub(super) fn commit(&self, group: &str, partition: u32, offset: u64) -> Result<u64, LogError> {
        let place = (group.to_owned(), partition);
        // Held during the write, so that of two commits the higher one is also the one on disk.
        let mut committed = self.0.committed.lock();
        if let Some(known) = committed.get(&place).copied()
            && known >= offset
        {
            return Ok(known);
        }
        self.write(group, partition, offset).map_err(|error| LogError {
            code: ErrorCode("GMB-HUB-008"),
            detail: format!("the offset of consumer group '{group}' could not be written: {error}"),
        })?;
        committed.insert(place, offset);
        Ok(offset)
    }

    /// A new log is shorter than what was committed of the old one: forget that, or nobody would read it.
    pub(super) fn cut(&self, partition: u32, next_offset: u64) {
        let mut committed = self.0.committed.lock();
        for ((group, of), offset) in &mut *committed {
            if *of == partition && *offset > next_offset {
                tracing::warn!(
                    group,
                    partition,
                    committed = *offset,
                    next_offset,
                    "the log ends before the committed offset: it was replaced, and is read from its beginning"
                );
                *offset = 0;
                if let Err(error) = self.write(group, partition, 0) {
                    tracing::warn!(group, partition, %error, "the offset could not be written");
                }
            }
        }
    }

    fn write(&self, group: &str, partition: u32, offset: u64) -> Result<(), StoreError> {
        let write = Write::Put {
            collection: COLLECTION,
            key: format!("{group}/{partition:05}"),
            value: json!({ "offset": offset }),
            expect: Expect::Any,
        };
        self.0.docs.write(vec![write], None).map(drop)
    }
}
