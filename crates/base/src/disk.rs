//! The disk as storage code sees it, so that tests can lose what was not synced.

use crate::files;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// An open file. Writes reach other openers at once, but survive a power cut only after a sync.
pub trait DiskFile: Send + Sync + Debug {
    /// Writes all bytes at a position.
    ///
    /// # Errors
    /// As the disk reports them; a part may have been written.
    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()>;
    /// Fills the buffer from a position; returns fewer bytes only at the end of the file.
    ///
    /// # Errors
    /// As the disk reports them.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;
    /// Makes written bytes and the length durable (fdatasync).
    ///
    /// # Errors
    /// Final for this file: the kernel may have dropped the pages, so a second sync that succeeds proves
    /// nothing.
    fn sync(&self) -> io::Result<()>;
    /// The length in bytes.
    ///
    /// # Errors
    /// As the disk reports them.
    fn len(&self) -> io::Result<u64>;
    /// Cuts or extends with zeros.
    ///
    /// # Errors
    /// As the disk reports them.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Whether the file holds no byte.
    ///
    /// # Errors
    /// As the disk reports them.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|length| length == 0)
    }
}

/// An exclusive claim on a path, given back on drop and by the end of the process.
pub trait DiskLock: Send + Sync + Debug {}

impl DiskLock for File {}

/// A file system.
pub trait Disk: Send + Sync + Debug + 'static {
    /// Opens for reading and writing; creates the file when `create` is set and it is absent.
    ///
    /// # Errors
    /// As the disk reports them.
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>>;
    /// Names of the entries of a folder, sorted.
    ///
    /// # Errors
    /// As the disk reports them.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    /// Creates a folder and its parents.
    ///
    /// # Errors
    /// As the disk reports them.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// Deletes a file.
    ///
    /// # Errors
    /// As the disk reports them.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Renames a file, replacing the target.
    ///
    /// # Errors
    /// As the disk reports them.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in a folder durable.
    ///
    /// # Errors
    /// As the disk reports them.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Bytes that an unprivileged writer may still use on the volume of this path.
    ///
    /// # Errors
    /// As the disk reports them.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
    /// Size of the volume of this path.
    ///
    /// # Errors
    /// As the disk reports them.
    fn total_bytes(&self, path: &Path) -> io::Result<u64>;
    /// Claims a path (created as an empty file when absent) for this opener alone.
    ///
    /// # Errors
    /// `WouldBlock` when another opener, in this or another process, holds it; `Unsupported` by default.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, format!("this disk cannot lock {}", path.display())))
    }
    /// Creates a folder that only the owner may enter, and its parents, all durable by name.
    ///
    /// # Errors
    /// As the disk reports them.
    fn create_private_folder(&self, folder: &Path) -> io::Result<()> {
        make_folder(self, folder)
    }
    /// Replaces a small file: it is the old one or the new one, whatever happens in between. A private one is
    /// for the owner alone.
    ///
    /// # Errors
    /// As the disk reports them; the old file is there then, or already the new one.
    fn replace(&self, path: &Path, bytes: &[u8], _private: bool) -> io::Result<()> {
        let temporary = path.with_extension("tmp");
        let file = self.open(&temporary, true)?;
        file.set_len(0)?;
        file.write_all_at(bytes, 0)?;
        file.sync()?;
        self.rename(&temporary, path)?;
        self.sync_folder(here(path.parent()))
    }
    /// All of a small file.
    ///
    /// # Errors
    /// As the disk reports them; `NotFound` when there is none.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path, false)?;
        let length =
            usize::try_from(file.len()?).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let mut bytes = vec![0; length];
        let count = file.read_at(&mut bytes, 0)?;
        bytes.truncate(count);
        Ok(bytes)
    }
}

/// The folder of a bare name is the empty path, which means here.
fn here(folder: Option<&Path>) -> &Path {
    folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Creates a folder and makes its name durable, and those of its parents. Those that are there may be no older than the
/// last try, which crashed, or whose sync failed.
///
/// # Errors
/// As the disk reports them.
pub fn make_folder<D: Disk + ?Sized>(disk: &D, folder: &Path) -> io::Result<()> {
    let absent =
        |folder: &Path| matches!(disk.list(folder), Err(error) if error.kind() == io::ErrorKind::NotFound);
    let named = |folder: &&Path| !folder.as_os_str().is_empty() && folder.parent().is_some();
    let names: Vec<(&Path, bool)> =
        folder.ancestors().filter(named).map(|folder| (folder, absent(folder))).collect();
    disk.create_folder(folder)?;
    for (name, is_fresh) in names {
        let parent = here(name.parent());
        match disk.sync_folder(parent) {
            // Where we may not even look, we have made nothing.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !is_fresh => {}
            Err(error) => {
                return Err(io::Error::new(error.kind(), format!("syncing {}: {error}", parent.display())));
            }
            Ok(()) => {}
        }
    }
    Ok(())
}

/// The machine's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl DiskFile for File {
    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, position)
    }
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match FileExt::read_at(self, rest, position + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
    fn len(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        Self::set_len(self, length)
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create(create).truncate(false).open(path)?;
        Ok(Box::new(file))
    }
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths =
            fs::read_dir(folder)?.map(|entry| entry.map(|e| e.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    }
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let volume = rustix::fs::statvfs(path)?;
        Ok(volume.f_bavail.saturating_mul(volume.f_frsize))
    }
    fn total_bytes(&self, path: &Path) -> io::Result<u64> {
        let volume = rustix::fs::statvfs(path)?;
        Ok(volume.f_blocks.saturating_mul(volume.f_frsize))
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.try_lock()?;
        Ok(Box::new(file))
    }
    fn create_private_folder(&self, folder: &Path) -> io::Result<()> {
        make_folder(self, folder)?;
        files::create_private_folder(folder)
    }
    fn replace(&self, path: &Path, bytes: &[u8], private: bool) -> io::Result<()> {
        if private { files::replace_secret(path, bytes) } else { files::replace(path, bytes) }
    }
}
