//! The publish loop as a state machine: no socket, no clock, no runtime.
//!
//! Events go in through `on_…`, what is to be done comes out of [`PublishLoop::poll_action`], and
//! [`PublishLoop::next_deadline`] says when to call [`PublishLoop::on_time`]. The rules:
//!
//! - A message is acknowledged only after its delivery is durable, never a keep-alive (it carries the *next*
//!   number) and never a body that is not understood.
//! - Requests out and messages that are not durable together stay within twice the requests that the server
//!   accepts, all subscriptions of the session counted: a server keeps about so many unacknowledged messages
//!   and then drops the oldest without a word.
//! - A hole in the numbers is asked for again; what does not come is a gap, before the values after it.
//! - After each loss of the connection subscriptions are taken over: what the server kept is fetched, what is
//!   durable is acknowledged. Refused, or silent afterwards: a new subscription, and a gap.

mod deliver;
mod part;
mod requests;
mod sequence;
mod silence;
#[cfg(test)]
mod tests;
mod types;

use super::session::{CreatedSubscription, PublishAnswer, ReceivedBody, ReceivedMessage};
use gemba_model::{DateTime, GapReason, StatusCode};
use part::{Outage, Part, Phase, ServerSubscription, Staged};
use requests::Requests;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
pub use types::Counters;
pub(crate) use types::{Action, Batch, Gap, Message, Now, PartId, PublishFailure, Report, ResumePoint};

/// A hole may be two answers that overtook each other on their way through tasks.
const HOLE_GRACE: Duration = Duration::from_millis(250);
/// A longer hole is not asked for message by message; no server keeps so many.
const HOLE_MESSAGES_MAX: u64 = 1000;
/// First and longest wait before a subscription that the server refused is asked for again.
const CREATE_RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// The machine. One for a session and all its successors.
#[derive(Debug)]
pub(crate) struct PublishLoop {
    parts: BTreeMap<PartId, Part>,
    requests: Requests,
    /// Set while there is a connection.
    server_start: Option<DateTime>,
    actions: VecDeque<Action>,
    counters: Counters,
    next_delivery: u64,
    /// The subscription whose silence was reported.
    suspect: Option<PartId>,
}

impl PublishLoop {
    pub(crate) fn new(publish_requests_max: usize) -> Self {
        Self {
            parts: BTreeMap::new(),
            requests: Requests::new(publish_requests_max),
            server_start: None,
            actions: VecDeque::new(),
            counters: Counters::default(),
            next_delivery: 1,
            suspect: None,
        }
    }

    /// The next thing to do, until there is none.
    pub(crate) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub(crate) const fn counters(&self) -> Counters {
        self.counters
    }

    /// The id on the server, while the subscription stands.
    pub(crate) fn subscription(&self, part: PartId) -> Option<u32> {
        let part = self.parts.get(&part)?;
        matches!(part.phase, Phase::Active).then(|| part.subscription.map(|subscription| subscription.id))?
    }

    /// Whether no subscription waits for the server's consent.
    pub(crate) fn all_stand(&self) -> bool {
        self.parts.values().all(|part| matches!(part.phase, Phase::Active))
    }

    /// Since when a subscription is without connection, until it is whole again.
    pub(crate) fn absent_since(&self, part: PartId) -> Option<DateTime> {
        self.parts.get(&part)?.absent_since()
    }

    /// How many messages wait for the sink, all subscriptions together.
    pub(crate) fn undurable(&self) -> usize {
        self.parts.values().map(Part::undurable).sum()
    }

    /// Takes a subscription into care. With a connection, it is set up at once.
    pub(crate) fn add(&mut self, now: Now, id: PartId, resume: Option<ResumePoint>) {
        self.parts.insert(id, Part::new(now, resume));
        self.start(now, id);
        self.pump(now);
    }

    /// Lets go of a subscription. Returns what is to be deleted on the server.
    pub(crate) fn remove(&mut self, now: Now, id: PartId) -> Option<u32> {
        let part = self.parts.remove(&id)?;
        self.heard(id);
        self.pump(now);
        part.subscription.map(|subscription| subscription.id)
    }

    /// Asks for a delivery without values, so that a changed fingerprint becomes durable.
    pub(crate) fn touch(&mut self, id: PartId) {
        if self.parts.get(&id).is_some_and(|part| part.subscription.is_some()) {
            self.deliver(id, None, Vec::new());
        }
    }

