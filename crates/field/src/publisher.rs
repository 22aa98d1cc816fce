//! The publisher: watches `publishednodes.json` and keeps what runs equal to what it says.

use crate::describe::{Writers, guid_of};
use crate::plan::{SessionPlan, SubscriptionPlan, plan};
use crate::published_nodes::{self, FILE_BYTES_MAX, Identity, Security, SecurityMode};
use crate::sink::{SessionSink, SinkCounters};
use crate::sources;
use gemba_api::{Problem, StageReport, Uplink};
use gemba_base::{Clock, Metrics, Tasks};
use gemba_model::Guid;
use gemba_ua::client::{self, ItemSpec, SessionOptions, SubscribedSession, SubscriptionSpec, TrustStore};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::AsyncReadExt;
use tokio::time::{MissedTickBehavior, interval};

/// What the publisher needs.
#[derive(Debug, Clone)]
pub struct PublisherOptions {
    /// `publishednodes.json`. May be absent at first.
    pub file: PathBuf,
    /// Own certificate and trusted ones.
    pub trust: Arc<TrustStore>,
    /// For private folders of sessions.
    pub run_folder: PathBuf,
    /// Name of this process in reports: the device id.
    pub instance: String,
}

/// How often the file and the sessions are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Items in one subscription of a server; more are split over several.
const ITEMS_MAX: usize = 20_000;
/// Gemba's choice of queue size: what a minute of samples takes, within these bounds.
const QUEUE_SECONDS: f64 = 60.0;
const QUEUE_MIN: u32 = 10;
const QUEUE_MAX: u32 = 1000;
/// How long a stopping session may take.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// The publisher; runs until its tasks stop.
#[derive(Debug)]
pub struct Publisher;

/// A session at work.
struct Running {
    plan: Arc<SessionPlan>,
    session: SubscribedSession,
    sink: SessionSink,
}

struct State {
    options: PublisherOptions,
    uplink: Arc<dyn Uplink>,
    clock: Arc<dyn Clock>,
    counters: SinkCounters,
    tasks: Tasks,
    writers: Arc<Mutex<Writers>>,
    running: BTreeMap<String, Running>,
    /// A hash of the file's text as it was last looked at.
    seen: Option<Guid>,
    /// Size and time of the file when it was read, once they are old enough to tell a later change.
    stamp: Option<Stamp>,
    problem: Option<Problem>,
}

impl Publisher {
    /// Starts publishing.
    pub fn start(
        options: PublisherOptions,
        uplink: Arc<dyn Uplink>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        tasks: &Tasks,
    ) {
        let writers = Arc::new(Mutex::new(Writers::new(uplink.announced())));
        let state = State {
            options,
            uplink,
            clock,
            counters: counters(&metrics),
            tasks: tasks.branch("sessions"),
            writers,
            running: BTreeMap::new(),
            seen: None,
            stamp: None,
            problem: None,
        };
        let stop = tasks.clone();
        tasks.spawn(async move { run(state, &stop).await });
    }
}

async fn run(mut state: State, stop: &Tasks) {
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = stop.stopping() => break,
        }
        state.look().await;
        let report = state.report();
        state.uplink.report(report);
    }
    // Subscriptions stay on the servers: the next start takes them over.
    let stops = std::mem::take(&mut state.running).into_values();
    let stops: Vec<_> = stops.map(|running| tokio::spawn(running.session.stop(false, STOP_LIMIT))).collect();
    for stopped in stops {
        if !matches!(stopped.await, Ok(true)) {
            tracing::warn!("a session did not end in time");
        }
    }
}

impl State {
    /// Reads the file and applies it when it changed.
    async fn look(&mut self) {
        let path = self.options.file.clone();
        let text = match read(&path, self.stamp).await {
            Ok(None) => return,
            Ok(Some((text, stamp))) => {
                self.stamp = stamp;
                text
            }
            Err(error) => {
                self.stamp = None;
                let remedy = "Write the file; it is read again every second. Until then the last good configuration runs.";
                self.complain("GMB-FLD-004", format!("{} cannot be read: {error}.", path.display()), remedy);
                return;
            }
        };
        if self.problem.as_ref().is_some_and(|problem| problem.code == "GMB-FLD-004") {
            self.problem = None;
        }
        let seen = Some(guid_of(&text));
        if self.seen == seen {
            return;
        }
        match published_nodes::parse(&text) {
            Ok(mut entries) => {
                self.problem = None;
                let folded = published_nodes::fold_duplicates(&mut entries);
                let wanted = tokio::task::spawn_blocking(move || plan(&entries)).await.unwrap_or_default();
                let items: usize = wanted.values().map(SessionPlan::items).sum();
                tracing::info!(sessions = wanted.len(), items, "publishing {}", path.display());
                self.apply(wanted).await;
                self.tell_folded(&folded);
            }
            Err(error) => {
                tracing::error!(%error, "{} is not applied", path.display());
                let remedy = "Correct the file; it is read again when it changes. Until then the last good configuration runs.";
                self.complain(error.code().0, format!("{} is not applied: {error}.", path.display()), remedy);
            }
        }
        self.seen = seen;
    }

