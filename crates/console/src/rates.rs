//! How much an address may ask for before it has proven who it is.
//!
//! Three brakes, each a leaky bucket for each address: requests that anybody may send, log-ins, and credentials that turn
//! out to be wrong. Whoever has a valid session or token is not slowed down, even beside a neighbour of the same address who
//! guesses: credentials that were right are known again. Log-ins that fail have a stricter brake of their own
//! (`auth::throttle`); the one here acts before a body is read.

use crate::ApiError;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Addresses that are told apart; those beyond share one bucket.
const ADDRESSES_MAX: usize = 10_000;
/// Credentials that are known again: more than users and tokens together can have sessions in use.
const KNOWN_MAX: usize = 20_000;

struct Rule {
    /// So much at once.
    burst: f64,
    /// So much a second on and on.
    per_second: f64,
}

/// A page is about 20 requests; a plant's browsers may come through one proxy.
const OPEN: Rule = Rule { burst: 5_000.0, per_second: 1_000.0 };
/// Log-ins and first starts, right or wrong.
const ENTRIES: Rule = Rule { burst: 200.0, per_second: 20.0 };
/// Each costs a look into the registry.
/// A console that starts anew knows nobody, and all browsers of a proxy come back at once.
const PROOFS: Rule = Rule { burst: 2_000.0, per_second: 20.0 };

/// The brakes of one console.
#[derive(Default)]
pub(crate) struct Rates {
    open: Mutex<Buckets>,
    entries: Mutex<Buckets>,
    proofs: Mutex<Buckets>,
    known: Mutex<HashSet<String>>,
}

impl Rates {
    /// A request that proves nothing. `cost` is 1 for one that costs nearly nothing.
    ///
    /// # Errors
    /// How long to wait, when the address asked for too much.
    pub(crate) fn open(&self, address: Option<IpAddr>, cost: u32, now: Duration) -> Result<(), ApiError> {
        self.open.lock().take(&OPEN, owner(address), f64::from(cost), now).map_err(ApiError::TooManyRequests)
    }

    /// A log-in or first start, before anything of it is read.
    ///
    /// # Errors
    /// How long to wait, when there were too many of this address.
    pub(crate) fn entry(&self, address: Option<IpAddr>, now: Duration) -> Result<(), ApiError> {
        self.entries.lock().take(&ENTRIES, owner(address), 1.0, now).map_err(ApiError::TooManyRequests)
    }

    /// A credential (by its hash) that is to be looked up. Returns whether it counts until it is found right.
    ///
    /// # Errors
    /// How long to wait, when too many of this address were wrong and this one was never right.
    pub(crate) fn proof(&self, address: Option<IpAddr>, hash: &str, now: Duration) -> Result<bool, ApiError> {
        if self.known.lock().contains(hash) {
            return Ok(false);
        }
        let taken = self.proofs.lock().take(&PROOFS, owner(address), 1.0, now);
        taken.map(|()| true).map_err(ApiError::TooManyRequests)
    }

    /// The credential was right: it is known from now on, and does not count.
    pub(crate) fn right(&self, address: Option<IpAddr>, hash: &str, counts: bool) {
        let mut known = self.known.lock();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(hash.to_owned());
        if counts {
            self.proofs.lock().give_back(owner(address));
        }
    }

    /// The credential is wrong, or not right any more.
    pub(crate) fn wrong(&self, hash: &str) {
        self.known.lock().remove(hash);
    }
}

/// The network that one host owns: an IPv4 address, or the /64 of an IPv6 address.
fn owner(address: Option<IpAddr>) -> Option<IpAddr> {
    match address?.to_canonical() {
        IpAddr::V6(v6) => Some(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64))),
        v4 => Some(v4),
    }
}

/// What an address used, as of an instant; it runs out with time.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    amount: f64,
    at: Duration,
}

impl Used {
    fn now(self, rule: &Rule, now: Duration) -> f64 {
        (self.amount - now.saturating_sub(self.at).as_secs_f64() * rule.per_second).max(0.0)
    }
}

