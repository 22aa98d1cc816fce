//! Appends of one sender that must not overtake each other.

use crate::error::AppendError;
use std::sync::{Arc, OnceLock};

/// Goes with all appends of one sender: when one of them is refused, all behind it are, too, whether or not there is
/// room again. Else what the sender repeats later would stand behind what it sent after it.
#[derive(Debug, Clone, Default)]
pub struct Fence(Arc<OnceLock<AppendError>>);

impl Fence {
    /// Why one of the appends was refused.
    pub(crate) fn refusal(&self) -> Option<AppendError> {
        self.0.get().cloned()
    }

    /// An append was refused. The first reason stays.
    pub(crate) fn close(&self, error: &AppendError) {
        self.0.get_or_init(|| error.clone());
    }
}
