//! How often records are written: a sync costs much the same for one delivery as for a hundred.

use super::Shared;
use gemba_base::Tasks;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// From the begin of one record to that of the next. A delivery that comes after a quiet time is written at once;
/// of many, each waits so long at most.
const BETWEEN: Duration = Duration::from_millis(50);

/// Remembers when the last record was begun.
#[derive(Debug, Default)]
pub(super) struct Pace {
    next: Option<Instant>,
}

impl Pace {
    /// A record begins now.
    pub(super) fn begin(&mut self) {
        self.next = Some(Instant::now() + BETWEEN);
    }

    /// Waits until the next record may begin: when it is time, when `bytes` wait for it, or when the edge stops.
    pub(super) async fn wait(&self, shared: &Shared, bytes: usize, stop: &Tasks) {
        let Some(next) = self.next else { return };
        while Instant::now() < next && shared.waiting.lock().bytes < bytes && !stop.is_stopping() {
            tokio::select! {
                biased;
                () = sleep_until(next) => {}
                () = stop.stopping() => {}
                () = shared.arrival.notified() => {}
            }
        }
    }
}
