//! One partition: a durable log that is opened again when its disk failed.

mod reading;
mod reopening;

use super::consumers::Consumers;
use super::record::KIND_MESSAGE;
use bytes::Bytes;
use gemba_base::disk::Disk;
use gemba_base::{Counter, Metrics};
use gemba_model::ErrorCode;
use gemba_wal::{AppendError, AppendTicket, Fence, Hold, Log, LogOptions, OpenError, Reader, Record};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

pub(super) use reopening::keep_open;

/// After a refused append, appends are not tried for so long. Then the next one finds out.
const PAUSE: Duration = Duration::from_secs(1);

/// Consumers are asked to commit when what they hold takes more than one such part of what may be kept.
const WAITING_SHARE: u64 = 4;

/// Where a partition is.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) folder: PathBuf,
    pub(crate) index: u32,
}

/// The partition takes no messages now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unavailable {
    pub(crate) code: ErrorCode,
    pub(crate) detail: String,
}

#[derive(Debug)]
struct Refusal {
    until: Instant,
    why: Unavailable,
}

/// How a partition does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionState {
    /// Which one.
    pub partition: u32,
    /// First offset that is there.
    pub first_offset: u64,
    /// The offset after the last durable message.
    pub next_offset: u64,
    /// Size of its files.
    pub bytes: u64,
    /// Messages that wait to become durable.
    pub queue_messages: usize,
    /// Their bytes.
    pub queue_bytes: usize,
    /// Why no messages are taken, when none are: code and text.
    pub problem: Option<(ErrorCode, String)>,
}

#[derive(Debug)]
pub(crate) struct Partition {
    place: Place,
    options: LogOptions,
    consumers: Consumers,
    /// `None` while it is being opened again.
    log: RwLock<Option<Log>>,
    /// Counts openings, so that waiting readers notice a new one.
    openings: watch::Sender<u64>,
    holds: Mutex<BTreeMap<String, Hold>>,
    readers: Mutex<Vec<Reader>>,
    refusal: Mutex<Option<Refusal>>,
    /// Whether `refusal` is set; looked at for each message.
    refusing: AtomicBool,
    /// Closed for good: not to be opened again.
    closed: AtomicBool,
    /// The log is poisoned.
    broken: Notify,
    /// The disk or the log is full.
    full: Notify,
    /// A consumer holds less than before.
    moved_on: Notify,
    reopened: Counter,
    pub(super) lost_unread: Counter,
    unreadable: Counter,
}

impl Partition {
    pub(super) fn open(
        place: Place,
        options: LogOptions,
        consumers: Consumers,
        metrics: &Metrics,
    ) -> Result<Self, OpenError> {
        let (log, recovery) = Log::open(place.disk.clone(), &place.folder, options.clone())?;
        consumers.cut(place.index, recovery.next_offset);
        let counter = |name, help| metrics.counter(name, help, &[]);
        let partition = Self {
            log: RwLock::new(None),
            openings: watch::Sender::new(0),
            holds: Mutex::default(),
            readers: Mutex::default(),
            refusal: Mutex::default(),
            refusing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            broken: Notify::new(),
            full: Notify::new(),
            moved_on: Notify::new(),
            reopened: counter("gemba_hub_log_reopened_total", "partitions opened again after a disk error"),
            lost_unread: counter(
                "gemba_hub_log_lost_unread_messages_total",
                "messages deleted before a required consumer had them",
            ),
            unreadable: counter("gemba_hub_log_unreadable_messages_total", "messages that were damaged"),
            place,
            options,
            consumers,
        };
        partition.install(log);
        Ok(partition)
    }

    /// Takes a log into use. Holds first, so that no trim is faster than they are.
    fn install(&self, log: Log) {
        let hold = |group: &String| {
            let from = self.consumers.committed(group, self.place.index).unwrap_or(0);
            (group.clone(), log.hold(group, from))
        };
        *self.holds.lock() = self.consumers.required().iter().map(hold).collect();
        *self.log.write() = Some(log).filter(|_| !self.closed.load(Ordering::SeqCst));
        self.openings.send_modify(|count| *count += 1);
    }

    pub(crate) const fn index(&self) -> u32 {
        self.place.index
    }

    pub(super) fn current(&self) -> Option<Log> {
        self.log.read().clone()
    }

    /// Queues a record if there is room now. The order of calls is the order in the log.
    pub(crate) fn try_append(&self, record: Bytes) -> Result<AppendTicket, AppendError> {
        self.current().ok_or_else(reopening)?.try_append(Record::new(KIND_MESSAGE, record))
    }

    /// [`Self::try_append`] of several that become durable together; they come back when there is no room now.
    pub(crate) fn try_append_all(
        &self,
        records: Vec<Record>,
        fence: &Fence,
    ) -> Result<AppendTicket, (AppendError, Vec<Record>)> {
        match self.current() {
            Some(log) => log.try_append_all(records, fence),
            None => Err((reopening(), Vec::new())),
        }
    }

