//! Gemba's face on the OPC UA stack.
//!
//! Purpose: sessions with an own publish loop, a hot decoder for notifications, certificate validation, and a server.
//! Knows: async-opcua, and is the only crate that names it.
//! Does not know: data sets, edges, hubs, or any room of the house.

// Errors are rare, and name files and certificates: their size is worth it.
#![allow(clippy::result_large_err)]

pub mod client;
pub mod server;
