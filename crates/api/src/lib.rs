//! The seams of the house: the traits that rooms are handed and the shapes that REST shows.
//!
//! Purpose: a room imports this crate instead of its neighbour.
//! Knows: `model`'s words.
//! Does not know: who implements a trait, any socket, file or clock.

pub mod completeness;
pub mod docs;
pub mod flow;
pub mod history;
pub mod log;
pub mod rest;
pub mod uplink;

use std::future::Future;
use std::pin::Pin;

/// A future behind a pointer, so that traits at seams stay dyn-compatible; one allocation a batch, never a value.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub use completeness::{GapEntry, GapQuery, Ledger, WriterCompleteness};
pub use docs::{DocStore, Document, Etag, StoreError, Write};
pub use flow::{Problem, SourceReport, SourceState, Stage, StageReport};
pub use history::{
    Bucket, History, HistoryError, Page, SampleQuery, SampleTable, SeriesInfo, StoredSample, TableFormat,
};
pub use log::{DeviceMessage, EventLog, LogEntry, LogError, LogItem};
pub use uplink::{CursorUpdate, Delivery, Uplink, UplinkError};