    /// Queues records as soon as there is room.
    pub(crate) async fn append_all(
        &self,
        records: Vec<Record>,
        fence: &Fence,
    ) -> Result<AppendTicket, AppendError> {
        let log = self.current().ok_or_else(reopening)?;
        log.append_all(records, fence).await
    }

    /// What several records together may take, frame headers included.
    pub(crate) fn batch_bytes_max(&self) -> usize {
        self.options.batch_bytes_max()
    }

    /// Whether messages may be sent now.
    pub(crate) fn available(&self) -> Result<(), Unavailable> {
        if !self.refusing.load(Ordering::Relaxed) {
            return Ok(());
        }
        match &*self.refusal.lock() {
            Some(refusal) if refusal.until > Instant::now() => Err(refusal.why.clone()),
            _ => Ok(()),
        }
    }

    /// An append did not become durable.
    pub(crate) fn failed(&self, error: &AppendError) -> Unavailable {
        let why = Unavailable { code: error.code(), detail: error.to_string() };
        *self.refusal.lock() = Some(Refusal { until: Instant::now() + PAUSE, why: why.clone() });
        if !self.refusing.swap(true, Ordering::Relaxed) {
            tracing::error!(
                partition = self.place.index, code = %why.code, error = why.detail,
                "the event log takes no messages; devices keep theirs until it does"
            );
        }
        match error {
            AppendError::DiskFull { .. } | AppendError::Full { .. } => self.full.notify_one(),
            AppendError::Poisoned { .. } | AppendError::Closed => self.broken.notify_one(),
            _ => {}
        }
        why
    }

    /// An append became durable.
    pub(crate) fn succeeded(&self) {
        if self.refusing.swap(false, Ordering::Relaxed) {
            *self.refusal.lock() = None;
            tracing::info!(partition = self.place.index, "the event log takes messages again");
        }
    }

    /// Completes when the disk or the log was full at an append.
    pub(super) async fn full(&self) {
        self.full.notified().await;
    }

    pub(super) fn advance_hold(&self, group: &str, offset: u64) {
        if let Some(hold) = self.holds.lock().get(group) {
            hold.advance(offset);
        }
        self.moved_on.notify_one();
    }

    /// Completes when a consumer has moved on since the last call.
    pub(super) async fn moved_on(&self) {
        self.moved_on.notified().await;
    }

    pub(super) fn committed_by_all(&self) -> Option<u64> {
        self.consumers.committed_by_all(self.place.index)
    }

    /// Whether messages are refused, or a good part of the bytes that may be kept waits for this commit.
    /// Offsets stand for bytes: messages of one log are alike enough for that.
    pub(super) fn wants_commit(&self, offset: u64, bytes_max: u64) -> bool {
        let Some(log) = self.current() else { return false };
        let stats = log.stats();
        let committed = self.committed_by_all().unwrap_or(offset).max(stats.first_offset);
        let Some(given_back) = offset.checked_sub(committed).filter(|messages| *messages > 0) else {
            return false;
        };
        let held = stats.next_offset.saturating_sub(stats.first_offset).max(1);
        let bytes = u128::from(stats.bytes) * u128::from(given_back) / u128::from(held);
        self.refusing.load(Ordering::Relaxed) || bytes > u128::from(bytes_max / WAITING_SHARE)
    }

    pub(super) fn bounds(&self) -> (u64, u64) {
        self.current().map_or((0, 0), |log| (log.first_offset(), log.next_offset()))
    }

    pub(super) fn state(&self) -> PartitionState {
        let refusal =
            self.refusal.lock().as_ref().map(|refusal| (refusal.why.code, refusal.why.detail.clone()));
        match self.current() {
            Some(log) => {
                let stats = log.stats();
                PartitionState {
                    partition: self.place.index,
                    first_offset: stats.first_offset,
                    next_offset: stats.next_offset,
                    bytes: stats.bytes,
                    queue_messages: stats.queue_appends,
                    queue_bytes: stats.queue_bytes,
                    problem: refusal,
                }
            }
            None => PartitionState {
                partition: self.place.index,
                first_offset: 0,
                next_offset: 0,
                bytes: 0,
                queue_messages: 0,
                queue_bytes: 0,
                problem: refusal.or_else(|| {
                    Some((ErrorCode("GMB-HUB-008"), "it is being opened again after a disk error".into()))
                }),
            },
        }
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.holds.lock().clear();
        self.readers.lock().clear();
        if let Some(log) = self.log.write().take() {
            log.close();
        }
    }
}

fn reopening() -> AppendError {
    AppendError::Poisoned { reason: "it is being opened again".into() }
}
