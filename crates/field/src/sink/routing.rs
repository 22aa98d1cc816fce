//! Which field a handle fills, and how each item is.

use super::places::{Place, Places};
use crate::plan::{ItemPlan, SessionPlan};
use gemba_model::{
    DataSetMetaData, FieldGap, GapRecord, GapScope, Hop, Namespace, SampleBatch, StatusCode, Value,
};
use gemba_ua::client::{self, DataChange, SubscriptionGap};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// How the items of a session are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ItemHealth {
    /// Items whose last value is Bad.
    pub(crate) bad: u64,
    /// The first of them, with its status.
    pub(crate) first_bad: Option<(String, StatusCode)>,
    /// Items that owe their first value.
    pub(crate) unheard: u64,
    /// The first of them.
    pub(crate) first_unheard: Option<String>,
}

/// What the sink of one session knows.
pub(super) struct Routing {
    pub(super) plan: Arc<SessionPlan>,
    places: Places,
    bad: usize,
    unheard: usize,
    /// Descriptions by data set; empty until the server has told its namespaces.
    pub(super) described: Vec<Arc<DataSetMetaData>>,
    /// What the server said about itself at the last connect: namespaces and application URI.
    pub(super) server: Option<(Vec<String>, String)>,
    /// The newest delivery that was handed on, by cursor key.
    newest: HashMap<String, u64>,
}

fn items_of(plan: &SessionPlan) -> impl Iterator<Item = &ItemPlan> {
    plan.subscriptions.values().flat_map(|subscription| &subscription.items)
}

impl Routing {
    pub(super) fn new(plan: Arc<SessionPlan>) -> Self {
        let mut routing = Self {
            plan: plan.clone(),
            places: Places::default(),
            bad: 0,
            unheard: 0,
            described: Vec::new(),
            server: None,
            newest: HashMap::new(),
        };
        routing.replan(plan);
        routing
    }

    /// Another plan; what was heard of items that stay is kept.
    pub(super) fn replan(&mut self, plan: Arc<SessionPlan>) {
        let place = |(item, index): (&ItemPlan, u32)| {
            let known = self.places.get(item.handle);
            Place {
                handle: item.handle,
                index,
                data_set: item.data_set as u32,
                field: item.field,
                heard: known.is_some_and(|known| known.heard),
                status: known.map_or(StatusCode::GOOD, |known| known.status),
            }
        };
        let places = Places::new(items_of(&plan).zip(0..).map(place).collect());
        self.unheard = places.iter().filter(|place| !place.heard).count();
        self.bad = places.iter().filter(|place| place.status.is_bad()).count();
        self.places = places;
        self.plan = plan;
        self.described.clear();
    }

    /// Remembers that this delivery was handed on.
    pub(super) fn issued(&mut self, delivery: &client::Delivery) {
        match self.newest.get_mut(&delivery.cursor_key) {
            Some(newest) => *newest = (*newest).max(delivery.number),
            None => drop(self.newest.insert(delivery.cursor_key.clone(), delivery.number)),
        }
    }

    /// Whether nothing behind this delivery was handed on yet.
    pub(super) fn is_newest(&self, delivery: &client::Delivery) -> bool {
        self.newest.get(&delivery.cursor_key).is_none_or(|newest| *newest <= delivery.number)
    }

    /// Data sets that a subscription fills.
    pub(super) fn data_sets_of(&self, subscription: &str) -> BTreeSet<usize> {
        let items =
            self.plan.subscriptions.get(subscription).map(|plan| plan.items.as_slice()).unwrap_or_default();
        items.iter().map(|item| item.data_set).collect()
    }