    /// A session stands.
    pub(crate) fn on_connected(&mut self, now: Now, server_start: DateTime, publish_requests_max: usize) {
        self.server_start = Some(server_start);
        self.requests.connected(publish_requests_max);
        for id in self.parts.keys().copied().collect::<Vec<_>>() {
            self.start(now, id);
        }
        self.pump(now);
    }

    /// The session is gone. Nothing that was sent will be answered.
    pub(crate) fn on_disconnected(&mut self, now: Now) {
        self.server_start = None;
        self.suspect = None;
        for (acknowledgements, _) in self.requests.clear() {
            self.give_back(acknowledgements);
        }
        for part in self.parts.values_mut() {
            part.disconnected(now);
        }
        let stale = |action: &Action| !matches!(action, Action::Deliver(_) | Action::Report(_));
        self.actions.retain(|action| !stale(action));
    }

    fn start(&mut self, now: Now, id: PartId) {
        let Some(server_start) = self.server_start else { return };
        let Some(part) = self.parts.get_mut(&id) else { return };
        match part.subscription {
            None => self.create(id, None),
            Some(subscription) if subscription.server_start != server_start || !part.same_items => {
                let reason = if part.same_items { GapReason::ServerRestart } else { GapReason::EdgeRestart };
                // Under the same id of another start there may be somebody else's subscription.
                let delete = (subscription.server_start == server_start).then_some(subscription.id);
                self.lose(now, id, reason);
                self.create(id, delete);
            }
            Some(subscription) => {
                part.phase = Phase::Transferring;
                self.actions.push_back(Action::Transfer { part: id, subscription: subscription.id });
            }
        }
    }

    fn create(&mut self, id: PartId, delete: Option<u32>) {
        if let Some(part) = self.parts.get_mut(&id) {
            part.phase = Phase::Creating;
            self.actions.push_back(Action::Create { part: id, delete });
        }
    }

    /// What the server says to a transfer, with the numbers that it kept. `overwritten` are handles of which the
    /// server keeps one value only, and that it may have overwritten in our absence: no overflow bit tells.
    pub(crate) fn on_transferred(
        &mut self,
        now: Now,
        id: PartId,
        status: StatusCode,
        available: &[u32],
        overwritten: Vec<u32>,
    ) {
        let Some(part) = self.parts.get_mut(&id) else { return };
        if !matches!(part.phase, Phase::Transferring) {
            return;
        }
        if !status.is_good() {
            let reason = part.loss_reason;
            self.actions.push_back(Action::Report(Report::TransferRefused { part: id, status }));
            self.lose(now, id, reason);
            self.create(id, None);
            return;
        }
        self.counters.transfers += 1;
        part.transferred(now);
        for number in available {
            if let Some(action) = part.kept_by_server(id, *number) {
                self.actions.push_back(action);
            }
        }
        part.expect_overwritten(overwritten);
        self.settle(now, id);
        self.pump(now);
    }

    /// A subscription stands; its items may be created.
    pub(crate) fn on_created(&mut self, now: Now, id: PartId, made: &CreatedSubscription) {
        let (Some(server_start), Some(part)) = (self.server_start, self.parts.get_mut(&id)) else { return };
        if !matches!(part.phase, Phase::Creating) {
            return;
        }
        self.counters.creations += 1;
        part.created(now, ServerSubscription { id: made.id, server_start });
        part.timing(made.publishing_interval, made.keep_alive_count);
        let gap = part.pending_gap.take();
        if let Some(gap) = &gap {
            let (since, reason) = (gap.since, gap.reason);
            self.actions.push_back(Action::Report(Report::Recreated { part: id, since, reason }));
        }
        // Durable before its first value: from then on there is an id to take over.
        self.deliver(id, gap, Vec::new());
        self.pump(now);
    }

    /// The server refused to create a subscription.
    pub(crate) fn on_create_failed(&mut self, now: Now, id: PartId) {
        if let Some(part) = self.parts.get_mut(&id) {
            let delay = part.create_retry;
            part.create_retry = (delay * 2).min(CREATE_RETRY.1);
            part.phase = Phase::Failed { retry_at: now.monotonic + delay };
        }
    }

    /// Timing as it was revised by ModifySubscription.
    pub(crate) fn set_timing(&mut self, id: PartId, publishing_interval: Duration, keep_alive_count: u32) {
        if let Some(part) = self.parts.get_mut(&id) {
            part.timing(publishing_interval, keep_alive_count);
        }
    }

