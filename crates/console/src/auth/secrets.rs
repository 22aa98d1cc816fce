//! Random secrets of 256 bits and what is stored of them.

use aws_lc_rs::digest::{SHA256, digest};
use gemba_base::secret::equal_in_constant_time;

/// Bytes of a random secret.
const BYTES: usize = 32;

/// A new secret: 64 hexadecimal digits.
pub(crate) fn new() -> String {
    gemba_base::random::hex::<BYTES>()
}

/// SHA-256 in hexadecimal digits. Enough for secrets that cannot be guessed; passwords are not among them.
pub(crate) fn hash(secret: &str) -> String {
    digest(&SHA256, secret.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a secret has this hash.
pub(crate) fn matches(secret: &str, hash_of_it: &str) -> bool {
    equal_in_constant_time(hash(secret).as_bytes(), hash_of_it.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standard() {
        // FIPS 180-2, B.1.
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(matches("abc", &hash("abc")) && !matches("abd", &hash("abc")));
        assert_eq!(new().len(), 64);
        assert_ne!(new(), new());
    }
}
