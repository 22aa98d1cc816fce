//! The client side: sessions, subscriptions, the hot decoder, trust.
//!
//! Nothing here names a type of the stack in public: values are `gemba_model`'s, all else is our own.

mod chain;
mod convert;
mod cursor;
pub mod decoder;
pub mod error;
pub mod options;
mod publishing;
pub mod quirks;
pub mod runtime;
pub mod session;
pub mod trust;

pub use decoder::DataChange;
pub use error::UaError;
pub use options::{Identity, Security, SecurityMode, SecurityPolicy, SessionOptions};
pub use runtime::{
    Delivery, DeliverySink, ItemSpec, Notification, SessionEvent, SessionState, SessionStatus, SinkError,
    SubscribedSession, SubscriptionGap, SubscriptionSpec,
};
pub use session::OpcUaSession;
pub use trust::{TrustError, TrustStore};

/// Log targets of the stack under which it writes messages as they travel inside a channel, passwords included: no
/// level may switch them on.
pub const SECRET_LOG_TARGETS: [&str; 1] = ["hex"];
