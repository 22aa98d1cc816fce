//! From notifications to deliveries: each value finds its field, each loss its gap record.

use crate::describe::Writers;
use crate::plan::SessionPlan;
use gemba_api::{BoxFuture, CursorUpdate, Delivery, Uplink, UplinkError};
use gemba_base::{Clock, Counter};
use gemba_model::{
    DataSetMetaData, DateTime, FieldGap, GapReason, GapRecord, GapScope, Hop, SampleBatch, Value, WriterKey,
};
use gemba_ua::client::{self, DataChange, DeliverySink, SessionEvent, SinkError, SubscriptionGap};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// Handles are hashes already.
#[derive(Debug, Default, Clone)]
pub(crate) struct HandleHasher(u64);

impl Hasher for HandleHasher {
    fn finish(&self) -> u64 {
        // The upper bits choose the group in the table, the lower ones the slot.
        self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }
    fn write_u32(&mut self, handle: u32) {
        self.0 = u64::from(handle);
    }
}

/// Where a handle's values go: data set and field.
type Places = HashMap<u32, (u32, u16), BuildHasherDefault<HandleHasher>>;

/// What the sink of one session knows.
struct Routing {
    plan: Arc<SessionPlan>,
    places: Places,
    /// Descriptions by data set; empty until the server has told its namespaces.
    described: Vec<Arc<DataSetMetaData>>,
    /// What the server said about itself at the last connect.
    server: Option<(Vec<String>, String)>,
}

/// The cursor of the first delivery that failed, by cursor key: all behind it must fail, too, until it comes
/// again.
type Failed = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// The sink of one session.
pub(crate) struct SessionSink {
    uplink: Arc<dyn Uplink>,
    clock: Arc<dyn Clock>,
    writers: Arc<Mutex<Writers>>,
    routing: Mutex<Routing>,
    failed: Failed,
    /// When subscriptions were last created anew: the gap of that outage says all.
    recreated: Mutex<HashMap<String, DateTime>>,
    pub(crate) values: Counter,
    pub(crate) lost: Counter,
}

impl SessionSink {
    pub(crate) fn new(
        plan: Arc<SessionPlan>,
        uplink: Arc<dyn Uplink>,
        clock: Arc<dyn Clock>,
        writers: Arc<Mutex<Writers>>,
        values: Counter,
        lost: Counter,
    ) -> Self {
        let routing = Routing { places: places(&plan), plan, described: Vec::new(), server: None };
        Self {
            uplink,
            clock,
            writers,
            routing: Mutex::new(routing),
            failed: Failed::default(),
            recreated: Mutex::default(),
            values,
            lost,
        }
    }

    /// Another plan for the same session. Values of removed items that are still under way are dropped: nobody
    /// wants them any more.
    pub(crate) fn replan(&self, plan: Arc<SessionPlan>) {
        let mut routing = self.routing.lock();
        routing.places = places(&plan);
        routing.plan = plan;
        routing.described.clear();
        self.describe(&mut routing);
    }

    /// Announces the descriptions, once the server has told its namespaces.
    fn describe(&self, routing: &mut Routing) {
        let Some((namespaces, application_uri)) = &routing.server else { return };
        let mut described = Vec::with_capacity(routing.plan.data_sets.len());
        for data_set in &routing.plan.data_sets {
            let now = self.clock.now();
            let metadata =
                self.writers.lock().describe(&routing.plan, data_set, namespaces, application_uri, now);
            match metadata {
                Ok(metadata) => {
                    // The uplink keeps the order of calls: data follows its description without waiting.
                    let announced = self.uplink.announce(metadata.clone());
                    tokio::spawn(async move {
                        if let Err(error) = announced.await {
                            tracing::error!(%error, "a description was not taken");
                        }
                    });
                    described.push(metadata);
                }
                Err(error) => {
                    tracing::error!(%error, session = routing.plan.name, "a data set is not published");
                    return;
                }
            }
        }
        routing.described = described;
    }

    fn delivery(&self, routing: &Routing, from: &client::Delivery) -> Delivery {
        let gaps = from.gap.as_ref().map_or_else(Vec::new, |gap| gaps(routing, gap, &from.subscription));
        let mut batches: Vec<Option<SampleBatch>> = vec![None; routing.described.len()];
        let mut values = 0;
        for notification in &from.notifications {
            values += distribute(routing, &notification.change, &mut batches);
        }
        self.values.add(values);
        let batches: Vec<SampleBatch> = batches.into_iter().flatten().collect();
        let cursor = CursorUpdate { key: from.cursor_key.clone(), state: Some(from.cursor.clone()) };
        Delivery { gaps, batches, cursors: vec![cursor] }
    }

