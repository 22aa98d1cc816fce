//! The key for secrets at rest: a file of its own, or an environment variable.

use gemba_base::{files, random};
use gemba_model::text::{base64, from_base64};
use std::fmt;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Bytes of a key: AES-256.
pub(crate) const KEY_BYTES: usize = 32;
/// What the text of a key begins with.
const PREFIX: &str = "gemba-secrets-key:1:";

/// Where the key for secrets at rest is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file with the key's text, made with mode 0600 when the registry has no key yet.
    File(PathBuf),
    /// An environment variable with the key's text, for what hands out secrets that way.
    Environment(String),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
        }
    }
}

impl KeySource {
    /// The key, or `None` when there is none. The text of an error never holds the key.
    pub(crate) fn read(&self) -> Result<Option<[u8; KEY_BYTES]>, String> {
        let text = match self {
            Self::Environment(name) => match std::env::var(name) {
                Ok(text) if !text.trim().is_empty() => text,
                _ => return Ok(None),
            },
            Self::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => {
                    let mode = std::fs::metadata(path).map_or(0, |found| found.permissions().mode() & 0o777);
                    if mode & 0o077 != 0 {
                        let (mode, path) = (format!("{mode:o}"), path.display());
                        tracing::warn!(%path, mode, "others may read the key for secrets: chmod 600");
                    }
                    text
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(format!("the key {self} cannot be read: {error}")),
            },
        };
        parse(&text)
            .map(Some)
            .ok_or_else(|| format!("{self} holds no key: it must be '{PREFIX}' and 32 bytes as Base64"))
    }

    /// Makes a new key.
    pub(crate) fn make(&self) -> Result<[u8; KEY_BYTES], String> {
        let path = match self {
            Self::File(path) => path,
            Self::Environment(name) => {
                return Err(format!(
                    "{name} is not set; put '{PREFIX}' and 32 random bytes as Base64 there (openssl rand -base64 32)"
                ));
            }
        };
        let key = random::bytes::<KEY_BYTES>();
        let write = || {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                files::create_private_folder(folder)?;
            }
            files::replace_secret(path, format!("{PREFIX}{}\n", base64(&key)).as_bytes())
        };
        write().map_err(|error: std::io::Error| format!("the key {self} cannot be written: {error}"))?;
        tracing::info!(key = %self, "a key for secrets at rest was made; keep a copy apart from the backups");
        Ok(key)
    }
}

fn parse(text: &str) -> Option<[u8; KEY_BYTES]> {
    from_base64(text.trim().strip_prefix(PREFIX)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_made_private_and_read_back() {
        let folder = std::env::temp_dir().join(format!("gemba-key-{}", random::hex::<8>()));
        let source = KeySource::File(folder.join("secrets.key"));
        assert_eq!(source.read(), Ok(None));
        let key = source.make().expect("is made");
        assert_eq!(source.read(), Ok(Some(key)));
        let mode = std::fs::metadata(folder.join("secrets.key")).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for damaged in ["", "gemba-secrets-key:2:AAAA", "gemba-secrets-key:1:AAAA", "AAAA"] {
            std::fs::write(folder.join("secrets.key"), damaged).expect("is written");
            assert!(source.read().is_err(), "{damaged}");
        }
        drop(std::fs::remove_dir_all(folder));
    }
}
