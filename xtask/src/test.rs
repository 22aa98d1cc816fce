//! `cargo x test`: every check and test of the house, and the one line that closes it.

use crate::{deny, layers, peers, root, run, tidy, web};
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What was counted.
#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
}

/// Where tests write the names of peers that they missed, a line each.
fn skipped_file() -> PathBuf {
    run::target().join("skipped-peers.txt")
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut tally = Tally::default();
    if args.is_empty() {
        step(&mut tally, "layers", layers::run());
        step(&mut tally, "tidy", tidy::run());
        step(&mut tally, "deny", deny::run());
    }
    step(&mut tally, "page", web::build());
    peers::set_up()?;
    let skipped = skipped_file();
    if let Some(folder) = skipped.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&skipped, "")?;
    if args.is_empty() {
        page_tests(&mut tally)?;
    }
    rust_tests(&mut tally, args)?;
    let names = fs::read_to_string(&skipped)?;
    let mut names: Vec<&str> = names.lines().collect();
    names.sort_unstable();
    names.dedup();
    let count = names.len() as u64;
    if count > 0 {
        run::say(&format!("skipped for want of a peer: {}", names.join(", ")));
    }
    run::say(&format!(
        "{} passed, {} failed, {count} skipped",
        tally.passed.saturating_sub(count),
        tally.failed
    ));
    if tally.failed > 0 {
        bail!("{} test(s) failed", tally.failed);
    }
    Ok(())
}

fn step(tally: &mut Tally, name: &str, result: Result<()>) {
    match result {
        Ok(()) => tally.passed += 1,
        Err(error) => {
            tally.failed += 1;
            run::say(&format!("FAILED {name}: {error:#}"));
        }
    }
}

fn page_tests(tally: &mut Tally) -> Result<()> {
    let web = root().join("web");
    web::install(&web)?;
    for script in ["check", "test", "size"] {
        let result = run::check(Command::new("npm").args(["run", "--silent", script]).current_dir(&web));
        step(tally, &format!("page {script}"), result);
    }
    Ok(())
}

fn rust_tests(tally: &mut Tally, args: &[String]) -> Result<()> {
    // One folder at a time costs less memory at link time than all at once.
    let mut command = run::cargo_command(&["test", "--workspace", "--no-fail-fast"]);
    command.args(args).envs(environment()).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start cargo test")?;
    let output = child.stdout.take().context("cargo test has no output")?;
    let before = tally.failed;
    for line in BufReader::new(output).lines() {
        let line = line?;
        if let Some((passed, failed)) = counts(&line) {
            tally.passed += passed;
            tally.failed += failed;
        }
        run::say(&line);
    }
    let status = child.wait()?;
    if !status.success() && tally.failed == before {
        // A crate that does not compile, or a test binary that died, prints no counts.
        tally.failed += 1;
    }
    Ok(())
}

/// What tests read about their surroundings.
pub(crate) fn environment() -> Vec<(&'static str, PathBuf)> {
    vec![
        ("GEMBA_PEERS", peers::folder()),
        ("GEMBA_SKIPPED", skipped_file()),
        ("GEMBA_WEB", root().join("web")),
    ]
}

/// Passed and failed of cargo's line for one test binary.
fn counts(line: &str) -> Option<(u64, u64)> {
    let rest = line.trim().strip_prefix("test result: ")?;
    let (_, rest) = rest.split_once(". ")?;
    let number = |part: &str, word: &str| part.trim().strip_suffix(word)?.trim().parse().ok();
    let mut parts = rest.split(';');
    Some((number(parts.next()?, "passed")?, number(parts.next()?, "failed")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_lines_are_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s";
        assert_eq!(counts(line), Some((12, 3)));
        assert_eq!(counts("running 3 tests"), None);
    }
}
