//! All subscriptions of a server and the publish requests that wait for them.
//!
//! A state machine: times come in, answers go out through the list that the caller gives.

use super::item::Target;
use super::{Owner, Settings, Subscription, Wanted};
use crate::server::stored::Stored;
use bytes::Bytes;
use gemba_model::DateTime;
use opcua::types::StatusCode;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// A publish request that waits.
#[derive(Clone, Debug)]
pub(in crate::server) struct Waiting {
    /// The connection it came over.
    pub(in crate::server) connection: u64,
    pub(in crate::server) request: u32,
    pub(in crate::server) handle: u32,
    /// What became of its acknowledgements.
    pub(in crate::server) results: Vec<StatusCode>,
    pub(in crate::server) deadline: Option<Duration>,
}

/// The answer to a publish request.
#[derive(Debug)]
pub(in crate::server) struct Answer {
    pub(in crate::server) to: Waiting,
    pub(in crate::server) outcome: Result<Published, StatusCode>,
}

/// A message on its way.
#[derive(Debug)]
pub(in crate::server) struct Published {
    pub(in crate::server) subscription: u32,
    pub(in crate::server) available: Vec<u32>,
    pub(in crate::server) more: bool,
    /// An encoded NotificationMessage.
    pub(in crate::server) message: Bytes,
}

/// Bounds of the machine.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Bounds {
    pub(in crate::server) requests_per_subscription: usize,
    /// Messages kept by a subscription for Republish.
    pub(in crate::server) sent: usize,
    pub(in crate::server) lies: bool,
}

/// The publish requests of one session.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// Last messages of subscriptions that ended; bounded by the subscriptions there were.
    farewells: VecDeque<(u32, Bytes)>,
    /// Bytes in one message.
    message_size: usize,
}

/// What time it is, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Now {
    pub(in crate::server) monotonic: Duration,
    pub(in crate::server) wall: DateTime,
}

/// Farewells kept for a session that does not ask; older ones are dropped.
const FAREWELLS_MAX: usize = 100;
/// Bytes in a message to a session that set no limit.
const MESSAGE_SIZE: usize = 4 << 20;

pub(in crate::server) struct Engine {
    /// By place; a place is given again, an id is not.
    subscriptions: Vec<Option<Subscription>>,
    by_id: BTreeMap<u32, u32>,
    queues: HashMap<u32, Queue>,
    next_id: u32,
    bounds: Bounds,
    out: Vec<Answer>,
    /// Places of subscriptions that ended by themselves: their watchers must go.
    ended: Vec<u32>,
}

impl Engine {
    pub(in crate::server) fn new(first_id: u32, bounds: Bounds) -> Self {
        Self {
            subscriptions: Vec::new(),
            by_id: BTreeMap::new(),
            queues: HashMap::new(),
            next_id: first_id.max(1),
            bounds,
            out: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// A session may have subscriptions from now on, and takes messages of so many bytes (0: of any size).
    pub(in crate::server) fn open_session(&mut self, session: u32, message_size: usize) {
        let queue = self.queues.entry(session).or_default();
        // Room for the rest of the answer, and for one value beyond the limit.
        let size = message_size.saturating_sub(4096).max(4096);
        queue.message_size = if message_size == 0 { MESSAGE_SIZE } else { size.min(MESSAGE_SIZE) };
    }

    /// The session is gone. Its subscriptions stay for others to take, until their lifetime ends.
    pub(in crate::server) fn close_session(&mut self, session: u32) {
        if let Some(queue) = self.queues.remove(&session) {
            self.refuse(queue.waiting, StatusCode::BadSessionClosed);
        }
    }

    /// Requests that came over a connection that ended cannot be answered.
    pub(in crate::server) fn connection_lost(&mut self, connection: u64) {
        for queue in self.queues.values_mut() {
            queue.waiting.retain(|waiting| waiting.connection != connection);
        }
    }

    pub(in crate::server) fn take_answers(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.out)
    }

    pub(in crate::server) fn take_ended(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.ended)
    }

    fn refuse(&mut self, waiting: impl IntoIterator<Item = Waiting>, status: StatusCode) {
        self.out.extend(waiting.into_iter().map(|to| Answer { to, outcome: Err(status) }));
    }

