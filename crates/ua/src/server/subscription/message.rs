//! Notification messages, written straight into bytes (OPC 10000-4 v1.05, 7.25; OPC 10000-6 v1.05, 5.2).

use super::item::Item;
use bytes::Bytes;
use gemba_model::DateTime;

// Binary encodings in the OPC UA namespace (OPC 10000-6 v1.05, NodeIds.csv).
const DATA_CHANGE_NOTIFICATION: u16 = 811;
const STATUS_CHANGE_NOTIFICATION: u16 = 820;
/// A DiagnosticInfo or an array of them that is not there.
const NO_LIST: i32 = -1;

/// A message in the making.
pub(super) struct DataChange {
    bytes: Vec<u8>,
    length_at: usize,
    count_at: usize,
    count: u32,
}

impl DataChange {
    pub(super) fn new(sequence: u32, published: DateTime, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        let length_at = begin(&mut bytes, sequence, published, DATA_CHANGE_NOTIFICATION);
        let count_at = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        Self { bytes, length_at, count_at, count: 0 }
    }

    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Moves values of an item into the message, oldest first, until it has `values` or is `size` long.
    pub(super) fn take(&mut self, item: &mut Item, values: u32, size: usize) {
        while self.count < values && self.bytes.len() < size {
            let Some(value) = item.queue.pop_front() else { return };
            self.bytes.extend_from_slice(&item.parameters.client_handle.to_le_bytes());
            value.encode(item.parameters.timestamps, &mut self.bytes);
            self.count += 1;
        }
    }

    /// One value that belongs to no item: for servers that lie.
    pub(super) fn stray(&mut self, client_handle: u32) {
        self.bytes.extend_from_slice(&client_handle.to_le_bytes());
        self.bytes.push(0);
        self.count += 1;
    }

    /// `surplus` is added to the number of values that is announced: 0 for the truth.
    pub(super) fn finish(mut self, surplus: u32) -> Bytes {
        self.bytes.extend_from_slice(&NO_LIST.to_le_bytes());
        patch(&mut self.bytes, self.count_at, self.count.saturating_add(surplus));
        let length = self.bytes.len() - self.length_at - 4;
        patch(&mut self.bytes, self.length_at, length as u32);
        self.bytes.into()
    }
}

/// A message that says that the subscription ended, and why (OPC 10000-4 v1.05, 7.25.4).
pub(super) fn status_change(sequence: u32, published: DateTime, status: u32) -> Bytes {
    let mut bytes = Vec::with_capacity(32);
    let length_at = begin(&mut bytes, sequence, published, STATUS_CHANGE_NOTIFICATION);
    bytes.extend_from_slice(&status.to_le_bytes());
    // An empty DiagnosticInfo.
    bytes.push(0);
    let length = bytes.len() - length_at - 4;
    patch(&mut bytes, length_at, length as u32);
    bytes.into()
}

/// A message without notifications, with the sequence number of the next one that has some.
pub(super) fn keep_alive(sequence: u32, published: DateTime) -> Bytes {
    let mut bytes = Vec::with_capacity(16);
    head(&mut bytes, sequence, published);
    bytes.extend_from_slice(&0_i32.to_le_bytes());
    bytes.into()
}

fn head(bytes: &mut Vec<u8>, sequence: u32, published: DateTime) {
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&published.ticks().to_le_bytes());
}

/// Up to the length of the one notification's body; returns where that stands.
fn begin(bytes: &mut Vec<u8>, sequence: u32, published: DateTime, encoding: u16) -> usize {
    head(bytes, sequence, published);
    bytes.extend_from_slice(&1_i32.to_le_bytes());
    // A NodeId of four bytes in namespace 0, then "body is a ByteString".
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend_from_slice(&encoding.to_le_bytes());
    bytes.push(1);
    bytes.extend_from_slice(&[0; 4]);
    bytes.len() - 4
}

fn patch(bytes: &mut [u8], at: usize, number: u32) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&number.to_le_bytes());
    }
}
