//! The platform: hub, historian and console of one process.

use crate::board::Board;
use crate::control;
use crate::data::DataDirectory;
use crate::office::Office;
use crate::registry;
use crate::settings::{Mqtt, Settings};
use anyhow::{Context, Result, anyhow};
use gemba_api::DocStore;
use gemba_base::disk::RealDisk;
use gemba_base::{Clock, Metrics, Tasks};
use gemba_console::{Console, ConsoleParts, Transport};
use gemba_historian::{Historian, HistorianOptions};
use gemba_hub::auth::Authenticator;
use gemba_hub::mqtt::MqttParts;
use gemba_hub::{Connections, HubFlow, HubLog, HubLogOptions, Identities, MqttFront, MqttOptions};
use gemba_iothub::HostNames;
use gemba_model::{DateTime, ErrorCode};
use gemba_net::http::{self, HttpOptions};
use gemba_net::tls::Acceptor;
use gemba_net::{ConnectionLimits, ListenerMetrics, ListenerOptions, listen, pki};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What every room of a process shares.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
}

/// A running platform.
pub(crate) struct Platform {
    pub(crate) office: Office,
    pub(crate) board: Arc<Board>,
    /// `http://127.0.0.1:PORT`
    pub(crate) console_url: String,
    pub(crate) console_tls: SocketAddr,
    pub(crate) mqtt: SocketAddr,
    /// Certificate of the hub's authority.
    pub(crate) ca: PathBuf,
    /// The one-time link, when there is no user yet.
    pub(crate) first_start_link: Option<String>,
    historian: Arc<Historian>,
    log: HubLog,
    limits: ConnectionLimits,
    ready: Arc<AtomicBool>,
    hub_tasks: Tasks,
    console_tasks: Tasks,
}

/// The default port of MQTT over TLS; connection strings do not name it.
const MQTT_PORT: u16 = 8883;
/// The historian's name among the consumers of the log.
const HISTORIAN: &str = "historian";

/// The wal's reserve that a setting asks for; 0 is the default.
pub(crate) const fn reserve(bytes: u64) -> gemba_wal::Reserve {
    if bytes == 0 { gemba_wal::Reserve::FivePercentOrOneGiB } else { gemba_wal::Reserve::Bytes(bytes) }
}

