//! A listener to durable messages, for what is wanted at once and not from the log.

use gemba_api::DeviceMessage;

/// Sees messages right after they became durable, such as the status reports of edges. Calls come from the
/// sessions: they must be quick and must not block. After a crash nothing is repeated; the log has it all.
pub trait MessageTap: Send + Sync + 'static {
    /// Whether a message is wanted; asked when it arrives, so that others are not kept in memory.
    fn wants(&self, message: &DeviceMessage) -> bool;

    /// A wanted message is durable at this place.
    fn durable(&self, message: DeviceMessage, partition: u32, offset: u64);
}
