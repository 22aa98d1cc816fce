//! Certificates and keys for peers, made for the occasion.

use opcua::crypto::{X509, X509Data};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256,
    RevokedCertParams, RsaKeySize, SanType, SerialNumber,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const SERIAL: u64 = 4711;

/// An authority, and what it signs.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

fn key() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key")
}

fn application(name: &str, uri: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = vec![
        SanType::URI(uri.try_into().expect("a URI")),
        SanType::DnsName("localhost".try_into().expect("a name")),
        SanType::IpAddress("127.0.0.1".parse().expect("an address")),
    ];
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::ContentCommitment,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::DataEncipherment,
    ];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.serial_number = Some(SerialNumber::from(SERIAL));
    params.not_before = (SystemTime::now() - Duration::from_secs(86_400)).into();
    params.not_after = (SystemTime::now() + Duration::from_secs(86_400 * 100)).into();
    params
}

/// Files of one certificate.
pub(crate) struct Files {
    pub(crate) der: PathBuf,
    /// The certificate, with its issuers behind it where it has some.
    pub(crate) chain: PathBuf,
    /// The certificate alone, as text.
    pub(crate) pem: PathBuf,
    pub(crate) key: PathBuf,
}

fn write(folder: &Path, name: &str, certificate: &Certificate, chain: &str, key: &KeyPair) -> Files {
    let files = Files {
        der: folder.join(format!("{name}.der")),
        chain: folder.join(format!("{name}-chain.pem")),
        pem: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}-key.pem")),
    };
    fs::write(&files.der, certificate.der()).expect("written");
    fs::write(&files.pem, certificate.pem()).expect("written");
    fs::write(&files.chain, chain).expect("written");
    fs::write(&files.key, key.serialize_pem()).expect("written");
    files
}

/// A certificate that vouches for itself.
pub(crate) fn self_signed(folder: &Path, name: &str, uri: &str) -> Files {
    let key = key();
    let certificate = application(name, uri).self_signed(&key).expect("a certificate");
    write(folder, name, &certificate, &certificate.pem(), &key)
}

/// A certificate with a key of 1024 bits, which only old tools still make.
pub(crate) fn short(folder: &Path, name: &str, uri: &str) -> Files {
    let data = X509Data {
        key_size: 1024,
        common_name: name.to_owned(),
        organization: "plant".to_owned(),
        organizational_unit: "plant".to_owned(),
        country: "DE".to_owned(),
        state: "plant".to_owned(),
        alt_host_names: X509Data::alt_host_names(uri, None, true, false, true),
        certificate_duration_days: 100,
    };
    let (certificate, key) = X509::cert_and_pkey(&data).expect("a certificate");
    let files = Files {
        der: folder.join(format!("{name}.der")),
        chain: PathBuf::new(),
        pem: PathBuf::new(),
        key: folder.join(format!("{name}-key.der")),
    };
    fs::write(&files.der, certificate.to_der().expect("DER")).expect("written");
    fs::write(&files.key, key.to_der().expect("DER").as_bytes()).expect("written");
    files
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, key()).expect("an authority"))
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        self.0.der().to_vec()
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn sign(&self, folder: &Path, name: &str, uri: &str) -> Files {
        let key = key();
        let mut params = application(name, uri);
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let chain = format!("{}{}", certificate.pem(), self.0.pem());
        write(folder, name, &certificate, &chain, &key)
    }

    /// The list that revokes everything that was signed.
    pub(crate) fn revoke(&self) -> Vec<u8> {
        let now = SystemTime::now();
        let params = CertificateRevocationListParams {
            this_update: (now - Duration::from_secs(3600)).into(),
            next_update: (now + Duration::from_secs(86_400)).into(),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(SERIAL),
                revocation_time: now.into(),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).expect("a list").der().to_vec()
    }
}
