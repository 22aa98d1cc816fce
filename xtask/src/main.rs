//! `cargo x`: the one developer command. No shell scripts anywhere else.

mod bench;
mod chain;
mod deny;
mod fuzz;
mod layers;
mod peers;
mod run;
mod sim;
mod soak;
mod test;
mod tidy;
mod verbs;
mod web;

use anyhow::{Result, bail};
use std::path::PathBuf;
use std::process::ExitCode;
use verbs::Wish;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            run::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<()> {
    let (command, rest) =
        args.split_first().map_or(("help", &[][..]), |(first, rest)| (first.as_str(), rest));
    if matches!(command, "help" | "--help" | "-h") {
        run::say(&verbs::help());
        return Ok(());
    }
    let Some(verb) = verbs::find(command) else {
        bail!("unknown command '{command}'\n\n{}", verbs::help());
    };
    if verb.look(rest)? == Wish::Help {
        run::say(&verb.help());
        return Ok(());
    }
    match command {
        "demo" => {
            web::build()?;
            run::cargo(&["build", "-p", "gemba", "--bin", "gemba"])?;
            let mut demo = vec!["demo"];
            demo.extend(rest.iter().map(String::as_str));
            run::hand_over(&run::target().join("debug/gemba"), &demo)
        }
        "test" => test::run(rest),
        "check" => {
            run::cargo(&["check", "--workspace", "--all-targets"])?;
            run::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
        }
        "layers" => layers::run(),
        "tidy" => tidy::run(),
        "deny" => deny::run(),
        "bench" => bench::run(rest),
        "soak" => soak::run(rest),
        "sim" => sim::run(rest),
        "fuzz" => fuzz::run(rest),
        "web" => web::build(),
        "dist" => {
            web::build()?;
            run::cargo(&["build", "--release", "-p", "gemba", "--bin", "gemba"])?;
            run::say(&format!("built {}", run::target().join("release/gemba").display()));
            Ok(())
        }
        "verify" => {
            run::cargo(&["fmt", "--all", "--", "--check"])?;
            run::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
            test::run(&[])
        }
        other => bail!("the command '{other}' has nothing behind it"),
    }
}

/// The folder with the workspace's Cargo.toml.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.clone(), PathBuf::from)
}
