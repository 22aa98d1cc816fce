//! The data directory: its lock, and what a running process says about itself.

use anyhow::{Context, Result, bail};
use gemba_base::files;
use rustix::fs::{FlockOperation, flock};
use serde_json::{Map, Value};
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

/// Names inside `<data>/run`.
const ENDPOINTS: &str = "endpoints.json";
const FIRST_START: &str = "first-start-link";

/// A locked data directory: one process at a time. Dropped files in `run/` go with it.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Creates the directory where it is absent and takes its lock.
    pub(crate) fn lock(path: &Path) -> Result<Self> {
        files::create_private_folder(path)
            .with_context(|| format!("cannot create the data directory {}", path.display()))?;
        for name in ["run", "meta"] {
            let folder = path.join(name);
            files::create_private_folder(&folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join("run/lock"))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!(
                "the data directory {} is in use by another Gemba; stop it, or choose another with --data",
                path.display()
            );
        }
        let directory = Self { path: path.to_owned(), _lock: lock };
        directory.forget();
        Ok(directory)
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A place in it.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Says where this process can be reached.
    pub(crate) fn write_endpoints(&self, endpoints: &Map<String, Value>) -> Result<()> {
        let path = self.path.join("run").join(ENDPOINTS);
        let text = serde_json::to_vec_pretty(&Value::Object(endpoints.clone()))?;
        files::replace(&path, &text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Keeps the one-time link for the administrator, readable by the owner alone.
    pub(crate) fn write_first_start_link(&self, link: &str) -> Result<()> {
        let path = self.path.join("run").join(FIRST_START);
        files::replace_secret(&path, format!("{link}\n").as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Removes what an earlier process said about itself.
    pub(crate) fn forget(&self) {
        for name in [ENDPOINTS, FIRST_START, "control.sock"] {
            // Absent is what we want.
            drop(fs::remove_file(self.path.join("run").join(name)));
        }
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        self.forget();
    }
}
