//! Subscriptions that stay: one session with a server, kept through cuts and restarts, every value handed to a
//! sink once and acknowledged only when the sink has made it durable.
//!
//! [`SubscribedSession::start`] never fails because of the server: it goes on trying, and says so in events and
//! status. It stops trying by itself in one case only: when the server refuses the credentials.

mod deliveries;
mod driver;
mod items;
mod serve;
mod spec;
mod standby;
mod status;
#[cfg(test)]
mod tests;

pub use super::publishing::Counters;
pub use spec::{ItemSpec, SubscriptionSpec};
pub use status::{REJECTED_SHOWN, RejectedItem, SessionState, SessionStatus, SubscriptionStatus};

use super::decoder::DataChange;
use super::error::UaError;
use super::options::SessionOptions;
use driver::{Command, Driver};
use futures_util::future::BoxFuture;
use gemba_base::Tasks;
use gemba_model::{DateTime, ErrorCode, GapReason, StatusCode};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Commands that may wait for the session; further callers wait for their turn.
const COMMANDS_MAX: usize = 8;

/// One message of a subscription.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// The server's number, unique within a subscription of the server.
    pub sequence_number: u32,
    /// When the server published it, by its clock.
    pub publish_time: Option<DateTime>,
    /// The values, shared: cloning a delivery is cheap.
    pub change: Arc<DataChange>,
}

/// Values of a subscription are missing, before the notifications of the same delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionGap {
    /// Why.
    pub reason: GapReason,
    /// After this time; `None` means after the last value of the handles.
    pub since: Option<DateTime>,
    /// Of these items; `None` means all of the delivery's part of the subscription.
    pub handles: Option<Vec<u32>>,
}

/// What a sink stores, all or nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Grows with each delivery of a session since its start; a repeated one keeps its own.
    pub number: u64,
    /// Name of the subscription's spec.
    pub subscription: String,
    /// Name of the part: the subscription's own for the first, `name#1` and so on when it is split. Deliveries
    /// are ordered within a part; cursors are kept by this key.
    pub cursor_key: String,
    /// The id on the server: with a sequence number it names a message, as long as the server runs.
    pub server_subscription: u32,
    /// In front of the notifications.
    pub gap: Option<SubscriptionGap>,
    /// In the order of the server; may be empty.
    pub notifications: Vec<Notification>,
    /// State to store atomically with this delivery under `cursor_key`, and to hand back at the next start. For
    /// some servers it holds a session token: treat it as a secret.
    pub cursor: Vec<u8>,
}

/// A sink could not store a delivery; it will get it again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(
    /// What went wrong.
    pub String,
);

/// Where values go. Implemented by the caller.
pub trait DeliverySink: Send + Sync + 'static {
    /// Stores a delivery. The future resolves when it is durable.
    ///
    /// Called in order within a part (`cursor_key`), and the futures are first polled in that order, without
    /// waiting for earlier ones: several are outstanding, so that a group commit pays. When one fails, nothing is
    /// acknowledged any more, the outstanding ones are waited for, and the failed one and all after it that did
    /// not succeed come again, with growing delays, for ever. A sink must therefore fail everything behind a
    /// failure, or tell repeated deliveries by `server_subscription` and `sequence_number`.
    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Result<(), SinkError>>;

    /// Something happened that is not a value. Must not block.
    fn event(&self, event: SessionEvent);
}

