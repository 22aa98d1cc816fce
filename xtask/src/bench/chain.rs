//! Simulator, edge and platform as processes over a folder of their own.

use super::process::{Running, Usage};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A load of the simulator.
pub(super) struct Load {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) arguments: &'static [&'static str],
}

/// How long starting and subscribing may take.
const START: Duration = Duration::from_secs(240);

pub(super) struct Chain {
    _plant: Option<Running>,
    edge: Running,
    platform: Running,
    address: String,
    token: String,
    _folder: Folder,
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

impl Chain {
    pub(super) fn start(binary: &Path, load: Option<&Load>) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("gemba-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        let folder = Folder(path.clone());
        let at = |name: &str| path.join(name).display().to_string();
        let plant = load.map(|load| start_plant(binary, load, &path)).transpose()?;
        let ports = [
            "--set",
            "console.listen=127.0.0.1:0",
            "--set",
            "console.tls-listen=127.0.0.1:0",
            "--set",
            "hub.mqtt.listen=127.0.0.1:0",
            "--set",
            "hub.host-name=127.0.0.1",
        ];
        let mut platform = Command::new(binary);
        platform.args(["run", "--role", "platform", "--data", &at("platform")]).args(ports);
        let platform = Running::start(&mut platform, &path.join("platform.txt"))?;
        let endpoints = wait("the platform", || {
            std::fs::read(path.join("platform/run/endpoints.json"))
                .ok()
                .and_then(|text| serde_json::from_slice::<Value>(&text).ok())
        })?;
        let console =
            endpoints.get("console").and_then(Value::as_str).context("the platform has no console")?;
        let address = console.trim_start_matches("http://").to_owned();
        let token = output(binary, &["token", "create", "--role", "viewer", "--data", &at("platform")])?;
        output(binary, &["hub", "enroll", "edge", "--out", &at("edge.json"), "--data", &at("platform")])?;
        let mut edge = Command::new(binary);
        let hub = format!("@{}", at("edge.json"));
        edge.args([
            "run",
            "--role",
            "edge",
            "--data",
            &at("edge"),
            "--hub",
            &hub,
            "--set",
            "edge.trust-servers=true",
        ]);
        if load.is_some() {
            edge.args(["--published-nodes", &at("publishednodes.json")]);
        }
        let edge = Running::start(&mut edge, &path.join("edge.txt"))?;
        wait("the edge", || path.join("edge/run/endpoints.json").is_file().then_some(()))?;
        Ok(Self { _plant: plant, edge, platform, address, token, _folder: folder })
    }

    pub(super) fn edge(&self) -> Result<Usage> {
        self.edge.usage()
    }

    pub(super) fn platform(&self) -> Result<Usage> {
        self.platform.usage()
    }

    /// Values that the store has taken in.
    pub(super) fn values(&self) -> Result<u64> {
        let flow = self.flow()?;
        let stages = flow.get("stages").and_then(Value::as_array).cloned().unwrap_or_default();
        let store = stages.iter().filter(|stage| stage.get("stage").and_then(Value::as_str) == Some("store"));
        Ok(store.filter_map(|stage| stage.get("valuesIn")?.as_u64()).sum())
    }

    /// Waits until every item delivers: the count of values grows, and all sources are live.
    pub(super) fn wait_until_flowing(&self) -> Result<()> {
        wait("all servers to deliver", || {
            let flow = self.flow().ok()?;
            let stages = flow.get("stages")?.as_array()?.clone();
            let sources: Vec<Value> = stages
                .iter()
                .filter_map(|stage| stage.get("sources")?.as_array().cloned())
                .flatten()
                .collect();
            let live = !sources.is_empty()
                && sources.iter().all(|source| source.get("state").and_then(Value::as_str) == Some("live"));
            (live && self.values().ok()? > 0).then_some(())
        })?;
        // The first values of all items come at once; what is measured is the steady flow behind them.
        std::thread::sleep(Duration::from_secs(10));
        Ok(())
    }

    fn flow(&self) -> Result<Value> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "GET /api/v1/flow HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
            self.address, self.token
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").context("no answer")?;
        if !head.contains(" 200 ") {
            bail!("{}", head.lines().next().unwrap_or_default());
        }
        Ok(serde_json::from_str(body)?)
    }
}

fn start_plant(binary: &Path, load: &Load, path: &Path) -> Result<Running> {
    let mut plant = Command::new(binary);
    plant.args(["sim", "load", "--kind", "counter"]).args(load.arguments);
    plant.args(["--published-nodes", &path.join("publishednodes.json").display().to_string()]);
    let output = path.join("plant.txt");
    let running = Running::start(&mut plant, &output)?;
    wait("the simulated plant", || {
        let text = std::fs::read_to_string(&output).ok()?;
        text.lines().any(|line| line == "ready").then_some(())
    })?;
    Ok(running)
}

fn output(binary: &Path, arguments: &[&str]) -> Result<String> {
    crate::run::output(Command::new(binary).args(arguments)).map(|text| text.trim().to_owned())
}

fn wait<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> Result<T> {
    let end = Instant::now() + START;
    while Instant::now() < end {
        if let Some(value) = found() {
            return Ok(value);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    bail!("waited {START:?} in vain for {what}")
}
