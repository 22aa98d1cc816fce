//! What a server sends, made here, and what the stack makes of the translation.

use super::*;
use bytes::Bytes;
use opcua::core::comms::secure_channel::{Role, SecureChannel};
use opcua::core::sync::RwLock;
use opcua::crypto::{CertificateStore, X509};
use opcua::types::{ContextOwned, MessageSecurityMode};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use std::path::Path;
use std::sync::{Arc, LazyLock};

const POLICIES: [&str; 3] = [
    "http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256",
    "http://opcfoundation.org/UA/SecurityPolicy#Aes128_Sha256_RsaOaep",
    "http://opcfoundation.org/UA/SecurityPolicy#Aes256_Sha256_RsaPss",
];
const CHANNEL: [u8; 4] = [7, 0, 0, 0];

/// A certificate with its key.
pub(in crate::client::chain) struct Party {
    pub(in crate::client::chain) der: Vec<u8>,
    pem: String,
}

impl Party {
    fn new(size: RsaKeySize) -> Self {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size).expect("a key");
        let certificate = CertificateParams::default().self_signed(&key).expect("a certificate");
        Self { der: certificate.der().to_vec(), pem: key.serialize_pem() }
    }

    fn key(&self) -> PrivateKey {
        PrivateKey::from_pem(self.pem.as_bytes()).expect("a key")
    }

    fn x509(&self) -> X509 {
        X509::from_der(&self.der).expect("a certificate")
    }
}

/// Keys are the slow part. The first two have 2048 bits, the others 3072.
pub(in crate::client::chain) static PARTIES: LazyLock<[Party; 4]> = LazyLock::new(|| {
    let [short, long] = [RsaKeySize::_2048, RsaKeySize::_3072];
    [short, short, long, long].map(Party::new)
});

/// A server with its chain, and us.
#[derive(Clone, Copy)]
pub(in crate::client::chain) struct Case {
    policy: &'static str,
    pub(in crate::client::chain) own: &'static Party,
    pub(in crate::client::chain) leaf: &'static Party,
}

impl Case {
    pub(in crate::client::chain) fn new(policy: usize, own: usize, leaf: usize) -> Self {
        Self { policy: POLICIES[policy], own: &PARTIES[own], leaf: &PARTIES[leaf] }
    }

    pub(in crate::client::chain) fn chain(self) -> Vec<u8> {
        self.certificates().concat()
    }

    /// The leaf and two issuers.
    fn certificates(self) -> [Vec<u8>; 3] {
        [self.leaf.der.clone(), PARTIES[3].der.clone(), PARTIES[0].der.clone()]
    }

    pub(in crate::client::chain) fn opening(self) -> Opening {
        let judged = Judged::new(&self.chain(), &self.certificates());
        let key = self.leaf.x509().public_key().expect("an RSA key");
        Opening::new(judged, key, self.policy, Own::new(self.own.der.clone(), self.own.key()))
    }

    /// A chunk of the server that says it is `sender`'s, signed by `signer` for `receiver`.
    fn sealed(self, sender: &[u8], signer: &Party, receiver: &Party, content: &[u8]) -> Vec<u8> {
        let thumbprint = receiver.x509().thumbprint();
        let head = Head {
            kind: *b"OPNF",
            channel: CHANNEL,
            policy: self.policy.as_bytes(),
            sender,
            thumbprint: thumbprint.value(),
        };
        let policy = SecurityPolicy::from_uri(self.policy);
        seal(&head, content, policy, &signer.key(), &receiver.key().to_public_key()).expect("sealed")
    }

    /// As an honest server sends it.
    pub(in crate::client::chain) fn honest(self, content: &[u8]) -> Vec<u8> {
        self.sealed(&self.chain(), self.leaf, self.own, content)
    }

    /// What the stack reads of a chunk, from the sequence header on.
    pub(in crate::client::chain) fn read_by_the_stack(self, chunk: &[u8]) -> Vec<u8> {
        let (head, _) = Head::read(chunk).expect("a head");
        assert_eq!((head.kind, head.channel), (*b"OPNF", CHANNEL));
        let store = CertificateStore::new(Path::new("/nowhere"));
        let context = Arc::new(RwLock::new(ContextOwned::default()));
        let mut channel = SecureChannel::new(Arc::new(RwLock::new(store)), Role::Client, context);
        channel.set_cert(Some(self.own.x509()));
        channel.set_private_key(Some(self.own.key()));
        channel.set_remote_cert(Some(self.leaf.x509()));
        channel.set_security_policy(SecurityPolicy::from_uri(self.policy));
        channel.set_security_mode(MessageSecurityMode::SignAndEncrypt);
        let read = channel.verify_and_remove_security(Bytes::copy_from_slice(chunk)).expect("readable");
        read.data.get(head.length()..).expect("a content").to_vec()
    }
}

/// Sequence number 51, request 1, and a body.
pub(in crate::client::chain) fn content(body: usize) -> Vec<u8> {
    let mut content = vec![51, 0, 0, 0, 1, 0, 0, 0];
    content.extend((0..body).map(|n| n as u8));
    content
}

fn with_size(mut chunk: Vec<u8>) -> Vec<u8> {
    let size = (chunk.len() as u32).to_le_bytes();
    chunk[4..8].copy_from_slice(&size);
    chunk
}