/// What is said beside the values.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionEvent {
    /// A session stands; comes before the first delivery of each connection.
    Connected {
        /// The server's namespace array.
        namespaces: Vec<String>,
        /// The server's application URI, as its endpoint says.
        application_uri: String,
    },
    /// The session is in another state.
    State {
        /// Which one.
        state: SessionState,
        /// Since when.
        at: DateTime,
        /// The error that led to it, with its code.
        error: Option<(ErrorCode, String)>,
    },
    /// A subscription was without connection and is whole again; `missing` messages are in gaps. Belongs in a
    /// ledger also when nothing is missing.
    OutageEnded {
        /// Name of the spec.
        subscription: String,
        /// Beginning.
        since: DateTime,
        /// End.
        until: DateTime,
        /// Messages that the server had kept.
        republished: u64,
        /// Messages that it no longer had.
        missing: u64,
    },
    /// A subscription was lost and created anew; a gap is delivered.
    Recreated {
        /// Name of the spec.
        subscription: String,
        /// Since when values may be missing.
        since: Option<DateTime>,
        /// Why.
        reason: GapReason,
    },
    /// The server does not hand a subscription over; it is created anew.
    TransferRefused {
        /// Name of the spec.
        subscription: String,
        /// Why.
        status: StatusCode,
    },
    /// A message could not be understood; a gap is delivered.
    NotUnderstood {
        /// Name of the spec.
        subscription: String,
        /// Its number.
        sequence_number: u32,
        /// Why.
        reason: String,
    },
    /// The server does not monitor an item; it is tried again.
    ItemRejected {
        /// Name of the spec.
        subscription: String,
        /// Which item.
        handle: u32,
        /// Why.
        status: StatusCode,
        /// When it is tried again.
        retry_after: Duration,
    },
    /// An item that was rejected is monitored now.
    ItemAccepted {
        /// Name of the spec.
        subscription: String,
        /// Which item.
        handle: u32,
    },
    /// The server keeps fewer values than was asked for: a longer absence loses values.
    QueueTooShort {
        /// Name of the spec.
        subscription: String,
        /// How many items are concerned.
        items: usize,
        /// How long the shortest queue lasts at its sampling interval.
        covers: Duration,
        /// Values in the shortest queue. With one, the server loses values without a sign.
        smallest: u32,
    },
}

/// A session that is kept, with its subscriptions. Dropping it stops it and leaves the subscriptions on the
/// server, to be taken over by the next start.
#[derive(Debug)]
pub struct SubscribedSession {
    commands: mpsc::Sender<Command>,
    shared: Arc<status::Shared>,
    tasks: Tasks,
    endpoint_url: String,
}

impl SubscribedSession {
    /// Starts on a branch of `tasks`. `cursors` are those of the last durable deliveries, by `cursor_key`; a
    /// subscription without one is new and begins without a gap.
    ///
    /// # Errors
    /// [`UaError::Options`] for specs or options that cannot work.
    pub fn start(
        options: SessionOptions,
        specs: Vec<SubscriptionSpec>,
        cursors: HashMap<String, Vec<u8>>,
        sink: Arc<dyn DeliverySink>,
        tasks: &Tasks,
    ) -> Result<Self, UaError> {
        options.check()?;
        spec::check(&specs)?;
        let tasks = tasks.branch("opcua-session");
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let endpoint_url = options.endpoint_url.clone();
        let shared = Arc::new(status::Shared::default());
        let driver = Driver::new(options, specs, cursors, sink, &tasks, Arc::clone(&shared), inbox);
        tasks.spawn(driver.run());
        Ok(Self { commands, shared, tasks, endpoint_url })
    }

    /// Makes `specs` the whole of what is subscribed. Items that are the same go on without a break.
    ///
    /// # Errors
    /// [`UaError::Options`] for specs that cannot work, [`UaError::Stopped`] after a stop.
    pub async fn apply(&self, specs: Vec<SubscriptionSpec>) -> Result<(), UaError> {
        spec::check(&specs)?;
        self.command(|done| Command::Apply { specs, done }).await
    }

    /// Goes on with other options: the way out of a refused log-in. Subscriptions are taken over where the server
    /// allows it.
    ///
    /// # Errors
    /// [`UaError::Options`] for options that cannot work, [`UaError::Stopped`] after a stop.
    pub async fn reconfigure(&self, options: SessionOptions) -> Result<(), UaError> {
        options.check()?;
        self.command(|done| Command::Reconfigure { options: Box::new(options), done }).await
    }

    async fn command(&self, command: impl FnOnce(oneshot::Sender<()>) -> Command) -> Result<(), UaError> {
        let stopped = || UaError::Stopped { endpoint: self.endpoint_url.clone() };
        let (done, answer) = oneshot::channel();
        self.commands.send(command(done)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())
    }

    /// How things are.
    pub fn status(&self) -> SessionStatus {
        self.shared.snapshot()
    }

    /// Stops: no more values are taken, what the sink has is waited for, the session is closed. The
    /// subscriptions stay on the server for the next start, unless they are to be deleted. Returns false when
    /// something still ran at the deadline.
    pub async fn stop(self, delete_subscriptions: bool, deadline: Duration) -> bool {
        self.shared.delete_on_stop(delete_subscriptions);
        self.tasks.drain(deadline).await
    }
}

impl Drop for SubscribedSession {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}
