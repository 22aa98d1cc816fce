//! The short form of `cargo x sim`.

use gemba_chaos::{Plan, run};

/// Some seeds of a few minutes each; `cargo x sim --seeds 1000` runs more.
#[test]
fn no_seed_loses_doubles_or_leaves_a_hole_unexplained() {
    // With drops, restarts, cuts and clocks that are set among their faults.
    for seed in [2, 3, 6, 8] {
        let outcome = run(Plan { seed, hours: 0.1, is_loud: false });
        assert!(outcome.is_clean(), "{:#?}\nagain: {}", outcome.violations, outcome.command());
        assert!(outcome.accepted > 0 && outcome.stored > 0, "{outcome:?}");
    }
}

#[test]
fn a_seed_gives_the_same_trace_again() {
    for seed in [7, 8] {
        let plan = Plan { seed, hours: 0.1, is_loud: false };
        assert_eq!(run(plan), run(plan));
    }
}
