//! An edge under test: the real queue and the real uplink on a simulated computer.

use crate::machine::Machine;
use crate::network::Network;
use crate::node::{Death, RESERVE_BYTES, after, log_options, new_disk};
use crate::oracle::{Excuse, Oracle};
use crate::platform::{HOST, device_key};
use crate::time::{NodeClock, TrueTime};
use crate::trace::Trace;
use gemba_api::flow::FlowSource;
use gemba_base::{Metrics, Tasks};
use gemba_edge::{EdgeOptions, HubLink, HubLinkOptions, OverflowRule, StoreAndForward, Way};
use gemba_iothub::{ConnectionString, Identity};
use gemba_testkit::{FaultyDisk, Rng};
use gemba_wal::Reserve;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Bytes of a segment of the queue.
pub(crate) const SEGMENT_BYTES: u64 = 16 << 10;
const HEADROOM_BYTES: u64 = 64 << 10;

/// What the seed chose for an edge.
#[derive(Debug, Clone)]
struct Choice {
    queue_bytes_max: u64,
    queue_age_max: Option<Duration>,
    on_full: OverflowRule,
}

/// One edge with its machines.
pub(crate) struct Edge {
    pub(crate) index: usize,
    pub(crate) disk: FaultyDisk,
    pub(crate) clock: NodeClock,
    pub(crate) oracle: Arc<Mutex<Oracle>>,
    pub(crate) writers: usize,
    choice: Choice,
    /// The disk as it was at an earlier start.
    copy: Option<FaultyDisk>,
    /// Its disk was put back to an older state: it gave numbers twice.
    pub(crate) was_put_back: bool,
    running: Option<Tasks>,
    slot: watch::Sender<Option<StoreAndForward>>,
    is_stopping: Arc<AtomicBool>,
    is_giving: Arc<AtomicBool>,
    is_wiped: Arc<AtomicBool>,
    network: Network,
    rng: Rng,
    trace: Trace,
}

