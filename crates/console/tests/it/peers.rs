//! Scripts for other people's programs beside the console.

use std::path::{Path, PathBuf};

/// What lies beside the peers' tests.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name)
}
