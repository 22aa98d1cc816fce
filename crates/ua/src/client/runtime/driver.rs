//! The task that keeps a session: connect, serve, come back. What happens on a connection is in [`super::serve`].

use super::deliveries::{self, Parcel, QUEUE_MAX};
use super::items::{ItemNews, Items};
use super::serve::End;
use super::spec::{self, PartSpec, SubscriptionSpec};
use super::status::{RejectedItem, SessionState, Shared, SubscriptionStatus};
use super::{Delivery, DeliverySink, Notification, SessionEvent, SubscriptionGap};
use crate::client::cursor::Cursor;
use crate::client::error::UaError;
use crate::client::options::SessionOptions;
use crate::client::publishing::{Batch, Now, PartId, PublishLoop, ResumePoint};
use crate::client::session::{OpcUaSession, SessionKey};
use gemba_base::{Backoff, Clock, SystemClock, Tasks, random};
use gemba_model::DateTime;
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

const RETRY_FIRST: Duration = Duration::from_millis(250);
/// A server that answers again is to be heard within three seconds, and a knock costs next to nothing.
const RETRY_LONGEST: Duration = Duration::from_secs(2);
/// A connection that stood for so long was a good one: the next one is tried at once.
const STEADY: Duration = Duration::from_secs(30);
/// Without a person nothing changes, but files are read again: a certificate may have been trusted meanwhile.
const RETRY_UNTRUSTED: Duration = Duration::from_secs(15);

/// What callers ask of the task.
#[derive(Debug)]
pub(super) enum Command {
    Apply { specs: Vec<SubscriptionSpec>, done: oneshot::Sender<()> },
    Reconfigure { options: Box<SessionOptions>, done: oneshot::Sender<()> },
}

/// One subscription of the server, with its items.
#[derive(Debug)]
pub(super) struct PartRun {
    pub(super) spec: PartSpec,
    pub(super) items: Items,
    /// Of the items that the server has; changes only when they are what is wanted.
    pub(super) fingerprint: u128,
    /// Of the items that are wanted.
    pub(super) wanted: u128,
    /// Publishing interval that the server was asked for, when it differs from the spec's.
    pub(super) modify: bool,
}

pub(super) struct Driver {
    pub(super) options: SessionOptions,
    pub(super) parts: BTreeMap<PartId, PartRun>,
    next_part: u32,
    pub(super) machine: PublishLoop,
    pub(super) sink: Arc<dyn DeliverySink>,
    pub(super) tasks: Tasks,
    pub(super) shared: Arc<Shared>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) parcels: mpsc::Sender<Parcel>,
    pub(super) durable: mpsc::Receiver<(PartId, u64)>,
    /// Only for servers that need it.
    pub(super) key: Option<SessionKey>,
    /// Subscriptions to delete on the server as soon as there is a session.
    pub(super) obsolete: Vec<u32>,
    clock: SystemClock,
    backoff: Backoff,
}

impl Driver {
    pub(super) fn new(
        options: SessionOptions,
        specs: Vec<SubscriptionSpec>,
        cursors: HashMap<String, Vec<u8>>,
        sink: Arc<dyn DeliverySink>,
        tasks: &Tasks,
        shared: Arc<Shared>,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        let (parcels, inbox) = mpsc::channel(QUEUE_MAX);
        let (stored, durable) = mpsc::channel(QUEUE_MAX);
        tasks.spawn(deliveries::run(Arc::clone(&sink), inbox, stored));
        let mut driver = Self {
            machine: PublishLoop::new(options.publish_requests_max),
            options,
            parts: BTreeMap::new(),
            next_part: 0,
            sink,
            tasks: tasks.clone(),
            shared,
            commands,
            parcels,
            durable,
            key: None,
            obsolete: Vec::new(),
            clock: SystemClock::new(),
            backoff: Backoff::new(RETRY_FIRST, RETRY_LONGEST),
        };
        for spec in specs {
            for part in spec::split(&spec, &BTreeMap::new()) {
                let cursor = cursors.get(&part.cursor_key()).map(Vec::as_slice);
                driver.add_part(part, cursor);
            }
        }
        driver
    }

    pub(super) fn now(&self) -> Now {
        Now { monotonic: self.clock.monotonic(), wall: self.clock.now() }
    }

    fn add_part(&mut self, spec: PartSpec, cursor: Option<&[u8]>) {
        let id = PartId(self.next_part);
        self.next_part += 1;
        let fingerprint = spec.fingerprint();
        let resume = cursor.map(|bytes| match Cursor::decode(bytes) {
            Some(cursor) => {
                self.key = self.key.take().or(cursor.session);
                ResumePoint {
                    subscription: cursor.subscription,
                    server_start: cursor.server_start,
                    last: cursor.last,
                    publish_time: cursor.publish_time,
                    keep_alive: cursor.keep_alive,
                    same_items: cursor.fingerprint == fingerprint,
                }
            }
            // It was subscribed, but nobody can tell what: a gap, and a new subscription.
            None => ResumePoint {
                subscription: 0,
                server_start: DateTime::MIN,
                last: 0,
                publish_time: None,
                keep_alive: Duration::ZERO,
                same_items: false,
            },
        });
        let resumed = resume.as_ref().is_some_and(|resume| resume.same_items);
        let items = Items::new(&spec, resumed);
        self.parts.insert(id, PartRun { spec, items, fingerprint, wanted: fingerprint, modify: false });
        let now = self.now();
        self.machine.add(now, id, resume);
    }

