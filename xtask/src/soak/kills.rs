//! Kills, cuts and full disks in random order, with the checker of the test suite.

use crate::{peers, run, test};
use anyhow::Result;

/// `n` events from a seed; 1,000 from a new one when nothing is said.
pub(super) fn run(n: Option<String>, seed: Option<String>) -> Result<()> {
    peers::set_up()?;
    let arguments =
        ["test", "--profile", "bench-lite", "-p", "gemba", "--test", "it", "--", "kills", "--nocapture"];
    let mut command = run::cargo_command(&arguments);
    command.envs(test::environment()).env("GEMBA_SOAK_EVENTS", n.unwrap_or_else(|| "1000".to_owned()));
    if let Some(seed) = seed {
        command.env("GEMBA_SOAK_SEED", seed);
    }
    run::check(&mut command)
}
