//! Servers that present their certificate together with its issuer: node-opcua with a chain in its file.

use crate::certificates::{Authority, Files, self_signed};
use crate::flow::STOP;
use crate::peers::{Peer, member};
use crate::plant::{Folder, options, spec, trust};
use crate::proxy::Proxy;
use crate::sink::Sink;
use crate::trusting::check_revocation;
use gemba_base::{Secret, Tasks};
use gemba_model::{NodeId, Variant};
use gemba_ua::client::{Identity, OpcUaSession, Security, SecurityMode, SessionOptions, SubscribedSession};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const URI: &str = "urn:test:node";
const POLICIES: &str = r#""None", "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss""#;

async fn node(certificate: &Path, key: &Path) -> Option<Peer> {
    let (certificate, key) = (member("certificate", certificate), member("key", key));
    let setup =
        format!(r#""policies": [{POLICIES}], "uri": "{URI}", "password": "correct", {certificate}, {key}"#);
    Peer::node_opcua(&setup).await
}

/// A server with a chain, somebody between who notes what it answers, and an authority that nobody trusts yet.
struct Rig {
    folder: Folder,
    authority: Authority,
    server: Files,
    peer: Peer,
    proxy: Proxy,
}

impl Rig {
    async fn start() -> Option<Self> {
        let (folder, authority) = (Folder::new(), Authority::new("plant authority"));
        let server = authority.sign(folder.path(), "server", URI);
        let peer = node(&server.chain, &server.key).await?;
        let proxy = Proxy::start(peer.address()).await;
        // The folders must be there when something is put into them.
        trust(&folder.path().join("strict"), false);
        Some(Self { folder, authority, server, peer, proxy })
    }

    fn pki(&self) -> PathBuf {
        self.folder.path().join("strict")
    }

    fn options(&self) -> SessionOptions {
        let mut options = options(self.proxy.url(), &self.folder);
        options.trust = trust(&self.pki(), false);
        options.security = Security::BEST;
        options
    }

    fn trust(&self) {
        fs::write(self.pki().join("trusted/certs/authority.der"), self.authority.der()).expect("trusted");
    }

    /// The leaf, and the chain.
    fn presented(&self) -> (Vec<u8>, Vec<u8>) {
        let leaf = fs::read(&self.server.der).expect("a certificate");
        let chain = [leaf.clone(), self.authority.der()].concat();
        (leaf, chain)
    }

    /// What the server sent of one kind on the last connection.
    fn last_chunks(&self, kind: &[u8; 3]) -> Vec<Vec<u8>> {
        chunks(&self.proxy.answers().pop().unwrap_or_default(), kind)
    }
}

fn chunks(mut stream: &[u8], kind: &[u8; 3]) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    while let Some(size) = stream.get(4..8) {
        let size = u32::from_le_bytes(size.try_into().expect("four bytes")) as usize;
        let Some((chunk, rest)) = stream.split_at_checked(size) else { break };
        if chunk.starts_with(kind) {
            chunks.push(chunk.to_vec());
        }
        stream = rest;
    }
    chunks
}

fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Whether the first field with the leaf at its begin is the whole chain.
fn first_is_the_chain(bytes: &[u8], leaf: &[u8], chain: &[u8]) -> bool {
    let field = [&(chain.len() as u32).to_le_bytes(), chain].concat();
    let first = position(bytes, leaf);
    first.is_some() && first.map(|at| at - 4) == position(bytes, &field)
}

/// A value of the server, which proves that the session works.
async fn assert_works(session: &OpcUaSession) {
    let values = session.read(&[NodeId::numeric(0, 2258).into()]).await.expect("values");
    let value = values.first().map(|value| &value.value);
    assert!(matches!(value, Some(Variant::DateTime(_))), "{values:?}");
}

#[tokio::test]
async fn a_chain_opens_sessions_under_all_policies_though_the_server_sends_it_everywhere() {
    let Some(rig) = Rig::start().await else { return };
    let mut options = rig.options();
    let error = OpcUaSession::connect(options.clone()).await.expect_err("nobody trusts the authority");
    assert_eq!(error.code().0, "GMB-UA-020", "{error}");
    rig.trust();
    let (leaf, chain) = rig.presented();
    for (policy, mode) in [
        ("Basic256Sha256", SecurityMode::SignAndEncrypt),
        ("Aes256_Sha256_RsaPss", SecurityMode::SignAndEncrypt),
        ("Aes128_Sha256_RsaOaep", SecurityMode::SignAndEncrypt),
        ("Basic256Sha256", SecurityMode::Sign),
        ("Aes256_Sha256_RsaPss", SecurityMode::Sign),
    ] {
        options.security = Security { mode, policy: Some(policy.into()) };
        let session = OpcUaSession::connect(options.clone())
            .await
            .unwrap_or_else(|error| panic!("{policy} {mode}: {error}"));
        assert!(session.endpoint().security_policy_uri.ends_with(policy));
        assert_eq!(session.endpoint().security_mode, mode);
        assert_works(&session).await;
        // The three places where it stands.
        assert_eq!(session.endpoint().certificate, chain);
        let opened = rig.last_chunks(b"OPN").concat();
        assert!(first_is_the_chain(&opened, &leaf, &chain), "{policy} {mode}");
        if mode == SecurityMode::Sign {
            let created = rig.last_chunks(b"MSG").concat();
            assert!(first_is_the_chain(&created, &leaf, &chain), "{policy} {mode}");
        }
        session.close(true).await;
    }
}

