//! QoS 1 messages on their way: packet ids, their order and their bound.

use std::collections::VecDeque;
use std::num::NonZeroU16;
use tokio::time::Instant;

/// The id of a packet that will be acknowledged.
pub type PacketId = NonZeroU16;

#[derive(Debug)]
struct InFlight {
    id: PacketId,
    bytes: usize,
    since: Instant,
}

/// Unacknowledged messages, oldest first.
#[derive(Debug)]
pub(super) struct Window {
    in_flight: VecDeque<InFlight>,
    bytes: usize,
    last_id: u16,
    messages_max: usize,
    bytes_max: usize,
}

impl Window {
    pub(super) fn new(messages_max: usize, bytes_max: usize) -> Self {
        // Half of the 16 bit ids at most, so that a free one is always near.
        let messages_max = messages_max.clamp(1, 32_768);
        Self { in_flight: VecDeque::new(), bytes: 0, last_id: 0, messages_max, bytes_max }
    }

    /// Whether a message of so many bytes may go now. The first one always may, whatever its size.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.in_flight.is_empty()
            || (self.in_flight.len() < self.messages_max && self.bytes + bytes <= self.bytes_max)
    }

    /// Puts a message on its way.
    pub(super) fn admit(&mut self, bytes: usize, now: Instant) -> PacketId {
        let id = self.free_id();
        self.in_flight.push_back(InFlight { id, bytes, since: now });
        self.bytes += bytes;
        id
    }

    /// An id that no message on its way has.
    pub(super) fn free_id(&mut self) -> PacketId {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if let Some(id) = NonZeroU16::new(self.last_id)
                && !self.in_flight.iter().any(|message| message.id == id)
            {
                return id;
            }
        }
    }

    /// Takes an acknowledgement; false when no such message is on its way.
    pub(super) fn acknowledge(&mut self, id: PacketId) -> bool {
        // Servers acknowledge in order, so this looks at the front.
        let Some(at) = self.in_flight.iter().position(|message| message.id == id) else { return false };
        if let Some(message) = self.in_flight.remove(at) {
            self.bytes -= message.bytes;
        }
        true
    }

    pub(super) fn oldest(&self) -> Option<Instant> {
        self.in_flight.front().map(|message| message.since)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = PacketId> {
        self.in_flight.iter().map(|message| message.id)
    }

    pub(super) fn len(&self) -> usize {
        self.in_flight.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_bounded_by_messages_and_bytes() {
        let now = Instant::now();
        let mut window = Window::new(3, 100);
        assert!(window.has_room(1_000), "a lone message may be larger than the window");
        let first = window.admit(60, now);
        assert!(window.has_room(40) && !window.has_room(41));
        window.admit(20, now);
        window.admit(20, now);
        assert!(!window.has_room(0), "three messages are on their way");
        assert!(window.acknowledge(first) && !window.acknowledge(first));
        assert!(window.has_room(60) && !window.has_room(61));
    }

    #[test]
    fn ids_wrap_past_zero_and_skip_those_on_their_way() {
        let now = Instant::now();
        let mut window = Window::new(10, 100);
        let stuck = window.admit(0, now);
        for _ in 0..65_534 {
            let id = window.admit(0, now);
            assert!(window.acknowledge(id));
        }
        assert_eq!((stuck.get(), window.admit(0, now).get()), (1, 2));
        assert_eq!(window.len(), 2);
    }
}
