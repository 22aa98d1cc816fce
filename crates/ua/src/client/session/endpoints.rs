//! GetEndpoints and the choice among them.

use crate::client::convert;
use crate::client::error::UaError;
use crate::client::options::{Identity, SecurityMode, SecurityPolicy, SessionOptions};
use gemba_model::StatusCode;
use opcua::client::{Client, ClientBuilder};
use opcua::types as stack;
use std::path::Path;

/// An endpoint as a server describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The URL that the server advertises; often one that cannot be dialled from here.
    pub endpoint_url: String,
    /// The server's application URI.
    pub application_uri: String,
    /// The server's name.
    pub application_name: String,
    /// The product URI.
    pub product_uri: String,
    /// URI of the security policy.
    pub security_policy_uri: String,
    /// `None`, `Sign` or `SignAndEncrypt`.
    pub security_mode: SecurityMode,
    /// The server's own estimate; higher is better.
    pub security_level: u8,
    /// Kinds of identity that it takes.
    pub user_token_types: Vec<&'static str>,
    /// The certificate in DER; empty where there is none.
    pub certificate: Vec<u8>,
}

fn mode(mode: stack::MessageSecurityMode) -> Option<SecurityMode> {
    Some(match mode {
        stack::MessageSecurityMode::None => SecurityMode::None,
        stack::MessageSecurityMode::Sign => SecurityMode::Sign,
        stack::MessageSecurityMode::SignAndEncrypt => SecurityMode::SignAndEncrypt,
        stack::MessageSecurityMode::Invalid => return None,
    })
}

pub(super) fn describe(endpoint: &stack::EndpointDescription) -> Option<Endpoint> {
    let tokens = endpoint.user_identity_tokens.iter().flatten().map(|token| match token.token_type {
        stack::UserTokenType::Anonymous => "Anonymous",
        stack::UserTokenType::UserName => "UserName",
        stack::UserTokenType::Certificate => "Certificate",
        stack::UserTokenType::IssuedToken => "IssuedToken",
    });
    Some(Endpoint {
        endpoint_url: endpoint.endpoint_url.as_ref().to_owned(),
        application_uri: endpoint.server.application_uri.as_ref().to_owned(),
        application_name: endpoint.server.application_name.text.as_ref().to_owned(),
        product_uri: endpoint.server.product_uri.as_ref().to_owned(),
        security_policy_uri: endpoint.security_policy_uri.as_ref().to_owned(),
        security_mode: mode(endpoint.security_mode)?,
        security_level: endpoint.security_level,
        user_token_types: tokens.collect(),
        certificate: endpoint.server_certificate.as_ref().to_vec(),
    })
}

/// The endpoints of the server at `options.endpoint_url`. Needs no certificate and no log-in.
///
/// # Errors
/// [`UaError::Unreachable`], [`UaError::Timeout`] and [`UaError::Folder`].
pub async fn endpoints(options: &SessionOptions) -> Result<Vec<Endpoint>, UaError> {
    options.check()?;
    let folder = crate::client::trust::SessionFolder::create(&options.run_folder, None)?;
    let client = client(options, folder.path())?;
    Ok(get_endpoints(&client, options).await?.iter().filter_map(describe).collect())
}

