//! The configuration of a process: what can be set, and what it is when nobody sets it.

use crate::cli::Place;
use anyhow::{Context, Result, anyhow, bail};
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
    pub(crate) secrets: Secrets,
    pub(crate) log: Log,
}

/// Secrets at rest.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Secrets {
    /// The file with the key for secrets, or `env:NAME`; empty: `<data>/pki/secrets.key`.
    pub(crate) key_file: String,
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
    /// Connections at one time.
    pub(crate) connections_max: u32,
    /// Those of one address among them.
    pub(crate) connections_max_per_address: u32,
}

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8883)),
            connections_max: 20_000,
            connections_max_per_address: 5_000,
        }
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
    /// Gaps that the ledger keeps.
    pub(crate) gaps_max: u32,
}

impl Default for Historian {
    fn default() -> Self {
        Self { retention_days: 0, memory_bytes_max: 48 << 20, gaps_max: 200_000 }
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

/// Code of whatever is wrong with a configuration.
pub(crate) const INVALID: &str = "GMB-GEM-003";

/// Merges defaults, file, environment and command line.
pub(crate) fn load(place: &Place) -> Result<(Settings, Layers)> {
    merged(place).context(INVALID)
}

fn merged(place: &Place) -> Result<(Settings, Layers)> {
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
    let settings: Settings = layers.finish()?;
    settings.check(&layers)?;
    Ok((settings, layers))
}

impl Settings {
    /// What a type cannot say: ranges and words. The text has the key, who set it, and what would be right.
    fn check(&self, layers: &Layers) -> Result<()> {
        const MIB: u64 = 1 << 20;
        let range = |key: &str, value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            let bounds =
                if most == u64::MAX { format!("at least {least}") } else { format!("{least} to {most}") };
            Err(anyhow!("'{key}' ({}) is {value}; it must be {bounds}", layers.origin(key)))
        };
        range("hub.partitions", self.hub.partitions.into(), 1, 1024)?;
        range("hub.retention-hours", self.hub.retention_hours, 0, 24 * 366 * 100)?;
        range("hub.log-bytes-max", self.hub.log_bytes_max, 16 * MIB, u64::MAX)?;
        let (all, one) = (self.hub.mqtt.connections_max, self.hub.mqtt.connections_max_per_address);
        range("hub.mqtt.connections-max", all.into(), 1, 1_000_000)?;
        range("hub.mqtt.connections-max-per-address", one.into(), 1, 1_000_000)?;
        range("edge.queue-bytes-max", self.edge.queue_bytes_max, 4 * MIB, u64::MAX)?;
        range("edge.queue-hours-max", self.edge.queue_hours_max, 0, 24 * 366 * 100)?;
        range("historian.retention-days", self.historian.retention_days.into(), 0, 366 * 1000)?;
        range("historian.memory-bytes-max", self.historian.memory_bytes_max, MIB, 2 << 30)?;
        range("historian.gaps-max", self.historian.gaps_max.into(), 1_000, 10_000_000)?;
        self.edge
            .on_full
            .parse::<gemba_edge::OverflowRule>()
            .map_err(|reason| anyhow!("'edge.on-full' ({}): {reason}", layers.origin("edge.on-full")))?;
        tracing_subscriber::EnvFilter::try_new(&self.log.level).map_err(|error| {
            anyhow!(
                "'log.level' ({}) is '{}': {error}; write error, warn, info, debug, trace, or directives such as \
                 info,gemba_ua=debug",
                layers.origin("log.level"),
                self.log.level
            )
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file is taken or refused with a text; what is taken can be shown and taken again.
    fn file_of_bytes(bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let mut layers = Layers::from_defaults::<Settings>().expect("defaults are a table");
        let read = layers.file("gemba.toml", &text).and_then(|()| layers.finish::<Settings>());
        match read {
            Err(error) => assert!(!error.to_string().is_empty()),
            Ok(_) => assert!(!layers.show().is_empty()),
        }
    }

    #[test]
    fn fuzz_configuration() {
        let example = include_str!("../../../config/gemba.toml");
        let words = [
            "[hub.mqtt]",
            "listen = ",
            "\"0.0.0.0:0\"",
            "partitions",
            "=",
            "[[",
            "\u{27}\u{27}\u{27}",
            "\"\"\"",
            "\\u{d800}",
            "1979-05-27",
            "{ }",
        ];
        let target = gemba_testkit::fuzz::Target::new("gemba-configuration", file_of_bytes);
        target.inputs([example]).words(words).executions(1_500).run();
    }
}
