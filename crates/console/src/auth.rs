//! Who may come in: users, sessions, tokens, the first start, and the brakes against guessing.

pub(crate) mod first_start;
pub(crate) mod password;
pub(crate) mod principal;
pub(crate) mod secrets;
pub(crate) mod sessions;
pub(crate) mod throttle;
pub(crate) mod tokens;
pub(crate) mod users;

use crate::ApiError;
use crate::blocking::Workers;
use gemba_api::DocStore;
use gemba_base::Clock;
use parking_lot::Mutex;
use std::net::IpAddr;
use std::sync::Arc;
use throttle::Throttle;

/// At most so many users, tokens and sessions each.
pub(crate) const ACCOUNTS_MAX: usize = 1_000;

/// Everything that decides who may come in. Clones are the same.
#[derive(Clone)]
pub(crate) struct Accounts {
    pub(crate) docs: Arc<dyn DocStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) passwords: password::Passwords,
    throttle: Arc<Mutex<Throttle>>,
    workers: Workers,
}

impl Accounts {
    pub(crate) fn new(docs: Arc<dyn DocStore>, clock: Arc<dyn Clock>) -> Self {
        Self {
            docs,
            clock,
            passwords: password::Passwords::new(),
            throttle: Arc::new(Mutex::new(Throttle::default())),
            workers: Workers::new("accounts", 8, 1_024),
        }
    }

    /// Runs something over the documents on a blocking thread.
    pub(crate) async fn with_docs<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn DocStore, &dyn Clock) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (docs, clock) = (Arc::clone(&self.docs), Arc::clone(&self.clock));
        self.workers.run(move || work(&*docs, &*clock)).await
    }

    /// Counts an attempt to prove an identity.
    ///
    /// # Errors
    /// When earlier ones failed too often; says how long to wait.
    pub(crate) fn attempt(&self, address: Option<IpAddr>, user: &str) -> Result<Attempt, ApiError> {
        let keys = throttle::keys(address, user);
        let now = self.clock.monotonic();
        self.throttle.lock().attempt(&keys, now).map_err(ApiError::TooManyAttempts)?;
        Ok(Attempt { keys, throttle: Arc::clone(&self.throttle) })
    }
}

/// An attempt that is counted as failed unless something else is said.
pub(crate) struct Attempt {
    keys: throttle::Keys,
    throttle: Arc<Mutex<Throttle>>,
}

impl Attempt {
    /// It was right: the user's failures are forgotten, the address keeps its others.
    pub(crate) fn succeeded(self) {
        self.throttle.lock().succeeded(&self.keys);
    }

    /// It was never decided: it does not count.
    pub(crate) fn undecided(self) {
        self.throttle.lock().undecided(&self.keys);
    }
}
