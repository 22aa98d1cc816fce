//! What people at a terminal see.

use std::io::Write;

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

/// Logs go to standard error, so that output stays clean.
pub(crate) fn start_logging(level: &str) {
    let filter = tracing_subscriber::EnvFilter::try_new(level)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process keeps the first.
    drop(subscriber.with_target(true).try_init());
}