    /// An outage that was survived stands in the ledger, too, with nothing missing.
    fn survived(&self, subscription: &str, since: DateTime, until: DateTime) {
        let gaps = {
            let routing = self.routing.lock();
            let mut keys: Vec<WriterKey> = data_sets_of(&routing, subscription)
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
}

fn places(plan: &SessionPlan) -> Places {
    let items = plan.subscriptions.values().flat_map(|subscription| &subscription.items);
    items.map(|item| (item.handle, (item.data_set as u32, item.field))).collect()
}

/// Data sets that a subscription fills.
fn data_sets_of<'a>(routing: &'a Routing, subscription: &str) -> impl Iterator<Item = usize> + 'a {
    let items =
        routing.plan.subscriptions.get(subscription).map(|plan| plan.items.as_slice()).unwrap_or_default();
    let sets: std::collections::BTreeSet<usize> = items.iter().map(|item| item.data_set).collect();
    sets.into_iter()
}

fn gaps(routing: &Routing, gap: &SubscriptionGap, subscription: &str) -> Vec<GapRecord> {
    let mut fields: BTreeMap<usize, Option<Vec<FieldGap>>> = BTreeMap::new();
    match &gap.handles {
        None => fields.extend(data_sets_of(routing, subscription).map(|data_set| (data_set, None))),
        Some(handles) => {
            for (data_set, field) in handles.iter().filter_map(|handle| routing.places.get(handle)) {
                let list = fields.entry(*data_set as usize).or_insert_with(|| Some(Vec::new()));
                list.get_or_insert_default().push(FieldGap { field: *field, count: None });
            }
        }
    }
    let record = |(data_set, fields): (usize, Option<Vec<FieldGap>>)| {
        let key = routing.described.get(data_set)?.writer;
        Some(GapRecord {
            scope: GapScope::Writer { group: key.group, writer: key.writer, fields },
            // The historian knows the last stored value of each series, which is nearer than any clock.
            from: None,
            to: None,
            reason: gap.reason,
            hop: Hop::Field,
            count: None,
        })
    };
    fields.into_iter().filter_map(record).collect()
}

/// Puts each value into its data set's batch. Returns how many found one.
fn distribute(routing: &Routing, change: &DataChange, batches: &mut [Option<SampleBatch>]) -> u64 {
    let mut values = 0;
    for (handle, sample) in change.handles.iter().zip(&change.samples) {
        let Some((data_set, field)) = routing.places.get(handle).copied() else { continue };
        let data_set = data_set as usize;
        let (Some(slot), Some(metadata)) = (batches.get_mut(data_set), routing.described.get(data_set))
        else {
            continue;
        };
        let batch = slot.get_or_insert_with(|| SampleBatch::new(metadata.writer, metadata.version));
        let mut sample = *sample;
        sample.field = field;
        if let Value::Encoded { start, len } = sample.value {
            sample.value = batch.store_encoded(change.encoded(start, len));
        }
        batch.samples.push(sample);
        values += 1;
    }
    values
}

impl DeliverySink for SessionSink {
    fn deliver(&self, delivery: client::Delivery) -> BoxFuture<'static, Result<(), SinkError>> {
        let failed = |reason: String| -> BoxFuture<'static, Result<(), SinkError>> {
            Box::pin(std::future::ready(Err(SinkError(reason))))
        };
        let routing = self.routing.lock();
        if routing.described.is_empty() {
            return failed("the server has not told its namespaces yet".to_owned());
        }
        let mut all_failed = self.failed.lock();
        match all_failed.get(&delivery.cursor_key) {
            Some(cursor) if *cursor != delivery.cursor => {
                return failed("an earlier delivery failed".to_owned());
            }
            _ => drop(all_failed.remove(&delivery.cursor_key)),
        }
        drop(all_failed);
        let up = self.delivery(&routing, &delivery);
        self.lost.add(up.gaps.iter().filter_map(|gap| gap.count).sum());
        let published = self.uplink.publish(up);
        drop(routing);
        let all_failed = self.failed.clone();
        Box::pin(async move {
            published.await.map_err(|error: UplinkError| {
                all_failed.lock().entry(delivery.cursor_key).or_insert(delivery.cursor);
                SinkError(error.to_string())
            })
        })
    }

    fn event(&self, event: SessionEvent) {
        match event {
            SessionEvent::Connected { namespaces, application_uri } => {
                let mut routing = self.routing.lock();
                let server = Some((namespaces, application_uri));
                if routing.server != server || routing.described.is_empty() {
                    routing.server = server;
                    self.describe(&mut routing);
                }
            }
            SessionEvent::Recreated { subscription, reason, .. } => {
                tracing::warn!(session = self.routing.lock().plan.name, %reason, "a subscription was lost and created anew");
                self.recreated.lock().insert(subscription, self.clock.now());
            }
            SessionEvent::OutageEnded { subscription, since, until, missing, .. } => {
                let recreated = self.recreated.lock().get(&subscription).is_some_and(|at| *at >= since);
                if !recreated && missing == 0 {
                    self.survived(&subscription, since, until);
                }
            }
            SessionEvent::State { state, error: Some((code, text)), .. } => {
                tracing::warn!(session = self.routing.lock().plan.name, ?state, %code, text, "OPC UA session");
            }
            SessionEvent::ItemRejected { handle, status, .. } => {
                tracing::warn!(session = self.routing.lock().plan.name, handle, %status, "an item is not monitored");
            }
            other => {
                tracing::info!(session = self.routing.lock().plan.name, event = ?other, "OPC UA session")
            }
        }
    }
}
