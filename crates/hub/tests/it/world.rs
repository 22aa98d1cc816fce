//! A hub of its own for each test: identities, log, MQTT front end on a free port, and clients for it.

use crate::PATIENCE;
use bytes::Bytes;
use gemba_api::flow::FlowSource;
use gemba_api::{DeviceMessage, EventLog, LogItem, StageReport};
use gemba_base::disk::{Disk, RealDisk};
use gemba_base::{Clock, Metrics, Secret, SystemClock, Tasks, random};
use gemba_hub::auth::Authenticator;
use gemba_hub::mqtt::MqttParts;
use gemba_hub::{
    Connections, EndReason, HubFlow, HubLog, HubLogOptions, Identities, MessageTap, MqttFront, MqttOptions,
};
use gemba_iothub::{HostNames, Identity, Login, MessageProperties, SasToken, SymmetricKey, Topics};
use gemba_model::DateTime;
use gemba_net::mqtt::{Client, ClientOptions, Event, PacketId};
use gemba_net::tls::{Acceptor, ClientStream, Connector};
use gemba_net::{ConnectError, mqtt};
use gemba_testkit::MemoryDocs;
use gemba_wal::Reserve;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

pub(crate) const HOST: &str = "127.0.0.1";

/// The machine's clock, moved by the test.
pub(crate) struct TestClock {
    real: SystemClock,
    moved_seconds: AtomicI64,
}

impl Clock for TestClock {
    fn now(&self) -> DateTime {
        self.real.now().saturating_add_ticks(self.moved_seconds.load(Ordering::SeqCst) * 10_000_000)
    }
    fn monotonic(&self) -> Duration {
        self.real.monotonic()
    }
}

pub(crate) struct World {
    pub(crate) docs: Arc<MemoryDocs>,
    pub(crate) identities: Identities,
    pub(crate) log: HubLog,
    pub(crate) front: MqttFront,
    pub(crate) flow: HubFlow,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) connector: Connector,
    pub(crate) tasks: Tasks,
    folder: PathBuf,
}

/// What a test may choose.
pub(crate) struct Choice {
    pub(crate) disk: Arc<dyn Disk>,
    /// Of the log on that disk; real folders are made below the test's own.
    pub(crate) log_folder: Option<PathBuf>,
    pub(crate) log: HubLogOptions,
    pub(crate) mqtt: MqttOptions,
    pub(crate) tap: Option<Arc<dyn MessageTap>>,
    pub(crate) docs: Arc<MemoryDocs>,
}

