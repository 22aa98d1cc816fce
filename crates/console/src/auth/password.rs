//! Passwords: argon2id, on few threads, in the same time for users that do not exist.

use crate::ApiError;
use crate::blocking::Workers;
use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use gemba_base::Secret;
use parking_lot::Mutex;
use std::sync::Arc;

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
pub(crate) struct Passwords {
    workers: Workers,
    memory: Memory,
}

/// The memory of checks, used again by the next: memory of this size that is freed stays with the allocator of the
/// thread that had it, and the checks of a flood of log-ins go over many threads.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<Vec<Vec<Block>>>>);

impl Memory {
    fn lend<T>(&self, blocks: usize, work: impl FnOnce(&mut [Block]) -> T) -> T {
        let mut memory = self.0.lock().pop().unwrap_or_default();
        memory.resize(blocks, Block::new());
        let outcome = work(&mut memory);
        let mut kept = self.0.lock();
        if kept.len() < PLACES && blocks <= MEMORY_KIB as usize {
            kept.push(memory);
        }
        outcome
    }
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self { workers: Workers::new("log-ins", PLACES, WAITING_MAX), memory: Memory::default() }
    }

    /// The text to store for a password.
    ///
    /// # Errors
    /// When it is too short or too long, or too many log-ins wait.
    pub(crate) async fn hash(&self, password: Secret) -> Result<String, ApiError> {
        check_length(&password)?;
        self.workers.run(move || hash(&password)).await
    }

    /// Whether a password has the stored hash; `None` stands for a user that does not exist and takes as long.
    ///
    /// # Errors
    /// When too many log-ins wait.
    pub(crate) async fn verify(&self, password: Secret, stored: Option<String>) -> Result<bool, ApiError> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| NOBODY.to_owned());
        let memory = self.memory.clone();
        let check = move || Ok::<_, ApiError>(verify(&password, &stored, &memory).unwrap_or(false));
        let right = self.workers.run(check).await?;
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

/// `None` when the stored text is no hash that can be checked.
fn verify(password: &Secret, stored: &str, memory: &Memory) -> Option<bool> {
    let text: String = password.reveal().chars().take(LENGTH_MAX).collect();
    let stored = PasswordHash::new(stored).ok()?;
    // The parameters are those of the stored hash, so that old hashes stay valid when ours grow.
    let params = Params::try_from(&stored).ok()?;
    let algorithm = Algorithm::try_from(stored.algorithm.as_str()).ok()?;
    let version = stored.version.map_or(Ok(Version::V0x13), Version::try_from).ok()?;
    let (salt, expected) = (stored.salt?, stored.hash?);
    let blocks = params.block_count();
    let argon2 = Argon2::new(algorithm, version, params);
    let mut found = vec![0; expected.len()];
    let hashed = memory.lend(blocks, |memory| {
        argon2.hash_password_into_with_memory(text.as_bytes(), salt.as_ref(), &mut found, memory)
    });
    hashed.ok()?;
    // Compared in constant time.
    Some(Output::new(&found).ok()? == expected)
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
        assert!(!passwords.verify(right.clone(), None).await.expect("checks"));
        for text in ["", "$argon2id$", "$argon2id$v=19$m=19456,t=2,p=1$Z2VtYmFnZW1iYWdlbWJhMQ"] {
            assert!(!passwords.verify(right.clone(), Some(text.into())).await.expect("checks"), "{text}");
        }
    }

    #[tokio::test]
    async fn many_checks_share_the_memory_of_two() {
        let passwords = Passwords::new();
        let stored = hash_of("correct horse battery");
        let mut checks = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let (passwords, stored) = (passwords.clone(), stored.clone());
            checks.spawn(async move {
                passwords.verify(Secret::new("correct horse battery"), Some(stored)).await
            });
        }
        while let Some(right) = checks.join_next().await {
            assert!(right.expect("no panic").expect("checks"));
        }
        let kept: Vec<usize> = passwords.memory.0.lock().iter().map(Vec::len).collect();
        assert!(kept.len() <= PLACES && kept.iter().all(|blocks| *blocks == 19_456), "{kept:?}");
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
