//! A certificate authority of the hub's own, and the hub's server certificate: made at the first start,
//! renewed before they end.

use crate::error::TlsError;
use gemba_base::{Clock, Tasks, files, random};
use gemba_model::DateTime;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

const DAY: Duration = Duration::from_secs(86_400);
/// Edges carry the authority's certificate with them, so it lasts longer than the machines.
const AUTHORITY_DAYS: u32 = 20 * 365;
/// What browsers and phones accept at most for a server.
const SERVER_DAYS: u32 = 397;
/// A certificate with less time left is made anew.
const RENEW_BEFORE_DAYS: u32 = 60;

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFiles {
    /// The authority's certificate, for clients to trust.
    pub ca: PathBuf,
    /// The server's chain.
    pub certificate: PathBuf,
    /// The server's key, mode 0600.
    pub key: PathBuf,
    /// Whether the server's certificate was made by this call.
    pub renewed: bool,
}

/// Makes sure that `folder` holds an authority (`ca.pem`, `ca.key`) and a server certificate signed by it
/// (`server.pem`, `server.key`) for the given hosts, this machine's name, `localhost` and the loopback
/// addresses. What is there, fits and lasts another 60 days is kept; the rest is made anew. Call it at each
/// start, and [`keep_renewed`] then; [`crate::tls::Acceptor::watch`] takes over what changed.
///
/// # Errors
/// [`TlsError::File`] or [`TlsError::Making`]. A damaged or foreign `ca.key` is an error: a new authority would
/// cut off every edge that trusts the old one, so a person decides.
pub fn ensure_server(folder: &Path, hosts: &[String], now: DateTime) -> Result<ServerFiles, TlsError> {
    let file = |name: &str| folder.join(name);
    files::create_private_folder(folder)
        .map_err(|source| TlsError::File { path: folder.to_owned(), source })?;
    let authority = Authority::ensure(folder, now)?;
    let names = names(hosts);
    let (certificate, key) = (file("server.pem"), file("server.key"));
    let fits = server_fits(&certificate, &key, &authority.der, &names, now);
    if !fits {
        authority.issue_server(folder, &certificate, &key, &names, now)?;
    }
    Ok(ServerFiles { ca: file("ca.pem"), certificate, key, renewed: !fits })
}

/// Calls [`ensure_server`] daily until `tasks` stops, so that a process that runs for years renews its
/// certificate. A failure is logged and tried again the next day; there are 60 of them.
pub fn keep_renewed(folder: PathBuf, hosts: Vec<String>, clock: Arc<dyn Clock>, tasks: &Tasks) {
    keep_renewed_each(DAY, folder, hosts, clock, tasks);
}

/// [`keep_renewed`] with another interval than a day.
pub fn keep_renewed_each(
    interval: Duration,
    folder: PathBuf,
    hosts: Vec<String>,
    clock: Arc<dyn Clock>,
    tasks: &Tasks,
) {
    let stopping = tasks.clone();
    tasks.spawn(async move {
        loop {
            tokio::select! {
                () = stopping.stopping() => return,
                () = tokio::time::sleep(interval) => {}
            }
            let (folder, hosts, now) = (folder.clone(), hosts.clone(), clock.now());
            match tokio::task::spawn_blocking(move || ensure_server(&folder, &hosts, now)).await {
                Ok(Ok(files)) if files.renewed => {
                    tracing::info!(certificate = %files.certificate.display(), "server certificate renewed");
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    tracing::error!(code = %error.code(), %error, "the certificate was not renewed")
                }
                Err(error) => tracing::error!(%error, "the renewal was ended"),
            }
        }
    });
}

/// DNS names in lower case and addresses, each once.
fn names(hosts: &[String]) -> Vec<String> {
    let machine = machine_name();
    let mut names: Vec<String> = Vec::new();
    let loopback =
        [IpAddr::from(Ipv4Addr::LOCALHOST).to_string(), IpAddr::from(Ipv6Addr::LOCALHOST).to_string()];
    let all = hosts.iter().cloned().chain(machine).chain(["localhost".to_owned()]).chain(loopback);
    for name in all {
        let name = name.trim().trim_matches(['[', ']']).to_ascii_lowercase();
        let unspecified = name.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified());
        if !name.is_empty() && !unspecified && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn machine_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    // A name with other characters cannot stand in a certificate.
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    Some(name.trim().to_owned()).filter(|name| !name.is_empty() && name.chars().all(valid))
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: Vec<u8>,
    pem: String,
}

