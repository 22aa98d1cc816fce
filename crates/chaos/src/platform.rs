//! The platform under test: the real hub and the real historian on a simulated computer with two disks.

use crate::limits;
use crate::network::Network;
use crate::node::{Death, RESERVE_BYTES, VOLUME_BYTES, after, log_options, new_disk};
use crate::order::{Seen, Watch};
use crate::time::{NodeClock, TrueTime};
use crate::trace::Trace;
use gemba_api::DocStore;
use gemba_base::{Metrics, Tasks};
use gemba_historian::{Historian, HistorianOptions};
use gemba_hub::auth::Authenticator;
use gemba_hub::mqtt::MqttParts;
use gemba_hub::{Connections, HubLog, HubLogOptions, Identities, MqttFront, MqttOptions, PartitionState};
use gemba_iothub::{HostNames, SymmetricKey};
use gemba_testkit::{FaultyDisk, MemoryDocs, Rng};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The hub's name.
pub(crate) const HOST: &str = "hub.example";
/// Bytes of a segment of a partition.
pub(crate) const SEGMENT_BYTES: u64 = 32 << 10;
/// What a partition keeps of what the historian has.
pub(crate) const RETENTION_BYTES: u64 = 128 << 10;
/// Messages that wait for the hub's disk, in bytes.
const QUEUE_BYTES_MAX: usize = 64 << 10;

/// Hub and historian.
pub(crate) struct Platform {
    pub(crate) hub_disk: FaultyDisk,
    pub(crate) historian_disk: FaultyDisk,
    pub(crate) docs: MemoryDocs,
    pub(crate) clock: NodeClock,
    hub: Option<Hub>,
    historian: Option<(Arc<Historian>, Tasks)>,
    /// Where the historian that runs now shows its memory.
    memory: Metrics,
    watch: Watch,
    network: Network,
    rng: Rng,
    trace: Trace,
}

struct Hub {
    log: HubLog,
    tasks: Tasks,
    metrics: Metrics,
}

/// The key of a device: the same in every run, because its length on the wire depends on its bytes.
pub(crate) fn device_key(name: &str) -> SymmetricKey {
    let text =
        gemba_model::text::base64(&name.as_bytes().iter().copied().cycle().take(32).collect::<Vec<u8>>());
    SymmetricKey::from_base64(&text).expect("is a key")
}

impl Platform {
    /// A platform that is off and knows the devices of all edges.
    pub(crate) fn new(edges: usize, network: Network, time: TrueTime, trace: Trace, mut rng: Rng) -> Self {
        let platform = Self {
            hub_disk: new_disk(&mut rng),
            historian_disk: new_disk(&mut rng),
            docs: MemoryDocs::default(),
            clock: NodeClock::new(time),
            hub: None,
            historian: None,
            memory: Metrics::default(),
            watch: Watch::default(),
            network,
            rng,
            trace,
        };
        let identities = Identities::new(Arc::new(platform.docs.clone()), Connections::default());
        for edge in 0..edges {
            let name = format!("edge-{edge}");
            let key = device_key(&name);
            let keys = (key.clone(), key);
            identities.import(&name, keys, time.now(), "chaos").expect("is new");
        }
        platform
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.hub.is_some()
    }

    pub(crate) const fn historian_runs(&self) -> bool {
        self.historian.is_some()
    }

    pub(crate) fn historian(&self) -> Option<&Arc<Historian>> {
        self.historian.as_ref().map(|(historian, _)| historian)
    }

    /// Starts the hub. False when it cannot start now.
    pub(crate) fn start(&mut self) -> bool {
        if self.hub.is_some() {
            return true;
        }
        let tasks = Tasks::simulated("hub", self.rng.number());
        let metrics = Metrics::default();
        let wal = gemba_wal::LogOptions {
            segment_bytes: SEGMENT_BYTES,
            bytes_max: VOLUME_BYTES,
            queue_bytes_max: QUEUE_BYTES_MAX,
            group_bytes_max: 16 << 10,
            ..log_options(&tasks, &self.clock, &mut self.rng)
        };
        let options = HubLogOptions {
            partitions: 2,
            retention_age: Duration::from_secs(3_600),
            retention_bytes: RETENTION_BYTES,
            required_groups: vec!["historian".to_owned()],
            wal,
            ..HubLogOptions::default()
        };
        let docs: Arc<dyn DocStore> = Arc::new(self.docs.clone());
        let clock = Arc::new(self.clock.clone());
        let disk = Arc::new(self.hub_disk.clone());
        let log =
            HubLog::open(disk, Path::new("/log"), options, docs.clone(), clock.clone(), &metrics, &tasks);
        let log = match log {
            Ok(log) => log,
            Err(error) => {
                self.trace.note(format_args!("the hub does not start: {error}"));
                return false;
            }
        };
        self.trace.note("the hub starts");
        let identities = Identities::new(docs, Connections::default());
        let parts = MqttParts {
            authenticator: Authenticator::new(identities, HostNames::new([HOST])),
            log: log.clone(),
            tap: None,
            acceptor: None,
            clock,
            metrics: metrics.clone(),
        };
        let mqtt =
            MqttOptions { waiting_messages_max: 48, waiting_bytes_max: 32 << 10, ..MqttOptions::default() };
        let front = MqttFront::without_listener(mqtt, parts, &tasks);
        self.network.set_hub(Some((front, tasks.clone())));
        self.hub = Some(Hub { log, tasks, metrics });
        true
    }

