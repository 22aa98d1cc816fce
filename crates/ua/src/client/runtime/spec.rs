//! What is to be subscribed, and how it is spread over subscriptions of the server.

use crate::client::error::UaError;
use aws_lc_rs::digest;
use gemba_model::ExpandedNodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// One item to monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemSpec {
    /// Chosen by the caller, stable over restarts, unique in its spec, below `u32::MAX`.
    pub handle: u32,
    /// The node; a namespace URI is resolved at each connect.
    pub node: ExpandedNodeId,
    /// The attribute's number; 13 is Value.
    pub attribute: u32,
    /// How often the server looks; zero for every change that the server sees.
    pub sampling_interval: Duration,
    /// Values that the server keeps between two messages, and while we are away.
    pub queue_size: u32,
    /// Which end of a full queue is dropped.
    pub discard_oldest: bool,
}

/// A subscription as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionSpec {
    /// Stable over restarts; without `#`.
    pub name: String,
    /// How often messages are wanted.
    pub publishing_interval: Duration,
    /// The items; shared, because each is held wherever it is wanted, asked for and applied.
    pub items: Vec<Arc<ItemSpec>>,
    /// Items in one subscription of the server; more are split over several.
    pub max_items: usize,
}

/// One subscription of the server.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PartSpec {
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) publishing_interval: Duration,
    pub(super) items: BTreeMap<u32, Arc<ItemSpec>>,
}

impl PartSpec {
    pub(super) fn cursor_key(&self) -> String {
        match self.index {
            0 => self.name.clone(),
            index => format!("{}#{index}", self.name),
        }
    }

    /// Over all that gives a handle its meaning, in the order of the handles.
    pub(super) fn fingerprint(&self) -> u128 {
        let mut hash = digest::Context::new(&digest::SHA256);
        for item in self.items.values() {
            hash.update(&item.handle.to_le_bytes());
            hash.update(&item.attribute.to_le_bytes());
            hash.update(&item.sampling_interval.as_nanos().to_le_bytes());
            hash.update(&item.queue_size.to_le_bytes());
            hash.update(&[u8::from(item.discard_oldest)]);
            let node = item.node.to_string();
            hash.update(&(node.len() as u64).to_le_bytes());
            hash.update(node.as_bytes());
        }
        let hash = hash.finish();
        u128::from_le_bytes(hash.as_ref().first_chunk::<16>().copied().unwrap_or_default())
    }
}

/// Refuses what could not be told apart later.
pub(super) fn check(specs: &[SubscriptionSpec]) -> Result<(), UaError> {
    let mut names = BTreeSet::new();
    for spec in specs {
        let name = &spec.name;
        let refuse = |reason: String| Err(UaError::Options { reason });
        if name.is_empty() || name.contains('#') || !names.insert(name) {
            return refuse(format!(
                "the name '{name}' of a subscription is empty, contains '#', or stands twice"
            ));
        }
        if spec.max_items == 0 {
            return refuse(format!("the subscription '{name}' needs at least one item a part"));
        }
        let mut handles = BTreeSet::new();
        for item in &spec.items {
            if item.handle == u32::MAX || !handles.insert(item.handle) {
                return refuse(format!(
                    "the handle {} of the subscription '{name}' stands twice or is 4294967295",
                    item.handle
                ));
            }
        }
    }
    Ok(())
}

