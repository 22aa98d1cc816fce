//! The simulated plant: stations that make things, and servers that make load.
//!
//! Purpose: OPC UA servers whose every value can be recomputed, for demonstrations, tests and measurements.
//! Knows: the rules of a station and of a production line, counters and waveforms.
//! Does not know: the OPC UA stack (it uses `gemba_ua::server`), or any room of the house.

pub mod error;
pub mod factory;
pub mod load;
pub mod personality;
pub mod published_nodes;
pub mod random;

pub use error::SimError;
