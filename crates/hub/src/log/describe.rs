//! The file that says how a log was created: `log.json`.

use crate::error::HubError;
use gemba_base::disk::{self, Disk};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

const FILE: &str = "log.json";
/// More partitions only cost files and threads.
const PARTITIONS_MAX: u32 = 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    version: u32,
    partitions: u32,
    /// How a device finds its partition.
    placement: String,
}

const PLACEMENT: &str = "sha256-first-8-bytes-mod";

/// Reads the description, or writes it for a new log. Returns the number of partitions.
pub(super) fn ensure(disk: &dyn Disk, folder: &Path, wanted: u32) -> Result<u32, HubError> {
    let failed = |detail: String| HubError::Log { folder: folder.to_owned(), detail };
    if !(1..=PARTITIONS_MAX).contains(&wanted) {
        return Err(failed(format!("hub.partitions is {wanted}; 1 to {PARTITIONS_MAX} are allowed")));
    }
    disk::make_folder(disk, folder).map_err(|error| failed(error.to_string()))?;
    match read(disk, folder).map_err(|error| failed(format!("{FILE}: {error}")))? {
        Some(found) if found.version != 1 || found.placement != PLACEMENT => {
            Err(failed(format!("{FILE} was written by a newer program (version {})", found.version)))
        }
        Some(found) if found.partitions != wanted => {
            Err(HubError::PartitionsChanged { folder: folder.to_owned(), found: found.partitions, wanted })
        }
        Some(found) => Ok(found.partitions),
        None => {
            write(disk, folder, wanted).map_err(|error| failed(format!("{FILE}: {error}")))?;
            Ok(wanted)
        }
    }
}

fn read(disk: &dyn Disk, folder: &Path) -> io::Result<Option<Description>> {
    match disk.read(&folder.join(FILE)) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write(disk: &dyn Disk, folder: &Path, partitions: u32) -> io::Result<()> {
    let description = Description { version: 1, partitions, placement: PLACEMENT.into() };
    disk.replace(&folder.join(FILE), &serde_json::to_vec(&description)?, false)
}
