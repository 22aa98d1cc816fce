//! A small plant: counters on a server that can be stopped and started again.

use gemba_ua::client::trust::{Application, TrustOptions};
use gemba_ua::client::{ItemSpec, SessionOptions, SubscriptionSpec, TrustStore};
use opcua::crypto::SecurityPolicy;
use opcua::server::address_space::Variable;
use opcua::server::diagnostics::NamespaceMetadata;
use opcua::server::node_manager::memory::{SimpleNodeManager, simple_node_manager};
use opcua::server::{ANONYMOUS_USER_TOKEN_ID, ServerBuilder, ServerHandle, ServerUserToken};
use opcua::types::{DataValue, MessageSecurityMode, NodeId, ObjectId};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const NAMESPACE: &str = "urn:plant:counters";
pub(crate) const COUNTERS: u32 = 5;

/// A folder that is gone with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("gemba-ua-{}", gemba_base::random::hex::<8>()));
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn application(uri: &str) -> Application {
    Application {
        uri: uri.to_owned(),
        name: uri.rsplit(':').next().unwrap_or("application").to_owned(),
        host_names: vec!["localhost".to_owned()],
        addresses: vec!["127.0.0.1".parse().expect("an address")],
    }
}

/// Keys are the slow part: one server certificate for all tests.
static SERVER_PKI: LazyLock<Folder> = LazyLock::new(|| {
    let folder = Folder::new();
    TrustStore::open(folder.path(), &application("urn:test:plant"), TrustOptions::default())
        .expect("the server's certificate");
    folder
});

pub(crate) fn trust(folder: &Path, auto_accept: bool) -> Arc<TrustStore> {
    let options = TrustOptions { auto_accept, ..TrustOptions::default() };
    TrustStore::open(folder, &application("urn:test:client"), options).expect("a trust store")
}

pub(crate) fn options(url: String, folder: &Folder) -> SessionOptions {
    let mut options =
        SessionOptions::new(url, trust(&folder.path().join("pki"), true), folder.path().join("run"));
    options.connect_timeout = Duration::from_secs(20);
    // Silence is noticed after three seconds.
    options.subscription_keep_alive_min = Duration::from_millis(500);
    options
}

pub(crate) struct Plant {
    handle: ServerHandle,
    address: SocketAddr,
    namespace: u16,
    running: JoinHandle<()>,
    next: AtomicI32,
    _pki: Folder,
}

impl Plant {
    pub(crate) async fn start() -> Self {
        Self::start_with(|builder| builder).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let pki = Folder::new();
        let own = SERVER_PKI.path().join("own");
        let users = [ANONYMOUS_USER_TOKEN_ID, "operator"];
        let endpoint = |policy, mode| ("/", policy, mode, &users as &[&str]);
        let mut builder = ServerBuilder::new()
            .application_name("plant")
            .application_uri("urn:test:plant")
            .product_uri("urn:test:product")
            .host("127.0.0.1")
            .pki_dir(pki.path())
            .certificate_path(own.join("cert.der"))
            .private_key_path(own.join("private.pem"))
            .trust_client_certs(true)
            .discovery_urls(vec!["/".to_owned()])
            .add_user_token("operator", ServerUserToken::user_pass("operator", "correct"))
            .add_endpoint("none", endpoint(SecurityPolicy::None, MessageSecurityMode::None))
            .add_endpoint("sign", endpoint(SecurityPolicy::Basic256Sha256, MessageSecurityMode::Sign))
            .add_endpoint(
                "encrypt",
                endpoint(SecurityPolicy::Basic256Sha256, MessageSecurityMode::SignAndEncrypt),
            )
            .subscription_poll_interval_ms(10)
            .max_sessions(100)
            .with_node_manager(simple_node_manager(
                NamespaceMetadata { namespace_uri: NAMESPACE.to_owned(), ..Default::default() },
                "counters",
            ));
        let limits = &mut builder.limits_mut().subscriptions;
        limits.min_publishing_interval_ms = 10.0;
        limits.min_sampling_interval_ms = 0.0;
        limits.max_monitored_item_queue_size = 10_000;
        let (server, handle) = change(builder).build().expect("a server");
        let namespace = handle.get_namespace_index(NAMESPACE).expect("the namespace");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let running = tokio::spawn(async move {
            server.run_with(listener).await.expect("the server runs");
        });
        let plant = Self { handle, address, namespace, running, next: AtomicI32::new(1), _pki: pki };
        let nodes: Vec<Variable> = (0..COUNTERS)
            .map(|n| Variable::new(&plant.node(n), format!("c{n}"), format!("c{n}"), 0_i32))
            .collect();
        plant.counters().address_space().write().add_variables(nodes, &ObjectId::ObjectsFolder.into());
        plant
    }

    fn counters(&self) -> Arc<SimpleNodeManager> {
        self.handle.node_managers().get_of_type::<SimpleNodeManager>().expect("the counters")
    }

    fn node(&self, counter: u32) -> NodeId {
        NodeId::new(self.namespace, counter)
    }

    pub(crate) fn url(&self) -> String {
        format!("opc.tcp://{}/", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Each counter gets its next value. Returns it.
    pub(crate) fn tick(&self) -> i32 {
        let value = self.next.fetch_add(1, Ordering::Relaxed);
        let nodes: Vec<NodeId> = (0..COUNTERS).map(|n| self.node(n)).collect();
        let values = nodes.iter().map(|node| (node, None, DataValue::new_now(value)));
        self.counters().set_values(self.handle.subscriptions(), values).expect("the counters exist");
        value
    }

    /// Goes on ticking every few milliseconds for a while. Returns the last value.
    pub(crate) async fn tick_for(&self, duration: Duration) -> i32 {
        let end = tokio::time::Instant::now() + duration;
        let mut last = 0;
        while tokio::time::Instant::now() < end {
            last = self.tick();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        last
    }

    /// The process dies: no good-bye to anybody.
    pub(crate) async fn kill(self) {
        self.running.abort();
        self.running.await.ok();
    }
}

/// The counters `from..to` as a subscription.
pub(crate) fn spec(name: &str, counters: std::ops::Range<u32>) -> SubscriptionSpec {
    SubscriptionSpec {
        name: name.to_owned(),
        publishing_interval: Duration::from_millis(50),
        items: counters.map(|n| item(n, &format!("nsu={NAMESPACE};i={n}"))).collect(),
        max_items: 1000,
    }
}

pub(crate) fn item(handle: u32, node: &str) -> Arc<ItemSpec> {
    Arc::new(ItemSpec {
        handle,
        node: node.parse().expect("a node id"),
        attribute: 13,
        sampling_interval: Duration::ZERO,
        queue_size: 5000,
        discard_oldest: true,
    })
}
