//! The segment that appends go to, and the zeros in front of them.
//!
//! A sync that makes a file longer makes the file system write its own records too. So the file is made longer in large
//! steps, with zeros that are really written; groups then overwrite them, and their sync is one of data alone. To a
//! reader zeros are no frame (docs/formats/wal.md).

use super::{Failure, is_out_of_space};
use crate::segment::Segment;
use gemba_base::disk::DiskFile;
use std::io;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) segment: Arc<Segment>,
    pub(crate) file: Box<dyn DiskFile>,
    /// The good length: up to here everything is durable.
    pub(crate) bytes: u64,
    /// The length of the file; zeros from the good length on.
    pub(crate) length: u64,
}

impl Active {
    /// A file that ends with its last durable frame.
    pub(crate) fn new(segment: Arc<Segment>, file: Box<dyn DiskFile>, bytes: u64) -> Self {
        Self { segment, file, bytes, length: bytes }
    }

    /// Zeros that wait for frames.
    pub(crate) const fn zeros(&self) -> u64 {
        self.length.saturating_sub(self.bytes)
    }

    /// Writes a group behind the good length, and so many zeros behind it, in one write.
    pub(super) fn write(&mut self, group: &mut Vec<u8>, zeros: u64) -> Result<(), Failure> {
        let bytes = group.len();
        group.resize(bytes.saturating_add(usize::try_from(zeros).unwrap_or(0)), 0);
        let written = self.file.write_all_at(group, self.bytes);
        if zeros > 0
            && let Err(error) = &written
            && is_out_of_space(error)
        {
            // The group alone may still fit.
            group.truncate(bytes);
            self.cut().map_err(|error| self.broken("cutting back", &error))?;
            return self.file.write_all_at(group, self.bytes).map_err(|error| self.cut_back(&error)).map(
                |()| {
                    self.length = self.bytes.saturating_add(bytes as u64);
                },
            );
        }
        written.map_err(|error| self.cut_back(&error))?;
        self.length = self.length.max(self.bytes.saturating_add(group.len() as u64));
        Ok(())
    }

    /// A full volume costs only the group: what was written of it is cut off again, durably, so that no part of
    /// it can come back after a crash. Every other write error is final.
    fn cut_back(&mut self, error: &io::Error) -> Failure {
        if !is_out_of_space(error) {
            return self.broken("write", error);
        }
        match self.cut().and_then(|()| self.file.sync()) {
            Ok(()) => Failure::NoSpace,
            Err(error) => self.broken("cutting back", &error),
        }
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.bytes)?;
        self.length = self.bytes;
        Ok(())
    }

    /// Gives the zeros back. When that fails, or a crash undoes it, they stay and harm nobody.
    pub(super) fn cut_zeros(&mut self) {
        if self.zeros() == 0 {
            return;
        }
        if let Err(error) = self.cut() {
            tracing::debug!(path = %self.segment.path.display(), %error, "zeros were not cut off");
        }
    }

    pub(super) fn broken(&self, what: &str, error: &io::Error) -> Failure {
        Failure::Broken(format!("{what} of {} failed: {error}", self.segment.path.display()))
    }
}
