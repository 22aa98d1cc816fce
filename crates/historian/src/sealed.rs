//! Small JSON files that know whether they are whole: a format version and a checksum around the content.

use crate::error::{HistorianError, Result};
use crate::file::FORMAT_VERSION;
use crate::file::write::{read_small, write_whole};
use gemba_base::disk::Disk;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::io::{self, Write};
use std::path::Path;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    format_version: u64,
    /// CRC-32C of the content's bytes as they stand, eight hexadecimal digits.
    crc32c: String,
    content: Box<RawValue>,
}

/// Writes a document durably, piece by piece: a ledger may have tens of megabytes.
pub(crate) fn write<T: Serialize>(disk: &dyn Disk, path: &Path, content: &T) -> Result<()> {
    write_whole(disk, path, |file| print(file, content))
}

/// The bytes of a document.
pub(crate) fn seal<T: Serialize + ?Sized>(path: &Path, content: &T) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    print(&mut bytes, content).map_err(HistorianError::storage(path))?;
    Ok(bytes)
}

/// An [`Envelope`] whose checksum follows what it is of.
fn print<T: Serialize + ?Sized>(out: &mut impl Write, content: &T) -> io::Result<()> {
    write!(out, "{{\"formatVersion\":{FORMAT_VERSION},\"content\":")?;
    let mut summed = Summed { out: &mut *out, crc: 0 };
    serde_json::to_writer(&mut summed, content)?;
    let crc = summed.crc;
    write!(out, ",\"crc32c\":\"{crc:08x}\"}}")
}

/// The checksum of what passes.
struct Summed<W> {
    out: W,
    crc: u32,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.crc = crc32c::crc32c_append(self.crc, bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads a document and checks it.
pub(crate) fn read<T: DeserializeOwned>(disk: &dyn Disk, path: &Path) -> Result<T> {
    let bytes = match read_small(disk, path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(HistorianError::damaged(path, "the file is not there any more"));
        }
        Err(error) => return Err(HistorianError::storage(path)(error)),
    };
    parse(path, &bytes)
}

/// What the bytes of a document say.
pub(crate) fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T> {
    let damaged = |error: serde_json::Error| HistorianError::damaged(path, error);
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(damaged)?;
    let found = envelope.format_version;
    if found > FORMAT_VERSION {
        return Err(HistorianError::NewerFormat { path: path.to_owned(), found, known: FORMAT_VERSION });
    }
    if format!("{:08x}", crc32c::crc32c(envelope.content.get().as_bytes())) != envelope.crc32c {
        return Err(HistorianError::damaged(path, "its checksum is wrong"));
    }
    serde_json::from_str(envelope.content.get()).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{FOLDER, Manifest, ManifestStore};
    use gemba_testkit::FaultyDisk;
    use std::sync::Arc;

    const ROOT: &str = "/hist/v1";

    /// The bytes as a manifest's file, and as the content of one whose checksum is right.
    fn manifest_of_bytes(bytes: &[u8]) {
        let folder = Path::new(ROOT).join(FOLDER);
        let (one, current) = (folder.join("1.json"), folder.join("CURRENT"));
        let disk = FaultyDisk::new(1);
        disk.install(&current, b"1\n");
        disk.install(&one, bytes);
        drop(read::<Manifest>(&disk, &one));
        if let Ok(content) = serde_json::from_slice::<Box<RawValue>>(bytes)
            && let Ok(sealed) = seal(&one, &content)
        {
            disk.install(&one, &sealed);
        }
        let Ok(opened) = ManifestStore::open(Arc::new(disk), Path::new(ROOT)) else { return };
        drop((opened.store.read_gaps(), opened.store.read_pending()));
    }

    #[test]
    fn fuzz_manifest() {
        let content = serde_json::to_vec(&Manifest::default()).expect("is written");
        let sealed = seal(Path::new("x"), &Manifest::default()).expect("is written");
        let target = gemba_testkit::fuzz::Target::new("historian-manifest", manifest_of_bytes).words([
            "\"files\":[]",
            "../",
            "\"gaps\":\"x\"",
            "\"number\":18446744073709551615",
        ]);
        target.inputs([content, sealed]).executions(4_000).run();
    }
}
