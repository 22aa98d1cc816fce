//! `gemba run`: roles of one process, started in order, stopped in order.

use crate::cli::{RoleName, RunArgs};
use crate::control::Request;
use crate::data::DataDirectory;
use crate::edge::{self, Edge, HubAccess};
use crate::office::Office;
use crate::platform::{Platform, Shared};
use crate::reload::{self, Running};
use crate::settings::{self, Settings};
use crate::terminal::{say, start_logging};
use anyhow::{Context, Result, bail};
use gemba_base::{Metrics, SystemClock, Tasks};
use gemba_iothub::ConnectionString;
use serde_json::{Map, Value};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Name of the edge that shares a process with its platform.
const LOCAL_EDGE: &str = "edge";

/// Runs a command that needs a runtime.
pub(crate) fn block_on(command: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(command);
    // Blocking reads of files may still run; they end with the process.
    runtime.shutdown_background();
    result
}

/// What every room of this process shares.
pub(crate) fn shared() -> Shared {
    Shared { clock: Arc::new(SystemClock::new()), metrics: Metrics::default() }
}

/// Ctrl-C and SIGTERM, heard from the moment when this is made: whoever is told that a process is ready may stop
/// it in the same instant.
pub(crate) struct StopSignal {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignal {
    pub(crate) fn listen() -> Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    pub(crate) async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The command line of a process, which stays when the configuration changes.
pub(crate) struct Arguments(RunArgs);

impl Arguments {
    /// The configuration file.
    pub(crate) fn config(&self) -> Option<&Path> {
        self.0.place.config.as_deref()
    }

    /// What holds, with what the command line says on top.
    pub(crate) fn settings(&self) -> Result<Settings> {
        let (mut settings, _) = settings::load(&self.0.place)?;
        if let Some(path) = &self.0.published_nodes {
            settings.edge.published_nodes = path.display().to_string();
        }
        if let Some(hub) = &self.0.hub {
            settings.edge.hub.clone_from(hub);
        }
        if let Some(ca) = &self.0.hub_ca {
            settings.edge.hub_ca = ca.display().to_string();
        }
        Ok(settings)
    }
}

pub(crate) async fn run(args: RunArgs) -> Result<()> {
    let mut stop = StopSignal::listen()?;
    let arguments = Arguments(args.clone());
    let settings = arguments.settings()?;
    start_logging(&settings.log.level);
    let (with_platform, with_edge) =
        (args.role.contains(&RoleName::Platform), args.role.contains(&RoleName::Edge));
    let data = DataDirectory::lock(&args.place.data)?;
    let shared = shared();
    let tasks = Tasks::new("gemba");
    let platform = match with_platform {
        true => Some(Arc::new(Platform::start(&data, &settings, &shared, &tasks).await?)),
        false => None,
    };
    let edge = match with_edge {
        true => start_edge(&data, &settings, platform.as_deref(), &shared, &tasks)?.map(Arc::new),
        false => None,
    };
    let running = Running { platform: platform.clone(), edge: edge.clone() };
    let reload_tasks = tasks.branch("reload");
    reload::watch(arguments, settings, running, &reload_tasks);
    announce(&data, platform.as_deref())?;
    if let Some(platform) = &platform {
        say(&format!("console   {}", platform.console_url));
        say(&format!("          https://{}", platform.console_tls));
        say(&format!("mqtt      {}", platform.mqtt));
        if let Some(link) = &platform.first_start_link {
            say(&format!("first sign-in, once: {link}"));
        }
    }
    if edge.is_some() {
        say("edge      running");
    }
    stop.received().await;
    say("stopping …");
    reload_tasks.drain(Duration::from_secs(10)).await;
    if let Some(edge) = &edge {
        edge.drain().await;
    }
    if let Some(platform) = &platform {
        platform.drain().await;
    }
    Ok(())
}

/// Writes the endpoints and says that the process is ready.
pub(crate) fn announce(data: &DataDirectory, platform: Option<&Platform>) -> Result<()> {
    let mut endpoints = Map::new();
    if let Some(platform) = platform {
        platform.set_ready();
        endpoints.insert("console".to_owned(), Value::from(platform.console_url.clone()));
        endpoints.insert("consoleTls".to_owned(), Value::from(format!("https://{}", platform.console_tls)));
        let host = platform.office.host_name.split(':').next().unwrap_or_default();
        endpoints.insert("mqtts".to_owned(), Value::from(format!("mqtts://{host}:{}", platform.mqtt.port())));
    }
    data.write_endpoints(&endpoints)
}

/// The edge connects to the hub that it is told, else to the one of this process.
pub(crate) fn start_edge(
    data: &DataDirectory,
    settings: &Settings,
    platform: Option<&Platform>,
    shared: &Shared,
    tasks: &Tasks,
) -> Result<Option<Edge>> {
    let access = match (edge::hub_access(data.path(), settings)?, platform) {
        (Some(access), _) => access,
        (None, Some(platform)) => local_access(platform)?,
        (None, None) => bail!(
            "an edge needs a hub: --hub @FILE with the file that `gemba hub enroll NAME --out FILE` writes at the platform"
        ),
    };
    let edge = Edge::start(data, settings, access, shared, tasks)?;
    if let Some(platform) = platform {
        platform.board.add(Arc::new(edge.queue.clone()));
    }
    Ok(Some(edge))
}

/// The identity of the edge in this process, made at the first start.
fn local_access(platform: &Platform) -> Result<HubAccess> {
    let office: &Office = &platform.office;
    let name = LOCAL_EDGE.to_owned();
    let value = match office.carry_out(Request::IdentityConnectionString { name: name.clone() }) {
        Ok(value) => value,
        Err(_) => office.carry_out(Request::IdentityCreate { name })?,
    };
    let text = value
        .get("connectionString")
        .and_then(|text| text.as_str())
        .context("the hub gave no connection string")?;
    let mut connection = ConnectionString::parse(text)?;
    // Over loopback, whatever name and addresses the hub has for others; its certificate names loopback, too.
    connection.gateway_host_name = Some(format!("127.0.0.1:{}", platform.mqtt.port()));
    Ok(HubAccess { connection, ca: platform.ca.clone() })
}
