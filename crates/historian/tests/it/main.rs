//! The historian through its public face.

mod answers;
mod formats;
mod fuzzing;
mod gaps;
mod house;
mod peers;
mod restarts;
mod tables;
#[path = "../../src/testing.rs"]
mod testing;
