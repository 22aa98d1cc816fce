//! Opening: endpoints, choice, trust, channel, session, and what is read once.

use super::endpoints::{self, Protection, check_identity, choose, describe};
use super::limits::Limits;
use super::read::{self, ServerStatus};
use super::{OpcUaSession, SessionKey, Stack};
use crate::client::chain::{Guard, Judged};
use crate::client::convert;
use crate::client::decoder;
use crate::client::error::{UaError, is_authentication};
use crate::client::options::{Identity, SecurityPolicy, SessionOptions};
use crate::client::trust::{SessionFolder, TrustError, TrustStore};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gemba_model::StatusCode;
use opcua::client::transport::Connector;
use opcua::client::{Client, IdentityToken, Session, SessionEventLoop};
use opcua::types as stack;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub(super) async fn connect(
    options: SessionOptions,
    earlier: Option<SessionKey>,
) -> Result<OpcUaSession, UaError> {
    options.check()?;
    knock(&options).await?;
    let trust_state = options.trust.state();
    let own = options.trust.own();
    let unsecured = SessionFolder::create(&options.run_folder, None)?;
    let offered = endpoints::get_endpoints(&endpoints::client(&options, unsecured.path())?, &options).await?;
    let (mut chosen, policy) = choose(&offered, &options)?;
    let protection = check_identity(&mut chosen, &options)?;
    let judged = policy != SecurityPolicy::None || protection == Protection::Certificate;
    let (folder, guard) = match judged {
        false => (unsecured, None),
        true => accept(&chosen, policy, &options)?,
    };
    let identity = identity_token(&options)?;
    let endpoint = describe(&chosen).ok_or_else(|| UaError::Protocol {
        endpoint: options.endpoint_url.clone(),
        reason: "the endpoint has no security mode".to_owned(),
    })?;
    // Dial what was given: what a server advertises is often not reachable from here.
    chosen.endpoint_url = options.endpoint_url.as_str().into();
    if let Some(guard) = &guard {
        chosen.server_certificate = guard.leaf().into();
    }
    let client = endpoints::client(&options, folder.path())?;
    let ended = CancellationToken::new();
    let target = Target { endpoint: chosen, identity, guard };
    let stack = open(&client, target, &options, earlier.as_ref(), ended.clone()).await?;
    let reactivated =
        earlier.is_some_and(|earlier| earlier.id == convert::node_id(&stack.session.server_session_id()));
    let mut session = OpcUaSession {
        stack,
        options,
        endpoint,
        limits: Limits::default(),
        namespaces: Vec::new(),
        status: ServerStatus::default(),
        reactivated,
        ended,
        trust_state,
        judged,
        own: own.thumbprint(),
        _folder: folder,
    };
    session.limits = Limits::read(&session).await?;
    session.namespaces = read::namespaces(&session).await?;
    session.status = read::server_status(&session).await?;
    Ok(session)
}

/// How long a server's TCP stack may take to answer. A lost SYN is repeated after one second.
const KNOCK: Duration = Duration::from_millis(1500);

/// Sees whether anybody is there before the patient steps begin: while packets are dropped, each of those would
/// wait out its whole limit, and the first seconds of a server that is back would be missed.
async fn knock(options: &SessionOptions) -> Result<(), UaError> {
    let unreachable = |status: &str, detail: String| UaError::Unreachable {
        endpoint: options.endpoint_url.clone(),
        status: StatusCode::from_name(status).unwrap_or(StatusCode::BAD_NO_DATA),
        detail,
    };
    match timeout(KNOCK, TcpStream::connect((options.host(), options.port()))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(unreachable("BadConnectionRejected", error.to_string())),
        Err(_) => Err(unreachable("BadTimeout", format!("no answer within {KNOCK:?}"))),
    }
}

/// Judges the endpoint's certificate, then makes the folder that tells the stack, and the guard for what the stack
/// does not see to: chains, and the certificate of a session without a secure channel.
fn accept(
    endpoint: &stack::EndpointDescription,
    policy: SecurityPolicy,
    options: &SessionOptions,
) -> Result<(SessionFolder, Option<Guard>), UaError> {
    let presented = endpoint.server_certificate.as_ref();
    judge(presented, endpoint.server.application_uri.as_ref(), options)?;
    let certificates = TrustStore::certificates(presented);
    let certificates = certificates.map_err(|source| refuse(source, presented, options))?;
    let judged = Judged::new(presented, &certificates);
    let folder = SessionFolder::create(&options.run_folder, Some(judged.leaf()))?;
    let guard = match judged.is_chain() || policy == SecurityPolicy::None {
        true => Some(Guard::new(judged, policy, options)?),
        false => None,
    };
    Ok((folder, guard))
}

