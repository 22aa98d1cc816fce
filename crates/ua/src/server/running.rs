//! Starting, writing, stopping.

use super::NAMESPACE_INDEX;
use super::authenticator::Authenticator;
use super::certificate;
use super::error::ServerError;
use super::node_manager::{OwnNodes, settle_soon};
use super::options::{EndpointSecurity, ServerOptions};
use super::space::AddressSpaceBuilder;
use super::values::{Update, Values};
use gemba_base::Tasks;
use gemba_model::DateTime;
use opcua::crypto::SecurityPolicy;
use opcua::server::{Limits, ServerBuilder, ServerConfig, ServerEndpoint, ServerHandle};
use opcua::types::{BuildInfo, FallbackTypeLoader, MessageSecurityMode, UAString};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Starts servers.
#[derive(Debug)]
pub struct Server;

/// A server that listens. Dropping it does not stop it: [`RunningServer::stop`] does, and so does the
/// task branch that it was started on.
pub struct RunningServer {
    endpoint_url: String,
    port: u16,
    handle: ServerHandle,
    writer: ValueWriter,
    serving: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for RunningServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningServer").field("endpoint_url", &self.endpoint_url).finish_non_exhaustive()
    }
}

/// Writes values of a running server. Clones write to the same server.
#[derive(Clone)]
pub struct ValueWriter {
    values: Arc<Values>,
    tasks: Tasks,
}

impl std::fmt::Debug for ValueWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValueWriter").finish_non_exhaustive()
    }
}

impl ValueWriter {
    /// Stores the updates in order and reports them to all monitored items, in one step: no client sees
    /// half of a batch in a Read. Unknown handles are skipped.
    pub fn write(&self, server_timestamp: Option<DateTime>, updates: impl IntoIterator<Item = Update>) {
        if self.values.write(server_timestamp, updates) {
            settle_soon(&self.values, &self.tasks);
        }
    }
}

impl Server {
    /// Binds, makes a certificate when one is needed and none is there, and serves on `tasks`.
    ///
    /// # Errors
    /// When the address is taken, the pki folder is not usable or the options contradict themselves.
    pub async fn start(
        options: ServerOptions,
        space: AddressSpaceBuilder,
        tasks: &Tasks,
    ) -> Result<RunningServer, ServerError> {
        let bind_error = |source| ServerError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(bind_error)?;
        let port = listener.local_addr().map_err(bind_error)?.port();
        let branch = tasks.branch("opcua-server");
        let building = options.clone();
        let nodes_tasks = branch.clone();
        // Keys, files and thousands of standard nodes: not for a runtime's worker.
        let built = tokio::task::spawn_blocking(move || build(&building, space, port, nodes_tasks)).await;
        let built = built.map_err(|error| ServerError::Options(error.to_string()))?;
        let (server, handle, values) = built?;
        let url = format!("opc.tcp://{}:{port}/", options.advertised_host());
        tracing::info!(%url, name = %options.application_name, "OPC UA server listens");
        let serving = tasks.spawn(async move {
            if let Err(error) = server.run_with(listener).await {
                tracing::error!(error, "the OPC UA server ended");
            }
        });
        Ok(RunningServer {
            endpoint_url: url,
            port,
            handle,
            writer: ValueWriter { values, tasks: branch },
            serving: Mutex::new(Some(serving)),
        })
    }
}

impl RunningServer {
    /// Where clients connect.
    pub fn endpoint_url(&self) -> &str {
        &self.endpoint_url
    }

    /// The port that was bound.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What writes its values.
    pub fn writer(&self) -> ValueWriter {
        self.writer.clone()
    }

    /// As [`ValueWriter::write`].
    pub fn write(&self, server_timestamp: Option<DateTime>, updates: impl IntoIterator<Item = Update>) {
        self.writer.write(server_timestamp, updates);
    }

    /// Closes the listener and all connections (clients see BadServerHalted); when it returns the port is
    /// free. Connections that do not close in five seconds are cut.
    pub async fn stop(&self) {
        self.handle.cancel();
        let Some(mut serving) = self.serving.lock().take() else { return };
        if tokio::time::timeout(Duration::from_secs(5), &mut serving).await.is_err() {
            serving.abort();
            drop(serving.await);
        }
        self.writer.tasks.drain(Duration::from_secs(1)).await;
    }

    /// Monitored items of clients now. Those of a subscription that expired count until the next write
    /// of one of their variables.
    pub fn monitored_items(&self) -> usize {
        self.writer.values.watched()
    }
}

type Built = (opcua::server::Server, ServerHandle, Arc<Values>);

