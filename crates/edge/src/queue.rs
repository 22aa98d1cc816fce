//! The store-and-forward queue: deliveries go in, become durable together, and wait for the hub.
//!
//! One task writes. It takes whatever waits, makes one record of it, and tries until the record is durable:
//! a full disk is back-pressure, never an error to the field, and no sequence number is ever skipped.

mod age;
mod appender;
mod drops;
mod pace;

use crate::checkpoint::Checkpoint;
use crate::encoding::Writer;
use crate::overflow::OverflowRule;
use crate::replay::{self, Recovered};
use age::Ages;
use gemba_api::{BoxFuture, Delivery, Problem, StageReport, Uplink, UplinkError};
use gemba_base::disk::Disk;
use gemba_base::{Clock, Counter, Metrics, Tasks};
use gemba_model::{DataSetMetaData, DateTime, ErrorCode, GapMessage, WriterKey};
use gemba_wal::{Log, LogOptions, Reserve};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// How the queue behaves.
#[derive(Debug, Clone)]
pub struct EdgeOptions {
    /// The data directory; the queue lives in `log/edge/`, its state in `meta/edge/`.
    pub data: PathBuf,
    /// Producer in message ids and PublisherId in messages: the device id.
    pub producer: String,
    /// Bytes that may wait for the hub.
    pub queue_bytes_max: u64,
    /// What waits longer than this is dropped with a gap record; `None` keeps it for ever.
    pub queue_age_max: Option<Duration>,
    /// What happens at `queue_bytes_max`.
    pub on_full: OverflowRule,
    /// Bytes of one segment file: the unit in which delivered data is deleted and old data dropped.
    pub segment_bytes: u64,
    /// What stays free on the volume.
    pub reserve: Reserve,
    /// The rest of the log's options; those above are put into it.
    pub log: LogOptions,
}

/// The queue could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The log does not open.
    #[error("GMB-EDG-001: the store-and-forward queue cannot be opened: {0}")]
    Log(#[from] gemba_wal::OpenError),
    /// A file of the queue's state cannot be read or written.
    #[error("GMB-EDG-002: {path}: {reason}")]
    State {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl EdgeError {
    /// The page under docs/errors.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Log(_) => ErrorCode("GMB-EDG-001"),
            Self::State { .. } => ErrorCode("GMB-EDG-002"),
        }
    }
}

/// Work that waits for the writing task may take so many bytes; above it, `publish` is refused as full.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// The queue. Clones are the same queue.
#[derive(Clone)]
pub struct StoreAndForward {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) options: EdgeOptions,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    waiting: Mutex<Waiting>,
    arrival: Notify,
    pub(crate) state: Mutex<State>,
    /// Absent while a failed log is opened again.
    log: Mutex<Option<Log>>,
    /// The epoch of message ids: a new log is a new epoch, because its numbers start again.
    pub(crate) epoch: u64,
    /// This start of the edge. A copy of the data directory that is put back gives numbers anew, in another life:
    /// by that the historian tells them from those that were given before.
    pub(crate) life: u64,
    pub(crate) counters: Counters,
    pub(crate) field_report: Mutex<Option<StageReport>>,
    /// Why the hub cannot be reached, if so.
    pub(crate) link_problem: Mutex<Option<Problem>>,
}

/// Deliveries that are not written yet.
#[derive(Debug, Default)]
struct Waiting {
    work: VecDeque<Waiter>,
    bytes: usize,
    closed: bool,
}

#[derive(Debug)]
struct Waiter {
    work: Work,
    bytes: usize,
    done: oneshot::Sender<Result<(), UplinkError>>,
}

#[derive(Debug)]
enum Work {
    Deliver(Delivery),
    Announce(Arc<DataSetMetaData>),
    /// Messages of the queue that will never come.
    Tell(Box<GapMessage>),
}

/// What is known of the log's content.
#[derive(Debug)]
pub(crate) struct State {
    /// Cursors of the last durable record.
    cursors: BTreeMap<String, Vec<u8>>,
    /// Newest description of each writer that was announced, durable or under way.
    announced: BTreeMap<WriterKey, Arc<DataSetMetaData>>,
    /// First offset after the last durable record.
    offset: u64,
    /// Sequence of the next message.
    pub(crate) next_sequence: u64,
    /// First offset and sequence that the hub has not acknowledged.
    pub(crate) unacknowledged: (u64, u64),
    /// Values that wait for the hub, in all.
    pub(crate) values_waiting: u64,
    /// About when the oldest of them was written; `None` when none waits.
    pub(crate) oldest_waiting: Option<DateTime>,
    /// How old what waits is, where that matters.
    ages: Option<Ages>,
    /// Damage up to this sequence was told of.
    pub(crate) damage_told: u64,
    /// What the last append met, for people.
    pub(crate) trouble: Option<Trouble>,
}

