//! OPC UA PubSub messages (OPC 10000-14 v1.05): UADP and JSON, from and to the batches of `gemba-model`.
//!
//! Purpose: what goes over the wire between publisher and subscriber, exact to the tick and the status bit.
//! Knows: NetworkMessages, DataSetMessages, metadata announcements, their limits and how to split at them.
//! Does not know: any socket, file, clock, runtime, device or other crate of the house than `gemba-model`.
//!
//! An encoder takes batches and yields [`Outcome`]s: finished payloads, and each sample that no payload can
//! carry. A decoder takes a payload and yields [`Received`]: data as batches, or a data set's description.

mod data_sets;
mod error;
mod facts;
pub mod fuzz;
pub mod json;
mod layers;
mod network_message;
mod payload;
pub mod uadp;

pub use data_sets::{DataSets, NoDataSets, WriterRef};
pub use error::{DecodeError, EncodeError};
pub use network_message::{
    DataSetMessage, FrameKind, MetaDataMessage, NetworkMessage, PublisherId, Received, Skipped,
};
pub use payload::{Limits, Outcome, Payload, Refusal, RefusedSample};
