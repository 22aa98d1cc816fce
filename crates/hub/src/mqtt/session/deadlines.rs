//! When a connection must end although nothing happens on it.

use super::{Session, Unread};
use crate::reason::{End, EndReason};
use gemba_net::mqtt::ByteStream;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Deadlines are looked at this often at least: the wall clock, which ends tokens, may jump.
const LOOK_AT_LEAST: Duration = Duration::from_secs(60);

impl<S: ByteStream> Session<'_, S> {
    /// The earliest moment at which the connection might have to end.
    pub(super) fn next_look(&self) -> Instant {
        let now = Instant::now();
        let stall_max = self.shared.options.stall_max;
        // A stall may begin at any time, so that is looked at as often as it may last.
        let regular = now + stall_max.min(LOOK_AT_LEAST);
        let token = now + self.accepted.expires.since(self.shared.parts.clock.now()).min(LOOK_AT_LEAST);
        let unread = self.unread.as_ref().map(|unread| unread.since);
        let stalls = [self.oldest_waiting(), unread].into_iter().flatten().map(|since| since + stall_max);
        stalls.chain([token, self.keep_alive_end()]).fold(regular, Instant::min)
    }

    /// Ends the connection when a deadline has passed, else sets the timer for the next look.
    pub(super) fn look(&mut self, timer: Pin<&mut Sleep>) -> Result<(), End> {
        let now = Instant::now();
        let stall_max = self.shared.options.stall_max;
        if self.accepted.expires <= self.shared.parts.clock.now() {
            let detail = format!("the token ended at {}", self.accepted.expires);
            return Err(End::new(EndReason::TokenEnded, detail));
        }
        if self.oldest_waiting().is_some_and(|since| since + stall_max <= now) {
            let detail = format!("a message was not durable within {} ms", stall_max.as_millis());
            return Err(End::new(EndReason::LogUnavailable, detail));
        }
        self.note_unread(now);
        if self.unread.as_ref().is_some_and(|unread| unread.since + stall_max <= now) {
            let detail = format!("{} bytes were not read", self.connection.unwritten());
            return Err(End::new(EndReason::SlowReader, detail));
        }
        // While we do not read, silence is ours and not the client's.
        if self.may_read() && self.keep_alive_end() <= now {
            let detail = format!("nothing for 1.5 × {} s", self.accepted.keep_alive.as_secs());
            return Err(End::new(EndReason::KeepAlive, detail));
        }
        let next = self.next_look().max(now + Duration::from_millis(1));
        timer.reset(next);
        Ok(())
    }

    fn note_unread(&mut self, now: Instant) {
        let written = self.connection.written();
        self.unread = match self.unread.take() {
            _ if self.connection.unwritten() == 0 => None,
            Some(unread) if unread.written == written => Some(unread),
            // It began at some time since the last look, or has moved since.
            _ => Some(Unread { written, since: now }),
        };
    }

    fn keep_alive_end(&self) -> Instant {
        self.last_packet + self.accepted.keep_alive * 3 / 2
    }

    fn oldest_waiting(&self) -> Option<Instant> {
        let blocked = self.blocked.as_ref().map(|blocked| blocked.ticket.since);
        self.tickets.oldest().or(blocked)
    }
}
