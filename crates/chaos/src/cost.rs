//! What a fault may cost: the causes that the ledger may name afterwards, and for which times.

use crate::edge::Edge;
use crate::fate::{Fault, Whose};
use crate::oracle::Excuse;
use gemba_model::{DateTime, GapReason, Hop};
use gemba_testkit::FaultyDisk;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What was under way when a fault began was a little older.
const BEFORE: Duration = Duration::from_secs(60);
/// How long after its end a fault may be felt: processes start, connections are made, what waits is worked off.
const RECOVERY: Duration = Duration::from_secs(900);
/// A token of an edge is good for an hour; a hub whose clock is so far ahead of the edge's lets it in no more.
const SKEW_SECONDS: i64 = 3_000;

/// Notes for each edge what a fault that begins now may cost it.
pub(crate) fn of(fault: Fault, edges: &[Edge], now: DateTime) {
    for edge in edges {
        let (is_hit, lasts) = blocks(fault, edge.index);
        if is_hit && edge.may_drop() {
            let to = now.saturating_add(lasts).saturating_add(RECOVERY).ticks();
            dropped(edge, now, to);
        }
    }
    match fault {
        Fault::Wiped(index, lasts) => {
            let to = now.saturating_add(lasts).saturating_add(RECOVERY).ticks();
            restarted(edges, index, now, to);
        }
        // Until it has come to where it was, each of its starts looks like another edge.
        Fault::PutBack(index, _) => restarted(edges, index, now, i64::MAX),
        _ => {}
    }
}

/// Clocks were set: an edge that cannot log in any more keeps everything until they are set again.
pub(crate) fn of_clocks(edges: &[Edge], hub_off: i64, now: DateTime) {
    let locked_out = |edge: &&Edge| hub_off - edge.clock.off_seconds() > SKEW_SECONDS && edge.may_drop();
    edges.iter().filter(locked_out).for_each(|edge| dropped(edge, now, i64::MAX));
}

/// A file of somebody rotted: what it held is old.
pub(crate) fn of_rot(edges: &[Edge], whose: Whose, now: DateTime) {
    let hop = match whose {
        Whose::Edge(_) => Hop::Edge,
        Whose::Hub => Hop::Hub,
        Whose::Historian => Hop::Store,
    };
    let is_hit = |edge: &&Edge| !matches!(whose, Whose::Edge(index) if index != edge.index);
    let to = now.saturating_add(BEFORE).ticks();
    for edge in edges.iter().filter(is_hit) {
        edge.excuse(Excuse { reason: GapReason::Corruption, hop, from: i64::MIN, to });
        if whose == Whose::Hub {
            // What told the cause of missing messages may be gone; then their absence is all that is known.
            edge.excuse(Excuse { reason: GapReason::SequenceGap, hop, from: i64::MIN, to });
            // So may be a description, and what it describes waits for it.
            let (reason, hop) = (GapReason::MissingMetadata, Hop::Store);
            edge.excuse(Excuse { reason, hop, from: i64::MIN, to });
        }
    }
}

fn dropped(edge: &Edge, now: DateTime, to: i64) {
    let from = now.saturating_sub(BEFORE).ticks();
    edge.excuse(Excuse { reason: GapReason::Drop, hop: Hop::Edge, from, to });
}

fn restarted(edges: &[Edge], index: usize, now: DateTime, to: i64) {
    let Some(edge) = edges.get(index) else { return };
    for hop in [Hop::Edge, Hop::Field] {
        edge.excuse(Excuse { reason: GapReason::EdgeRestart, hop, from: now.ticks(), to });
    }
}

/// Whether a fault keeps an edge from delivering, and for how long.
fn blocks(fault: Fault, edge: usize) -> (bool, Duration) {
    let hub_or = |whose: Whose| whose == Whose::Hub || whose == Whose::Edge(edge);
    match fault {
        Fault::Dies(whose, _, lasts)
        | Fault::CollapsesSoon(whose, _, lasts)
        | Fault::Restarts(whose, lasts)
        | Fault::Full(whose, _, lasts) => (hub_or(whose), lasts),
        Fault::DiskFails(whose, _) => (hub_or(whose), Duration::ZERO),
        Fault::Cut(at, _) => (at == edge, Duration::ZERO),
        Fault::Unreachable(at, _, lasts)
        | Fault::Slow(at, _, lasts)
        | Fault::Wiped(at, lasts)
        | Fault::PutBack(at, lasts) => (at == edge, lasts),
        Fault::DocsFail(lasts) => (true, lasts),
        Fault::ClockIsSet(..) | Fault::Rots(..) => (false, Duration::ZERO),
    }
}

/// Turns a bit of a file that is not written any more. False when there is none.
pub(crate) fn rot(disk: &FaultyDisk, whose: Whose, which: u64, place: u64) -> Option<PathBuf> {
    let (folder, extension, keeps_newest) = match whose {
        Whose::Edge(_) => ("/data/log", "log", true),
        Whose::Hub => ("/log", "log", true),
        Whose::Historian => ("/hist/samples", "parquet", false),
    };
    let mut by_folder: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in disk.paths() {
        if path.starts_with(folder) && path.extension().is_some_and(|found| found == extension) {
            by_folder.entry(path.parent().unwrap_or(Path::new("/")).to_owned()).or_default().push(path);
        }
    }
    let mut paths: Vec<PathBuf> = Vec::new();
    for mut found in by_folder.into_values() {
        if keeps_newest {
            found.pop();
        }
        paths.extend(found);
    }
    let path = paths.get(which.checked_rem(paths.len() as u64)? as usize)?.clone();
    let length = disk.contents(&path)?.len() as u64;
    let position = (place / 8).checked_rem(length)? as usize;
    disk.flip(&path, position, 1 << (place % 8));
    Some(path)
}
