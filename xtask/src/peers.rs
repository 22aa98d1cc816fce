//! Other people's software that the tests meet, from the registries, pinned, under `.peers/`.

use crate::{root, run};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Packages from PyPI.
const PYTHON: &[&str] = &[
    "asyncua==2.1.0",
    "cryptography",
    "duckdb==2.0.1",
    "pandas==3.1.1",
    "pyarrow==26.0.1",
    "schemathesis==4.32.5",
];
/// Packages from npm.
const NODE: &[&str] = &["node-opcua@2.157.0"];
/// Debian packages by the program that shows they are there.
const DEBIAN: &[(&str, &str)] = &[BROWSER, ("ip", "iproute2"), ("iptables", "iptables")];
const BROWSER: (&str, &str) = ("chromium", "chromium");

/// The same for what only the bench is measured against.
const DEBIAN_BENCH: &[(&str, &str)] =
    &[("influxd", "influxdb"), ("psql", "postgresql"), ("mosquitto", "mosquitto")];

/// Where the peers live.
pub(crate) fn folder() -> PathBuf {
    root().join(".peers")
}

/// Sets up every peer. What cannot be had is left out; the tests then skip by name, or fail in CI.
pub(crate) fn set_up() -> Result<()> {
    fs::create_dir_all(folder())?;
    for (name, result) in [("Python", python()), ("Node.js", node()), ("Debian", debian(DEBIAN))] {
        if let Err(error) = result {
            run::say(&format!("peers from {name} are incomplete: {error:#}"));
        }
    }
    Ok(())
}

/// [`set_up`], and what only the bench is measured against.
pub(crate) fn set_up_for_bench() -> Result<()> {
    set_up()?;
    if let Err(error) = debian(DEBIAN_BENCH) {
        run::say(&format!("peers from Debian are incomplete: {error:#}"));
    }
    Ok(())
}

/// The browser alone.
pub(crate) fn browser() -> Result<()> {
    debian(&[BROWSER])
}

fn stamped(name: &str, wanted: &str, set_up: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamp = folder().join(format!("{name}.stamp"));
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    run::say(&format!("setting up peers: {name} …"));
    set_up()?;
    fs::write(stamp, wanted).context("stamp")
}

fn python() -> Result<()> {
    stamped("python", &PYTHON.join(" "), || {
        let home = folder().join("python");
        run::check(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        let mut pip = Command::new(home.join("bin/pip"));
        run::check(pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(PYTHON))
    })
}

fn node() -> Result<()> {
    stamped("node", &NODE.join(" "), || {
        let home = folder().join("node");
        fs::create_dir_all(&home)?;
        fs::write(home.join("package.json"), "{\"private\":true}\n")?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--no-save"])
            .args(NODE)
            .current_dir(&home);
        run::check(&mut npm)
    })
}

fn debian(wanted: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> =
        wanted.iter().filter(|(program, _)| !on_path(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    run::say(&format!("installing Debian packages: {} …", missing.join(" ")));
    run::output(Command::new("apt-get").args(["update", "-qq"]))?;
    let mut install = Command::new("apt-get");
    install
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(&missing)
        .env("DEBIAN_FRONTEND", "noninteractive");
    run::output(&mut install).map(drop)
}

fn on_path(name: &str) -> bool {
    program(name).is_some()
}

/// Where a program is.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut files = std::env::split_paths(&paths).chain(usual).map(|folder| folder.join(name));
    files.find(|file| file.is_file())
}
