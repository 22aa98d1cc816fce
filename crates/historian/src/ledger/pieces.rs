//! A sorted map in pieces that its clones share: a clone costs a pointer for each piece, a change copies one of them.

use std::ops::RangeInclusive;
use std::sync::Arc;

/// Entries of a piece at most.
const PIECE: usize = 256;

/// A sorted map that counts its changes.
#[derive(Debug, Clone)]
pub(crate) struct Pieces<K, V> {
    /// None is empty; keys ascend within and across pieces.
    pieces: Vec<Arc<Vec<(K, V)>>>,
    len: usize,
    revision: u64,
}

impl<K, V> Default for Pieces<K, V> {
    fn default() -> Self {
        Self { pieces: Vec::new(), len: 0, revision: 0 }
    }
}

impl<K: Ord + Copy, V: Clone> Pieces<K, V> {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Changes so far. Clones with the same one, of which no other was changed meanwhile, are equal.
    pub(crate) const fn revision(&self) -> u64 {
        self.revision
    }

    /// The piece that has a key or would take it, and where in it.
    fn find(&self, key: &K) -> (usize, Result<usize, usize>) {
        let piece = self.pieces.partition_point(|piece| piece.last().is_some_and(|(last, _)| last < key));
        let place = match self.pieces.get(piece) {
            Some(piece) => piece.binary_search_by(|(known, _)| known.cmp(key)),
            None => Err(0),
        };
        (piece, place)
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let (piece, place) = self.find(key);
        self.pieces.get(piece)?.get(place.ok()?).map(|(_, value)| value)
    }

    /// A value to be changed; counts as a change.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let (piece, place) = self.find(key);
        let (piece, place) = (self.pieces.get_mut(piece)?, place.ok()?);
        self.revision += 1;
        Arc::make_mut(piece).get_mut(place).map(|(_, value)| value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.revision += 1;
        let (piece, place) = self.find(&key);
        let place = match place {
            Ok(place) => {
                if let Some(known) =
                    self.pieces.get_mut(piece).and_then(|piece| Arc::make_mut(piece).get_mut(place))
                {
                    known.1 = value;
                }
                return;
            }
            Err(place) => place,
        };
        self.len += 1;
        // Behind all others is where most go: the last piece is filled, and stays full.
        let (piece, place) = match self.pieces.last() {
            Some(last) if piece == self.pieces.len() && last.len() < PIECE => (piece - 1, last.len()),
            _ => (piece, place),
        };
        let Some(shared) = self.pieces.get_mut(piece) else {
            self.pieces.push(Arc::new(vec![(key, value)]));
            return;
        };
        let entries = Arc::make_mut(shared);
        entries.insert(place, (key, value));
        if entries.len() > PIECE {
            let upper = entries.split_off(PIECE / 2);
            self.pieces.insert(piece + 1, Arc::new(upper));
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let (piece, place) = self.find(key);
        let (shared, place) = (self.pieces.get_mut(piece)?, place.ok()?);
        self.revision += 1;
        self.len -= 1;
        let entries = Arc::make_mut(shared);
        let (_, value) = entries.remove(place);
        if entries.is_empty() {
            self.pieces.remove(piece);
        }
        Some(value)
    }

    /// All entries in order.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.pieces.iter().flat_map(|piece| piece.iter()).map(|(key, value)| (key, value))
    }

    /// Entries with keys of a range, in order.
    pub(crate) fn range(&self, keys: RangeInclusive<K>) -> impl Iterator<Item = (&K, &V)> {
        let (first, last) = keys.into_inner();
        let (piece, place) = self.find(&first);
        let place = place.unwrap_or_else(|place| place);
        let pieces = self.pieces.get(piece..).unwrap_or_default();
        let rest = pieces.iter().flat_map(|piece| piece.iter()).skip(place);
        rest.take_while(move |(key, _)| *key <= last).map(|(key, value)| (key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn pieces_are_what_a_plain_map_is() {
        for seed in 0..20 {
            let mut random = gemba_testkit::Rng::new(seed);
            let (mut pieces, mut plain) = (Pieces::default(), BTreeMap::new());
            for step in 0..6_000_u32 {
                // Mostly at the end, as entries come, but also anywhere.
                let key = if random.below(3) > 0 { step } else { random.below(6_000) as u32 };
                match random.below(8) {
                    0 => assert_eq!(pieces.remove(&key), plain.remove(&key)),
                    1 => assert_eq!(pieces.get_mut(&key), plain.get_mut(&key)),
                    _ => {
                        pieces.insert(key, step);
                        plain.insert(key, step);
                    }
                }
                assert_eq!((pieces.len(), pieces.get(&key)), (plain.len(), plain.get(&key)));
            }
            assert!(pieces.iter().eq(&plain));
            assert!(pieces.iter().rev().eq(plain.iter().rev()));
            let from = random.below(6_000) as u32;
            let some = from..=from + 700;
            assert!(pieces.range(some.clone()).eq(plain.range(some)));
            assert!(pieces.pieces.iter().all(|piece| (1..=PIECE).contains(&piece.len())));
        }
    }

    #[test]
    fn a_clone_stays_as_it_was_and_shares_what_did_not_change() {
        let mut pieces = Pieces::default();
        (0..10 * PIECE).for_each(|key| pieces.insert(key, 0));
        let clone = pieces.clone();
        assert_eq!(clone.revision(), pieces.revision());
        *pieces.get_mut(&0).expect("it is there") = 1;
        pieces.insert(10 * PIECE, 0);
        assert_ne!(clone.revision(), pieces.revision());
        assert_eq!((clone.get(&0), clone.len()), (Some(&0), 10 * PIECE));
        let shared = clone.pieces.iter().filter(|piece| Arc::strong_count(piece) == 2).count();
        assert_eq!((shared, clone.pieces.len(), pieces.pieces.len()), (9, 10, 11));
    }
}
