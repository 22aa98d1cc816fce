//! Other people's servers as processes. A peer that is not installed skips its test by name, or fails it in CI.

use crate::plant::Folder;
use gemba_testkit::peers::{folder, skip};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

pub(crate) struct Peer {
    port: u16,
    _process: Child,
    _folder: Folder,
}

/// What a peer is told, as JSON without its outer braces.
fn text(path: &Path) -> String {
    path.to_str().expect("a plain path").to_owned()
}

/// One member of the peer's setup with a path.
pub(crate) fn member(name: &str, path: &Path) -> String {
    format!(r#""{name}": "{}""#, text(path))
}

impl Peer {
    /// asyncua's server; `setup` are members of a JSON object. `None` when it is not installed.
    pub(crate) async fn asyncua(setup: &str) -> Option<Self> {
        let python = folder().join("python/bin/python");
        if !python.is_file() {
            skip("asyncua (PyPI)");
            return None;
        }
        let mut command = Command::new(python);
        command.arg(scripts().join("asyncua_server.py"));
        Some(Self::start(command, setup).await)
    }

    /// node-opcua's server.
    pub(crate) async fn node_opcua(setup: &str) -> Option<Self> {
        let modules = folder().join("node/node_modules");
        if !modules.join("node-opcua").is_dir() {
            skip("node-opcua (npm)");
            return None;
        }
        let mut command = Command::new("node");
        command.arg(scripts().join("node_opcua_server.js")).env("NODE_PATH", modules);
        Some(Self::start(command, setup).await)
    }

    async fn start(mut command: Command, setup: &str) -> Self {
        let folder = Folder::new();
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            listener.local_addr().expect("an address").port()
        };
        let log = std::fs::File::create(folder.path().join("errors.txt")).expect("a file");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        command.env("HOME", folder.path());
        let mut process = command.spawn().expect("the peer starts");
        let line = format!("{{{setup}, {}, \"port\": {port}}}\n", member("folder", folder.path()));
        let mut input = process.stdin.take().expect("an input");
        input.write_all(line.as_bytes()).await.expect("told");
        let mut lines = BufReader::new(process.stdout.take().expect("an output")).lines();
        let ready = async {
            while let Some(line) = lines.next_line().await.expect("a line") {
                if line == "ready" {
                    return true;
                }
            }
            false
        };
        let ready = tokio::time::timeout(Duration::from_secs(120), ready).await;
        let errors = || std::fs::read_to_string(folder.path().join("errors.txt")).unwrap_or_default();
        assert!(matches!(ready, Ok(true)), "the peer does not start with {line}: {}", errors());
        // The rest of its output must go somewhere, or it blocks.
        tokio::spawn(async move {
            let _input = input;
            while let Ok(Some(_)) = lines.next_line().await {}
        });
        Self { port, _process: process, _folder: folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("opc.tcp://{}/", self.address())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers")
}
