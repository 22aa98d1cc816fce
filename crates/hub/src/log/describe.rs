//! The file that says how a log was created: `log.json`.

use crate::error::HubError;
use gemba_base::disk::Disk;
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
    make_folder(disk, folder).map_err(|error| failed(error.to_string()))?;
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

/// Makes the folder and its name durable: messages below it would be lost with the name.
fn make_folder(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    let absent =
        |folder: &&Path| matches!(disk.list(folder), Err(error) if error.kind() == io::ErrorKind::NotFound);
    let named = |folder: &&Path| !folder.as_os_str().is_empty() && folder.parent().is_some();
    // The folder's own name is synced every time: a crash may have come just before that.
    let made: Vec<&Path> = folder
        .ancestors()
        .filter(named)
        .enumerate()
        .filter(|(depth, folder)| *depth == 0 || absent(folder))
        .map(|(_, folder)| folder)
        .collect();
    disk.create_folder(folder)?;
    for folder in made {
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        disk.sync_folder(parent.unwrap_or_else(|| Path::new(".")))?;
    }
    Ok(())
}

fn read(disk: &dyn Disk, folder: &Path) -> io::Result<Option<Description>> {
    let file = match disk.open(&folder.join(FILE), false) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = [0; 4096];
    let count = file.read_at(&mut bytes, 0)?;
    let text = bytes.get(..count).unwrap_or_default();
    serde_json::from_slice(text).map(Some).map_err(io::Error::from)
}

/// Written whole or not at all: the name appears only when the content is durable.
fn write(disk: &dyn Disk, folder: &Path, partitions: u32) -> io::Result<()> {
    let temporary = folder.join(format!("{FILE}.new"));
    let description = Description { version: 1, partitions, placement: PLACEMENT.into() };
    let text = serde_json::to_vec(&description)?;
    let file = disk.open(&temporary, true)?;
    file.set_len(0)?;
    file.write_all_at(&text, 0)?;
    file.sync()?;
    disk.rename(&temporary, &folder.join(FILE))?;
    disk.sync_folder(folder)
}
