//! One connection: actions of the publish loop become services, answers go back into it.

use super::SessionEvent;
use super::driver::{Command, Driver};
use super::items::{ItemNews, Job};
use super::standby::{Standby, Trust, TrustWatch, Why};
use super::status::SessionState;
use crate::client::error::UaError;
use crate::client::options::SessionOptions;
use crate::client::publishing::{Action, Now, PartId, PublishFailure, Report};
use crate::client::quirks::Quirks;
use crate::client::session::{
    CreatedSubscription, ItemCreated, OpcUaSession, PublishAnswer, ReceivedMessage, SubscriptionRequest,
    Transferred,
};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use gemba_model::StatusCode;
use std::sync::Arc;
use std::time::Duration;

/// Why a connection is over.
pub(super) enum End {
    Stop,
    Reconfigured,
    Lost(UaError),
    /// Another connection takes over.
    Replaced(Box<OpcUaSession>),
}

/// Nothing is due: look again after this, for the status.
const IDLE: Duration = Duration::from_secs(5);

enum Outcome {
    Transferred(PartId, Result<Transferred, UaError>),
    Created(PartId, Result<CreatedSubscription, UaError>),
    Modified(PartId, Result<CreatedSubscription, UaError>),
    Republished(PartId, u32, Result<Option<ReceivedMessage>, UaError>),
    Published(u64, Result<PublishAnswer, UaError>),
    /// For the subscription with this id, which may be another one by now.
    Items(PartId, u32, Result<ItemsDone, UaError>),
    Deleted,
}

enum ItemsDone {
    Listed(Option<Vec<(u32, u32)>>),
    Created(Vec<ItemCreated>),
    Modified(Vec<ItemCreated>),
    Deleted,
}

type Services = FuturesUnordered<BoxFuture<'static, Outcome>>;

/// What to ask of a subscription so that it outlives a restart and its silence means something.
pub(super) fn subscription_request(
    options: &SessionOptions,
    publishing_interval: Duration,
) -> SubscriptionRequest {
    let interval = publishing_interval.max(Duration::from_millis(1));
    let count = |whole: Duration| {
        u32::try_from(whole.as_nanos().div_ceil(interval.as_nanos())).unwrap_or(u32::MAX).max(1)
    };
    let keep_alive_count = count((interval * 10).max(options.subscription_keep_alive_min));
    // The standard wants at least three keep-alives in a lifetime.
    let lifetime_count = count(options.subscription_lifetime_min).max(keep_alive_count.saturating_mul(3));
    SubscriptionRequest { publishing_interval, keep_alive_count, lifetime_count }
}

impl Driver {
    /// Serves a connection until it is of no use any more.
    pub(super) async fn serve(&mut self, session: &Arc<OpcUaSession>) -> End {
        let mut services: Services = FuturesUnordered::new();
        let end = self.serve_with(session, &mut services).await;
        // Whatever is still out holds the session; it must go before the session can be closed.
        services.clear();
        end
    }

    /// Tells everybody that a session stands.
    fn begin(&mut self, session: &OpcUaSession) {
        let quirks = Quirks::of(&session.endpoint().application_uri, session.server());
        self.key = quirks.reactivate.then(|| session.key());
        if session.is_reactivated() {
            tracing::info!(endpoint = session.options().endpoint_url, "an earlier session goes on");
        }
        let requests =
            quirks.publish_requests_max.unwrap_or(usize::MAX).min(self.options.publish_requests_max);
        self.sink.event(SessionEvent::Connected {
            namespaces: session.namespaces().to_vec(),
            application_uri: session.endpoint().application_uri.clone(),
        });
        self.set_state(SessionState::Connected, None);
        let now = self.now();
        // A server that does not say when it was started cannot prove that an id is still ours: never the same.
        let start = session.server().start_time.unwrap_or(now.wall);
        self.machine.on_connected(now, start, requests);
    }

