//! The words of the house: OPC UA values, identifiers and batches, with no behaviour beyond themselves.
//!
//! Purpose: one meaning for each word on every path.
//! Knows: OPC 10000-3, -4 and -6 value types, their text forms and their binary encoding.
//! Does not know: any socket, file, clock, runtime or other crate of the house.

pub mod binary;
pub mod data_set;
pub mod gap;
pub mod ids;
pub mod node_id;
pub mod sample;
pub mod status;
mod status_names;
pub mod text;
pub mod time;
pub mod variant;

pub use data_set::{ConfigurationVersion, DataSetMetaData, DataSetSource, FieldMetaData, WriterKey};
pub use gap::{FieldGap, GapMessage, GapReason, GapRecord, GapScope, Hop, Part, ProducerStart};
pub use ids::{DeviceId, ErrorCode, MessageId};
pub use node_id::{ExpandedNodeId, Guid, Identifier, Namespace, NodeId};
pub use sample::{Sample, SampleBatch, Value};
pub use status::StatusCode;
pub use time::DateTime;
pub use variant::{BuiltInType, ExtensionObject, LocalizedText, QualifiedName, Variant};
