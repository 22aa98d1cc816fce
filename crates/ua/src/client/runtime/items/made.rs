//! What a server made of an item that was asked for.

use super::ItemNews;
use crate::client::session::ItemCreated;
use std::time::Duration;

/// An item as the server revised it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Made {
    pub(super) sampling: Duration,
    pub(super) queue_size: u32,
    /// Fewer values than was asked for.
    pub(super) is_short: bool,
}

impl Made {
    pub(super) fn new(result: &ItemCreated, asked: u32) -> Self {
        let queue_size = result.queue_size;
        Self { sampling: result.sampling_interval, queue_size, is_short: queue_size < asked }
    }

    /// How long the queue lasts; without a sampling interval, at one value a publishing interval.
    pub(super) fn covers(&self, publishing_interval: Duration) -> Duration {
        let sampling = if self.sampling.is_zero() { publishing_interval } else { self.sampling };
        sampling.saturating_mul(self.queue_size)
    }
}

/// The news that a queue is shorter than was asked for.
pub(super) fn short(made: &Made, publishing_interval: Duration) -> ItemNews {
    ItemNews::ShortQueue { covers: made.covers(publishing_interval), queue_size: made.queue_size }
}
