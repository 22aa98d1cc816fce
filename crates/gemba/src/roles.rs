//! `gemba run`: roles of one process, started in order, stopped in order.

use crate::cli::{RoleName, RunArgs};
use crate::control::Request;
use crate::data::DataDirectory;
use crate::edge::{self, Edge, HubAccess};
use crate::office::Office;
use crate::platform::{Platform, Shared};
use crate::settings::{self, Settings};
use crate::terminal::{say, start_logging};
use anyhow::{Context, Result, bail};
use gemba_base::{Metrics, SystemClock, Tasks};
use gemba_iothub::ConnectionString;
use serde_json::{Map, Value};
use std::future::Future;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

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

/// Completes at Ctrl-C or SIGTERM.
pub(crate) async fn stop_signal() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

pub(crate) async fn run(args: RunArgs) -> Result<()> {
    let (mut settings, _) = settings::load(&args.place)?;
    start_logging(&settings.log.level);
    if let Some(path) = &args.published_nodes {
        settings.edge.published_nodes = path.display().to_string();
    }
    if let Some(hub) = &args.hub {
        settings.edge.hub.clone_from(hub);
    }
    if let Some(ca) = &args.hub_ca {
        settings.edge.hub_ca = ca.display().to_string();
    }
    let (with_platform, with_edge) =
        (args.role.contains(&RoleName::Platform), args.role.contains(&RoleName::Edge));
    let data = DataDirectory::lock(&args.place.data)?;
    let shared = shared();
    let tasks = Tasks::new("gemba");
    let platform =
        if with_platform { Some(Platform::start(&data, &settings, &shared, &tasks).await?) } else { None };
    let edge =
        if with_edge { start_edge(&data, &settings, platform.as_ref(), &shared, &tasks)? } else { None };
    announce(&data, platform.as_ref())?;
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
    stop_signal().await?;
    say("stopping …");
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
    let text = value["connectionString"].as_str().context("the hub gave no connection string")?;
    let mut connection = ConnectionString::parse(text)?;
    // Over loopback, whatever name and addresses the hub has for others; its certificate names loopback, too.
    connection.gateway_host_name = Some(format!("127.0.0.1:{}", platform.mqtt.port()));
    Ok(HubAccess { connection, ca: platform.ca.clone() })
}