    pub(crate) fn on_published(&mut self, now: Now, request: u64, answer: PublishAnswer) {
        if self.requests.answered(request).is_none() {
            return;
        }
        self.requests.accepted();
        let unknown =
            answer.results.iter().filter(|status| status.name() == Some("BadSequenceNumberUnknown"));
        self.counters.unknown_acknowledgements += unknown.count() as u64;
        let owner =
            self.parts.iter().find(|(_, part)| part.is_active_as(answer.subscription)).map(|(id, _)| *id);
        if owner.is_none() || answer.message.body == ReceivedBody::KeepAlive {
            self.requests.brought_nothing(now.monotonic);
        }
        match owner {
            Some(id) => self.on_message(now, id, answer.message),
            None => self.counters.unknown_subscriptions += 1,
        }
        self.pump(now);
    }

    fn on_message(&mut self, now: Now, id: PartId, message: ReceivedMessage) {
        self.heard(id);
        let Some(part) = self.parts.get_mut(&id) else { return };
        part.heard = now.monotonic;
        part.answered = true;
        match message.body {
            ReceivedBody::KeepAlive => {
                self.counters.keep_alives += 1;
                part.next_is(message.sequence_number);
            }
            ReceivedBody::StatusChange(status) => {
                tracing::warn!(subscription = part.subscription.map(|s| s.id), %status, "the server closed a subscription");
                self.lose(now, id, GapReason::Disconnection);
                self.create(id, None);
                return;
            }
            body => {
                self.stage(id, message.sequence_number, message.publish_time, body);
                if self.parts.get(&id).is_some_and(Part::counts_anew) {
                    self.renumbered(now, id);
                    return;
                }
            }
        }
        self.settle(now, id);
    }

    /// The server counts from another number on than the standard allows: what it sent meanwhile cannot be told
    /// from repetitions. A new subscription, and a gap that says so.
    fn renumbered(&mut self, now: Now, id: PartId) {
        self.counters.renumberings += 1;
        let delete = self.subscription(id);
        tracing::warn!(subscription = delete, "the server's sequence numbers jumped back; subscribing anew");
        self.lose(now, id, GapReason::SequenceGap);
        self.create(id, delete);
    }

    fn stage(&mut self, id: PartId, number: u32, publish_time: Option<DateTime>, body: ReceivedBody) {
        let Some(part) = self.parts.get_mut(&id) else { return };
        let staged = match body {
            ReceivedBody::DataChange(change) => {
                Staged::Message(Message { sequence_number: number, publish_time, change: Arc::new(change) })
            }
            ReceivedBody::NotUnderstood(reason) => {
                self.counters.not_understood += 1;
                self.actions.push_back(Action::Report(Report::NotUnderstood {
                    part: id,
                    sequence_number: number,
                    reason,
                }));
                Staged::Unreadable
            }
            ReceivedBody::KeepAlive | ReceivedBody::StatusChange(_) => return,
        };
        if !part.stage(number, staged) {
            self.counters.duplicates += 1;
        }
    }

    pub(crate) fn on_publish_failed(&mut self, now: Now, request: u64, failure: PublishFailure) {
        let Some((acknowledgements, flight)) = self.requests.answered(request) else { return };
        // Acknowledging twice is harmless, forgetting is not.
        self.give_back(acknowledgements);
        match failure {
            PublishFailure::TooMany => {
                self.counters.too_many_requests += 1;
                self.requests.shrink();
            }
            PublishFailure::Timeout if flight.is_over(now.monotonic) => {
                // The late answer, with its values, will be thrown away. Only a transfer can tell what it held.
                self.disconnect("a PublishRequest was not answered in time");
            }
            PublishFailure::NoSubscription => {
                let active = self.parts.iter().filter(|(_, part)| matches!(part.phase, Phase::Active));
                for id in active.map(|(id, _)| *id).collect::<Vec<_>>() {
                    self.lose(now, id, GapReason::Disconnection);
                    self.create(id, None);
                }
            }
            PublishFailure::Lost => self.disconnect("the connection was lost"),
            PublishFailure::Timeout | PublishFailure::Refused => {
                if self.requests.refused_too_often() {
                    self.disconnect("the server refuses PublishRequests");
                }
            }
        }
        self.pump(now);
    }

