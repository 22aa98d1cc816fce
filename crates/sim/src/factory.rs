//! The demonstration factory: production lines of three stations, each station an OPC UA server.
//!
//! The MES of a line works on its stations in the process; it is not an OPC UA client.

pub mod line;
pub mod mes;
mod nodes;
pub mod options;
mod running;
pub mod station;

pub use nodes::{NAMESPACE_URI, node_id, signal_name};
pub use options::{DEMO_CLOCK_FACTOR, FactoryOptions};
pub use running::{RunningFactory, StationEndpoint, run};
