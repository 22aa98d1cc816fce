//! `gemba demo`: everything in one process over the simulated plant.

use crate::cli::DemoArgs;
use crate::data::DataDirectory;
use crate::platform::Platform;
use crate::roles::{StopSignal, announce, shared, start_edge};
use crate::settings;
use crate::terminal::{say, start_logging, step};
use anyhow::Result;
use gemba_base::{Tasks, files};
use gemba_sim::factory::{self, FactoryOptions, RunningFactory};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

/// Stations keep their ports over restarts, so that their series stay the same.
const FIRST_PORT: u16 = 48_400;
/// What is logged when nobody says otherwise.
const DEMO_LOG: &str = "warn,opcua=off,opcua_client=off,opcua_server=off,opcua_core=off,opcua_crypto=off";

pub(crate) async fn run(args: DemoArgs) -> Result<()> {
    let (began, mut stop) = (Instant::now(), StopSignal::listen()?);
    let (mut settings, _) = settings::load(&args.place)?;
    // A demonstration speaks in steps; its log says what goes wrong.
    let quiet = settings.log.level == settings::Log::default().level;
    start_logging(if quiet { DEMO_LOG } else { &settings.log.level });
    // Everything stays on this machine.
    settings.hub.mqtt.listen = on_loopback(settings.hub.mqtt.listen);
    settings.console.listen = on_loopback(settings.console.listen);
    settings.console.tls_listen = on_loopback(settings.console.tls_listen);
    settings.edge.trust_servers = true;
    say(&format!("Gemba {}", env!("CARGO_PKG_VERSION")));
    let data = DataDirectory::lock(&args.place.data)?;
    step("data", &data.path().display().to_string());
    let shared = shared();
    let tasks = Tasks::new("demo");
    let plant_tasks = tasks.branch("plant");
    let plant = start_plant(&args, &data, &plant_tasks).await?;
    let lines = args.lines;
    step(
        "simulated plant",
        &format!(
            "{} stations on {lines} lines, {} times as fast as real",
            plant.endpoints.len(),
            args.clock_factor
        ),
    );
    let file = data.join("publishednodes.json");
    files::replace(&file, &serde_json::to_vec_pretty(&plant.published_nodes())?)?;
    settings.edge.published_nodes = file.display().to_string();
    let platform = Platform::start(&data, &settings, &shared, &tasks).await?;
    step("hub", &format!("mqtts://{}", platform.mqtt));
    step("historian", &data.join("hist").display().to_string());
    step("console", &format!("{} and https://{}", platform.console_url, platform.console_tls));
    let edge = start_edge(&data, &settings, Some(&platform), &shared, &tasks)?;
    step("edge", &format!("publishing {}", file.display()));
    announce(&data, Some(&platform))?;
    step("ready", &format!("after {:.1} s", began.elapsed().as_secs_f64()));
    say("");
    match &platform.first_start_link {
        Some(link) => {
            say(&format!("Open {link}\n(it works once; Ctrl-C stops everything, started again it goes on)"))
        }
        None => say(&format!(
            "Open {}\n(Ctrl-C stops everything, started again it goes on)",
            platform.console_url
        )),
    }
    stop.received().await;
    say("stopping …");
    if let Some(edge) = &edge {
        edge.drain().await;
        step("edge", "drained");
    }
    platform.drain().await;
    step("platform", "drained");
    plant.stop().await;
    plant_tasks.drain(Duration::from_secs(3)).await;
    Ok(())
}

fn on_loopback(address: SocketAddr) -> SocketAddr {
    // A default port that is taken must not keep a demonstration from starting.
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
    if TcpListener::bind(wanted).is_ok() {
        return wanted;
    }
    tracing::warn!("port {} is taken; another one is used", wanted.port());
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

async fn start_plant(args: &DemoArgs, data: &DataDirectory, tasks: &Tasks) -> Result<RunningFactory> {
    let options = FactoryOptions {
        lines: args.lines as usize,
        seed: args.seed,
        clock_factor: args.clock_factor,
        base_port: FIRST_PORT,
        ..FactoryOptions::new(data.join("pki/plant"))
    };
    let stations = args.lines as u16 * 3;
    let all_free = (FIRST_PORT..FIRST_PORT + stations)
        .all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
    let options = if all_free { options } else { FactoryOptions { base_port: 0, ..options } };
    Ok(factory::run(options, tasks).await?)
}
