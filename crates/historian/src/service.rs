//! The tasks around the store: one consumer for each partition, one for flushes, one for upkeep.

use crate::decoder::Decoder;
use crate::engine::Engine;
use crate::engine::memory::MemoryGauges;
use crate::error::{HistorianError, Result};
use crate::options::HistorianOptions;
use gemba_api::{DocStore, EventLog};
use gemba_base::disk::{Disk, RealDisk};
use gemba_base::tasks::Lane;
use gemba_base::{Backoff, Clock, Metrics, Tasks};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// The consumer group under which offsets are committed in the log.
const GROUP: &str = "historian";
/// How often age of memory and number of files are looked at.
const TICK: Duration = Duration::from_secs(1);
const RETRY_FLOOR: Duration = Duration::from_millis(500);
const RETRY_CEILING: Duration = Duration::from_secs(30);
const DISK_REMEDY: &str =
    "Free or add space; meanwhile values stay in memory and in the event log, and writing is tried again";

/// The historian at work. Dropping it does not stop its tasks; [`Historian::drain`] does.
pub struct Historian {
    engine: Arc<Engine>,
    log: Arc<dyn EventLog>,
    tasks: Tasks,
    signals: Arc<Signals>,
    lanes: Arc<Lanes>,
}

/// Threads for what takes much memory for a moment.
struct Lanes {
    flush: Lane,
    upkeep: Lane,
}

/// How tasks wake each other.
struct Signals {
    /// A table was frozen, or the flusher should look.
    work: Notify,
    /// Grows with each flush attempt, so that whoever waits for room or durability looks again.
    flushed: watch::Sender<u64>,
    /// Where memory is shown, if anywhere.
    gauges: OnceLock<MemoryGauges>,
}

