//! The items of a session by handle, lying in the order in which the server sends them.

use gemba_model::StatusCode;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Where an item's values go, and the last that was heard of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) handle: u32,
    /// Among the plan's items.
    pub(super) index: u32,
    pub(super) data_set: u32,
    pub(super) field: u16,
    pub(super) heard: bool,
    pub(super) status: StatusCode,
}

/// Handles are hashes already.
#[derive(Debug, Default, Clone)]
pub(super) struct HandleHasher(u64);

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

/// All items of a session.
///
/// Most servers keep to one order. Once it is learned, the place of each value is known before it is looked at,
/// and memory is read as it lies; each item that has to be searched costs two reads of far memory.
#[derive(Debug, Default)]
pub(super) struct Places {
    items: Vec<Place>,
    /// Indexes into the items.
    by_handle: HashMap<u32, u32, BuildHasherDefault<HandleHasher>>,
    learning: Learning,
}

/// When to learn the order anew.
#[derive(Debug, Default)]
struct Learning {
    /// Values since the last time.
    values: u64,
    /// Values before the next time. Doubles with each, for servers that keep to no order.
    pause: u64,
}

impl Learning {
    /// Notifications with fewer values say too little.
    const VALUES_MIN: usize = 32;
    const PAUSE_MIN: u64 = 1024;
    const PAUSE_MAX: u64 = 1 << 32;

    fn is_due(&mut self, values: usize, searched: usize) -> bool {
        self.values += values as u64;
        if values < Self::VALUES_MIN || searched * 4 < values || self.values < self.pause {
            return false;
        }
        self.values = 0;
        self.pause = (self.pause * 2).clamp(Self::PAUSE_MIN, Self::PAUSE_MAX);
        true
    }
}

impl Places {
    /// In the order of the handles: items are created in it, which is the best guess until the server sends.
    pub(super) fn new(mut items: Vec<Place>) -> Self {
        items.sort_unstable_by_key(|place| place.handle);
        let by_handle = items.iter().zip(0..).map(|(place, index)| (place.handle, index)).collect();
        Self { items, by_handle, learning: Learning::default() }
    }

    pub(super) fn get(&self, handle: u32) -> Option<&Place> {
        self.items.get(*self.by_handle.get(&handle)? as usize)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Place> {
        self.items.iter()
    }

    /// Begins to look up the items of one notification.
    pub(super) const fn walk(&mut self) -> Walk<'_> {
        Walk { places: self, next: usize::MAX, searched: 0 }
    }

    /// Puts these items in front, in this order; all others keep theirs. What comes in one notification then
    /// lies together, whichever subscription it is of.
    fn learn(&mut self, handles: &[u32]) {
        let mut taken = vec![false; self.items.len()];
        let mut items = Vec::with_capacity(self.items.len());
        for index in handles.iter().filter_map(|handle| self.by_handle.get(handle)) {
            let index = *index as usize;
            if let (Some(taken), Some(place)) = (taken.get_mut(index), self.items.get(index))
                && !std::mem::replace(taken, true)
            {
                items.push(*place);
            }
        }
        items.extend(self.items.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(place, _)| *place));
        self.items = items;
        for (place, index) in self.items.iter().zip(0..) {
            self.by_handle.insert(place.handle, index);
        }
    }
}

/// Looks up one item after the other.
pub(super) struct Walk<'a> {
    places: &'a mut Places,
    next: usize,
    searched: usize,
}

impl Walk<'_> {
    /// The item of a handle. Mostly it is the one behind the last, or that one again.
    #[inline]
    pub(super) fn find(&mut self, handle: u32) -> Option<&mut Place> {
        let is_at = |index: usize| self.places.items.get(index).is_some_and(|place| place.handle == handle);
        let index = if is_at(self.next) {
            self.next
        } else if is_at(self.next.wrapping_sub(1)) {
            self.next - 1
        } else {
            self.searched += 1;
            *self.places.by_handle.get(&handle)? as usize
        };
        self.next = index + 1;
        self.places.items.get_mut(index)
    }

    /// After the last one: learns from the order of these handles if many had to be searched.
    pub(super) fn end(self, handles: &[u32]) {
        if self.places.learning.is_due(handles.len(), self.searched) {
            self.places.learn(handles);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(handles: impl IntoIterator<Item = u32>) -> Places {
        let place = |(handle, index)| Place {
            handle,
            index,
            data_set: 0,
            field: index as u16,
            heard: false,
            status: StatusCode::GOOD,
        };
        Places::new(handles.into_iter().zip(0..).map(place).collect())
    }

    /// The indexes that a notification finds, and how many had to be searched.
    fn found(places: &mut Places, handles: &[u32]) -> (Vec<Option<u32>>, usize) {
        let mut walk = places.walk();
        let found = handles.iter().map(|handle| walk.find(*handle).map(|place| place.index)).collect();
        let searched = walk.searched;
        walk.end(handles);
        (found, searched)
    }

    #[test]
    fn each_handle_finds_its_item_in_any_order() {
        let mut places = places([70, 10, 40]);
        assert_eq!(
            found(&mut places, &[10, 40, 40, 70, 5, 10]).0,
            [1, 2, 2, 0, 9, 1].map(|n| (n < 9).then_some(n))
        );
        assert_eq!(places.get(40).map(|place| place.index), Some(2));
    }

    #[test]
    fn an_order_that_comes_again_is_not_searched_again() {
        // Two subscriptions, each with its own order, none of them that of the handles.
        let first: Vec<u32> = (0..1000).map(|n| n * 7919 % 10_007).collect();
        let second: Vec<u32> = (0..1000).map(|n| 20_000 + n * 7919 % 10_007).collect();
        let mut places = places(first.iter().chain(&second).copied());
        let expected = |from: u32| (from..from + 1000).map(Some).collect::<Vec<_>>();
        for _ in 0..20 {
            assert_eq!(found(&mut places, &first).0, expected(0));
            assert_eq!(found(&mut places, &second).0, expected(1000));
        }
        assert_eq!(found(&mut places, &first), (expected(0), 1));
        assert_eq!(found(&mut places, &second), (expected(1000), 1));
        // Several values of an item in one notification need no search, either.
        let twice: Vec<u32> = first.iter().flat_map(|handle| [*handle; 2]).collect();
        assert_eq!(found(&mut places, &twice).1, 1);
    }
}
