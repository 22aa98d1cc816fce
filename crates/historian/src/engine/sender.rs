//! Whose message it is, as the log says.

use crate::ledger::Told;
use crate::producers::ProducerKey;
use crate::row::Place;
use gemba_api::LogEntry;
use gemba_api::log::properties;
use gemba_model::MessageId;

/// Whose message it is.
pub(super) struct Sender {
    /// Device, with `/module` where it is one.
    pub(super) device: String,
    /// The account of its producer and its number, where it has one.
    pub(super) account: Option<(ProducerKey, u64)>,
    /// The life of the edge that sent it.
    pub(super) life: Option<u64>,
    /// Where it stands in the log.
    pub(super) place: Place,
    /// What the ledger keeps of it.
    pub(super) told: Told,
}

impl Sender {
    pub(super) fn new(partition: u32, entry: &LogEntry) -> Self {
        let message = &entry.message;
        let device = match &message.module {
            Some(module) => format!("{}/{module}", message.device),
            None => message.device.clone(),
        };
        let id: Option<MessageId> =
            message.system_property(properties::MESSAGE_ID).and_then(|text| text.parse().ok());
        let account = id.map(|id| {
            (ProducerKey { device: device.clone(), producer: id.producer, epoch: id.epoch }, id.sequence)
        });
        let told = Told { at: message.enqueued.ticks(), partition, offset: entry.offset };
        let life = message.property(properties::LIFE).and_then(|text| u64::from_str_radix(text, 16).ok());
        Self { device, account, life, place: Place::new(partition, entry.offset, message.enqueued), told }
    }

    pub(super) fn key(&self) -> Option<&ProducerKey> {
        self.account.as_ref().map(|(key, _)| key)
    }
}
