//! The folders: reading them whole, and storing what was presented.

use super::validator::TrustError;
use crate::client::error::UaError;
use aws_lc_rs::digest;
use gemba_base::files;
use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate or list above this size is no certificate.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Files that are read of one folder; more are ignored with a warning.
const FILES_MAX: usize = 4096;
/// The folders of whom we trust.
const LISTS: [&str; 4] = ["trusted/certs", "trusted/crl", "issuer/certs", "issuer/crl"];
/// Certificates that a server may send behind its own.
const CHAIN_MAX: usize = 16;

/// SHA-1 over the DER, the name that OPC UA gives a certificate. Not a proof of anything: trust compares whole
/// certificates.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Thumbprint(pub [u8; 20]);

impl Thumbprint {
    /// Of a certificate in DER.
    pub fn of(der: &[u8]) -> Self {
        let mut bytes = [0; 20];
        let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der);
        bytes.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
        Self(bytes)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a server sent: its own certificate first, issuers after it in any order.
#[derive(Debug, Clone)]
pub(super) struct Presented {
    pub(super) leaf: Vec<u8>,
    pub(super) issuers: Vec<Vec<u8>>,
}

impl Presented {
    /// Takes certificates that stand one behind the other apart (OPC 10000-6 v1.05, 6.2.6).
    pub(super) fn read(mut bytes: &[u8]) -> Result<Self, TrustError> {
        let mut certificates = Vec::new();
        while !bytes.is_empty() && certificates.len() < CHAIN_MAX {
            let (rest, _) = X509Certificate::from_der(bytes)
                .map_err(|error| TrustError::NotACertificate { reason: error.to_string() })?;
            let length = bytes.len() - rest.len();
            certificates.push(bytes.get(..length).unwrap_or_default().to_vec());
            bytes = rest;
        }
        let mut certificates = certificates.into_iter();
        let Some(leaf) = certificates.next() else {
            return Err(TrustError::NotACertificate { reason: "the server sent none".to_owned() });
        };
        Ok(Self { leaf, issuers: certificates.collect() })
    }

    /// `Name [thumbprint].der`, safe as a file name.
    fn file_name(&self) -> String {
        let name = X509Certificate::from_der(&self.leaf).ok().and_then(|(_, certificate)| {
            let name = certificate.subject().iter_common_name().next()?.as_str().ok()?.to_owned();
            let safe = |c: &char| c.is_ascii_alphanumeric() || " -_.@".contains(*c);
            let name: String = name.chars().filter(safe).take(64).collect();
            Some(name.trim_matches([' ', '.']).to_owned()).filter(|name| !name.is_empty())
        });
        format!("{} [{}].der", name.as_deref().unwrap_or("unnamed"), Thumbprint::of(&self.leaf))
    }
}

/// The content of the folders at one moment, in DER.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists {
    pub(super) trusted: Vec<Vec<u8>>,
    pub(super) issuers: Vec<Vec<u8>>,
    pub(super) revocations: Vec<Vec<u8>>,
}

impl Lists {
    pub(super) fn with_trusted(&self, presented: &Presented) -> Self {
        let mut lists = self.clone();
        lists.trusted.push(presented.leaf.clone());
        lists
    }
}

#[derive(Debug)]
pub(super) struct Folders {
    root: PathBuf,
}

impl Folders {
    pub(super) fn create(root: PathBuf) -> Result<Self, UaError> {
        let own = root.join("own");
        files::create_private_folder(&own).map_err(|source| UaError::Folder { path: own, source })?;
        for folder in LISTS.iter().chain(&["user/certs", "rejected/certs"]) {
            let path = root.join(folder);
            fs::create_dir_all(&path).map_err(|source| UaError::Folder { path, source })?;
        }
        let keys = root.join("user/private");
        files::create_private_folder(&keys).map_err(|source| UaError::Folder { path: keys, source })?;
        Ok(Self { root })
    }

