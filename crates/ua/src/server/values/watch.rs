//! Which monitored items of which subscriptions watch a variable, and what they are still owed.

use opcua::server::{MonitoredItemHandle, SubscriptionCache};
use opcua::types::{DataValue, DateTime};
use std::collections::{HashMap, VecDeque};

/// One monitored item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::server) struct Watcher {
    /// Place in [`Subscriptions`].
    pub(in crate::server) subscription: u32,
    /// The stack's id of the item.
    pub(in crate::server) item: u32,
}

/// The items of one variable: mostly none or one.
#[derive(Debug)]
pub(in crate::server) enum Watchers {
    None,
    One(Watcher),
    Many(Vec<Watcher>),
}

impl Watchers {
    pub(in crate::server) fn each(&self, mut call: impl FnMut(Watcher)) {
        match self {
            Self::None => {}
            Self::One(watcher) => call(*watcher),
            Self::Many(watchers) => watchers.iter().copied().for_each(call),
        }
    }

    pub(in crate::server) fn add(&mut self, watcher: Watcher) {
        match self {
            Self::None => *self = Self::One(watcher),
            Self::One(first) => *self = Self::Many(vec![*first, watcher]),
            Self::Many(watchers) => watchers.push(watcher),
        }
    }

    pub(in crate::server) fn retain(&mut self, keep: impl Fn(&Watcher) -> bool) {
        match self {
            Self::None => {}
            Self::One(watcher) if keep(watcher) => {}
            Self::One(_) => *self = Self::None,
            Self::Many(watchers) => {
                watchers.retain(keep);
                match watchers.as_slice() {
                    [] => *self = Self::None,
                    [only] => *self = Self::One(*only),
                    _ => {}
                }
            }
        }
    }

    pub(in crate::server) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Many(watchers) => watchers.len(),
        }
    }
}

/// Values kept for one item while the stack is creating it; the oldest go first.
const OWED_MAX: usize = 1000;
/// Sessions remembered for finding a transferred subscription; the oldest are forgotten first.
const SESSIONS_MAX: usize = 4096;
/// A transfer may move a subscription from a session not yet asked to one that was: ask again.
const SEARCHES: usize = 3;

#[derive(Debug)]
struct Entry {
    id: u32,
    session: u32,
    /// Items that the stack knows or will know.
    items: usize,
    batch: Vec<(u32, DataValue)>,
    /// Items that the stack may not know yet, with the values they are owed.
    unborn: HashMap<u32, VecDeque<DataValue>>,
}

/// What became of a delivery.
#[derive(Debug, Default)]
pub(in crate::server) struct Outcome {
    /// Some values wait for items that do not exist yet.
    pub(in crate::server) waiting: bool,
    /// Subscriptions that ended without a word, as expired ones do.
    pub(in crate::server) gone: Vec<u32>,
}

/// All subscriptions that watch anything.
#[derive(Debug, Default)]
pub(in crate::server) struct Subscriptions {
    entries: Vec<Option<Entry>>,
    by_id: HashMap<u32, u32>,
    sessions: VecDeque<u32>,
}

impl Subscriptions {
    pub(in crate::server) fn session_seen(&mut self, session: u32) {
        if self.sessions.contains(&session) {
            return;
        }
        if self.sessions.len() >= SESSIONS_MAX {
            self.sessions.pop_front();
        }
        self.sessions.push_back(session);
    }

    pub(in crate::server) fn find(&self, subscription_id: u32) -> Option<u32> {
        self.by_id.get(&subscription_id).copied()
    }

    /// Takes in an item that the stack is about to create.
    pub(in crate::server) fn add(&mut self, session: u32, item: MonitoredItemHandle) -> Watcher {
        self.session_seen(session);
        let place =
            self.find(item.subscription_id).unwrap_or_else(|| self.open(session, item.subscription_id));
        if let Some(Some(entry)) = self.entries.get_mut(place as usize) {
            entry.items += 1;
            entry.unborn.insert(item.monitored_item_id, VecDeque::new());
        }
        Watcher { subscription: place, item: item.monitored_item_id }
    }