impl Platform {
    /// Starts everything in order: documents, hub, historian, console.
    pub(crate) async fn start(
        data: &DataDirectory,
        settings: &Settings,
        shared: &Shared,
        tasks: &Tasks,
    ) -> Result<Self> {
        let clock = shared.clock.clone();
        let docs = registry::open(data.path(), settings)?;
        let hosts = host_names(settings);
        let (hub_tasks, console_tasks) = (tasks.branch("hub"), tasks.branch("console"));
        let (acceptor, ca) = acceptor(data, &hosts, clock.clone(), &hub_tasks)?;
        let log = open_log(data, settings, &docs, shared, &hub_tasks)?;
        let board = Arc::new(Board::new(clock.clone()));
        let identities = Identities::new(docs.clone(), Connections::default());
        let limits = connection_limits(settings);
        let parts = MqttParts {
            authenticator: Authenticator::new(identities.clone(), HostNames::new(&hosts)),
            log: log.clone(),
            tap: Some(board.clone()),
            acceptor: Some(acceptor.clone()),
            clock: clock.clone(),
            metrics: shared.metrics.clone(),
        };
        let mqtt = start_hub(settings, limits.clone(), parts, &board, &hub_tasks).await?;
        let historian = start_historian(data, settings, &docs, log.clone(), shared, tasks)?;
        historian.observe(&shared.metrics);
        board.add(historian.clone());
        let ready = Arc::new(AtomicBool::new(false));
        let console = Console::start(ConsoleParts {
            history: historian.clone(),
            ledger: historian.clone(),
            flow: board.clone(),
            docs: docs.clone(),
            metrics: shared.metrics.clone(),
            clock: clock.clone(),
            tasks: console_tasks.clone(),
            ready: readiness(ready.clone()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            time_zone: None,
            hosts: settings.console.host_names.clone(),
        });
        let (console_url, console_tls) =
            serve_console(&console, settings, acceptor, shared, &console_tasks).await?;
        let host_name = match mqtt.port() {
            MQTT_PORT => primary_host(settings),
            port => format!("{}:{port}", primary_host(settings)),
        };
        let first_start_link = first_start(data, &*docs, clock.now(), &console_url)?;
        let office = Office { docs, identities, clock, host_name };
        let clerk = office.clone();
        control::serve(data.path(), Arc::new(move |request| clerk.carry_out(request)), &console_tasks)?;
        Ok(Self {
            office,
            board,
            console_url,
            console_tls,
            mqtt,
            ca,
            first_start_link,
            historian,
            log,
            limits,
            ready,
            hub_tasks,
            console_tasks,
        })
    }

    /// Takes over limits that change while the platform runs.
    pub(crate) fn set_limits(&self, settings: &Settings) {
        let (all, of_address) = connection_limits(settings).numbers();
        self.limits.set(all, of_address);
        let (age, bytes) = log_retention(settings);
        self.log.set_retention(age, bytes);
    }

    /// From now on `/readyz` says yes.
    pub(crate) fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// Stops from the hub to the console; what was acknowledged is durable anyway.
    pub(crate) async fn drain(&self) {
        self.ready.store(false, Ordering::Release);
        self.hub_tasks.drain(Duration::from_secs(5)).await;
        if !self.historian.drain(Duration::from_secs(15)).await {
            tracing::warn!("the historian did not finish; the log still has what is missing in its files");
        }
        self.console_tasks.drain(Duration::from_secs(5)).await;
    }
}

fn connection_limits(settings: &Settings) -> ConnectionLimits {
    let Mqtt { connections_max, connections_max_per_address, .. } = settings.hub.mqtt;
    ConnectionLimits::new(connections_max as usize, connections_max_per_address as usize)
}

/// How long and how much each partition of the event log keeps: an eighth below its bound, so that retention
/// works before the bound refuses messages.
fn log_retention(settings: &Settings) -> (Duration, u64) {
    let bytes = partition_bytes(settings);
    (Duration::from_secs(settings.hub.retention_hours * 3600), bytes - bytes / 8)
}

/// What each partition of the event log may take.
fn partition_bytes(settings: &Settings) -> u64 {
    let partitions = u64::from(settings.hub.partitions.max(1));
    (settings.hub.log_bytes_max / partitions).max(4 << 20)
}

fn open_log(
    data: &DataDirectory,
    settings: &Settings,
    docs: &Arc<dyn DocStore>,
    shared: &Shared,
    tasks: &Tasks,
) -> Result<HubLog> {
    let (retention_age, retention_bytes) = log_retention(settings);
    let bytes = partition_bytes(settings);
    let wal = gemba_wal::LogOptions {
        segment_bytes: (bytes / 8).clamp(1 << 20, 64 << 20),
        bytes_max: bytes,
        reserve: reserve(settings.disk.reserve_bytes),
        clock: shared.clock.clone(),
        ..gemba_wal::LogOptions::default()
    };
    let options = HubLogOptions {
        partitions: settings.hub.partitions,
        retention_age,
        retention_bytes,
        required_groups: vec![HISTORIAN.to_owned()],
        wal,
        ..HubLogOptions::default()
    };
    let folder = data.join("log/hub");
    HubLog::open(
        Arc::new(RealDisk),
        &folder,
        options,
        docs.clone(),
        shared.clock.clone(),
        &shared.metrics,
        tasks,
    )
    .map_err(|error| coded(error.code(), error))
}

/// TLS with a certificate of our own authority, which stays valid; and the file of that authority.
fn acceptor(
    data: &DataDirectory,
    hosts: &[String],
    clock: Arc<dyn Clock>,
    tasks: &Tasks,
) -> Result<(Acceptor, PathBuf)> {
    let folder = data.join("pki/hub");
    let files =
        pki::ensure_server(&folder, hosts, clock.now()).map_err(|error| coded(error.code(), error))?;
    let acceptor =
        Acceptor::from_files(&files.certificate, &files.key).map_err(|error| coded(error.code(), error))?;
    acceptor.watch(Duration::from_secs(60), tasks);
    pki::keep_renewed(folder, hosts.to_vec(), clock, tasks);
    Ok((acceptor, files.ca))
}

/// Where MQTT is served from now on.
async fn start_hub(
    settings: &Settings,
    limits: ConnectionLimits,
    parts: MqttParts,
    board: &Board,
    tasks: &Tasks,
) -> Result<SocketAddr> {
    let (log, clock) = (parts.log.clone(), parts.clock.clone());
    let listener = ListenerOptions { limits, ..ListenerOptions::default() };
    let options = MqttOptions { listen: settings.hub.mqtt.listen, listener, ..MqttOptions::default() };
    let front = MqttFront::start(options, parts, tasks).await.map_err(|error| coded(error.code(), error))?;
    let address = front.address();
    board.add(Arc::new(HubFlow::new(log, front, clock, tasks)));
    Ok(address)
}

/// The link by which the administrator is made, if there is none yet; also written where only the owner reads.
fn first_start(
    data: &DataDirectory,
    docs: &dyn DocStore,
    now: DateTime,
    console_url: &str,
) -> Result<Option<String>> {
    let secret = gemba_console::first_start(docs, now).map_err(|error| anyhow!("{error}"))?;
    let link = secret.map(|secret| gemba_console::first_start_link(console_url, &secret).reveal().to_owned());
    if let Some(link) = &link {
        data.write_first_start_link(link)?;
    }
    Ok(link)
}

/// What `/readyz` asks.
fn readiness(ready: Arc<AtomicBool>) -> Arc<dyn Fn() -> Result<(), String> + Send + Sync> {
    Arc::new(
        move || {
            if ready.load(Ordering::Acquire) { Ok(()) } else { Err("the platform is starting".to_owned()) }
        },
    )
}

fn start_historian(
    data: &DataDirectory,
    settings: &Settings,
    docs: &Arc<dyn DocStore>,
    log: HubLog,
    shared: &Shared,
    tasks: &Tasks,
) -> Result<Arc<Historian>> {
    let days = settings.historian.retention_days;
    let memory = settings.historian.memory_bytes_max;
    let options = HistorianOptions {
        memtable_bytes_max: usize::try_from(memory).unwrap_or(usize::MAX).clamp(1 << 20, 2 << 30),
        retention: (days > 0).then(|| Duration::from_secs(u64::from(days) * 86_400)),
        gaps_max: usize::try_from(settings.historian.gaps_max).unwrap_or(usize::MAX),
        ..HistorianOptions::default()
    };
    Historian::start(Arc::new(log), docs.clone(), &data.join("hist"), options, shared.clock.clone(), tasks)
        .map_err(|error| anyhow!("{error}"))
}

/// Names by which the hub and the console are reached.
fn host_names(settings: &Settings) -> Vec<String> {
    let mut hosts = vec![primary_host(settings)];
    hosts.extend(settings.console.host_names.clone());
    hosts.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    hosts
}

pub(crate) fn primary_host(settings: &Settings) -> String {
    if !settings.hub.host_name.is_empty() {
        return settings.hub.host_name.clone();
    }
    machine_name()
}

/// The name of this machine.
pub(crate) fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_ascii_lowercase() }
}