    /// A hash over names, sizes and times of all files that matter: cheap enough for every second.
    pub(super) fn state(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        for folder in LISTS.iter().chain(&["own", "user/certs", "user/private"]) {
            let Ok(entries) = fs::read_dir(self.root.join(folder)) else { continue };
            let mut files: Vec<_> = entries
                .flatten()
                .take(FILES_MAX)
                .filter_map(|entry| {
                    let metadata = entry.metadata().ok()?;
                    Some((entry.file_name(), metadata.len(), metadata.modified().ok()))
                })
                .collect();
            files.sort();
            (folder, files).hash(&mut hash);
        }
        hash.finish()
    }

    /// The copy of a refused certificate, if there is one.
    pub(super) fn rejected(&self, presented: &Presented) -> Option<PathBuf> {
        Some(self.root.join("rejected/certs").join(presented.file_name())).filter(|path| path.is_file())
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn trusted_certificates(&self) -> PathBuf {
        self.root.join("trusted/certs")
    }

    /// Reads everything. A file that cannot be read trusts nobody, so it is only warned about.
    pub(super) fn read(&self) -> Lists {
        let mut revocations = read_folder(&self.root.join("trusted/crl"), "X509 CRL");
        revocations.extend(read_folder(&self.root.join("issuer/crl"), "X509 CRL"));
        Lists {
            trusted: read_folder(&self.trusted_certificates(), "CERTIFICATE"),
            issuers: read_folder(&self.root.join("issuer/certs"), "CERTIFICATE"),
            revocations,
        }
    }

    pub(super) fn store_trusted(&self, presented: &Presented) -> Result<PathBuf, TrustError> {
        store(&self.trusted_certificates().join(presented.file_name()), &presented.leaf)
    }

    /// Stores a copy for a person to judge, and drops the oldest beyond the bound.
    pub(super) fn store_rejected(&self, presented: &Presented, max: usize) -> Result<PathBuf, TrustError> {
        let folder = self.root.join("rejected/certs");
        let path = folder.join(presented.file_name());
        if !path.exists() {
            store(&path, &presented.leaf)?;
            drop_oldest(&folder, max, &path);
        }
        Ok(path)
    }
}

fn store(path: &Path, der: &[u8]) -> Result<PathBuf, TrustError> {
    files::replace(path, der).map_err(|source| TrustError::Store { path: path.to_owned(), source })?;
    Ok(path.to_owned())
}

fn drop_oldest(folder: &Path, max: usize, keep: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut files: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.path() != keep)
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort();
    let excess = (files.len() + 1).saturating_sub(max);
    for (_, path) in files.iter().take(excess) {
        match fs::remove_file(path) {
            Ok(()) => tracing::warn!(path = %path.display(), "dropped the oldest rejected certificate"),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot drop a rejected certificate")
            }
        }
    }
}

pub(super) fn read_folder(folder: &Path, label: &str) -> Vec<Vec<u8>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(folder = %folder.display(), %error, "a folder of the trust store cannot be read");
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for (count, entry) in entries.flatten().enumerate() {
        if count >= FILES_MAX {
            tracing::warn!(folder = %folder.display(), FILES_MAX, "a folder of the trust store has too many files");
            break;
        }
        let path = entry.path();
        match read_file(&path, label) {
            Ok(certificates) => found.extend(certificates),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a file of the trust store is ignored")
            }
        }
    }
    found
}

/// DER as it is, PEM block by block.
pub(super) fn read_file(path: &Path, label: &str) -> io::Result<Vec<Vec<u8>>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no file, or larger than 1 MiB"));
    }
    let bytes = fs::read(path)?;
    if !bytes.starts_with(b"-----") {
        return Ok(vec![bytes]);
    }
    Pem::iter_from_buffer(&bytes)
        .filter(|block| block.as_ref().is_ok_and(|block| block.label == label) || block.is_err())
        .map(|block| block.map(|block| block.contents).map_err(|error| io::Error::other(error.to_string())))
        .collect()
}
