//! The server side: an address space of variables and methods with kept handles.
//!
//! Build an [`AddressSpaceBuilder`], start it with [`Server::start`], and write values through the
//! [`RunningServer`] with the handles that the builder gave out. A write costs one store per value;
//! only a variable that some client monitors costs more.
//!
//! What clients can rely on:
//! - Every write of a monitored variable that changes its value is reported, whatever sampling interval
//!   was asked for: items are exception-based, and the revised sampling interval is 0. Three cases are the
//!   stack's and stay as they are there, because it moves source timestamps to the sampling raster: a
//!   sampling interval of -1, one that is changed later by ModifyMonitoredItems, and source timestamps
//!   that go back for an item that did not ask for 0.
//! - Timestamps leave the server with the ticks that were written (years 1601 to 9999).
//! - Any client certificate is accepted at the secure channel: the stack has no hook there. Who may do
//!   what is decided by the user token.
//! - Without a data change filter an item reports changes of the value only; a new status with the same
//!   value needs a filter with the trigger StatusValue.

mod authenticator;
mod certificate;
mod convert;
mod declaration;
mod error;
mod node;
mod node_manager;
mod options;
mod running;
mod space;
mod values;

pub use declaration::{
    ArgumentDeclaration, DataType, EngineeringUnits, MethodDeclaration, NodeHandle, Parent,
    StructureDeclaration, StructureField, VariableDeclaration, VariableHandle,
};
pub use error::ServerError;
pub use options::{EndpointSecurity, ServerLimits, ServerOptions, User};
pub use running::{RunningServer, Server, ValueWriter};
pub use space::AddressSpaceBuilder;
pub use values::Update;

/// The index of the server's own namespace, always: 0 is OPC UA's, 1 the application's.
pub const NAMESPACE_INDEX: u16 = 2;
