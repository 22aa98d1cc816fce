//! The historian alone, and other people's stores on the very samples that it wrote.

use crate::{peers, root, run};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Days of the measurement's plant that the stores get: 333,000 samples each.
const DAYS: &str = "6";

/// What was measured.
pub(super) struct Figures {
    /// Lines of the historian's own measurement.
    pub(super) historian: Vec<String>,
    /// One object a store.
    pub(super) stores: Vec<Value>,
}

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Runs the historian's measurement, then gives its files to the others. `programs` is the folder of `ingest`.
pub(super) fn measure(programs: &Path) -> Result<Figures> {
    let scratch = Scratch(std::env::temp_dir().join(format!("gemba-bench-stores-{}", std::process::id())));
    std::fs::create_dir_all(&scratch.0)?;
    let samples = scratch.0.join("samples").display().to_string();
    run::say("historian: 30 days of 10,000 series …");
    let mut historian = ingest(programs, &["30"])?;
    run::say("historian: with both timestamps, to 100 ns …");
    historian
        .extend(ingest(programs, &["30", "both"])?.into_iter().map(|line| format!("both times: {line}")));
    ingest(programs, &[DAYS, "keep", &samples])?;
    let python = peers::folder().join("python/bin/python");
    if !python.is_file() {
        run::say("Python is not installed: no other stores");
        return Ok(Figures { historian, stores: Vec::new() });
    }
    run::say(&format!("other stores: {DAYS} days of the same samples …"));
    let mut others = Command::new(python);
    others.arg(root().join("benches/peers/stores.py")).arg(&samples).arg(scratch.0.join("others"));
    let text = run::output(&mut others)?;
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let stores =
        lines.map(|line| serde_json::from_str(line).context("a line of stores.py")).collect::<Result<_>>()?;
    Ok(Figures { historian, stores })
}

fn ingest(programs: &Path, arguments: &[&str]) -> Result<Vec<String>> {
    let mut command = Command::new(programs.join("ingest"));
    Ok(run::output(command.args(arguments))?.lines().map(str::to_owned).collect())
}

/// A row of the table of stores.
pub(super) fn row(store: &Value) -> String {
    let number = |name: &str| store.get(name).and_then(Value::as_f64).unwrap_or_default();
    format!(
        "| {} | {:.2} | {:.1} | {:.1} | {:.1} | {:.1} |",
        store.get("store").and_then(Value::as_str).unwrap_or_default(),
        number("cpuSecondsPerMillion"),
        number("bytesPerSample"),
        number("day"),
        number("buckets"),
        number("last")
    )
}

/// The head of a table of [`row`].
pub(super) const HEAD: &str = "\
| store, same samples, durable | CPU s/M | B/sample | 24 h ms | 1,000 buckets ms | last of all ms |
| --- | ---: | ---: | ---: | ---: | ---: |";
