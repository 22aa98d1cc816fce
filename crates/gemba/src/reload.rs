//! Changes of the configuration while the process runs.
//!
//! The file is looked at each second, and at SIGHUP. A file that cannot be taken over is said once, and what ran
//! goes on. What can change in place does; the rest is named with "at the next start".

use crate::edge::Edge;
use crate::platform::Platform;
use crate::roles::Arguments;
use crate::settings::{self, Settings};
use crate::terminal;
use gemba_base::Tasks;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Keys that change while the process runs. All others need a restart.
pub(crate) const LIVE: &[&str] = &[
    "edge.published-nodes",
    "edge.trust-servers",
    "hub.log-bytes-max",
    "hub.mqtt.connections-max",
    "hub.mqtt.connections-max-per-address",
    "hub.retention-hours",
    "log.level",
];

/// What runs and can be told.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) platform: Option<Arc<Platform>>,
    pub(crate) edge: Option<Arc<Edge>>,
}

/// Watches until `tasks` stops.
pub(crate) fn watch(arguments: Arguments, current: Settings, running: Running, tasks: &Tasks) {
    let Ok(hangup) = signal(SignalKind::hangup()) else {
        tracing::warn!("SIGHUP cannot be heard; changes of the configuration are seen all the same");
        return;
    };
    let stopping = tasks.clone();
    tasks.spawn(async move {
        let mut watcher = Watcher { seen: content(arguments.config()), arguments, current, running, hangup };
        loop {
            let forced = tokio::select! {
                () = stopping.stopping() => return,
                forced = watcher.next_look() => forced,
            };
            watcher.look(forced).await;
        }
    });
}

struct Watcher {
    arguments: Arguments,
    current: Settings,
    running: Running,
    /// The file's bytes at the last look; a file that was refused is not refused each second.
    seen: Option<Vec<u8>>,
    hangup: Signal,
}

impl Watcher {
    /// Whether a person asked for it.
    async fn next_look(&mut self) -> bool {
        tokio::select! {
            _ = self.hangup.recv() => true,
            () = tokio::time::sleep(LOOK) => false,
        }
    }

    async fn look(&mut self, forced: bool) {
        let found = content(self.arguments.config());
        if found == self.seen && !forced {
            return;
        }
        self.seen = found;
        let wanted = match self.arguments.settings() {
            Ok(wanted) => wanted,
            Err(error) => {
                tracing::error!(
                    code = settings::INVALID,
                    error = format!("{error:#}"),
                    "the changed configuration was not taken over; the one before it stays in force"
                );
                return;
            }
        };
        let changed = changed(&self.current, &wanted);
        let (live, later): (Vec<&str>, Vec<&str>) =
            changed.iter().map(String::as_str).partition(|key| LIVE.contains(key));
        if !later.is_empty() {
            let keys = later.join(", ");
            tracing::warn!(keys, "these changes of the configuration take effect at the next start");
        }
        if !live.is_empty() {
            self.apply(&wanted, &live).await;
            tracing::info!(keys = live.join(", "), "changes of the configuration are in force");
        } else if forced && later.is_empty() {
            tracing::info!("the configuration is as it was");
        }
        self.current = wanted;
    }

    async fn apply(&self, wanted: &Settings, live: &[&str]) {
        let any = |prefix: &str| live.iter().any(|key| key.starts_with(prefix));
        if any("log.") {
            terminal::set_log_level(&wanted.log.level);
        }
        if any("hub.")
            && let Some(platform) = &self.running.platform
        {
            platform.set_limits(wanted);
        }
        if any("edge.")
            && let Some(edge) = &self.running.edge
        {
            edge.republish(wanted).await;
        }
    }
}

fn content(path: Option<&Path>) -> Option<Vec<u8>> {
    std::fs::read(path?).ok()
}

/// Keys whose values differ.
fn changed(old: &Settings, new: &Settings) -> Vec<String> {
    let (old, new) = (leaves(old), leaves(new));
    let keys = new.iter().filter(|(key, value)| old.get(*key) != Some(value));
    keys.map(|(key, _)| key.clone()).collect()
}

fn leaves(settings: &Settings) -> BTreeMap<String, String> {
    let mut leaves = BTreeMap::new();
    if let Ok(table) = toml::Table::try_from(settings) {
        collect(&table, "", &mut leaves);
    }
    leaves
}

fn collect(table: &toml::Table, prefix: &str, leaves: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => collect(inner, &path, leaves),
            leaf => drop(leaves.insert(path, leaf.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_keys_are_found_and_live_ones_exist() {
        let mut new = Settings::default();
        assert!(changed(&Settings::default(), &new).is_empty());
        new.hub.mqtt.listen = "127.0.0.1:1".parse().expect("an address");
        new.log.level = "debug".to_owned();
        assert_eq!(changed(&Settings::default(), &new), ["hub.mqtt.listen", "log.level"]);
        let all = leaves(&new);
        assert!(LIVE.iter().all(|key| all.contains_key(*key)), "a renamed key must be renamed here too");
    }
}
