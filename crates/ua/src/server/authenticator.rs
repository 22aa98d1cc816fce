//! Who may come in: anonymous when allowed, else a name and its password.

use super::options::ServerOptions;
use async_trait::async_trait;
use gemba_base::Secret;
use gemba_base::secret::equal_in_constant_time;
use opcua::server::ServerEndpoint;
use opcua::server::authenticator::{
    AuthManager, Password, UserToken, user_pass_security_policy_id, user_pass_security_policy_uri,
};
use opcua::types::{Error, StatusCode, UAString, UserTokenPolicy, UserTokenType};
use std::collections::BTreeMap;

pub(super) struct Authenticator {
    anonymous: bool,
    users: BTreeMap<String, Secret>,
}

impl Authenticator {
    pub(super) fn new(options: &ServerOptions) -> Self {
        let users = options.users.iter().map(|user| (user.name.clone(), user.password.clone())).collect();
        Self { anonymous: options.anonymous, users }
    }
}

fn refused() -> Error {
    // One answer for an unknown name and a wrong password, so that names cannot be tried out.
    Error::new(StatusCode::BadUserAccessDenied, "the user name or the password is wrong")
}

#[async_trait]
impl AuthManager for Authenticator {
    async fn authenticate_anonymous_token(&self, _endpoint: &ServerEndpoint) -> Result<(), Error> {
        if self.anonymous { Ok(()) } else { Err(refused()) }
    }

    async fn authenticate_username_identity_token(
        &self,
        _endpoint: &ServerEndpoint,
        username: &str,
        password: &Password,
    ) -> Result<UserToken, Error> {
        let known = self.users.get(username).ok_or_else(refused)?;
        if equal_in_constant_time(known.reveal().as_bytes(), password.get().as_bytes()) {
            Ok(UserToken(format!("user:{username}")))
        } else {
            Err(refused())
        }
    }

    fn user_token_policies(&self, endpoint: &ServerEndpoint) -> Vec<UserTokenPolicy> {
        let mut policies = Vec::with_capacity(2);
        if self.anonymous {
            policies.push(UserTokenPolicy {
                policy_id: UAString::from("anonymous"),
                token_type: UserTokenType::Anonymous,
                issued_token_type: UAString::null(),
                issuer_endpoint_url: UAString::null(),
                security_policy_uri: UAString::null(),
            });
        }
        if !self.users.is_empty() {
            policies.push(UserTokenPolicy {
                policy_id: user_pass_security_policy_id(endpoint),
                token_type: UserTokenType::UserName,
                issued_token_type: UAString::null(),
                issuer_endpoint_url: UAString::null(),
                security_policy_uri: user_pass_security_policy_uri(endpoint),
            });
        }
        policies
    }
}
