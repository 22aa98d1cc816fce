//! What a simulation needs of the task tree: an end for all tasks at once, and random numbers by seed.

use parking_lot::Mutex;
use tokio::task::AbortHandle;

/// Ended tasks are forgotten whenever so many new ones came.
const SWEEP_EVERY: usize = 64;

/// Shared by a simulated root and its branches.
#[derive(Debug)]
pub(super) struct Simulated {
    tasks: Mutex<Vec<AbortHandle>>,
    random: Mutex<u64>,
}

impl Simulated {
    pub(super) const fn new(seed: u64) -> Self {
        Self { tasks: Mutex::new(Vec::new()), random: Mutex::new(seed) }
    }

    pub(super) fn note(&self, task: AbortHandle) {
        let mut tasks = self.tasks.lock();
        if tasks.len() % SWEEP_EVERY == SWEEP_EVERY - 1 {
            tasks.retain(|task| !task.is_finished());
        }
        tasks.push(task);
    }

    pub(super) async fn kill(&self) {
        loop {
            let tasks: Vec<AbortHandle> = std::mem::take(&mut *self.tasks.lock());
            if tasks.is_empty() {
                return;
            }
            tasks.iter().for_each(AbortHandle::abort);
            while tasks.iter().any(|task| !task.is_finished()) {
                tokio::task::yield_now().await;
            }
        }
    }

    /// The next number of SplitMix64.
    pub(super) fn number(&self) -> u64 {
        let mut state = self.random.lock();
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
