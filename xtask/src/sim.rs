//! `cargo x sim`: the chain under faults in virtual time.

use crate::run;
use anyhow::Result;

/// The arguments are those of the program; `--help` lists them.
pub(crate) fn run(args: &[String]) -> Result<()> {
    run::cargo(&[
        "build",
        "--quiet",
        "--profile",
        "bench-lite",
        "-p",
        "gemba-chaos",
        "--bin",
        "gemba-chaos",
    ])?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    run::hand_over(&run::target().join("bench-lite/gemba-chaos"), &args)
}
