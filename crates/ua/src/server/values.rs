//! The values of all variables, who watches them, and what they were.
//!
//! A write stores the value and hands it to the items that watch; nothing is looked up by node id.

use super::convert::Codec;
use super::declaration::VariableHandle;
use super::stored::{Body, Stored};
use super::subscription::engine::Engine;
use gemba_model::{DateTime, StatusCode, Variant};
use std::collections::VecDeque;
use std::time::Duration;

/// A new value of a variable.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which variable.
    pub variable: VariableHandle,
    /// Its value, of the declared type.
    pub value: Variant,
    /// Its quality.
    pub status: StatusCode,
    /// When the source took it.
    pub source_timestamp: Option<DateTime>,
}

/// One monitored item: its place among the items of a subscription at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Watcher {
    pub(super) subscription: u32,
    pub(super) item: u32,
}

/// The items of one variable: mostly none or one.
#[derive(Debug)]
enum Watchers {
    None,
    One(Watcher),
    Many(Vec<Watcher>),
}

#[derive(Debug)]
struct Slot {
    value: Stored,
    watchers: Watchers,
    history: VecDeque<Stored>,
}

/// Values of history that a server keeps in all; beyond it each variable loses its oldest for a new one.
const HISTORY_MAX: usize = 4_000_000;

pub(super) struct Values {
    slots: Vec<Slot>,
    /// How long values are kept, zero for not at all.
    history: Duration,
    kept: usize,
    scratch: Vec<u8>,
    silent_overflow: bool,
}

impl Watchers {
    fn as_slice(&self) -> &[Watcher] {
        match self {
            Self::None => &[],
            Self::One(watcher) => std::slice::from_ref(watcher),
            Self::Many(watchers) => watchers,
        }
    }

    fn add(&mut self, watcher: Watcher) {
        match self {
            Self::None => *self = Self::One(watcher),
            Self::One(first) => *self = Self::Many(vec![*first, watcher]),
            Self::Many(watchers) => watchers.push(watcher),
        }
    }

    fn retain(&mut self, keep: impl Fn(&Watcher) -> bool) {
        let left: Vec<Watcher> = self.as_slice().iter().copied().filter(keep).collect();
        *self = match left.as_slice() {
            [] => Self::None,
            [only] => Self::One(*only),
            _ => Self::Many(left),
        };
    }
}

impl Values {
    pub(super) fn new(first: impl Iterator<Item = Stored>, history: Duration, silent_overflow: bool) -> Self {
        let slots: Vec<Slot> =
            first.map(|value| Slot { value, watchers: Watchers::None, history: VecDeque::new() }).collect();
        Self { slots, history, kept: 0, scratch: Vec::new(), silent_overflow }
    }

    /// Stores all updates in order and hands them to the items that watch.
    pub(super) fn write(
        &mut self,
        server_timestamp: Option<DateTime>,
        updates: impl IntoIterator<Item = Update>,
        engine: &mut Engine,
        codec: &Codec,
    ) {
        for update in updates {
            let body = Body::of(&update.value, &mut self.scratch);
            let value = Stored::new(body, update.status, update.source_timestamp, server_timestamp);
            let Some(slot) = self.slots.get_mut(update.variable.index()) else { continue };
            if !matches!(slot.watchers, Watchers::None) {
                let changed = value.differs(&slot.value);
                for watcher in slot.watchers.as_slice() {
                    let Some(subscription) = engine.at(watcher.subscription) else { continue };
                    let silent = self.silent_overflow;
                    subscription.with_item(watcher.item, |item| item.offer(&value, changed, codec, silent));
                }
            }
            let before = std::mem::replace(&mut slot.value, value);
            if !self.history.is_zero() {
                self.kept = remember(&mut slot.history, before, &slot.value, self.history, self.kept);
            }
        }
    }

    pub(super) fn value(&self, variable: VariableHandle) -> Option<&Stored> {
        self.slots.get(variable.index()).map(|slot| &slot.value)
    }

    /// Values that were, oldest first, and the present one at the end.
    pub(super) fn history(&self, variable: VariableHandle) -> impl DoubleEndedIterator<Item = &Stored> {
        let slot = self.slots.get(variable.index());
        slot.into_iter().flat_map(|slot| slot.history.iter().chain(std::iter::once(&slot.value)))
    }

    pub(super) fn watch(&mut self, variable: VariableHandle, watcher: Watcher) {
        if let Some(slot) = self.slots.get_mut(variable.index()) {
            slot.watchers.add(watcher);
        }
    }

    pub(super) fn unwatch(&mut self, variable: VariableHandle, watcher: Watcher) {
        if let Some(slot) = self.slots.get_mut(variable.index()) {
            slot.watchers.retain(|known| *known != watcher);
        }
    }

    /// Forgets every item of the subscription at a place.
    pub(super) fn forget(&mut self, subscription: u32) {
        for slot in &mut self.slots {
            if slot.watchers.as_slice().iter().any(|watcher| watcher.subscription == subscription) {
                slot.watchers.retain(|watcher| watcher.subscription != subscription);
            }
        }
    }
}

/// Puts a value into the past, and drops what is too old; returns how many values the server keeps now.
fn remember(
    history: &mut VecDeque<Stored>,
    before: Stored,
    newest: &Stored,
    keep: Duration,
    mut kept: usize,
) -> usize {
    history.push_back(before);
    kept += 1;
    let ticks = i64::try_from(keep.as_nanos() / 100).unwrap_or(i64::MAX);
    let from = newest.time().saturating_sub(ticks);
    while let Some(oldest) = history.front() {
        if oldest.time() >= from && kept <= HISTORY_MAX {
            break;
        }
        history.pop_front();
        kept -= 1;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(second: i64) -> Stored {
        let at = DateTime::from_ticks(second * 10_000_000);
        let body = Body::of(&Variant::Int64(second), &mut Vec::new());
        Stored::new(body, StatusCode::GOOD, Some(at), None)
    }

    #[test]
    fn history_goes_back_as_far_as_it_is_kept() {
        let mut history = VecDeque::new();
        let mut kept = 0;
        for second in 0..100 {
            let keep = Duration::from_secs(10);
            kept = remember(&mut history, stored(second), &stored(second + 1), keep, kept);
        }
        assert_eq!(history.front(), Some(&stored(90)));
        assert_eq!((kept, history.len()), (10, 10));
    }
}
