//! One live stream: looks ten times a second, sends what changed, waits for a slow client.

use super::{OpenStream, may_go_on};
use crate::auth::principal::Principal;
use crate::core::Core;
use crate::value::Sample;
use axum::body::Bytes;
use futures_util::stream::{self, Stream};
use gemba_api::StoredSample;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// People see no more than ten changes a second.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// So long after its end a session's stream ends too.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// Comments keep proxies from closing a stream without events; the flow comes each second, so these are rare.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A client that takes nothing for so long is given up.
const STALL_MAX: Duration = Duration::from_secs(60);
/// Events on their way to the client; while they wait nothing is looked at, so that what changes meanwhile
/// is sent once, with its newest value.
const EVENTS_WAITING: usize = 2;

/// The events of a new stream. Its task ends with the client, the session or the console.
pub(super) fn events(
    core: &Arc<Core>,
    principal: Principal,
    ids: Vec<u64>,
    guard: OpenStream,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(EVENTS_WAITING);
    let flow = core.board.subscribe();
    let live = Live { core: Arc::clone(core), principal, values: Values::new(ids), flow, sender };
    core.tasks.spawn(async move {
        let _guard = guard;
        live.run().await;
    });
    stream::unfold(receiver, |mut receiver| async move { Some((Ok(receiver.recv().await?), receiver)) })
}

struct Live {
    core: Arc<Core>,
    principal: Principal,
    values: Values,
    flow: watch::Receiver<Arc<Bytes>>,
    sender: mpsc::Sender<Bytes>,
}

/// The client is gone.
struct Gone;

impl Live {
    async fn run(mut self) {
        let core = Arc::clone(&self.core);
        let reason = tokio::select! {
            () = core.tasks.stopping() => Some("shutting-down"),
            reason = self.send_all() => reason,
        };
        if let Some(reason) = reason {
            // Best effort: a client that takes nothing does not learn why it ends.
            let end = self.sender.try_send(event("end", &format!("{{\"reason\":\"{reason}\"}}")));
            tracing::debug!(reason, told = end.is_ok(), "live stream ended");
        }
    }

    async fn send_all(&mut self) -> Option<&'static str> {
        let (mut look, mut check, mut alive) = (ticks(LOOK_EVERY), ticks(CHECK_EVERY), ticks(KEEP_ALIVE));
        check.reset();
        alive.reset();
        self.flow.mark_changed();
        let closed = self.sender.clone();
        loop {
            let sent = tokio::select! {
                () = closed.closed() => Err(Gone),
                _ = look.tick() => self.send_values().await,
                changed = self.flow.changed() => match changed {
                    Ok(()) => self.send_flow().await,
                    Err(_) => return Some("shutting-down"),
                },
                _ = check.tick() => {
                    if !may_go_on(&self.core, &self.principal).await {
                        return Some("session-expired");
                    }
                    Ok(())
                }
                _ = alive.tick() => self.send(Bytes::from_static(b":\n\n")).await,
            };
            if sent.is_err() {
                return None;
            }
        }
    }

    async fn send_values(&mut self) -> Result<(), Gone> {
        let place = patiently(self.sender.reserve()).await?;
        if let Some(data) = self.values.look(&self.core) {
            place.send(event("values", &data));
        }
        Ok(())
    }

    async fn send_flow(&mut self) -> Result<(), Gone> {
        let json = self.flow.borrow_and_update().as_ref().clone();
        self.send(event("flow", &String::from_utf8_lossy(&json))).await
    }

    async fn send(&self, event: Bytes) -> Result<(), Gone> {
        patiently(self.sender.send(event)).await
    }
}

async fn patiently<T, E>(send: impl Future<Output = Result<T, E>>) -> Result<T, Gone> {
    tokio::time::timeout(STALL_MAX, send).await.map_err(|_| Gone)?.map_err(|_| Gone)
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// JSON text has no line breaks, so one data line holds it.
fn event(name: &str, data: &str) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
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