#[test]
fn what_the_leafs_key_signed_reaches_the_stack_with_the_same_content() {
    for policy in 0..POLICIES.len() {
        for (own, leaf) in [(0, 1), (0, 2), (2, 1), (2, 3)] {
            let case = Case::new(policy, own, leaf);
            let opening = case.opening();
            // Around the sizes of one and two blocks, so that the padding is of every kind.
            for body in [0, 1, 130, 131, 132, 200, 255, 256, 400, 512] {
                let content = content(body);
                let chunk = case.honest(&content);
                let translated = opening.translate(&chunk).expect("proved").expect("translated");
                let read = case.read_by_the_stack(&translated);
                assert_eq!(read, content, "policy {policy}, keys {own} and {leaf}, {body} bytes");
            }
        }
    }
}

#[test]
fn the_bare_leaf_is_left_to_the_stack() {
    let case = Case::new(2, 2, 1);
    let chunk = case.sealed(&case.leaf.der, case.leaf, case.own, &content(90));
    assert_eq!(case.opening().translate(&chunk), Ok(None));
    assert_eq!(case.read_by_the_stack(&chunk), content(90));
}

#[test]
fn issuers_that_are_left_out_for_want_of_room_are_not_missed() {
    let case = Case::new(1, 0, 1);
    let [leaf, issuer, _] = case.certificates();
    let chunk = case.sealed(&[leaf, issuer].concat(), case.leaf, case.own, &content(90));
    let translated = case.opening().translate(&chunk).expect("proved").expect("translated");
    assert_eq!(case.read_by_the_stack(&translated), content(90));
}

#[test]
fn whatever_is_not_the_judged_certificates_is_refused() {
    let case = Case::new(0, 0, 1);
    let (chain, stranger) = (case.chain(), &PARTIES[2]);
    let honest = || case.honest(&content(130));
    let sent_as = |sender: &[u8]| case.sealed(sender, case.leaf, case.own, &content(130));
    let changed = |at: usize| {
        let mut chunk = honest();
        chunk[at] ^= 1;
        chunk
    };
    let [leaf, issuer, root] = case.certificates();
    let reversed = [issuer.as_slice(), &root, &leaf].concat();
    let without_the_middle = [leaf.as_slice(), &root].concat();
    let cut = |bytes: usize| with_size(honest()[..honest().len() - bytes].to_vec());
    let cases: [(&str, Vec<u8>, Fault); 18] = [
        (
            "a stranger with a key of its own",
            case.sealed(&stranger.der, stranger, case.own, &content(130)),
            Fault::ChannelCertificate,
        ),
        ("the issuer alone", sent_as(&issuer), Fault::ChannelCertificate),
        ("the middle left out", sent_as(&without_the_middle), Fault::ChannelCertificate),
        ("the chain the other way round", sent_as(&reversed), Fault::ChannelCertificate),
        ("more behind the chain", sent_as(&[&chain, chain.as_slice()].concat()), Fault::ChannelCertificate),
        ("less of the chain", sent_as(&chain[..chain.len() - 1]), Fault::ChannelCertificate),
        ("no certificate", sent_as(&[]), Fault::ChannelCertificate),
        (
            "the chain without its key",
            case.sealed(&chain, stranger, case.own, &content(130)),
            Fault::Signature,
        ),
        (
            "the chain, signed by our own key",
            case.sealed(&chain, case.own, case.own, &content(130)),
            Fault::Signature,
        ),
        ("another channel than was signed", changed(8), Fault::Signature),
        ("another kind than was signed", changed(3), Fault::Signature),
        ("another policy", Case::new(1, 0, 1).honest(&content(130)), Fault::Policy),
        ("for somebody else", case.sealed(&chain, case.leaf, stranger, &content(130)), Fault::Encryption),
        ("a bit of the encrypted part", changed(honest().len() - 1), Fault::Encryption),
        ("a part of a block", cut(1), Fault::Encryption),
        ("one block of two", cut(case.own.key().size()), Fault::Signature),
        ("nothing encrypted", cut(2 * case.own.key().size()), Fault::Encryption),
        ("another size than it has", honest()[..honest().len() - 1].to_vec(), Fault::Malformed),
    ];
    let opening = case.opening();
    for (name, chunk, fault) in cases {
        assert_eq!(opening.translate(&chunk), Err(fault), "{name}");
    }
}

#[test]
fn an_unsecured_opening_is_refused_on_a_secured_channel() {
    let none = "http://opcfoundation.org/UA/SecurityPolicy#None";
    let head =
        Head { kind: *b"OPNF", channel: CHANNEL, policy: none.as_bytes(), sender: &[], thumbprint: &[] };
    let chunk = with_size([head.write(0).expect("a head"), content(60)].concat());
    assert_eq!(Case::new(0, 0, 1).opening().translate(&chunk), Err(Fault::Policy));
}

#[test]
fn padding_is_taken_away_only_when_it_is_whole() {
    let content = |padding: &[u8]| [&[9; SEQUENCE], padding].concat();
    let cases: [(&[u8], usize, bool); 9] = [
        (&[0], 256, true),
        (&[3, 3, 3, 3], 256, true),
        (&[3, 2, 3, 3], 256, false),
        (&[4, 4, 4, 4], 256, false),
        (&[], 256, false),
        (&[0, 0], 384, true),
        (&[2, 2, 2, 0], 384, true),
        (&[2, 2, 2, 1], 384, false),
        (&[0], 384, false),
    ];
    for (padding, key, whole) in cases {
        let padded = content(padding);
        assert_eq!(
            without_padding(&padded, key),
            whole.then_some(&[9; SEQUENCE][..]),
            "{padding:?} for {key}"
        );
    }
    let long = [&[9; SEQUENCE][..], &[44; 301], &[1]].concat();
    assert_eq!(without_padding(&long, 384), Some(&[9; SEQUENCE][..]), "300 bytes");
}
