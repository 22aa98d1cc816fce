//! One live stream: wakes when values came, sends what changed, waits for a slow client.

use super::outbox::{Ended, Outbox, event};
use super::{OpenStream, may_go_on};
use crate::auth::principal::Principal;
use crate::core::Core;
use crate::flow::Newest;
use crate::value::Sample;
use axum::body::Bytes;
use futures_util::stream::{self, Stream};
use gemba_api::StoredSample;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// So long after its end a session's stream ends too.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// Checks of streams that were opened at once are this far apart: a thousand of them must not ask the registry in one
/// instant, again and again.
const CHECKS_APART: Duration = Duration::from_millis(7);
/// Comments keep proxies from closing a stream without events; the flow comes each second, so these are rare.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A client that takes nothing for so long is cut.
const STALL_MAX: Duration = Duration::from_secs(30);

/// The events of a new stream. Its task ends with the client, the session or the console.
pub(super) fn events(
    core: &Arc<Core>,
    principal: Principal,
    ids: Vec<u64>,
    guard: OpenStream,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    let (outbox, receiver) = Outbox::new(STALL_MAX);
    let (flow, pulse) = (core.board.subscribe(), core.streams.pulse.subscribe());
    let live = Live {
        core: Arc::clone(core),
        principal,
        number: guard.number,
        values: Values::new(ids),
        flow,
        pulse,
        outbox,
    };
    core.tasks.spawn(async move {
        let _guard = guard;
        live.run().await;
    });
    stream::unfold(receiver, |mut receiver| async move { Some((Ok(receiver.recv().await?), receiver)) })
}

struct Live {
    core: Arc<Core>,
    principal: Principal,
    number: u64,
    values: Values,
    flow: watch::Receiver<Newest>,
    pulse: watch::Receiver<u64>,
    outbox: Outbox,
}

/// Why the console ends a stream.
enum End {
    Said(&'static str),
    Client(Ended),
}

impl From<Ended> for End {
    fn from(ended: Ended) -> Self {
        Self::Client(ended)
    }
}

impl Live {
    async fn run(mut self) {
        let core = Arc::clone(&self.core);
        let end = tokio::select! {
            () = core.tasks.stopping() => End::Said("shutting-down"),
            end = self.send_all() => end,
        };
        let reason = match end {
            End::Said(reason) => reason,
            End::Client(Ended::Gone) => return,
            End::Client(Ended::Stalled) => {
                core.streams.stalled.add(1);
                "too-slow"
            }
        };
        self.outbox.end(reason);
        tracing::debug!(reason, user = %self.principal.name, "live stream ended");
    }

    async fn send_all(&mut self) -> End {
        match self.send_until_end().await {
            Err(end) => end,
            Ok(never) => match never {},
        }
    }

    async fn send_until_end(&mut self) -> Result<Infallible, End> {
        let first_check = CHECK_EVERY + CHECKS_APART * u32::try_from(self.number % 700).unwrap_or(0);
        let (mut check, mut alive) = (ticks(first_check, CHECK_EVERY), ticks(KEEP_ALIVE, KEEP_ALIVE));
        self.flow.mark_changed();
        self.pulse.mark_changed();
        let mut gone = pin!(self.outbox.gone());
        loop {
            tokio::select! {
                () = &mut gone => return Err(Ended::Gone.into()),
                beat = self.pulse.changed() => {
                    beat.map_err(|_| End::Said("shutting-down"))?;
                    self.send_values().await?;
                }
                changed = self.flow.changed() => {
                    changed.map_err(|_| End::Said("shutting-down"))?;
                    let event = self.flow.borrow_and_update().event.clone();
                    self.outbox.send(event).await?;
                }
                _ = check.tick() => {
                    if !may_go_on(&self.core, &self.principal).await {
                        return Err(End::Said("session-expired"));
                    }
                }
                _ = alive.tick() => self.outbox.send(Bytes::from_static(b":\n\n")).await?,
            }
        }
    }

    async fn send_values(&mut self) -> Result<(), Ended> {
        self.outbox.room().await?;
        match self.values.look(&self.core) {
            Some(data) => self.outbox.send(event("values", &data)).await,
            None => Ok(()),
        }
    }
}

fn ticks(first: Duration, period: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + first, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// What the client knows of the series that it asked for.
struct Values {
    ids: Vec<u64>,
    /// `None` before the first look.
    version: Option<u64>,
    sent: HashMap<u64, StoredSample>,
}

#[derive(Serialize)]
struct Changes {
    series: BTreeMap<u64, Option<Sample>>,
}

impl Values {
    fn new(ids: Vec<u64>) -> Self {
        Self { ids, version: None, sent: HashMap::new() }
    }

    /// What is new since the last look, as JSON; `None` for nothing.
    fn look(&mut self, core: &Core) -> Option<String> {
        // The version is taken first: what comes in between is looked at again next time, never missed.
        let version = core.history.version();
        let ids = match self.version {
            _ if self.ids.is_empty() => return None,
            Some(seen) if seen == version => return None,
            Some(seen) => core.history.changed_since(seen, &self.ids),
            None => self.ids.clone(),
        };
        let first = self.version.is_none();
        self.version = Some(version);
        let newest = core.history.last(&ids);
        let mut series = BTreeMap::new();
        for (id, sample) in ids.into_iter().zip(newest) {
            match sample {
                Some(sample) if self.sent.get(&id) != Some(&sample) => {
                    self.sent.insert(id, sample.clone());
                    series.insert(id, Some(Sample::from(sample)));
                }
                None if first => drop(series.insert(id, None)),
                _ => {}
            }
        }
        if series.is_empty() {
            return None;
        }
        serde_json::to_string(&Changes { series }).ok()
    }
}