/// Spreads a spec over parts. Items of `present` stay where they are. A new one goes to the part of its handle,
/// which is the same after a restart, as long as handles are about as dense as items; else to the first with room.
pub(super) fn split(spec: &SubscriptionSpec, present: &BTreeMap<u32, u32>) -> Vec<PartSpec> {
    let items: BTreeMap<u32, &Arc<ItemSpec>> = spec.items.iter().map(|item| (item.handle, item)).collect();
    let max = spec.max_items;
    let highest = items.keys().next_back().map_or(0, |handle| *handle as usize);
    let dense = highest / max < 2 * items.len().div_ceil(max) + 1;
    let mut parts: BTreeMap<u32, BTreeMap<u32, Arc<ItemSpec>>> = BTreeMap::new();
    let (stay, new): (Vec<_>, Vec<_>) =
        items.into_iter().partition(|(handle, _)| present.contains_key(handle));
    for (handle, item) in stay {
        let index = present.get(&handle).copied().unwrap_or(0);
        parts.entry(index).or_default().insert(handle, item.clone());
    }
    let mut first_with_room = 0;
    for (handle, item) in new {
        let own = (handle as usize / max) as u32;
        let has_room = |index: u32| parts.get(&index).is_none_or(|part| part.len() < max);
        let index = if dense && has_room(own) {
            own
        } else {
            while !has_room(first_with_room) {
                first_with_room += 1;
            }
            first_with_room
        };
        parts.entry(index).or_default().insert(handle, item.clone());
    }
    let part = |(index, items)| PartSpec {
        name: spec.name.clone(),
        index,
        publishing_interval: spec.publishing_interval,
        items,
    };
    parts.into_iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gemba_model::NodeId;

    fn spec(handles: &[u32], max_items: usize) -> SubscriptionSpec {
        SubscriptionSpec {
            name: "s".into(),
            publishing_interval: Duration::from_millis(100),
            items: handles
                .iter()
                .map(|handle| {
                    Arc::new(ItemSpec {
                        handle: *handle,
                        node: NodeId::numeric(2, *handle).into(),
                        attribute: 13,
                        sampling_interval: Duration::ZERO,
                        queue_size: 10,
                        discard_oldest: true,
                    })
                })
                .collect(),
            max_items,
        }
    }

    fn shape(parts: &[PartSpec]) -> Vec<(u32, Vec<u32>)> {
        parts.iter().map(|part| (part.index, part.items.keys().copied().collect())).collect()
    }

    #[test]
    fn dense_handles_have_their_part_whatever_was_added_before() {
        let whole = shape(&split(&spec(&[0, 1, 2, 3, 4], 2), &BTreeMap::new()));
        assert_eq!(whole, [(0, vec![0, 1]), (1, vec![2, 3]), (2, vec![4])]);
        let without = shape(&split(&spec(&[0, 2, 3, 4], 2), &BTreeMap::new()));
        assert_eq!(without, [(0, vec![0]), (1, vec![2, 3]), (2, vec![4])], "no other part moves");
    }

    #[test]
    fn sparse_handles_fill_parts_in_order_and_stay_where_they_are() {
        let parts = shape(&split(&spec(&[7, 1_000_000, 2_000_000], 2), &BTreeMap::new()));
        assert_eq!(parts, [(0, vec![7, 1_000_000]), (1, vec![2_000_000])]);
        let present = BTreeMap::from([(2_000_000, 1)]);
        let parts = shape(&split(&spec(&[7, 8, 9, 2_000_000], 2), &present));
        assert_eq!(parts, [(0, vec![7, 8]), (1, vec![9, 2_000_000])]);
    }

    #[test]
    fn a_fingerprint_changes_with_the_meaning_of_a_handle_and_not_with_the_order() {
        let part = |spec: &SubscriptionSpec| split(spec, &BTreeMap::new()).remove(0).fingerprint();
        let one = spec(&[1, 2], 10);
        let mut turned = one.clone();
        turned.items.reverse();
        assert_eq!(part(&one), part(&turned));
        let mut other = one.clone();
        Arc::make_mut(&mut other.items[0]).node = NodeId::numeric(2, 99).into();
        assert_ne!(part(&one), part(&other));
    }

    #[test]
    fn handles_and_names_that_stand_twice_are_refused() {
        assert!(check(&[spec(&[1, 1], 10)]).is_err());
        assert!(check(&[spec(&[u32::MAX], 10)]).is_err());
        assert!(check(&[spec(&[1], 10), spec(&[1], 10)]).is_err());
        assert!(check(&[spec(&[0, 1], 10)]).is_ok());
    }
}
