//! The console over real HTTP, with made-up rooms behind it and a real registry.
#![allow(clippy::indexing_slicing, reason = "a test may panic")]

mod access;
mod accounts;
mod client;
mod compression;
mod floods;
mod house;
mod live;
mod openapi;
mod page;
mod peers;
mod plant;
mod reads;
mod schema;
mod schemathesis;
mod sessions;
mod streams;
mod tables;
