//! Whom we trust: folders of certificates that a person can read, and the rules over them.
//!
//! ```text
//! pki/own/cert.der, own/private.pem        the application's own certificate and key (mode 0600)
//! pki/trusted/certs, trusted/crl           servers that are trusted, and authorities whose servers are
//! pki/issuer/certs, issuer/crl             authorities that only complete a chain
//! pki/user/certs, user/private             certificates and keys with which we log in as a user
//! pki/rejected/certs                       what came and was refused, the oldest dropped beyond a bound
//! ```
//!
//! The folders are read at each connect, and looked at every second while sessions stand or wait
//! ([`TrustStore::state`]): whatever is moved, put or replaced takes effect without a restart.

mod folders;
mod own;
mod session_folder;
mod user;
mod validator;

pub use folders::Thumbprint;
pub use own::OwnCertificate;
pub(crate) use session_folder::SessionFolder;
pub use validator::{Overrides, TrustError};

use super::error::UaError;
use folders::{Folders, Presented};
use opcua::crypto::{PrivateKey, X509};
use parking_lot::{Mutex, RwLock};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rejected certificates that are kept; a scanner must not fill the disk.
const REJECTED_CERTIFICATES_MAX: usize = 64;

/// How a [`TrustStore`] judges.
#[derive(Debug, Clone, Default)]
pub struct TrustOptions {
    /// Trusts unknown certificates at first sight by storing them in `trusted/certs`. All other rules hold.
    pub auto_accept: bool,
    /// Rules that are not enforced.
    pub overrides: Overrides,
}

/// The certificates of one application.
#[derive(Debug)]
pub struct TrustStore {
    folders: Folders,
    application: Application,
    own: RwLock<Arc<OwnCertificate>>,
    options: TrustOptions,
    looked: Mutex<Looked>,
}

/// The folders as they were seen last; shared by all sessions, so that a hundred of them cost one look.
#[derive(Debug)]
struct Looked {
    at: Instant,
    state: u64,
}

/// How long a look at the folders holds.
const LOOK: Duration = Duration::from_millis(500);

impl TrustStore {
    /// Opens the folders, creates what is missing, and makes a certificate (RSA 2048, ten years) for
    /// `application_uri` when there is none. A certificate that is there is kept as it is.
    ///
    /// # Errors
    /// [`UaError::Folder`] when folders, certificate or key cannot be read or written.
    pub fn open(
        folder: impl Into<PathBuf>,
        application: &Application,
        options: TrustOptions,
    ) -> Result<Arc<Self>, UaError> {
        let folders = Folders::create(folder.into())?;
        let own = OwnCertificate::load_or_create(folders.root(), application)?;
        let looked = Mutex::new(Looked { at: Instant::now(), state: folders.state() });
        let application = application.clone();
        Ok(Arc::new(Self { folders, application, own: RwLock::new(Arc::new(own)), options, looked }))
    }

    /// Our own certificate, as of the last look.
    pub fn own(&self) -> Arc<OwnCertificate> {
        self.own.read().clone()
    }

    /// A number that changes when a file of the folders changes, *rejected* excepted. Looks at the folders at most
    /// twice a second, and takes another certificate of our own over.
    pub fn state(&self) -> u64 {
        let mut looked = self.looked.lock();
        if looked.at.elapsed() < LOOK {
            return looked.state;
        }
        let state = self.folders.state();
        if state != looked.state {
            match OwnCertificate::load(self.folders.root(), &self.application) {
                Ok(own) if own.der() != self.own().der() => {
                    tracing::info!(thumbprint = %own.thumbprint(), "our own certificate is another one now");
                    *self.own.write() = Arc::new(own);
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "our own certificate cannot be read; the earlier one is kept")
                }
            }
        }
        *looked = Looked { at: Instant::now(), state };
        state
    }

    /// The certificate and key of a user, by file name or common name.
    ///
    /// # Errors
    /// [`UaError::UserCertificate`] when there is none, or it cannot be used.
    pub(crate) fn user_certificate(&self, name: &str) -> Result<(X509, PrivateKey), UaError> {
        user::load(self.folders.root(), name)
    }

    /// Where the copy of a refused certificate is.
    pub(crate) fn rejected_copy(&self, presented: &[u8]) -> Option<PathBuf> {
        Presented::read(presented).ok().and_then(|presented| self.folders.rejected(&presented))
    }

    /// The certificates that a server presents, its own first.
    ///
    /// # Errors
    /// [`TrustError::NotACertificate`].
    pub(crate) fn certificates(presented: &[u8]) -> Result<Vec<Vec<u8>>, TrustError> {
        let Presented { leaf, mut issuers } = Presented::read(presented)?;
        issuers.insert(0, leaf);
        Ok(issuers)
    }

    /// The root of the folders.
    pub fn folder(&self) -> &Path {
        self.folders.root()
    }

    /// Judges what a server presents: the DER of its certificate, with issuers behind it or not.
    /// A refused one is stored in `rejected/certs`; an unknown one in `trusted/certs` under auto-accept.
    ///
    /// # Errors
    /// The first rule that is broken and not overridden.
    pub fn validate(&self, presented: &[u8], application_uri: &str, host: &str) -> Result<(), TrustError> {
        let presented = Presented::read(presented)?;
        let lists = self.folders.read();
        let mut verdict =
            validator::validate(&presented, &lists, &self.options.overrides, application_uri, host);
        if self.options.auto_accept && matches!(verdict, Err(TrustError::Untrusted { .. })) {
            // The rules about the certificate itself hold all the same: judge it as if it were trusted.
            let lists = lists.with_trusted(&presented);
            verdict = validator::validate(&presented, &lists, &self.options.overrides, application_uri, host);
            if verdict.is_ok() {
                self.folders.store_trusted(&presented)?;
            }
        }
        if let Err(error) = &mut verdict {
            let copy = self.folders.store_rejected(&presented, REJECTED_CERTIFICATES_MAX)?;
            if let TrustError::Untrusted { rejected, trusted, .. } = error {
                *rejected = copy;
                *trusted = self.folders.trusted_certificates();
            }
        }
        verdict
    }
}

pub use own::Application;

#[cfg(test)]
mod tests;
