//! One subscription: its items, its publishing cycle, the messages that it keeps (OPC 10000-4 v1.05, 5.14.1).
//!
//! A state machine without a clock: the time is an argument.

pub(super) mod engine;
pub(super) mod item;
mod message;
#[cfg(test)]
mod tests;

use super::stored::Stored;
use bytes::Bytes;
use gemba_model::DateTime;
use item::{Item, Target};
use message::DataChange;
use opcua::types::MonitoringMode;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// What a client may choose, revised.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Settings {
    pub(super) interval: Duration,
    /// Publishing cycles without a message until a keep-alive; at least 1.
    pub(super) keep_alive_count: u32,
    /// Publishing cycles without a publish request until the end; at least three keep-alives.
    pub(super) lifetime_count: u32,
    /// Values in one message; `u32::MAX` for no limit.
    pub(super) values_per_message: u32,
    pub(super) priority: u8,
}

/// Who may take a subscription over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Owner {
    /// User, or `None` for anonymous ones, who are told apart by the application.
    pub(super) user: Option<String>,
    pub(super) application_uri: String,
}

impl Owner {
    pub(super) fn may_take_over(&self, other: &Self) -> bool {
        self.user == other.user && (self.user.is_some() || self.application_uri == other.application_uri)
    }
}

/// What a cycle asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wanted {
    Nothing,
    Values,
    KeepAlive,
}

pub(super) struct Subscription {
    pub(super) id: u32,
    /// The session that gets the messages.
    pub(super) session: u32,
    pub(super) owner: Owner,
    pub(super) settings: Settings,
    pub(super) enabled: bool,
    /// Places are given again; ids are not.
    items: Vec<Option<Item>>,
    free: Vec<u32>,
    by_id: HashMap<u32, u32>,
    next_item: u32,
    /// Places of items with values, in the order of their first one.
    ready: VecDeque<u32>,
    sent: VecDeque<(u32, Bytes)>,
    sent_max: usize,
    sequence: u32,
    next: Duration,
    cycles_silent: u32,
    cycles_unasked: u32,
    /// A message waits for a publish request.
    late: bool,
    /// A first message was sent: the client knows that the subscription works.
    known: bool,
    lies: bool,
    /// Some item ever was one that changes by itself.
    has_clocks: bool,
}

impl Subscription {
    pub(super) fn new(
        id: u32,
        session: u32,
        owner: Owner,
        settings: Settings,
        (now, sent_max, lies): (Duration, usize, bool),
    ) -> Self {
        Self {
            id,
            session,
            owner,
            settings,
            enabled: true,
            items: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            next_item: 1,
            ready: VecDeque::new(),
            sent: VecDeque::new(),
            sent_max,
            sequence: 1,
            next: now + settings.interval,
            cycles_silent: 0,
            cycles_unasked: 0,
            late: false,
            known: false,
            lies,
            has_clocks: false,
        }
    }

    /// Revised settings hold from the next cycle on.
    pub(super) fn modify(&mut self, settings: Settings, now: Duration) {
        if settings.interval != self.settings.interval {
            self.next = now + settings.interval;
        }
        self.settings = settings;
        self.heard();
    }

    /// The client did something with it.
    pub(super) const fn heard(&mut self) {
        self.cycles_unasked = 0;
    }

