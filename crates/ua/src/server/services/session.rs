//! CreateSession, ActivateSession, CloseSession (OPC 10000-4 v1.05, 5.7).

use super::{Outcome, good};
use crate::server::application;
use crate::server::identity;
use crate::server::session::{Arrival, NONCE_BYTES, Via};
use crate::server::shared::Shared;
use opcua::core::ResponseMessage;
use opcua::crypto::{SecurityPolicy, X509, create_signature_data, random, verify_signature_data};
use opcua::types::{
    ActivateSessionRequest, ActivateSessionResponse, CloseSessionRequest, CloseSessionResponse,
    CreateSessionRequest, CreateSessionResponse, NodeId, SignatureData, StatusCode,
};
use std::time::Duration;

const TIMEOUT_MIN: Duration = Duration::from_secs(1);
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);

pub(super) fn create(shared: &Shared, via: Via, request: CreateSessionRequest) -> Outcome<ResponseMessage> {
    if !application::offers(&shared.options, via.policy, via.mode) {
        // The channel was good for discovery only.
        return Err(StatusCode::BadSecurityPolicyRejected);
    }
    let secured = via.policy != SecurityPolicy::None;
    if secured && request.client_nonce.len() < NONCE_BYTES {
        return Err(StatusCode::BadNonceInvalid);
    }
    let certificate = if secured {
        let parsed = X509::from_byte_string(&request.client_certificate);
        Some(parsed.map_err(|_| StatusCode::BadCertificateInvalid)?)
    } else {
        None
    };
    let application = shared.application();
    let server_signature = match (&application.key, secured) {
        (Some(key), true) => {
            create_signature_data(key, via.policy, &request.client_certificate, &request.client_nonce)
                .map_err(|error| error.status())?
        }
        _ => SignatureData::null(),
    };
    let wanted = Duration::try_from_secs_f64(request.requested_session_timeout / 1000.0);
    let timeout = wanted.unwrap_or(TIMEOUT_MAX).clamp(TIMEOUT_MIN, TIMEOUT_MAX);
    let arrival = Arrival {
        via,
        application_uri: request.client_description.application_uri.to_string(),
        certificate,
        message_size: request.max_response_message_size as usize,
        timeout,
    };
    let now = shared.now();
    let mut state = shared.state();
    let (token, id) = state.sessions.open(arrival, now.monotonic)?;
    let nonce = state.sessions.any(&token).map(|session| session.nonce.clone()).unwrap_or_default();
    drop(state);
    shared.wake.notify_one();
    tracing::debug!(session = id, client = %request.client_description.application_uri, "a session begins");
    Ok(CreateSessionResponse {
        response_header: good(&request.request_header),
        session_id: NodeId::new(1, id),
        authentication_token: token,
        revised_session_timeout: timeout.as_secs_f64() * 1000.0,
        server_nonce: nonce,
        server_certificate: application.der(),
        server_endpoints: Some(application::endpoints(&shared.options, &application, &shared.url)),
        server_software_certificates: None,
        server_signature,
        max_request_message_size: u32::try_from(shared.options.limits.message_bytes).unwrap_or(u32::MAX),
    }
    .into())
}

pub(super) fn activate(
    shared: &Shared,
    via: Via,
    request: &ActivateSessionRequest,
) -> Outcome<ResponseMessage> {
    let token = &request.request_header.authentication_token;
    let application = shared.application();
    // RSA is slow: it is done without the lock.
    let (nonce, certificate) = {
        let mut state = shared.state();
        let session = state.sessions.any(token).ok_or(StatusCode::BadSessionIdInvalid)?;
        if !session.activated && session.via != via {
            return Err(StatusCode::BadSecureChannelIdInvalid);
        }
        (session.nonce.clone(), session.certificate.clone())
    };
    if via.policy != SecurityPolicy::None {
        let (Some(client), Some(own)) = (&certificate, &application.certificate) else {
            return Err(StatusCode::BadCertificateInvalid);
        };
        verify_signature_data(&request.client_signature, via.policy, client, own, nonce.as_ref())
            .map_err(|_| StatusCode::BadApplicationSignatureInvalid)?;
    }
    let user = identity::authenticate(&shared.options, &application, via.policy, request, nonce.as_ref())?;
    let now = shared.now();
    let mut state = shared.state();
    let session = state.sessions.any(token).ok_or(StatusCode::BadSessionIdInvalid)?;
    if session.activated && session.via.policy != via.policy {
        return Err(StatusCode::BadSecurityChecksFailed);
    }
    let before = session.via.connection;
    session.via = via;
    session.user = user;
    session.activated = true;
    session.nonce = random::byte_string(NONCE_BYTES);
    let (id, nonce, size) = (session.id, session.nonce.clone(), session.message_size);
    // It counts as used from now on.
    state.sessions.active(token, via, now.monotonic)?;
    if before != via.connection {
        state.engine.connection_lost(before);
    }
    state.engine.open_session(id, size);
    Ok(ActivateSessionResponse {
        response_header: good(&request.request_header),
        server_nonce: nonce,
        results: None,
        diagnostic_infos: None,
    }
    .into())
}

pub(super) fn close(shared: &Shared, via: Via, request: &CloseSessionRequest) -> Outcome<ResponseMessage> {
    let token = &request.request_header.authentication_token;
    let mut state = shared.state();
    let session = state.sessions.any(token).ok_or(StatusCode::BadSessionIdInvalid)?;
    if session.via.channel != via.channel {
        return Err(StatusCode::BadSecureChannelIdInvalid);
    }
    let Some(session) = state.sessions.close(token) else { return Err(StatusCode::BadSessionIdInvalid) };
    if request.delete_subscriptions {
        for id in state.engine.ids_of(session.id) {
            if let Some((place, _)) = state.engine.delete(id) {
                state.values.forget(place);
            }
        }
    }
    state.engine.close_session(session.id);
    shared.dispatch(&mut state);
    Ok(CloseSessionResponse { response_header: good(&request.request_header) }.into())
}
