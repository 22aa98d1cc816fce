//! Device and module identities: stored as documents, each with two keys.

use crate::connections::Connections;
use crate::error::HubError;
use crate::reason::EndReason;
use gemba_api::docs::{Audit, Expect};
use gemba_api::{DocStore, Document, Etag, StoreError, Write};
use gemba_base::random;
use gemba_iothub::{ConnectionString, Identity, SymmetricKey};
use gemba_model::DateTime;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const COLLECTION: &str = "identities";
/// Collections of the hub whose documents hold secrets: the store should encrypt them.
pub const SECRET_COLLECTIONS: &[&str] = &[COLLECTION];
/// Bytes of a generated key, as the service makes them.
const KEY_BYTES: usize = 32;
/// Devices and modules of one hub.
const PAGE_MAX: usize = 1_000;

/// A device or module that may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceIdentity {
    /// Which one.
    pub identity: Identity,
    /// Whether it may connect. A module also needs its device enabled.
    pub enabled: bool,
    /// The first key.
    pub primary_key: SymmetricKey,
    /// The second key.
    pub secondary_key: SymmetricKey,
    /// When it was created.
    pub created: DateTime,
    /// Version of the document.
    pub etag: Etag,
}

/// The stored form. Keys are in clear here, because whoever verifies a SAS token needs them; the store encrypts.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stored {
    version: u32,
    enabled: bool,
    primary_key: String,
    secondary_key: String,
    created: DateTime,
}

/// The identities of a hub. Every change is durable when the call returns, is in the audit trail under the name
/// of the actor, and takes effect on live connections at once. Calls are short but may block on the store.
#[derive(Clone)]
pub struct Identities {
    docs: Arc<dyn DocStore>,
    connections: Connections,
}

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identities").field("connections", &self.connections).finish_non_exhaustive()
    }
}

impl Identities {
    /// Identities in this store.
    pub fn new(docs: Arc<dyn DocStore>, connections: Connections) -> Self {
        Self { docs, connections }
    }

    /// Creates `device` or `device/module`, enabled, with two random keys.
    ///
    /// # Errors
    /// When the name is none, it exists, a module's device does not, or the store fails.
    pub fn create(&self, name: &str, now: DateTime, actor: &str) -> Result<DeviceIdentity, HubError> {
        let stored = Stored {
            version: 1,
            enabled: true,
            primary_key: random_key(),
            secondary_key: random_key(),
            created: now,
        };
        self.add(name, stored, actor)
    }

    /// Creates `device` or `device/module`, enabled, with two keys that it has already.
    ///
    /// # Errors
    /// As [`Identities::create`].
    pub fn import(
        &self,
        name: &str,
        (primary, secondary): (SymmetricKey, SymmetricKey),
        now: DateTime,
        actor: &str,
    ) -> Result<DeviceIdentity, HubError> {
        let (primary_key, secondary_key) = (primary.to_base64(), secondary.to_base64());
        let stored = Stored { version: 1, enabled: true, primary_key, secondary_key, created: now };
        self.add(name, stored, actor)
    }

    fn add(&self, name: &str, stored: Stored, actor: &str) -> Result<DeviceIdentity, HubError> {
        let identity = parse(name)?;
        if let Some(module) = &identity.module
            && self.find(&Identity::device(identity.device.clone()))?.is_none()
        {
            let (device, module) = (identity.device.to_string(), module.to_string());
            return Err(HubError::NoDevice { device, module });
        }
        match self.put(&identity, &stored, Expect::Absent, "identity.create", actor) {
            Ok(etag) => read(identity, etag, stored),
            Err(HubError::Conflict(name)) => Err(HubError::Exists(name)),
            Err(error) => Err(error),
        }
    }

    /// One identity.
    ///
    /// # Errors
    /// [`HubError::Unknown`], or when the name is none or the store fails.
    pub fn show(&self, name: &str) -> Result<DeviceIdentity, HubError> {
        let identity = parse(name)?;
        self.find(&identity)?.ok_or_else(|| HubError::Unknown(identity.to_string()))
    }

    /// One identity, or `None`.
    ///
    /// # Errors
    /// When the store fails or the document is damaged.
    pub fn find(&self, identity: &Identity) -> Result<Option<DeviceIdentity>, HubError> {
        match self.docs.get(COLLECTION, &identity.to_string()).map_err(HubError::Store)? {
            Some(document) => from_document(document).map(Some),
            None => Ok(None),
        }
    }

    /// Identities in order of their names, after `after`, at most 1,000 of them.
    ///
    /// # Errors
    /// When the store fails or a document is damaged.
    pub fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<DeviceIdentity>, HubError> {
        let documents =
            self.docs.list(COLLECTION, "", after, limit.min(PAGE_MAX)).map_err(HubError::Store)?;
        documents.into_iter().map(from_document).collect()
    }

    /// The connection string for a device. `host_name` is the hub's, with a port unless it is the default one.
    ///
    /// # Errors
    /// As [`Identities::show`].
    pub fn connection_string(&self, name: &str, host_name: &str) -> Result<ConnectionString, HubError> {
        let found = self.show(name)?;
        Ok(ConnectionString::of(host_name, found.identity, found.primary_key))
    }

    /// Lets an identity connect again.
    ///
    /// # Errors
    /// As [`Identities::show`], and [`HubError::Conflict`].
    pub fn enable(&self, name: &str, actor: &str) -> Result<DeviceIdentity, HubError> {
        self.set_enabled(name, true, "identity.enable", actor)
    }

