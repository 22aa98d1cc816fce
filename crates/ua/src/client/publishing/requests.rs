//! The PublishRequests that are out, and how many there may be.

use std::collections::BTreeMap;
use std::time::Duration;

/// Added to the longest wait for an answer: a slow network, a busy server.
const MARGIN: Duration = Duration::from_secs(5);
/// Requests for a single subscription; more when there are more.
const REQUESTS_MIN: usize = 4;
/// Answers without values in a second; a server that sends more answers for the sake of answering.
const EMPTY_ANSWERS_MAX: u32 = 1000;
const SECOND: Duration = Duration::from_secs(1);
/// Refusals in a row before the connection is given up.
const REFUSALS_MAX: u32 = 20;

/// A request that is out.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    acknowledgements: Vec<(u32, u32)>,
    sent: Duration,
    patience: Duration,
}

impl Flight {
    /// Whether our own deadline passed, as opposed to a request that the server handed back.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        now + Duration::from_millis(100) >= self.sent + self.patience
    }
}

#[derive(Debug)]
pub(super) struct Requests {
    flights: BTreeMap<u64, Flight>,
    next: u64,
    /// What the options and the server's quirks allow.
    max: usize,
    /// What the server was seen to accept.
    accepted: usize,
    out_since: Option<Duration>,
    refusals: u32,
    /// Answers without values since the beginning of a second.
    empty: (Duration, u32),
    /// No request is sent before this.
    paused_until: Option<Duration>,
}

impl Requests {
    pub(super) const fn new(max: usize) -> Self {
        Self {
            flights: BTreeMap::new(),
            next: 1,
            max,
            accepted: usize::MAX,
            out_since: None,
            refusals: 0,
            empty: (Duration::ZERO, 0),
            paused_until: None,
        }
    }

    /// An answer that brought nothing. Too many of them in a second, and the rest of it is a pause: a server that
    /// answers at once whatever is asked would keep both sides busy for ever.
    pub(super) fn brought_nothing(&mut self, now: Duration) {
        if now >= self.empty.0 + SECOND {
            self.empty = (now, 0);
        }
        self.empty.1 += 1;
        if self.empty.1 >= EMPTY_ANSWERS_MAX {
            self.paused_until = Some(self.empty.0 + SECOND);
        }
    }

    /// Ends the pause when its time is over.
    pub(super) fn end_pause(&mut self, now: Duration) {
        self.paused_until.take_if(|until| now >= *until);
    }

    /// The end of the pause, if there is one.
    pub(super) const fn paused_until(&self) -> Option<Duration> {
        self.paused_until
    }

    /// A new connection, perhaps to another server.
    pub(super) const fn connected(&mut self, max: usize) {
        self.max = max;
        self.accepted = usize::MAX;
        self.refusals = 0;
        self.paused_until = None;
    }

    fn wanted(&self, subscriptions: usize) -> usize {
        (subscriptions * 2).max(REQUESTS_MIN).min(self.max).min(self.accepted).max(1)
    }

    /// The window: requests out and undurable messages within twice the accepted requests.
    pub(super) fn may_send(&mut self, now: Duration, subscriptions: usize, undurable: usize) -> bool {
        self.end_pause(now);
        if self.paused_until.is_some() {
            return false;
        }
        let wanted = self.wanted(subscriptions);
        self.flights.len() < wanted && self.flights.len() + undurable < 2 * wanted
    }

    pub(super) fn send(
        &mut self,
        now: Duration,
        acknowledgements: Vec<(u32, u32)>,
        keep_alive: Duration,
        subscriptions: usize,
    ) -> (u64, Duration) {
        // An idle subscription answers one request a keep-alive, so that the last of N waits N of them.
        let patience = keep_alive.saturating_mul(self.wanted(subscriptions) as u32 + 1) + MARGIN;
        let request = self.next;
        self.next += 1;
        self.out_since.get_or_insert(now);
        self.flights.insert(request, Flight { acknowledgements, sent: now, patience });
        (request, patience)
    }

    /// The request is answered, whatever the answer. `None` for one of an earlier connection.
    pub(super) fn answered(&mut self, request: u64) -> Option<(Vec<(u32, u32)>, Flight)> {
        let mut flight = self.flights.remove(&request)?;
        if self.flights.is_empty() {
            self.out_since = None;
        }
        Some((std::mem::take(&mut flight.acknowledgements), flight))
    }

    /// An answer with a message.
    pub(super) const fn accepted(&mut self) {
        self.refusals = 0;
    }

    /// The server had too many: no more than are out now.
    pub(super) fn shrink(&mut self) {
        self.accepted = self.flights.len().max(1);
    }

    /// Counts a refusal; true when it is time to give up.
    pub(super) const fn refused_too_often(&mut self) -> bool {
        self.refusals += 1;
        self.refusals >= REFUSALS_MAX
    }

    /// Since when at least one request is out without a break.
    pub(super) const fn out_since(&self) -> Option<Duration> {
        self.out_since
    }

    /// The connection is gone.
    pub(super) fn clear(&mut self) -> Vec<(Vec<(u32, u32)>, Duration)> {
        self.out_since = None;
        std::mem::take(&mut self.flights)
            .into_values()
            .map(|flight| (flight.acknowledgements, flight.sent))
            .collect()
    }
}