    /// Makes `specs` the whole of what is wanted.
    pub(super) fn apply(&mut self, specs: &[SubscriptionSpec]) {
        let mut kept = Vec::new();
        for spec in specs {
            let present: BTreeMap<u32, (PartId, u32)> = self
                .parts
                .iter()
                .filter(|(_, run)| run.spec.name == spec.name)
                .flat_map(|(id, run)| run.spec.items.keys().map(|handle| (*handle, (*id, run.spec.index))))
                .collect();
            let indexes = present.iter().map(|(handle, (_, index))| (*handle, *index)).collect();
            for part in spec::split(spec, &indexes) {
                let same = |run: &PartRun| run.spec.name == part.name && run.spec.index == part.index;
                match self.parts.iter_mut().find(|(_, run)| same(run)) {
                    Some((id, run)) => {
                        run.modify |= run.spec.publishing_interval != part.publishing_interval;
                        run.items.want(&part);
                        run.wanted = part.fingerprint();
                        run.spec = part;
                        kept.push(*id);
                    }
                    None => {
                        kept.push(PartId(self.next_part));
                        self.add_part(part, None);
                    }
                }
            }
        }
        let gone: Vec<PartId> = self.parts.keys().filter(|id| !kept.contains(id)).copied().collect();
        for id in gone {
            self.parts.remove(&id);
            let now = self.now();
            self.obsolete.extend(self.machine.remove(now, id));
        }
    }

    pub(super) async fn run(mut self) {
        crate::client::trust::SessionFolder::sweep(&self.options.run_folder);
        self.set_state(SessionState::Connecting, None);
        while !self.tasks.is_stopping() {
            let Some(session) = Box::pin(self.connect()).await else { break };
            let started = self.clock.monotonic();
            let session = Arc::new(session);
            let end = self.serve(&session).await;
            let now = self.now();
            self.machine.on_disconnected(now);
            self.parts.values_mut().for_each(|part| part.items.disconnected());
            match end {
                End::Stop => {
                    self.drain().await;
                    if let Some(session) = Arc::into_inner(session) {
                        session.close(self.shared.deletes_on_stop()).await;
                    }
                    break;
                }
                End::Reconfigured => {
                    if let Some(session) = Arc::into_inner(session) {
                        session.close(false).await;
                    }
                }
                End::Lost(error) => {
                    if self.clock.monotonic() - started > STEADY {
                        self.backoff.reset();
                    }
                    self.set_state(SessionState::Reconnecting, Some(&error));
                }
            }
        }
        self.set_state(SessionState::Stopped { authentication: false }, None);
    }

    /// Lets the sink finish what it has, for a short while: each delivery that is durable before the end needs no
    /// repetition at the next start.
    async fn drain(&mut self) {
        let waiting = async {
            while self.machine.undurable() > 0 {
                let Some((part, delivery)) = self.durable.recv().await else { break };
                let now = Now { monotonic: self.clock.monotonic(), wall: self.clock.now() };
                self.machine.on_durable(now, part, delivery);
            }
        };
        if tokio::time::timeout(Duration::from_secs(5), waiting).await.is_err() {
            tracing::warn!(
                "the sink did not store everything before the stop; the rest comes at the next start"
            );
        }
    }

    /// Opens the next session, however long it takes. `None` when it is time to stop.
    async fn connect(&mut self) -> Option<OpcUaSession> {
        let mut delay = Duration::ZERO;
        loop {
            let options = self.options.clone();
            let key = self.key.clone();
            let attempt = Box::pin(async move {
                tokio::time::sleep(delay).await;
                OpcUaSession::reconnect(options, key).await
            });
            let result = match self.beside(attempt).await {
                Beside::Done(result) => result,
                Beside::Stop => return None,
                Beside::Reconfigured => {
                    delay = Duration::ZERO;
                    self.backoff.reset();
                    continue;
                }
            };
            let error = match result {
                Ok(session) => return Some(session),
                Err(error) => error,
            };
            tracing::warn!(endpoint = self.options.endpoint_url, code = %error.code(), %error, "no session");
            if error.is_authentication() {
                self.set_state(SessionState::Stopped { authentication: true }, Some(&error));
                // Until somebody changes the options: a log-in loop locks accounts.
                match self.beside(std::future::pending::<()>()).await {
                    Beside::Reconfigured => {
                        delay = Duration::ZERO;
                        self.set_state(SessionState::Connecting, None);
                        continue;
                    }
                    _ => return None,
                }
            }
            self.shared.update(|status| status.error = Some(format!("{} {error}", error.code())));
            let state = self.shared.snapshot().state;
            self.emit_state(state, Some(&error));
            delay = match error.is_retryable() {
                true => self.backoff.next_delay(random::number32()),
                false => RETRY_UNTRUSTED,
            };
        }
    }

