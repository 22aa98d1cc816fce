//! Small JSON files that know whether they are whole: a format version and a checksum around the content.

use crate::error::{HistorianError, Result};
use crate::file::FORMAT_VERSION;
use crate::file::write::{read_small, write_small};
use gemba_base::disk::Disk;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::path::Path;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    format_version: u64,
    /// CRC-32C of the content's bytes as they stand, eight hexadecimal digits.
    crc32c: String,
    content: Box<RawValue>,
}

/// Writes a document durably.
pub(crate) fn write<T: Serialize>(disk: &dyn Disk, path: &Path, content: &T) -> Result<()> {
    write_small(disk, path, &seal(path, content)?)
}

fn seal<T: Serialize>(path: &Path, content: &T) -> Result<Vec<u8>> {
    let failed = |error: serde_json::Error| HistorianError::damaged(path, error);
    let content = serde_json::value::to_raw_value(content).map_err(failed)?;
    let crc32c = format!("{:08x}", crc32c::crc32c(content.get().as_bytes()));
    serde_json::to_vec(&Envelope { format_version: FORMAT_VERSION, crc32c, content }).map_err(failed)
}

/// Reads a document and checks it.
pub(crate) fn read<T: DeserializeOwned>(disk: &dyn Disk, path: &Path) -> Result<T> {
    let bytes = read_small(disk, path).map_err(HistorianError::storage(path))?;
    let damaged = |error: serde_json::Error| HistorianError::damaged(path, error);
    let envelope: Envelope = serde_json::from_slice(&bytes).map_err(damaged)?;
    let found = envelope.format_version;
    if found > FORMAT_VERSION {
        return Err(HistorianError::NewerFormat { path: path.to_owned(), found, known: FORMAT_VERSION });
    }
    if format!("{:08x}", crc32c::crc32c(envelope.content.get().as_bytes())) != envelope.crc32c {
        return Err(HistorianError::damaged(path, "its checksum is wrong"));
    }
    serde_json::from_str(envelope.content.get()).map_err(damaged)
}
