//! Certificates with which we log in as a user: `user/certs` and `user/private`.

use super::folders::read_file;
use super::own;
use crate::client::error::UaError;
use opcua::crypto::{PrivateKey, X509};
use std::fs;
use std::path::{Path, PathBuf};
use x509_parser::prelude::{FromDer, X509Certificate};

const ENDINGS: [&str; 4] = ["der", "crt", "cer", "pem"];
const KEY_ENDINGS: [&str; 2] = ["pem", "key"];
/// Files that are looked at for a common name.
const FILES_MAX: usize = 256;

/// Finds certificate and key: by the file's name without its ending, else by the certificate's common name.
pub(super) fn load(root: &Path, name: &str) -> Result<(X509, PrivateKey), UaError> {
    let (certificates, keys) = (root.join("user/certs"), root.join("user/private"));
    let refuse = |reason: String| UaError::UserCertificate {
        name: name.to_owned(),
        reason,
        certificates: certificates.clone(),
        keys: keys.clone(),
    };
    // The name comes from a configuration file: it names a file in here, and no other.
    let is_file_name = !name.contains(['/', '\\', '\0']) && !name.starts_with('.');
    let by_name = is_file_name.then(|| first_file(&certificates, name, &ENDINGS)).flatten();
    let file = by_name
        .or_else(|| by_common_name(&certificates, name.strip_prefix("CN=").unwrap_or(name)))
        .ok_or_else(|| refuse("there is none of this name".to_owned()))?;
    let der = read_file(&file, "CERTIFICATE").map_err(|error| refuse(error.to_string()))?;
    let der = der.first().ok_or_else(|| refuse(format!("'{}' holds no certificate", file.display())))?;
    let certificate = X509::from_der(der).map_err(|_| refuse("the certificate cannot be read".to_owned()))?;
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let key_file = first_file(&keys, stem, &KEY_ENDINGS)
        .ok_or_else(|| refuse(format!("the key '{stem}.pem' is missing")))?;
    let pem = fs::read(&key_file).map_err(|error| refuse(error.to_string()))?;
    if pem.windows(9).any(|window| window == b"ENCRYPTED") {
        return Err(refuse("its key has a passphrase, which is not supported".to_owned()));
    }
    let key = PrivateKey::from_pem(&pem)
        .map_err(|_| refuse("its key is not an RSA key in PEM (PKCS #8)".to_owned()))?;
    let fits = std::str::from_utf8(&pem).is_ok_and(|pem| own::fits(der, pem));
    if !fits {
        return Err(refuse("its key belongs to another certificate".to_owned()));
    }
    Ok((certificate, key))
}

fn first_file(folder: &Path, stem: &str, endings: &[&str]) -> Option<PathBuf> {
    endings.iter().map(|ending| folder.join(format!("{stem}.{ending}"))).find(|path| path.is_file())
}

fn by_common_name(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    entries.flatten().take(FILES_MAX).map(|entry| entry.path()).find(|path| {
        let Some(der) = read_file(path, "CERTIFICATE").ok().and_then(|all| all.into_iter().next()) else {
            return false;
        };
        X509Certificate::from_der(&der).is_ok_and(|(_, certificate)| {
            certificate.subject().iter_common_name().any(|common| common.as_str() == Ok(name))
        })
    })
}
