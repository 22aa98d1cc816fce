//! Tasks with a parent: named, told to stop, waited for.

mod lane;
mod simulated;

use crate::backoff::Backoff;
use crate::random;
pub use lane::Lane;
use simulated::Simulated;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A branch of the task tree. Clones are the same branch.
///
/// Shutdown runs from the field to the console: each room owns a branch, and whoever wired them drains
/// the branches in that order, each with a deadline.
#[derive(Debug, Clone)]
pub struct Tasks {
    name: &'static str,
    stop: CancellationToken,
    tracker: TaskTracker,
    /// Set in a simulation alone; branches inherit it.
    simulated: Option<Arc<Simulated>>,
}

/// Blocking work did not come to its end: the runtime is going down, or the work panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work was ended early")]
pub struct Ended;

impl Tasks {
    /// A root.
    pub fn new(name: &'static str) -> Self {
        Self { name, stop: CancellationToken::new(), tracker: TaskTracker::new(), simulated: None }
    }

    /// A root for simulations, where the same seed must give the same run: [`Tasks::blocking`] works in place on
    /// the one thread, pauses take their jitter from the seed, and [`Tasks::kill`] ends everything at once.
    pub fn simulated(name: &'static str, seed: u64) -> Self {
        Self { simulated: Some(Arc::new(Simulated::new(seed))), ..Self::new(name) }
    }

    /// A branch of its own that also stops when this one does.
    pub fn branch(&self, name: &'static str) -> Self {
        Self {
            name,
            stop: self.stop.child_token(),
            tracker: TaskTracker::new(),
            simulated: self.simulated.clone(),
        }
    }

    /// Starts a task on this branch. It should end soon after [`Tasks::stopping`] completes.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let handle = self.tracker.spawn(task);
        if let Some(simulated) = &self.simulated {
            simulated.note(handle.abort_handle());
        }
        handle
    }

    /// Runs work that blocks on the disk where it keeps no other task waiting.
    ///
    /// # Errors
    /// [`Ended`]; whether the work was done is not known then.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Ended> {
        if self.simulated.is_some() {
            return Ok(work());
        }
        tokio::task::spawn_blocking(work).await.map_err(|_| Ended)
    }

    /// [`Tasks::blocking`] on a thread of the work's own.
    ///
    /// # Errors
    /// As [`Tasks::blocking`].
    pub async fn blocking_on<T: Send + 'static>(
        &self,
        lane: &Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Ended> {
        if self.simulated.is_some() {
            return Ok(work());
        }
        lane.run(work).await
    }

    /// Waits, unless the branch is told to stop first. True when it is.
    pub async fn pause(&self, duration: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.stopping() => true,
            () = tokio::time::sleep(duration) => false,
        }
    }

    /// [`Tasks::pause`] before trying again.
    pub async fn back_off(&self, backoff: &mut Backoff) -> bool {
        let random = (self.random_number() >> 32) as u32;
        self.pause(backoff.next_delay(random)).await
    }

    /// An unpredictable number, which in a simulation only the seed decides. Not for secrets.
    pub fn random_number(&self) -> u64 {
        self.simulated.as_ref().map_or_else(random::number, |simulated| simulated.number())
    }

    /// Completes when the branch was told to stop.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Whether the branch was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The stop signal itself, for what needs to hold it.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Tells the branch to stop without waiting.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Ends all tasks of a simulated root and its branches where they stand, as the death of a process does.
    /// They are gone when the call returns. Nothing happens to tasks that are not simulated.
    pub async fn kill(&self) {
        if let Some(simulated) = &self.simulated {
            simulated.kill().await;
        }
    }

    /// Tells the branch to stop and waits for its tasks. Returns false when some still run at the deadline.
    pub async fn drain(&self, deadline: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        let done = tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok();
        if !done {
            tracing::warn!(branch = self.name, running = self.tracker.len(), "tasks did not end in time");
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn draining_a_branch_stops_its_children_and_leaves_the_parent() {
        let root = Tasks::new("root");
        let branch = root.branch("field");
        let child = branch.branch("session");
        let waiting = child.clone();
        let ended = child.spawn(async move { waiting.stopping().await });
        assert!(branch.drain(Duration::from_secs(5)).await);
        assert!(ended.await.is_ok());
        assert!(!root.is_stopping());
    }

    #[tokio::test]
    async fn a_killed_simulation_runs_no_code_of_a_stop() {
        let root = Tasks::simulated("root", 1);
        let branch = root.branch("field");
        let (waiting, alive) = (branch.clone(), Arc::new(()));
        let held = alive.clone();
        let task = branch.spawn(async move {
            waiting.stopping().await;
            drop(held);
        });
        root.kill().await;
        assert_eq!(Arc::strong_count(&alive), 1, "what the task held is gone");
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        assert!(!root.is_stopping());
    }
}