impl Authority {
    fn ensure(folder: &Path, now: DateTime) -> Result<Self, TlsError> {
        let (certificate, key) = (folder.join("ca.pem"), folder.join("ca.key"));
        if !certificate.exists() || !key.exists() {
            make_authority(folder, &certificate, &key, now)?;
        }
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|source| TlsError::File { path: path.to_owned(), source })
        };
        let unusable = |path: &Path, detail: String| TlsError::Unusable { path: path.to_owned(), detail };
        let pem = read(&certificate)?;
        let key_pair = KeyPair::from_pem(&read(&key)?).map_err(|error| unusable(&key, error.to_string()))?;
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| unusable(&certificate, error.to_string()))?
            .to_vec();
        let (_, parsed) =
            X509Certificate::from_der(&der).map_err(|error| unusable(&certificate, error.to_string()))?;
        if parsed.public_key().subject_public_key.data.as_ref() != key_pair.public_key_raw() {
            return Err(unusable(&key, "it is not the key of ca.pem".into()));
        }
        let left = parsed.validity().not_after.timestamp() - now.unix_seconds();
        if left < i64::from(SERVER_DAYS) * DAY.as_secs() as i64 {
            tracing::warn!(
                ca = %certificate.display(), days = left / DAY.as_secs() as i64,
                "the hub's certificate authority ends soon: delete ca.pem and ca.key to make a new one, and give ca.pem to every edge"
            );
        }
        let issuer = Issuer::from_ca_cert_pem(&pem, key_pair)
            .map_err(|error| unusable(&certificate, error.to_string()))?;
        Ok(Self { issuer, der, pem })
    }

    fn issue_server(
        &self,
        folder: &Path,
        certificate: &Path,
        key: &Path,
        names: &[String],
        now: DateTime,
    ) -> Result<(), TlsError> {
        let making =
            |error: rcgen::Error| TlsError::Making { folder: folder.into(), detail: error.to_string() };
        let mut params = CertificateParams::new(names.to_vec()).map_err(making)?;
        params.distinguished_name = DistinguishedName::new();
        let common = names.first().map_or("gemba", String::as_str);
        // X.520 bounds a common name to 64 characters; clients look at the alternative names anyway.
        params.distinguished_name.push(DnType::CommonName, common.chars().take(64).collect::<String>());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial());
        set_validity(&mut params, now, SERVER_DAYS);
        let key_pair = KeyPair::generate().map_err(making)?;
        let leaf = params.signed_by(&key_pair, &self.issuer).map_err(making)?;
        let chain = format!("{}{}", leaf.pem(), self.pem);
        write(key, key_pair.serialize_pem().as_bytes(), true)?;
        write(certificate, chain.as_bytes(), false)
    }
}

fn make_authority(folder: &Path, certificate: &Path, key: &Path, now: DateTime) -> Result<(), TlsError> {
    let making = |error: rcgen::Error| TlsError::Making { folder: folder.into(), detail: error.to_string() };
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    // Two authorities with one name confuse clients that hold both.
    params.distinguished_name.push(DnType::CommonName, format!("Gemba hub CA {}", random::hex::<4>()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.serial_number = Some(serial());
    set_validity(&mut params, now, AUTHORITY_DAYS);
    let key_pair = KeyPair::generate().map_err(making)?;
    let authority = params.self_signed(&key_pair).map_err(making)?;
    write(key, key_pair.serialize_pem().as_bytes(), true)?;
    write(certificate, authority.pem().as_bytes(), false)
}

fn write(path: &Path, bytes: &[u8], secret: bool) -> Result<(), TlsError> {
    let outcome = if secret { files::replace_secret(path, bytes) } else { files::replace(path, bytes) };
    outcome.map_err(|source| TlsError::File { path: path.to_owned(), source })
}

fn serial() -> SerialNumber {
    // RFC 5280, 4.1.2.2: positive and at most 20 bytes; a set top bit would make it negative.
    let mut bytes = random::bytes::<16>();
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    SerialNumber::from_slice(&bytes)
}

/// From the day before yesterday, because clocks of machines differ, for so many days.
fn set_validity(params: &mut CertificateParams, now: DateTime, days: u32) {
    let day = |time: DateTime| {
        let (year, month, day) = time.date();
        rcgen::date_time_ymd(year.clamp(1950, 9990) as i32, month as u8, day as u8)
    };
    params.not_before = day(now.saturating_sub(DAY));
    params.not_after = day(now.saturating_add(DAY * days));
}

/// Whether the server's files belong together and to the authority, name every wanted host and last.
fn server_fits(certificate: &Path, key: &Path, authority: &[u8], names: &[String], now: DateTime) -> bool {
    let Ok(leaf) = CertificateDer::from_pem_file(certificate) else { return false };
    let Ok(private) = PrivateKeyDer::from_pem_file(key) else { return false };
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    if rustls::sign::CertifiedKey::from_der(vec![leaf.clone()], private, &provider).is_err() {
        return false;
    }
    let (Ok((_, leaf)), Ok((_, authority))) =
        (X509Certificate::from_der(&leaf), X509Certificate::from_der(authority))
    else {
        return false;
    };
    let lasts =
        leaf.validity().not_after.timestamp() >= now.saturating_add(DAY * RENEW_BEFORE_DAYS).unix_seconds();
    lasts
        && leaf.verify_signature(Some(authority.public_key())).is_ok()
        && names.iter().all(|name| is_named(&leaf, name))
}

fn is_named(leaf: &X509Certificate<'_>, name: &str) -> bool {
    let Ok(Some(alternatives)) = leaf.subject_alternative_name() else { return false };
    let octets = name.parse::<IpAddr>().ok().map(|address| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    });
    alternatives.value.general_names.iter().any(|known| match (known, &octets) {
        (GeneralName::IPAddress(bytes), Some(octets)) => *bytes == octets.as_slice(),
        (GeneralName::DNSName(dns), None) => *dns == name,
        _ => false,
    })
}