fn build(
    options: &ServerOptions,
    space: AddressSpaceBuilder,
    port: u16,
    tasks: Tasks,
) -> Result<Built, ServerError> {
    if options.needs_certificate() {
        certificate::ensure(options)?;
    }
    let token = tasks.stop_token();
    let (server, handle) = ServerBuilder::from_config(config(options, port))
        .with_authenticator(Arc::new(Authenticator::new(options)))
        .with_type_loader(Arc::new(FallbackTypeLoader))
        .build_info(build_info(options))
        .token(token)
        .with_node_manager(move |context| OwnNodes::new(space, &context, tasks))
        .build()
        .map_err(ServerError::Options)?;
    let nodes = handle
        .node_managers()
        .get_of_type::<OwnNodes>()
        .ok_or_else(|| ServerError::Options("the stack lost the server's nodes".to_owned()))?;
    if nodes.namespace != NAMESPACE_INDEX {
        let reason = "the namespace URI must differ from the application URI and from OPC UA's own";
        return Err(ServerError::Options(reason.to_owned()));
    }
    let values = nodes.values.clone();
    Ok((server, handle, values))
}

fn build_info(options: &ServerOptions) -> BuildInfo {
    BuildInfo {
        product_uri: UAString::from(product_uri()),
        manufacturer_name: UAString::from("Gemba"),
        product_name: UAString::from(&options.application_name),
        software_version: UAString::from(env!("CARGO_PKG_VERSION")),
        ..BuildInfo::default()
    }
}

fn product_uri() -> &'static str {
    "urn:gemba"
}

fn config(options: &ServerOptions, port: u16) -> ServerConfig {
    let mut config = ServerConfig::default();
    config.application_name.clone_from(&options.application_name);
    config.application_uri.clone_from(&options.application_uri);
    config.product_uri = product_uri().to_owned();
    config.pki_dir.clone_from(&options.pki);
    config.certificate_validation.trust_client_certs = true;
    config.certificate_validation.check_time = false;
    config.tcp_config.host = options.advertised_host();
    config.tcp_config.port = port;
    config.discovery_urls = vec![format!("opc.tcp://{}:{port}/", options.advertised_host())];
    config.subscription_poll_interval_ms =
        u64::try_from(options.limits.publishing_interval_min.as_millis()).unwrap_or(u64::MAX).max(1);
    config.limits = limits(options);
    for security in &options.security {
        let (id, policy, mode) = match security {
            EndpointSecurity::None => ("none", SecurityPolicy::None, MessageSecurityMode::None),
            EndpointSecurity::Basic256Sha256Sign => {
                ("sign", SecurityPolicy::Basic256Sha256, MessageSecurityMode::Sign)
            }
            EndpointSecurity::Basic256Sha256SignAndEncrypt => {
                ("sign-and-encrypt", SecurityPolicy::Basic256Sha256, MessageSecurityMode::SignAndEncrypt)
            }
        };
        config.add_endpoint(id, ServerEndpoint::new("/", policy, mode, &[]));
    }
    config.default_endpoint = config.endpoints.keys().next().cloned();
    config
}

fn limits(options: &ServerOptions) -> Limits {
    let wanted = &options.limits;
    let mut limits = Limits {
        max_array_length: 1_000_000,
        max_string_length: 1 << 20,
        max_byte_string_length: 16 << 20,
        max_message_size: wanted.message_bytes,
        // Chunks are at least 8,192 bytes, whatever the client negotiates (OPC 10000-6 v1.05, 7.1.2.3).
        max_chunk_count: wanted.message_bytes / 8192 + 1,
        max_sessions: wanted.sessions,
        ..Limits::default()
    };
    let subscriptions = &mut limits.subscriptions;
    subscriptions.max_subscriptions_per_session = wanted.subscriptions_per_session;
    subscriptions.max_publish_requests_per_subscription = wanted.publish_requests_per_subscription;
    subscriptions.max_pending_publish_requests =
        wanted.publish_requests_per_subscription.saturating_mul(wanted.subscriptions_per_session);
    // Zero stays zero in the stack: an item that asks for every change gets every change.
    subscriptions.min_sampling_interval_ms = 0.0;
    subscriptions.min_publishing_interval_ms = wanted.publishing_interval_min.as_secs_f64() * 1000.0;
    subscriptions.max_monitored_items_per_sub = wanted.items_per_subscription;
    subscriptions.max_monitored_item_queue_size = wanted.queue_size;
    // Messages are split only where a client asks for it: the stack makes all messages of an interval at
    // once, keeps those for which no publish request is there, and drops the oldest beyond this number
    // without telling anyone. Whole messages never pile up; their values wait in the items' own queues.
    subscriptions.max_notifications_per_publish = 0;
    subscriptions.max_queued_notifications = 5_000;
    let operational = &mut limits.operational;
    operational.max_nodes_per_translate_browse_paths_to_node_ids = wanted.items_per_call;
    operational.max_nodes_per_read = wanted.items_per_call;
    operational.max_nodes_per_write = wanted.items_per_call;
    operational.max_nodes_per_method_call = wanted.items_per_call;
    operational.max_nodes_per_browse = wanted.items_per_call;
    operational.max_nodes_per_register_nodes = wanted.items_per_call;
    operational.max_monitored_items_per_call = wanted.items_per_call;
    operational.max_references_per_browse_node = wanted.items_per_call;
    operational.max_subscriptions_per_call = wanted.subscriptions_per_session;
    limits
}
