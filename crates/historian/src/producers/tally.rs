//! What is told in several records, and which of them came: what all together account for is accounted for only when
//! none of them is missing.

use super::{fill, keep};
use gemba_model::Part;
use serde::{Deserialize, Serialize};

/// Ranges of missing parts that one tally keeps. Parts come in order; beyond this the whole stays unaccounted for.
const RANGES_MAX: usize = 64;

/// Statements of which some parts have not come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Tallies(Vec<Tally>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Tally {
    /// What the parts are about, and how many they are: that names the statement.
    messages: Vec<(u64, u64)>,
    of: u32,
    missing: Vec<(u64, u64)>,
}

impl Tallies {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A part about these messages came. Whether all of them have now.
    pub(super) fn is_whole(&mut self, messages: &[(u64, u64)], part: Part) -> bool {
        let Part { number, of } = part;
        if of <= 1 {
            return true;
        }
        let is_it = |tally: &Tally| tally.of == of && tally.messages == messages;
        let tally = match self.0.iter().position(is_it) {
            Some(at) => self.0.remove(at),
            None => Tally { messages: messages.to_vec(), of, missing: vec![(1, u64::from(of) + 1)] },
        };
        let missing = fill(&tally.missing, u64::from(number));
        let is_whole = missing.is_empty();
        if !is_whole && missing.len() <= RANGES_MAX {
            keep(&mut self.0, Tally { missing, ..tally });
        }
        is_whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_whole_when_each_of_its_parts_came() {
        let mut tallies = Tallies::default();
        let mut take = |first, number, of| tallies.is_whole(&[(first, first + 5)], Part { number, of });
        assert!(take(0, 1, 1), "alone");
        let came = [(10, 1, 3), (10, 1, 3), (20, 1, 2), (10, 3, 3), (20, 2, 2), (10, 2, 3)];
        let whole = came.map(|(first, number, of)| take(first, number, of));
        assert_eq!(whole, [false, false, false, false, true, true]);
        assert!(tallies.is_empty());
    }

    #[test]
    fn numbers_from_outside_make_nothing_whole_and_fill_no_memory() {
        let mut tallies = Tallies::default();
        for number in 0..=0xFFFF_u32 {
            let odd = Part { number: number | 1, of: u32::MAX };
            assert!(
                !tallies.is_whole(&[(0, 9)], odd) && !tallies.is_whole(&[(1, 9)], Part { number: 0, of: 2 })
            );
        }
        assert!(tallies.0.iter().all(|tally| tally.missing.len() <= RANGES_MAX));
    }
}
