//! What the encodings promise, from outside.
#![allow(clippy::indexing_slicing)] // A test that indexes beyond the end fails, as it should.

mod arbitrary;
mod golden;
mod json;
mod limits;
mod meta_data;
mod robustness;
mod round_trip;
mod uadp;
