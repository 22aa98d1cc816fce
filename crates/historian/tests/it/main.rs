//! The historian through its public face.

mod answers;
mod formats;
mod gaps;
mod house;
mod restarts;
#[path = "../../src/testing.rs"]
mod testing;
