//! The tools of the house: what every room needs and none should write twice.
//!
//! Purpose: clock, disk, configuration layers, counters, task tree with drain, backoff, atomic files, secrets.
//! Knows: the operating system and tokio.
//! Does not know: OPC UA, MQTT, HTTP or any room of the house.

pub mod backoff;
pub mod clock;
pub mod config;
pub mod disk;
pub mod files;
pub mod metrics;
pub mod nearest;
pub mod random;
pub mod secret;
pub mod tasks;

pub use backoff::Backoff;
pub use clock::{Clock, SystemClock};
pub use metrics::{Counter, Gauge, Metrics};
pub use secret::Secret;
pub use tasks::Tasks;