    /// Starts the historian. False when it cannot start now.
    pub(crate) fn start_historian(&mut self) -> bool {
        let Some(hub) = self.hub.as_ref().filter(|_| self.historian.is_none()) else { return false };
        let tasks = Tasks::simulated("historian", self.rng.number());
        let options = HistorianOptions {
            memtable_rows_max: 20_000,
            memtable_bytes_max: 4 << 20,
            flush_interval: Duration::from_secs(300),
            day_files_max: 6,
            read_bytes: 64 << 10,
            ..HistorianOptions::default()
        };
        let historian = Historian::start_on(
            Arc::new(self.historian_disk.clone()),
            Arc::new(hub.log.clone()),
            Arc::new(self.docs.clone()),
            Path::new("/hist"),
            options,
            Arc::new(self.clock.clone()),
            &tasks,
        );
        match historian {
            Ok(historian) => {
                self.trace.note("the historian starts");
                self.memory = Metrics::default();
                historian.observe(&self.memory);
                self.historian = Some((historian, tasks));
                true
            }
            Err(error) => {
                self.trace.note(format_args!("the historian does not start: {error}"));
                false
            }
        }
    }

    /// The process dies, with both disks or without.
    pub(crate) async fn die(&mut self, death: Death) {
        self.network.set_hub(None);
        self.historian_dies(death).await;
        self.trace.note(format_args!("the hub dies: {death:?}"));
        self.hub_disk = after(death, &self.hub_disk, &mut self.rng);
        let Some(hub) = self.hub.take() else { return };
        hub.tasks.kill().await;
    }

    /// The historian alone dies.
    pub(crate) async fn historian_dies(&mut self, death: Death) {
        self.trace.note(format_args!("the historian dies: {death:?}"));
        self.historian_disk = after(death, &self.historian_disk, &mut self.rng);
        let Some((historian, tasks)) = self.historian.take() else { return };
        tasks.kill().await;
        drop(historian);
    }

    /// The historian writes everything and stops.
    pub(crate) async fn historian_stops(&mut self) {
        let Some((historian, tasks)) = self.historian.take() else { return };
        self.trace.note("the historian stops");
        let is_clean = historian.drain(Duration::from_secs(15)).await;
        self.trace.count(&[u64::from(is_clean)]);
        drop(historian);
        tasks.kill().await;
    }

    /// An edge got an old state of its own.
    pub(crate) async fn put_back(&mut self, device: &str) {
        self.look().await;
        self.watch.put_back(device);
    }

    /// The process stops in order.
    pub(crate) async fn stop(&mut self) {
        self.network.set_hub(None);
        self.historian_stops().await;
        let Some(hub) = self.hub.take() else { return };
        self.trace.note("the hub stops");
        hub.tasks.drain(Duration::from_secs(5)).await;
        hub.log.close();
        hub.tasks.kill().await;
    }

    /// Messages that the historian has not taken in.
    pub(crate) fn behind(&self) -> Option<u64> {
        use gemba_api::flow::FlowSource;
        self.historian()?.reports().first().map(|report| report.queue_messages)
    }

    /// Looks at what came into the hub's log.
    pub(crate) async fn look(&mut self) {
        if let Some(hub) = &self.hub {
            self.watch.look(&hub.log, &self.trace).await;
        }
    }

    /// What came of an edge, as far as all of it was seen.
    pub(crate) fn seen(&self, device: &str) -> Option<Seen> {
        self.watch.seen(device)
    }

    /// MQTT sessions, as the hub counts them.
    pub(crate) fn sessions(&self) -> i64 {
        self.hub.as_ref().map_or(0, |hub| hub.metrics.gauge("gemba_hub_mqtt_sessions", "", &[]).value())
    }

    /// How the partitions do.
    pub(crate) fn states(&self) -> Vec<PartitionState> {
        self.hub.as_ref().map(|hub| hub.log.states()).unwrap_or_default()
    }

    /// What is over its bound, if anything is.
    pub(crate) fn over_bound(&self) -> Option<String> {
        if let Some((historian, _)) = &self.historian {
            historian.observe(&self.memory);
            if let Some(text) = limits::memory(&self.memory) {
                return Some(text);
            }
        }
        for state in self.states() {
            let most = VOLUME_BYTES - RESERVE_BYTES / 2;
            if state.bytes > most || state.queue_bytes > QUEUE_BYTES_MAX {
                return Some(format!("the hub's log is over its bounds: {state:?}"));
            }
        }
        None
    }

    /// What the log holds, by partition: first offset and next.
    pub(crate) fn bounds(&self) -> Vec<u64> {
        self.states().iter().flat_map(|state| [state.first_offset, state.next_offset]).collect()
    }
}
