//! Platform and edge as processes, over a data folder.

use super::http::Rest;
use super::process::{Process, gemba};
use super::wait_for;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a process may take to be ready on this busy machine.
const READY: Duration = Duration::from_secs(60);

/// A Gemba process that says where it can be reached.
#[derive(Debug)]
pub(crate) struct Gemba {
    pub(crate) data: PathBuf,
    arguments: Vec<String>,
    output: PathBuf,
    process: Option<Process>,
}

impl Gemba {
    /// `gemba run …` with these arguments; `--data` is added.
    pub(crate) fn run(name: &str, folder: &Path, data: &Path, arguments: &[&str]) -> Self {
        let mut all = vec!["run".to_owned(), "--data".to_owned(), data.display().to_string()];
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let output = folder.join(format!("{name}.txt"));
        let mut process = Self { data: data.to_owned(), arguments: all, output, process: None };
        process.start();
        process
    }

    /// Starts it (again) without waiting.
    pub(crate) fn start(&mut self) {
        self.process = Some(Process::start(gemba().args(&self.arguments), &self.output));
    }

    /// Waits until it wrote its endpoints.
    pub(crate) fn endpoints(&mut self) -> Value {
        let path = self.data.join("run/endpoints.json");
        let process = self.process.as_mut().expect("the process was started");
        let output = self.output.clone();
        wait_for(&format!("{}", path.display()), READY, || {
            assert!(
                process.is_running(),
                "it ended:\n{}",
                std::fs::read_to_string(&output).unwrap_or_default()
            );
            let text = std::fs::read(&path).ok()?;
            serde_json::from_slice(&text).ok()
        })
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.as_ref().expect("the process was started").id()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// SIGTERM; must end with success.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let status = process.stop();
            assert!(status.success(), "{status}:\n{}", process.printed());
        }
    }

    /// What it printed.
    pub(crate) fn printed(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// The REST interface, with a new viewer token.
    pub(crate) fn rest(&mut self) -> Rest {
        let endpoints = self.endpoints();
        let console = endpoints["console"].as_str().expect("the platform has a console");
        let address = console.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Rest {
            address,
            token: command(&[
                "token",
                "create",
                "--role",
                "viewer",
                "--data",
                &self.data.display().to_string(),
            ]),
        }
    }
}

/// Runs a short command and returns its output without the line's end.
pub(crate) fn command(arguments: &[&str]) -> String {
    let output = gemba().args(arguments).output().expect("gemba can be started");
    let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    assert!(
        output.status.success(),
        "gemba {arguments:?}: {}\n{text}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// Settings that give a process free ports on loopback.
pub(crate) const FREE_PORTS: &[&str] = &[
    "--set",
    "console.listen=127.0.0.1:0",
    "--set",
    "console.tls-listen=127.0.0.1:0",
    "--set",
    "hub.mqtt.listen=127.0.0.1:0",
    "--set",
    "hub.host-name=127.0.0.1",
    "--set",
    "edge.trust-servers=true",
];