impl Historian {
    /// Opens the store in `folder` (`<data>/hist`) and begins to consume the log on tasks of a branch of
    /// `tasks`. Must be called inside a tokio runtime; blocks for as long as manifest and documents take.
    ///
    /// # Errors
    /// When the folder cannot be used, a newer version wrote it, or documents cannot be read.
    pub fn start(
        log: Arc<dyn EventLog>,
        docs: Arc<dyn DocStore>,
        folder: &Path,
        options: HistorianOptions,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> Result<Arc<Self>> {
        Self::start_on(Arc::new(RealDisk), log, docs, folder, options, clock, tasks)
    }

    /// [`Historian::start`] on another disk.
    ///
    /// # Errors
    /// As [`Historian::start`].
    pub fn start_on(
        disk: Arc<dyn Disk>,
        log: Arc<dyn EventLog>,
        docs: Arc<dyn DocStore>,
        folder: &Path,
        options: HistorianOptions,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> Result<Arc<Self>> {
        let engine = Arc::new(Engine::open(disk, folder, docs, options, clock)?);
        let tasks = tasks.branch("historian");
        let signals =
            Arc::new(Signals { work: Notify::new(), flushed: watch::channel(0).0, gauges: OnceLock::new() });
        let lanes = Arc::new(Lanes { flush: Lane::new("hist-flush"), upkeep: Lane::new("hist-upkeep") });
        let historian = Arc::new(Self { engine, log, tasks, signals, lanes });
        historian.adopt_log();
        for partition in 0..historian.log.partitions() {
            let consumer = Worker::of(&historian);
            historian.tasks.spawn(async move { consumer.consume(partition).await });
        }
        let flusher = Worker::of(&historian);
        historian.tasks.spawn(async move { flusher.flush().await });
        let keeper = Worker::of(&historian);
        historian.tasks.spawn(async move { keeper.keep().await });
        Ok(historian)
    }

    /// A log that ends before the place up to which it was read is another log: begin again, and let the
    /// numbers of messages tell what is known already.
    fn adopt_log(&self) {
        for partition in 0..self.log.partitions() {
            let next = self.engine.next_offset(partition);
            let (first, end) = self.log.bounds(partition);
            if next > end {
                self.engine.rewind(partition, first);
                self.engine.problems.set(
                    &*self.engine.clock,
                    "GMB-HIS-006",
                    &format!("partition {partition}"),
                    format!("The event log ends at {end}, though messages up to {next} were read from it before"),
                    "If the log was restored from a backup, nothing needs to be done: known messages are skipped",
                    2,
                );
            }
        }
    }

    /// Shows from now on how much memory each part takes and may take: `gemba_historian_memory_bytes` and
    /// `gemba_historian_memory_budget_bytes`, brought up to date every second.
    pub fn observe(&self, metrics: &Metrics) {
        self.engine.measure(self.signals.gauges.get_or_init(|| MemoryGauges::new(metrics)));
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Messages of each partition that were not taken in yet.
    pub(crate) fn behind(&self, consumed: impl Fn(u32) -> u64) -> Vec<(u32, u64)> {
        let partitions = 0..self.log.partitions();
        partitions.map(|p| (p, self.log.bounds(p).1.saturating_sub(consumed(p)))).collect()
    }

    /// Completes when everything that the log held at the call has been taken in.
    pub async fn caught_up(&self) {
        let ends: Vec<(u32, u64)> = (0..self.log.partitions()).map(|p| (p, self.log.bounds(p).1)).collect();
        let mut progress = self.signals.flushed.subscribe();
        loop {
            progress.mark_unchanged();
            if ends.iter().all(|(partition, end)| self.engine.next_offset(*partition) >= *end) {
                return;
            }
            if progress.changed().await.is_err() {
                return;
            }
        }
    }

    /// Writes everything taken in so far to files and commits the log's offsets.
    ///
    /// # Errors
    /// When the disk or the log fails; nothing is lost then, and the flusher tries again.
    pub async fn flush(&self) -> Result<()> {
        Worker::of(self).flush_once(true).await
    }

    /// Merges files of crowded days and deletes expired ones, now rather than when the next turn comes.
    ///
    /// # Errors
    /// When the disk fails; nothing has changed then.
    pub async fn compact(&self) -> Result<()> {
        let engine = Arc::clone(&self.engine);
        blocking(&self.tasks, &self.lanes.upkeep, move || {
            engine.expire()?;
            while engine.compact()? {}
            Ok(())
        })
        .await
    }

    /// Stops consuming, writes everything to files, commits offsets, and waits for the tasks. False when the
    /// deadline passed first or a write failed; nothing is lost then, because the log still has it.
    pub async fn drain(&self, deadline: Duration) -> bool {
        let ended = self.tasks.drain(deadline).await;
        ended && self.flush().await.is_ok()
    }
}

/// What a task holds.
struct Worker {
    engine: Arc<Engine>,
    log: Arc<dyn EventLog>,
    tasks: Tasks,
    signals: Arc<Signals>,
    lanes: Arc<Lanes>,
}

/// Runs storage code where it may block.
async fn blocking<T: Send + 'static>(
    tasks: &Tasks,
    lane: &Lane,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tasks.blocking_on(lane, work).await {
        Ok(result) => result,
        Err(error) => Err(HistorianError::Invalid(format!("a storage task ended early: {error}"))),
    }
}

impl Worker {
    fn of(historian: &Historian) -> Self {
        Self {
            engine: Arc::clone(&historian.engine),
            log: Arc::clone(&historian.log),
            tasks: historian.tasks.clone(),
            signals: Arc::clone(&historian.signals),
            lanes: Arc::clone(&historian.lanes),
        }
    }

    fn announce(&self) {
        self.signals.flushed.send_modify(|count| *count += 1);
    }

    async fn consume(self, partition: u32) {
        let mut decoder = Decoder::default();
        let mut backoff = Backoff::new(RETRY_FLOOR, RETRY_CEILING);
        let place = format!("partition {partition}");
        while !self.tasks.is_stopping() {
            let (outcome, returned) = self.step(partition, decoder).await;
            decoder = returned;
            match outcome {
                Ok(()) => {
                    backoff.reset();
                    for code in ["GMB-HIS-005", "GMB-HIS-006"] {
                        self.engine.problems.clear(code, &place);
                    }
                }
                Err(error) => {
                    let remedy =
                        "Nothing is lost: reading is tried again; look at the volume's health and space";
                    let code = error.code().0;
                    self.engine.problems.set(&*self.engine.clock, code, &place, error.to_string(), remedy, 3);
                    if self.tasks.back_off(&mut backoff).await {
                        return;
                    }
                }
            }
        }
    }

    /// Reads and takes in one portion, or waits for one.
    async fn step(&self, partition: u32, decoder: Decoder) -> (Result<()>, Decoder) {
        let from = self.engine.next_offset(partition);
        let items = match self.log.read(partition, from, self.engine.options.read_bytes).await {
            Ok(items) => items,
            Err(error) => return (Err(error.into()), decoder),
        };
        if items.is_empty() {
            tokio::select! {
                biased;
                () = self.tasks.stopping() => {}
                () = self.log.wait(partition, from) => {}
            }
            return (Ok(()), decoder);
        }
        let engine = Arc::clone(&self.engine);
        let mut progress = self.signals.flushed.subscribe();
        let done = self.tasks.blocking(move || {
            let mut decoder = decoder;
            let outcome = engine.ingest(partition, &items, &mut decoder);
            (outcome, decoder)
        });
        let Ok((outcome, decoder)) = done.await else {
            let text = "a storage task ended early".to_owned();
            return (Err(HistorianError::Invalid(text)), Decoder::default());
        };
        match outcome {
            Ok(ingested) if ingested.full => {
                self.signals.work.notify_one();
                tokio::select! {
                    biased;
                    () = self.tasks.stopping() => {}
                    _ = progress.changed() => {}
                }
                (Ok(()), decoder)
            }
            Ok(_) => {
                if self.engine.has_frozen() {
                    self.signals.work.notify_one();
                }
                self.announce();
                (Ok(()), decoder)
            }
            Err(error) => (Err(error), decoder),
        }
    }

    async fn flush(self) {
        let mut backoff = Backoff::new(RETRY_FLOOR, RETRY_CEILING);
        // After a crash between manifest and commit the log keeps more than it must.
        let mut committed = self.commit().await.is_ok();
        while !self.tasks.is_stopping() {
            tokio::select! {
                biased;
                () = self.tasks.stopping() => return,
                () = self.signals.work.notified() => {}
                () = tokio::time::sleep(TICK) => {}
            }
            if let Some(gauges) = self.signals.gauges.get() {
                self.engine.measure(gauges);
            }
            let due = self.engine.is_due() || self.is_log_crowded();
            if !due && !self.engine.has_frozen() && committed {
                continue;
            }
            committed = self.flush_once(due).await.is_ok();
            if committed {
                backoff.reset();
            } else if self.tasks.back_off(&mut backoff).await {
                return;
            }
        }
    }

    /// Whether the log needs the room that only a flush gives back.
    fn is_log_crowded(&self) -> bool {
        let wants = |partition| self.log.wants_commit(partition, self.engine.next_offset(partition));
        (0..self.log.partitions()).any(wants)
    }

    /// Writes what is frozen (all, if `everything`) and commits the log's offsets.
    async fn flush_once(&self, everything: bool) -> Result<()> {
        let engine = Arc::clone(&self.engine);
        let outcome = blocking(&self.tasks, &self.lanes.flush, move || {
            if everything { engine.flush_all() } else { engine.flush_frozen() }
        })
        .await;
        self.announce();
        let place = "historian";
        match &outcome {
            Ok(()) => {
                self.engine.problems.clear("GMB-HIS-001", place);
                self.engine.problems.clear("GMB-HIS-011", place);
            }
            Err(error) => {
                let code = if error.is_disk_full() { "GMB-HIS-011" } else { error.code().0 };
                let clock = &*self.engine.clock;
                self.engine.problems.set(clock, code, place, error.to_string(), DISK_REMEDY, 3);
            }
        }
        outcome?;
        self.commit().await
    }

    /// Tells the log what is in files.
    async fn commit(&self) -> Result<()> {
        for (partition, offset) in self.engine.covered() {
            self.log.commit(GROUP, partition, offset).await?;
        }
        Ok(())
    }

    /// Verifies files once, then compacts and expires from time to time.
    async fn keep(self) {
        let engine = Arc::clone(&self.engine);
        let verified = blocking(&self.tasks, &self.lanes.upkeep, move || {
            engine.verify_footers();
            Ok(())
        });
        drop(verified.await);
        let mut backoff = Backoff::new(TICK * 10, Duration::from_secs(600));
        loop {
            if self.tasks.pause(backoff.next_delay(0)).await {
                return;
            }
            let engine = Arc::clone(&self.engine);
            let upkeep = blocking(&self.tasks, &self.lanes.upkeep, move || {
                engine.expire()?;
                engine.compact()
            });
            match upkeep.await {
                Ok(_) => backoff.reset(),
                Err(error) => {
                    tracing::warn!(%error, "files were not compacted; trying again later");
                }
            }
        }
    }
}