#[derive(Debug, Default)]
struct Buckets {
    used: HashMap<Option<IpAddr>, Used>,
    swept: Duration,
}

impl Buckets {
    fn take(&mut self, rule: &Rule, owner: Option<IpAddr>, cost: f64, now: Duration) -> Result<(), Duration> {
        let owner = self.place(rule, owner, now);
        let used = self.used.entry(owner).or_default();
        let amount = used.now(rule, now) + cost;
        if amount > rule.burst {
            return Err(Duration::from_secs_f64((amount - rule.burst) / rule.per_second));
        }
        *used = Used { amount, at: now };
        Ok(())
    }

    fn give_back(&mut self, owner: Option<IpAddr>) {
        if let Some(used) = self.used.get_mut(&owner) {
            used.amount = (used.amount - 1.0).max(0.0);
        }
    }

    /// The bucket of an address: its own, or the common one when there are too many.
    fn place(&mut self, rule: &Rule, owner: Option<IpAddr>, now: Duration) -> Option<IpAddr> {
        if self.used.len() < ADDRESSES_MAX || self.used.contains_key(&owner) {
            return owner;
        }
        // Looking through all of them at each request would be an attack of its own.
        if now.saturating_sub(self.swept) >= Duration::from_secs(1) {
            self.swept = now;
            self.used.retain(|_, used| used.now(rule, now) > 0.0);
        }
        if self.used.len() < ADDRESSES_MAX { owner } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(n: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::from_bits(n)))
    }

    fn taken(times: usize, mut take: impl FnMut() -> Result<(), ApiError>) -> usize {
        (0..times).filter(|_| take().is_ok()).count()
    }

    #[test]
    fn an_address_has_a_burst_and_then_its_rate_and_others_have_theirs() {
        let rates = Rates::default();
        let second = Duration::from_secs(1);
        assert_eq!(taken(20_000, || rates.open(address(1), 1, second)), 5_000);
        assert_eq!(taken(20_000, || rates.open(address(1), 1, second * 2)), 1_000);
        assert_eq!(taken(20_000, || rates.open(address(1), 20, second * 3)), 50);
        assert_eq!(taken(10, || rates.open(address(2), 1, second)), 10);
        let Err(ApiError::TooManyRequests(wait)) = rates.open(address(1), 20, second * 3) else {
            panic!("it is refused")
        };
        assert!(rates.open(address(1), 20, second * 3 + wait).is_ok(), "after the told wait it may");
    }

    #[test]
    fn who_was_right_goes_on_beside_a_neighbour_who_guesses() {
        let (rates, now) = (Rates::default(), Duration::ZERO);
        // Two requests of one browser side by side, before it is known.
        for _ in 0..2 {
            assert!(rates.proof(address(1), "anna", now).expect("is free"));
        }
        for _ in 0..2 {
            rates.right(address(1), "anna", true);
        }
        let guess = || rates.proof(address(1), "guess", now).map(|_counts| ());
        assert_eq!(taken(5_000, guess), 2_000, "the right ones did not count");
        let anna = || rates.proof(address(1), "anna", now).map(|_counts| ());
        assert_eq!(taken(5_000, anna), 5_000);
        rates.wrong("anna");
        assert!(rates.proof(address(1), "anna", now).is_err(), "a session that ended is not known any more");
    }

    #[test]
    fn memory_is_bounded_and_addresses_come_back_when_others_are_quiet() {
        let mut buckets = Buckets::default();
        for n in 0..30_000 {
            let _full = buckets.take(&PROOFS, address(n), 1.0, Duration::ZERO);
        }
        assert!(buckets.used.len() <= ADDRESSES_MAX + 1);
        assert!(
            buckets.take(&PROOFS, address(40_000), 1.0, Duration::ZERO).is_err(),
            "the common one is full"
        );
        // Long enough for the common one to run out, too.
        let quiet = Duration::from_secs_f64(PROOFS.burst / PROOFS.per_second * 2.0);
        assert!(buckets.take(&PROOFS, address(40_000), 1.0, quiet).is_ok());
        assert_eq!(buckets.used.len(), 1);
    }
}