#[tokio::test]
async fn a_revoked_leaf_of_a_chain_ends_the_session_and_values_flow_again_without_the_list() {
    let Some(rig) = Rig::start().await else { return };
    let options = rig.options();
    rig.trust();
    let again = options.clone();
    check_revocation(options, &rig.pki(), &rig.authority.revoke(), async |_| {
        let error = OpcUaSession::connect(again).await.expect_err("revoked");
        assert_eq!(error.code().0, "GMB-UA-022", "{error}");
    })
    .await;
}

#[tokio::test]
async fn keys_are_renewed_on_a_channel_with_a_chain() {
    let Some(rig) = Rig::start().await else { return };
    let mut options = rig.options();
    rig.trust();
    options.channel_lifetime = Duration::from_secs(4);
    let (sink, tasks) = (Sink::default(), Tasks::new("test"));
    let specs = vec![spec("line", 0..1)];
    let session =
        SubscribedSession::start(options, specs, HashMap::new(), sink.shared(), &tasks).expect("starts");
    sink.until("the keys were renewed twice", |_| rig.last_chunks(b"OPN").len() >= 3).await;
    let before = sink.read(|record| record.last(0));
    sink.until("values flow", |record| record.last(0) > before + 20).await;
    sink.read(|record| {
        record.assert_lossless();
        assert_eq!(record.gaps(), []);
    });
    let secured = |answers: &Vec<u8>| chunks(answers, b"OPN").iter().any(|chunk| chunk.len() > 1_000);
    assert_eq!(rig.proxy.answers().iter().filter(|answers| secured(answers)).count(), 1, "one channel");
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn a_channel_with_another_chain_than_was_judged_is_refused() {
    let Some(rig) = Rig::start().await else { return };
    rig.trust();
    // The same leaf and the same key, so that all signatures are right: but this is not what was judged.
    let text = fs::read_to_string(&rig.server.chain).expect("a chain");
    let longer = rig.folder.path().join("longer.pem");
    fs::write(&longer, text + &Authority::new("another authority").pem()).expect("written");
    let Some(other) = node(&longer, &rig.server.key).await else { return };
    let options = rig.options();
    // The knock and GetEndpoints come first.
    rig.proxy.lead_later(2, other.address());
    let error = OpcUaSession::connect(options.clone()).await.expect_err("another chain");
    assert_eq!(error.code().0, "GMB-UA-032", "{error}");
    assert!(error.to_string().contains("the channel was opened with another certificate"), "{error}");
    assert!(!error.is_retryable());
    // From now on everything is the other one's: judged as a whole, it is as good.
    let session = OpcUaSession::connect(options.clone()).await.expect("the chain that was judged");
    assert_works(&session).await;
    session.close(true).await;
    // A server that answers with the bare leaf is the judged one all the same.
    let Some(bare) = node(&rig.server.pem, &rig.server.key).await else { return };
    rig.proxy.lead_to(rig.peer.address());
    rig.proxy.lead_later(2, bare.address());
    let session = OpcUaSession::connect(options).await.expect("the leaf that was judged");
    assert_works(&session).await;
    session.close(true).await;
}

#[tokio::test]
async fn without_a_secure_channel_a_password_goes_only_to_the_certificate_that_was_judged() {
    let Some(rig) = Rig::start().await else { return };
    rig.trust();
    let stranger = self_signed(rig.folder.path(), "stranger", URI);
    let Some(other) = node(&stranger.der, &stranger.key).await else { return };
    let mut options = rig.options();
    options.security = Security::NONE;
    options.identity = Identity::UserName { user: "operator".into(), password: Secret::new("correct") };
    for presented in [&rig.server.chain, &rig.server.pem] {
        let Some(peer) = node(presented, &rig.server.key).await else { return };
        rig.proxy.lead_to(peer.address());
        let session = OpcUaSession::connect(options.clone()).await.expect("encrypted with the leaf's key");
        assert_eq!(session.endpoint().security_mode, SecurityMode::None);
        assert_works(&session).await;
        session.close(true).await;
        // The knock and GetEndpoints still meet the server, the session somebody who would read the password.
        rig.proxy.lead_later(2, other.address());
        let error = OpcUaSession::connect(options.clone()).await.expect_err("another server");
        assert_eq!(error.code().0, "GMB-UA-032", "{}: {error}", presented.display());
        assert!(error.to_string().contains("the session was created with another certificate"), "{error}");
    }
}
