//! The folder that the stack gets: private, for one session, holding exactly the certificate that we accepted.
//!
//! The stack's own store compares files byte for byte and has no hook, so that the judgement is ours and done
//! before; this folder only tells it the result.

use crate::client::error::UaError;
use gemba_base::{files, random};
use opcua::crypto::{CertificateStore, X509};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Deleted when dropped. A kill leaves it behind; [`SessionFolder::sweep`] removes such remains.
#[derive(Debug)]
pub(crate) struct SessionFolder {
    path: PathBuf,
}

const PREFIX: &str = "opcua-session-";

impl SessionFolder {
    /// Makes the folder. `leaf` is the accepted certificate alone; `None` for a session without security.
    pub(crate) fn create(run_folder: &Path, leaf: Option<&[u8]>) -> Result<Self, UaError> {
        let name = format!("{PREFIX}{}-{}", std::process::id(), random::hex::<8>());
        let folder = Self { path: run_folder.join(name) };
        let failed = |source: io::Error| UaError::Folder { path: folder.path.clone(), source };
        files::create_private_folder(&folder.path).map_err(failed)?;
        for name in ["trusted", "rejected"] {
            fs::create_dir(folder.path.join(name)).map_err(failed)?;
        }
        if let Some(leaf) = leaf {
            let certificate = X509::from_byte_string(&leaf.into())
                .map_err(|_| failed(io::Error::other("the stack cannot read the server's certificate")))?;
            let leaf = certificate.to_der().map_err(|_| failed(io::Error::other("not a certificate")))?;
            // The stack finds a certificate by this name and then compares all bytes.
            let name = CertificateStore::cert_file_name(&certificate);
            fs::write(folder.path.join("trusted").join(name), leaf).map_err(failed)?;
        }
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folders of processes that are no more.
    pub(crate) fn sweep(run_folder: &Path) {
        let Ok(entries) = fs::read_dir(run_folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
            let process = rest.split('-').next().unwrap_or_default();
            let alive =
                process == std::process::id().to_string() || Path::new("/proc").join(process).exists();
            if !alive && let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::debug!(path = %entry.path().display(), %error, "cannot remove the folder of an old session");
            }
        }
    }
}

impl Drop for SessionFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "cannot remove the folder of a session");
        }
    }
}