    fn open(&mut self, session: u32, id: u32) -> u32 {
        let entry = Entry { id, session, items: 0, batch: Vec::new(), unborn: HashMap::new() };
        let place = match self.entries.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                self.entries.push(None);
                self.entries.len() - 1
            }
        };
        if let Some(slot) = self.entries.get_mut(place) {
            *slot = Some(entry);
        }
        self.by_id.insert(id, place as u32);
        place as u32
    }

    /// Forgets an item; returns the place of its subscription, which ends with its last item.
    pub(in crate::server) fn remove(&mut self, item: MonitoredItemHandle) -> Option<u32> {
        let place = self.find(item.subscription_id)?;
        let entry = self.entries.get_mut(place as usize)?.as_mut()?;
        entry.unborn.remove(&item.monitored_item_id);
        entry.items = entry.items.saturating_sub(1);
        if entry.items == 0 {
            self.free(place);
        }
        Some(place)
    }

    pub(in crate::server) fn free(&mut self, place: u32) {
        if let Some(entry) = self.entries.get_mut(place as usize).and_then(Option::take) {
            self.by_id.remove(&entry.id);
        }
    }

    pub(in crate::server) fn push(&mut self, watcher: Watcher, value: &DataValue) {
        if let Some(Some(entry)) = self.entries.get_mut(watcher.subscription as usize) {
            entry.batch.push((watcher.item, value.clone()));
        }
    }

    pub(in crate::server) fn deliver(&mut self, cache: &SubscriptionCache) -> Outcome {
        let mut outcome = Outcome::default();
        let Self { entries, sessions, .. } = self;
        for (place, entry) in entries.iter_mut().enumerate() {
            let Some(entry) = entry else { continue };
            if entry.batch.is_empty() && entry.unborn.is_empty() {
                continue;
            }
            match entry.deliver(cache, sessions) {
                Delivery::Done => {}
                Delivery::Waiting => outcome.waiting = true,
                Delivery::Gone => outcome.gone.push(place as u32),
            }
        }
        outcome
    }
}

enum Delivery {
    Done,
    Waiting,
    Gone,
}

impl Entry {
    fn deliver(&mut self, cache: &SubscriptionCache, sessions: &VecDeque<u32>) -> Delivery {
        if let Some(delivery) = self.deliver_to(cache, self.session) {
            return delivery;
        }
        for _ in 0..SEARCHES {
            for session in sessions.iter().rev() {
                if let Some(delivery) = self.deliver_to(cache, *session) {
                    self.session = *session;
                    return delivery;
                }
            }
        }
        Delivery::Gone
    }

    /// `None` when the subscription is not with this session.
    fn deliver_to(&mut self, cache: &SubscriptionCache, session: u32) -> Option<Delivery> {
        let owner = cache.get_session_subscriptions(session)?;
        let mut owner = owner.lock();
        let subscription = owner.get_mut(self.id)?;
        // An expired subscription has lost its items and lingers until somebody collects its last message.
        if subscription.is_empty() && self.unborn.len() < self.items {
            return Some(Delivery::Gone);
        }
        let now = DateTime::now();
        if !self.unborn.is_empty() {
            self.unborn.retain(|item, owed| {
                if !subscription.contains_key(item) {
                    return true;
                }
                for value in owed.drain(..) {
                    subscription.notify_data_value(item, value, &now);
                }
                false
            });
        }
        if self.unborn.is_empty() {
            for (item, value) in self.batch.drain(..) {
                subscription.notify_data_value(&item, value, &now);
            }
            return Some(Delivery::Done);
        }
        for (item, value) in self.batch.drain(..) {
            match self.unborn.get_mut(&item) {
                None => subscription.notify_data_value(&item, value, &now),
                Some(owed) => {
                    if owed.len() >= OWED_MAX {
                        owed.pop_front();
                    }
                    owed.push_back(value);
                }
            }
        }
        let waiting = self.unborn.values().any(|owed| !owed.is_empty());
        Some(if waiting { Delivery::Waiting } else { Delivery::Done })
    }
}
