//! The MQTT front end: devices connect, prove themselves and publish.

mod batch;
mod ends;
#[cfg(test)]
mod fuzz;
mod handshake;
mod session;
mod tickets;
mod twin;

use crate::auth::Authenticator;
use crate::log::HubLog;
use crate::reason::{End, EndReason};
use crate::tap::MessageTap;
use gemba_base::{Clock, Counter, Gauge, Metrics, Tasks};
use gemba_net::listen::{self, ListenerMetrics, ListenerOptions};
use gemba_net::mqtt::{ByteStream, Connection};
use gemba_net::tls::Acceptor;
use gemba_net::{BindError, Stream};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

pub use ends::{Ends, RefusedDevice};

/// Bounds and times of the front end.
#[derive(Debug, Clone)]
pub struct MqttOptions {
    /// Where to listen; port 0 picks one.
    pub listen: SocketAddr,
    /// Connections and TLS handshakes.
    pub listener: ListenerOptions,
    /// From the end of the TLS handshake to CONNECT.
    pub connect_within: Duration,
    /// The longest keep-alive that is honoured, also for clients that ask for none. The service's is 1,767 s.
    pub keep_alive_max: Duration,
    /// Messages of one connection that wait to become durable; more are not read from its socket.
    pub waiting_messages_max: usize,
    /// Their bytes.
    pub waiting_bytes_max: usize,
    /// A message that is not durable after so long ends the connection, and so does a client that does not read.
    pub stall_max: Duration,
}

impl Default for MqttOptions {
    fn default() -> Self {
        Self {
            listen: ([0, 0, 0, 0], 8883).into(),
            listener: ListenerOptions::default(),
            connect_within: Duration::from_secs(10),
            keep_alive_max: Duration::from_secs(1767),
            waiting_messages_max: 4_096,
            waiting_bytes_max: 4 << 20,
            stall_max: Duration::from_secs(30),
        }
    }
}

/// What a front end needs of the rest of the hub.
#[derive(Clone)]
pub struct MqttParts {
    /// Who may connect.
    pub authenticator: Authenticator,
    /// Where messages go.
    pub log: HubLog,
    /// Sees chosen messages once they are durable.
    pub tap: Option<Arc<dyn MessageTap>>,
    /// Certificates; `None` where nothing listens.
    pub acceptor: Option<Acceptor>,
    /// Time of arrival and of tokens.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub metrics: Metrics,
}

impl std::fmt::Debug for MqttParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MqttParts").field("log", &self.log).finish_non_exhaustive()
    }
}

/// What the front end counts.
#[derive(Debug, Clone)]
pub(crate) struct Counters {
    pub(crate) sessions: Gauge,
    pub(crate) messages: Counter,
    pub(crate) bytes: Counter,
    pub(crate) values: Counter,
    pub(crate) unanswered_methods: Counter,
    pub(crate) twin_operations: Counter,
}

impl Counters {
    fn new(metrics: &Metrics) -> Self {
        let counter = |name, help| metrics.counter(name, help, &[]);
        Self {
            sessions: metrics.gauge("gemba_hub_mqtt_sessions", "accepted MQTT connections", &[]),
            messages: counter("gemba_hub_messages_total", "messages from devices that became durable"),
            bytes: counter("gemba_hub_message_bytes_total", "their bodies and properties"),
            values: counter("gemba_hub_values_total", "values in messages from devices, as the messages say"),
            unanswered_methods: counter(
                "gemba_hub_method_responses_ignored_total",
                "answers of devices to methods that nobody called",
            ),
            twin_operations: counter(
                "gemba_hub_twin_operations_refused_total",
                "twin operations answered with 501",
            ),
        }
    }
}

/// A running front end. Clones are the same one.
#[derive(Debug, Clone)]
pub struct MqttFront {
    address: SocketAddr,
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) options: MqttOptions,
    pub(crate) parts: MqttParts,
    pub(crate) counters: Counters,
    pub(crate) ends: Ends,
    pub(crate) tasks: Tasks,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("options", &self.options).finish_non_exhaustive()
    }
}

impl MqttFront {
    /// Binds and serves until `tasks` stops; then connections end with the reason `stopping`, without losing
    /// what was acknowledged.
    ///
    /// # Errors
    /// [`BindError`] with the remedy.
    pub async fn start(options: MqttOptions, parts: MqttParts, tasks: &Tasks) -> Result<Self, BindError> {
        let (listener, address) = listen::bind(options.listen, "MQTT over TLS", "hub.mqtt.listen").await?;
        let front = Self::without_listener(MqttOptions { listen: address, ..options }, parts, tasks);
        let shared = &front.shared;
        let sessions = shared.clone();
        let handler = move |stream: Stream, peer: SocketAddr| run(sessions.clone(), stream, peer);
        tasks.spawn(listen::serve(
            listener,
            shared.parts.acceptor.clone(),
            shared.options.listener.clone(),
            ListenerMetrics::new(&shared.parts.metrics, "mqtt"),
            tasks.clone(),
            handler,
        ));
        tracing::info!(%address, "MQTT listening");
        Ok(front)
    }

    /// A front end that listens nowhere: it gets its connections by [`MqttFront::serve`].
    pub fn without_listener(options: MqttOptions, parts: MqttParts, tasks: &Tasks) -> Self {
        let shared = Arc::new(Shared {
            counters: Counters::new(&parts.metrics),
            ends: Ends::new(&parts.metrics),
            tasks: tasks.clone(),
            options,
            parts,
        });
        Self { address: shared.options.listen, shared }
    }

    /// Serves a connection that somebody else accepted, until it ends.
    pub async fn serve(&self, stream: impl ByteStream, peer: SocketAddr) {
        run(self.shared.clone(), stream, peer).await;
    }

    /// Where it really listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Why connections were refused or ended so far.
    pub fn ends(&self) -> &Ends {
        &self.shared.ends
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

/// A connection from its first packet to its end.
async fn run<S: ByteStream>(shared: Arc<Shared>, stream: S, peer: SocketAddr) {
    let mut connection = Connection::new(stream);
    let accepted = tokio::select! {
        biased;
        () = shared.tasks.stopping() => Err((None, End::from(EndReason::Stopping))),
        accepted = handshake::accept(&shared, &mut connection, peer) => accepted,
    };
    let (identity, end) = match accepted {
        Ok(accepted) => {
            let identity = accepted.identity.to_string();
            shared.counters.sessions.add(1);
            let end = session::Session::new(shared.clone(), &mut connection, accepted).run().await;
            shared.counters.sessions.add(-1);
            (Some(identity), end)
        }
        Err(refused) => refused,
    };
    shared.ends.record(&end, identity.as_deref(), peer, shared.parts.clock.now());
    // The last acknowledgements and the refusal still want to be written.
    drop(timeout(Duration::from_secs(5), connection.close()).await);
}
