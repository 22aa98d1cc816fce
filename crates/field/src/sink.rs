//! From notifications to deliveries: each value finds its field, each loss its gap record.

mod places;
mod refused;
mod routing;

pub(crate) use refused::Refused;
pub(crate) use routing::ItemHealth;

use crate::describe::Writers;
use crate::plan::SessionPlan;
use futures_util::FutureExt;
use gemba_api::{BoxFuture, CursorUpdate, Delivery, Uplink, UplinkError};

use gemba_base::{Clock, Counter};
use gemba_model::{DateTime, GapReason, GapRecord, GapScope, Hop, SampleBatch, WriterKey};
use gemba_ua::client::{self, DeliverySink, SessionEvent, SinkError};
use parking_lot::Mutex;
use routing::Routing;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What is counted, all sessions together.
#[derive(Debug, Clone)]
pub(crate) struct SinkCounters {
    /// Values that became durable.
    pub(crate) values: Counter,
    /// Values that are known to be lost.
    pub(crate) lost: Counter,
    /// Values under a handle that nobody asked for: removed items, or a server that makes them up.
    pub(crate) unknown: Counter,
}

/// The cursor of the first delivery that failed, by cursor key: all behind it must fail, too, until it comes
/// again.
type Failed = Mutex<HashMap<String, Vec<u8>>>;

/// Rejected items of one session that are logged one by one.
const REJECTIONS_LOGGED: usize = 100;

/// The sink of one session.
#[derive(Clone)]
pub(crate) struct SessionSink(Arc<Inner>);

struct Inner {
    uplink: Arc<dyn Uplink>,
    clock: Arc<dyn Clock>,
    writers: Arc<Mutex<Writers>>,
    routing: Mutex<Routing>,
    failed: Failed,
    /// When subscriptions were last created anew: the gap of that outage says all.
    recreated: Mutex<HashMap<String, DateTime>>,
    /// A description could not be stored: it is told again before the next delivery.
    undescribed: AtomicBool,
    refused: Mutex<Option<Refused>>,
    rejections_logged: AtomicUsize,
    counters: SinkCounters,
}

impl SessionSink {
    pub(crate) fn new(
        plan: Arc<SessionPlan>,
        uplink: Arc<dyn Uplink>,
        clock: Arc<dyn Clock>,
        writers: Arc<Mutex<Writers>>,
        counters: SinkCounters,
    ) -> Self {
        Self(Arc::new(Inner {
            uplink,
            clock,
            writers,
            routing: Mutex::new(Routing::new(plan)),
            failed: Failed::default(),
            recreated: Mutex::default(),
            undescribed: AtomicBool::new(false),
            refused: Mutex::default(),
            rejections_logged: AtomicUsize::new(0),
            counters,
        }))
    }

    /// Another plan for the same session. Values of removed items that are still under way are dropped: nobody
    /// wants them any more.
    pub(crate) fn replan(&self, plan: Arc<SessionPlan>) {
        let mut routing = self.0.routing.lock();
        routing.replan(plan);
        self.0.describe(&mut routing);
    }

    /// How the items are. `is_fresh` says of a subscription that each of its items owes a first value.
    pub(crate) fn health(&self, is_fresh: impl Fn(&str) -> bool) -> ItemHealth {
        self.0.routing.lock().health(is_fresh)
    }

    /// What was refused for ever, the newest last.
    pub(crate) fn refused(&self) -> Option<Refused> {
        self.0.refused.lock().clone()
    }

    /// The node behind a handle, and why its namespace cannot be found, if it cannot.
    pub(crate) fn node_of(&self, handle: u32) -> Option<String> {
        self.0.routing.lock().node_of(handle)
    }
}

impl Inner {
    /// Announces the descriptions, once the server has told its namespaces.
    fn describe(self: &Arc<Self>, routing: &mut Routing) {
        let Some((namespaces, application_uri)) = &routing.server else { return };
        let mut described = Vec::with_capacity(routing.plan.data_sets.len());
        let mut announcements = Vec::new();
        for data_set in &routing.plan.data_sets {
            let now = self.clock.now();
            let metadata =
                self.writers.lock().describe(&routing.plan, data_set, namespaces, application_uri, now);
            match metadata {
                Ok(metadata) => {
                    // The uplink keeps the order of calls: data follows its description without waiting.
                    let mut announced = self.uplink.announce(metadata.clone());
                    match (&mut announced).now_or_never() {
                        None => announcements.push(announced),
                        Some(Ok(())) => {}
                        Some(Err(error)) => self.not_announced(&error),
                    }
                    described.push(metadata);
                }
                Err(error) => {
                    tracing::error!(%error, session = routing.plan.name, "a data set is not published");
                    return;
                }
            }
        }
        routing.described = described;
        let inner = self.clone();
        tokio::spawn(async move {
            for announced in announcements {
                if let Err(error) = announced.await {
                    inner.not_announced(&error);
                }
            }
        });
    }

    fn not_announced(&self, error: &UplinkError) {
        tracing::warn!(%error, "a description was not taken");
        if error.is_retryable() {
            self.undescribed.store(true, Ordering::Relaxed);
        }
    }

