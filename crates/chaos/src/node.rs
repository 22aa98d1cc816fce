//! What every simulated computer has: a disk, a clock, and a process that may die at any time.

use crate::time::NodeClock;
use gemba_base::Tasks;
use gemba_testkit::{FaultyDisk, Rng};
use gemba_wal::{CommitBy, LogOptions, Pump, Reserve};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// Size of each disk. Small, so that "full" is near.
pub(crate) const VOLUME_BYTES: u64 = 64 << 20;
/// What stays free on it.
pub(crate) const RESERVE_BYTES: u64 = 256 << 10;

/// How a process ends without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// The process alone: what it wrote is there.
    Killed,
    /// The power: only what was synced is there for sure, and any part of the rest.
    PowerCut,
}

/// What is left of a disk.
pub(crate) fn after(death: Death, disk: &FaultyDisk, rng: &mut Rng) -> FaultyDisk {
    match death {
        Death::Killed => {
            let kept = disk.snapshot();
            // The old process must not write any more while it is being put away.
            drop(disk.power_cut());
            kept
        }
        Death::PowerCut => disk.crash(rng.number()),
    }
}

pub(crate) fn new_disk(rng: &mut Rng) -> FaultyDisk {
    let disk = FaultyDisk::new(rng.number());
    disk.set_volume_bytes(VOLUME_BYTES);
    disk
}

/// Options of a log whose committer is a task, with a disk that takes its time.
pub(crate) fn log_options(tasks: &Tasks, clock: &NodeClock, rng: &mut Rng) -> LogOptions {
    let new_log_id = u128::from(rng.number()) << 64 | u128::from(rng.number());
    let (tasks, rng) = (tasks.clone(), Arc::new(Mutex::new(Rng::new(rng.number()))));
    let work = move |mut pump: Pump| {
        let rng = rng.clone();
        let commit = async move {
            while pump.arrived().await {
                let late = sync_time(&mut rng.lock());
                tokio::time::sleep(late).await;
                pump.work();
            }
        };
        drop(tasks.spawn(commit));
    };
    LogOptions {
        reserve: Reserve::Bytes(RESERVE_BYTES),
        clock: Arc::new(clock.clone()),
        new_log_id: Some(new_log_id),
        commit_by: CommitBy::Pump(Arc::new(work)),
        ..LogOptions::default()
    }
}

/// Usually a few milliseconds, rarely long.
fn sync_time(rng: &mut Rng) -> Duration {
    let most = if rng.one_in(500) { 3_000 } else { 8 };
    Duration::from_millis(rng.below(most))
}