    /// What came of Republish; `None` when the server no longer has the message.
    pub(crate) fn on_republished(
        &mut self,
        now: Now,
        id: PartId,
        number: u32,
        message: Option<ReceivedMessage>,
    ) {
        let Some(part) = self.parts.get_mut(&id) else { return };
        if !part.asked_again(number) {
            return;
        }
        match message {
            Some(message) => {
                self.counters.republished += 1;
                part.count_recovered();
                self.stage(id, number, message.publish_time, message.body);
            }
            None => {
                self.counters.missing += 1;
                part.count_missing(1);
                part.stage_missing(number);
            }
        }
        self.settle(now, id);
        self.pump(now);
    }

    /// Gives a subscription up and creates it anew, because it cannot be brought to what is wanted.
    pub(crate) fn recreate(&mut self, now: Now, id: PartId) {
        let delete = self.subscription(id);
        if delete.is_some() {
            self.lose(now, id, GapReason::Disconnection);
            self.create(id, delete);
            self.pump(now);
        }
    }

    /// The subscription is not known to the server any more.
    pub(crate) fn on_subscription_gone(&mut self, now: Now, id: PartId) {
        if self.parts.get(&id).is_some_and(|part| matches!(part.phase, Phase::Active)) {
            self.lose(now, id, GapReason::Disconnection);
            self.create(id, None);
            self.pump(now);
        }
    }

    /// A delivery is durable.
    pub(crate) fn on_durable(&mut self, now: Now, id: PartId, delivery: u64) {
        if let Some(part) = self.parts.get_mut(&id) {
            part.durable(delivery);
            self.pump(now);
        }
    }

    fn disconnect(&mut self, reason: &'static str) {
        if self.server_start.is_some() {
            self.actions.push_back(Action::Disconnect(reason));
        }
    }

    /// Gives a subscription up: what came of it is delivered, with gaps for what is missing in between, and a
    /// last gap stands before whatever comes next.
    fn lose(&mut self, now: Now, id: PartId, reason: GapReason) {
        let Some(part) = self.parts.get_mut(&id) else { return };
        part.close_holes();
        self.drain(id);
        let Some(part) = self.parts.get_mut(&id) else { return };
        part.lost(now, reason);
    }

    /// Puts acknowledgements back that were not answered.
    fn give_back(&mut self, acknowledgements: Vec<(u32, u32)>) {
        for (subscription, number) in acknowledgements {
            let owner = self.parts.values_mut().find(|part| part.is_subscription(subscription));
            if let Some(part) = owner {
                part.acknowledgements.push(number);
            }
        }
    }

    /// Sends as many requests as the window allows.
    fn pump(&mut self, now: Now) {
        if self.server_start.is_none() {
            return;
        }
        let active = || self.parts.values().filter(|part| matches!(part.phase, Phase::Active));
        let subscriptions = active().count();
        if subscriptions == 0 {
            return;
        }
        let keep_alive = active().map(|part| part.keep_alive).max().unwrap_or_default();
        let undurable = self.undurable();
        while self.requests.may_send(now.monotonic, subscriptions, undurable) {
            let mut acknowledgements = Vec::new();
            for part in self.parts.values_mut() {
                part.take_acknowledgements(&mut acknowledgements);
            }
            let (request, patience) =
                self.requests.send(now.monotonic, acknowledgements.clone(), keep_alive, subscriptions);
            self.actions.push_back(Action::Publish { request, acknowledgements, patience });
        }
    }

    /// Looks at holes, hands over what is in order, and says when an outage is over.
    fn settle(&mut self, now: Now, id: PartId) {
        self.drain(id);
        let Some(part) = self.parts.get_mut(&id) else { return };
        if !matches!(part.phase, Phase::Active) {
            return;
        }
        let asked = part.look_at_hole(now.monotonic);
        if asked.given_up > 0 {
            self.counters.missing += asked.given_up;
            part.count_missing(asked.given_up);
            self.drain(id);
        }
        let Some(part) = self.parts.get_mut(&id) else { return };
        if let Some(subscription) = part.subscription {
            self.actions.extend(asked.numbers.into_iter().map(|sequence_number| Action::Republish {
                part: id,
                subscription: subscription.id,
                sequence_number,
            }));
        }
        if let Some(Outage { since, republished, missing }) = part.outage_over() {
            let report = Report::Recovered { part: id, since, republished, missing };
            self.actions.push_back(Action::Report(report));
        }
    }
}
