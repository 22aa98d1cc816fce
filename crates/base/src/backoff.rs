//! How long to wait before trying again.

use std::time::Duration;

/// Doubling delays between a floor and a ceiling, with up to a quarter taken off at random, so that a
/// hundred clients of one restarted server do not come back in the same instant.
#[derive(Debug, Clone)]
pub struct Backoff {
    floor: Duration,
    ceiling: Duration,
    next: Duration,
}

impl Backoff {
    /// The first delay is about `floor`, none is longer than `ceiling`.
    pub fn new(floor: Duration, ceiling: Duration) -> Self {
        Self { floor, ceiling: ceiling.max(floor), next: floor }
    }

    /// The delay before the next try. `random` is uniform in 0..=u32::MAX.
    pub fn next_delay(&mut self, random: u32) -> Duration {
        let delay = self.next;
        self.next = self.next.saturating_mul(2).min(self.ceiling);
        delay - delay.mul_f64(f64::from(random) / f64::from(u32::MAX) / 4.0)
    }

    /// The next try succeeded: begin at the floor again.
    pub const fn reset(&mut self) {
        self.next = self.floor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_ceiling_and_start_again() {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(3));
        let delays: Vec<u128> = (0..5).map(|_| backoff.next_delay(0).as_millis()).collect();
        assert_eq!(delays, [500, 1000, 2000, 3000, 3000]);
        assert_eq!(backoff.next_delay(u32::MAX).as_millis(), 2250);
        backoff.reset();
        assert_eq!(backoff.next_delay(0).as_millis(), 500);
    }
}
