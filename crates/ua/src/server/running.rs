//! Starting, writing, stopping.

use super::application::Application;
use super::behaviour::CertificateFault;
use super::error::ServerError;
use super::options::ServerOptions;
use super::shared::Shared;
use super::space::AddressSpaceBuilder;
use super::values::Update;
use super::wire;
use gemba_base::Tasks;
use gemba_model::DateTime;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;

/// Starts servers.
#[derive(Debug)]
pub struct Server;

/// A server that listens. Dropping it does not stop it: [`RunningServer::stop`] does, and so does the
/// task branch that it was started on.
pub struct RunningServer {
    port: u16,
    writer: ValueWriter,
    tasks: Tasks,
}

impl std::fmt::Debug for RunningServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningServer").field("endpoint_url", &self.endpoint_url()).finish_non_exhaustive()
    }
}

/// Writes values of a running server. Clones write to the same server.
#[derive(Clone)]
pub struct ValueWriter {
    shared: Arc<Shared>,
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
        self.shared.write(server_timestamp, updates);
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
        check(&options, &space)?;
        let bind_error = |source| ServerError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(bind_error)?;
        let port = listener.local_addr().map_err(bind_error)?.port();
        let url = format!("opc.tcp://{}:{port}/", options.advertised_host());
        tracing::info!(%url, name = %options.application_name, "OPC UA server listens");
        // Keys, files and thousands of standard nodes: not for a runtime's worker.
        let build = move || {
            let application = Application::load(&options)?;
            Ok(Shared::new(options, space, application, url))
        };
        let shared = tokio::task::spawn_blocking(build)
            .await
            .map_err(|error| ServerError::Options(error.to_string()))??;
        let shared = Arc::new(shared);
        let branch = tasks.branch("opcua-server");
        branch.spawn(accept(listener, shared.clone(), branch.clone()));
        branch.spawn(keep_time(shared.clone(), branch.clone()));
        branch.spawn(misbehave(shared.clone(), branch.clone()));
        Ok(RunningServer { port, writer: ValueWriter { shared }, tasks: branch })
    }
}

fn check(options: &ServerOptions, space: &AddressSpaceBuilder) -> Result<(), ServerError> {
    if options.security.is_empty() {
        return Err(ServerError::Options("there is no endpoint; give at least one security".to_owned()));
    }
    if space.namespace_uri == options.application_uri || space.namespace_uri.contains("opcfoundation.org/UA/")
    {
        let reason = "the namespace URI must differ from the application URI and from OPC UA's own";
        return Err(ServerError::Options(reason.to_owned()));
    }
    Ok(())
}

impl RunningServer {
    /// Where clients connect.
    pub fn endpoint_url(&self) -> &str {
        &self.writer.shared.url
    }

    /// The port that was bound.
    pub const fn port(&self) -> u16 {
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
        if !self.tasks.drain(Duration::from_secs(5)).await {
            self.writer.shared.cut_all();
        }
    }

    /// Monitored items of clients now.
    pub fn monitored_items(&self) -> usize {
        self.writer.shared.state().engine.monitored_items()
    }

    /// Sessions of clients now.
    pub fn sessions(&self) -> usize {
        self.writer.shared.state().sessions.len()
    }
}

/// Connections beyond this wait in the operating system's queue.
fn connections_max(shared: &Shared) -> usize {
    shared.options.limits.sessions.saturating_mul(2).saturating_add(16)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, tasks: Tasks) {
    let places = Arc::new(tokio::sync::Semaphore::new(connections_max(&shared)));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = tasks.stopping() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (shared, stop) = (shared.clone(), tasks.stop_token());
                tasks.spawn(async move {
                    wire::serve(stream, shared, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: others will close.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Runs publishing cycles, lifetimes and timeouts.
async fn keep_time(shared: Arc<Shared>, tasks: Tasks) {
    loop {
        // With nothing to do, whatever begins something wakes it.
        let wait = shared.poll().unwrap_or(Duration::from_secs(3600));
        tokio::select! {
            () = tasks.stopping() => return,
            () = tokio::time::sleep(wait) => {}
            () = shared.wake.notified() => {}
        }
    }
}

/// Faults that come at a time.
async fn misbehave(shared: Arc<Shared>, tasks: Tasks) {
    let behaviour = shared.options.behaviour;
    let began = Instant::now();
    let mut replaced_at = match behaviour.certificate {
        CertificateFault::ReplacedAfter(after) => Some(began + after),
        _ => None,
    };
    let mut dropped_at = behaviour.sessions_dropped_every.map(|every| (began + every, every));
    while let Some(next) = replaced_at.into_iter().chain(dropped_at.map(|(at, _)| at)).min() {
        tokio::select! {
            () = tasks.stopping() => return,
            () = tokio::time::sleep_until(next) => {}
        }
        let now = Instant::now();
        if replaced_at.is_some_and(|at| at <= now) {
            replaced_at = None;
            replace_certificate(&shared).await;
        }
        if let Some((at, every)) = dropped_at
            && at <= now
        {
            dropped_at = Some((now + every, every));
            tracing::info!(url = %shared.url, "all sessions are dropped on purpose");
            shared.drop_sessions();
        }
    }
}

async fn replace_certificate(shared: &Arc<Shared>) {
    let options = shared.options.clone();
    match tokio::task::spawn_blocking(move || Application::replace(&options)).await {
        Ok(Ok(application)) => {
            shared.replace_application(application);
            tracing::info!(url = %shared.url, "the certificate was replaced on purpose");
            shared.cut_all();
        }
        Ok(Err(error)) => tracing::error!(%error, "the certificate could not be replaced"),
        Err(error) => tracing::error!(%error, "the certificate could not be replaced"),
    }
}
