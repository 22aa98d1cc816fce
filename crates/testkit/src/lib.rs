//! What tests of several crates share: a disk that loses what was not synced, and numbers by seed.
//!
//! Purpose: fakes that misbehave as the real thing does, and always the same way for the same seed.
//! Knows: the seams of `gemba-base`.
//! Does not know: any room of the house. A dev-dependency only.

pub mod disk;
pub mod rng;

pub use disk::FaultyDisk;
pub use rng::Rng;
