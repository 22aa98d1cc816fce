//! Counters that a checker can recompute: the value is the number of whole periods since a fixed instant.
//!
//! Node `i` (from 1) counts as UInt64, Int64 or Double for `i % 3` = 1, 2, 0. A value's source timestamp
//! is the instant of its tick, exactly. A restart of the simulator never takes a counter back, and what it
//! missed while it was down is the hole between two values.

use gemba_model::{DateTime, Variant};
use std::time::Duration;

/// 2020-01-01T00:00:00Z, where all counters are 0.
pub const EPOCH: DateTime = DateTime::from_ticks(132_223_104_000_000_000);

/// The value that a counter of this period has at an instant; 0 before the epoch.
/// A period below one tick (100 ns) counts as one tick.
pub fn counter_at(instant: DateTime, period: Duration) -> u64 {
    let ticks = instant.ticks().saturating_sub(EPOCH.ticks()).max(0);
    ticks.unsigned_abs() / period_ticks(period)
}

/// When a counter of this period takes this value: the source timestamp it carries.
pub fn instant_of(value: u64, period: Duration) -> DateTime {
    let ticks = value.saturating_mul(period_ticks(period));
    EPOCH.saturating_add_ticks(i64::try_from(ticks).unwrap_or(i64::MAX))
}

/// Every value, with its source timestamp, that a counter of this period takes in `from..to`.
pub fn expected(
    from: DateTime,
    to: DateTime,
    period: Duration,
) -> impl Iterator<Item = (DateTime, u64)> + Clone {
    // The first tick at or after `from`.
    let first = counter_at(from, period);
    let first = if instant_of(first, period) < from { first + 1 } else { first };
    (first..).map(move |value| (instant_of(value, period), value)).take_while(move |(at, _)| *at < to)
}

/// The value in the type of node `i`.
pub fn typed(node: u32, value: u64) -> Variant {
    match node % 3 {
        1 => Variant::UInt64(value),
        2 => Variant::Int64(i64::try_from(value).unwrap_or(i64::MAX)),
        _ => Variant::Double(value as f64),
    }
}

fn period_ticks(period: Duration) -> u64 {
    u64::try_from(period.as_nanos() / 100).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn instant(text: &str) -> DateTime {
        text.parse().unwrap()
    }

    #[test]
    fn the_epoch_is_the_start_of_2020() {
        assert_eq!(EPOCH.to_string(), "2020-01-01T00:00:00.0000000Z");
    }

    #[test]
    fn a_counter_steps_exactly_on_its_tick() {
        let on = instant("2020-01-01T00:00:10Z");
        assert_eq!(counter_at(on, SECOND), 10);
        assert_eq!(counter_at(on.saturating_add_ticks(-1), SECOND), 9);
        assert_eq!(instant_of(10, SECOND), on);
        assert_eq!(counter_at(instant("1999-01-01T00:00:00Z"), SECOND), 0);
    }

    #[test]
    fn value_and_instant_are_inverse_for_every_period() {
        for period in [Duration::from_millis(1), Duration::from_millis(100), SECOND, 10 * SECOND] {
            for value in [0, 1, 2_179_440_000, 10_u64.pow(10)] {
                assert_eq!(counter_at(instant_of(value, period), period), value, "{period:?}");
            }
        }
    }

    #[test]
    fn expected_has_every_value_between_two_instants_and_no_more() {
        let values = |from: &str, to: &str| -> Vec<u64> {
            expected(instant(from), instant(to), SECOND).map(|(_, value)| value).collect()
        };
        assert_eq!(values("2020-01-01T00:00:01Z", "2020-01-01T00:00:04Z"), [1, 2, 3]);
        assert_eq!(values("2020-01-01T00:00:00.5Z", "2020-01-01T00:00:03.0000001Z"), [1, 2, 3]);
        assert!(values("2020-01-01T00:00:05Z", "2020-01-01T00:00:05Z").is_empty());
    }
}
