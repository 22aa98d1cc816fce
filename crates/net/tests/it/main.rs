//! The network crate over real sockets on loopback.

mod framing;
mod http;
mod mqtt;
mod pki;
mod tls;

use gemba_base::{Clock, Metrics, SystemClock, Tasks, random};
use gemba_net::listen::{ListenerMetrics, ListenerOptions};
use gemba_net::tls::{Acceptor, Connector};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpListener;

/// Long enough for the slowest machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that is deleted at the end of a test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        gemba_net::install_crypto();
        let path = std::env::temp_dir().join(format!("gemba-net-{}", random::hex::<8>()));
        std::fs::create_dir_all(&path).expect("the folder for tests can be made");
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A server certificate for loopback, with both ends that use it.
fn both_ends(folder: &Folder) -> (Acceptor, Connector) {
    let files = gemba_net::pki::ensure_server(folder.path(), &[], SystemClock::new().now())
        .expect("certificates are made");
    let acceptor = Acceptor::from_files(&files.certificate, &files.key).expect("the files are usable");
    (acceptor, Connector::with_ca_file(&files.ca).expect("the CA is usable"))
}

/// A listener on a free port of loopback whose connections run `handler`.
async fn listening<H, F>(
    acceptor: Option<Acceptor>,
    options: ListenerOptions,
    handler: H,
) -> (SocketAddr, ListenerMetrics, Tasks)
where
    H: Fn(gemba_net::Stream, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("is bound");
    let (metrics, tasks) = (ListenerMetrics::new(&Metrics::default(), "test"), Tasks::new("test"));
    tasks.spawn(gemba_net::listen::serve(
        listener,
        acceptor,
        options,
        metrics.clone(),
        tasks.clone(),
        handler,
    ));
    (address, metrics, tasks)
}

/// Waits for a condition that another task brings about.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}
