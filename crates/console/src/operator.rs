//! What the command line and the first start do without HTTP. Every call is short and blocks.

use crate::ApiError;
use crate::auth::{first_start as start, password, tokens, users};
use gemba_api::DocStore;
use gemba_api::rest::Role;
use gemba_base::Secret;
use gemba_model::DateTime;

/// The secret of a new one-time link for the administrator, or `None` when there is a user already. Links
/// of earlier calls are void afterwards. The caller shows the link and keeps it in a file of mode 0600.
///
/// # Errors
/// When storage fails.
pub fn first_start(docs: &dyn DocStore, now: DateTime) -> Result<Option<Secret>, ApiError> {
    start::offer(docs, now)
}

/// The link to show. The secret stands in the fragment, which browsers send to nobody and no log has.
pub fn first_start_link(console_url: &str, secret: &Secret) -> Secret {
    Secret::new(format!("{}/first-start#token={}", console_url.trim_end_matches('/'), secret.reveal()))
}

/// Makes a bearer token (`gtk_…`) that does not expire; its text cannot be had again.
///
/// # Errors
/// When the name has no or more than 64 characters, there are too many tokens, or storage fails.
pub fn create_token(docs: &dyn DocStore, role: Role, name: &str, now: DateTime) -> Result<Secret, ApiError> {
    let token = tokens::Token {
        name: name.to_owned(),
        role,
        created_by: "command line".to_owned(),
        created_at: now,
        expires_at: None,
    };
    tokens::create(docs, &token).map(|(_, secret)| secret)
}

/// Makes a user. Takes about 30 ms and 19 MiB for the password.
///
/// # Errors
/// When the name or password cannot be used, the user exists, or storage fails.
pub fn create_user(
    docs: &dyn DocStore,
    role: Role,
    name: &str,
    password: &Secret,
    now: DateTime,
) -> Result<(), ApiError> {
    password::check_length(password)?;
    users::key(name)?;
    let user = users::User::new(name, role, password::hash(password)?, now);
    users::create(docs, &user, "command line".to_owned())
}
