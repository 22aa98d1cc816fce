//! A day of plant time: memory stays flat, disk stays within its bounds, and at the end everything drains.

use crate::chain::{Chain, Setup};
use crate::run;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

const HOURS: u32 = 24;
/// Bytes that the hub's log may take; small, so that retention has work to do.
const LOG_BYTES: u64 = 64 << 20;
const LOG_SETTING: &str = "hub.log-bytes-max=67108864";
const QUEUE_BYTES: u64 = 64 << 20;
const QUEUE_SETTING: &str = "edge.queue-bytes-max=67108864";
/// Full within the first hours, so that a ledger that fills is not taken for memory that grows.
const GAPS_SETTING: &str = "historian.gaps-max=5000";
/// What memory may grow by from the hours in which caches fill to the last ones.
const GROWTH: f64 = 1.15;
const GROWTH_MIB: u64 = 12;

/// What was seen at the end of an hour.
struct Hour {
    edge_mib: u64,
    platform_mib: u64,
    log: u64,
    queue: u64,
    history: u64,
    stored: u64,
    gaps: usize,
}

pub(super) fn run(factor: Option<String>) -> Result<()> {
    let factor: f64 = factor.map_or(Ok(60.0), |text| text.parse()).context("--factor needs a number")?;
    if !(1.0..=1000.0).contains(&factor) {
        bail!("--factor {factor}: use 1 to 1000");
    }
    run::cargo(&["build", "--profile", "bench-lite", "-p", "gemba", "--bin", "gemba"])?;
    let binary = run::target().join("bench-lite/gemba");
    let clock = factor.to_string();
    let factory = ["factory", "--clock-factor", &clock];
    let load = ["load", "--servers", "4", "--tags", "500", "--period", "250"];
    let mixed = ["load", "--kind", "mixed", "--tags", "64", "--period", "500"];
    let mut plants: Vec<&[&str]> = vec![&factory, &load, &mixed];
    let strange: Vec<Vec<&str>> =
        PERSONALITIES.iter().map(|name| vec!["load", "--tags", "50", "--personality", name]).collect();
    plants.extend(strange.iter().map(Vec::as_slice));
    let setup = Setup { plants: &plants, edge: &[QUEUE_SETTING], platform: &[LOG_SETTING, GAPS_SETTING] };
    let chain = Chain::start(&binary, &setup)?;
    let hour = Duration::from_secs_f64(3600.0 / factor);
    run::say(&format!("{HOURS} hours of plant time, {:.0} s each", hour.as_secs_f64()));
    run::say(
        "| hour | edge MiB | platform MiB | hub log MiB | edge queue MiB | history MiB | values stored | gaps |",
    );
    run::say("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut hours = Vec::new();
    for number in 1..=HOURS {
        let end = Instant::now() + hour;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            std::thread::sleep(left.min(Duration::from_secs(1)));
        }
        let seen = look(&chain)?;
        run::say(&seen.row(number));
        hours.push(seen);
    }
    let faults = faults(&hours);
    chain.drain()?;
    run::say("drained");
    if !faults.is_empty() {
        bail!("{}", faults.join("; "));
    }
    Ok(())
}

/// Servers that misbehave, by preset.
const PERSONALITIES: &[&str] = &[
    "small-limits+slow",
    "few-items+few-publishes",
    "drops-sessions",
    "clock-jumps",
    "queue-of-one",
    "no-timestamps+flapping",
    "coarse-timestamps+twins",
    "liar",
];

fn look(chain: &Chain) -> Result<Hour> {
    let gaps = chain.get("/api/v1/gaps?limit=500")?;
    Ok(Hour {
        edge_mib: chain.edge()?.rss_mib,
        platform_mib: chain.platform()?.rss_mib,
        log: bytes(&chain.data("platform").join("log")),
        queue: bytes(&chain.data("edge").join("log")),
        history: bytes(&chain.data("platform").join("hist")),
        stored: chain.values()?,
        gaps: gaps.get("items").and_then(Value::as_array).map_or(0, Vec::len),
    })
}

fn bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(facts) if facts.is_dir() => bytes(&entry.path()),
        Ok(facts) => facts.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// What grew that should not.
fn faults(hours: &[Hour]) -> Vec<String> {
    let mean = |part: &[Hour], what: fn(&Hour) -> u64| {
        part.iter().map(what).sum::<u64>() as f64 / part.len().max(1) as f64
    };
    let early = hours.get(4..8).unwrap_or_default();
    let late = hours.get(hours.len().saturating_sub(4)..).unwrap_or_default();
    let mut faults = Vec::new();
    for name in ["edge", "platform"] {
        let what: fn(&Hour) -> u64 =
            if name == "edge" { |hour| hour.edge_mib } else { |hour| hour.platform_mib };
        let (before, after) = (mean(early, what), mean(late, what));
        if after > before * GROWTH && after > before + GROWTH_MIB as f64 {
            faults.push(format!("memory of the {name} grew from {before:.0} to {after:.0} MiB"));
        }
    }
    // A segment that is being written, and one that waits for deletion, come on top.
    let slack = 32 << 20;
    let worst = |what: fn(&Hour) -> u64| hours.iter().map(what).max().unwrap_or(0);
    if worst(|hour| hour.log) > LOG_BYTES + slack {
        faults.push("the hub's log is larger than allowed".to_owned());
    }
    if worst(|hour| hour.queue) > QUEUE_BYTES + slack {
        faults.push("the edge's queue is larger than allowed".to_owned());
    }
    if hours.windows(2).any(|pair| matches!(pair, [before, after] if after.stored <= before.stored)) {
        faults.push("an hour passed in which nothing was stored".to_owned());
    }
    faults
}

impl Hour {
    fn row(&self, number: u32) -> String {
        let mib = |bytes: u64| bytes >> 20;
        format!(
            "| {number} | {} | {} | {} | {} | {} | {} | {} |",
            self.edge_mib,
            self.platform_mib,
            mib(self.log),
            mib(self.queue),
            mib(self.history),
            self.stored,
            self.gaps
        )
    }
}
