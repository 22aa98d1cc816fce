//! Shared access signatures: `SharedAccessSignature sr=<uri>&sig=<base64>&se=<seconds>[&skn=<policy>]`.

use crate::error::{IotError, shortened};
use crate::host::HostNames;
use crate::identity::Identity;
use crate::key::SymmetricKey;
use crate::{limits, percent};
use gemba_model::DateTime;
use gemba_model::text::{base64, from_base64};
use std::fmt;

const SCHEME: &str = "SharedAccessSignature ";

/// A token as it was sent, not yet trusted: call [`SasToken::verify`] before acting on it.
#[derive(Clone, PartialEq, Eq)]
pub struct SasToken {
    /// The `sr` field exactly as sent, because the signature is over this text.
    resource_as_sent: String,
    /// The `se` field exactly as sent, for the same reason.
    expiry_as_sent: String,
    resource: String,
    expiry: DateTime,
    signature: Vec<u8>,
    policy: Option<String>,
}

/// What a token opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope<'a> {
    /// One device or module.
    Identity(&'a Identity),
    /// The whole hub, by a named policy.
    Hub,
}

/// The key that a token was signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedWith {
    /// The first key.
    Primary,
    /// The second key, which keeps clients working while the first one is changed.
    Secondary,
}

impl SasToken {
    /// Reads a token; fields may stand in any order, unknown fields are ignored, a field given twice is refused.
    ///
    /// # Errors
    /// [`IotError::MalformedToken`].
    pub fn parse(text: &str) -> Result<Self, IotError> {
        if text.len() > limits::TOKEN_BYTES_MAX {
            return Err(IotError::MalformedToken("it is longer than 4096 bytes"));
        }
        let fields = text
            .split_at_checked(SCHEME.len())
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME))
            .map(|(_, fields)| fields)
            .ok_or(IotError::MalformedToken("it does not begin with 'SharedAccessSignature '"))?;
        let [mut sr, mut sig, mut se, mut skn] = [None; 4];
        for field in fields.split('&') {
            let (name, value) =
                field.split_once('=').ok_or(IotError::MalformedToken("a field has no value"))?;
            let slot = match name.trim() {
                "sr" => &mut sr,
                "sig" => &mut sig,
                "se" => &mut se,
                "skn" => &mut skn,
                _ => continue,
            };
            if slot.replace(value.trim()).is_some() {
                return Err(IotError::MalformedToken("a field is given twice"));
            }
        }
        let sr = sr.ok_or(IotError::MalformedToken("the field sr is missing"))?;
        let sig = sig.ok_or(IotError::MalformedToken("the field sig is missing"))?;
        let se = se.ok_or(IotError::MalformedToken("the field se is missing"))?;
        let decoded = |text| {
            percent::decode(text).ok_or(IotError::MalformedToken("a field is not percent-encoded UTF-8"))
        };
        let signature = from_base64(&decoded(sig)?)
            .filter(|signature| signature.len() == 32)
            .ok_or(IotError::MalformedToken("the field sig is not Base64 of 32 bytes"))?;
        let policy = skn.map(decoded).transpose()?.filter(|name| !name.is_empty());
        Ok(Self {
            resource: decoded(sr)?.into_owned(),
            resource_as_sent: sr.to_owned(),
            expiry: expiry(se)?,
            expiry_as_sent: se.to_owned(),
            signature,
            policy: policy.map(std::borrow::Cow::into_owned),
        })
    }

    /// Signs a token. `resource` is not yet encoded, see [`Identity::resource`].
    pub fn generate(resource: &str, key: &SymmetricKey, expiry: DateTime, policy: Option<&str>) -> String {
        let sr = percent::encode(resource);
        let se = expiry.unix_seconds().max(0);
        let sig = percent::encode(&base64(&key.sign(&format!("{sr}\n{se}"))));
        let skn = policy.map(|name| format!("&skn={}", percent::encode(name))).unwrap_or_default();
        format!("{SCHEME}sr={sr}&sig={sig}&se={se}{skn}")
    }

    /// The end of the token's time.
    pub const fn expiry(&self) -> DateTime {
        self.expiry
    }

    /// The resource, decoded.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The policy (`skn`), when the token is for one.
    pub fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    /// Checks resource, signature and time, in this order, so that only the holder of a key learns that
    /// its token has merely expired.
    ///
    /// # Errors
    /// [`IotError::WrongResource`], [`IotError::WrongSignature`] or [`IotError::ExpiredToken`].
    pub fn verify(
        &self,
        hosts: &HostNames,
        scope: &Scope<'_>,
        keys: (&SymmetricKey, Option<&SymmetricKey>),
        now: DateTime,
    ) -> Result<SignedWith, IotError> {
        if !self.is_for(hosts, scope) {
            let wanted = match scope {
                Scope::Identity(identity) => identity.resource(hosts.first().unwrap_or("<host>")),
                Scope::Hub => format!("'{hosts}'"),
            };
            return Err(IotError::WrongResource { found: shortened(&self.resource, 300), wanted });
        }
        let signed = format!("{}\n{}", self.resource_as_sent, self.expiry_as_sent);
        let with = if keys.0.verify(&signed, &self.signature) {
            SignedWith::Primary
        } else if keys.1.is_some_and(|key| key.verify(&signed, &self.signature)) {
            SignedWith::Secondary
        } else {
            return Err(IotError::WrongSignature);
        };
        if self.expiry <= now {
            return Err(IotError::ExpiredToken { expired: self.expiry, now });
        }
        Ok(with)
    }

    fn is_for(&self, hosts: &HostNames, scope: &Scope<'_>) -> bool {
        let resource = self.resource.trim_end_matches('/');
        let (host, path) = resource.split_once('/').unwrap_or((resource, ""));
        if !hosts.matches(host) {
            return false;
        }
        match scope {
            Scope::Hub => path.is_empty(),
            Scope::Identity(identity) => {
                let parts: Vec<&str> = path.split('/').collect();
                match (parts.as_slice(), &identity.module) {
                    (["devices", device], None) => is_id(device, identity.device.as_str()),
                    (["devices", device, "modules", module], Some(wanted)) => {
                        is_id(device, identity.device.as_str()) && is_id(module, wanted.as_str())
                    }
                    _ => false,
                }
            }
        }
    }
}

/// Some clients encode the id before they encode the whole resource again.
fn is_id(segment: &str, id: &str) -> bool {
    segment == id || percent::decode(segment).is_some_and(|once_more| once_more == id)
}

fn expiry(text: &str) -> Result<DateTime, IotError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(IotError::MalformedToken("the field se is not a number of seconds"));
    }
    // A number beyond all calendars is as good as "for ever" on this scale.
    let seconds = text.parse::<u64>().unwrap_or(u64::MAX);
    Ok(DateTime::from_unix_nanos(i128::from(seconds) * 1_000_000_000))
}

impl fmt::Debug for SasToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SasToken")
            .field("resource", &self.resource)
            .field("expiry", &self.expiry)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
