//! The log as its users and their disks treat it.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that indexes wrongly should fail")]

mod ahead;
mod appends;
mod damage;
mod full;
mod fuzzing;
mod golden;
mod house;
mod model;
mod poison;
mod process;
mod reads;
mod torn;
mod trims;