    /// Keeps an identity out, and ends its connection; a device's modules with it.
    ///
    /// # Errors
    /// As [`Identities::show`], and [`HubError::Conflict`].
    pub fn disable(&self, name: &str, actor: &str) -> Result<DeviceIdentity, HubError> {
        let changed = self.set_enabled(name, false, "identity.disable", actor)?;
        self.end_connections(&changed.identity, "the identity was disabled")?;
        Ok(changed)
    }

    /// Gives an identity two new keys and ends its connection.
    ///
    /// # Errors
    /// As [`Identities::show`], and [`HubError::Conflict`].
    pub fn renew_keys(&self, name: &str, actor: &str) -> Result<DeviceIdentity, HubError> {
        let found = self.show(name)?;
        let stored = Stored { primary_key: random_key(), secondary_key: random_key(), ..stored(&found) };
        let expect = Expect::Version(found.etag);
        let etag = self.put(&found.identity, &stored, expect, "identity.renew-keys", actor)?;
        self.connections.end(&found.identity.to_string(), EndReason::Revoked, "the keys were renewed");
        read(found.identity, etag, stored)
    }

    /// Deletes an identity, a device with its modules, and ends their connections.
    ///
    /// # Errors
    /// As [`Identities::show`].
    pub fn delete(&self, name: &str, actor: &str) -> Result<(), HubError> {
        let found = self.show(name)?;
        let modules = self.modules(&found.identity)?;
        let keys = modules.iter().map(ToString::to_string).chain([found.identity.to_string()]);
        let writes =
            keys.map(|key| Write::Delete { collection: COLLECTION, key, expect: Expect::Any }).collect();
        self.write(&found.identity, writes, "identity.delete", actor)?;
        for identity in modules.iter().chain([&found.identity]) {
            self.connections.end(&identity.to_string(), EndReason::Revoked, "the identity was deleted");
        }
        Ok(())
    }

    /// Who is connected.
    pub const fn connections(&self) -> &Connections {
        &self.connections
    }

    fn set_enabled(
        &self,
        name: &str,
        enabled: bool,
        action: &'static str,
        actor: &str,
    ) -> Result<DeviceIdentity, HubError> {
        let found = self.show(name)?;
        let stored = Stored { enabled, ..stored(&found) };
        let etag = self.put(&found.identity, &stored, Expect::Version(found.etag), action, actor)?;
        read(found.identity, etag, stored)
    }

    fn end_connections(&self, identity: &Identity, detail: &str) -> Result<(), HubError> {
        for one in self.modules(identity)?.iter().chain([identity]) {
            self.connections.end(&one.to_string(), EndReason::Revoked, detail);
        }
        Ok(())
    }

    /// The modules of a device.
    fn modules(&self, identity: &Identity) -> Result<Vec<Identity>, HubError> {
        if identity.module.is_some() {
            return Ok(Vec::new());
        }
        let prefix = format!("{}/", identity.device);
        let documents = self.docs.list(COLLECTION, &prefix, None, PAGE_MAX).map_err(HubError::Store)?;
        documents.into_iter().map(|document| parse(&document.key)).collect()
    }

    fn put(
        &self,
        identity: &Identity,
        stored: &Stored,
        expect: Expect,
        action: &'static str,
        actor: &str,
    ) -> Result<Etag, HubError> {
        let key = identity.to_string();
        let value = serde_json::to_value(stored)
            .map_err(|error| HubError::Damaged { id: key.clone(), detail: error.to_string() })?;
        let write = Write::Put { collection: COLLECTION, key, value, expect };
        let etags = self.write(identity, vec![write], action, actor)?;
        Ok(etags.first().copied().unwrap_or(Etag(0)))
    }

    fn write(
        &self,
        identity: &Identity,
        writes: Vec<Write>,
        action: &'static str,
        actor: &str,
    ) -> Result<Vec<Etag>, HubError> {
        let target = identity.to_string();
        let audit = Audit { actor: actor.to_owned(), action, target: target.clone() };
        self.docs.write(writes, Some(audit)).map_err(|error| match error {
            StoreError::Conflict { .. } => HubError::Conflict(target),
            failed @ StoreError::Failed { .. } => HubError::Store(failed),
        })
    }
}

fn parse(name: &str) -> Result<Identity, HubError> {
    Identity::parse(name).map_err(|error| HubError::InvalidId(error.to_string()))
}

fn random_key() -> String {
    gemba_model::text::base64(&random::bytes::<KEY_BYTES>())
}

fn stored(identity: &DeviceIdentity) -> Stored {
    Stored {
        version: 1,
        enabled: identity.enabled,
        primary_key: identity.primary_key.to_base64(),
        secondary_key: identity.secondary_key.to_base64(),
        created: identity.created,
    }
}

fn from_document(document: Document) -> Result<DeviceIdentity, HubError> {
    let damaged = |detail: String| HubError::Damaged { id: document.key.clone(), detail };
    let identity = Identity::parse(&document.key).map_err(|error| damaged(error.to_string()))?;
    let stored: Stored =
        serde_json::from_value(document.value.clone()).map_err(|error| damaged(error.to_string()))?;
    read(identity, document.etag, stored)
}

fn read(identity: Identity, etag: Etag, stored: Stored) -> Result<DeviceIdentity, HubError> {
    let damaged = |detail: String| HubError::Damaged { id: identity.to_string(), detail };
    if stored.version != 1 {
        return Err(damaged(format!("version {} is newer than this program", stored.version)));
    }
    let key = |text: &str| SymmetricKey::from_base64(text).map_err(|error| damaged(error.to_string()));
    Ok(DeviceIdentity {
        primary_key: key(&stored.primary_key)?,
        secondary_key: key(&stored.secondary_key)?,
        enabled: stored.enabled,
        created: stored.created,
        etag,
        identity,
    })
}