/// A stack client that neither retries nor reconnects. Limits are raised: with the stock ones, a call with some
/// thousand items fails before it is sent.
pub(super) fn client(options: &SessionOptions, folder: &Path) -> Result<Client, UaError> {
    let own = options.trust.own();
    let millis = |duration: std::time::Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
    ClientBuilder::new()
        .application_name(own.name())
        .application_uri(own.application_uri())
        .product_uri("urn:gemba")
        .session_name(options.session_name.as_str())
        .pki_dir(folder)
        // Absolute paths replace the folder: the key is never copied.
        .certificate_path(absolute(own.certificate_file())?)
        .private_key_path(absolute(own.private_key_file())?)
        .create_sample_keypair(false)
        .trust_server_certs(false)
        // Validity, host name and application URI were judged by our own rules.
        .verify_server_certs(false)
        .session_retry_limit(0)
        .recreate_subscriptions(false)
        .keep_alive_interval(options.keep_alive_interval)
        .max_failed_keep_alive_count(2)
        .request_timeout(options.request_timeout)
        .session_timeout(millis(options.session_timeout))
        .channel_lifetime(millis(options.channel_lifetime))
        .max_array_length(1_000_000)
        .max_string_length(16 << 20)
        .max_byte_string_length(32 << 20)
        .max_message_size(crate::client::decoder::BODY_BYTES_MAX + (1 << 20))
        .max_chunk_count(4096)
        .client()
        .map_err(|reasons| UaError::Options { reason: reasons.join("; ") })
}

fn absolute(path: &Path) -> Result<std::path::PathBuf, UaError> {
    std::path::absolute(path).map_err(|source| UaError::Folder { path: path.to_owned(), source })
}

pub(super) async fn get_endpoints(
    client: &Client,
    options: &SessionOptions,
) -> Result<Vec<stack::EndpointDescription>, UaError> {
    let endpoint = options.endpoint_url.clone();
    let asking = client.get_server_endpoints_from_url(options.endpoint_url.as_str());
    match tokio::time::timeout(options.connect_timeout, asking).await {
        Err(_) => Err(UaError::Timeout { endpoint, what: "GetEndpoints", after: options.connect_timeout }),
        Ok(Err(error)) => Err(UaError::Unreachable {
            endpoint,
            status: match convert::status(error.status()) {
                // The stack's word for a connection that the other side closed.
                StatusCode::GOOD => {
                    StatusCode::from_name("BadConnectionClosed").unwrap_or(StatusCode::BAD_NO_DATA)
                }
                status => status,
            },
            detail: error.to_string(),
        }),
        Ok(Ok(endpoints)) => Ok(endpoints),
    }
}

/// The endpoint that fits the options best, and its policy: first that it takes the identity, then the mode, then
/// the policy, then the server's own estimate.
pub(super) fn choose(
    offered: &[stack::EndpointDescription],
    options: &SessionOptions,
) -> Result<(stack::EndpointDescription, SecurityPolicy), UaError> {
    let policies = options.security.policies()?;
    let policy_of = |endpoint: &stack::EndpointDescription| {
        let uri = endpoint.security_policy_uri.as_ref();
        policies.iter().find(|policy| policy.uri() == uri).copied()
    };
    let fits = |endpoint: &stack::EndpointDescription| {
        mode(endpoint.security_mode).is_some_and(|mode| {
            mode == options.security.mode
                || (options.security.mode == SecurityMode::Best && mode != SecurityMode::None)
        }) && is_binary_tcp(endpoint)
    };
    let candidates = offered.iter().filter(|endpoint| fits(endpoint));
    let candidates = candidates.filter_map(|endpoint| Some((endpoint, policy_of(endpoint)?)));
    let strength = |(endpoint, policy): &(&stack::EndpointDescription, SecurityPolicy)| {
        let identity = takes(endpoint, &options.identity);
        (identity, endpoint.security_mode as i32, *policy, endpoint.security_level)
    };
    let chosen = candidates.max_by_key(strength);
    chosen.map(|(endpoint, policy)| (endpoint.clone(), policy)).ok_or_else(|| UaError::NoEndpoint {
        endpoint: options.endpoint_url.clone(),
        wanted: match policies.as_slice() {
            [policy] => format!("{} and {}", policy.name(), options.security.mode),
            _ => options.security.mode.to_string(),
        },
        offered: list(offered),
    })
}

fn is_binary_tcp(endpoint: &stack::EndpointDescription) -> bool {
    let profile = endpoint.transport_profile_uri.as_ref();
    profile.is_empty() || profile.ends_with("/uatcp-uasc-uabinary")
}