    /// Runs something while the sink and the callers go on being served.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> Beside<T> {
        tokio::pin!(work);
        loop {
            let stopping = self.tasks.clone();
            tokio::select! {
                () = stopping.stopping() => return Beside::Stop,
                Some((part, delivery)) = self.durable.recv() => {
                    let now = self.now();
                    self.machine.on_durable(now, part, delivery);
                }
                command = self.commands.recv() => match command {
                    None => return Beside::Stop,
                    Some(Command::Apply { specs, done }) => {
                        self.apply(&specs);
                        self.refresh_status();
                        done.send(()).ok();
                    }
                    Some(Command::Reconfigure { options, done }) => {
                        self.options = *options;
                        done.send(()).ok();
                        return Beside::Reconfigured;
                    }
                },
                result = &mut work => return Beside::Done(result),
            }
        }
    }

    /// Gives a batch to the task that stores it.
    pub(super) async fn deliver(&mut self, batch: Batch) {
        let Some(run) = self.parts.get(&batch.part) else { return };
        let cursor = Cursor {
            subscription: batch.subscription,
            server_start: batch.server_start,
            fingerprint: run.fingerprint,
            last: batch.last,
            publish_time: batch.publish_time,
            keep_alive: batch.keep_alive,
            session: self.key.clone(),
        };
        let delivery = Delivery {
            subscription: run.spec.name.clone(),
            cursor_key: run.spec.cursor_key(),
            server_subscription: batch.subscription,
            gap: batch.gap.map(|gap| SubscriptionGap {
                reason: gap.reason,
                since: gap.since,
                handles: gap.handles,
            }),
            notifications: batch
                .messages
                .into_iter()
                .map(|message| Notification {
                    sequence_number: message.sequence_number,
                    publish_time: message.publish_time,
                    change: message.change,
                })
                .collect(),
            cursor: cursor.encode(),
        };
        let parcel = Parcel { part: batch.part, id: batch.delivery, delivery };
        if self.parcels.send(parcel).await.is_err() {
            tracing::error!("the task that stores deliveries is gone");
        }
    }

    pub(super) fn set_state(&self, state: SessionState, error: Option<&UaError>) {
        let at = self.clock.now();
        self.shared.update(|status| {
            status.state = state;
            status.since = Some(at);
            status.error = error.map(|error| format!("{} {error}", error.code()));
        });
        self.emit_state(state, error);
    }

    fn emit_state(&self, state: SessionState, error: Option<&UaError>) {
        let error = error.map(|error| (error.code(), error.to_string()));
        self.sink.event(SessionEvent::State { state, at: self.clock.now(), error });
    }

    /// Tells what became of items.
    pub(super) fn tell(&self, part: PartId, news: Vec<ItemNews>) {
        let Some(run) = self.parts.get(&part) else { return };
        let subscription = || run.spec.name.clone();
        let (mut short, mut shortest) = (0, Duration::MAX);
        for news in news {
            match news {
                ItemNews::Rejected { handle, status, retry_after } => {
                    self.sink.event(SessionEvent::ItemRejected {
                        subscription: subscription(),
                        handle,
                        status,
                        retry_after,
                    })
                }
                ItemNews::Accepted { handle } => {
                    self.sink.event(SessionEvent::ItemAccepted { subscription: subscription(), handle });
                }
                ItemNews::ShortQueue { covers } => {
                    short += 1;
                    shortest = shortest.min(covers);
                }
            }
        }
        if short > 0 {
            let event =
                SessionEvent::QueueTooShort { subscription: subscription(), items: short, covers: shortest };
            self.sink.event(event);
        }
    }

    /// Writes what changes rarely.
    pub(super) fn refresh_status(&self) {
        let mut rejected = Vec::new();
        let mut subscriptions = Vec::new();
        for (id, run) in &self.parts {
            let (items, monitored) = run.items.counts();
            subscriptions.push(SubscriptionStatus {
                subscription: run.spec.name.clone(),
                cursor_key: run.spec.cursor_key(),
                server_subscription: self.machine.subscription(*id),
                items,
                monitored,
                queue_covers: run.items.queue_covers(),
            });
            rejected.extend(run.items.rejected().map(|(handle, status)| RejectedItem {
                subscription: run.spec.name.clone(),
                handle,
                status,
            }));
        }
        self.shared.update(|status| {
            status.subscriptions = subscriptions;
            status.rejected = rejected;
        });
    }
}

enum Beside<T> {
    Done(T),
    Stop,
    Reconfigured,
}
