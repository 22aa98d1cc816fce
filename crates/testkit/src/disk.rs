//! A disk in memory that loses, on demand, everything that was not synced.
//!
//! It is stricter than real file systems: syncing a file does not make its directory entry durable, unsynced
//! writes survive in any subset of 512-byte blocks, and after a failed sync the bytes can still be read but a
//! later sync does not save them (as Linux does since the kernel marks the pages clean).

mod state;

use gemba_base::disk::{Disk, DiskFile, DiskLock};
use parking_lot::{Condvar, Mutex, MutexGuard};
use state::{Entry, Faults, FileChange, FolderChange, State};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long [`FaultyDisk::wait_until_sync_is_held`] waits before it calls the test broken.
const HELD_SYNC_WAIT: Duration = Duration::from_secs(20);

/// A file system in memory with faults. Clones share it.
#[derive(Clone)]
pub struct FaultyDisk(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    turn: Condvar,
}

impl fmt::Debug for FaultyDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyDisk")
    }
}

impl Default for FaultyDisk {
    fn default() -> Self {
        Self::new(0)
    }
}

/// Faults and observations, for tests.
impl FaultyDisk {
    /// An empty disk of 1 TiB; the seed decides what a failed sync leaves behind.
    pub fn new(seed: u64) -> Self {
        Self::with_state(State::new(seed))
    }

    fn with_state(state: State) -> Self {
        Self(Arc::new(Inner { state: Mutex::new(state), turn: Condvar::new() }))
    }

    /// Cuts the power: this disk refuses everything from now on, and the returned one holds what survived,
    /// any part of the unsynced changes, chosen by the seed.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        let survived = self.end().crash(seed);
        self.0.turn.notify_all();
        Self::with_state(survived)
    }

    /// Cuts the power and loses every unsynced change.
    #[must_use]
    pub fn power_cut(&self) -> Self {
        let survived = self.end().power_cut();
        self.0.turn.notify_all();
        Self::with_state(survived)
    }

    /// A copy of the disk as a program would see it now, with everything synced.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        Self::with_state(self.0.state.lock().snapshot())
    }

    fn end(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.state.lock();
        state.dead = true;
        state.hold_syncs = false;
        state
    }

    /// The next sync of a file fails, and what it should have saved can be read but is not durable.
    pub fn fail_next_sync(&self) {
        self.0.state.lock().faults.sync = true;
    }

    /// The next sync of a folder fails.
    pub fn fail_next_folder_sync(&self) {
        self.0.state.lock().faults.folder_sync = true;
    }

    /// After this many more bytes a write stops in the middle with an input/output error, once.
    pub fn fail_write_after(&self, bytes: u64) {
        self.0.state.lock().faults.write_after = Some(bytes);
    }

    /// The next change of a file's length fails.
    pub fn fail_next_set_len(&self) {
        self.0.state.lock().faults.set_len = true;
    }

    /// The next removal of a file fails.
    pub fn fail_next_remove(&self) {
        self.0.state.lock().faults.remove = true;
    }

    /// The next read of a file fails.
    pub fn fail_next_read(&self) {
        self.0.state.lock().faults.read = true;
    }

    /// No fault is to come any more that has not happened yet.
    pub fn forget_faults(&self) {
        self.0.state.lock().faults = Faults::default();
    }

    /// Sets the size of the volume.
    pub fn set_volume_bytes(&self, bytes: u64) {
        self.0.state.lock().volume_bytes = bytes;
    }

    /// Sets how much of the volume others use.
    pub fn set_bytes_of_others(&self, bytes: u64) {
        self.0.state.lock().bytes_of_others = bytes;
    }

    /// Whether statements about free space lie: `free_bytes` says the volume is empty, writes still fail.
    pub fn hide_shortage(&self, hide: bool) {
        self.0.state.lock().hide_shortage = hide;
    }

    /// From now on each sync of a file waits for [`Self::release_sync`].
    pub fn hold_syncs(&self) {
        self.0.state.lock().hold_syncs = true;
    }

    /// Lets one held sync (or the next one) go.
    pub fn release_sync(&self) {
        self.0.state.lock().released_syncs += 1;
        self.0.turn.notify_all();
    }

    /// Ends [`Self::hold_syncs`].
    pub fn stop_holding_syncs(&self) {
        let mut state = self.0.state.lock();
        state.hold_syncs = false;
        state.released_syncs = 0;
        self.0.turn.notify_all();
    }

    /// Returns once a sync is being held.
    ///
    /// # Panics
    /// When none comes within 20 seconds.
    pub fn wait_until_sync_is_held(&self) {
        let mut state = self.0.state.lock();
        while state.held_syncs <= state.released_syncs {
            let waited = self.0.turn.wait_for(&mut state, HELD_SYNC_WAIT);
            assert!(!waited.timed_out(), "no sync came to be held");
        }
    }

    /// The power goes at the sync after this many more, which fails with everything later. What survived is
    /// told by [`Self::crash`].
    pub fn cut_power_after_syncs(&self, syncs: u64) {
        self.0.state.lock().faults.power_after_syncs = Some(syncs);
    }

    /// Whether the power is off.
    pub fn is_off(&self) -> bool {
        self.0.state.lock().dead
    }

    /// How many syncs of files succeeded.
    pub fn syncs(&self) -> u64 {
        self.0.state.lock().syncs
    }

    /// How many bytes were read from files.
    pub fn bytes_read(&self) -> u64 {
        self.0.state.lock().bytes_read
    }

    /// All files, sorted.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.0.state.lock().paths()
    }

    /// What a program would read from a file.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        self.0.state.lock().contents(path)
    }

    /// Puts a durable file there, with its folders.
    pub fn install(&self, path: &Path, bytes: &[u8]) {
        self.0.state.lock().install(path, bytes);
    }

    /// Takes a file away durably, as somebody who tidies up by hand.
    pub fn uninstall(&self, path: &Path) {
        self.0.state.lock().uninstall(path);
    }

    /// Inverts bits of one byte of a file durably, as an aging disk does.
    pub fn flip(&self, path: &Path, position: usize, bits: u8) {
        self.0.state.lock().flip(path, position, bits);
    }
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let inode = self.0.state.lock().open(path, create)?;
        Ok(Box::new(FaultyFile { disk: self.clone(), inode }))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        self.0.state.lock().list(folder)
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        self.0.state.lock().create_folder(folder)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.state.lock();
        state.alive()?;
        if std::mem::take(&mut state.faults.remove) {
            return Err(broken("the removal"));
        }
        match state.live.get(path) {
            Some(Entry::File(_)) => state.change_folder(FolderChange::remove(path)),
            _ => return Err(io::Error::from(io::ErrorKind::NotFound)),
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.state.lock();
        state.alive()?;
        let entry = *state.live.get(from).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        state.change_folder(FolderChange::rename(from, to, entry));
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.0.state.lock();
        state.alive()?;
        if std::mem::take(&mut state.faults.folder_sync) {
            return Err(broken("the sync of the folder"));
        }
        state.sync_folder(folder)
    }

    fn free_bytes(&self, _path: &Path) -> io::Result<u64> {
        let state = self.0.state.lock();
        state.alive()?;
        Ok(if state.hide_shortage { state.volume_bytes } else { state.free_bytes() })
    }

    fn total_bytes(&self, _path: &Path) -> io::Result<u64> {
        let state = self.0.state.lock();
        state.alive()?;
        Ok(state.volume_bytes)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let mut state = self.0.state.lock();
        state.open(path, true)?;
        if !state.locks.insert(path.to_owned()) {
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        Ok(Box::new(Claim { disk: self.clone(), path: path.to_owned() }))
    }
}

