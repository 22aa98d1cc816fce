//! Who may come in: anonymous when allowed, a name with its password, a certificate with its key.

use super::application::{Application, policy_of};
use super::options::{EndpointSecurity, ServerOptions};
use gemba_base::secret::equal_in_constant_time;
use opcua::crypto::{SecurityPolicy, X509, legacy_decrypt_secret, verify_x509_identity_token};
use opcua::types::{
    ActivateSessionRequest, AnonymousIdentityToken, StatusCode, UAString, UserNameIdentityToken,
    UserTokenPolicy, UserTokenType, X509IdentityToken,
};

const ANONYMOUS: &str = "anonymous";
const USER_NAME: &str = "username";
const CERTIFICATE: &str = "certificate";

/// What an endpoint takes. Passwords are encrypted with the endpoint's policy wherever it has a key.
pub(super) fn policies(options: &ServerOptions, security: EndpointSecurity) -> Vec<UserTokenPolicy> {
    let policy = |id: &str, token_type| UserTokenPolicy {
        policy_id: UAString::from(id),
        token_type,
        issued_token_type: UAString::null(),
        issuer_endpoint_url: UAString::null(),
        security_policy_uri: UAString::null(),
    };
    let mut policies = Vec::with_capacity(3);
    if options.anonymous {
        policies.push(policy(ANONYMOUS, UserTokenType::Anonymous));
    }
    if !options.users.is_empty() {
        policies.push(policy(USER_NAME, UserTokenType::UserName));
    }
    if !options.user_certificates.is_empty() && security != EndpointSecurity::None {
        // An empty policy is the endpoint's (OPC 10000-4 v1.05, 7.41), but some clients take it for None.
        let uri = policy_of(security).0.to_uri();
        let id = format!("{CERTIFICATE}-{}", uri.rsplit('#').next().unwrap_or_default());
        policies.push(UserTokenPolicy {
            security_policy_uri: UAString::from(uri),
            ..policy(&id, UserTokenType::Certificate)
        });
    }
    policies
}

/// The user's name, or `None` for an anonymous one.
pub(super) fn authenticate(
    options: &ServerOptions,
    application: &Application,
    policy: SecurityPolicy,
    request: &ActivateSessionRequest,
    nonce: &[u8],
) -> Result<Option<String>, StatusCode> {
    let token = &request.user_identity_token;
    if token.is_null() || token.inner_is::<AnonymousIdentityToken>() {
        return if options.anonymous { Ok(None) } else { Err(StatusCode::BadIdentityTokenRejected) };
    }
    if let Some(token) = token.inner_as::<UserNameIdentityToken>() {
        return user_name(options, application, token, nonce).map(Some);
    }
    if let Some(token) = token.inner_as::<X509IdentityToken>() {
        return certificate(options, application, policy, token, request, nonce).map(Some);
    }
    Err(StatusCode::BadIdentityTokenInvalid)
}

fn user_name(
    options: &ServerOptions,
    application: &Application,
    token: &UserNameIdentityToken,
    nonce: &[u8],
) -> Result<String, StatusCode> {
    let password = if token.encryption_algorithm.is_empty() {
        token.password.clone()
    } else {
        let key = application.key.as_ref().ok_or(StatusCode::BadIdentityTokenInvalid)?;
        legacy_decrypt_secret(token, nonce, key).map_err(|_| StatusCode::BadIdentityTokenInvalid)?
    };
    // One answer for an unknown name and a wrong password, so that names cannot be tried out.
    let user = options.users.iter().find(|user| user.name == token.user_name.as_ref());
    let user = user.ok_or(StatusCode::BadUserAccessDenied)?;
    if equal_in_constant_time(user.password.reveal().as_bytes(), password.as_ref()) {
        Ok(user.name.clone())
    } else {
        Err(StatusCode::BadUserAccessDenied)
    }
}

fn certificate(
    options: &ServerOptions,
    application: &Application,
    policy: SecurityPolicy,
    token: &X509IdentityToken,
    request: &ActivateSessionRequest,
    nonce: &[u8],
) -> Result<String, StatusCode> {
    if policy == SecurityPolicy::None {
        return Err(StatusCode::BadIdentityTokenRejected);
    }
    let given = token.certificate_data.as_ref();
    let known = options.user_certificates.iter().find(|user| user.der == given);
    let known = known.ok_or(StatusCode::BadUserAccessDenied)?;
    let own: &X509 = application.certificate.as_ref().ok_or(StatusCode::BadIdentityTokenRejected)?;
    verify_x509_identity_token(token, &request.user_token_signature, policy, own, nonce)
        .map_err(|_| StatusCode::BadUserSignatureInvalid)?;
    Ok(known.name.clone())
}
