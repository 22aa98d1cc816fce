//! Secrets at rest: documents of chosen collections are encrypted with a key that lives outside of the file.
//!
//! AES-256-GCM with a random nonce for each value; collection and key of the document are authenticated with it,
//! so that no value can be moved to another document. The form is in docs/formats/registry.md.

use crate::OpenError;
use crate::key::{KEY_BYTES, KeySource};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use gemba_base::random;
use gemba_model::text::{base64, from_base64};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::path::Path;

/// What every sealed value begins with; JSON never does.
const PREFIX: &str = "sealed:1:";
/// Document that the proof of the key is sealed as.
const PROOF: (&str, &str) = ("sealing", "proof");

/// Which collections are encrypted, and where the key is.
#[derive(Debug, Clone)]
pub struct Sealing {
    /// Where the key is.
    pub key: KeySource,
    /// Names of the collections that hold secrets.
    pub collections: &'static [&'static str],
}

/// A key in use.
pub(crate) struct Seal {
    key: LessSafeKey,
    collections: &'static [&'static str],
}

impl Seal {
    fn new(bytes: &[u8; KEY_BYTES], collections: &'static [&'static str]) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).ok()?);
        Some(Self { key, collections })
    }

    pub(crate) fn covers(&self, collection: &str) -> bool {
        self.collections.contains(&collection)
    }

    /// The text to store; `None` when the cipher fails, which it does only beyond 64 GiB.
    pub(crate) fn close(&self, collection: &str, key: &str, text: &str) -> Option<String> {
        let nonce = random::bytes::<NONCE_LEN>();
        let mut bytes = text.as_bytes().to_vec();
        let place = Aad::from(place(collection, key));
        let unique = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(unique, place, &mut bytes).ok()?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut bytes);
        Some(format!("{PREFIX}{}", base64(&sealed)))
    }

    /// The text that was sealed; `None` when the value is damaged, moved, or sealed with another key.
    pub(crate) fn open(&self, collection: &str, key: &str, sealed: &str) -> Option<String> {
        let mut bytes = from_base64(sealed.strip_prefix(PREFIX)?)?;
        let (nonce, rest) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.key.open_in_place(nonce, Aad::from(place(collection, key)), rest).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

/// Collections never hold a zero byte, so no two documents have the same place.
fn place(collection: &str, key: &str) -> Vec<u8> {
    format!("gemba-registry\0{collection}\0{key}").into_bytes()
}

pub(crate) fn is_sealed(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Gets the key, proves that it is the right one, and seals what stands in clear in the sealed collections.
/// A new key is made only for a registry that never had one.
pub(crate) fn ensure(
    connection: &mut Connection,
    path: &Path,
    sealing: Option<&Sealing>,
) -> Result<Option<Seal>, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::from_sqlite(path, &error);
    let proof: Option<String> =
        connection.query_row("SELECT proof FROM sealing", [], |row| row.get(0)).optional().map_err(failed)?;
    let no_key = |detail: &str| OpenError::Key { path: path.to_owned(), detail: detail.to_owned() };
    let Some(sealing) = sealing else {
        return match proof {
            None => Ok(None),
            Some(_) => Err(no_key("its secrets are encrypted, and no key was given")),
        };
    };
    let key = match (&proof, sealing.key.read()) {
        (_, Ok(Some(key))) => key,
        (None, Ok(None)) => sealing.key.make().map_err(|detail| no_key(&detail))?,
        (Some(_), Ok(None)) => {
            return Err(no_key(&format!(
                "its secrets are encrypted, and their key is not in {}",
                sealing.key
            )));
        }
        (_, Err(detail)) => return Err(no_key(&detail)),
    };
    let seal = Seal::new(&key, sealing.collections).ok_or_else(|| no_key("the cipher takes no such key"))?;
    match proof {
        Some(proof) if seal.open(PROOF.0, PROOF.1, &proof).is_none() => {
            return Err(OpenError::WrongKey { path: path.to_owned(), key: sealing.key.to_string() });
        }
        Some(_) => {}
        None => {
            let proof = seal.close(PROOF.0, PROOF.1, "gemba").ok_or_else(|| no_key("the cipher failed"))?;
            connection.execute("INSERT INTO sealing (id, proof) VALUES (1, ?1)", [proof]).map_err(failed)?;
        }
    }
    let sealed = seal_clear(connection, &seal).map_err(failed)?;
    if sealed > 0 {
        tracing::info!(path = %path.display(), sealed, "secrets that stood in clear are encrypted now");
    }
    Ok(Some(seal))
}

/// Seals the clear documents of sealed collections, and leaves no copy of them in free pages or the journal.
fn seal_clear(connection: &mut Connection, seal: &Seal) -> rusqlite::Result<usize> {
    let mut clear: Vec<(String, String, String)> = Vec::new();
    for collection in seal.collections {
        let mut statement = connection.prepare(
            "SELECT collection, key, value FROM document WHERE collection = ?1 AND substr(value, 1, 9) <> ?2",
        )?;
        let rows = statement
            .query_map(params![collection, PREFIX], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        for row in rows {
            clear.push(row?);
        }
    }
    if clear.is_empty() {
        return Ok(0);
    }
    connection.pragma_update(None, "secure_delete", true)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (collection, key, text) in &clear {
        if let Some(sealed) = seal.close(collection, key, text) {
            transaction.execute(
                "UPDATE document SET value = ?3 WHERE collection = ?1 AND key = ?2",
                [collection, key, &sealed],
            )?;
        }
    }
    transaction.commit()?;
    connection.execute_batch("VACUUM")?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(clear.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_text_opens_in_its_place_with_its_key_alone() {
        let seal = Seal::new(&[1; KEY_BYTES], &["a"]).expect("is a key");
        let text = seal.close("a", "k", "secret").expect("seals");
        assert!(is_sealed(&text) && !text.contains("secret"));
        assert_eq!(seal.open("a", "k", &text).as_deref(), Some("secret"));
        assert_ne!(seal.close("a", "k", "secret"), Some(text.clone()), "each time another nonce");
        for (collection, key) in [("a", "l"), ("b", "k"), ("a\0k", "")] {
            assert_eq!(seal.open(collection, key, &text), None);
        }
        let other = Seal::new(&[2; KEY_BYTES], &["a"]).expect("is a key");
        assert_eq!(other.open("a", "k", &text), None);
        for cut in [0, 5, 9, 20, text.len() - 1] {
            assert_eq!(seal.open("a", "k", text.get(..cut).expect("ASCII")), None, "{cut}");
        }
    }
}
