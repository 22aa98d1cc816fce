//! The values of all variables, and who watches them.
//!
//! A write stores the value and, for a watched variable, appends it to the batch of each subscription
//! that watches it; then each of these subscriptions is locked once and takes its batch. Nothing is
//! looked up by node id.

use super::convert::{self, Converter};
use super::declaration::VariableHandle;
use super::space::FirstValue;
use super::values::watch::{Subscriptions, Watcher, Watchers};
use gemba_model::{self as model, StatusCode, Variant};
use opcua::server::{MonitoredItemHandle, SubscriptionCache};
use opcua::types::{DataValue, DateTime};
use parking_lot::Mutex;
use std::sync::Arc;

pub(super) mod watch;

/// A new value of a variable.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which variable.
    pub variable: VariableHandle,
    /// Its value, of the declared type.
    pub value: Variant,
    /// Its quality.
    pub status: StatusCode,
    /// When the source took it; years 1601 to 9999.
    pub source_timestamp: Option<model::DateTime>,
}

#[derive(Debug)]
struct Slot {
    value: DataValue,
    watchers: Watchers,
}

struct Inner {
    slots: Vec<Slot>,
    subscriptions: Subscriptions,
}

/// Shared by the node manager, which reads and watches, and by whoever writes.
pub(super) struct Values {
    inner: Mutex<Inner>,
    cache: Arc<SubscriptionCache>,
    pub(super) converter: Converter,
}

impl Values {
    /// The first values carry `now` as both timestamps.
    pub(super) fn new(
        initial: impl Iterator<Item = FirstValue>,
        now: DateTime,
        cache: Arc<SubscriptionCache>,
        converter: Converter,
    ) -> Self {
        let mut calendar = Calendar::default();
        let slots = initial
            .map(|first| Slot {
                value: DataValue {
                    value: Some(first.value),
                    source_timestamp: Some(first.source_timestamp.map_or(now, |at| calendar.date_time(at))),
                    server_timestamp: Some(now),
                    ..DataValue::default()
                },
                watchers: Watchers::None,
            })
            .collect();
        let inner = Inner { slots, subscriptions: Subscriptions::default() };
        Self { inner: Mutex::new(inner), cache, converter }
    }

    /// Stores all updates in order and hands them to the subscriptions. Returns whether some values wait
    /// for an item that a client is creating just now: then [`Values::settle`] must be called soon.
    pub(super) fn write(
        &self,
        server_timestamp: Option<model::DateTime>,
        updates: impl IntoIterator<Item = Update>,
    ) -> bool {
        let mut calendar = Calendar::default();
        let server_timestamp = server_timestamp.map(convert::date_time);
        let mut inner = self.inner.lock();
        let Inner { slots, subscriptions } = &mut *inner;
        for update in updates {
            let Some(slot) = slots.get_mut(update.variable.index()) else { continue };
            slot.value = DataValue {
                value: Some(self.converter.to_stack(update.value)),
                status: (update.status != StatusCode::GOOD).then(|| convert::status(update.status)),
                source_timestamp: update.source_timestamp.map(|instant| calendar.date_time(instant)),
                source_picoseconds: None,
                server_timestamp,
                server_picoseconds: None,
            };
            slot.watchers.each(|watcher| subscriptions.push(watcher, &slot.value));
        }
        self.deliver(&mut inner)
    }

    /// Gives values that waited for their items to those that exist by now. Returns whether some still wait.
    pub(super) fn settle(&self) -> bool {
        self.deliver(&mut self.inner.lock())
    }

    fn deliver(&self, inner: &mut Inner) -> bool {
        let Inner { slots, subscriptions } = inner;
        let outcome = subscriptions.deliver(&self.cache);
        for gone in outcome.gone {
            for slot in &mut *slots {
                slot.watchers.retain(|watcher| watcher.subscription != gone);
            }
            subscriptions.free(gone);
        }
        outcome.waiting
    }

    /// Reads many under one lock.
    pub(super) fn read_all(&self, mut each: impl FnMut(&dyn Fn(VariableHandle) -> Option<DataValue>)) {
        let inner = self.inner.lock();
        each(&|variable| inner.slots.get(variable.index()).map(|slot| slot.value.clone()));
    }

    /// From now on the item gets every write; returns the value it starts with.
    pub(super) fn watch(
        &self,
        session: u32,
        item: MonitoredItemHandle,
        variable: VariableHandle,
    ) -> Option<DataValue> {
        let mut inner = self.inner.lock();
        let Inner { slots, subscriptions } = &mut *inner;
        let slot = slots.get_mut(variable.index())?;
        let watcher = subscriptions.add(session, item);
        slot.watchers.add(watcher);
        Some(slot.value.clone())
    }

    pub(super) fn unwatch(&self, item: MonitoredItemHandle, variable: VariableHandle) {
        let mut inner = self.inner.lock();
        let Inner { slots, subscriptions } = &mut *inner;
        let Some(subscription) = subscriptions.remove(item) else { return };
        if let Some(slot) = slots.get_mut(variable.index()) {
            let removed = Watcher { subscription, item: item.monitored_item_id };
            slot.watchers.retain(|watcher| *watcher != removed);
        }
    }

    /// Gives an item the present value again, as one that was disabled needs it.
    pub(super) fn resample(&self, item: MonitoredItemHandle, variable: VariableHandle) {
        let mut inner = self.inner.lock();
        let Inner { slots, subscriptions } = &mut *inner;
        let (Some(subscription), Some(slot)) =
            (subscriptions.find(item.subscription_id), slots.get(variable.index()))
        else {
            return;
        };
        let watcher = Watcher { subscription, item: item.monitored_item_id };
        subscriptions.push(watcher, &slot.value);
        self.deliver(&mut inner);
    }

    /// A session was activated: subscriptions may be transferred to it.
    pub(super) fn session_seen(&self, session: u32) {
        self.inner.lock().subscriptions.session_seen(session);
    }

    pub(super) fn watched(&self) -> usize {
        let inner = self.inner.lock();
        inner.slots.iter().map(|slot| slot.watchers.len()).sum()
    }
}

/// Remembers the last conversion: values of one batch mostly share their timestamp, and the stack's
/// calendar arithmetic costs more than all else in a store.
#[derive(Default)]
struct Calendar {
    last: Option<(model::DateTime, DateTime)>,
}

impl Calendar {
    fn date_time(&mut self, instant: model::DateTime) -> DateTime {
        match self.last {
            Some((known, converted)) if known == instant => converted,
            _ => {
                let converted = convert::date_time(instant);
                self.last = Some((instant, converted));
                converted
            }
        }
    }
}