    fn tell_folded(&mut self, folded: &[String]) {
        let (Some(first), None) = (folded.first(), &self.problem) else { return };
        let text =
            format!("{} nodes stand twice and are published once; the first is {first}.", folded.len());
        tracing::warn!("{text}");
        self.complain(
            "GMB-FLD-014",
            text,
            "Remove what stands twice from the file, or give it another DisplayName.",
        );
        if let Some(problem) = &mut self.problem {
            problem.urgency = 1;
        }
    }

    fn complain(&mut self, code: &str, text: String, remedy: &str) {
        if self.problem.as_ref().is_some_and(|problem| problem.text == text) {
            return;
        }
        self.problem = Some(Problem {
            code: code.to_owned(),
            text,
            place: self.options.file.display().to_string(),
            remedy: remedy.to_owned(),
            since: self.clock.now(),
            urgency: 2,
        });
    }

    /// What is the same goes on untouched.
    async fn apply(&mut self, wanted: BTreeMap<String, SessionPlan>) {
        let gone: Vec<String> =
            self.running.keys().filter(|name| !wanted.contains_key(*name)).cloned().collect();
        for name in gone {
            if let Some(running) = self.running.remove(&name) {
                tracing::info!(session = name, "no longer published");
                running.session.stop(true, STOP_LIMIT).await;
            }
        }
        for (name, plan) in wanted {
            let plan = Arc::new(plan);
            match self.running.get_mut(&name) {
                Some(running) if running.plan == plan => {}
                Some(running) => {
                    let new_options = (running.plan.identity != plan.identity).then(|| plan.clone());
                    running.sink.replan(plan.clone());
                    if let Err(error) = running.session.apply(specs(&plan)).await {
                        tracing::error!(%error, session = name, "the change is not applied");
                    }
                    running.plan = plan;
                    if let Some(plan) = new_options {
                        let options = session_options(&self.options, &plan);
                        if let Some(running) = self.running.get(&name)
                            && let Err(error) = running.session.reconfigure(options).await
                        {
                            tracing::error!(%error, session = name, "the new log-in is not applied");
                        }
                    }
                }
                None => self.start(name, plan),
            }
        }
    }

    fn start(&mut self, name: String, plan: Arc<SessionPlan>) {
        let sink = SessionSink::new(
            plan.clone(),
            self.uplink.clone(),
            self.clock.clone(),
            self.writers.clone(),
            self.counters.clone(),
        );
        let options = session_options(&self.options, &plan);
        let cursors: HashMap<String, Vec<u8>> = self.uplink.cursors();
        match SubscribedSession::start(options, specs(&plan), cursors, Arc::new(sink.clone()), &self.tasks) {
            Ok(session) => drop(self.running.insert(name, Running { plan, session, sink })),
            Err(error) => {
                tracing::error!(%error, session = name, "not published");
                self.complain(
                    error.code().0,
                    format!("{} is not published: {error}.", plan.endpoint_url),
                    "Correct the entry in the file.",
                );
            }
        }
    }

    fn report(&self) -> StageReport {
        let now = self.clock.now();
        let session = |running: &'_ Running| {
            let status = running.session.status();
            let due = sources::first_values_are_due(&status, now);
            // A subscription that was taken over owes nothing until something changes.
            let is_fresh = |name: &str| {
                let mut parts = status.subscriptions.iter().filter(|part| part.subscription == name);
                due && parts.all(|part| !part.resumed)
            };
            let health = running.sink.health(is_fresh);
            let first = status.rejected.first();
            let first_rejected = first.and_then(|item| running.sink.node_of(item.handle));
            (status, health, running.sink.refused(), first_rejected)
        };
        let sessions = self.running.values().map(|running| {
            let (status, health, refused, first_rejected) = session(running);
            sources::Session { plan: running.plan.as_ref(), status, health, refused, first_rejected }
        });
        let mut report = sources::report(&self.options.instance, sessions, now);
        report.values_in = self.counters.values.value();
        report.values_out = report.values_in;
        report.values_lost = self.counters.lost.value();
        report.problems.extend(self.problem.clone());
        report
    }
}

