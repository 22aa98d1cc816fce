//! A thread of its own for heavy work that blocks.

use super::Ended;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use tokio::sync::{mpsc, oneshot};

type Work = Box<dyn FnOnce() + Send>;

/// Pieces of work that wait for the thread; more wait with their callers.
const WAITING: usize = 16;

/// A thread that does one piece of work after the other, in the order in which they came.
///
/// An allocator keeps for each thread what that thread once used. Work that needs much memory for a moment, and runs
/// now on one and then on another thread of a pool, therefore ends up holding it many times; on a lane it does so once.
#[derive(Debug)]
pub struct Lane {
    name: &'static str,
    /// Absent until the first work; `None` inside when the system has no thread for it.
    work: OnceLock<Option<mpsc::Sender<Work>>>,
}

impl Lane {
    /// A lane whose thread starts with the first work, and ends with the lane when all of it is done.
    pub const fn new(name: &'static str) -> Self {
        Self { name, work: OnceLock::new() }
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Ended> {
        let sender = self.work.get_or_init(|| start(self.name)).as_ref().ok_or(Ended)?;
        let (done, outcome) = oneshot::channel();
        // Whoever stopped waiting does not need the outcome.
        let work = Box::new(move || drop(done.send(work())));
        sender.send(work).await.map_err(|_| Ended)?;
        outcome.await.map_err(|_| Ended)
    }
}

fn start(name: &str) -> Option<mpsc::Sender<Work>> {
    let (sender, mut receiver) = mpsc::channel::<Work>(WAITING);
    let work = move || {
        while let Some(work) = receiver.blocking_recv() {
            // The panic was reported, and its caller learns it; the next work has nothing to do with it.
            drop(catch_unwind(AssertUnwindSafe(work)));
        }
    };
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.inspect_err(|error| tracing::error!(name, %error, "a thread cannot be started")).ok()?;
    Some(sender)
}

#[cfg(test)]
mod tests {
    use crate::Tasks;
    use crate::tasks::{Ended, Lane};
    use std::thread;

    #[tokio::test]
    async fn all_work_of_a_lane_is_done_by_one_thread_also_after_a_panic() {
        let (tasks, lane) = (Tasks::new("test"), Lane::new("one"));
        let thread_of = async || tasks.blocking_on(&lane, || thread::current().id()).await;
        let first = thread_of().await;
        assert_ne!(first, Ok(thread::current().id()));
        assert_eq!(tasks.blocking_on(&lane, || std::panic::panic_any("planned")).await, Err::<(), _>(Ended));
        assert_eq!(thread_of().await, first);
    }

    #[tokio::test]
    async fn a_simulation_works_in_place() {
        let (tasks, lane) = (Tasks::simulated("test", 1), Lane::new("none"));
        assert_eq!(tasks.blocking_on(&lane, || thread::current().id()).await, Ok(thread::current().id()));
    }
}
