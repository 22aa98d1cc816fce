//! What the handle, the committer and the readers of one log share.

use crate::error::AppendError;
use crate::options::LogOptions;
use crate::queue::Queue;
use crate::segment::Segment;
use crate::stats::{Counters, LogState};
use crate::trim::Holds;
use gemba_base::disk::Disk;
use parking_lot::{Mutex, RwLock};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// Where a log's files are and how its frames are recognised.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) folder: PathBuf,
    pub(crate) log_id: u128,
    pub(crate) seed: u32,
}

/// Whether more will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Open,
    Poisoned,
    Closed,
}

/// How far the log is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) next_offset: u64,
    pub(crate) life: Life,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) place: Place,
    pub(crate) options: LogOptions,
    pub(crate) queue: Queue,
    /// From the oldest to the newest; never empty. The newest is the active one, if any is.
    pub(crate) segments: RwLock<Vec<Arc<Segment>>>,
    /// Size of all segment files.
    pub(crate) bytes: AtomicU64,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) state: Mutex<LogState>,
    pub(crate) counters: Counters,
    pub(crate) holds: Mutex<Holds>,
    /// Held while segments are deleted, so that they go one after another, oldest first.
    pub(crate) trimming: Mutex<()>,
    poison: OnceLock<Arc<str>>,
}

impl Shared {
    pub(crate) fn new(
        place: Place,
        options: LogOptions,
        segments: Vec<Arc<Segment>>,
        next_offset: u64,
    ) -> Self {
        let bytes = segments.iter().map(|segment| segment.state.lock().bytes).sum();
        Self {
            queue: Queue::new(
                options.queue_bytes_max,
                options.payload_bytes_max(),
                options.batch_bytes_max(),
            ),
            place,
            options,
            segments: RwLock::new(segments),
            bytes: AtomicU64::new(bytes),
            progress: watch::Sender::new(Progress { next_offset, life: Life::Open }),
            state: Mutex::new(LogState::Healthy),
            counters: Counters::default(),
            holds: Mutex::new(Holds::default()),
            trimming: Mutex::new(()),
            poison: OnceLock::new(),
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Why the log is poisoned, if it is.
    pub(crate) fn poison_reason(&self) -> Option<Arc<str>> {
        self.poison.get().cloned()
    }

    /// Stops the log for good; the first reason stays. Returns the error that every append gets.
    pub(crate) fn poison(&self, reason: &str) -> AppendError {
        let reason = Arc::clone(self.poison.get_or_init(|| Arc::from(reason)));
        tracing::error!(folder = %self.place.folder.display(), %reason, "log poisoned");
        let error = AppendError::Poisoned { reason };
        *self.state.lock() = LogState::Poisoned;
        self.queue.poison(&error);
        self.progress.send_modify(|progress| {
            if progress.life == Life::Open {
                progress.life = Life::Poisoned;
            }
        });
        error
    }

    /// Says how appends fare; poison stays.
    pub(crate) fn set_state(&self, new: LogState) {
        let mut state = self.state.lock();
        if *state != LogState::Poisoned {
            *state = new;
        }
    }
}
