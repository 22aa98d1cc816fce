//! When the hub took each message: once for a file, instead of once for each row.

use crate::row::{Place, TICKS_PER_MILLISECOND, UNIX_EPOCH_TICKS};
use gemba_model::text::{base64, from_base64};

/// Rows that a message of a file must have on average for the table to be smaller than the column.
const ROWS_PER_MESSAGE: usize = 16;

/// Messages by partition and offset, with receive times in milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReceivedTable(Vec<(u32, u64, i64)>);

impl ReceivedTable {
    /// A table of these messages, unless the column is better for a file of so many rows.
    pub(crate) fn for_rows(messages: &[Place], rows: usize) -> Option<Self> {
        if messages.len().saturating_mul(ROWS_PER_MESSAGE) > rows {
            return None;
        }
        let mut all: Vec<(u32, u64, i64)> =
            messages.iter().map(|place| (place.partition, place.offset, millis(place.received))).collect();
        all.sort_unstable();
        all.dedup();
        Some(Self(all))
    }

    /// All of both.
    pub(crate) fn merge(mut self, other: &Self) -> Self {
        self.0.extend_from_slice(&other.0);
        self.0.sort_unstable();
        self.0.dedup();
        self
    }

    /// Receive time of a message in ticks, and where it was found. `near` is where to look first.
    pub(crate) fn ticks_near(&self, partition: u32, offset: u64, near: usize) -> (Option<i64>, usize) {
        let is_it =
            |at: &usize| self.0.get(*at).is_some_and(|entry| (entry.0, entry.1) == (partition, offset));
        let found = (near..near + 4)
            .find(is_it)
            .or_else(|| self.0.binary_search_by_key(&(partition, offset), |entry| (entry.0, entry.1)).ok());
        match found.and_then(|at| self.0.get(at).map(|entry| (entry, at))) {
            Some((entry, at)) => (Some(ticks(entry.2)), at),
            None => (None, near),
        }
    }

    pub(crate) const fn memory(&self) -> usize {
        self.0.capacity() * size_of::<(u32, u64, i64)>()
    }

    /// Base64 of three numbers a message, each as the difference to the message before: partition, offset,
    /// receive time; zigzag, seven bits a byte, least first.
    pub(crate) fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(self.0.len() * 4);
        let mut before = (0_i64, 0_i64, 0_i64);
        for &(partition, offset, received) in &self.0 {
            let now = (i64::from(partition), offset as i64, received);
            for difference in
                [now.0.wrapping_sub(before.0), now.1.wrapping_sub(before.1), now.2.wrapping_sub(before.2)]
            {
                put(&mut bytes, difference);
            }
            before = now;
        }
        base64(&bytes)
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        let bytes = from_base64(text)?;
        let mut rest = bytes.as_slice();
        let mut all = Vec::new();
        let mut before = (0_i64, 0_i64, 0_i64);
        while !rest.is_empty() {
            before.0 = before.0.wrapping_add(take(&mut rest)?);
            before.1 = before.1.wrapping_add(take(&mut rest)?);
            before.2 = before.2.wrapping_add(take(&mut rest)?);
            all.push((u32::try_from(before.0).ok()?, before.1 as u64, before.2));
        }
        Some(Self(all))
    }
}

/// Milliseconds since 1970 of ticks.
pub(crate) const fn millis(ticks: i64) -> i64 {
    ticks.saturating_sub(UNIX_EPOCH_TICKS).div_euclid(TICKS_PER_MILLISECOND)
}

/// Ticks of milliseconds since 1970.
pub(crate) const fn ticks(millis: i64) -> i64 {
    millis.saturating_mul(TICKS_PER_MILLISECOND).saturating_add(UNIX_EPOCH_TICKS)
}

fn put(bytes: &mut Vec<u8>, number: i64) {
    let mut zigzag = ((number << 1) ^ (number >> 63)) as u64;
    while zigzag >= 0x80 {
        bytes.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    bytes.push(zigzag as u8);
}

fn take(bytes: &mut &[u8]) -> Option<i64> {
    let mut zigzag = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        zigzag |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_comes_back_as_it_was() {
        let place = |partition, offset, received| Place { partition, offset, received };
        let ms = TICKS_PER_MILLISECOND;
        let messages =
            [place(3, u64::MAX, i64::MAX / ms * ms), place(0, 5, 0), place(0, 7, UNIX_EPOCH_TICKS - ms)];
        let table = ReceivedTable::for_rows(&messages, 48).expect("is small enough");
        assert_eq!(ReceivedTable::decode(&table.encode()), Some(table.clone()));
        for near in [0, 1, 2, 99] {
            assert_eq!(table.ticks_near(0, 7, near), (Some(UNIX_EPOCH_TICKS - ms), 1));
            assert_eq!(table.ticks_near(0, 6, near), (None, near));
        }
        assert_eq!(ReceivedTable::for_rows(&messages, 47), None);
        assert_eq!(ReceivedTable::decode("gIA="), None, "a number that does not end");
    }
}
