//! The field: what runs close to the machines.
//!
//! Purpose: `publishednodes.json` becomes subscriptions, subscriptions become batches for the uplink.
//! Knows: OPC UA through `ua`, the uplink through `api`.
//! Does not know: how batches are encoded, queued or sent, or any other room of the house.

mod describe;
pub mod plan;
pub mod published_nodes;
mod publisher;
mod sink;
mod sources;

pub use publisher::{Publisher, PublisherOptions};
