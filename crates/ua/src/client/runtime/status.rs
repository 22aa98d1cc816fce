//! How a session is, for people and for the console.

use crate::client::publishing::Counters;
use gemba_model::{DateTime, StatusCode};
use parking_lot::Mutex;
use std::time::Duration;

/// What a session does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionState {
    /// The first connection is being made.
    #[default]
    Connecting,
    /// A session stands, subscriptions are being set up.
    Connected,
    /// Values come.
    Subscribed,
    /// The connection stands, but nothing is heard: a second one is being made beside it.
    Silent,
    /// The connection is lost and made anew.
    Reconnecting,
    /// Nothing is tried any more.
    Stopped {
        /// Because the server refused the credentials.
        authentication: bool,
    },
}

/// An item that the server does not monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedItem {
    /// Name of the spec.
    pub subscription: String,
    /// Which item.
    pub handle: u32,
    /// Why.
    pub status: StatusCode,
}

/// One subscription of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionStatus {
    /// Name of the spec.
    pub subscription: String,
    /// The key of its cursor.
    pub cursor_key: String,
    /// The id on the server; `None` while there is none.
    pub server_subscription: Option<u32>,
    /// Items that are wanted.
    pub items: usize,
    /// Items that are monitored.
    pub monitored: usize,
    /// How long the shortest queue of the server lasts; `None` when not known.
    pub queue_covers: Option<Duration>,
    /// Items for which the server keeps fewer values than was asked for.
    pub short_queues: usize,
    /// Items of which it keeps one value only, and looks more often than it sends: then it loses values, and by
    /// the standard says nothing about it.
    pub queues_of_one: usize,
    /// Taken over from an earlier run: its items owe no first value.
    pub resumed: bool,
}

/// Rejected items that a snapshot names.
pub const REJECTED_SHOWN: usize = 100;

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SessionStatus {
    /// The state.
    pub state: SessionState,
    /// Since when.
    pub since: Option<DateTime>,
    /// The last error, with its code, until a session stands again.
    pub error: Option<String>,
    /// When the last message with values came.
    pub last_data: Option<DateTime>,
    /// The subscriptions.
    pub subscriptions: Vec<SubscriptionStatus>,
    /// How many items the server does not monitor.
    pub rejected_items: usize,
    /// The first of them, at most [`REJECTED_SHOWN`].
    pub rejected: Vec<RejectedItem>,
    /// Messages that wait for the sink.
    pub undurable: usize,
    /// Counted since the start.
    pub counters: Counters,
}

/// Written by the driver, read by everyone.
#[derive(Debug, Default)]
pub(super) struct Shared {
    status: Mutex<SessionStatus>,
    delete_on_stop: std::sync::atomic::AtomicBool,
}

impl Shared {
    pub(super) fn snapshot(&self) -> SessionStatus {
        self.status.lock().clone()
    }

    pub(super) fn snapshot_state(&self) -> SessionState {
        self.status.lock().state
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut SessionStatus)) {
        change(&mut self.status.lock());
    }

    pub(super) fn delete_on_stop(&self, delete: bool) {
        self.delete_on_stop.store(delete, std::sync::atomic::Ordering::Relaxed);
    }

    pub(super) fn deletes_on_stop(&self) -> bool {
        self.delete_on_stop.load(std::sync::atomic::Ordering::Relaxed)
    }
}