    pub(super) fn gaps(&self, gap: &SubscriptionGap, subscription: &str) -> Vec<GapRecord> {
        let mut fields: BTreeMap<usize, Option<Vec<FieldGap>>> = BTreeMap::new();
        match &gap.handles {
            None => fields.extend(self.data_sets_of(subscription).into_iter().map(|set| (set, None))),
            Some(handles) => {
                for place in handles.iter().filter_map(|handle| self.places.get(*handle)) {
                    let list = fields.entry(place.data_set as usize).or_insert_with(|| Some(Vec::new()));
                    list.get_or_insert_default().push(FieldGap {
                        field: place.field,
                        count: None,
                        messages: None,
                    });
                }
            }
        }
        let record = |(data_set, fields): (usize, Option<Vec<FieldGap>>)| {
            let key = self.described.get(data_set)?.writer;
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
    pub(super) fn distribute(&mut self, change: &DataChange, batches: &mut [Option<SampleBatch>]) -> u64 {
        let mut values = 0;
        let mut walk = self.places.walk();
        for (handle, sample) in change.handles.iter().zip(&change.samples) {
            let Some(place) = walk.find(*handle) else { continue };
            let data_set = place.data_set as usize;
            let (Some(slot), Some(metadata)) = (batches.get_mut(data_set), self.described.get(data_set))
            else {
                continue;
            };
            if place.status != sample.status || !place.heard {
                self.unheard -= usize::from(!place.heard);
                self.bad -= usize::from(place.status.is_bad());
                self.bad += usize::from(sample.status.is_bad());
                place.heard = true;
                place.status = sample.status;
            }
            let batch = slot.get_or_insert_with(|| {
                let mut batch = SampleBatch::new(metadata.writer, metadata.version);
                batch.samples.reserve(metadata.fields.len().min(change.len()));
                batch
            });
            let mut sample = *sample;
            sample.field = place.field;
            if let Value::Encoded { start, len } = sample.value {
                sample.value = batch.store_encoded(change.encoded(start, len));
            }
            batch.samples.push(sample);
            values += 1;
        }
        walk.end(&change.handles);
        values
    }

    pub(super) fn health(&self, is_fresh: impl Fn(&str) -> bool) -> ItemHealth {
        let mut health = ItemHealth { bad: self.bad as u64, ..ItemHealth::default() };
        if self.bad == 0 && self.unheard == 0 {
            return health;
        }
        let mut asked: Option<(&str, bool)> = None;
        for place in self.places.iter().filter(|place| place.status.is_bad() || !place.heard) {
            let Some((name, item)) = self.item(place.index) else { continue };
            if place.status.is_bad() && health.first_bad.is_none() {
                health.first_bad = Some((item.node.node_id.to_string(), place.status));
            }
            if place.heard {
                continue;
            }
            let fresh = match asked {
                Some((last, fresh)) if last == name => fresh,
                _ => is_fresh(name),
            };
            asked = Some((name, fresh));
            if fresh {
                health.unheard += 1;
                health.first_unheard.get_or_insert_with(|| item.node.node_id.to_string());
            }
        }
        health
    }

    /// An item by its place in the plan, and the name of its subscription.
    fn item(&self, index: u32) -> Option<(&str, &ItemPlan)> {
        let mut index = index as usize;
        for (name, subscription) in &self.plan.subscriptions {
            match subscription.items.get(index) {
                Some(item) => return Some((name.as_str(), item)),
                None => index -= subscription.items.len(),
            }
        }
        None
    }

    /// The node behind a handle, for people: with the reason when its namespace is not the server's.
    pub(super) fn node_of(&self, handle: u32) -> Option<String> {
        let place = self.places.get(handle)?;
        let node = &self.item(place.index)?.1.node.node_id;
        let namespaces = self.server.as_ref().map(|(namespaces, _)| namespaces);
        Some(match (&node.namespace, namespaces) {
            (Namespace::Uri(uri), Some(known)) if !known.iter().any(|one| **one == **uri) => {
                format!("{node} (the server has no namespace '{uri}')")
            }
            (Namespace::Index(index), Some(known)) if usize::from(*index) >= known.len() => {
                format!("{node} (the server has no namespace {index}, only {} in all)", known.len())
            }
            _ => node.to_string(),
        })
    }
}
