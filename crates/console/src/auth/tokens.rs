//! Bearer tokens for programs: `gtk_` and 256 random bits, of which the store has a hash.

use super::principal::{Principal, Via};
use super::{ACCOUNTS_MAX, secrets};
use crate::ApiError;
use gemba_api::docs::{Audit, Expect};
use gemba_api::rest::Role;
use gemba_api::{DocStore, Write};
use gemba_base::Secret;
use gemba_model::DateTime;
use serde::{Deserialize, Serialize};

const TOKENS: &str = "tokens";
/// Digits of a token's hash that are its id for people.
const ID_DIGITS: usize = 16;

/// A token as stored; the key is the hash of its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Token {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) created_by: String,
    pub(crate) created_at: DateTime,
    #[serde(default)]
    pub(crate) expires_at: Option<DateTime>,
}

/// The id of a key.
pub(crate) fn id(key: &str) -> String {
    key.chars().take(ID_DIGITS).collect()
}

/// Makes a token. Its text is told once.
pub(crate) fn create(docs: &dyn DocStore, token: &Token) -> Result<(String, Secret), ApiError> {
    if token.name.is_empty() || token.name.chars().count() > 64 || token.name.chars().any(char::is_control) {
        return Err(ApiError::invalid("name", "a token's name has 1 to 64 characters"));
    }
    if list(docs)?.len() >= ACCOUNTS_MAX {
        return Err(ApiError::Conflict(format!("there are {ACCOUNTS_MAX} tokens already; delete some")));
    }
    let text = format!("gtk_{}", secrets::new());
    let key = secrets::hash(&text);
    let value = serde_json::to_value(token).map_err(|_| ApiError::Internal("a token's document"))?;
    let write = Write::Put { collection: TOKENS, key: key.clone(), value, expect: Expect::Absent };
    let target = format!("{} ({}, {})", token.name, token.role.as_str(), id(&key));
    let audit = Audit { actor: token.created_by.clone(), action: "token.create", target };
    docs.write(vec![write], Some(audit))?;
    Ok((id(&key), Secret::new(text)))
}

/// All tokens with their ids, in the order of their making.
pub(crate) fn list(docs: &dyn DocStore) -> Result<Vec<(String, Token)>, ApiError> {
    let documents = docs.list(TOKENS, "", None, ACCOUNTS_MAX + 1)?;
    let mut tokens: Vec<(String, Token)> = documents
        .into_iter()
        .filter_map(|document| Some((id(&document.key), serde_json::from_value(document.value).ok()?)))
        .collect();
    tokens.sort_by_key(|(_, token)| token.created_at);
    Ok(tokens)
}

/// Deletes the token with this id.
pub(crate) fn delete(docs: &dyn DocStore, token_id: &str, actor: String) -> Result<(), ApiError> {
    let missing = || ApiError::NotFound("there is no token with this id".to_owned());
    if token_id.len() != ID_DIGITS {
        return Err(missing());
    }
    let document = docs.list(TOKENS, token_id, None, 1)?.into_iter().next().ok_or_else(missing)?;
    let audit = Audit { actor, action: "token.delete", target: token_id.to_owned() };
    let expect = Expect::Version(document.etag);
    docs.write(vec![Write::Delete { collection: TOKENS, key: document.key, expect }], Some(audit))?;
    Ok(())
}

/// Who a bearer token stands for.
pub(crate) fn authenticate(
    docs: &dyn DocStore,
    text: &str,
    now: DateTime,
) -> Result<Option<Principal>, ApiError> {
    if !text.starts_with("gtk_") {
        return Ok(None);
    }
    alive(docs, &secrets::hash(text), now)
}

/// Whether the token of this key may still be used.
pub(crate) fn lives(docs: &dyn DocStore, key: &str, now: DateTime) -> Result<bool, ApiError> {
    Ok(alive(docs, key, now)?.is_some())
}

fn alive(docs: &dyn DocStore, key: &str, now: DateTime) -> Result<Option<Principal>, ApiError> {
    let Some(document) = docs.get(TOKENS, key)? else { return Ok(None) };
    let Ok(token) = serde_json::from_value::<Token>(document.value) else { return Ok(None) };
    if token.expires_at.is_some_and(|expires| now >= expires) {
        return Ok(None);
    }
    Ok(Some(Principal { name: token.name, role: token.role, via: Via::Token { key: document.key } }))
}
