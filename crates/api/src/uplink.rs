//! Upward: from the field to the edge. Data goes up here and nowhere else.

use crate::BoxFuture;
use gemba_model::{DataSetMetaData, ErrorCode, GapRecord, SampleBatch};
use std::collections::HashMap;
use std::sync::Arc;

/// Progress of a subscription, stored in the same atomic write as the data that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorUpdate {
    /// Stable name of what progresses. At most 512 bytes.
    pub key: String,
    /// Opaque state, at most 64 KiB; `None` forgets the key.
    pub state: Option<Vec<u8>>,
}

/// What is made durable together: all of it or nothing. Order on the way up: gaps, then batches.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    /// What is missing before these batches.
    pub gaps: Vec<GapRecord>,
    /// The data. Each batch's description must have been announced.
    pub batches: Vec<SampleBatch>,
    /// Where the subscriptions stand after it.
    pub cursors: Vec<CursorUpdate>,
}

/// A delivery was not taken. Nothing of it is durable.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UplinkError {
    /// The queue's disk or byte budget is exhausted; waiting helps.
    #[error("{code}: the store-and-forward queue is full: {}", without_code(*code, detail))]
    Full {
        /// Page under docs/errors.
        code: ErrorCode,
        /// What is full, how much, and what would help.
        detail: String,
    },
    /// The queue's storage failed; it reopens by itself.
    #[error("{code}: the store-and-forward queue has failed: {}", without_code(*code, detail))]
    Failed {
        /// Page under docs/errors.
        code: ErrorCode,
        /// What failed.
        detail: String,
    },
    /// The caller broke the contract: unknown description, too large, too many.
    #[error("{code}: {}", without_code(*code, detail))]
    Rejected {
        /// Page under docs/errors.
        code: ErrorCode,
        /// What is wrong.
        detail: String,
    },
    /// The edge is shutting down.
    #[error("the edge is shutting down")]
    Closed,
}

/// The detail often is the text of another error, which may begin with its code: nobody reads it twice.
fn without_code(code: ErrorCode, detail: &str) -> &str {
    detail.strip_prefix(code.0).map_or(detail, |rest| rest.trim_start_matches([':', ' ']))
}

impl UplinkError {
    /// The page under docs/errors, where there is one.
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Full { code, .. } | Self::Failed { code, .. } | Self::Rejected { code, .. } => Some(*code),
            Self::Closed => None,
        }
    }

    /// Whether the same delivery may be offered again later.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Failed { .. })
    }
}

/// The way up. Calls take effect in the order in which they are made.
pub trait Uplink: Send + Sync + 'static {
    /// Makes a description durable; required before the first batch of its version. Announcing the same
    /// description again is free.
    fn announce(&self, metadata: Arc<DataSetMetaData>) -> BoxFuture<'static, Result<(), UplinkError>>;

    /// Takes a delivery; resolves when it is durable. The order is fixed by the call, not by the await:
    /// several may be under way.
    fn publish(&self, delivery: Delivery) -> BoxFuture<'static, Result<(), UplinkError>>;

    /// The cursors as of the last durable delivery; complete once the uplink has been opened.
    fn cursors(&self) -> HashMap<String, Vec<u8>>;

    /// Descriptions announced so far, newest version of each writer: what a publisher needs to keep ids
    /// and versions stable over restarts.
    fn announced(&self) -> Vec<Arc<DataSetMetaData>>;

    /// Hands over the field's state for the page; the edge sends it up at its own pace.
    fn report(&self, report: crate::StageReport);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_once_in_a_text() {
        let code = ErrorCode("GMB-EDG-002");
        let inner = UplinkError::Failed { code, detail: "GMB-EDG-002: /d/x: no space".into() };
        assert_eq!(inner.to_string(), "GMB-EDG-002: the store-and-forward queue has failed: /d/x: no space");
        let plain = UplinkError::Rejected { code, detail: "too large".into() };
        assert_eq!(plain.to_string(), "GMB-EDG-002: too large");
        assert!(!plain.is_retryable() && inner.is_retryable());
    }
}
