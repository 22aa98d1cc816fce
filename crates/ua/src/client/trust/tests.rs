//! Chains, lists and rules, with certificates made for the occasion.

use super::folders::{Folders, Lists, Presented};
use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RevokedCertParams,
    RsaKeySize, SanType, SerialNumber,
};
use std::fs;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

const URI: &str = "urn:plc";
const HOST: &str = "plc.example";

fn key() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key")
}

/// Keys are the slow part.
static KEYS: LazyLock<[KeyPair; 2]> = LazyLock::new(|| [key(), key()]);

type Issuer = CertifiedIssuer<'static, &'static KeyPair>;

fn authority(name: &str, key: usize) -> Issuer {
    CertifiedIssuer::self_signed(authority_params(name), &KEYS[key]).expect("an authority")
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "plc");
    params.subject_alt_names = vec![
        SanType::URI(URI.try_into().expect("a URI")),
        SanType::DnsName(HOST.try_into().expect("a name")),
        SanType::IpAddress("192.0.2.7".parse().expect("an address")),
    ];
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::DataEncipherment,
        KeyUsagePurpose::ContentCommitment,
    ];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.serial_number = Some(SerialNumber::from(4711_u64));
    params
}

fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = leaf_params();
    change(&mut params);
    params.self_signed(&KEYS[0]).expect("a certificate").der().to_vec()
}

fn signed_by(issuer: &Issuer, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = leaf_params();
    change(&mut params);
    params.signed_by(&KEYS[0], issuer).expect("a certificate").der().to_vec()
}

fn revocations(issuer: &Issuer, serials: &[u64], until: Duration) -> Vec<u8> {
    let now = SystemTime::now();
    let revoked = serials.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: now.into(),
        reason_code: None,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: (now - Duration::from_secs(7200)).into(),
        next_update: (now - Duration::from_secs(3600) + until).into(),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).expect("a list").der().to_vec()
}

const VALID: Duration = Duration::from_secs(86_400);

fn judge(presented: &[u8], lists: &Lists, overrides: Overrides) -> &'static str {
    let presented = Presented::read(presented).expect("a certificate");
    match validator::validate(&presented, lists, &overrides, URI, HOST) {
        Ok(()) => "accepted",
        Err(error) => {
            assert!(error.to_string().len() > 20, "an error explains itself");
            error.code().0
        }
    }
}

fn trusting(certificates: &[&[u8]]) -> Lists {
    Lists { trusted: certificates.iter().map(|der| der.to_vec()).collect(), ..Lists::default() }
}

#[test]
fn a_self_signed_certificate_is_accepted_only_when_it_is_in_the_list() {
    let leaf = self_signed(|_| {});
    assert_eq!(judge(&leaf, &Lists::default(), Overrides::default()), "GMB-UA-020");
    assert_eq!(judge(&leaf, &trusting(&[&leaf]), Overrides::default()), "accepted");
    let twin = self_signed(|params| params.serial_number = Some(SerialNumber::from(1_u64)));
    assert_eq!(
        judge(&twin, &trusting(&[&leaf]), Overrides::default()),
        "GMB-UA-020",
        "same name, other bytes"
    );
}

#[test]
fn a_trusted_authority_vouches_for_its_certificates_and_nobody_elses() {
    let (ours, forged) = (authority("plant", 1), authority("plant", 0));
    let lists = trusting(&[ours.der()]);
    assert_eq!(judge(&signed_by(&ours, |_| {}), &lists, Overrides::default()), "accepted");
    assert_eq!(judge(&signed_by(&forged, |_| {}), &lists, Overrides::default()), "GMB-UA-020");
}

