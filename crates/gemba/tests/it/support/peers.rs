//! Other people's servers. A peer that is not installed skips its test by name, or fails it in CI.

use super::checker::Clockwork;
use super::process::{Process, gemba};
use super::{free_port, wait_for};
use crate::reconnect::hosts::Host;
use gemba_testkit::peers::{folder, skip};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Whose server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    Asyncua,
    NodeOpcua,
    /// Our own simulator.
    Gemba,
}

/// A running counter server: value n at its epoch + n × 100 ms, with exactly that source timestamp.
#[derive(Debug)]
pub(crate) struct CounterServer {
    vendor: Vendor,
    pub(crate) port: u16,
    arguments: Vec<String>,
    folder: PathBuf,
    host: Option<String>,
    address: String,
    process: Option<Process>,
}

/// Milliseconds between two counts.
pub(crate) const PERIOD_MS: u64 = 100;
/// The only user of secured servers.
pub(crate) const USER: &str = "operator";
pub(crate) const PASSWORD: &str = "press 1 for water";

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Vendor {
    fn command(self) -> Option<Command> {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
        match self {
            Self::Asyncua => {
                let python = folder().join("python/bin/python");
                python.is_file().then(|| {
                    let mut command = Command::new(python);
                    command.arg(scripts.join("asyncua_counters.py"));
                    command
                })
            }
            Self::NodeOpcua => {
                let modules = folder().join("node/node_modules");
                modules.join("node-opcua").is_dir().then(|| {
                    let mut command = Command::new("node");
                    command.arg(scripts.join("node_opcua_counters.js")).env("NODE_PATH", modules);
                    command
                })
            }
            Self::Gemba => {
                let mut command = gemba();
                command.args(["sim", "load", "--kind", "counter"]);
                Some(command)
            }
        }
    }

    /// The vendor of a writer group that [`CounterServer::entry`] made.
    pub(crate) fn of_group(group: &str) -> Self {
        let known = [Self::Asyncua, Self::NodeOpcua, Self::Gemba];
        known.into_iter().find(|vendor| group.starts_with(&format!("{vendor:?}-"))).expect("a group of ours")
    }

    /// How the vendor's server counts.
    pub(crate) fn clockwork(self) -> Clockwork {
        match self {
            Self::Gemba => Clockwork { epoch: gemba_sim::load::counter::EPOCH },
            _ => Clockwork::of_peers(),
        }
    }

    const fn arguments(self) -> [&'static str; 3] {
        match self {
            Self::Gemba => ["--tags", "--period", "--pki"],
            _ => ["--tags", "--period-ms", "--pki"],
        }
    }

    /// Namespace index of the counters.
    const fn namespace(self) -> u16 {
        match self {
            Self::Asyncua | Self::Gemba => 2,
            Self::NodeOpcua => 1,
        }
    }
}

impl CounterServer {
    /// Starts one; `None` when the vendor's software is not installed.
    pub(crate) fn start(vendor: Vendor, secure: bool, tags: u32, folder: &Path) -> Option<Self> {
        Self::start_on(vendor, secure, tags, folder, None)
    }

    /// [`CounterServer::start`] on another host.
    pub(crate) fn start_on(
        vendor: Vendor,
        secure: bool,
        tags: u32,
        folder: &Path,
        host: Option<&Host>,
    ) -> Option<Self> {
        if vendor.command().is_none() {
            skip(match vendor {
                Vendor::Asyncua => "asyncua (PyPI)",
                Vendor::NodeOpcua => "node-opcua (npm)",
                Vendor::Gemba => "gemba",
            });
            return None;
        }
        let folder = folder.join(format!("{vendor:?}-{}", if secure { "secure" } else { "plain" }));
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let port = free_port();
        let [tags_name, period_name, pki_name] = vendor.arguments();
        let mut arguments = vec!["--port".to_owned(), port.to_string()];
        for (name, value) in [
            (tags_name, tags.to_string()),
            (period_name, PERIOD_MS.to_string()),
            (pki_name, folder.display().to_string()),
        ] {
            arguments.extend([name.to_owned(), value]);
        }
        let address = host.map_or("127.0.0.1", |host| host.address.as_str()).to_owned();
        if host.is_some() {
            arguments.extend(["--host".to_owned(), address.clone()]);
        }
        if secure {
            arguments.extend(["--secure".to_owned(), "--user".to_owned(), format!("{USER}:{PASSWORD}")]);
        }
        let host = host.map(|host| host.name.clone());
        let mut server = Self { vendor, port, arguments, folder, host, address, process: None };
        server.run();
        Some(server)
    }

    /// Starts the process (again).
    pub(crate) fn run(&mut self) {
        let mut command = self.vendor.command().expect("the vendor's software is installed");
        let output = self.folder.join("output.txt");
        drop(std::fs::remove_file(&output));
        command.args(&self.arguments);
        let mut command = match &self.host {
            Some(host) => Host::command_on(host, &command),
            None => command,
        };
        let process = Process::start(&mut command, &output);
        wait_for(&format!("{:?} to listen", self.vendor), Duration::from_secs(60), || {
            let printed = process.printed();
            (printed.contains("listening") || printed.lines().any(|line| line == "ready")).then_some(())
        });
        self.process = Some(process);
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// The endpoint URL, through `port` where a proxy stands in between.
    pub(crate) fn url(&self, port: u16) -> String {
        let path = match self.vendor {
            Vendor::Asyncua => "asyncua/",
            Vendor::NodeOpcua => "node",
            Vendor::Gemba => "",
        };
        format!("opc.tcp://{}:{port}/{path}", self.address)
    }

    /// Its entry in publishednodes.json, with all its counters.
    pub(crate) fn entry(&self, secure: bool, tags: u32, port: u16) -> serde_json::Value {
        let namespace = self.vendor.namespace();
        let nodes = (1..=tags).map(|tag| {
            serde_json::json!({
                "Id": format!("ns={namespace};i={tag}"), "DisplayName": format!("Counter{tag}"),
                "OpcSamplingInterval": 0, "QueueSize": 600
            })
        });
        let nodes: Vec<_> = nodes.collect();
        let mut entry = serde_json::json!({
            "EndpointUrl": self.url(port), "DataSetWriterGroup": format!("{:?}-{secure}", self.vendor),
            "DataSetWriterId": "counters", "DataSetPublishingInterval": 200, "OpcNodes": nodes
        });
        if secure {
            entry["EndpointSecurityMode"] = "SignAndEncrypt".into();
            entry["EndpointSecurityPolicy"] = "Basic256Sha256".into();
            entry["OpcAuthenticationMode"] = "UsernamePassword".into();
            entry["OpcAuthenticationUsername"] = USER.into();
            entry["OpcAuthenticationPassword"] = PASSWORD.into();
        }
        entry
    }
}
