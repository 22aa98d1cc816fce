//! `cargo x bench`: the figures of the hot paths, measured by the release binary itself.

use crate::run;
use anyhow::Result;

pub(crate) fn run(args: &[String]) -> Result<()> {
    run::cargo(&["build", "--release", "-p", "gemba", "--bin", "gemba", "--bin", "gemba-bench"])?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    run::hand_over(&run::target().join("release/gemba-bench"), &args)
}
