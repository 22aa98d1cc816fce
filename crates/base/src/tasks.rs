//! Tasks with a parent: named, told to stop, waited for.

use std::future::Future;
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
}

impl Tasks {
    /// A root.
    pub fn new(name: &'static str) -> Self {
        Self { name, stop: CancellationToken::new(), tracker: TaskTracker::new() }
    }

    /// A branch of its own that also stops when this one does.
    pub fn branch(&self, name: &'static str) -> Self {
        Self { name, stop: self.stop.child_token(), tracker: TaskTracker::new() }
    }

    /// Starts a task on this branch. It should end soon after [`Tasks::stopping`] completes.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.tracker.spawn(task)
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
}
