//! The server side: an address space of variables and methods with kept handles.
//!
//! Build an [`AddressSpaceBuilder`], start it with [`Server::start`], and write values through the
//! [`RunningServer`] with the handles that the builder gave out. A write costs one store per value;
//! only a variable that some client monitors costs more.
//!
//! Framing, cryptography and message types are the stack's; sessions, subscriptions and services are ours,
//! as state machines that know no clock. A value is encoded once, when it is written, and its bytes are
//! copied into the notifications of all items that watch it.
//!
//! What clients can rely on:
//! - Every write of a monitored variable that changes its value or its status is reported, whatever sampling
//!   interval was asked for: items are exception-based, and the revised sampling interval is 0. A filter
//!   (status, value, timestamp, deadbands) is honoured.
//! - Timestamps leave the server with the ticks that were written.
//! - Messages are split to the client's sizes; what does not fit waits for the next publish request.
//! - Any client certificate is accepted at the secure channel, and the key that belongs to it is proven there
//!   and in ActivateSession. Who may do what is decided by the user token.
//! - Events are not there: an item on EventNotifier is answered with BadAttributeIdInvalid.
//!
//! A [`Behaviour`] makes a server misbehave on purpose.

mod application;
mod behaviour;
mod capabilities;
mod certificate;
mod convert;
mod declaration;
mod error;
mod identity;
mod node;
mod options;
mod running;
mod services;
mod session;
mod shared;
mod space;
mod standard;
mod stored;
mod subscription;
mod values;
mod wire;

pub use behaviour::{Behaviour, CertificateFault, ClockSteps, Endless};
pub use declaration::{
    ArgumentDeclaration, DataType, EngineeringUnits, MethodDeclaration, NodeHandle, Parent,
    StructureDeclaration, StructureField, VariableDeclaration, VariableHandle,
};
pub use error::ServerError;
pub use options::{EndpointSecurity, ServerLimits, ServerOptions, User, UserCertificate};
pub use running::{RunningServer, Server, ValueWriter};
pub use space::AddressSpaceBuilder;
pub use values::Update;

/// The index of the server's own namespace, always: 0 is OPC UA's, 1 the application's.
pub const NAMESPACE_INDEX: u16 = 2;
