//! The live stream: server-sent events with values that changed and the flow, bounded and coalesced.

mod outbox;
mod stream;

use crate::ApiError;
use crate::auth::principal::{Principal, Via};
use crate::auth::{sessions, tokens};
use crate::core::Core;
use crate::params::{Params, shorten};
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use gemba_base::{Counter, Gauge, Metrics};
pub(crate) use outbox::event;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

/// Series of one stream.
const SERIES_MAX: usize = 500;
/// Streams of one session or token: browsers open no more than six to one host.
const STREAMS_PER_PRINCIPAL: usize = 8;
/// Streams in all.
const STREAMS_MAX: usize = 2_000;
/// Series of all streams together: what was sent of each is kept to see what changed.
const SERIES_ALL_MAX: usize = 200_000;

/// Counts the open streams.
pub(crate) struct Streams {
    open: Arc<Mutex<Open>>,
    gauge: Gauge,
    stalled: Counter,
    /// The historian's version, renewed for all streams at once.
    pulse: watch::Sender<u64>,
    opened: AtomicU64,
}

#[derive(Default)]
struct Open {
    streams: usize,
    series: usize,
    by_principal: HashMap<String, usize>,
}

impl Streams {
    pub(crate) fn new(metrics: &Metrics, version: u64) -> Self {
        let gauge = metrics.gauge("gemba_console_live_streams", "Live streams that are open.", &[]);
        let help = "Live streams cut because their client took nothing for half a minute.";
        let stalled = metrics.counter("gemba_console_live_streams_stalled_total", help, &[]);
        let pulse = watch::Sender::new(version);
        Self { open: Arc::default(), gauge, stalled, pulse, opened: AtomicU64::new(0) }
    }

    /// Tells all streams of values that came.
    pub(crate) fn beat(&self, version: u64) {
        self.pulse.send_if_modified(|seen| std::mem::replace(seen, version) != version);
    }

    /// Opens one more, closed when the guard is dropped.
    fn open(&self, principal: &Principal, series: usize) -> Result<OpenStream, ApiError> {
        let mut open = self.open.lock();
        if open.streams >= STREAMS_MAX {
            return Err(ApiError::TooManyStreams(format!("{STREAMS_MAX} live streams are open already")));
        }
        if open.series + series > SERIES_ALL_MAX {
            let text = format!("all live streams together carry {SERIES_ALL_MAX} series already");
            return Err(ApiError::TooManyStreams(text));
        }
        let own = open.by_principal.entry(principal.key().to_owned()).or_default();
        if *own >= STREAMS_PER_PRINCIPAL {
            let text = format!("this session has {STREAMS_PER_PRINCIPAL} live streams already; close one");
            return Err(ApiError::TooManyStreams(text));
        }
        *own += 1;
        open.streams += 1;
        open.series += series;
        self.gauge.add(1);
        Ok(OpenStream {
            number: self.opened.fetch_add(1, Ordering::Relaxed),
            series,
            key: principal.key().to_owned(),
            open: Arc::clone(&self.open),
            gauge: self.gauge.clone(),
        })
    }
}

struct OpenStream {
    /// Counted from 0 since the console began.
    number: u64,
    series: usize,
    key: String,
    open: Arc<Mutex<Open>>,
    gauge: Gauge,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        open.streams -= 1;
        open.series -= self.series;
        if let Some(own) = open.by_principal.get_mut(&self.key) {
            *own -= 1;
            if *own == 0 {
                open.by_principal.remove(&self.key);
            }
        }
        self.gauge.add(-1);
    }
}

/// Values as they change and the flow, as server-sent events.
///
/// `event: values` has `{"series":{"<id>":sample}}`: first all that are asked for (null where no value came
/// yet), then those that changed, at most ten events a second. `event: flow` has the flow document once a
/// second. `event: end` says why the stream ends: `session-expired`, `shutting-down`, or `too-slow` for a client
/// that took nothing for half a minute.
#[utoipa::path(get, path = "/api/v1/live", tag = "flow",
    params(("series" = Option<String>, Query, description = "Ids with commas between them, at most 500.")),
    responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(crate) async fn live(
    State(core): State<Arc<Core>>,
    principal: Principal,
    params: Params,
) -> Result<Response, ApiError> {
    let ids = ids(params.text("series").unwrap_or_default())?;
    let guard = core.streams.open(&principal, ids.len())?;
    let body = Body::from_stream(stream::events(&core, principal, ids, guard));
    // Proxies that buffer would turn a live stream into one that comes too late.
    let headers = [(header::CONTENT_TYPE.as_str(), "text/event-stream"), ("x-accel-buffering", "no")];
    Ok((headers, body).into_response())
}

fn ids(text: &str) -> Result<Vec<u64>, ApiError> {
    let mut ids = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            part.parse().map_err(|_| {
                ApiError::invalid("series", format!("'{}' is not the id of a series", shorten(part)))
            })
        })
        .collect::<Result<Vec<u64>, ApiError>>()?;
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > SERIES_MAX {
        let text = format!("{} series are asked for; a stream has at most {SERIES_MAX}", ids.len());
        return Err(ApiError::invalid("series", text));
    }
    Ok(ids)
}

/// Whether whoever opened a stream may still see it.
async fn may_go_on(core: &Core, principal: &Principal) -> bool {
    let via = principal.via.clone();
    let check = core.accounts.with_docs(move |docs, clock| match via {
        Via::Session { key, .. } => sessions::lives(docs, &key, clock.now()),
        Via::Token { key } => tokens::lives(docs, &key, clock.now()),
    });
    // A store that fails for a moment does not end the streams; one that says no does.
    check.await.unwrap_or(true)
}
