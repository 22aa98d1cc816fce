//! The factory at work: one task a line, one server a station.

use super::line::Line;
use super::mes::Place;
use super::nodes::{self, Handles, Operations};
use super::options::{self, FactoryOptions};
use super::station::{Signal, Station};
use crate::error::SimError;
use crate::published_nodes::{self, PublishedNode, PublishedWriter};
use gemba_base::{Clock, SystemClock, Tasks};
use gemba_model::{DateTime, ExpandedNodeId, Namespace, StatusCode};
use gemba_ua::server::{RunningServer, Server, ServerOptions, Update, ValueWriter};
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Where a station is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StationEndpoint {
    /// What the line makes.
    pub line: String,
    /// Which station of the line.
    pub place: Place,
    /// Unique in the factory, such as `Brake pads Assembly`.
    pub name: String,
    /// The server's application URI.
    pub application_uri: String,
    /// Where clients connect.
    pub url: String,
}

/// A factory that runs until it is stopped or its task branch ends.
#[derive(Debug)]
pub struct RunningFactory {
    /// The stations, line by line.
    pub endpoints: Vec<StationEndpoint>,
    servers: Vec<RunningServer>,
    options: FactoryOptions,
    tasks: Tasks,
}

/// A line with its clock, shared by the task that drives it and the methods of its stations.
struct SharedLine {
    line: Mutex<Line>,
    clock: SystemClock,
    started: DateTime,
    clock_factor: f64,
    /// Told when a client did something, so that the driver looks again.
    touched: Notify,
}

impl SharedLine {
    fn virtual_now(&self) -> Duration {
        self.clock.monotonic().mul_f64(self.clock_factor)
    }

    /// The real instant of a virtual one.
    fn instant(&self, at: Duration) -> DateTime {
        self.started.saturating_add(at.div_f64(self.clock_factor))
    }
}

struct StationOperations {
    line: Arc<SharedLine>,
    place: Place,
}

impl StationOperations {
    fn act<T>(&self, act: impl FnOnce(&mut Station) -> Result<T, StatusCode>) -> Result<T, StatusCode> {
        let outcome = self.line.line.lock().command(self.line.virtual_now(), self.place, act);
        self.line.touched.notify_one();
        outcome
    }
}

impl Operations for StationOperations {
    fn execute(&self, serial: u64) -> Result<(), StatusCode> {
        self.act(|station| station.execute(serial))
    }
    fn reset(&self) -> Result<(), StatusCode> {
        self.act(Station::reset)
    }
    fn open_pressure_release_valve(&self) -> Result<(), StatusCode> {
        self.act(|station| {
            station.open_pressure_release_valve();
            Ok(())
        })
    }
    fn set_ideal_cycle(&self, wanted: Duration) -> Result<Duration, StatusCode> {
        self.act(|station| Ok(station.set_ideal_cycle(wanted)))
    }
}

/// Starts all stations, then switches the lines on.
///
/// # Errors
/// When an option is out of range or a server does not start; the servers started so far are stopped.
pub async fn run(options: FactoryOptions, tasks: &Tasks) -> Result<RunningFactory, SimError> {
    options.check()?;
    let tasks = tasks.branch("factory");
    let mut factory = RunningFactory { endpoints: Vec::new(), servers: Vec::new(), options, tasks };
    for line in 0..factory.options.lines {
        if let Err(error) = factory.start_line(line).await {
            factory.stop().await;
            return Err(error);
        }
    }
    Ok(factory)
}

impl RunningFactory {
    async fn start_line(&mut self, number: usize) -> Result<(), SimError> {
        let options = &self.options;
        let settings = Place::ALL.map(|place| options::settings(number, place, options.clock_factor));
        let clock = SystemClock::new();
        let shared = Arc::new(SharedLine {
            line: Mutex::new(Line::new(settings, options.seed, number as u64, options.mes)),
            started: clock.now(),
            clock,
            clock_factor: options.clock_factor,
            touched: Notify::new(),
        });
        let mut stations = Vec::new();
        for place in Place::ALL {
            let (endpoint, server, handles) =
                start_station(&self.options, number, place, &shared, &self.tasks)
                    .await
                    .map_err(|(name, source)| SimError::Server { name, source })?;
            stations.push((place, server.writer(), handles));
            self.endpoints.push(endpoint);
            self.servers.push(server);
        }
        let stopping = self.tasks.clone();
        self.tasks.spawn(async move { drive(&shared, &stations, &stopping).await });
        Ok(())
    }

