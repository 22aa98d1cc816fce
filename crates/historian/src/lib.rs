//! The historian: keeps every value that the event log holds, answers reads, and proves what is missing.
//!
//! Purpose: consume the log, store samples in sorted Parquet files, keep the ledger of gaps.
//! Knows: the log, documents and clock that it is handed, and its folder.
//! Does not know: who delivers, who asks, or any room of the house.
//!
//! [`Historian::start`] opens the folder, reads the log from where the files end, and goes on from there.
//! What is in memory is always in the log too, so that a crash loses nothing.

mod day;
mod decoder;
mod descriptions;
mod engine;
mod error;
mod file;
pub mod fuzz;
mod history;
mod ledger;
mod manifest;
mod memtable;
mod options;
mod pending;
mod problems;
mod producers;
mod read;
mod row;
mod sealed;
mod series;
mod service;
mod table;
#[cfg(test)]
mod testing;

pub use error::HistorianError;
pub use options::HistorianOptions;
pub use service::Historian;
pub use table::{Kinds, sample_table};
