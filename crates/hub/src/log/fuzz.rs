//! Entry point for fuzzing: any bytes may come in, no panic may come out.

use super::record::{decode, encode};
use bytes::Bytes;

/// A record from the disk. What is read and written again reads the same.
pub fn record(data: &[u8]) {
    if let Ok(message) = decode(Bytes::copy_from_slice(data)) {
        assert_eq!(decode(encode(&message)), Ok(message));
    }
}