impl Edge {
    /// An edge that is off, and machines that wait for it.
    pub(crate) fn new(index: usize, network: Network, time: TrueTime, trace: Trace, mut rng: Rng) -> Self {
        let writers = 1 + rng.below(3) as usize;
        let fields = 1 + rng.below(4) as usize;
        let choice = Choice {
            queue_bytes_max: rng.pick(&[64 << 10, 192 << 10, 16 << 20]),
            queue_age_max: rng.one_in(4).then(|| Duration::from_secs(rng.pick(&[60, 300, 1_800]))),
            on_full: if rng.one_in(3) { OverflowRule::Block } else { OverflowRule::DropOldest },
        };
        let oracle = Arc::new(Mutex::new(Oracle::new(writers, fields)));
        let slot = watch::Sender::new(None);
        let edge = Self {
            index,
            disk: new_disk(&mut rng),
            clock: NodeClock::new(time),
            oracle: oracle.clone(),
            writers,
            choice,
            copy: None,
            was_put_back: false,
            running: None,
            is_stopping: Arc::default(),
            is_giving: Arc::default(),
            is_wiped: Arc::default(),
            network,
            trace: trace.clone(),
            rng,
            slot,
        };
        trace.note(format_args!("edge-{index} {writers} x {fields} {:?}", edge.choice));
        let machine = Machine {
            edge: index,
            writers,
            pace: Duration::from_millis(100 + edge.rng.clone().below(edge.rng.clone().pick(&[300, 2_000]))),
            oracle,
            slot: edge.slot.subscribe(),
            is_stopping: edge.is_stopping.clone(),
            is_giving: edge.is_giving.clone(),
            is_wiped: edge.is_wiped.clone(),
            rng: Rng::new(edge.rng.clone().number()),
            time,
            trace,
            version: 1,
            owes_gap: false,
            lost: BTreeMap::new(),
        };
        drop(tokio::spawn(machine.run()));
        edge
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Starts the process. False when it cannot start now.
    pub(crate) fn start(&mut self) -> bool {
        if self.running.is_some() {
            return true;
        }
        let tasks = Tasks::simulated("edge", self.rng.number());
        let mut log = log_options(&tasks, &self.clock, &mut self.rng);
        log.headroom_bytes = HEADROOM_BYTES;
        let options = EdgeOptions {
            data: PathBuf::from("/data"),
            producer: self.name(),
            queue_bytes_max: self.choice.queue_bytes_max,
            queue_age_max: self.choice.queue_age_max,
            on_full: self.choice.on_full,
            segment_bytes: SEGMENT_BYTES,
            reserve: Reserve::Bytes(RESERVE_BYTES),
            log,
        };
        let (disk, clock) = (Arc::new(self.disk.clone()), Arc::new(self.clock.clone()));
        match StoreAndForward::open(options, disk, clock, &Metrics::default(), &tasks.branch("queue")) {
            Ok(queue) => {
                self.trace.note(format_args!("{} starts", self.name()));
                if self.copy.is_none() && self.rng.one_in(3) {
                    self.copy = Some(self.disk.snapshot());
                }
                let link = HubLinkOptions {
                    connection: self.connection(),
                    way: Way::Other(self.network.dialer(self.index)),
                    token_lifetime: Duration::from_secs(3_600),
                };
                HubLink::start(queue.clone(), link, &tasks.branch("uplink"));
                self.slot.send_replace(Some(queue));
                self.running = Some(tasks);
                true
            }
            Err(error) => {
                self.trace.note(format_args!("{} does not start: {error}", self.name()));
                false
            }
        }
    }

    pub(crate) fn name(&self) -> String {
        format!("edge-{}", self.index)
    }

    fn connection(&self) -> ConnectionString {
        let identity = Identity::parse(&self.name()).expect("is an identity");
        ConnectionString::of(HOST, identity, device_key(&self.name()))
    }

    /// The process dies.
    pub(crate) async fn die(&mut self, death: Death) {
        self.trace.note(format_args!("{} dies: {death:?}", self.name()));
        // Also that of a process that could not start: the power may have gone while it tried.
        self.disk = after(death, &self.disk, &mut self.rng);
        let Some(tasks) = self.running.take() else { return };
        self.slot.send_replace(None);
        tasks.kill().await;
    }

    /// The process stops in order.
    pub(crate) async fn stop(&mut self) {
        let Some(tasks) = self.running.take() else { return };
        self.trace.note(format_args!("{} stops", self.name()));
        tasks.stop();
        // What a real process gives itself; then it is killed.
        tokio::time::sleep(Duration::from_secs(10)).await;
        self.slot.send_replace(None);
        tasks.kill().await;
    }

    /// The disk is replaced by an empty one. The process must be dead.
    pub(crate) fn wipe(&mut self) {
        self.copy = None;
        self.trace.note(format_args!("{} gets an empty disk", self.name()));
        self.disk = new_disk(&mut self.rng);
        self.is_wiped.store(true, Ordering::Relaxed);
    }

    /// The disk is put back to what it was at an earlier start. The process must be dead.
    pub(crate) fn put_back(&mut self) {
        let Some(copy) = self.copy.take() else { return };
        self.trace.note(format_args!("{} gets an old copy of its disk", self.name()));
        self.disk = copy;
        self.is_wiped.store(true, Ordering::Relaxed);
        self.was_put_back = true;
    }

    /// Whether its rules ever give values up.
    pub(crate) const fn may_drop(&self) -> bool {
        matches!(self.choice.on_full, OverflowRule::DropOldest) || self.choice.queue_age_max.is_some()
    }

    pub(crate) fn excuse(&self, excuse: Excuse) {
        self.oracle.lock().excuse(excuse);
    }

    /// Bytes of the log's files, as they lie there.
    pub(crate) fn log_bytes(&self) -> u64 {
        let paths = self.disk.paths().into_iter().filter(|path| path.starts_with("/data/log"));
        paths.filter_map(|path| self.disk.contents(&path)).map(|bytes| bytes.len() as u64).sum()
    }

    /// The machines offer nothing more.
    pub(crate) fn finish(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Whether a delivery of a machine is under way.
    pub(crate) fn is_given_something(&self) -> bool {
        self.is_giving.load(Ordering::Relaxed)
    }

    /// Messages that wait for the hub; `None` while the edge is off.
    pub(crate) fn waiting(&self) -> Option<u64> {
        let queue = self.slot.borrow().clone()?;
        queue.reports().last().map(|report| report.queue_messages)
    }

    /// What is over its bound, if anything is.
    pub(crate) fn over_bound(&self) -> Option<String> {
        let queue = self.slot.borrow().clone()?;
        let bytes = queue.reports().last().map_or(0, |report| report.queue_bytes);
        let most = self.choice.queue_bytes_max + HEADROOM_BYTES + SEGMENT_BYTES;
        (bytes > most).then(|| format!("{}: the queue has {bytes} bytes, {most} are allowed", self.name()))
    }
}
