//! The first start: a one-time link instead of a default password.

use super::secrets;
use super::users::{self, User};
use crate::ApiError;
use gemba_api::docs::{Audit, Expect};
use gemba_api::{DocStore, Write};
use gemba_base::Secret;
use gemba_model::DateTime;
use serde_json::json;

const COLLECTION: &str = "first-start";
const KEY: &str = "link";

/// A new link's secret if there is no user yet; links of earlier starts are void then.
pub(crate) fn offer(docs: &dyn DocStore, now: DateTime) -> Result<Option<Secret>, ApiError> {
    if users::exist(docs)? {
        let delete = Write::Delete { collection: COLLECTION, key: KEY.to_owned(), expect: Expect::Any };
        if docs.get(COLLECTION, KEY)?.is_some() {
            docs.write(vec![delete], None)?;
        }
        return Ok(None);
    }
    let secret = secrets::new();
    let value = json!({"hash": secrets::hash(&secret), "createdAt": now});
    let put = Write::Put { collection: COLLECTION, key: KEY.to_owned(), value, expect: Expect::Any };
    let audit = Audit { actor: "system".to_owned(), action: "first-start.offer", target: "link".to_owned() };
    docs.write(vec![put], Some(audit))?;
    Ok(Some(Secret::new(secret)))
}

/// Whether there is no user yet.
pub(crate) fn is_open(docs: &dyn DocStore) -> Result<bool, ApiError> {
    Ok(!users::exist(docs)?)
}

/// Whether the secret is that of the link on offer.
pub(crate) fn is_valid(docs: &dyn DocStore, secret: &str) -> Result<bool, ApiError> {
    let Some(document) = docs.get(COLLECTION, KEY)? else { return Ok(false) };
    let hash = document.value.get("hash").and_then(serde_json::Value::as_str).unwrap_or_default();
    Ok(secrets::matches(secret, hash) && !users::exist(docs)?)
}

/// Makes the administrator and voids the link, once: of two at the same time one fails.
pub(crate) fn take(docs: &dyn DocStore, secret: &str, admin: &User) -> Result<(), ApiError> {
    let Some(document) = docs.get(COLLECTION, KEY)? else { return Err(ApiError::FirstStart) };
    if !is_valid(docs, secret)? {
        return Err(ApiError::FirstStart);
    }
    let writes = vec![
        Write::Delete { collection: COLLECTION, key: KEY.to_owned(), expect: Expect::Version(document.etag) },
        users::put(admin, Expect::Absent)?,
    ];
    let audit = Audit { actor: admin.name.clone(), action: "first-start.take", target: admin.name.clone() };
    docs.write(writes, Some(audit)).map_err(|error| match error.into() {
        ApiError::Conflict(_) => ApiError::FirstStart,
        other => other,
    })?;
    Ok(())
}