#[test]
fn an_authority_among_the_issuers_completes_a_chain_but_is_not_trusted_itself() {
    let root = authority("root", 1);
    let middle =
        CertifiedIssuer::signed_by(authority_params("middle"), &KEYS[0], &root).expect("an authority");
    let leaf = signed_by(&middle, |_| {});
    let lists = |trusted: &[&Issuer], issuers: &[&Issuer]| Lists {
        trusted: trusted.iter().map(|issuer| issuer.der().to_vec()).collect(),
        issuers: issuers.iter().map(|issuer| issuer.der().to_vec()).collect(),
        revocations: Vec::new(),
    };
    let verdict = |lists: &Lists| judge(&leaf, lists, Overrides::default());
    assert_eq!(verdict(&lists(&[&root], &[&middle])), "accepted");
    assert_eq!(verdict(&lists(&[&middle], &[])), "accepted", "what stands above a trusted one is not needed");
    assert_eq!(verdict(&lists(&[&root], &[])), "GMB-UA-020", "the chain has a hole");
    assert_eq!(verdict(&lists(&[], &[&root, &middle])), "GMB-UA-020", "nobody in it is trusted");
    let sent = [leaf.as_slice(), middle.der()].concat();
    assert_eq!(
        judge(&sent, &lists(&[&root], &[]), Overrides::default()),
        "accepted",
        "the server may fill it"
    );
}

#[test]
fn an_issuer_that_is_no_authority_breaks_the_chain() {
    let mut params = authority_params("plc 7");
    params.is_ca = IsCa::ExplicitNoCa;
    let impostor = CertifiedIssuer::self_signed(params, &KEYS[1]).expect("a certificate");
    let lists = trusting(&[impostor.der()]);
    assert_eq!(judge(&signed_by(&impostor, |_| {}), &lists, Overrides::default()), "GMB-UA-024");
    let root = {
        let mut params = authority_params("root");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        CertifiedIssuer::self_signed(params, &KEYS[1]).expect("an authority")
    };
    let middle =
        CertifiedIssuer::signed_by(authority_params("middle"), &KEYS[0], &root).expect("an authority");
    let lists = Lists { issuers: vec![middle.der().to_vec()], ..trusting(&[root.der()]) };
    assert_eq!(judge(&signed_by(&middle, |_| {}), &lists, Overrides::default()), "GMB-UA-024", "too long");
}

#[test]
fn revoked_certificates_are_refused_and_lists_can_be_demanded() {
    let root = authority("plant", 1);
    let leaf = signed_by(&root, |_| {});
    let with =
        |list: Option<Vec<u8>>| Lists { revocations: list.into_iter().collect(), ..trusting(&[root.der()]) };
    let strict = Overrides { require_revocation_lists: true, ..Overrides::default() };
    assert_eq!(
        judge(&leaf, &with(Some(revocations(&root, &[4711], VALID))), Overrides::default()),
        "GMB-UA-022"
    );
    assert_eq!(judge(&leaf, &with(Some(revocations(&root, &[1], VALID))), strict), "accepted");
    assert_eq!(judge(&leaf, &with(None), strict), "GMB-UA-023");
    let outdated = || revocations(&root, &[4711], Duration::ZERO);
    assert_eq!(
        judge(&leaf, &with(Some(outdated())), Overrides::default()),
        "GMB-UA-022",
        "it still proves this"
    );
    let empty = revocations(&root, &[], Duration::ZERO);
    assert_eq!(judge(&leaf, &with(Some(empty)), strict), "GMB-UA-023", "but not that nothing was added");
    let forged = authority("plant", 0);
    assert_eq!(
        judge(&leaf, &with(Some(revocations(&forged, &[4711], VALID))), Overrides::default()),
        "accepted"
    );
}