#[derive(Debug)]
struct Claim {
    disk: FaultyDisk,
    path: PathBuf,
}

impl DiskLock for Claim {}

impl Drop for Claim {
    fn drop(&mut self) {
        self.disk.0.state.lock().locks.remove(&self.path);
    }
}

#[derive(Debug)]
struct FaultyFile {
    disk: FaultyDisk,
    inode: u64,
}

impl DiskFile for FaultyFile {
    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        let mut state = self.disk.0.state.lock();
        state.alive()?;
        let mut error = None;
        let mut allowed = bytes.len() as u64;
        if let Some(left) = state.faults.write_after {
            if left < allowed {
                allowed = left;
                state.faults.write_after = None;
                error = Some(broken("the write"));
            } else {
                state.faults.write_after = Some(left - allowed);
            }
        }
        let room = state.len(self.inode).saturating_add(state.free_bytes()).saturating_sub(position);
        if room < allowed {
            allowed = room;
            error = Some(io::Error::from(io::ErrorKind::StorageFull));
        }
        let written = bytes.get(..usize::try_from(allowed).unwrap_or(usize::MAX)).unwrap_or(bytes);
        state.change_file(self.inode, FileChange::Write { position, bytes: written.to_vec() });
        error.map_or(Ok(()), Err)
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut state = self.disk.0.state.lock();
        state.alive()?;
        if std::mem::take(&mut state.faults.read) {
            return Err(broken("the read"));
        }
        let count = state.read(self.inode, buffer, position);
        state.bytes_read += count as u64;
        Ok(count)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.0.state.lock();
        if state.hold_syncs {
            state.held_syncs += 1;
            self.disk.0.turn.notify_all();
            while state.hold_syncs && state.released_syncs == 0 {
                self.disk.0.turn.wait(&mut state);
            }
            state.released_syncs = state.released_syncs.saturating_sub(1);
            state.held_syncs -= 1;
        }
        state.alive()?;
        match state.faults.power_after_syncs {
            Some(0) => state.dead = true,
            left => state.faults.power_after_syncs = left.map(|left| left - 1),
        }
        state.alive()?;
        if std::mem::take(&mut state.faults.sync) {
            state.forget_changes(self.inode);
            return Err(broken("the sync"));
        }
        state.sync(self.inode);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let state = self.disk.0.state.lock();
        state.alive()?;
        Ok(state.len(self.inode))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.0.state.lock();
        state.alive()?;
        if std::mem::take(&mut state.faults.set_len) {
            return Err(broken("the change of length"));
        }
        state.change_file(self.inode, FileChange::SetLen(length));
        Ok(())
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::other(format!("{what} failed on purpose"))
}

#[cfg(test)]
mod tests;