    /// Makes a subscription; returns its id.
    pub(in crate::server) fn create(
        &mut self,
        session: u32,
        owner: Owner,
        settings: Settings,
        enabled: bool,
        now: Duration,
    ) -> u32 {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1).max(1);
        let with = (now, self.bounds.sent, self.bounds.lies);
        let mut subscription = Subscription::new(id, session, owner, settings, with);
        subscription.enabled = enabled;
        let place = match self.subscriptions.iter().position(Option::is_none) {
            Some(place) => place,
            None => {
                self.subscriptions.push(None);
                self.subscriptions.len() - 1
            }
        };
        if let Some(slot) = self.subscriptions.get_mut(place) {
            *slot = Some(subscription);
        }
        self.by_id.insert(id, place as u32);
        id
    }

    pub(in crate::server) fn place(&self, id: u32) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    pub(in crate::server) fn at(&mut self, place: u32) -> Option<&mut Subscription> {
        self.subscriptions.get_mut(place as usize)?.as_mut()
    }

    /// A subscription of this session.
    pub(in crate::server) fn of_session(&mut self, id: u32, session: u32) -> Option<&mut Subscription> {
        let place = self.place(id)?;
        self.at(place).filter(|subscription| subscription.session == session)
    }

    fn all(&self) -> impl Iterator<Item = &Subscription> {
        self.subscriptions.iter().flatten()
    }

    pub(in crate::server) fn count_of(&self, session: u32) -> usize {
        self.all().filter(|subscription| subscription.session == session).count()
    }

    /// Ids of the subscriptions of a session.
    pub(in crate::server) fn ids_of(&self, session: u32) -> Vec<u32> {
        self.all()
            .filter(|subscription| subscription.session == session)
            .map(|subscription| subscription.id)
            .collect()
    }

    pub(in crate::server) fn monitored_items(&self) -> usize {
        self.all().map(Subscription::len).sum()
    }

    /// Ends a subscription; returns it with its place.
    pub(in crate::server) fn delete(&mut self, id: u32) -> Option<(u32, Subscription)> {
        let place = self.by_id.remove(&id)?;
        let subscription = self.subscriptions.get_mut(place as usize)?.take()?;
        self.without_subscriptions(subscription.session);
        Some((place, subscription))
    }

    /// Publish requests of a session without subscriptions are answered so.
    fn without_subscriptions(&mut self, session: u32) {
        if self.count_of(session) > 0 {
            return;
        }
        let Some(queue) = self.queues.get_mut(&session) else { return };
        if queue.farewells.is_empty() {
            let waiting = std::mem::take(&mut queue.waiting);
            self.refuse(waiting, StatusCode::BadNoSubscription);
        }
    }

    /// Gives a subscription to another session; the old one is told (OPC 10000-4 v1.05, 5.14.7).
    pub(in crate::server) fn transfer(&mut self, id: u32, session: u32, now: Now) -> Option<Vec<u32>> {
        let place = self.place(id)?;
        let subscription = self.subscriptions.get_mut(place as usize)?.as_mut()?;
        let before = std::mem::replace(&mut subscription.session, session);
        subscription.heard();
        // What was due must not wait for another cycle.
        subscription.late |= subscription.has_values();
        let available = subscription.available();
        if before != session {
            let bytes = subscription.farewell(now.wall, StatusCode::GoodSubscriptionTransferred.bits());
            self.say_farewell(before, id, bytes);
        }
        self.serve(session, now);
        Some(available)
    }

    fn say_farewell(&mut self, session: u32, id: u32, message: Bytes) {
        let Some(queue) = self.queues.get_mut(&session) else { return };
        if queue.farewells.len() >= FAREWELLS_MAX {
            queue.farewells.pop_front();
        }
        queue.farewells.push_back((id, message));
        self.serve_farewells(session);
        self.without_subscriptions(session);
    }

    fn serve_farewells(&mut self, session: u32) {
        let Some(queue) = self.queues.get_mut(&session) else { return };
        while !queue.farewells.is_empty() {
            let Some(to) = queue.waiting.pop_front() else { return };
            let Some((subscription, message)) = queue.farewells.pop_front() else { return };
            let published = Published { subscription, available: Vec::new(), more: false, message };
            self.out.push(Answer { to, outcome: Ok(published) });
        }
    }

    /// Takes acknowledgements: (subscription, sequence number).
    pub(in crate::server) fn acknowledge(
        &mut self,
        session: u32,
        acknowledgements: impl Iterator<Item = (u32, u32)>,
    ) -> Vec<StatusCode> {
        acknowledgements
            .map(|(id, sequence)| match self.of_session(id, session) {
                None => StatusCode::BadSubscriptionIdInvalid,
                Some(subscription) if !subscription.kept(sequence) => StatusCode::BadSequenceNumberUnknown,
                Some(subscription) => {
                    subscription.acknowledge(sequence);
                    StatusCode::Good
                }
            })
            .collect()
    }

    /// Takes a publish request in. When there are too many the oldest is answered so (OPC 10000-4 v1.05,
    /// 5.14.5.2).
    pub(in crate::server) fn publish(&mut self, session: u32, request: Waiting, now: Now) {
        let subscriptions = self.count_of(session);
        let Some(queue) = self.queues.get_mut(&session) else {
            return self.refuse([request], StatusCode::BadSessionIdInvalid);
        };
        if subscriptions == 0 && queue.farewells.is_empty() {
            return self.refuse([request], StatusCode::BadNoSubscription);
        }
        queue.waiting.push_back(request);
        let most = self.bounds.requests_per_subscription.saturating_mul(subscriptions.max(1)).max(1);
        let oldest = if queue.waiting.len() > most { queue.waiting.pop_front() } else { None };
        self.refuse(oldest, StatusCode::BadTooManyPublishRequests);
        self.serve_farewells(session);
        self.serve(session, now);
    }

    /// Sends what was due when no request was there: the highest priority first, then the oldest.
    fn serve(&mut self, session: u32, now: Now) {
        let mut late: Vec<(u8, Duration, u32)> = self
            .by_id
            .values()
            .filter_map(|place| {
                let subscription = self.subscriptions.get(*place as usize)?.as_ref()?;
                let due = subscription.late && subscription.session == session;
                due.then_some((subscription.settings.priority, subscription.next, *place))
            })
            .collect();
        late.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, _, place) in late {
            self.send(place, now);
        }
    }

    /// Sends as much of a subscription as requests are there for; what is left makes it late.
    fn send(&mut self, place: u32, now: Now) {
        let Some(Some(subscription)) = self.subscriptions.get_mut(place as usize) else { return };
        let Some(queue) = self.queues.get_mut(&subscription.session) else {
            subscription.late = true;
            return;
        };
        loop {
            let Some(to) = queue.waiting.pop_front() else {
                subscription.late = true;
                return;
            };
            let message = subscription.message(now.wall, queue.message_size);
            let more = subscription.has_values();
            let available = subscription.available();
            let published = Published { subscription: subscription.id, available, more, message };
            self.out.push(Answer { to, outcome: Ok(published) });
            if !more {
                return;
            }
        }
    }

    /// Runs what is due: cycles, lifetimes, deadlines of requests. `look` reads what changes by itself.
    pub(in crate::server) fn poll(&mut self, now: Now, look: &dyn Fn(u32) -> Option<Stored>) {
        let mut overdue = Vec::new();
        for queue in self.queues.values_mut() {
            let is_over = |waiting: &Waiting| waiting.deadline.is_some_and(|at| at <= now.monotonic);
            if queue.waiting.iter().any(is_over) {
                let (over, rest) = queue.waiting.drain(..).partition(is_over);
                queue.waiting = rest;
                overdue.push(over);
            }
        }
        let overdue: Vec<VecDeque<Waiting>> = overdue;
        self.refuse(overdue.into_iter().flatten(), StatusCode::BadTimeout);
        for place in 0..self.subscriptions.len() as u32 {
            self.cycle(place, now, look);
        }
    }

    fn cycle(&mut self, place: u32, now: Now, look: &dyn Fn(u32) -> Option<Stored>) {
        let Some(Some(subscription)) = self.subscriptions.get_mut(place as usize) else { return };
        if subscription.next > now.monotonic {
            return;
        }
        let clocks: Vec<(u32, u32)> = subscription
            .clocks()
            .filter_map(|(place, item)| match item.target {
                Target::Clock(number) => Some((place, number)),
                _ => None,
            })
            .collect();
        for (item, number) in clocks {
            if let Some(value) = look(number) {
                subscription.offer_clock(item, &value);
            }
        }
        let asked = self.queues.get(&subscription.session).is_some_and(|queue| !queue.waiting.is_empty());
        let wanted = subscription.cycle(now.monotonic, asked);
        if subscription.is_expired() {
            let (id, session) = (subscription.id, subscription.session);
            let bytes = subscription.farewell(now.wall, StatusCode::BadTimeout.bits());
            self.by_id.remove(&id);
            if let Some(slot) = self.subscriptions.get_mut(place as usize) {
                *slot = None;
            }
            self.ended.push(place);
            self.say_farewell(session, id, bytes);
        } else if wanted != Wanted::Nothing || subscription.late {
            self.send(place, now);
        }
    }

    /// When [`Engine::poll`] is needed again.
    pub(in crate::server) fn next_due(&self) -> Option<Duration> {
        let cycles = self.all().map(|subscription| subscription.next);
        let deadlines = self
            .queues
            .values()
            .flat_map(|queue| queue.waiting.iter().filter_map(|waiting| waiting.deadline));
        cycles.chain(deadlines).min()
    }
}
