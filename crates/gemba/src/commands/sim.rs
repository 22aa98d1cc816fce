//! `gemba sim`: the simulated plant alone.

use crate::cli::{LoadArgs, Plant};
use crate::roles::StopSignal;
use crate::terminal::{say, start_logging};
use anyhow::{Result, anyhow, bail};
use gemba_base::{Secret, Tasks, files, random};
use gemba_sim::factory::{self, FactoryOptions};
use gemba_sim::load::{self, Kind, LoadOptions, TagGroup};
use gemba_ua::server::{EndpointSecurity, User};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Tags of `gemba sim load` without a preset.
const TAGS: u32 = 100;
const PERIOD_MS: u64 = 100;

pub(crate) async fn run(plant: Plant) -> Result<()> {
    start_logging("warn,gemba=info,opcua=off,opcua_server=off,opcua_core=off,opcua_crypto=off");
    let (tasks, mut stop) = (Tasks::new("sim"), StopSignal::listen()?);
    let pki = Scratch(std::env::temp_dir().join(format!("gemba-sim-{}", random::hex::<8>())));
    match plant {
        Plant::Factory { lines, clock_factor, seed, port, published_nodes } => {
            let options = FactoryOptions {
                lines: lines as usize,
                seed,
                clock_factor,
                base_port: port,
                ..FactoryOptions::new(pki.0.clone())
            };
            let factory = factory::run(options, &tasks).await?;
            for station in &factory.endpoints {
                say(&format!("{:<28} {}", station.name, station.url));
            }
            write_published_nodes(published_nodes.as_deref(), &factory.published_nodes())?;
            stop.received().await;
            factory.stop().await;
        }
        Plant::Load(args) => {
            let options = load_options(&args, &pki.0)?;
            let path = args.published_nodes.clone();
            let load = load::run(options, &tasks).await?;
            for server in &load.endpoints {
                say(&format!("{:<28} {}", server.name, server.url));
            }
            write_published_nodes(path.as_deref(), &load.published_nodes())?;
            say("ready");
            stop.received().await;
            load.stop().await;
        }
    }
    Ok(())
}

fn write_published_nodes(path: Option<&Path>, document: &Value) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    files::replace(path, &serde_json::to_vec_pretty(document)?)?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}

fn load_options(args: &LoadArgs, scratch: &Path) -> Result<LoadOptions> {
    let pki = args.pki.clone().unwrap_or_else(|| scratch.to_owned());
    let mut options = match &args.preset {
        Some(name) => LoadOptions::preset(name, pki)?,
        None => {
            let group = TagGroup { tags: TAGS, period: Duration::from_millis(PERIOD_MS) };
            LoadOptions::new(1, &[group], pki)
        }
    };
    options.seed = args.seed;
    options.listen = args.host;
    options.base_port = args.port;
    if let Some(servers) = args.servers {
        options.servers = servers as usize;
    }
    if args.tags.is_some() || args.period.is_some() {
        let first = options.groups.first().copied();
        let tags = args.tags.or(first.map(|group| group.tags)).unwrap_or(TAGS);
        let period = args.period.map(Duration::from_millis).or(first.map(|group| group.period));
        options.groups = vec![TagGroup { tags, period: period.unwrap_or(Duration::from_millis(PERIOD_MS)) }];
    }
    options.kind = match args.kind.as_deref() {
        None | Some("counter") => Kind::Counter,
        Some("waveform") => Kind::Waveform,
        Some("mixed") => Kind::Mixed,
        Some(other) => bail!("--kind {other}: use counter, waveform or mixed"),
    };
    if let Some(user) = &args.user {
        let (name, password) =
            user.split_once(':').ok_or_else(|| anyhow!("--user needs the form USER:PASSWORD"))?;
        options.users = vec![User { name: name.to_owned(), password: Secret::new(password) }];
        options.anonymous = false;
        options.security = vec![
            EndpointSecurity::None,
            EndpointSecurity::Basic256Sha256Sign,
            EndpointSecurity::Basic256Sha256SignAndEncrypt,
        ];
    }
    Ok(options)
}

/// A folder that goes with the process.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
