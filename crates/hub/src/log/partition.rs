//! One partition: a durable log that is opened again when its disk failed.

use super::consumers::Consumers;
use super::record::{self, KIND_MESSAGE};
use bytes::Bytes;
use gemba_api::{LogEntry, LogError, LogItem};
use gemba_base::disk::Disk;
use gemba_base::{Backoff, Counter, Metrics, Tasks, random};
use gemba_model::ErrorCode;
use gemba_wal::{
    AppendError, AppendTicket, Hold, Log, LogOptions, LogState, OpenError, ReadItem, Reader, Record,
};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// After a refused append, appends are not tried for so long. Then the next one finds out.
const PAUSE: Duration = Duration::from_secs(1);
/// Readers whose place is remembered: a consumer goes on without looking for it again.
const READERS_MAX: usize = 8;

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

    /// Queues a record as soon as there is room.
    pub(crate) async fn append(&self, record: Bytes) -> Result<AppendTicket, AppendError> {
        let log = self.current().ok_or_else(reopening)?;
        log.append(KIND_MESSAGE, record).await
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
    }

    pub(super) fn committed_by_all(&self) -> Option<u64> {
        self.consumers.committed_by_all(self.place.index)
    }

    pub(super) fn read(&self, from: u64, bytes_max: usize) -> Result<Vec<LogItem>, LogError> {
        let mut reader = self.reader(from)?;
        let items = reader.read(bytes_max).map_err(|error| LogError {
            code: error.code(),
            detail: format!("partition {}: {error}", self.place.index),
        })?;
        let mut readers = self.readers.lock();
        if readers.len() >= READERS_MAX {
            readers.remove(0);
        }
        readers.push(reader);
        drop(readers);
        Ok(items.into_iter().map(|item| self.item(item)).collect())
    }

    fn reader(&self, from: u64) -> Result<Reader, LogError> {
        let mut readers = self.readers.lock();
        if let Some(at) = readers.iter().position(|reader| reader.offset() == from) {
            return Ok(readers.remove(at));
        }
        drop(readers);
        let Some(log) = self.current() else {
            let detail = format!("partition {} is being opened again after a disk error", self.place.index);
            return Err(LogError { code: ErrorCode("GMB-HUB-008"), detail });
        };
        Ok(log.reader(from))
    }

    fn item(&self, item: ReadItem) -> LogItem {
        let frame = match item {
            ReadItem::Frame(frame) => frame,
            ReadItem::Corrupt { from_offset: from, next_offset: to } => {
                self.unreadable.add(to - from);
                return LogItem::Missing { from, to, damaged: true };
            }
            ReadItem::Trimmed { from_offset: from, next_offset: to } => {
                return LogItem::Missing { from, to, damaged: false };
            }
        };
        let offset = frame.offset;
        let unreadable = match (frame.kind, record::decode(frame.payload)) {
            (KIND_MESSAGE, Ok(message)) => return LogItem::Entry(LogEntry { offset, message }),
            (KIND_MESSAGE, Err(error)) => error.to_string(),
            (kind, _) => format!("the frame has kind {kind}, which this program does not know"),
        };
        self.unreadable.add(1);
        tracing::error!(
            partition = self.place.index,
            offset,
            code = "GMB-HUB-007",
            error = unreadable,
            "a message in the event log cannot be read"
        );
        LogItem::Missing { from: offset, to: offset + 1, damaged: true }
    }

    pub(super) async fn wait(&self, offset: u64) {
        let mut openings = self.openings.subscribe();
        loop {
            openings.mark_unchanged();
            if let Some(log) = self.current() {
                let mut reader = log.reader(offset);
                // Not to keep the log open while waiting: it could not be opened again then.
                drop(log);
                if reader.wait().await.is_ok() {
                    return;
                }
            }
            // Poisoned or closed: the next opening decides. The sender lives as long as this partition.
            if openings.changed().await.is_err() {
                return;
            }
        }
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

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.holds.lock().clear();
        self.readers.lock().clear();
        if let Some(log) = self.log.write().take() {
            log.close();
        }
    }

    fn is_broken(&self) -> bool {
        !self.closed.load(Ordering::SeqCst)
            && self.current().is_none_or(|log| log.state() == LogState::Poisoned)
    }
}

fn reopening() -> AppendError {
    AppendError::Poisoned { reason: "it is being opened again".into() }
}

/// Opens a poisoned log again, with growing pauses, until `tasks` stops.
pub(super) async fn keep_open(partition: Arc<Partition>, tasks: Tasks) {
    let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));
    loop {
        tokio::select! {
            () = tasks.stopping() => return,
            () = partition.broken.notified() => {}
        }
        while partition.is_broken() {
            tokio::select! {
                () = tasks.stopping() => return,
                () = tokio::time::sleep(backoff.next_delay(random::number32())) => {}
            }
            let opening = partition.clone();
            match tokio::task::spawn_blocking(move || opening.reopen()).await {
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
