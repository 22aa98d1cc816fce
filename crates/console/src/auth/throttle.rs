//! The brake against guessing: after some failures each further attempt waits, longer and longer.
//!
//! A user's delays stay short, so that a stranger cannot lock somebody out for long; an address' grow longer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Keys that are remembered; when one more comes, the one unused for longest is forgotten.
const KEYS_MAX: usize = 10_000;
/// After so long without an attempt a key begins anew.
const FORGET_AFTER: Duration = Duration::from_secs(15 * 60);

struct Rule {
    /// Failures without a delay.
    free: u32,
    /// Longest delay.
    delay_max: Duration,
}

const USER: Rule = Rule { free: 5, delay_max: Duration::from_secs(30) };
const ADDRESS: Rule = Rule { free: 10, delay_max: Duration::from_secs(5 * 60) };

impl Rule {
    /// Doubles from one second on.
    fn delay(&self, failures: u32) -> Duration {
        match failures.checked_sub(self.free) {
            None | Some(0) => Duration::ZERO,
            Some(over) => Duration::from_secs(1 << (over - 1).min(20)).min(self.delay_max),
        }
    }
}

/// Whom an attempt is counted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    user: String,
    address: String,
}

/// A user's name without case; an IPv4 address, or the /64 that one IPv6 host owns.
pub(crate) fn keys(address: Option<IpAddr>, user: &str) -> Keys {
    let address = match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V6(v6)) => format!("a:{:x}", v6.to_bits() >> 64),
        Some(IpAddr::V4(v4)) => format!("a:{v4}"),
        None => "a:".to_owned(),
    };
    Keys { user: format!("u:{}", user.chars().take(64).collect::<String>().to_lowercase()), address }
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    failures: u32,
    until: Duration,
    last: Duration,
}

/// Failures of users and addresses. Time is monotonic and given by the caller.
#[derive(Debug, Default)]
pub(crate) struct Throttle(HashMap<String, Entry>);

impl Throttle {
    /// Counts an attempt as failed for the time being, so that attempts side by side count too.
    ///
    /// # Errors
    /// How long to wait, when it is too early; it is not counted then.
    pub(crate) fn attempt(&mut self, keys: &Keys, now: Duration) -> Result<(), Duration> {
        let wait = [&keys.user, &keys.address]
            .into_iter()
            .filter_map(|key| self.0.get(key.as_str())?.until.checked_sub(now))
            .max()
            .filter(|wait| !wait.is_zero());
        if let Some(wait) = wait {
            return Err(wait);
        }
        for (key, rule) in [(&keys.user, USER), (&keys.address, ADDRESS)] {
            self.make_room(key);
            let entry = self.0.entry(key.clone()).or_default();
            if now.saturating_sub(entry.last) > FORGET_AFTER {
                entry.failures = 0;
            }
            entry.failures = entry.failures.saturating_add(1);
            entry.last = now;
            entry.until = now + rule.delay(entry.failures);
        }
        Ok(())
    }

    /// The attempt was right.
    pub(crate) fn succeeded(&mut self, keys: &Keys) {
        self.0.remove(&keys.user);
        self.take_back(&keys.address);
    }

    /// The attempt was neither right nor wrong.
    pub(crate) fn undecided(&mut self, keys: &Keys) {
        self.take_back(&keys.user);
        self.take_back(&keys.address);
    }

    fn take_back(&mut self, key: &str) {
        if let Some(entry) = self.0.get_mut(key) {
            entry.failures = entry.failures.saturating_sub(1);
            entry.until = Duration::ZERO;
        }
    }

    fn make_room(&mut self, key: &str) {
        if self.0.len() < KEYS_MAX || self.0.contains_key(key) {
            return;
        }
        let oldest = self.0.iter().min_by_key(|(_, entry)| entry.last).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            self.0.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(n: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::from_bits(n)))
    }

    /// Tries again as soon as it is allowed; returns the seconds between the attempts.
    fn delays(throttle: &mut Throttle, keys: &Keys, attempts: usize) -> Vec<u64> {
        let mut now = Duration::ZERO;
        let mut waits = Vec::new();
        for _ in 0..attempts {
            let wait = throttle.attempt(keys, now).err().unwrap_or_default();
            waits.push(wait.as_secs());
            now += wait;
            if !wait.is_zero() {
                throttle.attempt(keys, now).expect("has waited");
            }
        }
        waits
    }

    #[test]
    fn delays_double_up_to_the_users_bound() {
        let keys = keys(address(1), "anna");
        let waits = delays(&mut Throttle::default(), &keys, 14);
        assert_eq!(waits.get(..9), Some([0, 0, 0, 0, 0, 0, 1, 2, 4].as_slice()));
        assert_eq!(waits.last(), Some(&30), "a user is never locked out for longer");
    }

    #[test]
    fn an_address_that_tries_many_users_waits_too() {
        let mut throttle = Throttle::default();
        for n in 0..11 {
            throttle.attempt(&keys(address(1), &format!("user-{n}")), Duration::ZERO).expect("free");
        }
        assert!(throttle.attempt(&keys(address(1), "another"), Duration::ZERO).is_err());
        assert!(throttle.attempt(&keys(address(2), "another"), Duration::ZERO).is_ok());
    }

    #[test]
    fn success_forgets_the_users_failures_and_only_its_own_attempt_of_the_address() {
        let mut throttle = Throttle::default();
        let keys = keys(address(1), "anna");
        for _ in 0..4 {
            throttle.attempt(&keys, Duration::ZERO).expect("free");
        }
        throttle.succeeded(&keys);
        assert!(!throttle.0.contains_key("u:anna"));
        assert_eq!(throttle.0.get("a:0.0.0.1").map(|entry| entry.failures), Some(3));
    }

    #[test]
    fn case_and_the_lower_half_of_an_ipv6_address_make_no_difference() {
        let v6 = |text: &str| Some(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(keys(v6("2001:db8::1"), "Anna"), keys(v6("2001:db8::2"), "anna"));
        assert_ne!(keys(v6("2001:db8:0:1::1"), "anna"), keys(v6("2001:db8::1"), "anna"));
        assert_eq!(keys(v6("::ffff:10.0.0.1"), "a"), keys(v6("10.0.0.1"), "a"));
    }

    #[test]
    fn memory_is_bounded_and_old_failures_are_forgotten() {
        let mut throttle = Throttle::default();
        for n in 0..20_000_u32 {
            let now = Duration::from_secs(u64::from(n) * 60);
            throttle.attempt(&keys(address(n), "anna"), now).expect("a minute later it may try again");
        }
        assert!(throttle.0.len() <= KEYS_MAX);
        let anna = keys(address(1), "otto");
        for _ in 0..6 {
            throttle.attempt(&anna, Duration::from_secs(2_000_000)).expect("free");
        }
        assert!(throttle.attempt(&anna, Duration::from_secs(2_000_000)).is_err());
        assert!(throttle.attempt(&anna, Duration::from_secs(2_000_000) + FORGET_AFTER * 2).is_ok());
        assert!(throttle.attempt(&anna, Duration::from_secs(2_000_000) + FORGET_AFTER * 2).is_ok());
    }
}
