//! The servers of the simulated plant, seen by a client of the OPC UA stack itself.

// A test fails by panicking, in its helpers too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod factory;
mod foreign;
mod load;
mod peer;
mod personalities;
mod renewed;
mod server_access;
mod server_nodes;
mod server_values;
