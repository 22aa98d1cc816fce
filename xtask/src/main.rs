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
mod web;

use anyhow::{Result, bail};
use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
cargo x <command>

  demo [args…]        build everything, start it over the simulated plant, print the address
  test [filter]       set up the peers, run every check and test; closes with 'N passed, N failed, N skipped'
  check               type-check and lint the workspace
  layers              hold layers.toml against the crate graph
  tidy                file sizes, module headers, banned words, a page for each error code
  deny                hold deny.toml against licences, banned crates and sources of all dependencies
  bench [--json] [--only NAME] [--seconds N] [--profile NAME]
                      CPU seconds per million, memory and ratios beside other people's software, in release;
                      NAME: idle, large, 50k-10hz, small, hub, clients, stores
  soak kills --n N [--seed S]
                      N random kills, cuts and full disks; checks that nothing was lost
  soak day [--factor F]
                      24 h of plant time, F times as fast, with servers that misbehave: memory, disk, drain
  sim [--seed N] [--seeds COUNT] [--hours H]
                      the chain under faults in virtual time; a seed that fails prints its command
  fuzz [target] [--seconds N] [--seed S] [--input HEX] [--list]
                      every parser of outside bytes over its corpus and seeded mutations
  web                 build the page (needs Node.js 20.19 or newer)
  dist                the release binary with the page inside
  verify              fmt, clippy, then everything that `test` does
";

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
        "help" | "--help" | "-h" => {
            run::say(HELP);
            Ok(())
        }
        other => bail!("unknown command '{other}'\n\n{HELP}"),
    }
}

/// The folder with the workspace's Cargo.toml.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.clone(), PathBuf::from)
}