    async fn serve_with(&mut self, session: &Arc<OpcUaSession>, services: &mut Services) -> End {
        self.begin(session);
        let mut standby = Standby::default();
        let mut trust = TrustWatch::new(session);
        loop {
            if let Some(error) = self.perform(session, services, &mut standby).await {
                return End::Lost(error);
            }
            let now = self.now();
            let due = self.next_deadline().map_or(IDLE, |due| due.saturating_sub(now.monotonic)).min(IDLE);
            let stopping = self.tasks.clone();
            tokio::select! {
                () = stopping.stopping() => return End::Stop,
                () = session.ended() => return End::Lost(lost(session)),
                result = standby.finished() => match result {
                    Ok(next) => {
                        tracing::info!(endpoint = self.options.endpoint_url, "another connection takes over");
                        return End::Replaced(Box::new(next));
                    }
                    // A second log-in that is refused would be refused the third time, too.
                    Err(error) if error.is_authentication() => return End::Lost(error),
                    Err(error) => self.standby_failed(&mut standby, &error),
                },
                verdict = trust.changed(session) => match verdict {
                    Trust::Withdrawn(error) => return End::Lost(error),
                    Trust::OwnRenewed => standby.start(Why::Renewal, &self.options, self.key.clone()),
                },
                Some(outcome) = services.next(), if !services.is_empty() => {
                    if let Some(error) = self.take(session, outcome) {
                        return End::Lost(error);
                    }
                }
                Some((part, delivery)) = self.durable.recv() => {
                    let now = self.now();
                    self.machine.on_durable(now, part, delivery);
                }
                command = self.commands.recv() => match command {
                    None => return End::Stop,
                    Some(Command::Apply { specs, done }) => {
                        self.apply(&specs);
                        done.send(()).ok();
                    }
                    Some(Command::Reconfigure { options, done }) => {
                        self.options = *options;
                        done.send(()).ok();
                        return End::Reconfigured;
                    }
                },
                () = tokio::time::sleep(due) => {
                    let now = self.now();
                    self.machine.on_time(now);
                    self.refresh_status();
                }
            }
        }
    }

    fn next_deadline(&self) -> Option<Duration> {
        // Without a subscription nothing can be retried, and a deadline that passed would keep this task busy.
        let active = self.parts.iter().filter(|(id, _)| self.machine.subscription(**id).is_some());
        let retries = active.filter_map(|(_, run)| run.items.next_retry());
        retries.chain(self.machine.next_deadline()).min()
    }