fn token_type(identity: &Identity) -> stack::UserTokenType {
    match identity {
        Identity::Anonymous => stack::UserTokenType::Anonymous,
        Identity::UserName { .. } => stack::UserTokenType::UserName,
        Identity::Certificate { .. } => stack::UserTokenType::Certificate,
    }
}

fn takes(endpoint: &stack::EndpointDescription, identity: &Identity) -> bool {
    endpoint.user_identity_tokens.iter().flatten().any(|token| token.token_type == token_type(identity))
}

/// What protects the identity on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protection {
    /// The channel, or there is nothing to protect.
    Channel,
    /// The key in the endpoint's certificate, which must therefore be judged although the channel has no security.
    Certificate,
}

/// Puts the user token policy that fits in front, where the stack finds it. Refuses an endpoint that does not
/// take the identity, or takes its password in the clear.
pub(super) fn check_identity(
    endpoint: &mut stack::EndpointDescription,
    options: &SessionOptions,
) -> Result<Protection, UaError> {
    let wanted = token_type(&options.identity);
    let channel = endpoint.security_policy_uri.as_ref().to_owned();
    let spoken = |uri: &str| uri.is_empty() || SecurityPolicy::ALL.iter().any(|policy| policy.uri() == uri);
    let clear = |uri: &str| uri == SecurityPolicy::None.uri();
    let effective = |token: &stack::UserTokenPolicy| match token.security_policy_uri.as_ref() {
        "" => channel.clone(),
        uri => uri.to_owned(),
    };
    let tokens = endpoint.user_identity_tokens.get_or_insert_default();
    let best = tokens
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, token)| token.token_type == wanted && spoken(token.security_policy_uri.as_ref()))
        .max_by_key(|candidate| !clear(&effective(candidate.1)))
        .map(|(index, _)| index);
    let Some(index) = best else {
        return Err(UaError::Authentication {
            endpoint: options.endpoint_url.clone(),
            identity: options.identity.to_string(),
            status: convert::status(stack::StatusCode::BadIdentityTokenRejected),
        });
    };
    let mut token = tokens.remove(index);
    let policy = effective(&token);
    if matches!(options.identity, Identity::Certificate { .. }) {
        // Empty means the channel's policy; the stack would take it for None and sign nothing.
        token.security_policy_uri = policy.as_str().into();
    }
    tokens.insert(0, token);
    let secured = !clear(&channel);
    match &options.identity {
        Identity::Anonymous => Ok(Protection::Channel),
        Identity::UserName { .. } if clear(&policy) => {
            let encrypted = secured && endpoint.security_mode == stack::MessageSecurityMode::SignAndEncrypt;
            if encrypted || options.allow_plain_password {
                return Ok(Protection::Channel);
            }
            Err(UaError::PlainPassword { endpoint: options.endpoint_url.clone() })
        }
        Identity::Certificate { .. } if clear(&policy) => Err(UaError::Options {
            reason: format!(
                "{} takes user certificates without a signature, which proves nothing; use a secured endpoint",
                options.endpoint_url
            ),
        }),
        Identity::UserName { .. } | Identity::Certificate { .. } if secured => Ok(Protection::Channel),
        Identity::UserName { .. } if options.allow_plain_password => Ok(Protection::Channel),
        Identity::UserName { .. } | Identity::Certificate { .. } => Ok(Protection::Certificate),
    }
}

fn list(offered: &[stack::EndpointDescription]) -> String {
    let mut names: Vec<String> = offered
        .iter()
        .map(|endpoint| {
            let uri = endpoint.security_policy_uri.as_ref();
            let policy = uri.rsplit_once('#').map_or(uri, |(_, name)| name);
            let mode =
                mode(endpoint.security_mode).map_or_else(|| "Invalid".to_owned(), |mode| mode.to_string());
            format!("{policy}/{mode}")
        })
        .collect();
    names.sort();
    names.dedup();
    names.truncate(20);
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
