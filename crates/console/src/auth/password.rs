//! Passwords: argon2id, on few threads, in the same time for users that do not exist.

use crate::ApiError;
use crate::blocking::Workers;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use gemba_base::Secret;

/// Shorter ones are guessed; there are no other rules, because they make passwords worse (NIST SP 800-63B).
pub(crate) const LENGTH_MIN: usize = 12;
/// Longer ones only cost work.
pub(crate) const LENGTH_MAX: usize = 256;

/// OWASP's first choice for argon2id: 19 MiB, two passes, one lane; about 30 ms.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Two at once are 38 MiB and at most two cores, however many log-ins are tried.
const PLACES: usize = 2;
const WAITING_MAX: usize = 16;

/// A hash of nothing, with the parameters of real ones: users that do not exist are checked against it.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Z2VtYmFnZW1iYWdlbWJhMQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes and checks passwords on a bounded number of threads.
#[derive(Debug, Clone)]
pub(crate) struct Passwords(Workers);

impl Passwords {
    pub(crate) fn new() -> Self {
        Self(Workers::new("log-ins", PLACES, WAITING_MAX))
    }

    /// The text to store for a password.
    ///
    /// # Errors
    /// When it is too short or too long, or too many log-ins wait.
    pub(crate) async fn hash(&self, password: Secret) -> Result<String, ApiError> {
        check_length(&password)?;
        self.0.run(move || hash(&password)).await
    }

    /// Whether a password has the stored hash; `None` stands for a user that does not exist and takes as long.
    ///
    /// # Errors
    /// When too many log-ins wait.
    pub(crate) async fn verify(&self, password: Secret, stored: Option<String>) -> Result<bool, ApiError> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| NOBODY.to_owned());
        let right = self.0.run(move || Ok::<_, ApiError>(verify(&password, &stored))).await?;
        Ok(right && known)
    }
}

pub(crate) fn check_length(password: &Secret) -> Result<(), ApiError> {
    let found = password.reveal().chars().count();
    if (LENGTH_MIN..=LENGTH_MAX).contains(&found) {
        return Ok(());
    }
    Err(ApiError::Password { min: LENGTH_MIN, max: LENGTH_MAX, found })
}

pub(crate) fn hash(password: &Secret) -> Result<String, ApiError> {
    let hash = argon2()?.hash_password(password.reveal().as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|_| ApiError::Internal("password hash"))
}

fn verify(password: &Secret, stored: &str) -> bool {
    // The parameters are those of the stored hash, so that old hashes stay valid when ours grow.
    let text: String = password.reveal().chars().take(LENGTH_MAX).collect();
    PasswordHash::new(stored)
        .is_ok_and(|hash| Argon2::default().verify_password(text.as_bytes(), &hash).is_ok())
}

fn argon2() -> Result<Argon2<'static>, ApiError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|_| ApiError::Internal("password parameters"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_another_is_not() {
        let passwords = Passwords::new();
        let right = Secret::new("correct horse battery");
        let stored = passwords.hash(right.clone()).await.expect("hashes");
        let start: String = stored.chars().take(31).collect();
        assert_eq!(start, "$argon2id$v=19$m=19456,t=2,p=1$");
        assert!(passwords.verify(right.clone(), Some(stored.clone())).await.expect("checks"));
        assert!(!passwords.verify(Secret::new("correct horse batterx"), Some(stored)).await.expect("checks"));
        assert!(!passwords.verify(right, None).await.expect("checks"));
    }

    #[test]
    fn the_hash_of_nobody_costs_what_a_real_one_costs() {
        let hash = PasswordHash::new(NOBODY).expect("is a hash, or checking it would take no time");
        let real = hash_of("correct horse battery");
        let real = PasswordHash::new(&real).expect("is a hash");
        assert_eq!((hash.algorithm, &hash.params), (real.algorithm, &real.params));
        assert_eq!(hash.hash.map(|hash| hash.len()), real.hash.map(|hash| hash.len()));
    }

    fn hash_of(text: &str) -> String {
        hash(&Secret::new(text)).expect("hashes")
    }

    #[test]
    fn length_is_the_only_rule() {
        for (text, fine) in [("aaaaaaaaaaaa", true), ("ääääääääääää", true), ("elevenchars", false)]
        {
            assert_eq!(check_length(&Secret::new(text)).is_ok(), fine, "{text}");
        }
        assert!(check_length(&Secret::new("a".repeat(257))).is_err());
    }
}
