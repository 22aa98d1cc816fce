//! Servers that make load: many variables that change on the tick of a clock.

pub mod counter;
pub mod mixed;
pub mod options;
mod running;
mod tick;
pub mod waveform;

pub use counter::{counter_at, expected, instant_of};
pub use options::{Kind, LoadOptions, TagGroup};
pub use running::{LoadEndpoint, NAMESPACE_URI, RunningLoad, run};
