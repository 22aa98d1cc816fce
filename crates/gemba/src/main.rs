//! The gemba binary: command line, configuration, wiring. The only crate that knows everyone.
//!
//! Purpose: read what is wanted, start the rooms in order, hand each its neighbour, stop them in order.
//! Knows: every room of the house.
//! Does not know: how any of them works.

mod board;
mod cli;
mod commands;
mod control;
mod data;
mod demo;
mod edge;
mod office;
mod platform;
mod registry;
mod reload;
mod roles;
mod settings;
mod terminal;

use clap::Parser;
use clap::error::ErrorKind;
use cli::{Cli, Command};
use std::process::ExitCode;

/// Exit code of a wrong command line.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    gemba_net::install_crypto();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            terminal::show_clap(&error);
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(USAGE) };
        }
    };
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::fail(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Demo(args) => {
            forbid_core_dumps();
            roles::block_on(demo::run(args))
        }
        Command::Run(args) => {
            forbid_core_dumps();
            roles::block_on(roles::run(args))
        }
        Command::Sim { plant } => roles::block_on(commands::sim::run(plant)),
        Command::Opc { action } => roles::block_on(commands::opc::run(action)),
        Command::Hub { action } => commands::hub::run(action),
        Command::Token { action } => commands::token::run(action),
        Command::Config { action } => commands::config::run(action),
        Command::Check(args) => roles::block_on(commands::check::run(args)),
    }
}

/// A core file would hold every key and password in memory. Whoever wants one for a search of a fault sets
/// `GEMBA_CORE_DUMPS=1`.
fn forbid_core_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    if std::env::var_os("GEMBA_CORE_DUMPS").is_some_and(|wanted| wanted == "1") {
        return;
    }
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let forbidden =
        setrlimit(Resource::Core, none).and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(error) = forbidden {
        terminal::fail(&format!("warning: core files could not be forbidden: {error}"));
    }
}
