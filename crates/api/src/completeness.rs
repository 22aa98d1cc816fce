//! The completeness ledger: what is missing, and the counts that prove nothing else is.

use crate::history::{HistoryError, Page};
use gemba_model::{DateTime, GapReason, Hop};
use serde::Serialize;
use utoipa::ToSchema;

/// One series' part of a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapEntry {
    /// The series.
    pub series: u64,
    /// Source time of the last value before; `None` when there was none.
    pub from: Option<DateTime>,
    /// Source time of the first value after; `None` while there is none.
    pub to: Option<DateTime>,
    /// Why.
    pub reason: GapReason,
    /// Where.
    pub hop: Hop,
    /// How many values, where that is known; 0 for an outage from which everything was recovered.
    pub count: Option<u64>,
    /// Whether values flow again.
    pub closed: bool,
}

/// Which gaps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GapQuery {
    /// Of this series only.
    pub series: Option<u64>,
    /// That end after this.
    pub from: Option<DateTime>,
    /// That begin before this.
    pub to: Option<DateTime>,
    /// At most so many.
    pub limit: usize,
    /// Where to go on.
    pub continuation: Option<String>,
}

/// Counts of one producer's epoch, accounted by message sequence numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WriterCompleteness {
    /// The device that delivered.
    pub device: String,
    /// The producer.
    pub producer: String,
    /// The epoch, 16 hexadecimal digits.
    pub epoch: String,
    /// Messages taken in, re-deliveries not counted.
    pub messages: u64,
    /// Re-deliveries that were dropped by provenance.
    pub duplicates: u64,
    /// Messages that never came.
    pub missing: u64,
    /// Values received in messages.
    pub received: u64,
    /// Values stored.
    pub stored: u64,
    /// Values in messages that cannot be decoded yet (description unknown); kept.
    pub pending: u64,
}

/// What the ledger answers.
pub trait Ledger: Send + Sync + 'static {
    /// Gaps, newest first.
    ///
    /// # Errors
    /// When the token is not valid or storage fails.
    fn gaps(&self, query: &GapQuery) -> Result<Page<GapEntry>, HistoryError>;

    /// How many gaps are open now.
    fn open_gaps(&self) -> u64;

    /// Counts of every producer.
    fn completeness(&self) -> Vec<WriterCompleteness>;
}
