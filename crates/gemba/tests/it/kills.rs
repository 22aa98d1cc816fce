//! Kills, cuts and full disks in random order from a printed seed: nothing is lost, nothing is stored twice,
//! and what a server never sent is in the ledger.
//!
//! `GEMBA_SOAK_EVENTS` and `GEMBA_SOAK_SEED` make a longer or a repeated run.

mod faults;
mod rig;

use crate::support::alone;
use crate::support::checker::{self, Clockwork, Gap, Series};
use faults::{Fault, Window};
use gemba_model::DateTime;
use rig::Rig;
use std::collections::BTreeMap;
use std::time::Duration;

/// Events of the short form.
const EVENTS: u64 = 30;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn kills_cuts_and_full_disks_lose_nothing() {
    let _alone = alone();
    let events = setting("GEMBA_SOAK_EVENTS").unwrap_or(EVENTS);
    let seed = setting("GEMBA_SOAK_SEED").unwrap_or_else(gemba_base::random::number);
    println!("seed {seed}, {events} events");
    let mut rig = Rig::start();
    let kinds = rig.possible_faults();
    let mut random = seed;
    let mut windows = Vec::new();
    for event in 0..events {
        let fault = kinds[(next(&mut random) % kinds.len() as u64) as usize];
        let hold = Duration::from_millis(200 + next(&mut random) % 3000);
        let pause = Duration::from_millis(next(&mut random) % 1500);
        let window = rig.inflict(fault, hold);
        println!(
            "{event:>4} {fault:?} for {hold:?}: whole again after {:.1} s",
            window.to.since(window.from).as_secs_f64()
        );
        windows.push(window);
        rig.run_for(pause);
    }
    rig.settle();
    check(&rig, &windows);
    rig.stop();
}

fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let mixed = (*random ^ (*random >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    mixed ^ (mixed >> 33)
}

fn check(rig: &Rig, windows: &[Window]) {
    let all = checker::series(&rig.rest);
    assert_eq!(all.len(), rig.series, "every tag is one series, also after restarts");
    let ledger = checker::gaps(&rig.rest);
    let clockwork = Clockwork { epoch: gemba_sim::load::counter::EPOCH };
    let mut missing: BTreeMap<u64, u64> = BTreeMap::new();
    let mut stored = 0;
    for series in &all {
        let counts = checker::counts(&rig.rest, series.id);
        stored += counts.len();
        let holes = clockwork.check(series, &counts);
        clockwork.check_holes(series, &holes, &ledger);
        missing.insert(series.id, holes.iter().map(|(before, after)| after - before - 1).sum());
    }
    check_ledger(&ledger, windows, &all);
    check_counts(&ledger, &missing);
    println!(
        "{stored} counts of {} series stored once; ledger: {:?}",
        all.len(),
        checker::by_reason(&ledger)
    );
}

/// A gap without a fault is a lie; a gap at a fault that loses nothing is a loss.
fn check_ledger(ledger: &[Gap], windows: &[Window], all: &[Series]) {
    let slack = Duration::from_secs(2);
    for gap in ledger {
        let (from, to) =
            (gap.from.unwrap_or(DateTime::MIN), gap.to.unwrap_or(DateTime::from_ticks(i64::MAX)));
        let overlaps = |window: &&Window| {
            from <= window.to.saturating_add(slack) && to >= window.from.saturating_sub(slack)
        };
        let faults: Vec<Fault> = windows.iter().filter(overlaps).map(|window| window.fault).collect();
        let name =
            all.iter().find(|series| series.id == gap.series).map_or("?", |series| series.name.as_str());
        assert!(!faults.is_empty(), "{name}: {gap:?} is at no fault; faults: {windows:?}");
        assert!(gap.closed, "{name}: {gap:?} is still open");
        let may_lose = faults.contains(&Fault::KillSimulator);
        assert!(gap.count == Some(0) || may_lose, "{name}: {gap:?} at {faults:?}, which must lose nothing");
    }
}

/// Where the ledger gives counts, they are all that is missing.
fn check_counts(ledger: &[Gap], missing: &BTreeMap<u64, u64>) {
    for (series, missing) in missing {
        let of_series = ledger.iter().filter(|gap| gap.series == *series);
        let (known, unknown): (Vec<&Gap>, Vec<&Gap>) = of_series.partition(|gap| gap.count.is_some());
        let counted: u64 = known.iter().filter_map(|gap| gap.count).sum();
        if unknown.is_empty() {
            assert_eq!(counted, *missing, "series {series}: the ledger's counts are not what is missing");
        } else {
            assert!(
                counted <= *missing,
                "series {series}: the ledger counts {counted}, {missing} are missing"
            );
        }
    }
}
