//! How much the volume may still take, without asking it at each commit.

use crate::shared::Shared;
use std::io;
use std::time::Duration;

/// With less than this beyond the reserve, the volume is asked at each commit.
const NEAR_BYTES: u64 = 64 << 20;

/// Free bytes on the volume, and how many must stay free.
#[derive(Debug, Clone, Copy)]
pub(super) struct Space {
    pub(super) free: u64,
    pub(super) reserve: u64,
}

/// What the volume said last.
#[derive(Debug, Default)]
pub(super) struct Volume {
    last: Option<(Space, Duration)>,
}

impl Volume {
    /// Believed for a while when there is plenty; what this log wrote since is taken off. When the volume does not
    /// tell, the write itself will find out.
    pub(super) fn space(&mut self, shared: &Shared) -> Space {
        let now = shared.options.clock.monotonic();
        if let Some((space, at)) = self.last
            && now.saturating_sub(at) < shared.options.free_space_believed
            && space.free.saturating_sub(space.reserve) >= NEAR_BYTES
        {
            return space;
        }
        match look(shared) {
            Ok(space) => {
                self.last = Some((space, now));
                space
            }
            Err(error) => {
                self.last = None;
                tracing::warn!(folder = %shared.place.folder.display(), %error, "free space unknown");
                Space { free: u64::MAX, reserve: 0 }
            }
        }
    }

    /// The file system takes whole blocks, rarely more.
    pub(super) const fn note_written(&mut self, bytes: u64) {
        if let Some((space, _)) = &mut self.last {
            space.free = space.free.saturating_sub(bytes);
        }
    }

    /// The volume said no.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    /// Whether so many bytes can be taken for later without coming near the reserve.
    pub(super) fn has_plenty(&self, bytes: u64) -> bool {
        self.last.is_some_and(|(space, _)| space.free.saturating_sub(space.reserve) / PLENTY >= bytes)
    }
}

/// Zeros may take so small a part of what the volume has beyond the reserve.
const PLENTY: u64 = 8;

fn look(shared: &Shared) -> io::Result<Space> {
    let place = &shared.place;
    let total = place.disk.total_bytes(&place.folder)?;
    let free = place.disk.free_bytes(&place.folder)?;
    Ok(Space { free, reserve: shared.options.reserve.bytes(total) })
}
