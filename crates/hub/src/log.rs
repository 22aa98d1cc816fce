//! The event log: messages of devices in partitions, durable, in order, kept until they were consumed.

mod consumers;
mod describe;
pub mod fuzz;
mod partition;
mod record;
mod retention;

use crate::error::HubError;
use consumers::Consumers;
use gemba_api::{BoxFuture, DocStore, EventLog, LogError, LogItem};
use gemba_base::disk::Disk;
use gemba_base::{Clock, Metrics, Tasks};
use gemba_model::ErrorCode;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use partition::PartitionState;
pub(crate) use partition::{Partition, Unavailable};
pub use record::{RecordError, decode, encode};

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct HubLogOptions {
    /// Number of partitions; fixed when the log is created.
    pub partitions: u32,
    /// Messages older than this are deleted, whole segments at a time.
    pub retention_age: Duration,
    /// Each partition keeps at most so many bytes; beyond it the oldest segments are deleted.
    pub retention_bytes: u64,
    /// Retention keeps what these consumer groups have not committed.
    pub required_groups: Vec<String>,
    /// Whether unread messages are deleted, oldest first and counted, when the disk or the partition is full.
    /// When not, the hub takes nothing then, and the edges keep their messages.
    pub drop_unread_when_full: bool,
    /// How often retention looks.
    pub retention_interval: Duration,
    /// Limits of each partition's files.
    pub wal: gemba_wal::LogOptions,
}

impl Default for HubLogOptions {
    fn default() -> Self {
        Self {
            partitions: 4,
            retention_age: Duration::from_secs(7 * 86_400),
            retention_bytes: 4 << 30,
            required_groups: Vec::new(),
            drop_unread_when_full: false,
            retention_interval: Duration::from_secs(30),
            wal: gemba_wal::LogOptions::default(),
        }
    }
}

/// The log in one folder. Clones share it.
#[derive(Debug, Clone)]
pub struct HubLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    partitions: Vec<Arc<Partition>>,
    consumers: Consumers,
    tasks: Tasks,
    /// By partition, the offset up to which messages were handed to a consumer.
    handed_out: Vec<AtomicU64>,
    /// Values in what was handed out, as messages say.
    values_out: AtomicU64,
    retention: Retention,
}

/// How long and how much is kept; may change while the log is open.
#[derive(Debug, Clone)]
pub(crate) struct Retention(Arc<[AtomicU64; 2]>);

impl Retention {
    fn new(age: Duration, bytes: u64) -> Self {
        let retention = Self(Arc::new([AtomicU64::new(0), AtomicU64::new(0)]));
        retention.set(age, bytes);
        retention
    }

    fn set(&self, age: Duration, bytes: u64) {
        let [seconds_max, bytes_max] = &*self.0;
        seconds_max.store(age.as_secs(), Ordering::Relaxed);
        bytes_max.store(bytes, Ordering::Relaxed);
    }

    /// Age and bytes of a partition.
    fn limits(&self) -> (Duration, u64) {
        let [seconds_max, bytes_max] = &*self.0;
        (Duration::from_secs(seconds_max.load(Ordering::Relaxed)), bytes_max.load(Ordering::Relaxed))
    }
}

