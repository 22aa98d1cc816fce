//! One run: the chain, its faults in turn, the checks, and the end at which everything must be there.

use crate::check::{self, Counts, Moment};
use crate::cost;
use crate::edge::Edge;
use crate::fate::{Fate, Fault, Whose};
use crate::limits;
use crate::network::{Cut, Network};
use crate::node::{Death, RESERVE_BYTES, VOLUME_BYTES};
use crate::platform::Platform;
use crate::time::TrueTime;
use crate::trace::Trace;
use crate::{Outcome, Plan};
use gemba_testkit::{FaultyDisk, Rng};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// How often the checkers look at all that is stored.
const CHECK_EVERY: Duration = Duration::from_secs(600);
/// How often somebody looks at what came into the hub's log: before any of it is deleted.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How long after the last value everything that was delivered is gone: the historian writes, commits, the hub deletes.
const REST: Duration = Duration::from_secs(720);
/// How long everything may take to drain after the last fault.
const DRAIN_WITHIN: Duration = Duration::from_secs(3 * 3_600);

/// What happens at a time.
#[derive(Debug, Clone, Copy)]
enum Act {
    Fault,
    Check,
    Look,
    Starts(Whose),
    Reachable(usize),
    Prompt(usize),
    HasRoom(Whose),
    DocsWork,
    /// Looks whether the power has gone; dies then, or at the given time at the latest.
    Collapse(Whose, Instant, Duration),
}

struct World {
    edges: Vec<Edge>,
    platform: Platform,
    network: Network,
    fate: Fate,
    acts: BTreeMap<(Instant, u64), Act>,
    acts_made: u64,
    faults: u64,
    time: TrueTime,
    trace: Trace,
}

/// Runs a plan on this thread, in virtual time. The runtime must be paused and have one thread.
pub(crate) async fn run(plan: Plan) -> Outcome {
    let time = TrueTime::begin();
    let trace = Trace::new(time, plan.is_loud);
    let mut world = World::new(plan.seed, time, trace.clone());
    world.begin();
    let end = Instant::now() + Duration::from_secs_f64(plan.hours * 3_600.0);
    world.go_on_until(end).await;
    let counts = if trace.is_clean() { world.settle().await } else { Counts::default() };
    if let Some(text) = crate::panics::first() {
        trace.violation(format_args!("a task panicked: {text}"));
    }
    Outcome {
        plan,
        faults: world.faults,
        accepted: world.edges.iter().map(|edge| edge.oracle.lock().accepted()).sum(),
        stored: counts.stored,
        explained: counts.explained,
        hash: trace.hash(),
        virtual_time: time.elapsed(),
        violations: trace.violations(),
        last_lines: trace.last_lines(),
    }
}

impl World {
    fn new(seed: u64, time: TrueTime, trace: Trace) -> Self {
        let mut rng = Rng::new(seed);
        let count = 1 + rng.below(3) as usize;
        let network = Network::new(count, rng.number(), trace.clone());
        let platform = Platform::new(count, network.clone(), time, trace.clone(), Rng::new(rng.number()));
        let edge = |index| {
            let own = Rng::new(rng.number());
            Edge::new(index, network.clone(), time, trace.clone(), own)
        };
        let edges = (0..count).map(edge).collect();
        let fate = Fate::new(count, Rng::new(rng.number()));
        trace.note(format_args!("{fate:?}"));
        Self { edges, platform, network, fate, acts: BTreeMap::new(), acts_made: 0, faults: 0, time, trace }
    }

    fn begin(&mut self) {
        self.start(Whose::Hub);
        self.start(Whose::Historian);
        for index in 0..self.edges.len() {
            self.start(Whose::Edge(index));
        }
        self.after(Duration::from_secs(30), Act::Fault);
        self.after(CHECK_EVERY, Act::Check);
        self.after(LOOK_EVERY, Act::Look);
    }

    fn after(&mut self, pause: Duration, act: Act) {
        self.acts.insert((Instant::now() + pause, self.acts_made), act);
        self.acts_made += 1;
    }

