//! The network between edges and hub.

use crate::trace::Trace;
use crate::wire::Wire;
use gemba_base::Tasks;
use gemba_hub::MqttFront;
use gemba_net::ConnectError;
use gemba_net::mqtt::{Dial, Duplex};
use gemba_testkit::Rng;
use parking_lot::Mutex;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How late bytes are on a good day.
const USUAL_DELAY: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

/// One edge's way to the hub.
#[derive(Debug)]
struct Way {
    wires: Vec<Wire>,
    is_reachable: bool,
    delay: (Duration, Duration),
}

struct State {
    rng: Rng,
    ways: Vec<Way>,
    /// The hub, while it runs, and the branch for its connections.
    hub: Option<(MqttFront, Tasks)>,
}

/// All of it. Clones are the same network.
#[derive(Clone)]
pub(crate) struct Network {
    state: Arc<Mutex<State>>,
    trace: Trace,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

/// How a connection ends that nobody wanted to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Both ends learn it at once.
    Reset,
    /// Nobody learns it, and what is on its way is lost.
    Silent,
    /// Nobody learns it, but what is on its way arrives.
    SilentLater,
    /// The device learns it at once, and what it had sent arrives so much later.
    Straggling(Duration),
}

impl Network {
    pub(crate) fn new(edges: usize, seed: u64, trace: Trace) -> Self {
        let way = || Way { wires: Vec::new(), is_reachable: true, delay: USUAL_DELAY };
        let state = State { rng: Rng::new(seed), ways: (0..edges).map(|_| way()).collect(), hub: None };
        Self { state: Arc::new(Mutex::new(state)), trace }
    }

    /// The hub listens from now on, or no longer.
    pub(crate) fn set_hub(&self, hub: Option<(MqttFront, Tasks)>) {
        self.state.lock().hub = hub;
    }

    /// Ends all connections of an edge.
    pub(crate) fn cut(&self, edge: usize, cut: Cut) {
        let mut state = self.state.lock();
        let Some(way) = state.ways.get_mut(edge) else { return };
        for wire in way.wires.drain(..) {
            match cut {
                Cut::Reset => wire.reset(),
                Cut::Silent => wire.go_silent(false),
                Cut::SilentLater => wire.go_silent(true),
                Cut::Straggling(late) => wire.straggle(late),
            }
        }
    }

    /// Whether connections of an edge can be made.
    pub(crate) fn set_reachable(&self, edge: usize, is_reachable: bool) {
        if let Some(way) = self.state.lock().ways.get_mut(edge) {
            way.is_reachable = is_reachable;
        }
    }

    /// How late bytes of an edge are; `None` is as usual.
    pub(crate) fn set_delay(&self, edge: usize, delay: Option<(Duration, Duration)>) {
        if let Some(way) = self.state.lock().ways.get_mut(edge) {
            way.delay = delay.unwrap_or(USUAL_DELAY);
            way.wires.iter().for_each(|wire| wire.set_delay(way.delay));
        }
    }

    /// The most bytes that one connection has on its way.
    pub(crate) fn bytes_max(&self) -> usize {
        let state = self.state.lock();
        state.ways.iter().flat_map(|way| way.wires.iter().map(Wire::bytes)).max().unwrap_or(0)
    }

    /// The way of an edge.
    pub(crate) fn dialer(&self, edge: usize) -> Arc<dyn Dial> {
        Arc::new(Dialer { network: self.clone(), edge })
    }

    /// A connection, unless the hub is down. `None` when nothing answers.
    fn connect(&self, edge: usize) -> Option<Result<Box<dyn Duplex>, io::Error>> {
        let mut state = self.state.lock();
        let State { rng, ways, hub } = &mut *state;
        let way = ways.get_mut(edge).filter(|way| way.is_reachable)?;
        let Some((front, tasks)) = hub.clone() else {
            return Some(Err(io::ErrorKind::ConnectionRefused.into()));
        };
        let (wire, device, at_hub) = Wire::new(rng.number(), way.delay);
        way.wires.retain(|wire| !wire.is_gone());
        way.wires.push(wire);
        let peer = ([10, 0, 0, edge as u8], 1024).into();
        let session = async move { front.serve(at_hub, peer).await };
        drop(tasks.spawn(session));
        self.trace.note(format_args!("edge-{edge} dials"));
        Some(Ok(Box::new(device)))
    }
}

#[derive(Debug)]
struct Dialer {
    network: Network,
    edge: usize,
}

impl Dial for Dialer {
    fn dial<'a>(
        &'a self,
        host: &'a str,
        port: u16,
        within: Duration,
    ) -> Pin<Box<dyn Future<Output = Result<Box<dyn Duplex>, ConnectError>> + Send + 'a>> {
        let target = format!("{host}:{port}");
        Box::pin(async move {
            tokio::time::sleep(USUAL_DELAY.1).await;
            match self.network.connect(self.edge) {
                Some(outcome) => outcome.map_err(|source| ConnectError::Tcp { target, source }),
                None => {
                    tokio::time::sleep(within).await;
                    Err(ConnectError::Timeout { target, seconds: within.as_secs() })
                }
            }
        })
    }
}