/// Why nothing becomes durable at the moment.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub(crate) code: ErrorCode,
    pub(crate) text: String,
    pub(crate) since: DateTime,
}

#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) values_in: Counter,
    pub(crate) messages_in: Counter,
    pub(crate) values_dropped: Counter,
    pub(crate) values_out: Counter,
    pub(crate) messages_out: Counter,
    pub(crate) bytes_out: Counter,
}

impl Counters {
    fn new(metrics: &Metrics) -> Self {
        let counter = |name, help| metrics.counter(name, help, &[]);
        Self {
            values_in: counter("gemba_edge_values_queued_total", "values made durable in the edge's queue"),
            messages_in: counter(
                "gemba_edge_messages_queued_total",
                "messages made durable in the edge's queue",
            ),
            values_dropped: counter(
                "gemba_edge_values_dropped_total",
                "values dropped by the edge, each in a gap record",
            ),
            values_out: counter("gemba_edge_values_acknowledged_total", "values acknowledged by the hub"),
            messages_out: counter(
                "gemba_edge_messages_acknowledged_total",
                "messages acknowledged by the hub",
            ),
            bytes_out: counter(
                "gemba_edge_bytes_acknowledged_total",
                "payload bytes acknowledged by the hub",
            ),
        }
    }
}

impl std::fmt::Debug for StoreAndForward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreAndForward").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

impl StoreAndForward {
    /// Opens the queue, or creates it, and starts its writing task on `tasks`.
    ///
    /// # Errors
    /// When its files cannot be read; the text names the file and the remedy.
    pub fn open(
        options: EdgeOptions,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
        tasks: &Tasks,
    ) -> Result<Self, EdgeError> {
        let Recovered { log, checkpoint, announced, values_waiting, left_out } =
            replay::recover(&options, disk.clone(), clock.clone())?;
        let writer = Writer::new(&options.producer, checkpoint.next_sequence);
        let start = (clock.now(), clock.monotonic());
        let state = State {
            ages: options.queue_age_max.map(|limit| Ages::new(limit, start, checkpoint.offset)),
            damage_told: 0,
            cursors: checkpoint.cursors,
            announced,
            offset: checkpoint.offset,
            next_sequence: checkpoint.next_sequence,
            unacknowledged: (checkpoint.unacknowledged_offset, checkpoint.unacknowledged_sequence),
            values_waiting,
            oldest_waiting: (values_waiting > 0).then(|| clock.now()),
            trouble: None,
        };
        let shared = Arc::new(Shared {
            options,
            disk,
            clock,
            waiting: Mutex::default(),
            arrival: Notify::new(),
            state: Mutex::new(state),
            epoch: epoch_of(&log),
            life: tasks.random_number(),
            log: Mutex::new(Some(log)),
            counters: Counters::new(metrics),
            field_report: Mutex::new(None),
            link_problem: Mutex::new(None),
        });
        appender::start(shared.clone(), writer, tasks);
        let queue = Self { shared };
        if let Some((from, to)) = left_out {
            queue.shared.damaged(from, to);
        }
        // A hub that lost its own state learns the descriptions again with every start of an edge.
        for metadata in queue.announced() {
            drop(queue.shared.put(Work::Announce(metadata), 1024));
        }
        Ok(queue)
    }
}

impl Shared {
    /// The log, unless it failed and is not open again yet.
    pub(crate) fn log(&self) -> Option<Log> {
        self.log.lock().clone()
    }

    /// Messages `from..to` cannot be read any more. Which values they held nobody knows; the historian sees between
    /// which values their numbers are missing. There may have been gap records among them, which told of any number
    /// before.
    pub(crate) fn damaged(&self, from: u64, to: u64) {
        {
            let mut state = self.state.lock();
            if from >= to || to <= state.damage_told {
                return;
            }
            state.damage_told = to;
        }
        tracing::error!(from, to, "messages of the edge's queue are damaged; what was in them is lost");
        // It becomes durable like all else; nobody needs to wait for it.
        drop(self.put(Work::Tell(Box::new(drops::damage_below(to))), 256));
    }

    fn put(
        &self,
        work: Work,
        bytes: usize,
    ) -> Result<oneshot::Receiver<Result<(), UplinkError>>, UplinkError> {
        let (done, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Err(UplinkError::Closed);
        }
        if waiting.bytes + bytes > WAITING_BYTES_MAX && !waiting.work.is_empty() {
            let detail = format!("{} MiB wait to be written; wait for them first", WAITING_BYTES_MAX >> 20);
            return Err(UplinkError::Full { code: ErrorCode("GMB-EDG-003"), detail });
        }
        waiting.bytes += bytes;
        waiting.work.push_back(Waiter { work, bytes, done });
        drop(waiting);
        self.arrival.notify_one();
        Ok(receiver)
    }

