//! The configuration of a process: what can be set, and what it is when nobody sets it.

use crate::cli::Place;
use anyhow::{Context, Result, bail};
use gemba_base::config::Layers;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Everything that can be set.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) console: Console,
    pub(crate) hub: Hub,
    pub(crate) edge: Edge,
    pub(crate) historian: Historian,
    pub(crate) disk: Disk,
    pub(crate) log: Log,
}

/// The volume of the data directory.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Disk {
    /// Bytes that stay free on the volume; 0: the larger of 5 % and 1 GiB. Below it no data is taken in.
    pub(crate) reserve_bytes: u64,
}

/// The page and the REST interface.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Console {
    /// Plain HTTP; loopback addresses only. Port 0 picks a free one.
    pub(crate) listen: SocketAddr,
    /// HTTPS with the platform's own certificate.
    pub(crate) tls_listen: SocketAddr,
    /// Names by which browsers reach the page, beside localhost.
    pub(crate) host_names: Vec<String>,
}

impl Default for Console {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls_listen: SocketAddr::from(([0, 0, 0, 0], 8443)),
            host_names: Vec::new(),
        }
    }
}

/// The hub.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Hub {
    /// MQTT.
    pub(crate) mqtt: Mqtt,
    /// HostName in connection strings; empty for this machine's name.
    pub(crate) host_name: String,
    /// Partitions of the event log; fixed once the log exists.
    pub(crate) partitions: u32,
    /// Hours that delivered messages stay in the event log.
    pub(crate) retention_hours: u64,
    /// Bytes that the event log may take.
    pub(crate) log_bytes_max: u64,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            mqtt: Mqtt::default(),
            host_name: String::new(),
            partitions: 4,
            retention_hours: 24,
            log_bytes_max: 64 << 30,
        }
    }
}

/// The hub's MQTT front end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Mqtt {
    /// MQTT over TLS. Port 0 picks a free one.
    pub(crate) listen: SocketAddr,
}

impl Default for Mqtt {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([0, 0, 0, 0], 8883)) }
    }
}

/// The edge.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Edge {
    /// The hub: `@FILE` as `gemba hub enroll` writes it, or a connection string. Empty: the hub of this process.
    pub(crate) hub: String,
    /// Certificate of the hub's authority; empty: `<data>/pki/hub/ca.pem`.
    pub(crate) hub_ca: String,
    /// What to publish; empty: nothing.
    pub(crate) published_nodes: String,
    /// Bytes that may wait for the hub.
    pub(crate) queue_bytes_max: u64,
    /// Hours after which what waits is dropped; 0: never.
    pub(crate) queue_hours_max: u64,
    /// What happens when the queue is full: `drop-oldest` (with a ledger record) or `block`.
    pub(crate) on_full: String,
    /// Trust every OPC UA server certificate at first sight. For test benches.
    pub(crate) trust_servers: bool,
}

impl Default for Edge {
    fn default() -> Self {
        Self {
            hub: String::new(),
            hub_ca: String::new(),
            published_nodes: String::new(),
            queue_bytes_max: 4 << 30,
            queue_hours_max: 0,
            on_full: "drop-oldest".to_owned(),
            trust_servers: false,
        }
    }
}

/// The historian.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Historian {
    /// Days that samples are kept; 0: for ever.
    pub(crate) retention_days: u32,
    /// Bytes of memory for samples that are not in files yet.
    pub(crate) memory_bytes_max: u64,
}

impl Default for Historian {
    fn default() -> Self {
        Self { retention_days: 0, memory_bytes_max: 64 << 20 }
    }
}

/// What is logged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Log {
    /// error, warn, info, debug, trace, or directives such as `info,gemba_ua=debug`.
    pub(crate) level: String,
}

impl Default for Log {
    fn default() -> Self {
        // The stack logs an error for each absent certificate file, even without security.
        Self {
            level: "warn,gemba=info,opcua=off,opcua_client=off,opcua_server=off,opcua_crypto=off".to_owned(),
        }
    }
}

/// Merges defaults, file, environment and command line.
pub(crate) fn load(place: &Place) -> Result<(Settings, Layers)> {
    let mut layers = Layers::from_defaults::<Settings>()?;
    if let Some(path) = &place.config {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        layers.file(&path.display().to_string(), &text)?;
    }
    layers.environment(std::env::vars())?;
    for setting in &place.set {
        let Some((key, value)) = setting.split_once('=') else {
            bail!("--set {setting}: expected KEY=VALUE, such as --set console.listen=127.0.0.1:9000");
        };
        layers.command_line(key, value)?;
    }
    let settings = layers.finish()?;
    Ok((settings, layers))
}
