//! What all connections of a server share: its nodes, which do not change, and its state under one lock.

use super::application::Application;
use super::convert::Codec;
use super::options::ServerOptions;
use super::session::Sessions;
use super::space::AddressSpaceBuilder;
use super::standard::Standard;
use super::subscription::engine::{Answer, Bounds, Engine, Now, Published};
use super::values::{Update, Values};
use super::wire::{OUTGOING_MAX, Outgoing, RawAnswer};
use super::{services, standard};
use gemba_base::{Clock, SystemClock, random};
use gemba_model::DateTime;
use opcua::core::sync::RwLock;
use opcua::crypto::CertificateStore;
use opcua::types::StatusCode;
use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// What changes.
pub(super) struct State {
    pub(super) values: Values,
    pub(super) engine: Engine,
    pub(super) sessions: Sessions,
    connections: HashMap<u64, mpsc::Sender<Outgoing>>,
}

pub(super) struct Shared {
    pub(super) options: ServerOptions,
    pub(super) url: String,
    pub(super) space: AddressSpaceBuilder,
    pub(super) standard: &'static Standard,
    pub(super) codec: Codec,
    pub(super) started: DateTime,
    clock: SystemClock,
    application: Mutex<Arc<Application>>,
    store: Arc<RwLock<CertificateStore>>,
    state: Mutex<State>,
    /// Told when something may be due earlier than it was.
    pub(super) wake: Notify,
    next_connection: AtomicU64,
    next_channel: AtomicU32,
}

impl Shared {
    pub(super) fn new(
        options: ServerOptions,
        mut space: AddressSpaceBuilder,
        application: Application,
        url: String,
    ) -> Self {
        let clock = SystemClock::new();
        let started = options.behaviour.clock.shown(clock.now());
        let first = std::mem::take(&mut space.variables).into_iter().map(|(_, first)| first.stored(started));
        let silent = options.behaviour.overflow_is_silent;
        let requests = options.limits.publish_requests_per_subscription.max(1);
        let bounds = Bounds {
            requests_per_subscription: requests,
            sent: requests.saturating_mul(2),
            lies: options.behaviour.lies,
        };
        // Ids differ from one start to the next, so that no client takes a new subscription for its old one.
        let first_id = || random::number32() >> 1;
        let state = State {
            values: Values::new(first, options.history, silent),
            engine: Engine::new(first_id(), bounds),
            sessions: Sessions::new(first_id(), options.limits.sessions),
            connections: HashMap::new(),
        };
        Self {
            store: Arc::new(RwLock::new(CertificateStore::new(&options.pki))),
            url,
            space,
            standard: standard::standard(),
            codec: Codec::new(),
            started,
            clock,
            application: Mutex::new(Arc::new(application)),
            state: Mutex::new(state),
            wake: Notify::new(),
            next_connection: AtomicU64::new(1),
            next_channel: AtomicU32::new(first_id().max(1)),
            options,
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The server's wall clock, which may be wrong on purpose.
    pub(super) fn wall(&self) -> DateTime {
        self.options.behaviour.clock.shown(self.clock.now())
    }

    pub(super) fn now(&self) -> Now {
        Now { monotonic: self.clock.monotonic(), wall: self.wall() }
    }

    pub(super) fn application(&self) -> Arc<Application> {
        self.application.lock().clone()
    }

    pub(super) fn replace_application(&self, application: Application) {
        *self.application.lock() = Arc::new(application);
    }

    pub(super) fn store(&self) -> Arc<RwLock<CertificateStore>> {
        self.store.clone()
    }

    pub(super) fn next_channel(&self) -> u32 {
        self.next_channel.fetch_add(1, Ordering::Relaxed).max(1)
    }

    /// A connection was accepted: its number, and what the server will send over it by itself.
    pub(super) fn connected(&self) -> (u64, mpsc::Receiver<Outgoing>) {
        let id = self.next_connection.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = mpsc::channel(OUTGOING_MAX);
        self.state().connections.insert(id, sender);
        (id, receiver)
    }

    pub(super) fn disconnected(&self, id: u64) {
        let mut state = self.state();
        state.connections.remove(&id);
        state.engine.connection_lost(id);
    }

    /// Closes every connection without a word.
    pub(super) fn cut_all(&self) {
        self.state().connections.retain(|_, connection| {
            // A connection that is too far behind to be told ends when its channel is dropped here.
            drop(connection.try_send(Outgoing::Cut));
            false
        });
    }

    /// Stores values, and sends nothing yet: that is done in each subscription's own time.
    pub(super) fn write(&self, at: Option<DateTime>, updates: impl IntoIterator<Item = Update>) {
        let mut state = self.state();
        let State { values, engine, .. } = &mut *state;
        values.write(at, updates, engine, &self.codec);
    }

    /// Runs what is due; returns when that is needed again.
    pub(super) fn poll(&self) -> Option<Duration> {
        let now = self.now();
        let mut state = self.state();
        for session in state.sessions.expire(now.monotonic) {
            state.engine.close_session(session);
        }
        state.engine.poll(now, &|number| services::attribute::clock(self, number, now.wall));
        self.dispatch(&mut state);
        let due = state.engine.next_due().into_iter().chain(state.sessions.next_due()).min();
        due.map(|due| due.saturating_sub(self.clock.monotonic()))
    }

    /// Ends all sessions, as a server does that loses its memory of them.
    pub(super) fn drop_sessions(&self) {
        let mut state = self.state();
        for session in state.sessions.drop_all() {
            state.engine.close_session(session);
        }
        self.dispatch(&mut state);
    }

    /// Sends the engine's answers on their way, and forgets the watchers of what ended.
    pub(super) fn dispatch(&self, state: &mut State) {
        for place in state.engine.take_ended() {
            state.values.forget(place);
        }
        for Answer { to, outcome } in state.engine.take_answers() {
            let message = match outcome {
                Ok(published) => {
                    let raw = self.published(to.handle, &to.results, published);
                    Outgoing::Answer(to.request, raw)
                }
                Err(status) => Outgoing::Fault(to.request, Box::new(services::fault(to.handle, status))),
            };
            let Some(connection) = state.connections.get(&to.connection) else { continue };
            if connection.try_send(message).is_err() {
                tracing::warn!(connection = to.connection, "a client does not read its answers: it is cut");
                state.connections.remove(&to.connection);
            }
        }
    }

    fn published(&self, handle: u32, results: &[StatusCode], published: Published) -> RawAnswer {
        services::subscription::published(handle, results, published, self.wall())
    }
}
