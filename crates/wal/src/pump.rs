//! Who works for a log: a thread of its own, or whoever is handed the pump.

use crate::commit::Committer;
use crate::shared::Shared;
use parking_lot::Mutex;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

/// Who turns waiting appends into writes.
#[derive(Clone, Default)]
pub enum CommitBy {
    /// A thread of the log's own.
    #[default]
    Thread,
    /// Whoever is handed the pump when the log opens. For simulations, where all work is done in turn, and at times
    /// that the seed decides. Without a thread, the blocking calls of a log would wait for ever.
    Pump(Arc<dyn Fn(Pump) + Send + Sync>),
}

impl fmt::Debug for CommitBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Thread => "Thread",
            Self::Pump(_) => "Pump",
        })
    }
}

/// The committer of a log, to be worked by hand. Closing the log works off what is queued, as with a thread.
#[derive(Debug)]
pub struct Pump {
    pub(crate) shared: Arc<Shared>,
    pub(crate) committer: Arc<Mutex<Option<Committer>>>,
}

impl Pump {
    /// Completes with true when there is work, with false when there never will be again. For one waiter.
    pub async fn arrived(&mut self) -> bool {
        poll_fn(|context| match self.shared.queue.poll_work(context.waker()) {
            Some(more) => Poll::Ready(more),
            None => Poll::Pending,
        })
        .await
    }

    /// One write and one sync for what waits now, as far as it goes into one group.
    pub fn work(&mut self) {
        work_off(&self.shared, &self.committer, 1);
    }
}

/// Does up to `groups` groups of waiting work.
pub(crate) fn work_off(shared: &Shared, committer: &Mutex<Option<Committer>>, groups: usize) {
    let mut committer = committer.lock();
    let Some(committer) = committer.as_mut() else { return };
    for _ in 0..groups {
        let Some(work) = shared.queue.try_take(committer.limits()) else { return };
        committer.carry_out(work);
    }
}
