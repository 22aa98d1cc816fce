//! Trust that changes while sessions stand, and what the policies and log-ins of other people's servers make of us.

use crate::certificates::{self, Authority};
use crate::cuts::secured;
use crate::flow::STOP;
use crate::peers::{Peer, member};
use crate::plant::{COUNTERS, Folder, Plant, options, spec, trust};
use crate::sink::{Record, Sink};
use gemba_base::{Secret, Tasks};
use gemba_ua::client::trust::{Application, TrustOptions};
use gemba_ua::client::{
    Identity, OpcUaSession, SECRET_LOG_TARGETS, Security, SecurityMode, SessionOptions, SessionState,
    SubscribedSession, TrustStore,
};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn only_file(folder: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").flatten().map(|f| f.path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.pop().expect("one")
}

pub(crate) async fn until_error(session: &SubscribedSession, code: &str) -> String {
    let waiting = async {
        loop {
            if let Some(error) = session.status().error.filter(|error| error.starts_with(code)) {
                return error;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    found.unwrap_or_else(|_| panic!("no {code}: {:?}", session.status()))
}

#[tokio::test]
async fn trust_that_is_withdrawn_ends_a_session_and_given_back_goes_on_without_a_loss() {
    let (plant, folder, sink, tasks) =
        (Plant::start().await, Folder::new(), Sink::default(), Tasks::new("test"));
    let mut options = secured(plant.url(), &folder);
    let pki = folder.path().join("strict");
    options.trust = trust(&pki, false);
    let specs = vec![spec("line", 0..COUNTERS)];
    let session =
        SubscribedSession::start(options, specs, HashMap::new(), sink.shared(), &tasks).expect("starts");
    until_error(&session, "GMB-UA-020").await;
    let (trusted, rejected) = (pki.join("trusted/certs"), pki.join("rejected/certs"));
    let file = only_file(&rejected);
    let home = trusted.join(file.file_name().expect("a name"));
    fs::rename(&file, &home).expect("trusted");
    sink.until("values flow", |record| record.values().len() == COUNTERS as usize).await;
    plant.tick_for(Duration::from_millis(200)).await;
    fs::remove_file(&home).expect("withdrawn");
    let error = until_error(&session, "GMB-UA-020").await;
    assert!(error.contains("rejected/certs") && error.contains("trusted/certs"), "{error}");
    assert_eq!(session.status().state, SessionState::Reconnecting);
    plant.tick_for(Duration::from_millis(300)).await;
    fs::rename(only_file(&rejected), &home).expect("trusted again");
    let last = plant.tick_for(Duration::from_millis(300)).await;
    sink.until("the last value came", |record| record.last(0) == last).await;
    sink.read(|record| {
        record.assert_lossless();
        assert_eq!(record.gaps(), []);
    });
    assert_eq!(session.status().counters.creations, 1);
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn a_new_certificate_of_ours_is_used_without_a_lost_value() {
    let (plant, folder, sink, tasks) =
        (Plant::start().await, Folder::new(), Sink::default(), Tasks::new("test"));
    let options = secured(plant.url(), &folder);
    let trust = options.trust.clone();
    let specs = vec![spec("line", 0..COUNTERS)];
    let session =
        SubscribedSession::start(options, specs, HashMap::new(), sink.shared(), &tasks).expect("starts");
    sink.until("values flow", |record| record.values().len() == COUNTERS as usize).await;
    plant.tick_for(Duration::from_millis(200)).await;
    let before = trust.own().thumbprint();
    let new = certificates::self_signed(folder.path(), "client", "urn:test:client");
    let own = folder.path().join("pki/own");
    // Key and certificate are replaced one after the other: in between they do not fit, and nothing happens.
    fs::copy(&new.key, own.join("private.pem")).expect("replaced");
    fs::copy(&new.der, own.join("cert.der")).expect("replaced");
    let waiting = async {
        while session.status().counters.transfers == 0 {
            plant.tick_for(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("another connection takes over");
    assert_ne!(trust.own().thumbprint(), before);
    let last = plant.tick_for(Duration::from_millis(300)).await;
    sink.until("the last value came", |record| record.last(0) == last).await;
    sink.read(|record| {
        record.assert_lossless();
        assert_eq!(record.gaps(), []);
    });
    assert_eq!(session.status().counters.creations, 1);
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn every_policy_and_mode_of_asyncua_is_spoken_and_the_strongest_is_chosen() {
    let folder = Folder::new();
    let server = certificates::self_signed(folder.path(), "server", "urn:test:asyncua");
    let setup = format!(
        r#""policies": ["Basic256Sha256", "Aes128", "Aes256"], "password": "correct", {}, {}"#,
        member("certificate", &server.der),
        member("key", &server.key)
    );
    let Some(peer) = Peer::asyncua(&setup).await else { return };
    let mut options = options(peer.url(), &folder);
    options.identity = Identity::UserName { user: "operator".into(), password: Secret::new("correct") };
    for policy in ["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"] {
        for mode in [SecurityMode::Sign, SecurityMode::SignAndEncrypt] {
            options.security = Security { mode, policy: Some(policy.into()) };
            let session = OpcUaSession::connect(options.clone())
                .await
                .unwrap_or_else(|error| panic!("{policy} {mode}: {error}"));
            assert!(session.endpoint().security_policy_uri.ends_with(policy));
            assert_eq!(session.endpoint().security_mode, mode);
            session.close(true).await;
        }
    }
    options.security = Security::BEST;
    let session = OpcUaSession::connect(options).await.expect("a session");
    assert!(session.endpoint().security_policy_uri.ends_with("Aes256_Sha256_RsaPss"));
    assert_eq!(session.endpoint().security_mode, SecurityMode::SignAndEncrypt);
    session.close(true).await;
}

#[tokio::test]
async fn a_user_logs_in_with_a_certificate_and_another_one_is_refused() {
    let folder = Folder::new();
    let server = certificates::self_signed(folder.path(), "server", "urn:test:asyncua");
    let user = certificates::self_signed(folder.path(), "operator", "urn:test:operator");
    let stranger = certificates::self_signed(folder.path(), "stranger", "urn:test:stranger");
    let setup = format!(
        r#""policies": ["Basic256Sha256", "Aes256"], {}, {}, {}"#,
        member("certificate", &server.der),
        member("key", &server.key),
        member("user_certificate", &user.der)
    );
    let Some(peer) = Peer::asyncua(&setup).await else { return };
    let mut options = options(peer.url(), &folder);
    options.security = Security::BEST;
    let home = folder.path().join("pki/user");
    options.identity = Identity::Certificate { name: "operator".into() };
    let error = OpcUaSession::connect(options.clone()).await.expect_err("there is no such certificate");
    assert_eq!(error.code().0, "GMB-UA-014");
    assert!(error.to_string().contains("user/certs"), "{error}");
    for (name, files) in [("operator", &user), ("stranger", &stranger)] {
        fs::copy(&files.der, home.join(format!("certs/{name}.der"))).expect("put");
        fs::copy(&files.key, home.join(format!("private/{name}.pem"))).expect("put");
    }
    let session = OpcUaSession::connect(options.clone()).await.expect("a session");
    session.close(true).await;
    options.identity = Identity::Certificate { name: "stranger".into() };
    let error = OpcUaSession::connect(options.clone()).await.expect_err("another user");
    assert!(error.is_authentication(), "{error}");
    assert!(error.to_string().contains("the user certificate 'stranger'"), "{error}");
    fs::copy(&user.key, home.join("private/stranger.pem")).expect("the wrong key");
    options.identity = Identity::Certificate { name: "../stranger".into() };
    assert_eq!(
        OpcUaSession::connect(options).await.expect_err("no way out of the folder").code().0,
        "GMB-UA-014"
    );
}

#[tokio::test]
async fn a_server_is_judged_by_its_authority_and_a_list_of_revoked_ends_the_session() {
    let folder = Folder::new();
    let authority = Authority::new("plant authority");
    let server = authority.sign(folder.path(), "server", "urn:test:node");
    let setup = format!(
        r#""policies": ["Basic256Sha256", "Aes256_Sha256_RsaPss"], "uri": "urn:test:node", {}, {}"#,
        member("certificate", &server.pem),
        member("key", &server.key)
    );
    let Some(peer) = Peer::node_opcua(&setup).await else { return };
    let pki = folder.path().join("strict");
    let mut options = options(peer.url(), &folder);
    options.trust = trust(&pki, false);
    options.security = Security::BEST;
    let error = OpcUaSession::connect(options.clone()).await.expect_err("nobody trusts the authority");
    assert_eq!(error.code().0, "GMB-UA-020", "{error}");
    fs::write(pki.join("trusted/certs/authority.der"), authority.der()).expect("trusted");
    check_revocation(options, &pki, &authority.revoke(), async |error| {
        assert!(error.contains("revoked by 'CN=plant authority'"), "{error}");
        assert!(error.contains("rejected/certs"), "where the copy lies: {error}");
    })
    .await;
}

/// Values flow until the authority's list revokes the server, and again without the list; none is missing.
pub(crate) async fn check_revocation(
    options: SessionOptions,
    pki: &Path,
    list: &[u8],
    while_revoked: impl AsyncFnOnce(&str),
) {
    let (sink, tasks) = (Sink::default(), Tasks::new("test"));
    let specs = vec![spec("line", 0..1)];
    let session =
        SubscribedSession::start(options, specs, HashMap::new(), sink.shared(), &tasks).expect("starts");
    sink.until("values flow", |record| record.last(0) > 0).await;
    fs::write(pki.join("trusted/crl/authority.crl"), list).expect("put");
    while_revoked(&until_error(&session, "GMB-UA-022").await).await;
    fs::remove_file(pki.join("trusted/crl/authority.crl")).expect("taken back");
    let before = sink.read(|record| record.last(0));
    sink.until("values flow again", |record| record.last(0) > before).await;
    sink.read(Record::assert_lossless);
    assert!(session.stop(true, STOP).await);
}

#[tokio::test]
async fn a_store_can_be_opened_for_an_application_of_another_name() {
    let folder = Folder::new();
    let application = Application {
        uri: "urn:other".into(),
        name: "other".into(),
        host_names: Vec::new(),
        addresses: Vec::new(),
    };
    let store = TrustStore::open(folder.path(), &application, TrustOptions::default()).expect("a store");
    let state = store.state();
    fs::write(folder.path().join("trusted/certs/x.der"), b"x").expect("put");
    let waiting = async {
        while store.state() == state {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("a change is seen");
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_password_and_no_key_is_logged_at_any_level_or_shown_by_debug() {
    const SECRETS: [&str; 2] = ["press-1-for-water", "wrong-horse-battery"];
    let folder = Folder::new();
    let server = certificates::self_signed(folder.path(), "server", "urn:test:asyncua");
    let setup = format!(
        r#""policies": ["Basic256Sha256"], "password": "{}", {}, {}"#,
        SECRETS[0],
        member("certificate", &server.der),
        member("key", &server.key)
    );
    let Some(peer) = Peer::asyncua(&setup).await else { return };
    let log = Log::default();
    let writer = log.clone();
    let off = SECRET_LOG_TARGETS.map(|target| format!(",{target}=off")).concat();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(format!("trace{off}")))
        .with_writer(move || writer.clone())
        .finish();
    // While there is one dispatcher alone, a call site that the thread of another test meets first is off for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let guard = tracing::subscriber::set_default(subscriber);
    let mut options = options(peer.url(), &folder);
    options.security = Security::mode(SecurityMode::SignAndEncrypt);
    for (password, works) in SECRETS.into_iter().zip([true, false]) {
        options.identity = Identity::UserName { user: "operator".into(), password: Secret::new(password) };
        let text = match OpcUaSession::connect(options.clone()).await {
            Ok(session) => {
                assert!(works);
                let text = format!("{session:?} {options:?}");
                session.close(true).await;
                text
            }
            Err(error) => {
                assert!(!works && error.is_authentication(), "{error}");
                format!("{error} {error:?}")
            }
        };
        assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "{text}");
    }
    drop(guard);
    let key = fs::read_to_string(folder.path().join("pki/own/private.pem")).expect("our key");
    let key_line = key.lines().nth(3).expect("a line of the key");
    let logged = String::from_utf8_lossy(&log.0.lock().expect("the lock")).into_owned();
    assert!(
        logged.contains("operator") || logged.len() > 1000,
        "something was logged: {} bytes",
        logged.len()
    );
    for secret in SECRETS.into_iter().chain([key_line]) {
        let found = logged.lines().find(|line| line.contains(secret));
        assert_eq!(found, None);
    }
}
