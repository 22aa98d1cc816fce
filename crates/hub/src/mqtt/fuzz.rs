//! Arbitrary bytes as a client's side of a connection, before and after it has proven itself.

use super::{Counters, Ends, MqttOptions, MqttParts, Shared, run};
use crate::auth::Authenticator;
use crate::{Connections, HubLog, HubLogOptions, Identities};
use bytes::Bytes;
use gemba_base::{Clock, Metrics, SystemClock, Tasks};
use gemba_iothub::{HostNames, Identity, Login, SasToken};
use gemba_net::mqtt::{Connect, Connection, Packet, PacketId, publish};
use gemba_net::{pki, tls::Acceptor};
use gemba_testkit::fuzz::Target;
use gemba_testkit::{FaultyDisk, MemoryDocs};
use gemba_wal::Reserve;
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

const HOST: &str = "h";
/// After so many connections the hub and its log in memory are made anew.
const CONNECTIONS_MAX: u64 = 2_000;

/// A hub in memory, and the bytes with which its device connects.
struct Rig {
    shared: Arc<Shared>,
    connect: Vec<u8>,
    runtime: tokio::runtime::Runtime,
    connections: u64,
}

impl Rig {
    fn new() -> Self {
        gemba_net::install_crypto();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let guard = runtime.enter();
        let (docs, clock) = (Arc::new(MemoryDocs::default()), Arc::new(SystemClock::new()));
        let (metrics, tasks) = (Metrics::default(), Tasks::new("hub"));
        let identities = Identities::new(docs.clone(), Connections::default());
        let key = identities.create("d", clock.now(), "test").expect("is new").primary_key;
        let identity = Identity::parse("d").expect("is an identity");
        let expiry = clock.now().saturating_add_ticks(10_000_000 * 86_400 * 365);
        let token = SasToken::generate(&identity.resource(HOST), &key, expiry, None);
        let connect = Packet::Connect(Box::new(Connect {
            client_id: "d".into(),
            username: Some(Login::user_name(HOST, &identity, "test/1").into()),
            password: Some(Bytes::from(token)),
            ..Connect::default()
        }));
        let wal = gemba_wal::LogOptions { reserve: Reserve::Bytes(0), ..gemba_wal::LogOptions::default() };
        let options = HubLogOptions { partitions: 1, wal, ..HubLogOptions::default() };
        let disk = Arc::new(FaultyDisk::new(1));
        let log = HubLog::open(disk, Path::new("/log"), options, docs, clock.clone(), &metrics, &tasks);
        let shared = Shared {
            options: MqttOptions::default(),
            counters: Counters::new(&metrics),
            ends: Ends::new(&metrics),
            tasks,
            parts: MqttParts {
                authenticator: Authenticator::new(identities, HostNames::new([HOST])),
                log: log.expect("the log opens"),
                tap: None,
                acceptor: Some(acceptor()),
                clock,
                metrics,
            },
        };
        drop(guard);
        Self { shared: Arc::new(shared), connect: bytes_of([connect]), runtime, connections: 0 }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.shared.tasks.stop();
        self.shared.parts.log.close();
    }
}

/// No connection here is TLS, but the front end has a certificate.
fn acceptor() -> Acceptor {
    let folder = std::env::temp_dir().join(format!("gemba-hub-fuzz-{}", gemba_base::random::hex::<8>()));
    let files = pki::ensure_server(&folder, &[], SystemClock::new().now()).expect("certificates");
    let acceptor = Acceptor::from_files(&files.certificate, &files.key).expect("usable");
    drop(std::fs::remove_dir_all(&folder));
    acceptor
}

fn bytes_of(packets: impl IntoIterator<Item = Packet>) -> Vec<u8> {
    let mut connection = Connection::new(tokio::io::join(tokio::io::empty(), Vec::new()));
    packets.into_iter().for_each(|packet| connection.queue(packet));
    connection.unwritten_bytes().to_vec()
}

thread_local! {
    static RIG: RefCell<Option<Rig>> = const { RefCell::new(None) };
}

/// The first byte says whether the client connects properly before its noise. Whatever it sends, the connection
/// ends for a reason when its bytes do, and gives back its place.
fn session_of_bytes(bytes: &[u8]) {
    let (proven, noise) = bytes.split_first().map_or((true, bytes), |(first, rest)| (first % 4 != 0, rest));
    RIG.with_borrow_mut(|rig| {
        let used = rig.take().filter(|rig| rig.connections < CONNECTIONS_MAX);
        let rig = rig.insert(used.unwrap_or_else(Rig::new));
        rig.connections += 1;
        let mut input = if proven { rig.connect.clone() } else { Vec::new() };
        input.extend_from_slice(noise);
        let stream = tokio::io::join(&input[..], tokio::io::sink());
        let peer = ([127, 0, 0, 1], 1).into();
        let before = total(&rig.shared.ends);
        rig.runtime.block_on(run(rig.shared.clone(), stream, peer));
        assert_eq!(total(&rig.shared.ends), before + 1, "each connection ends for one reason");
        assert_eq!(rig.shared.parts.authenticator.connections().count(), 0);
    });
}

fn total(ends: &Ends) -> u64 {
    crate::EndReason::ALL.iter().map(|reason| ends.count(*reason)).sum()
}

#[test]
fn fuzz_session() {
    let topic = "devices/d/messages/events/%24.mid=a-1&gemba-kind=data";
    let event = |id| publish(topic.into(), Bytes::from_static(b"body"), PacketId::new(id));
    let twin = publish("$iothub/twin/GET/?$rid=1".into(), Bytes::new(), None);
    let mut talk = vec![1];
    talk.extend(bytes_of([event(1), event(2), Packet::PingRequest, twin, Packet::Disconnect]));
    let subscribe =
        b"\x01\x82\x1d\x00\x02\x00\x18$iothub/twin/res/#\x01\x82\x09\x00\x02\x00\x04$a/#\x01".to_vec();
    let will =
        b"\x00\x10\x20\x00\x04MQTT\x04\xe6\x00\x3c\x00\x01d\x00\x01t\x00\x01w\x00\x01u\x00\x03key".to_vec();
    let mut connect = vec![0];
    connect.extend(bytes_of([Packet::Connect(Box::new(Connect {
        client_id: "d".into(),
        ..Connect::default()
    }))]));
    let words =
        ["devices/d/messages/events/", "$iothub/twin/PATCH/properties/reported/?$rid=2", "\x32\x05\x00\x01t"];
    Target::new("hub-session", session_of_bytes)
        .inputs([talk, subscribe, will, connect])
        .words(words)
        .executions(3_000)
        .run();
}
