//! Other people's programs beside the console: where they are, and what happens when they are not.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Notes that a peer is missing. In CI that is a failure.
#[expect(clippy::print_stderr, reason = "whoever runs the test is told what it could not try")]
pub(crate) fn skip(peer: &str) {
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "the peer {peer} is missing; `cargo x test` installs it"
    );
    if let Some(path) = std::env::var_os("GEMBA_SKIPPED")
        && let Ok(mut file) = std::fs::File::options().append(true).create(true).open(path)
    {
        drop(writeln!(file, "{peer}"));
    }
    eprintln!("skipped: {peer} is not installed");
}

/// The folder of the peers' Python programs, when it has the modules.
pub(crate) fn python(modules: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let peers = std::env::var_os("GEMBA_PEERS").map_or_else(|| root.join(".peers"), PathBuf::from);
    let programs = peers.join("python/bin");
    let imports = Command::new(programs.join("python")).args(["-c", &format!("import {modules}")]).output();
    imports.is_ok_and(|output| output.status.success()).then_some(programs)
}

/// What lies beside the peers' tests.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name)
}