/// Serves the console on loopback and with TLS. A port that is taken is an error that
/// names its key and the remedy.
async fn serve_console(
    console: &Console,
    settings: &Settings,
    acceptor: Acceptor,
    shared: &Shared,
    tasks: &Tasks,
) -> Result<(String, SocketAddr)> {
    let (plain, plain_address) = listen::bind_plain(settings.console.listen, "console", "console.listen")
        .await
        .map_err(|error| coded(error.code(), error))
        .context(code("GMB-GEM-002"))?;
    let (secured, tls_address) =
        listen::bind(settings.console.tls_listen, "console over TLS", "console.tls-listen")
            .await
            .map_err(|error| coded(error.code(), error))
            .context(code("GMB-GEM-002"))?;
    let parts = [
        (plain, None, Transport::Loopback, "console"),
        (secured, Some(acceptor), Transport::Tls, "console_tls"),
    ];
    for (listener, acceptor, transport, name) in parts {
        let router = console.router(transport);
        let metrics = ListenerMetrics::new(&shared.metrics, name);
        let branch = tasks.branch("http");
        let options = HttpOptions::default();
        if acceptor.is_none() {
            // Whoever comes over loopback has its address: a proxy with all of its clients, often.
            let (all, _) = options.listener.limits.numbers();
            options.listener.limits.set(all, all);
        }
        tasks.spawn(async move {
            if let Err(error) = http::serve(listener, acceptor, options, metrics, router, branch).await {
                tracing::error!(%error, "the console is not served any more");
            }
        });
    }
    Ok((format!("http://{plain_address}"), tls_address))
}

/// An error with the code of its page before its text.
fn coded(code: ErrorCode, error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("{code}: {error}")
}

fn code(code: &'static str) -> String {
    ErrorCode(code).to_string()
}
