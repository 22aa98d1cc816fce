//! Values for the eye: sines, saws and random walks, determined by seed, node and tick.

use crate::random::{fraction, mix};
use std::f64::consts::TAU;

/// The value of node `i` (from 1) at a tick: for `i % 3` = 1 a sine, 2 a saw, 0 a random walk.
///
/// Amplitudes lie between 10 and 110, periods between 60 and 180 ticks, both fixed by seed and node.
pub fn value(seed: u64, node: u32, tick: u64) -> f64 {
    let character = mix(seed ^ u64::from(node));
    let amplitude = 10.0 + 100.0 * fraction(character);
    let period = 60 + mix(character) % 121;
    let phase = (tick.wrapping_add(character) % period) as f64 / period as f64;
    match node % 3 {
        1 => amplitude * (TAU * phase).sin(),
        2 => amplitude * phase,
        _ => amplitude * walk(character, tick),
    }
}

/// A walk without memory, so that a restart continues it: noise at ever longer periods added up.
fn walk(character: u64, tick: u64) -> f64 {
    (0..12_u32).map(|octave| smooth(mix(character ^ u64::from(octave)), tick, octave)).sum::<f64>() / 12.0
}

/// Noise between -1 and 1 that takes 2^octave ticks from one value to the next.
fn smooth(character: u64, tick: u64, octave: u32) -> f64 {
    let (step, width) = (tick >> octave, (1_u64 << octave) as f64);
    let at = (tick & ((1 << octave) - 1)) as f64 / width;
    let noise = |step: u64| 2.0 * fraction(mix(character ^ step)) - 1.0;
    noise(step) * (1.0 - at) + noise(step.wrapping_add(1)) * at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_are_bounded_move_and_can_be_repeated() {
        for node in 1..=30 {
            let wave = |seed| (0..500).map(|tick| value(seed, node, tick)).collect::<Vec<_>>();
            let first = wave(1);
            assert!(first.iter().all(|value| value.abs() <= 110.0), "node {node}");
            assert!(first.windows(2).filter(|pair| pair[0] != pair[1]).count() > 490, "node {node}");
            assert_eq!(first, wave(1));
            assert_ne!(first, wave(2));
        }
    }
}
