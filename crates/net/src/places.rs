//! Places for connections: so many in all, and so many of one address, so that one client cannot keep out the others.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Why a connection gets no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// There is none left at all.
    All,
    /// The client's address has its share.
    Address,
}

/// How many connections a listener holds. Clones share the numbers, which may change while it runs: who is
/// connected stays.
#[derive(Debug, Clone)]
pub struct ConnectionLimits(Arc<[AtomicUsize; 2]>);

impl ConnectionLimits {
    /// Connections in all, handshakes included, and those of one address (IPv6: one network of 64 bits) among
    /// them. One more is closed at once and counted.
    pub fn new(all: usize, of_address: usize) -> Self {
        Self(Arc::new([AtomicUsize::new(all), AtomicUsize::new(of_address)]))
    }

    /// Changes both numbers.
    pub fn set(&self, all: usize, of_address: usize) {
        let [all_max, of_address_max] = &*self.0;
        all_max.store(all, Ordering::Relaxed);
        of_address_max.store(of_address, Ordering::Relaxed);
    }

    /// Both numbers: in all, and of one address.
    pub fn numbers(&self) -> (usize, usize) {
        let [all_max, of_address_max] = &*self.0;
        (all_max.load(Ordering::Relaxed), of_address_max.load(Ordering::Relaxed))
    }
}

/// The places of one listener. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: ConnectionLimits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of_address: HashMap<IpAddr, usize>,
}

/// A place that is given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    address: IpAddr,
}

impl Places {
    pub(crate) fn new(limits: ConnectionLimits) -> Self {
        Self(Arc::new(Inner { limits, taken: Mutex::default() }))
    }

    pub(crate) fn take(&self, peer: SocketAddr) -> Result<Place, Full> {
        let address = whose(peer.ip());
        let (all_max, of_address_max) = self.0.limits.numbers();
        let mut taken = self.0.taken.lock();
        if taken.all >= all_max {
            return Err(Full::All);
        }
        let of_address = taken.of_address.get(&address).copied().unwrap_or(0);
        if of_address >= of_address_max {
            return Err(Full::Address);
        }
        taken.of_address.insert(address, of_address + 1);
        taken.all += 1;
        Ok(Place { places: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.taken.lock();
        taken.all = taken.all.saturating_sub(1);
        if let Some(count) = taken.of_address.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.of_address.remove(&self.address);
            }
        }
    }
}

/// The address that shares are counted by. An IPv6 client has a whole network of 64 bits to choose from.
fn whose(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX))),
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> SocketAddr {
        format!("{text}:1").parse().expect("is an address")
    }

    #[test]
    fn an_address_has_its_share_and_all_have_a_bound() {
        let limits = ConnectionLimits::new(3, 2);
        let places = Places::new(limits.clone());
        let first = places.take(peer("10.0.0.1")).expect("is free");
        let _second = places.take(peer("[::ffff:10.0.0.1]")).expect("is free");
        assert_eq!(places.take(peer("10.0.0.1")).err(), Some(Full::Address));
        let _third = places.take(peer("10.0.0.2")).expect("is free");
        assert_eq!(places.take(peer("10.0.0.3")).err(), Some(Full::All));
        drop(first);
        let _again = places.take(peer("10.0.0.1")).expect("was given back");
        assert_eq!(places.0.taken.lock().of_address.len(), 2);
        limits.set(4, 3);
        assert!(places.take(peer("10.0.0.3")).is_ok(), "limits change while connections are there");
    }

    #[test]
    fn a_network_of_version_6_is_one_client() {
        let places = Places::new(ConnectionLimits::new(9, 1));
        let _first = places.take(peer("[2001:db8::1]")).expect("is free");
        assert_eq!(places.take(peer("[2001:db8::ffff:1]")).err(), Some(Full::Address));
        assert!(places.take(peer("[2001:db8:0:1::1]")).is_ok());
    }
}
