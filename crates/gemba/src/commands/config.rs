//! `gemba config`.

use crate::cli::ConfigAction;
use crate::settings;
use crate::terminal::say;
use anyhow::Result;
use serde_json::json;

pub(crate) fn run(action: ConfigAction) -> Result<()> {
    let ConfigAction::Show { place, json } = action;
    let (_, layers) = settings::load(&place)?;
    let shown: Vec<(String, String, String)> = layers
        .show()
        .into_iter()
        .map(|(key, value, origin)| (hidden(&key, value), origin.to_string(), key))
        .map(|(value, origin, key)| (key, value, origin))
        .collect();
    if json {
        let items: Vec<_> = shown
            .iter()
            .map(|(key, value, origin)| json!({"key": key, "value": value, "origin": origin}))
            .collect();
        say(&json!({ "items": items }).to_string());
        return Ok(());
    }
    let width = shown.iter().map(|(key, value, _)| key.len() + value.len() + 3).max().unwrap_or(0);
    for (key, value, origin) in shown {
        say(&format!("{:width$}  # {origin}", format!("{key} = {value}")));
    }
    Ok(())
}

/// A connection string holds a key; a reference to a file does not.
fn hidden(key: &str, value: String) -> String {
    if key == "edge.hub" && value.contains("SharedAccessKey") { "\"***\"".to_owned() } else { value }
}
