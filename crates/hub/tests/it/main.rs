//! The hub over real TLS sockets, with real clients and disks that fail on demand.

mod hostile;
mod identities;
mod log;
mod mqtt;
mod refusals;
mod storage;
mod world;

use std::time::Duration;

/// Long enough for the slowest machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);
