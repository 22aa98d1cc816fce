//! The Azure IoT wire as texts and bytes: tokens, names, topics, property bags, limits.
//!
//! Purpose: one reading of the IoT Hub wire for the edge that speaks it and the hub that serves it.
//! Knows: SAS tokens, connection strings, the MQTT user name, topics and property bags of Azure IoT Hub.
//! Does not know: sockets, files, clocks, runtimes; who is enrolled and what happens with a message.

pub mod bag;
pub mod connection_string;
pub mod enrolment;
pub mod error;
pub mod fuzz;
pub mod host;
pub mod identity;
pub mod key;
pub mod limits;
pub mod login;
pub mod percent;
pub mod properties;
pub mod sas;
pub mod topic;

pub use bag::PropertyBag;
pub use connection_string::ConnectionString;
pub use enrolment::Enrolment;
pub use error::IotError;
pub use host::{HostNames, HostPort};
pub use identity::Identity;
pub use key::SymmetricKey;
pub use login::Login;
pub use properties::{MessageProperties, SystemProperty};
pub use sas::{SasToken, Scope};
pub use topic::{DeviceTopic, Filter, Topics};