#[test]
fn each_rule_has_its_code_and_its_override() {
    let all = Overrides {
        validity: true,
        key_usage: true,
        application_uri: true,
        host_name: true,
        short_keys: true,
        require_revocation_lists: false,
    };
    let now = SystemTime::now();
    type Change<'a> = &'a dyn Fn(&mut CertificateParams);
    let cases: [(&str, Change<'_>); 5] = [
        ("GMB-UA-021", &|params| params.not_after = (now - VALID).into()),
        ("GMB-UA-021", &|params| params.not_before = (now + VALID).into()),
        ("GMB-UA-025", &|params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]),
        ("GMB-UA-025", &|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
        ("GMB-UA-027", &|params| {
            params.subject_alt_names = vec![SanType::URI("urn:other".try_into().expect("a URI"))];
        }),
    ];
    for (code, change) in cases {
        let leaf = self_signed(change);
        let lists = trusting(&[&leaf]);
        assert_eq!(judge(&leaf, &lists, Overrides::default()), code);
        assert_eq!(judge(&leaf, &lists, all), "accepted", "{code}");
    }
}

#[test]
fn the_host_counts_where_an_authority_vouches_and_not_where_a_person_did() {
    let root = authority("plant", 1);
    let elsewhere: &dyn Fn(&mut CertificateParams) = &|params| {
        params.subject_alt_names = vec![SanType::URI(URI.try_into().expect("a URI"))];
    };
    let leaf = signed_by(&root, elsewhere);
    assert_eq!(judge(&leaf, &trusting(&[root.der()]), Overrides::default()), "GMB-UA-028");
    assert_eq!(judge(&leaf, &trusting(&[root.der(), &leaf]), Overrides::default()), "accepted");
    let by_address = signed_by(&root, |_| {});
    let presented = Presented::read(&by_address).expect("a certificate");
    let lists = trusting(&[root.der()]);
    assert!(validator::validate(&presented, &lists, &Overrides::default(), URI, "192.0.2.7").is_ok());
    assert!(validator::validate(&presented, &lists, &Overrides::default(), URI, "192.0.2.8").is_err());
}

#[test]
fn a_key_of_another_kind_is_refused() {
    let key = KeyPair::generate().expect("a key on an elliptic curve");
    let leaf = leaf_params().self_signed(&key).expect("a certificate").der().to_vec();
    assert_eq!(judge(&leaf, &trusting(&[&leaf]), Overrides::default()), "GMB-UA-026");
}

#[test]
fn what_is_no_certificate_is_refused_and_never_panics() {
    let leaf = self_signed(|_| {});
    for bytes in [&[][..], b"hello", &leaf[..leaf.len() - 1], &[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]] {
        let error = Presented::read(bytes).expect_err("no certificate");
        assert_eq!(error.code().0, "GMB-UA-029");
    }
    let mut state = 1_u64;
    for _ in 0..2_000 {
        let mut bytes = leaf.clone();
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (state >> 33) as usize % bytes.len();
        bytes[at] ^= (state >> 24) as u8 | 1;
        if let Ok(presented) = Presented::read(&bytes) {
            let verdict =
                validator::validate(&presented, &trusting(&[&leaf]), &Overrides::default(), URI, HOST);
            assert!(verdict.is_err(), "a certificate with another byte {at} is another certificate");
        }
    }
}

struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("gemba-trust-{}", gemba_base::random::hex::<8>())))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn rejected_certificates_are_bounded_and_the_oldest_goes_first() {
    let place = Place::new();
    let folders = Folders::create(place.0.clone()).expect("folders");
    let mut stored = Vec::new();
    for serial in 1..=4_u64 {
        let leaf = self_signed(|params| params.serial_number = Some(SerialNumber::from(serial)));
        let presented = Presented::read(&leaf).expect("a certificate");
        let path = folders.store_rejected(&presented, 3).expect("stored");
        let age = Duration::from_secs(1000 - serial * 100);
        let file = fs::File::options().write(true).open(&path).expect("the file");
        file.set_modified(SystemTime::now() - age).expect("an age");
        stored.push(path);
    }
    let left: Vec<bool> = stored.iter().map(|path| path.exists()).collect();
    assert_eq!(left, [false, true, true, true]);
}

#[test]
fn pem_and_der_are_read_and_what_is_neither_trusts_nobody() {
    let place = Place::new();
    let folders = Folders::create(place.0.clone()).expect("folders");
    let certificate = leaf_params().self_signed(&KEYS[0]).expect("a certificate");
    let trusted = folders.trusted_certificates();
    fs::write(trusted.join("a.pem"), certificate.pem()).expect("written");
    fs::write(trusted.join("readme.txt"), "not a certificate").expect("written");
    let lists = folders.read();
    assert!(lists.trusted.contains(&certificate.der().to_vec()));
    assert_eq!(judge(certificate.der(), &lists, Overrides::default()), "accepted");
}

