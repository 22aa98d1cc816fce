//! Sequence numbers of notification messages: 1 to 2^32 - 1, then 1 again (OPC 10000-4 v1.05, 5.14.1.1).
//!
//! Inside, messages have positions that never wrap: position 1 is the first message of a subscription.

/// How many sequence numbers there are.
const NUMBERS: u64 = u32::MAX as u64;

/// The sequence number of a position.
pub(super) const fn number_of(position: u64) -> u32 {
    ((position.wrapping_sub(1)) % NUMBERS) as u32 + 1
}

/// The position nearest to `reference` that has this sequence number; 0 for a position before the first.
pub(super) const fn position_of(number: u32, reference: u64) -> u64 {
    let from = number_of(reference) as u64;
    let ahead = (number as u64 + NUMBERS - from) % NUMBERS;
    if ahead <= NUMBERS / 2 { reference + ahead } else { reference.saturating_sub(NUMBERS - ahead) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_from_the_highest_to_one_and_positions_do_not() {
        let top = u64::from(u32::MAX);
        assert_eq!((number_of(1), number_of(top), number_of(top + 1)), (1, u32::MAX, 1));
        assert_eq!(position_of(2, top), top + 2);
        assert_eq!(position_of(u32::MAX, top + 2), top);
        assert_eq!(position_of(7, 7), 7);
        assert_eq!(position_of(5, 7), 5);
        assert_eq!(position_of(u32::MAX, 1), 0, "nothing stands before the first");
    }
}