/// Judges what a server presents by the folders as they are now.
pub(super) fn judge(
    certificate: &[u8],
    application_uri: &str,
    options: &SessionOptions,
) -> Result<(), UaError> {
    let verdict = options.trust.validate(certificate, application_uri, options.host());
    verdict.map_err(|source| refuse(source, certificate, options))
}

fn refuse(source: TrustError, certificate: &[u8], options: &SessionOptions) -> UaError {
    let copy = match source {
        // Its text names the file already.
        TrustError::Untrusted { .. } => None,
        _ => options.trust.rejected_copy(certificate),
    };
    UaError::Certificate { endpoint: options.endpoint_url.clone(), copy, source }
}

/// Who we are, in the stack's words.
fn identity_token(options: &SessionOptions) -> Result<IdentityToken, UaError> {
    Ok(match &options.identity {
        Identity::Anonymous => IdentityToken::Anonymous,
        Identity::UserName { user, password } => {
            IdentityToken::new_user_name(user.as_str(), password.reveal())
        }
        Identity::Certificate { name } => {
            let (certificate, key) = options.trust.user_certificate(name)?;
            IdentityToken::new_x509(certificate, key)
        }
    })
}

/// What is dialled, as whom, and how when the stack's own way will not do.
struct Target {
    endpoint: stack::EndpointDescription,
    identity: IdentityToken,
    guard: Option<Guard>,
}

async fn open(
    client: &Client,
    target: Target,
    options: &SessionOptions,
    earlier: Option<&SessionKey>,
    ended: CancellationToken,
) -> Result<Stack, UaError> {
    let unreachable = |error: stack::Error| UaError::Unreachable {
        endpoint: options.endpoint_url.clone(),
        status: convert::status(error.status()),
        detail: error.to_string(),
    };
    let mut builder = client
        .session_builder()
        .connect_to_endpoint_directly(target.endpoint)
        .map_err(unreachable)?
        .user_identity_token(target.identity);
    if let Some(earlier) = earlier {
        builder = builder.session_id(convert::to_stack_node_id(&earlier.id));
    }
    let store = client.certificate_store().clone();
    let (session, running) = match target.guard.clone() {
        None => builder.build(store).map(running),
        Some(guard) => builder.with_connector(guard).build(store).map(running),
    }
    .map_err(unreachable)?;
    if let Some(earlier) = earlier {
        session.channel().set_auth_token(convert::to_stack_node_id(&earlier.token));
    }
    *session.encoding_context().write().loaders_mut() = decoder::loaders();
    // The event loop ends at the first loss; coming back is our own business.
    session.disable_reconnects();
    let (report, outcome) = oneshot::channel();
    let event_loop: JoinHandle<()> = tokio::spawn(async move {
        // Also when the stack panics, or the task is aborted.
        let _ended = ended.drop_guard();
        let status = running.await;
        if report.send(status).is_err() {
            tracing::debug!(%status, "the connection ended");
        }
    });
    let stack = Stack { session, event_loop };
    let waited = wait(&stack.session, outcome, options).await;
    match target.guard.and_then(|guard| guard.fault()) {
        Some(fault) if waited.is_err() => Err(UaError::Certificate {
            endpoint: options.endpoint_url.clone(),
            copy: None,
            source: TrustError::Channel { reason: fault.to_string() },
        }),
        _ => waited.map(|()| stack),
    }
}

/// The event loop as a future, whatever connects it.
fn running<C: Connector + 'static>(
    (session, event_loop): (Arc<Session>, SessionEventLoop<C>),
) -> (Arc<Session>, BoxFuture<'static, stack::StatusCode>) {
    (session, event_loop.run().boxed())
}

/// Waiting for the connection alone never ends when the event loop has: both are watched.
async fn wait(
    session: &Session,
    outcome: oneshot::Receiver<stack::StatusCode>,
    options: &SessionOptions,
) -> Result<(), UaError> {
    let endpoint = || options.endpoint_url.clone();
    tokio::select! {
        connected = timeout(options.connect_timeout, session.wait_for_connection()) => match connected {
            Ok(_) => Ok(()),
            Err(_) => Err(UaError::Timeout {
                endpoint: endpoint(),
                what: "opening a session",
                after: options.connect_timeout,
            }),
        },
        ended = outcome => {
            let status = convert::status(ended.unwrap_or(stack::StatusCode::BadConnectionClosed));
            Err(if is_authentication(status) {
                UaError::Authentication { endpoint: endpoint(), identity: options.identity.to_string(), status }
            } else {
                UaError::Unreachable {
                    endpoint: endpoint(),
                    status,
                    detail: "opening the secure channel or the session failed".to_owned(),
                }
            })
        }
    }
}
