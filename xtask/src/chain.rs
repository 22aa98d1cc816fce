//! Simulated plants, edge and platform as processes over a folder of their own.

pub(crate) mod process;

use anyhow::{Context, Result, bail};
use process::{Running, Usage};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What runs.
#[derive(Default)]
pub(crate) struct Setup<'a> {
    /// Arguments of `gemba sim` for each plant; `--published-nodes` is added.
    pub(crate) plants: &'a [&'a [&'a str]],
    /// `--set` of the edge.
    pub(crate) edge: &'a [&'a str],
    /// `--set` of the platform.
    pub(crate) platform: &'a [&'a str],
}

/// A flow with fewer messages in its queues keeps up.
const SETTLED: u64 = 500;
/// How long starting and subscribing may take.
const START: Duration = Duration::from_secs(240);

pub(crate) struct Chain {
    plants: Vec<Running>,
    edge: Running,
    platform: Running,
    binary: PathBuf,
    address: String,
    token: String,
    folder: Folder,
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

impl Chain {
    pub(crate) fn start(binary: &Path, setup: &Setup<'_>) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("gemba-chain-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        let folder = Folder(path.clone());
        let at = |name: &str| path.join(name).display().to_string();
        let plants = setup.plants.iter().enumerate();
        let plants = plants.map(|(index, arguments)| start_plant(binary, index, arguments, &path));
        let plants = plants.collect::<Result<Vec<Running>>>()?;
        write_published_nodes(&path, plants.len())?;
        let mut platform = Command::new(binary);
        platform.args(["run", "--role", "platform", "--data", &at("platform")]);
        for setting in PORTS.iter().chain(setup.platform) {
            platform.args(["--set", setting]);
        }
        let platform = Running::start(&mut platform, &path.join("platform.txt"))?;
        let endpoints = wait("the platform", || {
            std::fs::read(path.join("platform/run/endpoints.json"))
                .ok()
                .and_then(|text| serde_json::from_slice::<Value>(&text).ok())
        })?;
        let console =
            endpoints.get("console").and_then(Value::as_str).context("the platform has no console")?;
        let address = console.trim_start_matches("http://").to_owned();
        let token = new_token(binary, &at("platform"))?;
        output(binary, &["hub", "enroll", "edge", "--out", &at("edge.json"), "--data", &at("platform")])?;
        let mut edge = Command::new(binary);
        let hub = format!("@{}", at("edge.json"));
        edge.args(["run", "--role", "edge", "--data", &at("edge"), "--hub", &hub]);
        edge.args(["--published-nodes", &at("publishednodes.json")]);
        for setting in ["edge.trust-servers=true"].iter().chain(setup.edge) {
            edge.args(["--set", setting]);
        }
        let edge = Running::start(&mut edge, &path.join("edge.txt"))?;
        wait("the edge", || path.join("edge/run/endpoints.json").is_file().then_some(()))?;
        Ok(Self { plants, edge, platform, binary: binary.to_owned(), address, token, folder })
    }

    /// Ends edge and platform in the order of the flow, with what they still have to do; their plants follow.
    pub(crate) fn drain(mut self) -> Result<()> {
        for (name, process) in [("edge", &mut self.edge), ("platform", &mut self.platform)] {
            let status = process.stop()?;
            if !status.success() {
                let text = std::fs::read_to_string(self.folder.0.join(format!("{name}.txt")))?;
                bail!("the {name} did not end clean ({status}):\n{text}");
            }
        }
        Ok(())
    }

    /// A folder of a process, `edge` or `platform`, or what else lies beside them.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    /// Host and port of the console, without TLS.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Makes one more viewer.
    pub(crate) fn new_token(&self) -> Result<String> {
        new_token(&self.binary, &self.data("platform").display().to_string())
    }

    /// The link with which somebody becomes the first administrator.
    pub(crate) fn first_start(&self) -> Result<String> {
        let path = self.data("platform/run/first-start-link");
        Ok(std::fs::read_to_string(&path).with_context(|| path.display().to_string())?.trim().to_owned())
    }