    /// A `publishednodes.json` that publishes every node of every station: a writer group a line, a
    /// writer a station.
    pub fn published_nodes(&self) -> serde_json::Value {
        let writers: Vec<PublishedWriter> =
            self.endpoints.iter().map(|endpoint| writer(endpoint, &self.options)).collect();
        published_nodes::document(&writers)
    }

    /// Stops the lines and closes all servers.
    pub async fn stop(self) {
        self.tasks.stop();
        for server in &self.servers {
            server.stop().await;
        }
        self.tasks.drain(Duration::from_secs(5)).await;
    }
}

async fn start_station(
    options: &FactoryOptions,
    line: usize,
    place: Place,
    shared: &Arc<SharedLine>,
    tasks: &Tasks,
) -> Result<(StationEndpoint, RunningServer, Handles), (String, gemba_ua::server::ServerError)> {
    let product = options::product(line);
    let name = format!("{product} {place:?}");
    let path = format!("{}-{place:?}", product.replace(' ', "-")).to_lowercase();
    let operations = Arc::new(StationOperations { line: shared.clone(), place });
    let built = nodes::build(shared.line.lock().station(place), place, shared.started, &operations);
    let (space, handles) = built.map_err(|error| (name.clone(), error))?;
    let application_uri = format!("urn:gemba:sim:{path}");
    let mut server = ServerOptions::new(&name, &application_uri, options.pki.join(&path));
    let offset = line * 3 + place as usize;
    let port = if options.base_port == 0 { 0 } else { options.base_port.saturating_add(offset as u16) };
    server.listen = SocketAddr::new(options.listen, port);
    server.host_names.clone_from(&options.host_names);
    server.security.clone_from(&options.security);
    server.anonymous = options.anonymous;
    server.users.clone_from(&options.users);
    // Many servers share the machine; nobody looks at a station more often.
    server.limits.publishing_interval_min = Duration::from_millis(50);
    let running = Server::start(server, space, tasks).await.map_err(|error| (name.clone(), error))?;
    let url = running.endpoint_url().to_owned();
    let endpoint = StationEndpoint { line: product.to_owned(), place, name, application_uri, url };
    Ok((endpoint, running, handles))
}

/// Lets the line's time pass and tells the servers what happened, until the branch stops.
async fn drive(shared: &SharedLine, stations: &[(Place, ValueWriter, Handles)], tasks: &Tasks) {
    loop {
        let next = {
            let mut line = shared.line.lock();
            line.advance(shared.virtual_now());
            let now = shared.clock.now();
            for (place, writer, handles) in stations {
                let changes = std::iter::from_fn(|| line.poll_change(*place));
                let updates: Vec<Update> = changes
                    .filter_map(|change| {
                        let (_, variable) = handles.iter().find(|(signal, _)| *signal == change.signal)?;
                        Some(Update {
                            variable: *variable,
                            value: change.value,
                            status: StatusCode::GOOD,
                            source_timestamp: Some(shared.instant(change.at)),
                        })
                    })
                    .collect();
                if !updates.is_empty() {
                    writer.write(Some(now), updates);
                }
            }
            line.next_timeout()
        };
        let wait = next.saturating_sub(shared.virtual_now()).div_f64(shared.clock_factor);
        tokio::select! {
            () = tasks.stopping() => return,
            () = shared.touched.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn writer(endpoint: &StationEndpoint, options: &FactoryOptions) -> PublishedWriter {
    let node = |signal: Signal| PublishedNode {
        id: ExpandedNodeId {
            server: 0,
            namespace: Namespace::Uri(nodes::NAMESPACE_URI.into()),
            identifier: nodes::node_id(signal).identifier,
        },
        display_name: nodes::signal_name(signal),
        sampling_interval: Duration::ZERO,
        queue_size: 100,
    };
    PublishedWriter {
        endpoint_url: endpoint.url.clone(),
        security: published_nodes::strongest(&options.security),
        user: if options.anonymous { None } else { options.users.first().cloned() },
        writer_group: endpoint.line.clone(),
        writer_id: endpoint.name.clone(),
        publishing_interval: Duration::from_secs(1),
        nodes: Signal::ALL.into_iter().map(node).collect(),
    }
}
