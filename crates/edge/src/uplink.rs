//! The uplink: from the queue to the hub over the Azure IoT MQTT wire, deleted only after PUBACK.

mod sending;

use crate::queue::StoreAndForward;
use gemba_api::Problem;
use gemba_base::{Backoff, Secret, Tasks};
use gemba_iothub::{ConnectionString, Identity, Login, SasToken};
use gemba_model::DateTime;
use gemba_net::ConnectError;
use gemba_net::mqtt::{Client, ClientOptions, Dial};
use gemba_net::tls::Connector;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How to reach the hub.
#[derive(Debug, Clone)]
pub struct HubLinkOptions {
    /// Host, device and key.
    pub connection: ConnectionString,
    /// The way to the hub.
    pub way: Way,
    /// How long a token is valid; a new one is used after three quarters of it. One hour is usual.
    pub token_lifetime: Duration,
}

/// The way to a hub.
#[derive(Debug, Clone)]
pub enum Way {
    /// TLS over TCP, with the certificate of the hub's authority in this file (PEM).
    Tls(PathBuf),
    /// Whatever else carries bytes, such as a simulated network.
    Other(Arc<dyn Dial>),
}

/// The port of MQTT over TLS.
const PORT: u16 = 8883;
/// How we introduce ourselves.
const CLIENT_TYPE: &str = concat!("gemba-edge/", env!("CARGO_PKG_VERSION"));

/// The link of a queue to its hub; runs until its tasks stop.
#[derive(Debug)]
pub struct HubLink;

impl HubLink {
    /// Starts the link.
    pub fn start(queue: StoreAndForward, options: HubLinkOptions, tasks: &Tasks) {
        let stop = tasks.clone();
        tasks.spawn(async move { run(&queue, &options, &stop).await });
    }
}

/// Why a connection ended.
#[derive(Debug)]
enum End {
    /// The token is getting old: connect again at once.
    Renew,
    /// The edge stops, and what could be delivered is.
    Stop,
    /// It broke.
    Lost(String),
}

async fn run(queue: &StoreAndForward, options: &HubLinkOptions, stop: &Tasks) {
    let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(15));
    let mut since: Option<DateTime> = None;
    loop {
        let reason = match connect(queue, options).await {
            Ok((client, renew_at)) => {
                if since.take().is_some() {
                    tracing::info!(host = options.connection.host_name, "connected to the hub again");
                }
                *queue.shared.link_problem.lock() = None;
                let before = queue.shared.counters.messages_out.value();
                let end = sending::serve(queue, options, client, renew_at, stop).await;
                // A hub that only lets us in, and keeps nothing, is not asked ever faster.
                if queue.shared.counters.messages_out.value() > before {
                    backoff.reset();
                }
                match end {
                    End::Renew => continue,
                    End::Stop => return,
                    End::Lost(reason) => reason,
                }
            }
            Err(reason) => reason,
        };
        if stop.is_stopping() {
            return;
        }
        let since = *since.get_or_insert_with(|| queue.shared.clock.now());
        tracing::warn!(host = options.connection.host_name, reason, "no connection to the hub");
        *queue.shared.link_problem.lock() = Some(Problem {
            code: "GMB-EDG-005".to_owned(),
            text: format!("No connection to the hub: {reason}."),
            place: options.connection.host_name.clone(),
            remedy: "Values wait in the edge's queue and go out by themselves once the hub answers. Check that it \
                     runs, the network, the clock and the key."
                .to_owned(),
            since,
            urgency: 3,
        });
        if stop.back_off(&mut backoff).await {
            return;
        }
    }
}

async fn connect(
    queue: &StoreAndForward,
    options: &HubLinkOptions,
) -> Result<(Client, tokio::time::Instant), String> {
    let connection = &options.connection;
    let identity: Identity = connection.identity().map_err(|error| error.to_string())?;
    let key = connection
        .shared_access_key
        .as_ref()
        .ok_or("the connection string has no SharedAccessKey; certificates are not supported yet")?;
    let dial: Arc<dyn Dial> = match &options.way {
        // Read each time: the platform may have renewed its authority.
        Way::Tls(ca) => Arc::new(Connector::with_ca_file(ca).map_err(|error| error.to_string())?),
        Way::Other(dial) => dial.clone(),
    };
    let (host, port) = connection.target(PORT);
    let expiry = queue.shared.clock.now().saturating_add(options.token_lifetime);
    let token = SasToken::generate(&identity.resource(&connection.host_name), key, expiry, None);
    let mut client = ClientOptions::new(host, port, identity.to_string());
    client.user_name = Login::user_name(&connection.host_name, &identity, CLIENT_TYPE);
    client.password = Secret::new(token);
    let renew_at = tokio::time::Instant::now() + options.token_lifetime * 3 / 4;
    let client = Client::connect(&*dial, &client).await.map_err(|error: ConnectError| error.to_string())?;
    Ok((client, renew_at))
}