    /// Does everything that is to be done now. An error ends the connection.
    async fn perform(
        &mut self,
        session: &Arc<OpcUaSession>,
        services: &mut Services,
        standby: &mut Standby,
    ) -> Option<UaError> {
        self.start_item_jobs(session, services);
        for id in std::mem::take(&mut self.obsolete) {
            let session = Arc::clone(session);
            services.push(Box::pin(async move {
                if let Err(error) = session.delete_subscription(id).await {
                    tracing::debug!(%error, "a subscription was not deleted");
                }
                Outcome::Deleted
            }));
        }
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Deliver(batch) => {
                    if !batch.messages.is_empty() {
                        let wall = self.now().wall;
                        self.shared.update(|status| status.last_data = Some(wall));
                    }
                    self.deliver(batch).await;
                }
                Action::Report(report) => self.report(report),
                Action::Disconnect(reason) => {
                    tracing::warn!(
                        endpoint = self.options.endpoint_url,
                        reason,
                        "the connection is given up"
                    );
                    return Some(lost(session));
                }
                Action::Suspect(reason) => {
                    tracing::warn!(
                        endpoint = self.options.endpoint_url,
                        reason,
                        "trying a second connection"
                    );
                    self.set_state(SessionState::Silent, None);
                    standby.start(Why::Silence, &self.options, self.key.clone());
                }
                Action::Heard => {
                    standby.stop(Why::Silence);
                    self.set_state(SessionState::Subscribed, None);
                }
                service => self.start_service(session, services, service),
            }
        }
        let (counters, undurable) = (self.machine.counters(), self.machine.undurable());
        self.shared.update(|status| {
            status.counters = counters;
            status.undurable = undurable;
        });
        None
    }

    fn start_service(&self, session: &Arc<OpcUaSession>, services: &Services, action: Action) {
        let session = Arc::clone(session);
        match action {
            Action::Transfer { part, subscription } => services.push(Box::pin(async move {
                Outcome::Transferred(part, session.transfer(subscription).await)
            })),
            Action::Create { part, delete } => {
                let Some(run) = self.parts.get(&part) else { return };
                let request = subscription_request(&self.options, run.spec.publishing_interval);
                services.push(Box::pin(async move {
                    if let Some(old) = delete
                        && let Err(error) = session.delete_subscription(old).await
                    {
                        tracing::debug!(%error, "a subscription was not deleted");
                    }
                    Outcome::Created(part, session.create_subscription(request).await)
                }));
            }
            Action::Republish { part, subscription, sequence_number } => {
                services.push(Box::pin(async move {
                    let message = session.republish(subscription, sequence_number).await;
                    Outcome::Republished(part, sequence_number, message)
                }))
            }
            Action::Publish { request, acknowledgements, patience } => services.push(Box::pin(async move {
                Outcome::Published(request, session.publish(acknowledgements, patience).await)
            })),
            Action::Deliver(_)
            | Action::Disconnect(_)
            | Action::Suspect(_)
            | Action::Heard
            | Action::Report(_) => {}
        }
    }

    /// One call about items at a time and subscription.
    fn start_item_jobs(&mut self, session: &Arc<OpcUaSession>, services: &Services) {
        let now = self.now();
        let active: Vec<(PartId, u32)> =
            self.parts.keys().filter_map(|id| Some((*id, self.machine.subscription(*id)?))).collect();
        for (id, subscription) in active {
            let Some(run) = self.parts.get_mut(&id) else { continue };
            let mut news = Vec::new();
            if std::mem::take(&mut run.modify) {
                let request = subscription_request(&self.options, run.spec.publishing_interval);
                let session = Arc::clone(session);
                services.push(Box::pin(async move {
                    Outcome::Modified(id, session.modify_subscription(subscription, request).await)
                }));
            }
            let job = run.items.next_job(now.monotonic, session.namespaces(), &mut news);
            // A fingerprint becomes durable only when nothing on the server contradicts it.
            if run.fingerprint != run.wanted && run.items.is_settled() {
                run.fingerprint = run.wanted;
                self.machine.touch(id);
            }
            if !news.is_empty() {
                self.refresh_status();
                self.tell(id, news);
            }
            match job {
                None => {}
                Some(Job::Recreate) => self.machine.recreate(now, id),
                Some(job) => {
                    let session = Arc::clone(session);
                    services.push(Box::pin(async move {
                        Outcome::Items(id, subscription, run_job(&session, subscription, job).await)
                    }));
                }
            }
        }
    }

    /// Takes an answer in. An error ends the connection.
    fn take(&mut self, session: &OpcUaSession, outcome: Outcome) -> Option<UaError> {
        let now = self.now();
        match outcome {
            Outcome::Deleted => {}
            Outcome::Published(request, Ok(answer)) => {
                self.machine.on_published(now, request, answer);
                self.subscribed();
            }
            Outcome::Published(request, Err(error)) => {
                self.machine.on_publish_failed(now, request, failure(&error));
            }
            Outcome::Transferred(part, Ok(answer)) => {
                let overwritten = self.overwritten(part, now);
                self.machine.on_transferred(now, part, answer.status, &answer.available, overwritten);
            }
            Outcome::Republished(part, number, Ok(message)) => {
                self.machine.on_republished(now, part, number, message);
            }
            Outcome::Republished(part, _, Err(error)) if !error.ends_connection() => {
                self.machine.on_subscription_gone(now, part);
            }
            Outcome::Created(part, Ok(made)) => {
                if let Some(run) = self.parts.get_mut(&part) {
                    run.items.reset();
                    run.fingerprint = run.wanted;
                    run.modify = false;
                    self.machine.on_created(now, part, &made);
                    if self.machine.all_stand() {
                        self.shared.update(|status| status.error = None);
                    }
                } else {
                    self.obsolete.push(made.id);
                }
            }
            Outcome::Created(part, Err(error)) if !error.ends_connection() => {
                tracing::warn!(endpoint = self.options.endpoint_url, code = %error.code(), %error, "no subscription");
                self.shared.update(|status| status.error = Some(format!("{} {error}", error.code())));
                self.machine.on_create_failed(now, part);
            }
            Outcome::Modified(part, Ok(made)) => {
                self.machine.set_timing(part, made.publishing_interval, made.keep_alive_count);
            }
            Outcome::Modified(_, Err(error)) if !error.ends_connection() => {
                tracing::warn!(%error, "the publishing interval was not changed");
            }
            Outcome::Items(part, subscription, result) => {
                return self.take_items(session, part, subscription, result);
            }
            Outcome::Transferred(_, Err(error))
            | Outcome::Created(_, Err(error))
            | Outcome::Modified(_, Err(error))
            | Outcome::Republished(_, _, Err(error)) => return Some(error),
        }
        None
    }

    fn take_items(
        &mut self,
        session: &OpcUaSession,
        part: PartId,
        subscription: u32,
        result: Result<ItemsDone, UaError>,
    ) -> Option<UaError> {
        let now = self.now().monotonic;
        if self.machine.subscription(part) != Some(subscription) {
            return None;
        }
        let run = self.parts.get_mut(&part)?;
        let mut news = Vec::new();
        match result {
            Ok(ItemsDone::Listed(list)) => run.items.on_listed(list),
            Ok(ItemsDone::Created(results)) => run.items.on_created(&results, now, &mut news),
            Ok(ItemsDone::Modified(results)) => run.items.on_modified(&results, &mut news),
            Ok(ItemsDone::Deleted) => run.items.on_deleted(),
            // A server that is only slow is not given up: keep-alives tell whether it lives.
            Err(error) if error.ends_connection() && !matches!(error, UaError::Timeout { .. }) => {
                return Some(error);
            }
            Err(error) => {
                tracing::warn!(endpoint = session.options().endpoint_url, %error, "a call about items failed");
                let is_open = matches!(error, UaError::Timeout { .. } | UaError::Protocol { .. });
                let status = error.status().unwrap_or(StatusCode::BAD_NO_DATA);
                run.items.on_failed(status, is_open, now, &mut news);
            }
        }
        self.spread(part);
        if let Some(run) = self.parts.get(&part) {
            news.retain(|news| match news {
                ItemNews::Rejected { handle, .. } => run.spec.items.contains_key(handle),
                _ => true,
            });
        }
        self.refresh_status();
        self.tell(part, news);
        None
    }

    /// Items of which the server may have lost values in our absence without a sign.
    fn overwritten(&self, part: PartId, now: Now) -> Vec<u32> {
        let Some(since) = self.machine.absent_since(part) else { return Vec::new() };
        let ticks = u64::try_from(now.wall.ticks() - since.ticks()).unwrap_or(0);
        let absence = Duration::from_nanos(ticks.saturating_mul(100));
        self.parts.get(&part).map_or_else(Vec::new, |run| run.items.overwritten_in(absence))
    }

    fn standby_failed(&self, standby: &mut Standby, error: &UaError) {
        tracing::warn!(endpoint = self.options.endpoint_url, code = %error.code(), %error, "no second connection");
        self.shared.update(|status| status.error = Some(format!("{} {error}", error.code())));
        standby.again(&self.options, self.key.clone(), error);
    }

    /// The first answer of the server: now values come.
    fn subscribed(&mut self) {
        if self.shared.snapshot_state() == SessionState::Connected {
            self.set_state(SessionState::Subscribed, None);
            self.refresh_status();
            if let Some(retired) = self.retired.take().and_then(Arc::into_inner) {
                // Nothing hangs on it any more; a server that is told so has one session less to keep.
                self.tasks.spawn(async move { retired.close(false).await });
            }
        }
    }

    fn report(&self, report: Report) {
        let until = self.now().wall;
        let name = |part: PartId| self.parts.get(&part).map_or_else(String::new, |run| run.spec.name.clone());
        let event = match report {
            Report::Recovered { part, since, republished, missing } => {
                SessionEvent::OutageEnded { subscription: name(part), since, until, republished, missing }
            }
            Report::Recreated { part, since, reason } => {
                SessionEvent::Recreated { subscription: name(part), since, reason }
            }
            Report::TransferRefused { part, status } => {
                SessionEvent::TransferRefused { subscription: name(part), status }
            }
            Report::NotUnderstood { part, sequence_number, reason } => {
                SessionEvent::NotUnderstood { subscription: name(part), sequence_number, reason }
            }
        };
        self.sink.event(event);
    }
}

fn lost(session: &OpcUaSession) -> UaError {
    UaError::ConnectionLost {
        endpoint: session.options().endpoint_url.clone(),
        status: StatusCode::from_name("BadConnectionClosed").unwrap_or(StatusCode::BAD_NO_DATA),
    }
}

fn failure(error: &UaError) -> PublishFailure {
    match error.status_name() {
        "BadTooManyPublishRequests" => PublishFailure::TooMany,
        "BadTimeout" => PublishFailure::Timeout,
        "BadNoSubscription" => PublishFailure::NoSubscription,
        _ if error.ends_connection() => PublishFailure::Lost,
        _ => PublishFailure::Refused,
    }
}

async fn run_job(session: &OpcUaSession, subscription: u32, job: Job) -> Result<ItemsDone, UaError> {
    Ok(match job {
        Job::List | Job::Recreate => ItemsDone::Listed(session.monitored_items(subscription).await?),
        Job::Create(requests) => ItemsDone::Created(session.create_items(subscription, &requests).await?),
        Job::Modify(changes) => ItemsDone::Modified(session.modify_items(subscription, &changes).await?),
        Job::Delete(ids) => {
            session.delete_items(subscription, &ids).await?;
            ItemsDone::Deleted
        }
    })
}
