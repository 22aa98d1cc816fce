//! The rules of OPC 10000-4 v1.05, 6.1.3 over a presented certificate.

use super::folders::{Lists, Presented, Thumbprint};
use gemba_model::ErrorCode;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{ASN1Time, CertificateRevocationList, FromDer};

/// Issuers above a leaf; more is no chain but an attack.
const CHAIN_MAX: usize = 8;
/// RSA keys below this are refused for Basic256Sha256 (OPC 10000-7, profile of the policy).
const KEY_BITS_MIN: usize = 2048;

/// Rules that are not enforced, each with its own risk. All are enforced by default; lists of revoked
/// certificates are used where there are any and demanded only with `require_revocation_lists`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overrides {
    /// Accepts certificates outside their validity.
    pub validity: bool,
    /// Accepts certificates without the wanted key usages.
    pub key_usage: bool,
    /// Accepts a certificate that names another application URI than the server's endpoint.
    pub application_uri: bool,
    /// Accepts a certificate that an authority vouches for, but that names another host than was dialled.
    pub host_name: bool,
    /// Accepts RSA keys of 1024 bits and more.
    pub short_keys: bool,
    /// Refuses a certificate of an authority for which there is no valid list of revoked ones.
    pub require_revocation_lists: bool,
}

/// Which rule a certificate broke. The text names the remedy.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Neither the certificate nor an authority above it is trusted.
    #[error(
        "'{subject}' (thumbprint {thumbprint}) is not trusted; to trust it, move '{}' to '{}', or start with auto-accept once",
        rejected.display(), trusted.display()
    )]
    Untrusted {
        /// The certificate's subject.
        subject: String,
        /// Its SHA-1.
        thumbprint: Thumbprint,
        /// Where the copy is.
        rejected: PathBuf,
        /// Where it belongs when it is trusted.
        trusted: PathBuf,
    },
    /// Outside its validity.
    #[error(
        "'{subject}' is valid from {from} to {to}, which is not now; renew it on the server, or correct the clock of this machine"
    )]
    Validity {
        /// The certificate's subject.
        subject: String,
        /// Not before.
        from: String,
        /// Not after.
        to: String,
    },
    /// On its authority's list of revoked certificates.
    #[error("'{subject}' was revoked by '{issuer}'; the server needs a new certificate")]
    Revoked {
        /// The certificate's subject.
        subject: String,
        /// Who revoked it.
        issuer: String,
    },
    /// No valid list of revoked certificates, though one is demanded.
    #[error(
        "there is no valid list of revoked certificates of '{issuer}'; put it in trusted/crl or issuer/crl"
    )]
    RevocationUnknown {
        /// Whose list.
        issuer: String,
    },
    /// The chain is broken or forged.
    #[error("the chain of '{subject}' is not sound: {reason}")]
    Chain {
        /// The certificate's subject.
        subject: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// It may not be used for this.
    #[error(
        "'{subject}' must not be used for this: {reason}; the server needs a certificate made for OPC UA"
    )]
    KeyUsage {
        /// The certificate's subject.
        subject: String,
        /// Which usage is missing.
        reason: &'static str,
    },
    /// The key is too short or of another kind.
    #[error("the key of '{subject}' has {bits} bits; RSA with 2048 bits or more is needed")]
    Key {
        /// The certificate's subject.
        subject: String,
        /// Its length; 0 for other kinds of key.
        bits: usize,
    },
    /// It is another application's.
    #[error(
        "'{subject}' is for the application '{found}', but the endpoint says '{expected}'; correct one of them on the server"
    )]
    ApplicationUri {
        /// The certificate's subject.
        subject: String,
        /// In the certificate.
        found: String,
        /// In the endpoint description.
        expected: String,
    },
    /// It is another host's.
    #[error(
        "'{subject}' does not name the host '{host}'; dial a name that it has, or trust this certificate itself"
    )]
    HostName {
        /// The certificate's subject.
        subject: String,
        /// What was dialled.
        host: String,
    },
    /// It is no certificate at all.
    #[error("what the server presents is no X.509 certificate: {reason}")]
    NotACertificate {
        /// What the parser says.
        reason: String,
    },
    /// The connection is not that of the certificate, which itself is trusted.
    #[error(
        "it is trusted, but {reason}; if the server was not just given a new certificate, look for what stands between it and this machine"
    )]
    Channel {
        /// What does not fit.
        reason: String,
    },
    /// A certificate cannot be stored.
    #[error("cannot store '{}': {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl TrustError {
    /// The short name; each has a page under `docs/errors/`.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode(match self {
            Self::Untrusted { .. } => "GMB-UA-020",
            Self::Validity { .. } => "GMB-UA-021",
            Self::Revoked { .. } => "GMB-UA-022",
            Self::RevocationUnknown { .. } => "GMB-UA-023",
            Self::Chain { .. } => "GMB-UA-024",
            Self::KeyUsage { .. } => "GMB-UA-025",
            Self::Key { .. } => "GMB-UA-026",
            Self::ApplicationUri { .. } => "GMB-UA-027",
            Self::HostName { .. } => "GMB-UA-028",
            Self::NotACertificate { .. } => "GMB-UA-029",
            Self::Store { .. } => "GMB-UA-031",
            Self::Channel { .. } => "GMB-UA-032",
        })
    }
}

fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der)
        .ok()
        .filter(|(rest, _)| rest.is_empty())
        .map(|(_, certificate)| certificate)
}

/// Judges `presented` by `lists`. The paths of [`TrustError::Untrusted`] are left for the caller to fill.
pub(super) fn validate(
    presented: &Presented,
    lists: &Lists,
    overrides: &Overrides,
    application_uri: &str,
    host: &str,
) -> Result<(), TrustError> {
    let Some(leaf) = parse(&presented.leaf) else {
        return Err(TrustError::NotACertificate { reason: "it cannot be read".to_owned() });
    };
    let itself_trusted = lists.trusted.contains(&presented.leaf);
    // First of all: a signature with a short key cannot even be verified here, and would be called wrong.
    check_key(&leaf, overrides)?;
    let chain = build_chain(&leaf, itself_trusted, presented, lists)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    for certificate in std::iter::once(&leaf).chain(&chain) {
        check_validity(certificate, now, overrides)?;
        check_key(certificate, overrides)?;
    }
    check_revocation(&leaf, &chain, lists, now, overrides)?;
    check_key_usage(&leaf, overrides)?;
    check_application_uri(&leaf, application_uri, overrides)?;
    if !itself_trusted && !overrides.host_name && !names_host(&leaf, host) {
        // A person who trusts a certificate has seen it; one that an authority vouches for must prove its host.
        return Err(TrustError::HostName { subject: subject(&leaf), host: host.to_owned() });
    }
    Ok(())
}

fn subject(certificate: &X509Certificate<'_>) -> String {
    certificate.subject().to_string().chars().take(200).collect()
}

fn is_self_issued(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

/// The issuers above the leaf up to the first that is trusted. Every signature on the way is verified.
fn build_chain<'a>(
    leaf: &X509Certificate<'a>,
    itself_trusted: bool,
    presented: &'a Presented,
    lists: &'a Lists,
) -> Result<Vec<X509Certificate<'a>>, TrustError> {
    let broken = |reason| TrustError::Chain { subject: subject(leaf), reason };
    if is_self_issued(leaf) {
        if leaf.verify_signature(None).is_err() {
            return Err(broken("its own signature is wrong"));
        }
        return if itself_trusted { Ok(Vec::new()) } else { Err(untrusted(leaf, presented)) };
    }
    let candidates: Vec<(&[u8], bool)> = lists
        .trusted
        .iter()
        .map(|der| (der.as_slice(), true))
        .chain(lists.issuers.iter().chain(&presented.issuers).map(|der| (der.as_slice(), false)))
        .collect();
    let mut chain: Vec<X509Certificate<'a>> = Vec::new();
    loop {
        let below = chain.last().unwrap_or(leaf);
        let issuer = candidates.iter().find_map(|(der, trusted)| {
            let issuer = parse(der)?;
            let matches = issuer.subject().as_raw() == below.issuer().as_raw()
                && below.verify_signature(Some(issuer.public_key())).is_ok();
            matches.then_some((issuer, *trusted))
        });
        let Some((issuer, trusted)) = issuer else {
            // A trusted leaf stands by itself; what is known of its chain was still looked at.
            return if itself_trusted { Ok(chain) } else { Err(untrusted(leaf, presented)) };
        };
        check_authority(&issuer, chain.len()).map_err(broken)?;
        let root = is_self_issued(&issuer);
        chain.push(issuer);
        if trusted {
            return Ok(chain);
        }
        if root || chain.len() >= CHAIN_MAX {
            return if itself_trusted { Ok(chain) } else { Err(untrusted(leaf, presented)) };
        }
    }
}

fn untrusted(leaf: &X509Certificate<'_>, presented: &Presented) -> TrustError {
    TrustError::Untrusted {
        subject: subject(leaf),
        thumbprint: Thumbprint::of(&presented.leaf),
        rejected: PathBuf::new(),
        trusted: PathBuf::new(),
    }
}