impl HubLog {
    /// Opens the log in a folder, or creates it, and starts its upkeep on `tasks`. Blocks on the disk.
    ///
    /// # Errors
    /// [`HubError::PartitionsChanged`], or [`HubError::Log`] when a partition cannot be opened.
    pub fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        options: HubLogOptions,
        docs: Arc<dyn DocStore>,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
        tasks: &Tasks,
    ) -> Result<Self, HubError> {
        let count = describe::ensure(disk.as_ref(), folder, options.partitions)?;
        let consumers = Consumers::load(docs, options.required_groups.clone())?;
        let mut partitions = Vec::new();
        for index in 0..count {
            let at = partition::Place { disk: disk.clone(), folder: partition_folder(folder, index), index };
            let partition = Partition::open(at, options.wal.clone(), consumers.clone(), metrics)
                .map_err(|error| HubError::Log { folder: folder.to_owned(), detail: error.to_string() })?;
            partitions.push(Arc::new(partition));
        }
        let retention = Retention::new(options.retention_age, options.retention_bytes);
        for partition in &partitions {
            tasks.spawn(partition::keep_open(partition.clone(), tasks.clone()));
            let (options, clock) = (options.clone(), clock.clone());
            let upkeep = retention::keep(partition.clone(), options, retention.clone(), clock, tasks.clone());
            tasks.spawn(upkeep);
        }
        let handed_out = partitions.iter().map(|_| AtomicU64::new(0)).collect();
        let values_out = AtomicU64::new(0);
        let tasks = tasks.clone();
        Ok(Self(Arc::new(Inner { partitions, consumers, tasks, handed_out, values_out, retention })))
    }

    /// Changes how long and how much each partition keeps, from the next look of retention on.
    pub fn set_retention(&self, age: Duration, bytes: u64) {
        self.0.retention.set(age, bytes);
    }

    /// A consumer that reads again counts once.
    fn count_handed_out(&self, partition: usize, items: &[LogItem]) {
        let (Some(handed_out), Some(last)) = (self.0.handed_out.get(partition), items.last()) else { return };
        let before = handed_out.fetch_max(last.next_offset(), Ordering::Relaxed);
        let fresh = items.iter().filter_map(|item| match item {
            LogItem::Entry(entry) if entry.offset >= before => Some(entry.message.values()),
            LogItem::Entry(_) | LogItem::Missing { .. } => None,
        });
        self.0.values_out.fetch_add(fresh.sum(), Ordering::Relaxed);
    }

    /// The offset up to which messages of a partition were handed to a consumer since the start.
    pub(crate) fn handed_out(&self, partition: u32) -> u64 {
        self.0.handed_out.get(partition as usize).map_or(0, |offset| offset.load(Ordering::Relaxed))
    }

    /// Values handed out since the start, as messages say.
    pub(crate) fn values_out(&self) -> u64 {
        self.0.values_out.load(Ordering::Relaxed)
    }

    /// The partition of a device: the first 8 bytes of the SHA-256 of its id, big-endian, modulo the number of
    /// partitions. Modules are where their device is.
    pub fn partition_of(&self, device: &str) -> u32 {
        partition_of(device, self.partitions())
    }

    pub(crate) fn partition_for(&self, device: &str) -> Option<&Arc<Partition>> {
        self.0.partitions.get(self.partition_of(device) as usize)
    }

    /// Makes what is queued durable and gives the folder back, for the end of a process: after the sessions have
    /// ended. Reads and appends fail from then on. Blocks on the disk.
    pub fn close(&self) {
        for partition in &self.0.partitions {
            partition.close();
        }
    }

    /// How each partition does.
    pub fn states(&self) -> Vec<PartitionState> {
        self.0.partitions.iter().map(|partition| partition.state()).collect()
    }

    /// What a consumer group has committed in a partition; `None` before its first commit.
    pub fn committed(&self, group: &str, partition: u32) -> Option<u64> {
        self.0.consumers.committed(group, partition)
    }

    /// The lowest offset that all required groups have committed; `None` without required groups.
    pub fn committed_by_all(&self, partition: u32) -> Option<u64> {
        self.0.consumers.committed_by_all(partition)
    }

    fn partition(&self, partition: u32) -> Result<Arc<Partition>, LogError> {
        self.0.partitions.get(partition as usize).cloned().ok_or_else(|| LogError {
            code: ErrorCode("GMB-HUB-006"),
            detail: format!("there is no partition {partition}; the log has {}", self.0.partitions.len()),
        })
    }
}

impl EventLog for HubLog {
    fn partitions(&self) -> u32 {
        self.0.partitions.len() as u32
    }

    fn read(
        &self,
        partition: u32,
        from: u64,
        bytes_max: usize,
    ) -> BoxFuture<'_, Result<Vec<LogItem>, LogError>> {
        Box::pin(async move {
            let index = partition as usize;
            let partition = self.partition(partition)?;
            let items = blocking(&self.0.tasks, move || partition.read(from, bytes_max)).await?;
            self.count_handed_out(index, &items);
            Ok(items)
        })
    }

    fn wait(&self, partition: u32, offset: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match self.partition(partition) {
                Ok(partition) => partition.wait(offset).await,
                // Nothing ever comes where there is no partition.
                Err(_) => std::future::pending().await,
            }
        })
    }

    fn commit(&self, group: &str, partition: u32, offset: u64) -> BoxFuture<'_, Result<(), LogError>> {
        let group = group.to_owned();
        Box::pin(async move {
            let at = self.partition(partition)?;
            let consumers = self.0.consumers.clone();
            blocking(&self.0.tasks, move || {
                let committed = consumers.commit(&group, partition, offset)?;
                at.advance_hold(&group, committed);
                Ok(())
            })
            .await
        })
    }

    fn bounds(&self, partition: u32) -> (u64, u64) {
        self.partition(partition).map_or((0, 0), |partition| partition.bounds())
    }

    fn wants_commit(&self, partition: u32, offset: u64) -> bool {
        let (_, bytes_max) = self.0.retention.limits();
        self.partition(partition).is_ok_and(|partition| partition.wants_commit(offset, bytes_max))
    }
}

async fn blocking<T: Send + 'static>(
    tasks: &Tasks,
    work: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    tasks.blocking(work).await.unwrap_or_else(|_| {
        Err(LogError { code: ErrorCode("GMB-HUB-006"), detail: "the work was ended".into() })
    })
}

fn partition_folder(folder: &Path, index: u32) -> PathBuf {
    folder.join(format!("partition-{index:05}"))
}

fn partition_of(device: &str, partitions: u32) -> u32 {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, device.as_bytes());
    let first = digest.as_ref().iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    (first % u64::from(partitions.max(1))) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_of_a_device_never_changes() {
        let placed = ["edge-1", "edge-2", "press", "dev1", ""]
            .map(|device| (partition_of(device, 1), partition_of(device, 4), partition_of(device, 7)));
        // Computed with Python's hashlib.
        assert_eq!(placed, [(0, 0, 4), (0, 3, 5), (0, 3, 3), (0, 3, 0), (0, 0, 1)]);
    }
}
