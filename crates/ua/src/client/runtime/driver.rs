//! The task that keeps a session: connect, serve, come back. What happens on a connection is in [`super::serve`].

use super::deliveries::{self, Parcel, QUEUE_MAX};
use super::items::{ItemNews, Items};
use super::serve::End;
use super::spec::{self, ItemSpec, PartSpec, SubscriptionSpec};
use super::standby::{self, Pause};
use super::status::{REJECTED_SHOWN, RejectedItem, SessionState, Shared, SubscriptionStatus};
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
    /// Items that a subscription of this server takes, by the spec's name, where it takes fewer than we wish.
    room: HashMap<String, usize>,
    /// The connection before this one, until this one has taken its subscriptions over.
    pub(super) retired: Option<Arc<OpcUaSession>>,
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
            room: HashMap::new(),
            retired: None,
            key: None,
            obsolete: Vec::new(),
            clock: SystemClock::new(),
            backoff: Backoff::new(RETRY_FIRST, RETRY_LONGEST),
        };
        for mut spec in specs {
            let earlier = cursors.get(&spec.name).and_then(|bytes| Cursor::decode(bytes));
            if let Some(room) = earlier.and_then(|cursor| cursor.room) {
                spec.max_items = spec.max_items.min(room as usize).max(1);
                driver.room.insert(spec.name.clone(), room as usize);
            }
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
            let mut spec = spec.clone();
            let room = self.room.get(&spec.name).copied().unwrap_or(spec.max_items);
            spec.max_items = spec.max_items.min(room);
            let spec = &spec;
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

    /// A server takes fewer items into a subscription than we put there: the rest goes into further ones. What it
    /// takes is remembered with the cursors, so that the next start spreads the items in the same way.
    pub(super) fn spread(&mut self, part: PartId) {
        let Some(run) = self.parts.get_mut(&part) else { return };
        let name = run.spec.name.clone();
        let learnt = self.room.get(&name).copied();
        // Fewer than once before is no limit of a subscription, but of the server: more of them do not help.
        if learnt.is_some_and(|room| run.items.counts().1 < room) {
            return;
        }
        let Some((taken, surplus)) = run.items.take_surplus() else { return };
        tracing::info!(subscription = name, taken, "the server takes no more items into one subscription");
        self.room.insert(name.clone(), taken);
        let mut rest: BTreeMap<u32, Arc<ItemSpec>> = BTreeMap::new();
        for handle in surplus {
            rest.extend(run.spec.items.remove_entry(&handle));
        }
        run.wanted = run.spec.fingerprint();
        let publishing_interval = run.spec.publishing_interval;
        let indexes = self.parts.values().filter(|run| run.spec.name == name).map(|run| run.spec.index);
        let mut index = indexes.max().map_or(0, |index| index + 1);
        while !rest.is_empty() {
            let next = rest.keys().nth(taken).copied();
            let behind = next.map(|handle| rest.split_off(&handle)).unwrap_or_default();
            let items = std::mem::replace(&mut rest, behind);
            self.add_part(PartSpec { name: name.clone(), index, publishing_interval, items }, None);
            index += 1;
        }
    }

    pub(super) async fn run(mut self) {
        crate::client::trust::SessionFolder::sweep(&self.options.run_folder);
        self.set_state(SessionState::Connecting, None);
        let mut next: Option<OpcUaSession> = None;
        let mut refused: Option<UaError> = None;
        while !self.tasks.is_stopping() {
            let session = match next.take() {
                Some(session) => session,
                None => match Box::pin(self.connect(refused.take())).await {
                    Some(session) => session,
                    None => break,
                },
            };
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
                End::Replaced(newer) => {
                    next = Some(*newer);
                    self.retired = Some(session);
                }
                End::Lost(error) => {
                    if self.clock.monotonic() - started > STEADY {
                        self.backoff.reset();
                    }
                    self.set_state(SessionState::Reconnecting, Some(&error));
                    refused = Some(error).filter(|error| error.is_authentication() || !error.is_retryable());
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

    /// Opens the next session, however long it takes. `None` when it is time to stop. `refused` is why the last
    /// one ended, when an immediate attempt would end the same way.
    async fn connect(&mut self, refused: Option<UaError>) -> Option<OpcUaSession> {
        let mut pause = Pause::default();
        let mut known = refused;
        loop {
            let result = match known.take() {
                Some(error) => Err(error),
                None => {
                    let attempt = Box::pin(standby::attempt(self.options.clone(), self.key.clone(), pause));
                    match self.beside(attempt).await {
                        Beside::Done(result) => result,
                        Beside::Stop => return None,
                        Beside::Reconfigured => {
                            pause = Pause::default();
                            self.backoff.reset();
                            continue;
                        }
                    }
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
                        pause = Pause::default();
                        self.set_state(SessionState::Connecting, None);
                        continue;
                    }
                    _ => return None,
                }
            }
            self.shared.update(|status| status.error = Some(format!("{} {error}", error.code())));
            let state = self.shared.snapshot().state;
            self.emit_state(state, Some(&error));
            pause = match error.is_retryable() {
                true => Pause::of(self.backoff.next_delay(random::number32())),
                false => Pause::until_trust_changes(&self.options),
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
            room: self.room.get(&run.spec.name).and_then(|room| u32::try_from(*room).ok()),
            session: self.key.clone(),
        };
        let delivery = Delivery {
            number: batch.delivery,
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
        let (mut short, mut shortest, mut smallest) = (0, Duration::MAX, u32::MAX);
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
                ItemNews::ShortQueue { covers, queue_size } => {
                    short += 1;
                    shortest = shortest.min(covers);
                    smallest = smallest.min(queue_size);
                }
            }
        }
        if short > 0 {
            self.sink.event(SessionEvent::QueueTooShort {
                subscription: subscription(),
                items: short,
                covers: shortest,
                smallest,
            });
        }
    }

    /// Writes what changes rarely.
    pub(super) fn refresh_status(&self) {
        let mut rejected = Vec::new();
        let mut rejected_items = 0;
        let mut subscriptions = Vec::new();
        for (id, run) in &self.parts {
            let (items, monitored) = run.items.counts();
            let (short_queues, queues_of_one) = run.items.short_queues();
            subscriptions.push(SubscriptionStatus {
                subscription: run.spec.name.clone(),
                cursor_key: run.spec.cursor_key(),
                server_subscription: self.machine.subscription(*id),
                items,
                monitored,
                queue_covers: run.items.queue_covers(),
                short_queues,
                queues_of_one,
                resumed: run.items.is_resumed(),
            });
            rejected_items += run.items.rejected().count();
            let room = REJECTED_SHOWN - rejected.len();
            rejected.extend(run.items.rejected().take(room).map(|(handle, status)| RejectedItem {
                subscription: run.spec.name.clone(),
                handle,
                status,
            }));
        }
        self.shared.update(|status| {
            status.subscriptions = subscriptions;
            status.rejected = rejected;
            status.rejected_items = rejected_items;
        });
    }
}

enum Beside<T> {
    Done(T),
    Stop,
    Reconfigured,
}
