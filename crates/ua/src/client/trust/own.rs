//! The application's own certificate and key.

use super::Thumbprint;
use crate::client::error::UaError;
use gemba_base::files;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256,
    PublicKeyData, RsaKeySize, SanType,
};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Ten years: long enough that a plant's trust lists live, and renewals are announced long before.
const VALIDITY: Duration = Duration::from_secs(10 * 365 * 86_400);
/// A server whose clock is behind must not find the new certificate not yet valid.
const BACKDATING: Duration = Duration::from_secs(86_400);

/// Who the certificate is for.
#[derive(Debug, Clone)]
pub struct Application {
    /// `urn:host:product`; servers compare it with the certificate.
    pub uri: String,
    /// The common name.
    pub name: String,
    /// Names under which this machine is known.
    pub host_names: Vec<String>,
    /// Addresses under which it is known.
    pub addresses: Vec<IpAddr>,
}

/// Where certificate and key are, and the application URI in it.
#[derive(Debug, Clone)]
pub struct OwnCertificate {
    certificate: PathBuf,
    private_key: PathBuf,
    application_uri: String,
    name: String,
    der: Vec<u8>,
}

fn folder_error(path: &Path) -> impl FnOnce(io::Error) -> UaError + '_ {
    move |source| UaError::Folder { path: path.to_owned(), source }
}

impl OwnCertificate {
    pub(super) fn load_or_create(root: &Path, application: &Application) -> Result<Self, UaError> {
        let certificate = root.join("own/cert.der");
        let private_key = root.join("own/private.pem");
        if !certificate.exists() || !private_key.exists() {
            let (der, pem) = create(application).map_err(|error| UaError::Folder {
                path: certificate.clone(),
                source: io::Error::other(error),
            })?;
            // The key first: a certificate without its key would be taken for complete.
            files::replace_secret(&private_key, pem.as_bytes()).map_err(folder_error(&private_key))?;
            files::replace(&certificate, &der).map_err(folder_error(&certificate))?;
        }
        Self::load(root, application)
    }

    /// What is there; makes nothing. For a look while running, when somebody may be about to replace the files.
    pub(super) fn load(root: &Path, application: &Application) -> Result<Self, UaError> {
        let certificate = root.join("own/cert.der");
        let private_key = root.join("own/private.pem");
        let der = fs::read(&certificate).map_err(folder_error(&certificate))?;
        let pem = fs::read_to_string(&private_key).map_err(folder_error(&private_key))?;
        if !fits(&der, &pem) {
            return Err(folder_error(&private_key)(io::Error::new(
                io::ErrorKind::InvalidData,
                "the key does not belong to the certificate beside it",
            )));
        }
        let application_uri = uri_of(&der).ok_or_else(|| UaError::Folder {
            path: certificate.clone(),
            source: io::Error::new(
                io::ErrorKind::InvalidData,
                "it is not a certificate in DER with an application URI",
            ),
        })?;
        Ok(Self { certificate, private_key, application_uri, name: application.name.clone(), der })
    }

    /// The certificate's file, in DER.
    pub fn certificate_file(&self) -> &Path {
        &self.certificate
    }

    /// The key's file, PKCS #8 in PEM.
    pub fn private_key_file(&self) -> &Path {
        &self.private_key
    }

    /// The URI that the certificate names, which may be another one than was asked for when it was there before.
    pub fn application_uri(&self) -> &str {
        &self.application_uri
    }

    /// The application's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name that OPC UA gives it.
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint::of(&self.der)
    }

    /// The certificate.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

/// Whether the key is the certificate's. A key in a form that cannot be read here is left to the stack to judge.
pub(super) fn fits(der: &[u8], pem: &str) -> bool {
    let (Ok((_, certificate)), Ok(key)) = (X509Certificate::from_der(der), KeyPair::from_pem(pem)) else {
        return true;
    };
    key.subject_public_key_info() == certificate.public_key().raw
}

fn uri_of(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    })
}

/// A self-signed certificate as OPC 10000-6 v1.05, 6.2.2 wants it. The key is made by aws-lc: plain-Rust RSA
/// takes tens of seconds in a debug build.
fn create(application: &Application) -> Result<(Vec<u8>, String), rcgen::Error> {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, &application.name);
    params.distinguished_name.push(DnType::OrganizationName, "Gemba");
    params.subject_alt_names.push(SanType::URI(application.uri.as_str().try_into()?));
    for host in &application.host_names {
        params.subject_alt_names.push(SanType::DnsName(host.as_str().try_into()?));
    }
    params.subject_alt_names.extend(application.addresses.iter().map(|address| SanType::IpAddress(*address)));
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::ContentCommitment,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::DataEncipherment,
        KeyUsagePurpose::KeyCertSign,
    ];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    let now = SystemTime::now();
    params.not_before = (now - BACKDATING).into();
    params.not_after = (now + VALIDITY).into();
    let certificate = params.self_signed(&key)?;
    Ok((certificate.der().to_vec(), key.serialize_pem()))
}
