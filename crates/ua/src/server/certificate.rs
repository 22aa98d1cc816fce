//! The server's own key and certificate, in the stack's folder layout.

use super::behaviour::CertificateFault;
use super::error::ServerError;
use super::options::ServerOptions;
use gemba_base::{Clock, SystemClock, files};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, RsaKeySize, SanType, date_time_ymd,
};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// How long a new certificate is valid.
const YEARS: i32 = 10;

/// Makes `own/cert.der` and `private/private.pem` under the pki folder unless both are there.
///
/// Blocks for the generation of an RSA key: tens of milliseconds.
pub(super) fn ensure(options: &ServerOptions) -> Result<(), ServerError> {
    let (certificate, key) = paths(options);
    if certificate.exists() && key.exists() { Ok(()) } else { renew(options) }
}

/// Makes a new key and certificate whatever is there. Blocks as [`ensure`] does.
pub(super) fn renew(options: &ServerOptions) -> Result<(), ServerError> {
    let (certificate, key) = paths(options);
    create(options, &certificate, &key)
        .map_err(|reason| ServerError::Certificate { folder: options.pki.clone(), reason })
}

/// Where the certificate and the key are.
pub(super) fn paths(options: &ServerOptions) -> (PathBuf, PathBuf) {
    (options.pki.join("own/cert.der"), options.pki.join("private/private.pem"))
}

fn create(options: &ServerOptions, certificate_path: &Path, key_path: &Path) -> Result<(), String> {
    for path in [certificate_path, key_path] {
        let folder = path.parent().unwrap_or(&options.pki);
        files::create_private_folder(folder).map_err(|error| error.to_string())?;
    }
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(|e| e.to_string())?;
    let certificate = parameters(options)?.self_signed(&key).map_err(|error| error.to_string())?;
    files::replace_secret(key_path, key.serialize_pem().as_bytes()).map_err(|error| error.to_string())?;
    files::replace(certificate_path, certificate.der()).map_err(|error| error.to_string())
}

fn parameters(options: &ServerOptions) -> Result<CertificateParams, String> {
    let mut parameters = CertificateParams::default();
    let (year, month, day) = SystemClock::new().now().date();
    let year = i32::try_from(year).map_err(|_| "the clock is out of range".to_owned())?;
    // The 29th of February does not come back in ten years; the 28th always does.
    let (month, day) = (month as u8, day.min(28) as u8);
    parameters.not_before = date_time_ymd(year - 1, month, day);
    parameters.not_after = date_time_ymd(year + YEARS, month, day);
    if options.behaviour.certificate == CertificateFault::Expired {
        parameters.not_before = date_time_ymd(year - 3, month, day);
        parameters.not_after = date_time_ymd(year - 1, month, day);
    }
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, options.application_name.as_str());
    parameters.distinguished_name.push(DnType::OrganizationName, "Gemba");
    let uri = options.application_uri.as_str().try_into().map_err(|_| "the application URI is not ASCII")?;
    // The application URI comes first: some stacks look at the first name only.
    parameters.subject_alt_names.push(SanType::URI(uri));
    let mut names = options.host_names.clone();
    if names.is_empty() {
        names.push(options.advertised_host());
    }
    for name in names {
        let entry = match name.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(
                name.as_str().try_into().map_err(|_| format!("the host name '{name}' is not ASCII"))?,
            ),
        };
        parameters.subject_alt_names.push(entry);
    }
    parameters.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::ContentCommitment,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::DataEncipherment,
        KeyUsagePurpose::KeyCertSign,
    ];
    parameters.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(parameters)
}