    async fn go_on_until(&mut self, end: Instant) {
        while self.trace.is_clean() {
            let Some((&(at, number), _)) = self.acts.first_key_value() else { break };
            if at > end {
                break;
            }
            sleep_until(at).await;
            if let Some(act) = self.acts.remove(&(at, number)) {
                self.act(act).await;
            }
        }
        sleep_until(end).await;
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Fault => {
                let fault = self.fate.next();
                self.faults += 1;
                self.trace.note(format_args!("FAULT {fault:?}"));
                cost::of(fault, &self.edges, self.time.now());
                self.inject(fault).await;
                let pause = self.fate.pause();
                self.after(pause, Act::Fault);
            }
            Act::Check => {
                self.check_bounds();
                self.check(Moment::Midway);
                self.after(CHECK_EVERY, Act::Check);
            }
            Act::Look => {
                self.platform.look().await;
                self.after(LOOK_EVERY, Act::Look);
            }
            Act::Starts(whose) => self.start(whose),
            Act::Reachable(edge) => self.network.set_reachable(edge, true),
            Act::Prompt(edge) => self.network.set_delay(edge, None),
            Act::HasRoom(whose) => {
                self.disk(whose).set_bytes_of_others(0);
                self.disk(whose).hide_shortage(false);
            }
            Act::DocsWork => self.platform.docs.fail(false),
            Act::Collapse(whose, latest, outage) => {
                if self.disk(whose).is_off() || Instant::now() >= latest {
                    self.die(whose, Death::PowerCut).await;
                    self.after(outage, Act::Starts(whose));
                } else {
                    self.after(Duration::from_millis(20), act);
                }
            }
        }
    }

    async fn inject(&mut self, fault: Fault) {
        match fault {
            Fault::Dies(whose, death, outage) => {
                self.die(whose, death).await;
                self.after(outage, Act::Starts(whose));
            }
            Fault::CollapsesSoon(whose, syncs, outage) => {
                self.disk(whose).cut_power_after_syncs(syncs);
                let latest = Instant::now() + Duration::from_secs(30);
                self.after(Duration::ZERO, Act::Collapse(whose, latest, outage));
            }
            Fault::Restarts(whose, outage) => {
                self.stop(whose).await;
                self.after(outage, Act::Starts(whose));
            }
            Fault::Cut(edge, cut) => self.network.cut(edge, cut),
            Fault::Unreachable(edge, cut, outage) => {
                self.network.set_reachable(edge, false);
                self.network.cut(edge, cut);
                self.after(outage, Act::Reachable(edge));
            }
            Fault::Slow(edge, least, outage) => {
                self.network.set_delay(edge, Some((least, least * 2 + Duration::from_millis(100))));
                self.after(outage, Act::Prompt(edge));
            }
            Fault::Full(whose, hidden, outage) => {
                let disk = self.disk(whose);
                disk.set_bytes_of_others(VOLUME_BYTES - RESERVE_BYTES / 4);
                disk.hide_shortage(hidden);
                self.after(outage, Act::HasRoom(whose));
            }
            Fault::DiskFails(whose, what) => what.put(&self.disk(whose)),
            Fault::ClockIsSet(whose, seconds) => {
                match whose {
                    Whose::Edge(index) => {
                        self.edges
                            .iter()
                            .filter(|edge| edge.index == index)
                            .for_each(|edge| edge.clock.set_off(seconds));
                    }
                    Whose::Hub | Whose::Historian => self.platform.clock.set_off(seconds),
                }
                cost::of_clocks(&self.edges, self.platform.clock.off_seconds(), self.time.now());
            }
            Fault::Rots(whose, which, place) => {
                if let Some(path) = cost::rot(&self.disk(whose), whose, which, place) {
                    self.trace.note(format_args!("{} rots", path.display()));
                    cost::of_rot(&self.edges, whose, self.time.now());
                }
            }
            Fault::DocsFail(outage) => {
                self.platform.docs.fail(true);
                self.after(outage, Act::DocsWork);
            }
            Fault::Wiped(index, outage) | Fault::PutBack(index, outage) => {
                if let Some(edge) = self.edges.get_mut(index) {
                    edge.die(Death::Killed).await;
                    match fault {
                        Fault::PutBack(..) => {
                            edge.put_back();
                            self.platform.put_back(&edge.name()).await;
                        }
                        _ => edge.wipe(),
                    }
                }
                self.after(outage, Act::Starts(Whose::Edge(index)));
            }
        }
    }

    /// In good order.
    async fn stop(&mut self, whose: Whose) {
        match whose {
            Whose::Edge(index) => {
                if let Some(edge) = self.edges.get_mut(index) {
                    edge.stop().await;
                }
            }
            Whose::Hub => self.platform.stop().await,
            Whose::Historian => self.platform.historian_stops().await,
        }
    }

    fn disk(&self, whose: Whose) -> FaultyDisk {
        match whose {
            Whose::Edge(index) => match self.edges.get(index) {
                Some(edge) => edge.disk.clone(),
                None => FaultyDisk::new(0),
            },
            Whose::Hub => self.platform.hub_disk.clone(),
            Whose::Historian => self.platform.historian_disk.clone(),
        }
    }

    async fn die(&mut self, whose: Whose, death: Death) {
        match whose {
            Whose::Edge(index) => {
                if death == Death::PowerCut {
                    self.network.cut(index, Cut::SilentLater);
                }
                if let Some(edge) = self.edges.get_mut(index) {
                    edge.die(death).await;
                }
            }
            Whose::Hub => {
                if death == Death::PowerCut {
                    (0..self.edges.len()).for_each(|edge| self.network.cut(edge, Cut::Silent));
                }
                self.platform.die(death).await;
            }
            Whose::Historian => self.platform.historian_dies(death).await,
        }
    }

    /// Starts a process, or tries again soon. The historian comes with the hub.
    fn start(&mut self, whose: Whose) {
        let is_up = match whose {
            Whose::Edge(index) => self.edges.get_mut(index).is_none_or(Edge::start),
            Whose::Hub => {
                self.platform.start() && (self.platform.historian_runs() || self.platform.start_historian())
            }
            Whose::Historian => {
                !self.platform.is_running()
                    || self.platform.historian_runs()
                    || self.platform.start_historian()
            }
        };
        if !is_up {
            self.after(Duration::from_secs(1), Act::Starts(whose));
        }
    }

    fn check_bounds(&self) {
        let over = self.edges.iter().filter_map(Edge::over_bound).chain(self.platform.over_bound());
        over.for_each(|what| self.trace.violation(what));
        let most = 2 * (64 << 10);
        let bytes = self.network.bytes_max();
        if bytes > most {
            self.trace.violation(format_args!("a connection has {bytes} bytes on its way"));
        }
        self.trace.count(&self.platform.bounds());
    }

    fn check(&self, moment: Moment) -> Counts {
        let mut sum = Counts::default();
        let Some(historian) = self.platform.historian() else { return sum };
        for edge in &self.edges {
            let oracle = edge.oracle.lock();
            let counts = check::edge(historian, edge.index, edge.writers, &oracle, moment, &self.trace);
            if moment == Moment::AtTheEnd {
                let seen = self.platform.seen(&edge.name()).filter(|_| !edge.was_put_back);
                check::completeness(historian, &edge.name(), counts.stored, seen, &oracle, &self.trace);
            }
            sum.stored += counts.stored;
            sum.explained += counts.explained;
        }
        sum
    }

    /// Everything is mended; then nothing may wait any more, and everything must be there.
    async fn settle(&mut self) -> Counts {
        self.trace.note("everything is mended");
        self.mend().await;
        sleep(Duration::from_secs(120)).await;
        self.edges.iter().for_each(Edge::finish);
        let latest = Instant::now() + DRAIN_WITHIN;
        while !self.is_drained() {
            if Instant::now() > latest {
                let waiting: Vec<Option<u64>> = self.edges.iter().map(Edge::waiting).collect();
                let behind = self.platform.behind();
                self.trace.violation(format_args!("does not drain: edges {waiting:?}, historian {behind:?}"));
                return Counts::default();
            }
            sleep(Duration::from_secs(1)).await;
            self.mend().await;
        }
        self.trace.note("everything is drained");
        self.platform.look().await;
        self.check_bounds();
        let counts = self.check(Moment::AtTheEnd);
        sleep(REST).await;
        limits::at_rest(&self.edges, &self.platform, &self.trace);
        // What was taken in must also be found by the next process.
        self.platform.die(Death::PowerCut).await;
        while !self.is_drained() {
            sleep(Duration::from_secs(1)).await;
            self.mend().await;
            if Instant::now() > latest {
                self.trace.violation("does not come up again");
                return counts;
            }
        }
        self.platform.look().await;
        let again = self.check(Moment::AtTheEnd);
        if again != counts {
            self.trace.violation(format_args!("after a restart {again:?} is there instead of {counts:?}"));
        }
        counts
    }

    async fn mend(&mut self) {
        let pending: Vec<Act> = std::mem::take(&mut self.acts).into_values().collect();
        for act in pending {
            if let Act::Collapse(whose, ..) = act {
                self.die(whose, Death::PowerCut).await;
            }
        }
        self.platform.docs.fail(false);
        self.platform.clock.set_off(0);
        for whose in [Whose::Hub, Whose::Historian] {
            self.disk(whose).set_bytes_of_others(0);
            self.disk(whose).hide_shortage(false);
            self.disk(whose).forget_faults();
            self.start(whose);
        }
        for index in 0..self.edges.len() {
            self.network.set_reachable(index, true);
            self.network.set_delay(index, None);
            self.disk(Whose::Edge(index)).set_bytes_of_others(0);
            self.disk(Whose::Edge(index)).hide_shortage(false);
            self.disk(Whose::Edge(index)).forget_faults();
            if let Some(edge) = self.edges.get(index) {
                edge.clock.set_off(0);
            }
            self.start(Whose::Edge(index));
        }
    }

    fn is_drained(&self) -> bool {
        let is_still =
            |edge: &Edge| edge.is_running() && !edge.is_given_something() && edge.waiting() == Some(0);
        self.edges.iter().all(is_still) && self.platform.behind() == Some(0)
    }
}
