//! The load at work: one timer for each group of tags of each server, one batch for each tick.

use super::mixed::{self, Shape};
use super::options::{Kind, LoadOptions, TagGroup};
use super::tick::Ticks;
use super::{counter, waveform};
use crate::error::SimError;
use crate::personality::{SourceTimestamps, TWIN, ValueFaults};
use crate::published_nodes::{self, PublishedNode, PublishedWriter};
use gemba_base::{Clock, Counter, SystemClock, Tasks};
use gemba_model::{BuiltInType, DateTime, ExpandedNodeId, Identifier, Namespace, Variant};
use gemba_ua::server::{
    AddressSpaceBuilder, DataType, EndpointSecurity, Parent, RunningServer, Server, ServerError,
    ServerOptions, Update, ValueWriter, VariableDeclaration, VariableHandle,
};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// The namespace of all tags; index 2 on each server.
pub const NAMESPACE_URI: &str = "urn:gemba:sim:load";

/// The folder above all tags.
const FOLDER: u32 = 3_100_000_000;
/// Servers that are being started at the same time.
const STARTING_MAX: usize = 8;

/// Where a load server is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadEndpoint {
    /// Such as `load-007`.
    pub name: String,
    /// The server's application URI.
    pub application_uri: String,
    /// Where clients connect.
    pub url: String,
    /// The strongest endpoint that it has.
    pub security: EndpointSecurity,
}

/// A load that runs until it is stopped or its task branch ends.
#[derive(Debug)]
pub struct RunningLoad {
    /// The servers.
    pub endpoints: Vec<LoadEndpoint>,
    servers: Vec<RunningServer>,
    options: LoadOptions,
    tasks: Tasks,
    written: Counter,
    skipped: Counter,
}

/// The tags of one group on one server.
struct Group {
    kind: Kind,
    seed: u64,
    period: Duration,
    /// The tick of the first values, which the address space holds.
    first_tick: u64,
    /// Node numbers with their handles.
    tags: Vec<(u32, VariableHandle)>,
    faults: ValueFaults,
}

/// Starts all servers; each one begins to count when it listens.
///
/// # Errors
/// When an option is out of range or a server does not start; the servers started so far are stopped.
pub async fn run(options: LoadOptions, tasks: &Tasks) -> Result<RunningLoad, SimError> {
    options.check()?;
    let mut load = RunningLoad {
        endpoints: Vec::new(),
        servers: Vec::new(),
        tasks: tasks.branch("load"),
        options,
        written: Counter::default(),
        skipped: Counter::default(),
    };
    for first in (0..load.options.servers).step_by(STARTING_MAX) {
        let numbers = first..(first + STARTING_MAX).min(load.options.servers);
        if let Err(error) = load.start_servers(numbers).await {
            load.stop().await;
            return Err(error);
        }
    }
    Ok(load)
}

impl RunningLoad {
    async fn start_servers(&mut self, numbers: Range<usize>) -> Result<(), SimError> {
        let starting: Vec<_> = numbers
            .map(|number| {
                let (options, tasks) = (self.options.clone(), self.tasks.clone());
                self.tasks.spawn(async move { start_server(&options, number, &tasks).await })
            })
            .collect();
        let mut outcome = Ok(());
        for start in starting {
            match start.await {
                Ok(Ok((endpoint, server, groups))) => {
                    self.begin(&server, groups);
                    self.endpoints.push(endpoint);
                    self.servers.push(server);
                }
                Ok(Err(error)) => outcome = Err(error),
                Err(error) => {
                    let source = ServerError::Options(error.to_string());
                    outcome = Err(SimError::Server { name: "load".to_owned(), source });
                }
            }
        }
        outcome
    }

    fn begin(&self, server: &RunningServer, groups: Vec<Group>) {
        for group in groups {
            if group.faults.timestamps == SourceTimestamps::None {
                // First values are declared with the time of the start; these are without.
                group.write(&server.writer(), group.first_tick, SystemClock::new().now());
            }
            let (writer, tasks) = (server.writer(), self.tasks.clone());
            let (written, skipped) = (self.written.clone(), self.skipped.clone());
            self.tasks.spawn(async move { group.drive(&writer, &tasks, &written, &skipped).await });
        }
    }

    /// Values written so far.
    pub fn values_written(&self) -> u64 {
        self.written.value()
    }

    /// Ticks of a group that were skipped because the machine stalled for more than 100 of them.
    pub fn ticks_skipped(&self) -> u64 {
        self.skipped.value()
    }

    /// A `publishednodes.json` that publishes every tag: a writer a server and group.
    pub fn published_nodes(&self) -> serde_json::Value {
        let writers: Vec<PublishedWriter> =
            self.endpoints.iter().flat_map(|endpoint| self.writers(endpoint)).collect();
        published_nodes::document(&writers)
    }

    fn writers<'a>(&'a self, endpoint: &'a LoadEndpoint) -> impl Iterator<Item = PublishedWriter> + 'a {
        numbered(&self.options.groups).map(move |(group, nodes)| PublishedWriter {
            endpoint_url: endpoint.url.clone(),
            security: endpoint.security,
            user: if self.options.anonymous { None } else { self.options.users.first().cloned() },
            writer_group: endpoint.name.clone(),
            writer_id: format!("{} every {:?}", endpoint.name, group.period),
            publishing_interval: Duration::from_secs(1).min(group.period),
            nodes: nodes.map(|node| published(node, group.period)).collect(),
        })
    }

    /// Stops counting and closes all servers.
    pub async fn stop(self) {
        self.tasks.stop();
        for server in &self.servers {
            server.stop().await;
        }
        self.tasks.drain(Duration::from_secs(5)).await;
    }
}

