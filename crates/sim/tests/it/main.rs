//! The servers of the simulated plant, seen by a client of the OPC UA stack itself.

mod factory;
mod load;
mod peer;
mod server_access;
mod server_nodes;
mod server_values;
