//! Carries out control requests: identities and tokens. The same in the live process and without one.

use crate::control::Request;
use crate::registry;
use crate::settings::Settings;
use anyhow::{Result, anyhow};
use gemba_api::DocStore;
use gemba_base::{Clock, SystemClock};
use gemba_hub::{Connections, DeviceIdentity, Identities};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// Everything that requests are about.
#[derive(Clone)]
pub(crate) struct Office {
    pub(crate) docs: Arc<dyn DocStore>,
    pub(crate) identities: Identities,
    pub(crate) clock: Arc<dyn Clock>,
    /// HostName in connection strings, with its port where that is not the default one.
    pub(crate) host_name: String,
}

/// Who acts, in the audit trail.
const ACTOR: &str = "command line";
/// Identities listed at a time.
const PAGE: usize = 500;

impl Office {
    /// Over the documents of a data directory that nobody else uses.
    pub(crate) fn open(data: &Path, settings: &Settings, host_name: String) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let docs = registry::open(data, settings)?;
        let identities = Identities::new(docs.clone(), Connections::default());
        Ok(Self { docs, identities, clock, host_name })
    }

    pub(crate) fn carry_out(&self, request: Request) -> Result<Value> {
        let identities = &self.identities;
        match request {
            Request::IdentityCreate { name } => {
                let created = identities.create(&name, self.clock.now(), ACTOR)?;
                self.with_keys(&created)
            }
            Request::IdentityList => {
                let mut items = Vec::new();
                let mut after: Option<String> = None;
                loop {
                    let page = identities.list(after.as_deref(), PAGE)?;
                    after = page.last().map(|last| last.identity.to_string());
                    let full = page.len() == PAGE;
                    items.extend(page.iter().map(shown));
                    if !full {
                        return Ok(json!({ "items": items }));
                    }
                }
            }
            Request::IdentityShow { name } => Ok(shown(&identities.show(&name)?)),
            Request::IdentityConnectionString { name } => self.with_keys(&identities.show(&name)?),
            Request::IdentityEnable { name, enabled: true } => Ok(shown(&identities.enable(&name, ACTOR)?)),
            Request::IdentityEnable { name, enabled: false } => Ok(shown(&identities.disable(&name, ACTOR)?)),
            Request::IdentityDelete { name } => {
                identities.delete(&name, ACTOR)?;
                Ok(json!({ "deleted": name }))
            }
            Request::TokenCreate { role, name } => {
                let role = role.parse().map_err(|reason: String| anyhow!(reason))?;
                let token = gemba_console::create_token(self.docs.as_ref(), role, &name, self.clock.now())
                    .map_err(|error| anyhow!("{error}"))?;
                Ok(json!({ "token": token.reveal(), "role": role.as_str(), "name": name }))
            }
        }
    }

    fn with_keys(&self, device: &DeviceIdentity) -> Result<Value> {
        let name = device.identity.to_string();
        let connection = self.identities.connection_string(&name, &self.host_name)?;
        let mut value = shown(device);
        if let Some(members) = value.as_object_mut() {
            members.insert("connectionString".to_owned(), connection.to_text().into());
            members.insert("primaryKey".to_owned(), device.primary_key.to_base64().into());
            members.insert("secondaryKey".to_owned(), device.secondary_key.to_base64().into());
        }
        Ok(value)
    }
}

fn shown(device: &DeviceIdentity) -> Value {
    json!({
        "name": device.identity.to_string(),
        "enabled": device.enabled,
        "created": device.created.to_string(),
        "etag": device.etag.0.to_string(),
    })
}