fn published(node: u32, period: Duration) -> PublishedNode {
    // Five minutes of values, within what servers commonly allow.
    let queue = (300.0 / period.as_secs_f64()).clamp(10.0, 10_000.0);
    PublishedNode {
        id: ExpandedNodeId {
            server: 0,
            namespace: Namespace::Uri(NAMESPACE_URI.into()),
            identifier: Identifier::Numeric(node),
        },
        display_name: tag_name(node),
        sampling_interval: Duration::ZERO,
        queue_size: queue as u32,
    }
}

fn tag_name(node: u32) -> String {
    format!("Tag{node}")
}

/// The groups with their node numbers.
fn numbered(groups: &[TagGroup]) -> impl Iterator<Item = (TagGroup, Range<u32>)> {
    groups.iter().scan(1, |next, group| {
        let nodes = *next..*next + group.tags;
        *next = nodes.end;
        Some((*group, nodes))
    })
}

async fn start_server(
    options: &LoadOptions,
    number: usize,
    tasks: &Tasks,
) -> Result<(LoadEndpoint, RunningServer, Vec<Group>), SimError> {
    let name = format!("load-{:03}", number + 1);
    let error = |source| SimError::Server { name: name.clone(), source };
    let application_uri = format!("urn:gemba:sim:{name}");
    let mut server = ServerOptions::new(&name, &application_uri, options.pki.join(&name));
    let port = if options.base_port == 0 { 0 } else { options.base_port.saturating_add(number as u16) };
    server.listen = SocketAddr::new(options.listen, port);
    server.host_names.clone_from(&options.host_names);
    server.security.clone_from(&options.security);
    server.anonymous = options.anonymous;
    server.users.clone_from(&options.users);
    server.limits.publishing_interval_min = options.publishing_interval_min;
    let mut faults = ValueFaults::default();
    for personality in options.personalities_of(number) {
        personality.shape(&mut server, &mut faults);
    }
    let security = published_nodes::strongest(&server.security);
    let (space, groups) = build(options, faults).map_err(error)?;
    let running = Server::start(server, space, tasks).await.map_err(error)?;
    let url = running.endpoint_url().to_owned();
    Ok((LoadEndpoint { name: name.clone(), application_uri, url, security }, running, groups))
}

fn build(
    options: &LoadOptions,
    faults: ValueFaults,
) -> Result<(AddressSpaceBuilder, Vec<Group>), ServerError> {
    let mut space = AddressSpaceBuilder::new(NAMESPACE_URI);
    let structure = match options.kind {
        Kind::Mixed => Some(space.structure(mixed::structure())?),
        Kind::Counter | Kind::Waveform => None,
    };
    let folder = Parent::Node(space.folder(Parent::Objects, Identifier::Numeric(FOLDER), "Tags")?);
    let now = SystemClock::new().now();
    let mut groups = Vec::new();
    for (group, nodes) in numbered(&options.groups) {
        let tick = counter::counter_at(now, group.period);
        let (kind, seed, period) = (options.kind, options.seed, group.period);
        let mut built = Group { kind, seed, period, first_tick: tick, tags: Vec::new(), faults };
        for node in nodes {
            let initial = built.value(node, tick);
            let built_in = initial.built_in_type().unwrap_or(BuiltInType::UInt64);
            let data_type = match structure {
                Some(structure) if mixed::shape(node) == Shape::Structure => DataType::Structure(structure),
                _ => DataType::BuiltIn(built_in),
            };
            let value_rank = match &initial {
                Variant::Array { dimensions, .. } => dimensions.len().max(1) as i32,
                _ => -1,
            };
            let declaration = VariableDeclaration {
                id: Identifier::Numeric(node),
                name: tag_name(node),
                display_name: None,
                data_type,
                value_rank,
                initial,
                source_timestamp: faults.source_timestamp(counter::instant_of(tick, group.period)),
                writable: false,
            };
            built.tags.push((node, space.variable(folder, declaration)?));
        }
        groups.push(built);
    }
    Ok((space, groups))
}

impl Group {
    fn value(&self, node: u32, tick: u64) -> Variant {
        match self.kind {
            Kind::Counter => counter::typed(node, tick),
            Kind::Waveform => Variant::Double(waveform::value(self.seed, node, tick)),
            Kind::Mixed => mixed::value(node, tick),
        }
    }

    async fn drive(&self, writer: &ValueWriter, tasks: &Tasks, written: &Counter, skipped: &Counter) {
        let clock = SystemClock::new();
        let mut ticks = Ticks::new(self.first_tick, self.period);
        loop {
            let now = clock.now();
            if let Some(due) = ticks.due(now) {
                for tick in due {
                    self.write(writer, tick, now);
                    written.add(self.tags.len() as u64);
                }
                skipped.add(ticks.take_skipped());
            }
            tokio::select! {
                () = tasks.stopping() => return,
                () = tokio::time::sleep(ticks.wait(clock.now())) => {}
            }
        }
    }

    fn write(&self, writer: &ValueWriter, tick: u64, now: DateTime) {
        let source_timestamp = self.faults.source_timestamp(counter::instant_of(tick, self.period));
        let status = self.faults.status(tick);
        let now = Some(self.faults.clock.shown(now));
        let updates = |tick| {
            self.tags.iter().map(move |(node, variable)| Update {
                variable: *variable,
                value: self.value(*node, tick),
                status,
                source_timestamp,
            })
        };
        if self.faults.twins {
            writer.write(now, updates(tick).chain(updates(tick.saturating_add(TWIN))));
        } else {
            writer.write(now, updates(tick));
        }
    }
}
