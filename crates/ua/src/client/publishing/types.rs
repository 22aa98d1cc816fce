//! The words of the publish loop.

use crate::client::decoder::DataChange;
use gemba_model::{DateTime, GapReason, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Now {
    pub(crate) monotonic: Duration,
    pub(crate) wall: DateTime,
}

/// One subscription on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PartId(pub(crate) u32);

/// Values that are missing, in front of what is delivered with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) reason: GapReason,
    pub(crate) since: Option<DateTime>,
    pub(crate) handles: Option<Vec<u32>>,
}

/// A message with values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) sequence_number: u32,
    pub(crate) publish_time: Option<DateTime>,
    pub(crate) change: Arc<DataChange>,
}

/// What the sink gets, with the state that becomes durable with it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Batch {
    pub(crate) part: PartId,
    pub(crate) delivery: u64,
    pub(crate) gap: Option<Gap>,
    pub(crate) messages: Vec<Message>,
    /// The subscription, the start of its server, and the last number that is accounted for.
    pub(crate) subscription: u32,
    pub(crate) server_start: DateTime,
    pub(crate) last: u32,
    pub(crate) publish_time: Option<DateTime>,
    pub(crate) keep_alive: Duration,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// TransferSubscriptions; answer with `on_transferred`.
    Transfer { part: PartId, subscription: u32 },
    /// Delete the old subscription, if given, and CreateSubscription; answer with `on_created`.
    Create { part: PartId, delete: Option<u32> },
    /// Republish; answer with `on_republished`.
    Republish { part: PartId, subscription: u32, sequence_number: u32 },
    /// Publish; answer with `on_published` or `on_publish_failed`.
    Publish { request: u64, acknowledgements: Vec<(u32, u32)>, patience: Duration },
    /// Hand to the sink; answer with `on_durable`.
    Deliver(Batch),
    /// The connection is of no use any more.
    Disconnect(&'static str),
    /// Nothing is heard of a subscription, though requests are out: a second connection is to be tried, while
    /// this one may still speak.
    Suspect(&'static str),
    /// It spoke after all.
    Heard,
    /// For people.
    Report(Report),
}

/// What happened to a subscription.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Report {
    /// After an outage everything that the server sent was fetched or declared missing.
    Recovered { part: PartId, since: DateTime, republished: u64, missing: u64 },
    /// A new subscription stands in for one that was lost.
    Recreated { part: PartId, since: Option<DateTime>, reason: GapReason },
    /// A server does not hand a subscription over.
    TransferRefused { part: PartId, status: StatusCode },
    /// A message could not be understood; its values are in a gap.
    NotUnderstood { part: PartId, sequence_number: u32, reason: String },
}

/// How a PublishRequest failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublishFailure {
    /// BadTooManyPublishRequests.
    TooMany,
    /// BadTimeout: handed back by the server, or our own deadline.
    Timeout,
    /// BadNoSubscription.
    NoSubscription,
    /// Any other refusal.
    Refused,
    /// Connection, channel or session are gone.
    Lost,
}

/// What was counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Messages with values.
    pub notifications: u64,
    /// Values in them.
    pub values: u64,
    /// Keep-alives.
    pub keep_alives: u64,
    /// Messages that were fetched again.
    pub republished: u64,
    /// Messages that never came.
    pub missing: u64,
    /// Messages that came more than once.
    pub duplicates: u64,
    /// Gaps that were delivered.
    pub gaps: u64,
    /// Values with the overflow bit.
    pub overflows: u64,
    /// Messages that could not be understood.
    pub not_understood: u64,
    /// Acknowledgements for messages that the server no longer had.
    pub unknown_acknowledgements: u64,
    /// Answers for a subscription that is not ours.
    pub unknown_subscriptions: u64,
    /// Requests that the server refused as too many.
    pub too_many_requests: u64,
    /// Subscriptions that were taken over.
    pub transfers: u64,
    /// Subscriptions that were created.
    pub creations: u64,
    /// Times that a subscription was silent for longer than it may be.
    pub silences: u64,
    /// Times that a server began to count anew in the middle of a subscription.
    pub renumberings: u64,
}

/// Where a subscription of an earlier run stopped.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ResumePoint {
    pub(crate) subscription: u32,
    pub(crate) server_start: DateTime,
    pub(crate) last: u32,
    pub(crate) publish_time: Option<DateTime>,
    pub(crate) keep_alive: Duration,
    /// Whether the items are still the same; else handles may mean other nodes and nothing is taken over.
    pub(crate) same_items: bool,
}
