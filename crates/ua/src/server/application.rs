//! The server as an application: its key, its certificate, and how it describes itself.

use super::certificate;
use super::error::ServerError;
use super::identity;
use super::options::{EndpointSecurity, ServerOptions};
use opcua::crypto::{PrivateKey, SecurityPolicy, X509};
use opcua::types::{
    ApplicationDescription, ApplicationType, ByteString, EndpointDescription, LocalizedText,
    MessageSecurityMode, UAString, profiles::TRANSPORT_PROFILE_URI_BINARY,
};

pub(super) const PRODUCT_URI: &str = "urn:gemba";

/// Key and certificate; absent without a secured endpoint.
pub(super) struct Application {
    pub(super) certificate: Option<X509>,
    pub(super) key: Option<PrivateKey>,
    der: ByteString,
}

impl Application {
    /// Reads them, and makes them first when they are not there. Blocks for files and for RSA.
    pub(super) fn load(options: &ServerOptions) -> Result<Self, ServerError> {
        if !options.needs_certificate() {
            return Ok(Self { certificate: None, key: None, der: ByteString::null() });
        }
        certificate::ensure(options)?;
        Self::read(options).map_err(|reason| ServerError::Certificate { folder: options.pki.clone(), reason })
    }

    /// Makes a new key and a new certificate in place of the ones that are there. Blocks as `load` does.
    pub(super) fn replace(options: &ServerOptions) -> Result<Self, ServerError> {
        certificate::renew(options)?;
        Self::read(options).map_err(|reason| ServerError::Certificate { folder: options.pki.clone(), reason })
    }

    fn read(options: &ServerOptions) -> Result<Self, String> {
        let (certificate, key) = certificate::paths(options);
        let certificate = std::fs::read(certificate).map_err(|error| error.to_string())?;
        let parsed = X509::from_der(&certificate).map_err(|_| "it is no X.509 certificate".to_owned())?;
        let key = PrivateKey::read_pem_file(&key).map_err(|_| "the key is not readable".to_owned())?;
        Ok(Self { certificate: Some(parsed), key: Some(key), der: ByteString::from(certificate) })
    }

    pub(super) fn der(&self) -> ByteString {
        self.der.clone()
    }
}

/// The policy and the mode of an endpoint.
pub(super) const fn policy_of(security: EndpointSecurity) -> (SecurityPolicy, MessageSecurityMode) {
    use EndpointSecurity as E;
    use SecurityPolicy as P;
    let sign = MessageSecurityMode::Sign;
    let encrypt = MessageSecurityMode::SignAndEncrypt;
    match security {
        E::None => (P::None, MessageSecurityMode::None),
        E::Basic256Sha256Sign => (P::Basic256Sha256, sign),
        E::Basic256Sha256SignAndEncrypt => (P::Basic256Sha256, encrypt),
        E::Aes128Sha256RsaOaepSign => (P::Aes128Sha256RsaOaep, sign),
        E::Aes128Sha256RsaOaepSignAndEncrypt => (P::Aes128Sha256RsaOaep, encrypt),
        E::Aes256Sha256RsaPssSign => (P::Aes256Sha256RsaPss, sign),
        E::Aes256Sha256RsaPssSignAndEncrypt => (P::Aes256Sha256RsaPss, encrypt),
    }
}

/// Whether the server has such an endpoint.
pub(super) fn offers(options: &ServerOptions, policy: SecurityPolicy, mode: MessageSecurityMode) -> bool {
    options.security.iter().any(|security| policy_of(*security) == (policy, mode))
}

/// Whether a channel of this policy may be opened, be it only to ask for endpoints.
pub(super) fn speaks(options: &ServerOptions, policy: SecurityPolicy) -> bool {
    policy == SecurityPolicy::None || options.security.iter().any(|security| policy_of(*security).0 == policy)
}

pub(super) fn description(options: &ServerOptions, url: &str) -> ApplicationDescription {
    ApplicationDescription {
        application_uri: UAString::from(&options.application_uri),
        product_uri: UAString::from(PRODUCT_URI),
        application_name: LocalizedText::from(options.application_name.as_str()),
        application_type: ApplicationType::Server,
        gateway_server_uri: UAString::null(),
        discovery_profile_uri: UAString::null(),
        discovery_urls: Some(vec![UAString::from(url)]),
    }
}

/// Every endpoint, in the order of the options.
pub(super) fn endpoints(
    options: &ServerOptions,
    application: &Application,
    url: &str,
) -> Vec<EndpointDescription> {
    let endpoint = |security: &EndpointSecurity| {
        let (policy, mode) = policy_of(*security);
        EndpointDescription {
            endpoint_url: UAString::from(url),
            server: description(options, url),
            server_certificate: application.der(),
            security_mode: mode,
            security_policy_uri: UAString::from(policy.to_uri()),
            user_identity_tokens: Some(identity::policies(options, *security)),
            transport_profile_uri: UAString::from(TRANSPORT_PROFILE_URI_BINARY),
            security_level: security.level(),
        }
    };
    options.security.iter().map(endpoint).collect()
}
