//! Other people's OPC UA clients on the same simulated servers, at the largest size that they sustain.

use crate::chain::process::Running;
use crate::{peers, root, run};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Tags at 10 Hz, largest first.
const SIZES: &[u32] = &[50_000, 20_000, 10_000, 5_000, 2_000, 1_000];
/// Of what is offered, a client that keeps up gets at least this part.
const SUSTAINED: f64 = 0.95;

/// A client of somebody else.
struct Client {
    name: &'static str,
    script: &'static str,
}

const CLIENTS: &[Client] = &[
    Client { name: "node-opcua", script: "node_opcua_subscribe.js" },
    Client { name: "asyncua", script: "asyncua_subscribe.py" },
];

/// What one client did at the largest size that it sustained.
pub(super) struct Figure {
    name: &'static str,
    tags: u32,
    values_per_second: f64,
    cpu_per_million: f64,
    rss_mib: u64,
}

/// Each client that is installed, from the largest size down until it keeps up.
pub(super) fn measure(binary: &Path, seconds: u64) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for client in CLIENTS {
        let Some(command) = client.command() else {
            run::say(&format!("{} is not installed", client.name));
            continue;
        };
        match largest(binary, client, &command, seconds)? {
            Some(figure) => figures.push(figure),
            None => run::say(&format!("{} keeps up with none of {SIZES:?} tags at 10 Hz", client.name)),
        }
    }
    Ok(figures)
}

fn largest(binary: &Path, client: &Client, command: &[PathBuf], seconds: u64) -> Result<Option<Figure>> {
    for tags in SIZES {
        run::say(&format!("{}: {tags} tags at 10 Hz …", client.name));
        let figure = match once(binary, client, command, *tags, seconds) {
            Ok(figure) => figure,
            Err(error) => {
                run::say(&format!("{}: {error:#}", client.name));
                continue;
            }
        };
        if figure.values_per_second >= f64::from(*tags) * 10.0 * SUSTAINED {
            return Ok(Some(figure));
        }
    }
    Ok(None)
}

fn once(binary: &Path, client: &Client, command: &[PathBuf], tags: u32, seconds: u64) -> Result<Figure> {
    let output = std::env::temp_dir().join(format!("gemba-bench-clients-{}.txt", std::process::id()));
    let mut plant = Command::new(binary);
    plant.args(["sim", "load", "--kind", "counter", "--servers", "1", "--period", "100"]);
    plant.args(["--tags", &tags.to_string()]);
    let _plant = Running::start(&mut plant, &output)?;
    let url = url_of(&output)?;
    drop(std::fs::remove_file(&output));
    let [program, script] = command else { bail!("a client is a program and its script") };
    let mut process = Command::new(program);
    process.arg(script).args([&url, &tags.to_string(), "5", &seconds.to_string()]);
    process.env("NODE_PATH", peers::folder().join("node/node_modules"));
    let text = output_within(&mut process, Duration::from_secs(seconds + 120))?;
    let line = text.lines().rfind(|line| line.starts_with('{')).context("the client printed no figures")?;
    let value: Value = serde_json::from_str(line)?;
    let number = |name: &str| value.get(name).and_then(Value::as_f64).with_context(|| name.to_owned());
    let values = number("values")?;
    if values <= 0.0 {
        bail!("it got nothing");
    }
    Ok(Figure {
        name: client.name,
        tags,
        values_per_second: values / number("seconds")?,
        cpu_per_million: number("cpuSeconds")? / values * 1e6,
        rss_mib: number("rssMiB")? as u64,
    })
}

/// The address that the simulator prints.
fn url_of(output: &Path) -> Result<String> {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        let text = std::fs::read_to_string(output).unwrap_or_default();
        let url = text.split_whitespace().find(|word| word.starts_with("opc.tcp://")).map(str::to_owned);
        if let Some(url) = url.filter(|_| text.lines().any(|line| line == "ready")) {
            return Ok(url);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("the simulated server did not start")
}

/// Output of a program that is ended when it takes longer.
fn output_within(command: &mut Command, limit: Duration) -> Result<String> {
    let path = std::env::temp_dir().join(format!("gemba-bench-client-{}.txt", std::process::id()));
    let mut running = Running::start(command, &path)?;
    let end = Instant::now() + limit;
    while Instant::now() < end && running.is_running() {
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(running);
    let text = std::fs::read_to_string(&path)?;
    drop(std::fs::remove_file(&path));
    Ok(text)
}

impl Client {
    /// Program and script; `None` when the peer is not installed.
    fn command(&self) -> Option<[PathBuf; 2]> {
        let script = root().join("benches/peers").join(self.script);
        let (program, there) = if self.script.ends_with(".py") {
            let python = peers::folder().join("python/bin/python");
            (python.clone(), python.is_file())
        } else {
            (PathBuf::from("node"), peers::folder().join("node/node_modules/node-opcua").is_dir())
        };
        there.then_some([program, script])
    }
}

impl Figure {
    pub(super) fn json(&self) -> Value {
        json!({
            "client": self.name, "tags": self.tags, "valuesPerSecond": self.values_per_second,
            "cpuSecondsPerMillion": self.cpu_per_million, "rssMiB": self.rss_mib,
        })
    }

    pub(super) fn row(&self) -> String {
        format!(
            "| {} | {} | {:.0} | {:.3} | {} |",
            self.name, self.tags, self.values_per_second, self.cpu_per_million, self.rss_mib
        )
    }
}

/// The head of a table of [`Figure::row`].
pub(super) const HEAD: &str = "\
| client, receiving only | tags at 10 Hz | values/s | CPU s/M | MiB |
| --- | ---: | ---: | ---: | ---: |";
