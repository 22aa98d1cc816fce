//! The edge: takes deliveries from the field, keeps them safe, sends them to the hub.
//!
//! Purpose: store-and-forward with nothing lost, and the uplink over the Azure IoT MQTT wire.
//! Knows: the durable log, PubSub messages, the wire, and its own bounds.
//! Does not know: OPC UA sessions, what the hub does with a message, or any other room of the house.

mod checkpoint;
mod encoding;
mod overflow;
mod queue;
mod record;
mod replay;
mod report;
mod uplink;

pub use overflow::OverflowRule;
pub use queue::{EdgeError, EdgeOptions, StoreAndForward};
pub use uplink::{HubLink, HubLinkOptions, Way};

/// Targets for fuzzing: bytes from disk must never do more than fail.
pub mod fuzz {
    /// A record of the queue. What can be read whole is written again with the same entries.
    pub fn record(bytes: &[u8]) {
        let Ok(entries) = crate::record::entries(bytes) else { return };
        let entries: Vec<_> = entries.collect();
        let renumbered = crate::record::renumbered(bytes, 7);
        let again = crate::record::entries(&renumbered).map(Iterator::count);
        assert_eq!(again, Ok(entries.iter().filter(|entry| entry.is_ok()).count()));
    }

    /// A checkpoint file.
    pub fn checkpoint(bytes: &[u8]) {
        if let Ok(checkpoint) = crate::checkpoint::Checkpoint::parse(bytes) {
            assert_eq!(crate::checkpoint::Checkpoint::parse(&checkpoint.print()), Ok(checkpoint));
        }
    }
}