    /// Adds an item; returns its place.
    pub(super) fn add(&mut self, make: impl FnOnce(u32) -> Item) -> u32 {
        let id = self.next_item;
        self.next_item = self.next_item.wrapping_add(1).max(1);
        let item = make(id);
        self.has_clocks |= matches!(item.target, Target::Clock(_));
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                self.items.push(None);
                (self.items.len() - 1) as u32
            }
        };
        if let Some(slot) = self.items.get_mut(place as usize) {
            *slot = Some(item);
        }
        self.by_id.insert(id, place);
        place
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<(u32, Item)> {
        let place = self.by_id.remove(&id)?;
        let item = self.items.get_mut(place as usize)?.take()?;
        if item.ready {
            self.ready.retain(|ready| *ready != place);
        }
        self.free.push(place);
        Some((place, item))
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn place(&self, id: u32) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn item_mut(&mut self, place: u32) -> Option<&mut Item> {
        self.items.get_mut(place as usize)?.as_mut()
    }

    /// All items with their places.
    pub(super) fn items(&self) -> impl Iterator<Item = (u32, &Item)> {
        self.items
            .iter()
            .enumerate()
            .filter_map(|(place, item)| item.as_ref().map(|item| (place as u32, item)))
    }

    /// Items that are looked at at each publishing.
    fn clocks(&self) -> impl Iterator<Item = (u32, &Item)> {
        let any = self.has_clocks;
        self.items().filter(move |(_, item)| any && matches!(item.target, Target::Clock(_)))
    }

    fn offer_clock(&mut self, place: u32, value: &Stored) {
        self.with_item(place, |item| item.refresh(value));
    }

    /// Does something to an item that may have become ready to be reported.
    pub(super) fn with_item(&mut self, place: u32, act: impl FnOnce(&mut Item) -> bool) {
        if self.item_mut(place).is_some_and(act) {
            self.ready.push_back(place);
        }
    }

    /// Only items that report stand in the list of those with values.
    pub(super) fn switch(&mut self, place: u32, mode: MonitoringMode) {
        let Some(item) = self.item_mut(place) else { return };
        if item.switch(mode) {
            self.ready.push_back(place);
        } else if item.ready && mode != MonitoringMode::Reporting {
            item.ready = false;
            self.ready.retain(|ready| *ready != place);
        }
    }

    /// Whether there is something to send.
    fn has_values(&self) -> bool {
        self.enabled && !self.ready.is_empty()
    }

    /// Counts the cycles that are due: missed ones count once. `asked` says whether a publish request waits.
    fn cycle(&mut self, now: Duration, asked: bool) -> Wanted {
        while self.next <= now {
            self.next += self.settings.interval.max(Duration::from_millis(1));
            if self.next <= now && now - self.next > self.settings.interval * 4 {
                // The machine slept: cycles that nobody could have served are not made up for.
                self.next = now + self.settings.interval;
            }
        }
        self.cycles_unasked = if asked { 0 } else { self.cycles_unasked.saturating_add(1) };
        if self.has_values() {
            return Wanted::Values;
        }
        self.cycles_silent = self.cycles_silent.saturating_add(1);
        if self.cycles_silent >= self.settings.keep_alive_count || !self.known {
            Wanted::KeepAlive
        } else {
            Wanted::Nothing
        }
    }

    fn is_expired(&self) -> bool {
        self.cycles_unasked >= self.settings.lifetime_count
    }

    /// The message that is due: values when there are some, else a keep-alive.
    fn message(&mut self, published: DateTime, size: usize) -> Bytes {
        self.known = true;
        self.late = false;
        self.cycles_silent = 0;
        self.cycles_unasked = 0;
        if !self.has_values() {
            return message::keep_alive(self.sequence, published);
        }
        let values = self.settings.values_per_message;
        let expected = self.ready.len().min(values as usize).saturating_mul(48).min(size);
        let mut message = DataChange::new(self.sequence, published, expected + 256);
        while let Some(place) = self.ready.front().copied() {
            if let Some(item) = self.items.get_mut(place as usize).and_then(Option::as_mut) {
                message.take(item, values, size);
                if !item.queue.is_empty() {
                    break;
                }
                item.ready = false;
            }
            self.ready.pop_front();
            if message.count() >= values || message.size() >= size {
                break;
            }
        }
        let sequence = self.sequence;
        let bytes = self.lie(message, sequence);
        self.keep(sequence, bytes.clone());
        bytes
    }

    /// Every fifth message names an item that does not exist, every seventh skips two sequence numbers, every
    /// eleventh announces more values than it has: when the server lies.
    fn lie(&mut self, mut message: DataChange, sequence: u32) -> Bytes {
        self.sequence = following(sequence);
        if !self.lies {
            return message.finish(0);
        }
        if sequence.is_multiple_of(5) {
            message.stray(0xDEAD_BEEF);
        }
        if sequence.is_multiple_of(7) {
            self.sequence = following(following(self.sequence));
        }
        message.finish(u32::from(sequence.is_multiple_of(11)))
    }

    fn keep(&mut self, sequence: u32, message: Bytes) {
        if self.sent.len() >= self.sent_max {
            self.sent.pop_front();
        }
        self.sent.push_back((sequence, message));
    }

    /// The last message of a subscription that ends.
    fn farewell(&self, published: DateTime, status: u32) -> Bytes {
        message::status_change(self.sequence, published, status)
    }

    /// Whether a message is kept.
    fn kept(&self, sequence: u32) -> bool {
        self.sent(sequence).is_some()
    }

    /// Forgets a message.
    fn acknowledge(&mut self, sequence: u32) {
        self.sent.retain(|(sent, _)| *sent != sequence);
    }

    pub(super) fn sent(&self, sequence: u32) -> Option<&Bytes> {
        self.sent.iter().find(|(sent, _)| *sent == sequence).map(|(_, message)| message)
    }

    /// Sequence numbers of kept messages, oldest first.
    pub(super) fn available(&self) -> Vec<u32> {
        self.sent.iter().map(|(sequence, _)| *sequence).collect()
    }

    /// Gives every item that has nothing waiting its present value again.
    pub(super) fn resend(&mut self, value: impl Fn(&Item) -> Option<Stored>) {
        for place in 0..self.items.len() as u32 {
            let Some(item) = self.item_mut(place) else { continue };
            if !item.queue.is_empty() {
                continue;
            }
            if let Some(value) = value(item) {
                item.queue.push_back(value);
                let mode = item.mode;
                self.switch(place, mode);
            }
        }
    }
}

/// Sequence numbers go from the largest to 1: 0 is none (OPC 10000-4 v1.05, 7.25.2).
const fn following(sequence: u32) -> u32 {
    if sequence == u32::MAX { 1 } else { sequence + 1 }
}