/// What tells that a file changed without reading it.
type Stamp = (u64, SystemTime);

/// Two writes within this time may leave the same time behind.
const STAMP_AGE: Duration = Duration::from_secs(2);

/// The text, with the stamp that holds from now on; `None` when it is the file that was read before.
async fn read(path: &Path, known: Option<Stamp>) -> io::Result<Option<(String, Option<Stamp>)>> {
    let metadata = tokio::fs::metadata(path).await?;
    let stamp = (metadata.len(), metadata.modified()?);
    if Some(stamp) == known {
        return Ok(None);
    }
    if metadata.len() > FILE_BYTES_MAX {
        let reason = format!("it has {} bytes, at most {FILE_BYTES_MAX} are read", metadata.len());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    let file = tokio::fs::File::open(path).await?;
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).await?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line =
            error.as_bytes().iter().take(error.utf8_error().valid_up_to()).filter(|b| **b == b'\n').count();
        io::Error::new(io::ErrorKind::InvalidData, format!("line {} is not UTF-8 text", line + 1))
    })?;
    let old = stamp.1.elapsed().is_ok_and(|age| age > STAMP_AGE);
    Ok(Some((text, old.then_some(stamp))))
}

fn counters(metrics: &Metrics) -> SinkCounters {
    let counter = |name, help| metrics.counter(name, help, &[]);
    SinkCounters {
        values: counter("gemba_field_values_total", "values of servers that became durable"),
        lost: counter(
            "gemba_field_values_lost_total",
            "values known to be lost at servers or refused for ever",
        ),
        unknown: counter("gemba_field_values_unknown_total", "values of items that nobody asked for"),
    }
}

fn session_options(options: &PublisherOptions, plan: &SessionPlan) -> SessionOptions {
    let mut session =
        SessionOptions::new(plan.endpoint_url.clone(), options.trust.clone(), options.run_folder.clone());
    session.session_name = format!("gemba {} {}", options.instance, plan.group);
    session.security = security(&plan.security);
    session.identity = match &plan.identity {
        Identity::Anonymous => client::Identity::Anonymous,
        Identity::UserName { user, password } => {
            client::Identity::UserName { user: user.clone(), password: password.clone() }
        }
        Identity::Certificate { name } => client::Identity::Certificate { name: name.clone() },
    };
    session
}

fn security(security: &Security) -> client::Security {
    let policy = (!security.policy.is_empty()).then(|| security.policy.clone());
    let mode = match security.mode {
        SecurityMode::None => client::SecurityMode::None,
        SecurityMode::Sign => client::SecurityMode::Sign,
        SecurityMode::SignAndEncrypt => client::SecurityMode::SignAndEncrypt,
        SecurityMode::Best | SecurityMode::NotNone => client::SecurityMode::Best,
    };
    client::Security { mode, policy }
}

fn specs(plan: &SessionPlan) -> Vec<SubscriptionSpec> {
    let spec = |(name, subscription): (&String, &SubscriptionPlan)| SubscriptionSpec {
        name: name.clone(),
        publishing_interval: subscription.publishing_interval,
        items: subscription.items.iter().map(|planned| Arc::new(item(planned))).collect(),
        max_items: ITEMS_MAX,
    };
    plan.subscriptions.iter().map(spec).collect()
}

fn item(item: &crate::plan::ItemPlan) -> ItemSpec {
    let sampling = item.node.sampling_interval;
    let a_minute = QUEUE_SECONDS / sampling.as_secs_f64().max(0.001);
    ItemSpec {
        handle: item.handle,
        node: item.node.node_id.clone(),
        attribute: item.node.attribute_id,
        sampling_interval: sampling,
        queue_size: item.node.queue_size.unwrap_or_else(|| (a_minute as u32).clamp(QUEUE_MIN, QUEUE_MAX)),
        discard_oldest: !item.node.discard_new,
    }
}
