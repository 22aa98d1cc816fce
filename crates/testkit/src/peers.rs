//! Other people's programs: where `cargo x test` put them, and what happens when one is not there.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of all peers: that of `GEMBA_PEERS`, else `.peers` in the workspace.
pub fn folder() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.peers");
    std::env::var_os("GEMBA_PEERS").map_or_else(beside, PathBuf::from)
}

/// The folder of the peers' Python programs, when it has these modules (`a, b`).
pub fn python(modules: &str) -> Option<PathBuf> {
    let programs = folder().join("python/bin");
    let imports = Command::new(programs.join("python")).args(["-c", &format!("import {modules}")]).output();
    imports.is_ok_and(|output| output.status.success()).then_some(programs)
}

/// Notes that a peer is missing, in the file of `GEMBA_SKIPPED` and for whoever runs the test.
///
/// # Panics
/// With `CI=true`: there a missing peer is a failure.
#[expect(clippy::print_stderr, reason = "whoever runs the test is told what it could not try")]
pub fn skip(peer: &str) {
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "the peer {peer} is missing; `cargo x test` installs it"
    );
    if let Some(path) = std::env::var_os("GEMBA_SKIPPED")
        && let Ok(mut file) = File::options().append(true).create(true).open(path)
    {
        drop(writeln!(file, "{peer}"));
    }
    eprintln!("skipped: {peer} is not installed");
}
