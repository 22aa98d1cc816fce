//! A session with one server: opened with our own judgement of certificates, closed when dropped.
//!
//! The stack's reconnecting, re-creating and publishing are off. A session lives once: when it is lost, its
//! owner opens the next one.

mod browse;
mod connect;
mod endpoints;
mod limits;
mod read;
mod subscriptions;

pub use browse::{BrowseDirection, BrowseRequest, Reference};
pub use endpoints::{Endpoint, endpoints};
pub use limits::OperationLimits;
pub use read::{DataValue, ReadRequest, ServerStatus};
pub(crate) use subscriptions::{
    CreatedSubscription, ItemCreated, ItemRequest, PublishAnswer, ReceivedBody, ReceivedMessage,
    SubscriptionRequest, Transferred,
};

use super::convert;
use super::error::{UaError, is_connection_lost};
use super::options::{SecurityMode, SessionOptions};
use super::trust::{SessionFolder, Thumbprint, TrustError};
use gemba_model::{NodeId, StatusCode};
use limits::Limits;
use opcua::client::Session;
use opcua::types as stack;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// An open session. Dropping it closes the connection at once; [`OpcUaSession::close`] says good-bye first.
#[derive(Debug)]
pub struct OpcUaSession {
    stack: Stack,
    options: SessionOptions,
    endpoint: Endpoint,
    limits: Limits,
    namespaces: Vec<String>,
    status: ServerStatus,
    reactivated: bool,
    ended: CancellationToken,
    /// The state of the certificate folders when it was opened.
    trust_state: u64,
    /// Whether the server's certificate was judged.
    judged: bool,
    /// Our own certificate that it was opened with.
    own: Thumbprint,
    /// Last: the folder must outlive the connection.
    _folder: SessionFolder,
}

/// The stack's session and the task that drives it.
struct Stack {
    session: Arc<Session>,
    event_loop: JoinHandle<()>,
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stack")
    }
}

impl Drop for Stack {
    /// Dropping a handle alone would leave the event loop running, and with it the connection.
    fn drop(&mut self) {
        self.event_loop.abort();
    }
}

/// What allows another process to go on with a session: the id and the token, which is a secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SessionKey {
    pub(crate) id: NodeId,
    pub(crate) token: NodeId,
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionKey({}, ***)", self.id)
    }
}

impl OpcUaSession {
    /// Opens a session: asks for the endpoints, chooses one, judges its certificate, dials the given URL.
    ///
    /// # Errors
    /// Every kind of [`UaError`]; see there which may be retried.
    pub async fn connect(options: SessionOptions) -> Result<Self, UaError> {
        connect::connect(options, None).await
    }

    /// As [`OpcUaSession::connect`], trying to go on with an earlier session first.
    pub(crate) async fn reconnect(
        options: SessionOptions,
        earlier: Option<SessionKey>,
    ) -> Result<Self, UaError> {
        connect::connect(options, earlier).await
    }

    /// The endpoint that was chosen, as the server describes it.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The options that it was opened with.
    pub const fn options(&self) -> &SessionOptions {
        &self.options
    }

    /// The server's namespace array, read when the session was opened.
    pub fn namespaces(&self) -> &[String] {
        &self.namespaces
    }

    /// The server's state and build, read when the session was opened.
    pub const fn server(&self) -> &ServerStatus {
        &self.status
    }

    /// How many operations go into one call, as learnt so far.
    pub fn operation_limits(&self) -> OperationLimits {
        self.limits.current()
    }

    /// Whether an earlier session was continued.
    pub(crate) const fn is_reactivated(&self) -> bool {
        self.reactivated
    }

    /// What continues this session.
    pub(crate) fn key(&self) -> SessionKey {
        let publish = opcua::client::services::Publish::new(&self.stack.session);
        SessionKey {
            id: convert::node_id(&self.stack.session.server_session_id()),
            token: convert::node_id(&publish.header().authentication_token),
        }
    }

    /// The state of the certificate folders when it was opened.
    pub(crate) const fn trust_state(&self) -> u64 {
        self.trust_state
    }

    /// Judges the server's certificate by the folders as they are now. A certificate that only ran out meanwhile
    /// stays good for the session that stands: cutting it would lose values and prove nothing.
    ///
    /// # Errors
    /// When it would be refused today.
    pub(crate) fn judge_again(&self) -> Result<(), UaError> {
        if !self.judged {
            return Ok(());
        }
        match connect::judge(&self.endpoint.certificate, &self.endpoint.application_uri, &self.options) {
            Err(UaError::Certificate { source: TrustError::Validity { .. }, .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether we have another certificate by now than the server was shown.
    pub(crate) fn own_is_outdated(&self) -> bool {
        self.endpoint.security_mode != SecurityMode::None && self.options.trust.own().thumbprint() != self.own
    }

    /// Completes when the connection is gone, for whatever reason.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Closes the session. Subscriptions stay on the server, to be taken over, unless they are to be deleted.
    pub async fn close(self, delete_subscriptions: bool) {
        let session = &self.stack.session;
        let closing = async {
            if delete_subscriptions {
                session.disconnect().await
            } else {
                session.disconnect_without_delete_subscriptions().await
            }
        };
        // The stack waits for a state that an ended event loop never reaches.
        tokio::select! {
            result = tokio::time::timeout(Duration::from_secs(2), closing) => {
                if let Ok(Err(error)) = result {
                    tracing::debug!(endpoint = self.options.endpoint_url, %error, "the session was not closed cleanly");
                }
            }
            () = self.ended.cancelled() => {}
        }
    }

    /// The error of a service that failed.
    fn failed(&self, service: &'static str, error: &stack::Error) -> UaError {
        let endpoint = self.options.endpoint_url.clone();
        let status = convert::status(error.status());
        if error.status() == stack::StatusCode::BadTimeout {
            return UaError::Timeout { endpoint, what: service, after: self.options.request_timeout };
        }
        if is_connection_lost(status) {
            return UaError::ConnectionLost { endpoint, status };
        }
        UaError::Service { endpoint, service, status }
    }

    fn protocol(&self, reason: impl Into<String>) -> UaError {
        UaError::Protocol { endpoint: self.options.endpoint_url.clone(), reason: reason.into() }
    }
}

/// Whether the server refused a call for its size, so that a smaller one may pass.
pub(crate) fn is_too_large(status: StatusCode) -> bool {
    matches!(
        status.name(),
        Some(
            "BadTooManyOperations"
                | "BadRequestTooLarge"
                | "BadResponseTooLarge"
                | "BadEncodingLimitsExceeded"
        )
    )
}