#[test]
fn auto_accept_stores_what_is_sound_and_nothing_else() {
    let place = Place::new();
    let application = Application {
        uri: "urn:test".into(),
        name: "test".into(),
        host_names: vec!["localhost".into()],
        addresses: Vec::new(),
    };
    let options = TrustOptions { auto_accept: true, ..TrustOptions::default() };
    let store = TrustStore::open(&place.0, &application, options).expect("a store");
    assert_eq!(store.own().application_uri(), "urn:test");
    let expired = self_signed(|params| params.not_after = (SystemTime::now() - VALID).into());
    let refused = store.validate(&expired, URI, HOST).expect_err("expired");
    assert_eq!(refused.code().0, "GMB-UA-021");
    let good = self_signed(|_| {});
    store.validate(&good, URI, HOST).expect("accepted");
    let strict = TrustStore::open(&place.0, &application, TrustOptions::default()).expect("the same folders");
    strict.validate(&good, URI, HOST).expect("stored as trusted");
    assert!(strict.validate(&expired, URI, HOST).is_err());
}

#[test]
fn whatever_is_refused_lies_where_a_person_finds_it() {
    let place = Place::new();
    let application = Application {
        uri: "urn:test".into(),
        name: "test".into(),
        host_names: Vec::new(),
        addresses: Vec::new(),
    };
    let store = TrustStore::open(&place.0, &application, TrustOptions::default()).expect("a store");
    let authority = authority("root", 1);
    fs::write(place.0.join("trusted/certs/root.der"), authority.der()).expect("trusted");
    let day = Duration::from_secs(86_400);
    let cases: [(&str, &str, &str, Vec<u8>); 5] = [
        ("GMB-UA-020", URI, HOST, self_signed(|_| {})),
        ("GMB-UA-021", URI, HOST, signed_by(&authority, |p| p.not_after = (SystemTime::now() - day).into())),
        ("GMB-UA-021", URI, HOST, signed_by(&authority, |p| p.not_before = (SystemTime::now() + day).into())),
        ("GMB-UA-027", "urn:other", HOST, signed_by(&authority, |p| p.serial_number = Some(1_u64.into()))),
        ("GMB-UA-028", URI, "other.example", signed_by(&authority, |p| p.serial_number = Some(2_u64.into()))),
    ];
    for (code, uri, host, certificate) in cases {
        assert_eq!(store.rejected_copy(&certificate), None);
        let error = store.validate(&certificate, uri, host).expect_err(code);
        assert_eq!(error.code().0, code, "{error}");
        let copy = store.rejected_copy(&certificate).expect("a copy");
        let read = fs::read(&copy).expect("readable");
        assert_eq!(read, certificate);
        let error = UaError::Certificate {
            endpoint: "opc.tcp://a:1".into(),
            copy: Some(copy.clone()),
            source: error,
        };
        assert!(error.to_string().contains(copy.to_str().expect("plain")), "{error}");
    }
}

/// A certificate, and its authority with a list of revocations.
static TRUSTED: LazyLock<(Vec<u8>, Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let ours = authority("plant", 1);
    (self_signed(|_| {}), ours.der().to_vec(), revocations(&ours, &[5], VALID))
});

/// The bytes as what a server presents, and as a list of revocations. Only the trusted certificate itself is
/// accepted, whatever stands behind it.
fn certificate_of_bytes(bytes: &[u8]) {
    let (leaf, authority, _) = &*TRUSTED;
    if let Ok(presented) = Presented::read(bytes)
        && validator::validate(&presented, &trusting(&[leaf]), &Overrides::default(), URI, HOST).is_ok()
    {
        assert!(bytes.starts_with(leaf), "another certificate was accepted");
    }
    let lists = Lists { revocations: vec![bytes.to_vec()], ..trusting(&[leaf, authority]) };
    let presented = Presented::read(leaf).expect("a certificate");
    drop(validator::validate(&presented, &lists, &Overrides::default(), URI, HOST));
}

#[test]
fn fuzz_certificate() {
    let (leaf, authority, list) = &*TRUSTED;
    let chain = [leaf.as_slice(), authority].concat();
    gemba_testkit::fuzz::Target::new("ua-certificate", certificate_of_bytes)
        .inputs([leaf, authority, list, &chain])
        .executions(1_000)
        .run();
}
