//! What can happen to a chain.

use gemba_model::DateTime;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// kill -9 of the servers; what they would have counted meanwhile was never there.
    KillSimulator,
    /// kill -9 of the edge.
    KillEdge,
    /// kill -9 of the platform.
    KillPlatform,
    /// The link between edge and hub ends, and new connections end at once.
    CutLink,
    /// What answers instead of the hub does not speak TLS.
    RefuseTls,
    /// The platform's volume is full.
    FillPlatform,
    /// The edge's volume is full.
    FillEdge,
}

/// When a fault was, until everything flowed again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) fault: Fault,
    pub(crate) from: DateTime,
    pub(crate) to: DateTime,
}
