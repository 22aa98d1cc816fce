//! The short commands.

pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod hub;
pub(crate) mod opc;
pub(crate) mod sim;
pub(crate) mod token;

use crate::cli::Place;
use crate::control::{self, Request};
use crate::data::DataDirectory;
use crate::office::Office;
use crate::settings;
use anyhow::{Result, bail};
use serde_json::Value;

/// Has the live process carry out a request, or does it here when none runs.
pub(crate) fn carry_out(place: &Place, request: Request) -> Result<Value> {
    if let Some(answer) = control::ask(&place.data, &request)? {
        return Ok(answer);
    }
    if !place.data.is_dir() {
        bail!(
            "there is no data directory {}; start Gemba with --data {} first",
            place.data.display(),
            place.data.display()
        );
    }
    let data = DataDirectory::lock(&place.data)?;
    let (settings, _) = settings::load(place)?;
    let port = settings.hub.mqtt.listen.port();
    let host = crate::platform::primary_host(&settings);
    let host = if matches!(port, 0 | 8883) { host } else { format!("{host}:{port}") };
    Office::open(data.path(), &settings, host)?.carry_out(request)
}

/// A field of an answer as text.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
