//! What tests of several crates share: a disk that loses what was not synced, numbers by seed, a driver for fuzzing,
//! and where other people's programs are.
//!
//! Purpose: fakes that misbehave as the real thing does, and always the same way for the same seed.
//! Knows: the seams of `gemba-base` and `gemba-api`.
//! Does not know: any room of the house. A dev-dependency only.

pub mod clock;
pub mod disk;
pub mod docs;
pub mod event_log;
pub mod fuzz;
pub mod peers;
pub mod rng;

pub use clock::ManualClock;
pub use disk::FaultyDisk;
pub use docs::MemoryDocs;
pub use event_log::MemoryLog;
pub use rng::Rng;