    /// Endpoints of the servers of one plant.
    pub(crate) fn endpoints(&self, plant: usize) -> Result<Vec<String>> {
        let text = std::fs::read(self.data(&format!("nodes-{plant}.json")))?;
        let nodes: Vec<Value> = serde_json::from_slice(&text)?;
        let endpoint = |node: &Value| node.get("EndpointUrl").and_then(Value::as_str).map(str::to_owned);
        Ok(nodes.iter().filter_map(endpoint).collect())
    }

    pub(crate) fn edge(&self) -> Result<Usage> {
        self.edge.usage()
    }

    pub(crate) fn platform(&self) -> Result<Usage> {
        self.platform.usage()
    }

    /// CPU time of all plants so far, in seconds.
    pub(crate) fn plants(&self) -> Result<f64> {
        self.plants.iter().map(|plant| plant.usage().map(|usage| usage.cpu_seconds)).sum()
    }

    /// Series that are known; their ids are 1 to this.
    pub(crate) fn series(&self) -> Result<u64> {
        let text = self.text("/metrics")?;
        let line = text.lines().find_map(|line| line.strip_prefix("gemba_historian_series "));
        line.and_then(|count| count.trim().parse().ok())
            .context("/metrics does not tell the number of series")
    }

    /// Values that the store has taken in.
    pub(crate) fn values(&self) -> Result<u64> {
        let flow = self.flow()?;
        let stages = flow.get("stages").and_then(Value::as_array).cloned().unwrap_or_default();
        let store = stages.iter().filter(|stage| stage.get("stage").and_then(Value::as_str) == Some("store"));
        Ok(store.filter_map(|stage| stage.get("valuesIn")?.as_u64()).sum())
    }

    /// Waits until every item delivers: the count of values grows, and all sources are live.
    pub(crate) fn wait_until_flowing(&self) -> Result<()> {
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
        // The first values of all items come at once, and new series are made for them; what is measured is the
        // steady flow behind them.
        wait("the first values to be stored", || (self.messages_waiting().ok()? < SETTLED).then_some(()))?;
        std::thread::sleep(Duration::from_secs(10));
        wait("a steady flow", || (self.messages_waiting().ok()? < SETTLED).then_some(()))
    }

    /// Messages that wait in all queues together.
    pub(crate) fn messages_waiting(&self) -> Result<u64> {
        let flow = self.flow()?;
        let stages = flow.get("stages").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(stages.iter().filter_map(|stage| stage.get("queueMessages")?.as_u64()).sum())
    }

    /// What each stage reports.
    pub(crate) fn flow(&self) -> Result<Value> {
        self.get("/api/v1/flow")
    }

    /// An answer of the REST interface.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.text(path)?)?)
    }

    fn text(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
            self.address, self.token
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").context("no answer")?;
        if !head.contains(" 200 ") {
            bail!("{}", head.lines().next().unwrap_or_default());
        }
        Ok(body.to_owned())
    }
}

/// Free ports on loopback.
const PORTS: &[&str] = &[
    "console.listen=127.0.0.1:0",
    "console.tls-listen=127.0.0.1:0",
    "hub.mqtt.listen=127.0.0.1:0",
    "hub.host-name=127.0.0.1",
];

fn start_plant(binary: &Path, index: usize, arguments: &[&str], path: &Path) -> Result<Running> {
    let nodes = path.join(format!("nodes-{index}.json"));
    let mut plant = Command::new(binary);
    plant.arg("sim").args(arguments).arg("--published-nodes").arg(&nodes);
    let running = Running::start(&mut plant, &path.join(format!("plant-{index}.txt")))?;
    wait("the simulated plant", || nodes.is_file().then_some(()))?;
    Ok(running)
}

/// One file of what all plants publish.
fn write_published_nodes(path: &Path, plants: usize) -> Result<()> {
    let mut all = Vec::new();
    for index in 0..plants {
        let text = std::fs::read(path.join(format!("nodes-{index}.json")))?;
        all.extend(serde_json::from_slice::<Vec<Value>>(&text)?);
    }
    Ok(std::fs::write(path.join("publishednodes.json"), serde_json::to_vec(&all)?)?)
}

fn new_token(binary: &Path, data: &str) -> Result<String> {
    output(binary, &["token", "create", "--role", "viewer", "--data", data])
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
