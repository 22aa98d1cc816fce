//! Users: a name, a role, a password's hash.

use super::{ACCOUNTS_MAX, secrets};
use crate::ApiError;
use gemba_api::docs::{Audit, Expect};
use gemba_api::rest::Role;
use gemba_api::{DocStore, Etag, Write};
use gemba_model::DateTime;
use serde::{Deserialize, Serialize};

/// The collection of users; keys are names in lower case.
pub(crate) const USERS: &str = "users";

/// A user as stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) password_hash: String,
    /// Changes with the password and when the user is disabled; sessions of another value are void.
    pub(crate) credentials: String,
    #[serde(default)]
    pub(crate) disabled: bool,
    pub(crate) created_at: DateTime,
}

impl User {
    pub(crate) fn new(name: &str, role: Role, password_hash: String, now: DateTime) -> Self {
        Self {
            name: name.to_owned(),
            role,
            password_hash,
            credentials: secrets::new(),
            disabled: false,
            created_at: now,
        }
    }
}

/// A changed user; what is `None` stays.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) role: Option<Role>,
    pub(crate) password_hash: Option<String>,
    pub(crate) disabled: Option<bool>,
}

/// The key of a name.
///
/// # Errors
/// When it cannot be a user's name.
pub(crate) fn key(name: &str) -> Result<String, ApiError> {
    let allowed = |c: char| c.is_alphanumeric() || "-_.@+".contains(c);
    if (1..=64).contains(&name.chars().count()) && name.chars().all(allowed) {
        return Ok(name.to_lowercase());
    }
    Err(ApiError::invalid("user", "a name has 1 to 64 letters, digits and - _ . @ +"))
}

/// A user with its version.
pub(crate) fn find(docs: &dyn DocStore, name: &str) -> Result<Option<(User, Etag)>, ApiError> {
    let Ok(key) = key(name) else { return Ok(None) };
    let Some(document) = docs.get(USERS, &key)? else { return Ok(None) };
    let user = serde_json::from_value(document.value).map_err(|_| ApiError::Internal("a stored user"))?;
    Ok(Some((user, document.etag)))
}

fn existing(docs: &dyn DocStore, name: &str) -> Result<(User, Etag), ApiError> {
    find(docs, name)?.ok_or_else(|| ApiError::NotFound(format!("there is no user '{name}'")))
}

/// All users, by name.
pub(crate) fn list(docs: &dyn DocStore) -> Result<Vec<User>, ApiError> {
    let documents = docs.list(USERS, "", None, ACCOUNTS_MAX + 1)?;
    Ok(documents.into_iter().filter_map(|document| serde_json::from_value(document.value).ok()).collect())
}

/// Whether there is any user.
pub(crate) fn exist(docs: &dyn DocStore) -> Result<bool, ApiError> {
    Ok(!docs.list(USERS, "", None, 1)?.is_empty())
}

pub(crate) fn put(user: &User, expect: Expect) -> Result<Write, ApiError> {
    let value = serde_json::to_value(user).map_err(|_| ApiError::Internal("a user's document"))?;
    Ok(Write::Put { collection: USERS, key: key(&user.name)?, value, expect })
}

pub(crate) fn create(docs: &dyn DocStore, user: &User, actor: String) -> Result<(), ApiError> {
    if list(docs)?.len() >= ACCOUNTS_MAX {
        return Err(ApiError::Conflict(format!("there are {ACCOUNTS_MAX} users already; delete some")));
    }
    let audit = Audit { actor, action: "user.create", target: user.name.clone() };
    docs.write(vec![put(user, Expect::Absent)?], Some(audit)).map_err(|error| match error.into() {
        ApiError::Conflict(_) => ApiError::Conflict(format!("there is a user '{}' already", user.name)),
        other => other,
    })?;
    Ok(())
}

pub(crate) fn change(
    docs: &dyn DocStore,
    name: &str,
    change: Change,
    actor: String,
) -> Result<User, ApiError> {
    let (mut user, etag) = existing(docs, name)?;
    let loses_admin = change.role.is_some_and(|role| role < Role::Admin) || change.disabled == Some(true);
    let mut writes = if loses_admin { other_admin(docs, &user)? } else { Vec::new() };
    user.role = change.role.unwrap_or(user.role);
    if change.password_hash.is_some() || change.disabled == Some(true) {
        user.credentials = secrets::new();
    }
    user.password_hash = change.password_hash.unwrap_or(user.password_hash);
    user.disabled = change.disabled.unwrap_or(user.disabled);
    writes.push(put(&user, Expect::Version(etag))?);
    docs.write(writes, Some(Audit { actor, action: "user.change", target: user.name.clone() }))?;
    Ok(user)
}

pub(crate) fn delete(docs: &dyn DocStore, name: &str, actor: String) -> Result<(), ApiError> {
    let (user, etag) = existing(docs, name)?;
    let mut writes = other_admin(docs, &user)?;
    writes.push(Write::Delete { collection: USERS, key: key(&user.name)?, expect: Expect::Version(etag) });
    docs.write(writes, Some(Audit { actor, action: "user.delete", target: user.name }))?;
    Ok(())
}

/// Somebody must be left who can let others in. Returns a write that fails if the administrator who stays
/// is changed at the same moment: two who remove each other would lock everybody out.
fn other_admin(docs: &dyn DocStore, leaving: &User) -> Result<Vec<Write>, ApiError> {
    if leaving.role < Role::Admin || leaving.disabled {
        return Ok(Vec::new());
    }
    let stays = |user: &User| user.role == Role::Admin && !user.disabled && user.name != leaving.name;
    let Some(other) = list(docs)?.into_iter().find(stays) else {
        let text = format!("'{}' is the last enabled administrator; make another one first", leaving.name);
        return Err(ApiError::Conflict(text));
    };
    let (other, etag) = existing(docs, &other.name)?;
    if !stays(&other) {
        return Err(ApiError::Conflict("another administrator was changed at the same time".to_owned()));
    }
    Ok(vec![put(&other, Expect::Version(etag))?])
}
