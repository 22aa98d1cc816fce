//! What the encodings promise, from outside.

mod arbitrary;
mod golden;
mod json;
mod limits;
mod meta_data;
mod robustness;
mod round_trip;
mod uadp;
