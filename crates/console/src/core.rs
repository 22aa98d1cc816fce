//! The console's parts, and the router over them.

use crate::auth::Accounts;
use crate::blocking::Workers;
use crate::flow::Board;
use crate::guard::Peer;
use crate::live::Streams;
use crate::rates::Rates;
use crate::{ApiError, access, guard, headers, openapi, routes, web};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use gemba_api::flow::FlowSource;
use gemba_api::{DocStore, History, Ledger};
use gemba_base::{Clock, Metrics, Tasks};
use gemba_model::DateTime;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::compression::{CompressionLayer, CompressionLevel};

/// Says whether the process is ready, and if not, why not.
pub type Ready = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Bodies of requests are small: the largest is a user with a password.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// People see no more than ten changes a second.
const PULSE_EVERY: Duration = Duration::from_millis(100);

/// What the console stands on.
pub struct ConsoleParts {
    /// Series and samples.
    pub history: Arc<dyn History>,
    /// Gaps and counts.
    pub ledger: Arc<dyn Ledger>,
    /// The stages' reports.
    pub flow: Arc<dyn FlowSource>,
    /// Users, sessions and tokens.
    pub docs: Arc<dyn DocStore>,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The branch on which the console's tasks run.
    pub tasks: Tasks,
    /// What `/readyz` says.
    pub ready: Ready,
    /// The program's version.
    pub version: String,
    /// IANA name of the plant's time zone, such as `Europe/Berlin`, if it is configured.
    pub time_zone: Option<String>,
    /// Names, besides those of loopback, by which the console may be called without TLS (no port).
    pub hosts: Vec<String>,
}

/// What a router is served over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// HTTP on loopback: Host headers are checked against DNS rebinding, cookies are not `Secure`.
    Loopback,
    /// HTTPS: cookies are `Secure`, browsers are told to stay with TLS.
    Tls,
}

/// The console. Clones are the same; it lives as long as its task branch.
#[derive(Clone)]
pub struct Console(Arc<Core>);

pub(crate) struct Core {
    pub(crate) history: Arc<dyn History>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) flow: Arc<dyn FlowSource>,
    pub(crate) accounts: Accounts,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tasks: Tasks,
    pub(crate) ready: Ready,
    pub(crate) version: String,
    pub(crate) time_zone: Option<String>,
    pub(crate) hosts: Vec<String>,
    pub(crate) started: DateTime,
    pub(crate) board: Board,
    pub(crate) streams: Streams,
    pub(crate) rates: Rates,
    /// Reads that end soon.
    pub(crate) reads: Workers,
    /// Reads that stream to a client, at the client's pace.
    pub(crate) exports: Workers,
    pub(crate) access: access::Table,
}

impl Console {
    /// Takes a first look at the flow and goes on looking once a second on the task branch.
    ///
    /// Call it inside a tokio runtime.
    pub fn start(parts: ConsoleParts) -> Self {
        let core = Arc::new(Core {
            accounts: Accounts::new(Arc::clone(&parts.docs), Arc::clone(&parts.clock)),
            started: parts.clock.now(),
            board: Board::new(parts.version.clone()),
            streams: Streams::new(&parts.metrics, parts.history.version()),
            rates: Rates::default(),
            reads: Workers::new("reads", 8, 256),
            exports: Workers::new("exports", 8, 8),
            access: access::Table::new(&openapi::document()),
            history: parts.history,
            ledger: parts.ledger,
            flow: parts.flow,
            metrics: parts.metrics,
            clock: parts.clock,
            tasks: parts.tasks,
            ready: parts.ready,
            version: parts.version,
            time_zone: parts.time_zone,
            hosts: parts.hosts,
        });
        core.look();
        core.tasks.spawn(keep_looking(Arc::clone(&core)));
        core.tasks.spawn(keep_pulse(Arc::clone(&core)));
        Self(core)
    }

    /// Everything under `/`. Serve it with `ConnectInfo<SocketAddr>` among the request's extensions (axum's
    /// `into_make_service_with_connect_info`), so that log-in limits tell addresses apart.
    pub fn router(&self, transport: Transport) -> Router {
        let core = Arc::clone(&self.0);
        let (router, _) = routes::all().split_for_parts();
        router
            .route_layer(compression())
            .route_layer(from_fn_with_state(Arc::clone(&core), guard::admit))
            .fallback(web::serve)
            .method_not_allowed_fallback(guard::method_not_allowed)
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .layer(from_fn_with_state((Arc::clone(&core), transport), guard::bound))
            .layer(from_fn(move |request, next| headers::protect(transport, request, next)))
            .with_state(core)
    }
}

impl Core {
    /// Takes one step of what an address may ask for without proof.
    pub(crate) fn admit_unknown(&self, peer: Peer, cost: u32) -> Result<(), ApiError> {
        self.rates.open(peer.0, cost, self.clock.monotonic())
    }

    fn look(&self) {
        let (now, monotonic) = (self.clock.now(), self.clock.monotonic());
        self.board.look(now, monotonic, self.flow.reports(), self.ledger.open_gaps());
    }
}

async fn keep_looking(core: Arc<Core>) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    second.tick().await;
    loop {
        tokio::select! {
            () = core.tasks.stopping() => return,
            _ = second.tick() => core.look(),
        }
    }
}

/// Looks ten times a second, for all live streams together, whether values came.
async fn keep_pulse(core: Arc<Core>) {
    let mut look = tokio::time::interval(PULSE_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = core.tasks.stopping() => return,
            _ = look.tick() => core.streams.beat(core.history.version()),
        }
    }
}

/// Answers of the API that are worth it, for those who accept it. The quickest level: half of the gain of the best one
/// at a fraction of its time. Live streams stay as they are, because an encoder would hold their events back; Parquet is
/// compressed already.
fn compression() -> CompressionLayer<impl Predicate> {
    let worth_it = SizeAbove::new(1_024)
        .and(NotForContentType::const_new("text/event-stream"))
        .and(NotForContentType::const_new("application/vnd.apache.parquet"));
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worth_it)
}
