//! The chain from edge to historian under faults, in virtual time, the same for the same seed.
//!
//! Purpose: run the real rooms in one thread over simulated disks, clocks and a simulated network, break them by
//! seed, and hold what they store against what they accepted.
//! Knows: edge, hub, wal and historian by their public faces, and the fakes of `testkit`.
//! Does not know: OPC UA sessions, TLS, SQLite, the page. No product: nothing depends on it.

mod check;
mod cost;
mod edge;
mod fate;
mod limits;
mod machine;
mod network;
mod node;
mod oracle;
mod order;
mod panics;
mod platform;
mod time;
mod trace;
mod wire;
mod world;

use std::io::Write;
use std::time::Duration;

/// What to run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Decides everything that happens.
    pub seed: u64,
    /// Virtual hours with faults; mending and draining come after them.
    pub hours: f64,
    /// Prints what happens while it does.
    pub is_loud: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What was run.
    pub plan: Plan,
    /// Faults injected.
    pub faults: u64,
    /// Values that edges accepted.
    pub accepted: u64,
    /// Values that the historian has at the end.
    pub stored: u64,
    /// Values that were accepted and are missing, each with its entry and true cause in the ledger.
    pub explained: u64,
    /// Hash over everything that happened; the same seed gives the same one.
    pub hash: u64,
    /// How long the world went on.
    pub virtual_time: Duration,
    /// Broken promises.
    pub violations: Vec<String>,
    /// What happened last.
    pub last_lines: Vec<String>,
}

impl Outcome {
    /// Whether every promise was kept.
    pub const fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// The command that runs it again.
    pub fn command(&self) -> String {
        format!("cargo x sim --seed {} --hours {}", self.plan.seed, self.plan.hours)
    }
}

/// Runs a plan on the calling thread.
///
/// # Panics
/// When the machine gives no runtime.
pub fn run(plan: Plan) -> Outcome {
    panics::watch();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without threads and sockets");
    runtime.block_on(world::run(plan))
}

/// Prints a line.
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // A closed pipe is the reader's choice, not our failure.
    drop(writeln!(out, "{text}").and_then(|()| out.flush()));
}
