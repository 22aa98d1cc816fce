//! Opening a partition again after its disk failed.

use super::Partition;
use gemba_base::{Backoff, Tasks};
use gemba_wal::{Log, LogState, OpenError};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Partition {
    /// Gives up the poisoned log and opens the folder again. Blocks on the disk.
    fn reopen(&self) -> Result<(), OpenError> {
        *self.log.write() = None;
        self.holds.lock().clear();
        self.readers.lock().clear();
        let (log, recovery) = Log::open(self.place.disk.clone(), &self.place.folder, self.options.clone())?;
        self.reopened.add(1);
        tracing::warn!(
            partition = self.place.index,
            next_offset = recovery.next_offset,
            cut_bytes = recovery.cut_bytes,
            "event log opened again after a disk error"
        );
        self.install(log);
        Ok(())
    }

    fn is_broken(&self) -> bool {
        !self.closed.load(Ordering::SeqCst)
            && self.current().is_none_or(|log| log.state() == LogState::Poisoned)
    }
}

/// Opens a poisoned log again, with growing pauses, until `tasks` stops.
pub(in crate::log) async fn keep_open(partition: Arc<Partition>, tasks: Tasks) {
    let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));
    loop {
        tokio::select! {
            biased;
            () = tasks.stopping() => return,
            () = partition.broken.notified() => {}
        }
        while partition.is_broken() {
            if tasks.back_off(&mut backoff).await {
                return;
            }
            let opening = partition.clone();
            match tasks.blocking(move || opening.reopen()).await {
                Ok(Ok(())) => backoff.reset(),
                Ok(Err(error)) => tracing::error!(
                    partition = partition.place.index, code = %error.code(), %error,
                    "the event log could not be opened again, trying on"
                ),
                Err(error) => tracing::error!(partition = partition.place.index, %error, "opening was ended"),
            }
        }
    }
}
