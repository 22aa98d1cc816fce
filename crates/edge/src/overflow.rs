//! What happens when the queue has reached its bound.

use std::str::FromStr;

/// The rule of the store-and-forward queue at its byte limit. At a full disk it always waits: freeing our
/// own data for somebody else's growth would lose it for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OverflowRule {
    /// The oldest segment goes, after a gap record that says what was in it.
    #[default]
    DropOldest,
    /// Nothing more is taken; the servers' own queues hold what they can.
    Block,
}

impl FromStr for OverflowRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "drop-oldest" => Ok(Self::DropOldest),
            "block" => Ok(Self::Block),
            other => Err(format!("'{other}' is not a rule for a full queue; use drop-oldest or block")),
        }
    }
}