    /// What the uplink gets for a delivery, and how many values are in it.
    fn delivery(&self, routing: &mut Routing, from: &client::Delivery) -> (Delivery, u64) {
        let gaps = from.gap.as_ref().map_or_else(Vec::new, |gap| routing.gaps(gap, &from.subscription));
        let mut batches: Vec<Option<SampleBatch>> = vec![None; routing.described.len()];
        let (mut values, mut all) = (0, 0);
        for notification in &from.notifications {
            values += routing.distribute(&notification.change, &mut batches);
            all += notification.change.len() as u64;
        }
        self.counters.unknown.add(all - values);
        let batches: Vec<SampleBatch> = batches.into_iter().flatten().collect();
        let cursor = CursorUpdate { key: from.cursor_key.clone(), state: Some(from.cursor.clone()) };
        (Delivery { gaps, batches, cursors: vec![cursor] }, values)
    }

    /// An outage that was survived stands in the ledger, too, with nothing missing.
    fn survived(&self, subscription: &str, since: DateTime, until: DateTime) {
        let gaps = {
            let routing = self.routing.lock();
            let mut keys: Vec<WriterKey> = routing
                .data_sets_of(subscription)
                .into_iter()
                .filter_map(|data_set| routing.described.get(data_set))
                .map(|metadata| metadata.writer)
                .collect();
            keys.dedup();
            let gap = |key| GapRecord {
                scope: GapScope::writer(key),
                from: Some(since),
                to: Some(until),
                reason: GapReason::Disconnection,
                hop: Hop::Field,
                count: Some(0),
            };
            keys.into_iter().map(gap).collect::<Vec<_>>()
        };
        let published = self.uplink.publish(Delivery { gaps, ..Delivery::default() });
        tokio::spawn(async move {
            if let Err(error) = published.await {
                tracing::warn!(%error, "the record of an outage was not taken");
            }
        });
    }

    /// A delivery did not become durable: all behind it must wait until it comes again.
    fn fail(&self, delivery: client::Delivery, error: &UplinkError) -> SinkError {
        self.failed.lock().entry(delivery.cursor_key).or_insert(delivery.cursor);
        SinkError(error.to_string())
    }
}

impl DeliverySink for SessionSink {
    fn deliver(&self, delivery: client::Delivery) -> BoxFuture<'static, Result<(), SinkError>> {
        let failed = |reason: String| -> BoxFuture<'static, Result<(), SinkError>> {
            Box::pin(std::future::ready(Err(SinkError(reason))))
        };
        let mut routing = self.0.routing.lock();
        if self.0.undescribed.swap(false, Ordering::Relaxed) {
            self.0.describe(&mut routing);
        }
        if self.0.undescribed.load(Ordering::Relaxed) {
            return failed("the description of the data cannot be stored at the moment".to_owned());
        }
        if routing.described.is_empty() {
            return failed("the server has not told its namespaces yet".to_owned());
        }
        let mut all_failed = self.0.failed.lock();
        match all_failed.get(&delivery.cursor_key) {
            Some(cursor) if *cursor != delivery.cursor => {
                return failed("an earlier delivery failed".to_owned());
            }
            _ => drop(all_failed.remove(&delivery.cursor_key)),
        }
        drop(all_failed);
        let (up, values) = self.0.delivery(&mut routing, &delivery);
        let lost: u64 = up.gaps.iter().filter_map(|gap| gap.count).sum();
        routing.issued(&delivery);
        let published = self.0.uplink.publish(up);
        drop(routing);
        let inner = self.0.clone();
        Box::pin(async move {
            match published.await {
                Ok(()) => {
                    inner.counters.values.add(values);
                    inner.counters.lost.add(lost);
                    Ok(())
                }
                // Nothing that is waited for would change the answer.
                Err(error @ UplinkError::Rejected { .. }) => inner.refuse(delivery, error).await,
                Err(error) => Err(inner.fail(delivery, &error)),
            }
        })
    }

    fn event(&self, event: SessionEvent) {
        match event {
            SessionEvent::Connected { namespaces, application_uri } => {
                let mut routing = self.0.routing.lock();
                let server = Some((namespaces, application_uri));
                if routing.server != server || routing.described.is_empty() {
                    routing.server = server;
                    self.0.describe(&mut routing);
                }
            }
            SessionEvent::Recreated { subscription, reason, .. } => {
                tracing::warn!(session = self.0.routing.lock().plan.name, %reason, "a subscription was lost and created anew");
                self.0.recreated.lock().insert(subscription, self.0.clock.now());
            }
            SessionEvent::OutageEnded { subscription, since, until, missing, .. } => {
                let recreated = self.0.recreated.lock().get(&subscription).is_some_and(|at| *at >= since);
                if !recreated && missing == 0 {
                    self.0.survived(&subscription, since, until);
                }
            }
            SessionEvent::State { state, error: Some((code, text)), .. } => {
                tracing::warn!(session = self.0.routing.lock().plan.name, ?state, %code, text, "OPC UA session");
            }
            SessionEvent::ItemRejected { handle, status, .. } => {
                // A server may refuse a hundred thousand: the report has their number.
                if self.0.rejections_logged.fetch_add(1, Ordering::Relaxed) >= REJECTIONS_LOGGED {
                    return;
                }
                let node = self.node_of(handle);
                tracing::warn!(session = self.0.routing.lock().plan.name, node, %status, "an item is not monitored");
            }
            other => {
                tracing::info!(session = self.0.routing.lock().plan.name, event = ?other, "OPC UA session")
            }
        }
    }
}

#[cfg(test)]
mod tests;
