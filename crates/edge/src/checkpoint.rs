//! The edge's state in a small file, so that the queue may forget what was delivered.
//!
//! Written before segments are deleted; what happened after it is read from the queue itself.

use gemba_model::text::{base64, from_base64};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Format of the file.
const VERSION: u32 = 1;

/// What must survive the deletion of delivered records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The log that this is about; another one means that state was lost.
    pub(crate) log: String,
    /// First offset of the log that is not in this checkpoint.
    pub(crate) offset: u64,
    /// Sequence of the next message at `offset`.
    pub(crate) next_sequence: u64,
    /// First offset with something that the hub has not acknowledged.
    pub(crate) unacknowledged_offset: u64,
    /// First sequence that the hub has not acknowledged.
    pub(crate) unacknowledged_sequence: u64,
    /// Where the field's subscriptions stand at `offset`.
    pub(crate) cursors: BTreeMap<String, Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    version: u32,
    log: String,
    offset: u64,
    next_sequence: u64,
    unacknowledged_offset: u64,
    unacknowledged_sequence: u64,
    cursors: BTreeMap<String, String>,
}

impl Checkpoint {
    pub(crate) fn print(&self) -> Vec<u8> {
        let file = File {
            version: VERSION,
            log: self.log.clone(),
            offset: self.offset,
            next_sequence: self.next_sequence,
            unacknowledged_offset: self.unacknowledged_offset,
            unacknowledged_sequence: self.unacknowledged_sequence,
            cursors: self.cursors.iter().map(|(key, state)| (key.clone(), base64(state))).collect(),
        };
        serde_json::to_vec_pretty(&file).unwrap_or_default()
    }

    /// Reads a file; the text says what is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let file: File = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if file.version != VERSION {
            return Err(format!("format version {} is not known; this Gemba knows {VERSION}", file.version));
        }
        let cursors = file.cursors.into_iter().map(|(key, state)| {
            let state = from_base64(&state).ok_or_else(|| format!("the cursor '{key}' is not Base64"))?;
            Ok((key, state))
        });
        Ok(Self {
            log: file.log,
            offset: file.offset,
            next_sequence: file.next_sequence,
            unacknowledged_offset: file.unacknowledged_offset,
            unacknowledged_sequence: file.unacknowledged_sequence,
            cursors: cursors.collect::<Result<_, String>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_reads_back_and_a_newer_one_is_refused() {
        let checkpoint = Checkpoint {
            log: "ab".into(),
            offset: 9,
            next_sequence: 8,
            unacknowledged_offset: 7,
            unacknowledged_sequence: 6,
            cursors: BTreeMap::from([("k".to_owned(), vec![0, 255])]),
        };
        let text = checkpoint.print();
        assert_eq!(Checkpoint::parse(&text), Ok(checkpoint));
        let newer = String::from_utf8_lossy(&text).replace("\"version\": 1", "\"version\": 2");
        assert_eq!(
            Checkpoint::parse(newer.as_bytes()),
            Err("format version 2 is not known; this Gemba knows 1".to_owned())
        );
        assert!(Checkpoint::parse(b"{").is_err());
    }

    #[test]
    fn fuzz_checkpoint() {
        let cursors = BTreeMap::from([("k".to_owned(), vec![0, 255]), ("l".to_owned(), Vec::new())]);
        let (log, offset, next_sequence) = ("0123456789abcdef".into(), 9, 8);
        let (unacknowledged_offset, unacknowledged_sequence) = (7, 6);
        let example = Checkpoint {
            log,
            offset,
            next_sequence,
            unacknowledged_offset,
            unacknowledged_sequence,
            cursors,
        };
        gemba_testkit::fuzz::Target::new("edge-checkpoint", crate::fuzz::checkpoint)
            .inputs([example.print()])
            .run();
    }
}
