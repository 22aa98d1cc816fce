//! What goes wrong, and when it is mended.

use crate::network::Cut;
use crate::node::Death;
use gemba_testkit::{FaultyDisk, Rng};
use std::time::Duration;

/// Whose disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Edge(usize),
    Hub,
    Historian,
}

/// Something that happens to the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A process dies and is started again after a while.
    Dies(Whose, Death, Duration),
    /// The power goes with one of the next syncs.
    CollapsesSoon(Whose, u64, Duration),
    /// A process is stopped in order and started again.
    Restarts(Whose, Duration),
    /// An edge's connection ends.
    Cut(usize, Cut),
    /// An edge cannot reach the hub for a while.
    Unreachable(usize, Cut, Duration),
    /// Bytes are late for a while.
    Slow(usize, Duration, Duration),
    /// Others fill the disk for a while; the volume says so, or not.
    Full(Whose, bool, Duration),
    /// The disk fails once.
    DiskFails(Whose, DiskFault),
    /// A wall clock is set wrong, by so many seconds.
    ClockIsSet(Whose, i64),
    /// The document store fails for a while.
    DocsFail(Duration),
    /// A bit of an old file turns: of a log's closed segment, or of the historian's samples. The numbers choose.
    Rots(Whose, u64, u64),
    /// An edge's disk is replaced by an empty one.
    Wiped(usize, Duration),
    /// An edge's disk is replaced by an old copy of it.
    PutBack(usize, Duration),
}

/// What a disk refuses, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiskFault {
    Sync,
    FolderSync,
    WriteAfter(u64),
    SetLen,
    Remove,
    Read,
}

impl DiskFault {
    pub(crate) fn put(self, disk: &FaultyDisk) {
        match self {
            Self::Sync => disk.fail_next_sync(),
            Self::FolderSync => disk.fail_next_folder_sync(),
            Self::WriteAfter(bytes) => disk.fail_write_after(bytes),
            Self::SetLen => disk.fail_next_set_len(),
            Self::Remove => disk.fail_next_remove(),
            Self::Read => disk.fail_next_read(),
        }
    }
}

/// How a run is disposed: seeds differ in what happens often.
#[derive(Debug, Clone)]
pub(crate) struct Fate {
    rng: Rng,
    edges: u64,
    weights: [u64; KINDS],
    pace: Duration,
}

const KINDS: usize = 13;

impl Fate {
    pub(crate) fn new(edges: usize, mut rng: Rng) -> Self {
        let mut weights = [0; KINDS];
        // Each kind is left out of a third of the runs, and is common in some.
        for weight in &mut weights {
            *weight = rng.pick(&[0, 1, 4]);
        }
        if rng.one_in(4) {
            weights = [1; KINDS];
        }
        // Losing a disk takes everything with it; it must not hide the rest.
        weights[KINDS - 3] = u64::from(rng.one_in(4));
        weights[KINDS - 2] = u64::from(rng.one_in(6));
        weights[KINDS - 1] = u64::from(rng.one_in(6));
        let pace = Duration::from_secs(10 + rng.below(230));
        Self { rng, edges: edges as u64, weights, pace }
    }

    /// From one fault to the next.
    pub(crate) fn pause(&mut self) -> Duration {
        Duration::from_millis(1 + self.rng.below(self.pace.as_millis() as u64 * 2))
    }

    pub(crate) fn next(&mut self) -> Fault {
        let total: u64 = self.weights.iter().sum();
        let mut at = self.rng.below(total.max(1));
        let mut kind = 0;
        for (index, weight) in self.weights.iter().enumerate() {
            if at < *weight {
                kind = index;
                break;
            }
            at -= weight;
        }
        let edge = self.rng.below(self.edges) as usize;
        let whose = self.whose(edge);
        match kind {
            0 => Fault::Dies(whose, self.death(), self.outage()),
            1 => Fault::CollapsesSoon(whose, self.rng.below(40), self.outage()),
            2 => Fault::Restarts(whose, self.outage()),
            3 => Fault::Cut(edge, self.cut()),
            4 => Fault::Unreachable(edge, self.cut(), self.outage()),
            5 => {
                let least = Duration::from_millis(self.rng.below(2_000));
                Fault::Slow(edge, least, self.outage())
            }
            6 => Fault::Full(whose, self.rng.one_in(3), self.outage()),
            7 => Fault::DiskFails(whose, self.disk_fault()),
            8 => Fault::ClockIsSet(whose, self.clock()),
            9 => Fault::DocsFail(self.outage()),
            10 => Fault::Rots(whose, self.rng.number(), self.rng.number()),
            11 => Fault::Wiped(edge, self.outage()),
            _ => Fault::PutBack(edge, self.outage()),
        }
    }

    fn whose(&mut self, edge: usize) -> Whose {
        match self.rng.below(4) {
            0 => Whose::Hub,
            1 => Whose::Historian,
            _ => Whose::Edge(edge),
        }
    }

    fn death(&mut self) -> Death {
        if self.rng.one_in(2) { Death::Killed } else { Death::PowerCut }
    }

    fn cut(&mut self) -> Cut {
        let late = Duration::from_millis(1 + self.rng.below(60_000));
        self.rng.pick(&[Cut::Reset, Cut::Silent, Cut::SilentLater, Cut::Straggling(late)])
    }

    /// Mostly seconds, sometimes most of an hour.
    fn outage(&mut self) -> Duration {
        let most = self.rng.pick(&[2_000, 20_000, 120_000, 1_800_000]);
        Duration::from_millis(10 + self.rng.below(most))
    }

    fn clock(&mut self) -> i64 {
        if self.rng.one_in(4) {
            return self.rng.pick(&[-3_600, 3_600]);
        }
        let most = self.rng.pick(&[5, 300, 3_600]);
        self.rng.below(2 * most + 1) as i64 - most as i64
    }

    fn disk_fault(&mut self) -> DiskFault {
        match self.rng.below(6) {
            0 => DiskFault::Sync,
            1 => DiskFault::FolderSync,
            2 => DiskFault::WriteAfter(self.rng.below(4_096)),
            3 => DiskFault::SetLen,
            4 => DiskFault::Remove,
            _ => DiskFault::Read,
        }
    }
}
