//! What people at a terminal see.

use std::io::Write;
use std::sync::OnceLock;
use tracing_subscriber::EnvFilter;

/// A line on standard output.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // A closed pipe is the reader's choice.
    drop(writeln!(out, "{text}").and_then(|()| out.flush()));
}

/// A finished step of a start.
pub(crate) fn step(what: &str, detail: &str) {
    say(&format!("  {what:<18} {detail}"));
}

/// A line on standard error.
pub(crate) fn fail(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Help, version, or what is wrong with a command line.
pub(crate) fn show_clap(error: &clap::Error) {
    drop(error.print());
}

type SetLevel = Box<dyn Fn(&str) + Send + Sync>;

/// Changes the level of the log that was started; absent in commands without one.
static LEVEL: OnceLock<SetLevel> = OnceLock::new();

/// Logs go to standard error, so that output stays clean.
pub(crate) fn start_logging(level: &str) {
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter(level))
        .with_ansi(colours)
        .with_writer(std::io::stderr)
        .with_target(true)
        .with_filter_reloading();
    let handle = subscriber.reload_handle();
    // A second start in one process keeps the first.
    if subscriber.try_init().is_ok() {
        let change = move |level: &str| {
            // The subscriber lives as long as the process.
            drop(handle.reload(filter(level)));
        };
        drop(LEVEL.set(Box::new(change)));
    }
}

/// Changes what is logged from now on.
pub(crate) fn set_log_level(level: &str) {
    if let Some(change) = LEVEL.get() {
        change(level);
    }
}

/// Levels were checked when the configuration was read.
fn filter(level: &str) -> EnvFilter {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    // Whatever the level says: under these the OPC UA stack writes passwords.
    let secret = gemba_ua::client::SECRET_LOG_TARGETS.iter();
    let off = secret.filter_map(|target| format!("{target}=off").parse().ok());
    off.fold(filter, EnvFilter::add_directive)
}
