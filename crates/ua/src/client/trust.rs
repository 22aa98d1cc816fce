//! Whom we trust: folders of certificates that a person can read, and the rules over them.
//!
//! ```text
//! pki/own/cert.der, own/private.pem        the application's own certificate and key (mode 0600)
//! pki/trusted/certs, trusted/crl           servers that are trusted, and authorities whose servers are
//! pki/issuer/certs, issuer/crl             authorities that only complete a chain
//! pki/rejected/certs                       what came and was refused, the oldest dropped beyond a bound
//! ```
//!
//! The folders are read at each connect: a certificate that is moved is trusted at the next attempt.

mod folders;
mod own;
mod session_folder;
mod validator;

pub use folders::Thumbprint;
pub use own::OwnCertificate;
pub(crate) use session_folder::SessionFolder;
pub use validator::{Overrides, TrustError};

use super::error::UaError;
use folders::{Folders, Presented};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    own: OwnCertificate,
    options: TrustOptions,
}

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
        Ok(Arc::new(Self { folders, own, options }))
    }

    /// Our own certificate.
    pub const fn own(&self) -> &OwnCertificate {
        &self.own
    }

    /// The root of the folders.
    pub fn folder(&self) -> &Path {
        self.folders.root()
    }

    /// Judges what a server presents: the DER of its certificate, with issuers behind it or not.
    /// An unknown one is stored in `rejected/certs`, or in `trusted/certs` under auto-accept. Returns how many
    /// issuers stand behind it.
    ///
    /// # Errors
    /// The first rule that is broken and not overridden.
    pub fn validate(&self, presented: &[u8], application_uri: &str, host: &str) -> Result<usize, TrustError> {
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
        if let Err(TrustError::Untrusted { rejected, trusted, .. }) = &mut verdict {
            *rejected = self.folders.store_rejected(&presented, REJECTED_CERTIFICATES_MAX)?;
            *trusted = self.folders.trusted_certificates();
        }
        verdict.map(|()| presented.issuers.len())
    }
}

pub use own::Application;

#[cfg(test)]
mod tests;