    /// Writes the checkpoint. Called before anything is deleted, and at the end.
    pub(crate) fn save_checkpoint(&self) -> Result<(), EdgeError> {
        let checkpoint = {
            let state = self.state.lock();
            Checkpoint {
                log: format!("{:016x}", self.epoch),
                offset: state.offset,
                next_sequence: state.next_sequence,
                unacknowledged_offset: state.unacknowledged.0,
                unacknowledged_sequence: state.unacknowledged.1,
                cursors: state.cursors.clone(),
            }
        };
        let path = replay::checkpoint_path(&self.options.data);
        // Cursors hold session tokens: the owner alone may read them.
        self.disk
            .replace(&path, &checkpoint.print(), true)
            .map_err(|error| EdgeError::State { path, reason: error.to_string() })
    }
}

/// The epoch that a log stands for.
pub(crate) fn epoch_of(log: &Log) -> u64 {
    log.id() as u64
}

/// Options of the log below the queue.
pub(crate) fn log_options(options: &EdgeOptions, clock: Arc<dyn Clock>) -> LogOptions {
    LogOptions {
        segment_bytes: options.segment_bytes,
        bytes_max: options.queue_bytes_max.max(options.segment_bytes * 2),
        reserve: options.reserve,
        // One record at a time goes in, and it may be as large as a segment.
        queue_bytes_max: usize::try_from(options.segment_bytes).unwrap_or(usize::MAX).clamp(64, 1 << 31),
        clock,
        ..options.log.clone()
    }
}

impl Uplink for StoreAndForward {
    fn announce(&self, metadata: Arc<DataSetMetaData>) -> BoxFuture<'static, Result<(), UplinkError>> {
        let known = self.shared.state.lock().announced.get(&metadata.writer).cloned();
        if known.is_some_and(|known| *known == *metadata) {
            return Box::pin(std::future::ready(Ok(())));
        }
        if let Err(error) = replay::save_description(&*self.shared.disk, &self.shared.options, &metadata) {
            let detail = error.to_string();
            return Box::pin(std::future::ready(Err(UplinkError::Failed { code: error.code(), detail })));
        }
        let bytes = metadata.fields.len() * 128;
        let put = self.shared.put(Work::Announce(metadata.clone()), bytes);
        if put.is_ok() {
            // Only what is on its way may have data behind it.
            self.shared.state.lock().announced.insert(metadata.writer, metadata);
        }
        outcome(put)
    }

    fn publish(&self, delivery: Delivery) -> BoxFuture<'static, Result<(), UplinkError>> {
        if let Err(detail) = self.check(&delivery) {
            let code = ErrorCode("GMB-EDG-004");
            return Box::pin(std::future::ready(Err(UplinkError::Rejected { code, detail })));
        }
        let samples: usize =
            delivery.batches.iter().map(|batch| batch.samples.len() * 64 + batch.bytes.len()).sum();
        outcome(self.shared.put(Work::Deliver(delivery), samples + 256))
    }

    fn cursors(&self) -> HashMap<String, Vec<u8>> {
        self.shared.state.lock().cursors.clone().into_iter().collect()
    }

    fn announced(&self) -> Vec<Arc<DataSetMetaData>> {
        self.shared.state.lock().announced.values().cloned().collect()
    }

    fn report(&self, report: StageReport) {
        *self.shared.field_report.lock() = Some(report);
    }
}

impl StoreAndForward {
    /// The contract of a delivery that can be checked here.
    fn check(&self, delivery: &Delivery) -> Result<(), String> {
        let state = self.shared.state.lock();
        for batch in &delivery.batches {
            let known = state.announced.get(&batch.writer);
            if known.is_none_or(|known| known.version != batch.version) {
                return Err(format!(
                    "writer {} publishes with version {}.{}, which was not announced",
                    batch.writer, batch.version.major, batch.version.minor
                ));
            }
        }
        let cursors = &delivery.cursors;
        let long = cursors.iter().find(|cursor| {
            cursor.key.len() > 512 || cursor.state.as_ref().is_some_and(|state| state.len() > 64 << 10)
        });
        match long {
            Some(cursor) => {
                Err(format!("the cursor '{}' is too large", cursor.key.chars().take(64).collect::<String>()))
            }
            None => Ok(()),
        }
    }
}

fn outcome(
    put: Result<oneshot::Receiver<Result<(), UplinkError>>, UplinkError>,
) -> BoxFuture<'static, Result<(), UplinkError>> {
    match put {
        Ok(receiver) => Box::pin(async move { receiver.await.unwrap_or(Err(UplinkError::Closed)) }),
        Err(error) => Box::pin(std::future::ready(Err(error))),
    }
}

#[cfg(test)]
mod tests;