impl Default for Choice {
    fn default() -> Self {
        let wal = gemba_wal::LogOptions { reserve: Reserve::Bytes(0), ..gemba_wal::LogOptions::default() };
        let mqtt = MqttOptions { listen: ([127, 0, 0, 1], 0).into(), ..MqttOptions::default() };
        Self {
            disk: Arc::new(RealDisk),
            log_folder: None,
            log: HubLogOptions { wal, ..HubLogOptions::default() },
            mqtt,
            tap: None,
            docs: Arc::new(MemoryDocs::default()),
        }
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Choice::default()).await
    }

    pub(crate) async fn with(choice: Choice) -> Self {
        gemba_net::install_crypto();
        let folder = std::env::temp_dir().join(format!("gemba-hub-{}", random::hex::<8>()));
        let (metrics, tasks) = (Metrics::default(), Tasks::new("hub"));
        let clock = Arc::new(TestClock { real: SystemClock::new(), moved_seconds: AtomicI64::new(0) });
        let files =
            gemba_net::pki::ensure_server(&folder.join("pki"), &[], clock.now()).expect("certificates");
        let identities = Identities::new(choice.docs.clone(), Connections::default());
        let log_folder = choice.log_folder.unwrap_or_else(|| folder.join("log"));
        let log = HubLog::open(
            choice.disk,
            &log_folder,
            choice.log,
            choice.docs.clone(),
            clock.clone(),
            &metrics,
            &tasks,
        )
        .expect("the log opens");
        let parts = MqttParts {
            authenticator: Authenticator::new(identities.clone(), HostNames::new([HOST, "plant.example"])),
            log: log.clone(),
            tap: choice.tap,
            acceptor: Some(Acceptor::from_files(&files.certificate, &files.key).expect("usable")),
            clock: clock.clone(),
            metrics: metrics.clone(),
        };
        let front = MqttFront::start(choice.mqtt, parts, &tasks).await.expect("listens");
        Self {
            flow: HubFlow::new(log.clone(), front.clone(), clock.clone(), &tasks),
            connector: Connector::with_ca_file(&files.ca).expect("usable"),
            docs: choice.docs,
            identities,
            log,
            front,
            metrics,
            clock,
            tasks,
            folder,
        }
    }

    pub(crate) fn now(&self) -> DateTime {
        self.clock.now()
    }

    pub(crate) fn move_clock(&self, seconds: i64) {
        self.clock.moved_seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Creates an identity and gives its first key.
    pub(crate) fn device(&self, name: &str) -> SymmetricKey {
        self.identities.create(name, self.now(), "test").expect("is new").primary_key
    }

    /// What an SDK would use for this identity; the token lasts an hour.
    pub(crate) fn options(&self, name: &str, key: &SymmetricKey) -> ClientOptions {
        let identity = Identity::parse(name).expect("is an identity");
        let mut options = ClientOptions::new(HOST, self.front.address().port(), name);
        options.user_name = Login::user_name(HOST, &identity, "test/1");
        options.password = Secret::new(self.token(&identity.resource(HOST), key, 3600));
        options
    }

    pub(crate) fn token(&self, resource: &str, key: &SymmetricKey, seconds: i64) -> String {
        let expiry = self.now().saturating_add_ticks(seconds * 10_000_000);
        SasToken::generate(resource, key, expiry, None)
    }

    pub(crate) async fn try_connect(&self, options: &ClientOptions) -> Result<Client, ConnectError> {
        Client::connect(&self.connector, options).await
    }

    /// A new device that is connected.
    pub(crate) async fn connected(&self, name: &str) -> Client {
        let key = self.device(name);
        self.try_connect(&self.options(name, &key)).await.expect("is accepted")
    }

    pub(crate) async fn tls(&self) -> ClientStream {
        let port = self.front.address().port();
        self.connector.connect(HOST, port, PATIENCE).await.expect("connects")
    }

    /// Waits until this many connections ended for the reason.
    pub(crate) async fn ended(&self, reason: EndReason, times: u64) {
        until(&format!("{} ends for {reason:?}", times), || self.front.ends().count(reason) >= times).await;
        assert_eq!(self.front.ends().count(reason), times);
    }

    /// All messages in the log, by partition and in order.
    pub(crate) async fn messages(&self) -> Vec<DeviceMessage> {
        let mut messages = Vec::new();
        for partition in 0..self.log.partitions() {
            let (mut from, end) = self.log.bounds(partition);
            while from < end {
                let items = self.log.read(partition, from, 1 << 20).await.expect("can be read");
                from = items.last().map_or(end, LogItem::next_offset);
                messages.extend(items.into_iter().filter_map(|item| match item {
                    LogItem::Entry(entry) => Some(entry.message),
                    LogItem::Missing { .. } => None,
                }));
            }
        }
        messages
    }

    pub(crate) fn report(&self) -> StageReport {
        self.flow.reports().remove(0)
    }

    /// Sends all bodies through the window and waits for every acknowledgement.
    pub(crate) async fn send_all(&self, client: &mut Client, name: &str, bodies: &[String]) {
        let mut waiting: VecDeque<&String> = bodies.iter().collect();
        let mut acknowledged = 0;
        while acknowledged < bodies.len() {
            while let Some(body) = waiting.front()
                && client.has_room(body.len() + 100)
            {
                publish(client, name, "", body);
                waiting.pop_front();
            }
            match next(client).await {
                Event::Acknowledged(_) => acknowledged += 1,
                other => panic!("unexpected {other:?}"),
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.tasks.stop();
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// The events topic of an identity.
pub(crate) fn topic(name: &str, bag: &str) -> String {
    Topics::of(&Identity::parse(name).expect("is an identity")).event(bag)
}

pub(crate) fn publish(client: &mut Client, name: &str, bag: &str, body: &str) -> PacketId {
    let body = Bytes::copy_from_slice(body.as_bytes());
    client.publish(topic(name, bag), body).expect("there is room")
}

pub(crate) async fn next(client: &mut Client) -> Event {
    tokio::time::timeout(PATIENCE, client.event()).await.expect("something happens").expect("is alive")
}

/// Waits for the end of a connection.
pub(crate) async fn gone(client: &mut Client) {
    let ended = async { while client.event().await.is_ok() {} };
    tokio::time::timeout(PATIENCE, ended).await.expect("the hub ends the connection");
}

pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

pub(crate) fn bag(pairs: &[(&str, &str)], system: &[(&str, &str)]) -> String {
    let owned = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    MessageProperties { system: owned(system), application: owned(pairs) }.to_bag()
}

fn connect_packet(options: &ClientOptions) -> mqtt::Packet {
    mqtt::Packet::Connect(Box::new(mqtt::Connect {
        keep_alive: options.keep_alive.as_secs() as u16,
        client_id: options.client_id.clone().into(),
        username: Some(options.user_name.clone().into()),
        password: Some(Bytes::copy_from_slice(options.password.reveal().as_bytes())),
        ..mqtt::Connect::default()
    }))
}

/// A CONNECT as it goes over the wire.
pub(crate) fn connect_bytes(options: &ClientOptions) -> Vec<u8> {
    let mut connection = mqtt::Connection::new(tokio::io::join(tokio::io::empty(), Vec::new()));
    connection.queue(connect_packet(options));
    connection.unwritten_bytes().to_vec()
}

/// A connection on which the test speaks MQTT packet by packet.
pub(crate) async fn raw(world: &World, options: &ClientOptions) -> mqtt::Connection<ClientStream> {
    let mut connection = mqtt::Connection::new(world.tls().await);
    connection.trust(mqtt::PACKET_BYTES_MAX);
    connection.queue(connect_packet(options));
    let answer = connection.receive().await.expect("answers");
    assert!(
        matches!(&answer, mqtt::Packet::ConnectAck(ack) if ack.return_code == mqtt::ConnectAckReason::ConnectionAccepted),
        "{answer:?}"
    );
    connection
}
