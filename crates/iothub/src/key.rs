//! Symmetric keys of identities and policies.

use crate::error::IotError;
use aws_lc_rs::hmac;
use gemba_model::text::{base64, from_base64};
use std::fmt;

/// A shared access key. It prints as `***`; [`SymmetricKey::to_base64`] marks each place that reveals it.
#[derive(Clone)]
pub struct SymmetricKey {
    bytes: Vec<u8>,
    hmac: hmac::Key,
}

impl SymmetricKey {
    /// A key of 16 to 64 bytes, as the service takes them.
    ///
    /// # Errors
    /// [`IotError::InvalidKey`] for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IotError> {
        if !(16..=64).contains(&bytes.len()) {
            return Err(IotError::InvalidKey);
        }
        Ok(Self { bytes: bytes.to_vec(), hmac: hmac::Key::new(hmac::HMAC_SHA256, bytes) })
    }

    /// A key in the form of connection strings.
    ///
    /// # Errors
    /// [`IotError::InvalidKey`] when the text is not padded Base64 of 16 to 64 bytes.
    pub fn from_base64(text: &str) -> Result<Self, IotError> {
        Self::from_bytes(&from_base64(text).ok_or(IotError::InvalidKey)?)
    }

    /// The key as connection strings carry it.
    pub fn to_base64(&self) -> String {
        base64(&self.bytes)
    }

    /// HMAC-SHA256 of a text.
    pub fn sign(&self, text: &str) -> Vec<u8> {
        hmac::sign(&self.hmac, text.as_bytes()).as_ref().to_vec()
    }

    /// Whether `signature` is the HMAC-SHA256 of the text; takes a time that does not depend on where they differ.
    pub fn verify(&self, text: &str, signature: &[u8]) -> bool {
        hmac::verify(&self.hmac, text.as_bytes(), signature).is_ok()
    }
}

impl PartialEq for SymmetricKey {
    fn eq(&self, other: &Self) -> bool {
        // Signatures differ whenever keys do, and their comparison does not leak where.
        hmac::verify(&self.hmac, b"", hmac::sign(&other.hmac, b"").as_ref()).is_ok()
    }
}
impl Eq for SymmetricKey {}

impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_hides_in_debug_output_and_comes_back_as_base64() {
        let text = base64(&[7; 32]);
        let key = SymmetricKey::from_base64(&text).expect("is a key");
        assert_eq!((format!("{key:?}"), key.to_base64()), ("***".to_owned(), text));
        assert_ne!(key, SymmetricKey::from_bytes(&[8; 32]).expect("is a key"));
        assert_eq!(key, SymmetricKey::from_bytes(&[7; 32]).expect("is a key"));
    }

    #[test]
    fn short_long_and_cut_keys_are_refused() {
        for text in [String::new(), "AAAA".into(), base64(&[1; 65]), base64(&[1; 32]).replace('=', "")] {
            assert_eq!(SymmetricKey::from_base64(&text), Err(IotError::InvalidKey), "{text}");
        }
    }
}
