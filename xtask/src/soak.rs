//! `cargo x soak`: long runs that only a long run can fail.

mod day;
mod kills;

use anyhow::{Result, bail};

pub(crate) fn run(args: &[String]) -> Result<()> {
    let value = |name: &str| args.iter().skip_while(|arg| *arg != name).nth(1).cloned();
    match args.first().map(String::as_str) {
        Some("kills") => kills::run(value("--n"), value("--seed")),
        Some("day") => day::run(value("--factor")),
        _ => bail!("usage: cargo x soak kills --n N [--seed S], or cargo x soak day [--factor F]"),
    }
}
