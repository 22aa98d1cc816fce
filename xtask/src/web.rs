//! Builds the page, and only when its sources changed.

use crate::{root, run};
use anyhow::{Context, Result, bail};
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::process::Command;

/// Builds `web/dist`.
pub(crate) fn build() -> Result<()> {
    let web = root().join("web");
    let stamp = web.join("dist/.built-from");
    let wanted = fingerprint(&web)?.to_string();
    if fs::read_to_string(&stamp).is_ok_and(|built| built == wanted) {
        return Ok(());
    }
    install(&web)?;
    run::say("building the page …");
    run::check(Command::new("npm").args(["run", "--silent", "build"]).current_dir(&web))?;
    fs::write(stamp, wanted).context("web/dist")
}

/// Installs the page's packages as its lock file names them.
pub(crate) fn install(web: &Path) -> Result<()> {
    if !run::has("node") || !run::has("npm") {
        bail!("the page needs Node.js 20.19 or newer with npm on the PATH (`node --version`)");
    }
    let lock = fs::read(web.join("package-lock.json")).context("web/package-lock.json")?;
    let stamp = web.join("node_modules/.installed-from");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    run::say("installing the page's packages …");
    run::check(Command::new("npm").args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(web))?;
    fs::write(stamp, lock).context("web/node_modules")
}

fn fingerprint(web: &Path) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    let mut open = vec![web.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if matches!(name.as_str(), "node_modules" | "dist" | "journeys" | "dev") {
                continue;
            }
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    for path in files {
        path.strip_prefix(web).unwrap_or(&path).hash(&mut hasher);
        fs::read(&path)?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}
