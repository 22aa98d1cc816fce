//! Sessions: a random id in a cookie, its hash in the store.

use super::principal::{Principal, Via};
use super::{ACCOUNTS_MAX, secrets, users};
use crate::ApiError;
use gemba_api::docs::{Audit, Expect};
use gemba_api::{DocStore, Document, Write};
use gemba_base::Secret;
use gemba_model::DateTime;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const SESSIONS: &str = "sessions";
/// Unused for so long, a session ends.
const IDLE_MAX: Duration = Duration::from_secs(12 * 3_600);
/// After so long it ends in any case.
pub(crate) const AGE_MAX: Duration = Duration::from_secs(7 * 86_400);
/// Use is written down this often at most: each is a durable write.
const TOUCH_EVERY: Duration = Duration::from_secs(5 * 60);
/// A user's sessions; one more ends the one unused for longest.
const PER_USER_MAX: usize = 16;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    user: String,
    /// [`users::User::credentials`] at log-in.
    credentials: String,
    created_at: DateTime,
    seen_at: DateTime,
}

impl Session {
    fn expires(&self) -> DateTime {
        self.seen_at.saturating_add(IDLE_MAX).min(self.created_at.saturating_add(AGE_MAX))
    }

    fn put(&self, key: &str, expect: Expect) -> Result<Write, ApiError> {
        let value = serde_json::to_value(self).map_err(|_| ApiError::Internal("a session's document"))?;
        Ok(Write::Put { collection: SESSIONS, key: key.to_owned(), value, expect })
    }

    fn principal(&self, key: String, csrf: String, user: &users::User) -> Principal {
        let via = Via::Session { key, csrf, expires: self.expires() };
        Principal { name: user.name.clone(), role: user.role, via }
    }
}

/// What unsafe requests of a session must show: a page of another origin can send the cookie, not read this.
fn csrf(id: &str) -> String {
    secrets::hash(&format!("gemba-csrf:{id}"))
}

fn delete(key: String) -> Write {
    Write::Delete { collection: SESSIONS, key, expect: Expect::Any }
}

/// Begins a session of a user whose password was right. Returns the cookie's value.
pub(crate) fn create(
    docs: &dyn DocStore,
    user: &users::User,
    now: DateTime,
) -> Result<(Secret, Principal), ApiError> {
    let id = secrets::new();
    let key = secrets::hash(&id);
    let session = Session {
        user: user.name.clone(),
        credentials: user.credentials.clone(),
        created_at: now,
        seen_at: now,
    };
    let mut writes: Vec<Write> = surplus(docs, &user.name, now)?.into_iter().map(delete).collect();
    writes.push(session.put(&key, Expect::Absent)?);
    let audit = Audit { actor: user.name.clone(), action: "session.create", target: user.name.clone() };
    docs.write(writes, Some(audit))?;
    let principal = session.principal(key, csrf(&id), user);
    Ok((Secret::new(id), principal))
}

/// Keys of sessions that have ended, or must make room for one more of this user.
fn surplus(docs: &dyn DocStore, user: &str, now: DateTime) -> Result<Vec<String>, ApiError> {
    let documents = docs.list(SESSIONS, "", None, 2 * ACCOUNTS_MAX)?;
    let parse = |document: Document| {
        serde_json::from_value::<Session>(document.value).ok().map(|session| (document.key, session))
    };
    let (mut alive, ended): (Vec<_>, Vec<_>) =
        documents.into_iter().filter_map(parse).partition(|(_, session)| now < session.expires());
    let mut keys: Vec<String> = ended.into_iter().map(|(key, _)| key).collect();
    alive.sort_by_key(|(_, session)| session.seen_at);
    let of_user = alive.iter().filter(|(_, session)| session.user == user).count();
    let own = (of_user + 1).saturating_sub(PER_USER_MAX);
    let any = (alive.len() + 1).saturating_sub(own + ACCOUNTS_MAX);
    keys.extend(
        alive.iter().filter(|(_, session)| session.user == user).take(own).map(|(key, _)| key.clone()),
    );
    keys.extend(alive.iter().take(any).map(|(key, _)| key.clone()));
    Ok(keys)
}

/// The user of a cookie, if its session still lives; counts as use.
pub(crate) fn authenticate(
    docs: &dyn DocStore,
    id: &str,
    now: DateTime,
) -> Result<Option<Principal>, ApiError> {
    match alive(docs, &secrets::hash(id), now)? {
        Some((key, session, user)) => Ok(Some(session.principal(key, csrf(id), &user))),
        None => Ok(None),
    }
}

/// Whether the session of this key still lives; counts as use.
pub(crate) fn lives(docs: &dyn DocStore, key: &str, now: DateTime) -> Result<bool, ApiError> {
    Ok(alive(docs, key, now)?.is_some())
}

fn alive(
    docs: &dyn DocStore,
    key: &str,
    now: DateTime,
) -> Result<Option<(String, Session, users::User)>, ApiError> {
    let Some(document) = docs.get(SESSIONS, key)? else { return Ok(None) };
    let Ok(mut session) = serde_json::from_value::<Session>(document.value) else { return Ok(None) };
    let Some((user, _)) = users::find(docs, &session.user)? else { return Ok(None) };
    if now >= session.expires() || user.disabled || user.credentials != session.credentials {
        return Ok(None);
    }
    if now.since(session.seen_at) >= TOUCH_EVERY {
        session.seen_at = now;
        // Another request may have noted the same use, or the session just ended: either way nothing is lost.
        match docs
            .write(vec![session.put(key, Expect::Version(document.etag))?], None)
            .map_err(ApiError::from)
        {
            Ok(_) | Err(ApiError::Conflict(_)) => {}
            Err(error) => tracing::warn!(%error, "a session's use could not be written down"),
        }
    }
    Ok(Some((key.to_owned(), session, user)))
}

/// Ends a session.
pub(crate) fn end(docs: &dyn DocStore, key: &str, user: &str) -> Result<(), ApiError> {
    let audit = Audit { actor: user.to_owned(), action: "session.delete", target: user.to_owned() };
    docs.write(vec![delete(key.to_owned())], Some(audit))?;
    Ok(())
}

/// Gives a user a new password; of its sessions only this one lives on.
pub(crate) fn change_password(
    docs: &dyn DocStore,
    key: &str,
    name: &str,
    password_hash: String,
) -> Result<(), ApiError> {
    let Some((mut user, user_etag)) = users::find(docs, name)? else {
        return Err(ApiError::NotFound(format!("there is no user '{name}'")));
    };
    let Some(document) = docs.get(SESSIONS, key)? else {
        return Err(ApiError::NotAuthenticated("the session has ended; log in again"));
    };
    let mut session: Session =
        serde_json::from_value(document.value).map_err(|_| ApiError::Internal("a stored session"))?;
    user.password_hash = password_hash;
    user.credentials = secrets::new();
    session.credentials.clone_from(&user.credentials);
    let writes = vec![
        users::put(&user, Expect::Version(user_etag))?,
        session.put(key, Expect::Version(document.etag))?,
    ];
    let audit = Audit { actor: user.name.clone(), action: "user.password", target: user.name };
    docs.write(writes, Some(audit))?;
    Ok(())
}
