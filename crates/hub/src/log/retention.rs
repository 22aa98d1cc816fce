//! Deleting what was kept long enough, and what must go when the disk is full.

use super::partition::Partition;
use super::{HubLogOptions, Retention};
use gemba_base::{Clock, Tasks};
use gemba_wal::{Log, TrimError};
use std::sync::Arc;

/// Keeps a partition within its retention until `tasks` stops.
pub(super) async fn keep(
    partition: Arc<Partition>,
    options: HubLogOptions,
    retention: Retention,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
) {
    loop {
        let full = tokio::select! {
            biased;
            () = tasks.stopping() => return,
            () = partition.full() => true,
            () = partition.moved_on() => false,
            () = tokio::time::sleep(options.retention_interval) => false,
        };
        let Some(log) = partition.current() else { continue };
        let (at, now, drop_unread) = (partition.clone(), clock.now(), options.drop_unread_when_full);
        let (age, bytes) = retention.limits();
        let work = move || -> Result<(), TrimError> {
            log.trim_older_than(now.saturating_sub(age))?;
            log.trim_to_bytes(bytes)?;
            if full {
                make_room(&at, &log, drop_unread)?;
            }
            Ok(())
        };
        match tasks.blocking(work).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(
                partition = partition.index(), code = %error.code(), %error, "old messages could not be deleted"
            ),
            Err(error) => tracing::warn!(partition = partition.index(), %error, "retention was ended"),
        }
    }
}

/// The disk is full: first what every required consumer has goes, whatever its age; then, only when this was
/// chosen, the oldest segment of what they have not.
fn make_room(partition: &Partition, log: &Log, drop_unread: bool) -> Result<(), TrimError> {
    if let Some(committed) = partition.committed_by_all() {
        let report = log.trim_before(committed)?;
        if report.segments > 0 {
            tracing::info!(
                partition = partition.index(),
                bytes = report.bytes,
                "the disk is full: deleted messages that every consumer has"
            );
            return Ok(());
        }
    }
    if !drop_unread {
        return Ok(());
    }
    let Some(gone) = log.trim_oldest_segment()? else { return Ok(()) };
    let unread_from = partition.committed_by_all().unwrap_or(gone.offsets.end).max(gone.offsets.start);
    let lost = gone.offsets.end.saturating_sub(unread_from);
    partition.lost_unread.add(lost);
    tracing::error!(
        partition = partition.index(),
        messages = lost,
        from = gone.offsets.start,
        to = gone.offsets.end,
        code = "GMB-HUB-009",
        "the disk is full: deleted messages that no consumer had read"
    );
    Ok(())
}
