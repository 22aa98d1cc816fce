//! `cargo x fuzz`: every parser of outside bytes over its corpus and seeded mutations, for as long as one likes.
//!
//! The driver is `gemba_testkit::fuzz`; the same targets run shortly in each `cargo x test`.

use crate::run;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// What is asked for.
struct Wish<'a> {
    target: Option<&'a str>,
    variables: Vec<(&'static str, String)>,
    list: bool,
}

/// `fuzz [target] [--seconds N] [--seed S] [--input HEX] [--list]`.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let wish = wish(args)?;
    let mut command =
        run::cargo_command(&["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    command.args(["--", "fuzz", "--nocapture"]).stdout(Stdio::piped());
    command.envs(wish.variables.iter().map(|(name, value)| (*name, value.as_str())));
    let mut child = command.spawn().context("cannot start cargo test")?;
    let output = child.stdout.take().context("cargo test has no output")?;
    let (mut rows, mut failed) = (Vec::new(), false);
    for line in BufReader::new(output).lines() {
        let line = line?;
        if let Some((_, row)) = line.split_once("fuzz: ") {
            run::say(&format!("  {row}"));
            rows.push(fields(row));
        } else if let Some((_, name)) = line.split_once("fuzz-target: ") {
            rows.push(vec![name.to_owned()]);
        } else if line.contains("fuzz-failure: ")
            || line.starts_with("  input ")
            || line.starts_with("  again ")
        {
            failed = true;
            run::say(&line);
        }
    }
    let status = child.wait()?;
    rows.sort();
    print(&rows);
    if failed || !status.success() {
        bail!("fuzzing found something, see above");
    }
    if rows.is_empty() && wish.variables.iter().all(|(name, _)| *name != "GEMBA_FUZZ_INPUT") {
        match wish.target {
            Some(target) => bail!("there is no target '{target}'; `cargo x fuzz --list` names them"),
            None => bail!("no target ran"),
        }
    }
    if wish.list {
        run::say(&format!("{} targets", rows.len()));
    }
    Ok(())
}

fn wish(args: &[String]) -> Result<Wish<'_>> {
    let mut wish = Wish { target: None, variables: Vec::new(), list: false };
    let (mut args, mut seconds) = (args.iter(), "60".to_owned());
    while let Some(arg) = args.next() {
        let mut value = || args.next().cloned().with_context(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--seconds" => {
                seconds = value()?;
                seconds.parse::<u64>().context("--seconds needs a whole number")?;
            }
            "--seed" => wish.variables.push(("GEMBA_FUZZ_SEED", value()?)),
            "--input" => wish.variables.push(("GEMBA_FUZZ_INPUT", value()?)),
            "--list" => wish.list = true,
            target if !target.starts_with('-') && wish.target.is_none() => wish.target = Some(target),
            other => bail!(
                "unknown argument '{other}'; usage: cargo x fuzz [target] [--seconds N] [--seed S] [--input HEX] [--list]"
            ),
        }
    }
    wish.variables.push(("GEMBA_FUZZ_SECONDS", seconds));
    if let Some(target) = wish.target {
        wish.variables.push(("GEMBA_FUZZ_TARGET", target.to_owned()));
    }
    if wish.list {
        wish.variables.push(("GEMBA_FUZZ_LIST", "1".to_owned()));
    }
    Ok(wish)
}

/// Target, executions, seconds and rate of the driver's line.
fn fields(row: &str) -> Vec<String> {
    let field = |name: &str| {
        let found = row.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_default().to_owned()
    };
    ["target", "executions", "seconds", "rate", "inputs"].map(field).to_vec()
}

fn print(rows: &[Vec<String>]) {
    if rows.iter().any(|row| row.len() > 1) {
        let heads = ["target", "executions", "seconds", "a second", "corpus"];
        run::say(&line(&heads.map(str::to_owned)));
    }
    for row in rows {
        run::say(&line(row));
    }
}

fn line(row: &[String]) -> String {
    let mut cells = row.iter();
    let name = cells.next().map_or("", String::as_str);
    let rest: String = cells.map(|cell| format!("{cell:>13}")).collect();
    format!("{name:<24}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drivers_line_becomes_a_row() {
        let row = "target=hub-record executions=21000 seconds=1.5 rate=14000 inputs=3 seeds=1..22";
        assert_eq!(fields(row), ["hub-record", "21000", "1.5", "14000", "3"]);
    }

    #[test]
    fn arguments_become_variables() {
        let args = ["hub-record", "--seconds", "5", "--seed", "9"].map(str::to_owned);
        let wish = wish(&args).expect("is understood");
        assert_eq!(wish.target, Some("hub-record"));
        let expected =
            [("GEMBA_FUZZ_SEED", "9"), ("GEMBA_FUZZ_SECONDS", "5"), ("GEMBA_FUZZ_TARGET", "hub-record")];
        assert_eq!(wish.variables, expected.map(|(name, value)| (name, value.to_owned())));
        assert!(super::wish(&["--second".to_owned()]).is_err());
    }
}
