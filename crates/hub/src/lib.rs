//! The hub: who may connect, what they send, and a log that keeps it until the historian has it.
//!
//! Purpose: take messages of authenticated devices, acknowledge them once they are durable, hand them on in order.
//! Knows: device identities, the MQTT front end, the partitioned event log and its consumers' offsets.
//! Does not know: what is inside a message body, who consumes the log, any other room of the house.

pub mod auth;
pub mod connections;
pub mod error;
pub mod flow;
pub mod identities;
pub mod log;
pub mod mqtt;
pub mod reason;
pub mod tap;

pub use connections::{ConnectionInfo, Connections};
pub use error::HubError;
pub use flow::HubFlow;
pub use identities::{DeviceIdentity, Identities, SECRET_COLLECTIONS};
pub use log::{HubLog, HubLogOptions, PartitionState};
pub use mqtt::{MqttFront, MqttOptions};
pub use reason::EndReason;
pub use tap::MessageTap;
