//! The secure channel of a connection: opening and renewing (OPC 10000-4 v1.05, 5.6).

use crate::server::application;
use crate::server::convert;
use crate::server::session::Via;
use crate::server::shared::Shared;
use opcua::core::ResponseMessage;
use opcua::core::comms::secure_channel::{Role, SecureChannel};
use opcua::core::comms::security_header::{AsymmetricSecurityHeader, SecurityHeader};
use opcua::core::sync::RwLock;
use opcua::crypto::SecurityPolicy;
use opcua::types::{
    ChannelSecurityToken, ContextOwned, DateTime, MessageSecurityMode, NamespaceMap,
    OpenSecureChannelRequest, OpenSecureChannelResponse, ResponseHeader, SecurityTokenRequestType,
    StatusCode, TypeLoaderCollection,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The longest life of a security token.
const LIFETIME_MAX: Duration = Duration::from_secs(3600);
const LIFETIME_MIN: Duration = Duration::from_secs(10);

pub(super) struct Channel {
    pub(super) inner: SecureChannel,
    open: bool,
    id: u32,
    token: u32,
    /// What the channel was opened with.
    agreed: (SecurityPolicy, MessageSecurityMode),
    deadline: Instant,
}

impl Channel {
    /// A channel that must be open at the deadline.
    pub(super) fn new(shared: &Shared, deadline: Instant) -> Self {
        let options = convert::decoding_options(shared.options.limits.message_bytes);
        let context = ContextOwned::new(NamespaceMap::new(), TypeLoaderCollection::new(), options);
        let store = shared.store();
        let mut inner = SecureChannel::new(store, Role::Server, Arc::new(RwLock::new(context)));
        let application = shared.application();
        inner.set_cert(application.certificate.clone());
        inner.set_private_key(application.key.clone());
        let agreed = (SecurityPolicy::None, MessageSecurityMode::None);
        Self { inner, open: false, id: 0, token: 0, agreed, deadline }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    /// When the connection ends unless the channel is opened or renewed.
    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The connection ends at the deadline whatever comes.
    pub(super) const fn expire(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    pub(super) fn via(&self, connection: u64) -> Via {
        Via {
            connection,
            channel: self.inner.secure_channel_id(),
            policy: self.inner.security_policy(),
            mode: self.inner.security_mode(),
        }
    }

    pub(super) fn open(
        &mut self,
        shared: &Shared,
        request: &OpenSecureChannelRequest,
        header: &SecurityHeader,
    ) -> Result<ResponseMessage, StatusCode> {
        let SecurityHeader::Asymmetric(header) = header else {
            return Err(StatusCode::BadSecurityChecksFailed);
        };
        let (policy, mode) = (self.inner.security_policy(), request.security_mode);
        // A channel without security is open to everybody, for asking what endpoints there are.
        let discovery = policy == SecurityPolicy::None && mode == MessageSecurityMode::None;
        if !discovery && !application::offers(&shared.options, policy, mode) {
            return Err(StatusCode::BadSecurityModeRejected);
        }
        match request.request_type {
            SecurityTokenRequestType::Issue if self.open => return Err(StatusCode::BadRequestTypeInvalid),
            SecurityTokenRequestType::Issue => {
                self.agreed = (policy, mode);
                self.id = shared.next_channel();
            }
            SecurityTokenRequestType::Renew => self.check_renewal(request, header)?,
        }
        self.token += 1;
        let wanted = Duration::from_millis(request.requested_lifetime.into());
        let lifetime = wanted.clamp(LIFETIME_MIN, LIFETIME_MAX);
        let token = ChannelSecurityToken {
            channel_id: self.id,
            token_id: self.token,
            created_at: DateTime::now(),
            revised_lifetime: lifetime.as_millis() as u32,
        };
        let inner = &mut self.inner;
        inner.set_security_mode(mode);
        inner.set_security_token(token.clone());
        let refused = |error: opcua::types::Error| error.status();
        inner.set_remote_cert_from_byte_string(&header.sender_certificate).map_err(refused)?;
        inner.validate_secure_channel_nonce_length(&request.client_nonce).map_err(refused)?;
        inner.set_remote_nonce_from_byte_string(&request.client_nonce).map_err(refused)?;
        inner.create_random_nonce();
        if policy != SecurityPolicy::None && mode != MessageSecurityMode::None {
            inner.derive_keys();
        }
        // A quarter longer than the client was told (OPC 10000-4 v1.05, 5.6.2).
        self.deadline = Instant::now() + lifetime + lifetime / 4;
        self.open = true;
        Ok(OpenSecureChannelResponse {
            response_header: ResponseHeader::new_good(&request.request_header),
            server_protocol_version: 0,
            security_token: ChannelSecurityToken { created_at: convert::date_time(shared.wall()), ..token },
            server_nonce: self.inner.local_nonce_as_byte_string(),
        }
        .into())
    }

    /// A renewal keeps policy, mode and certificate, and brings a new nonce.
    fn check_renewal(
        &self,
        request: &OpenSecureChannelRequest,
        header: &AsymmetricSecurityHeader,
    ) -> Result<(), StatusCode> {
        if !self.open {
            return Err(StatusCode::BadTcpSecureChannelUnknown);
        }
        let policy = self.inner.security_policy();
        if self.agreed != (policy, request.security_mode) {
            return Err(StatusCode::BadSecurityPolicyRejected);
        }
        if policy == SecurityPolicy::None {
            return Ok(());
        }
        if header.sender_certificate != self.inner.remote_cert_as_byte_string() {
            return Err(StatusCode::BadCertificateInvalid);
        }
        if request.client_nonce.as_ref() == self.inner.remote_nonce() {
            return Err(StatusCode::BadNonceInvalid);
        }
        Ok(())
    }
}