fn check_authority(issuer: &X509Certificate<'_>, below: usize) -> Result<(), &'static str> {
    let constraints = issuer.basic_constraints().ok().flatten();
    if !constraints.as_ref().is_some_and(|constraints| constraints.value.ca) {
        return Err("an issuer is no authority");
    }
    let limit = constraints.and_then(|constraints| constraints.value.path_len_constraint);
    if limit.is_some_and(|limit| below > limit as usize) {
        return Err("it is longer than an issuer allows");
    }
    let usage = issuer.key_usage().ok().flatten();
    if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
        return Err("an issuer must not sign certificates");
    }
    Ok(())
}

fn check_validity(
    certificate: &X509Certificate<'_>,
    now: i64,
    overrides: &Overrides,
) -> Result<(), TrustError> {
    let validity = certificate.validity();
    let valid = ASN1Time::from_timestamp(now).is_ok_and(|now| validity.is_valid_at(now));
    if valid || overrides.validity {
        return Ok(());
    }
    Err(TrustError::Validity {
        subject: subject(certificate),
        from: validity.not_before.to_string(),
        to: validity.not_after.to_string(),
    })
}

fn check_key(certificate: &X509Certificate<'_>, overrides: &Overrides) -> Result<(), TrustError> {
    let bits = match certificate.public_key().parsed() {
        Ok(x509_parser::public_key::PublicKey::RSA(key)) => key.key_size(),
        _ => 0,
    };
    let min = if overrides.short_keys { 1024 } else { KEY_BITS_MIN };
    if bits >= min { Ok(()) } else { Err(TrustError::Key { subject: subject(certificate), bits }) }
}

fn check_revocation(
    leaf: &X509Certificate<'_>,
    chain: &[X509Certificate<'_>],
    lists: &Lists,
    now: i64,
    overrides: &Overrides,
) -> Result<(), TrustError> {
    for (below, issuer) in std::iter::once(leaf).chain(chain).zip(chain) {
        let mut known = false;
        for der in &lists.revocations {
            let Ok((_, list)) = CertificateRevocationList::from_der(der) else { continue };
            if list.issuer().as_raw() != issuer.subject().as_raw()
                || list.verify_signature(issuer.public_key()).is_err()
            {
                continue;
            }
            // An outdated list still proves what it revokes, but no longer that nothing was added.
            known |= list.next_update().is_none_or(|next| next.timestamp() >= now);
            let serial = below.raw_serial();
            if list.iter_revoked_certificates().any(|revoked| revoked.raw_serial() == serial) {
                return Err(TrustError::Revoked { subject: subject(below), issuer: subject(issuer) });
            }
        }
        if !known && overrides.require_revocation_lists {
            return Err(TrustError::RevocationUnknown { issuer: subject(issuer) });
        }
    }
    Ok(())
}

/// Servers in the field often lack one of the four usages that the standard asks for. What a session needs is
/// enforced: the leaf signs, and it decrypts.
fn check_key_usage(leaf: &X509Certificate<'_>, overrides: &Overrides) -> Result<(), TrustError> {
    if overrides.key_usage {
        return Ok(());
    }
    let refuse = |reason| Err(TrustError::KeyUsage { subject: subject(leaf), reason });
    if let Ok(Some(usage)) = leaf.key_usage() {
        if !usage.value.digital_signature() {
            return refuse("the usage digitalSignature is missing");
        }
        if !usage.value.key_encipherment() && !usage.value.data_encipherment() {
            return refuse("the usages keyEncipherment and dataEncipherment are missing");
        }
    }
    if let Ok(Some(usage)) = leaf.extended_key_usage()
        && !usage.value.server_auth
        && !usage.value.any
    {
        return refuse("the extended usage serverAuth is missing");
    }
    Ok(())
}

fn check_application_uri(
    leaf: &X509Certificate<'_>,
    expected: &str,
    overrides: &Overrides,
) -> Result<(), TrustError> {
    if overrides.application_uri {
        return Ok(());
    }
    let names = alternative_names(leaf);
    let uris: Vec<&str> = names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        })
        .collect();
    if uris.contains(&expected) {
        return Ok(());
    }
    Err(TrustError::ApplicationUri {
        subject: subject(leaf),
        found: uris.join(", "),
        expected: expected.to_owned(),
    })
}

fn alternative_names<'a>(certificate: &X509Certificate<'a>) -> Vec<GeneralName<'a>> {
    certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .map_or_else(Vec::new, |names| names.value.general_names.clone())
}

fn names_host(leaf: &X509Certificate<'_>, host: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    alternative_names(leaf).iter().any(|name| match name {
        GeneralName::DNSName(name) => name.eq_ignore_ascii_case(host),
        GeneralName::IPAddress(bytes) => match address {
            Some(IpAddr::V4(address)) => address.octets() == *bytes,
            Some(IpAddr::V6(address)) => address.octets() == *bytes,
            None => false,
        },
        _ => false,
    })
}
