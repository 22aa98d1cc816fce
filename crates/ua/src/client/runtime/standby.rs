//! The next connection while the present one stands: beside a silent one, and before a new certificate.
//!
//! Whoever speaks first wins. The present connection goes on being served, so that an answer that is only late
//! is not lost with it; it is given up when its own deadlines say so. Whatever was sent to a connection that
//! loses is fetched again by the next one: the server keeps it until it is acknowledged.

use crate::client::error::UaError;
use crate::client::options::SessionOptions;
use crate::client::session::{OpcUaSession, SessionKey};
use crate::client::trust::TrustStore;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;

/// Between attempts beside a silent connection.
const RETRY: Duration = Duration::from_secs(2);
/// Between attempts of anything that only a person can change; trust lists are looked at in between.
const RETRY_UNTRUSTED: Duration = Duration::from_secs(15);
/// How often the folders of certificates are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often a certificate is judged anew although no folder changed: lists run out, clocks are corrected.
const JUDGE: Duration = Duration::from_secs(300);

/// What is waited for before an attempt.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pause {
    delay: Duration,
    /// The state of the folders that led to a refusal: another one ends the pause.
    refused: Option<u64>,
}

impl Pause {
    pub(super) const fn of(delay: Duration) -> Self {
        Self { delay, refused: None }
    }

    /// For refusals that only a person can lift.
    pub(super) fn until_trust_changes(options: &SessionOptions) -> Self {
        Self { delay: RETRY_UNTRUSTED, refused: Some(options.trust.state()) }
    }

    async fn wait(self, trust: &TrustStore) {
        let mut left = self.delay;
        while !left.is_zero() {
            let step = if self.refused.is_some() { left.min(LOOK) } else { left };
            tokio::time::sleep(step).await;
            left -= step;
            if self.refused.is_some_and(|refused| trust.state() != refused) {
                return;
            }
        }
    }
}

/// One attempt, after a pause.
pub(super) async fn attempt(
    options: SessionOptions,
    key: Option<SessionKey>,
    pause: Pause,
) -> Result<OpcUaSession, UaError> {
    pause.wait(&options.trust).await;
    OpcUaSession::reconnect(options, key).await
}

/// Why there is to be another connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Nothing is heard on the present one.
    Silence,
    /// Our own certificate is another one.
    Renewal,
}

/// The attempt that runs, if any.
#[derive(Default)]
pub(super) struct Standby {
    running: Option<(Why, BoxFuture<'static, Result<OpcUaSession, UaError>>)>,
    last: Option<Why>,
}

impl Standby {
    /// Begins, unless an attempt runs.
    pub(super) fn start(&mut self, why: Why, options: &SessionOptions, key: Option<SessionKey>) {
        if self.running.is_none() {
            self.begin(why, options, key, Pause::default());
        }
    }

    fn begin(&mut self, why: Why, options: &SessionOptions, key: Option<SessionKey>, pause: Pause) {
        self.last = Some(why);
        self.running = Some((why, Box::pin(attempt(options.clone(), key, pause))));
    }

    /// After a failure: once more, later.
    pub(super) fn again(&mut self, options: &SessionOptions, key: Option<SessionKey>, error: &UaError) {
        let Some(why) = self.last else { return };
        let pause = match why {
            Why::Silence => Pause::of(RETRY),
            Why::Renewal if error.is_retryable() => Pause::of(RETRY_UNTRUSTED),
            Why::Renewal => Pause::until_trust_changes(options),
        };
        self.begin(why, options, key, pause);
    }

    /// Ends an attempt whose reason is gone.
    pub(super) fn stop(&mut self, why: Why) {
        self.running.take_if(|(running, _)| *running == why);
    }

    /// The outcome of the attempt; never, when there is none.
    pub(super) async fn finished(&mut self) -> Result<OpcUaSession, UaError> {
        let Some((_, attempt)) = &mut self.running else { return std::future::pending().await };
        let result = attempt.await;
        self.running = None;
        result
    }
}

/// What a change of the folders means for a session that stands.
pub(super) enum Trust {
    /// The server is not trusted any more.
    Withdrawn(UaError),
    /// We have another certificate.
    OwnRenewed,
}

/// Looks at the folders of certificates while a session stands.
pub(super) struct TrustWatch {
    trust: Arc<TrustStore>,
    seen: u64,
    judged: tokio::time::Instant,
    look: tokio::time::Interval,
    renewing: bool,
}

impl TrustWatch {
    pub(super) fn new(session: &OpcUaSession) -> Self {
        let trust = session.options().trust.clone();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self {
            seen: session.trust_state(),
            trust,
            judged: tokio::time::Instant::now(),
            look,
            renewing: false,
        }
    }

    /// Completes when a change matters to this session.
    pub(super) async fn changed(&mut self, session: &OpcUaSession) -> Trust {
        loop {
            self.look.tick().await;
            let state = self.trust.state();
            if state == self.seen && self.judged.elapsed() < JUDGE {
                continue;
            }
            self.seen = state;
            self.judged = tokio::time::Instant::now();
            if let Err(error) = session.judge_again() {
                return Trust::Withdrawn(error);
            }
            if !self.renewing && session.own_is_outdated() {
                self.renewing = true;
                return Trust::OwnRenewed;
            }
        }
    }
}
