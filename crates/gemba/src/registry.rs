//! The registry of a data directory, with its secrets encrypted.

use crate::settings::Settings;
use anyhow::Result;
use gemba_api::DocStore;
use gemba_registry::{KeySource, Sealing, SqliteDocStore};
use std::path::Path;
use std::sync::Arc;

/// The collections that hold secrets: device keys of the hub, and hashes of passwords, sessions and tokens of the
/// console. Hashes are of no use to a thief of 256-bit secrets, but those of passwords are.
const SECRET: &[&str] = &["identities", "users", "sessions", "tokens", "first-start"];

/// Where the key is when nobody says otherwise, below the data directory.
const KEY_FILE: &str = "pki/secrets.key";

/// Opens the registry, or creates it with its key.
pub(crate) fn open(data: &Path, settings: &Settings) -> Result<Arc<dyn DocStore>> {
    let sealing = Sealing { key: key_source(data, &settings.secrets.key_file), collections: SECRET };
    Ok(Arc::new(SqliteDocStore::open_sealed(data.join("meta/registry.sqlite"), &sealing)?))
}

fn key_source(data: &Path, setting: &str) -> KeySource {
    match setting.strip_prefix("env:") {
        Some(name) => KeySource::Environment(name.to_owned()),
        None if setting.is_empty() => KeySource::File(data.join(KEY_FILE)),
        None => KeySource::File(setting.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_collections_are_those_of_the_rooms() {
        assert!(gemba_hub::SECRET_COLLECTIONS.iter().all(|collection| SECRET.contains(collection)));
    }

    #[test]
    fn the_key_is_in_the_data_directory_a_file_or_the_environment() {
        let data = Path::new("/data");
        assert_eq!(key_source(data, ""), KeySource::File("/data/pki/secrets.key".into()));
        assert_eq!(key_source(data, "/run/secrets/gemba"), KeySource::File("/run/secrets/gemba".into()));
        assert_eq!(key_source(data, "env:GEMBA_KEY"), KeySource::Environment("GEMBA_KEY".into()));
    }
}
