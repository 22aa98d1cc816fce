//! One segment file: its names, its creation, and finding frames in it.

use crate::format::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::index::{IndexEntry, IndexKey, SparseIndex, Times, Vouches};
use crate::options::SEGMENT_BYTES_MAX;
use crate::scan::{Check, Scanner, Step, Walk};
use crate::shared::Place;
use gemba_base::disk::{Disk, DiskFile};
use gemba_model::DateTime;
use parking_lot::Mutex;
use std::io;
use std::path::{Path, PathBuf};

/// What a caller may know about a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    /// The first offset.
    pub first_offset: u64,
    /// The last offset, inclusive.
    pub last_offset: u64,
    /// Append time of the first readable frame; `None` when no frame can be read.
    pub first_time: Option<DateTime>,
    /// Append time of the last readable frame; `None` when no frame can be read.
    pub last_time: Option<DateTime>,
    /// Size of the file.
    pub bytes: u64,
    /// Whether it can be deleted now: the newest segment can not, before a roll.
    pub trimmable: bool,
}

/// A segment file that the log knows.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) first_offset: u64,
    pub(crate) path: PathBuf,
    pub(crate) state: Mutex<SegmentState>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct SegmentState {
    /// The offset after the last durable frame.
    pub(crate) end_offset: u64,
    /// The length up to which frames are durable.
    pub(crate) bytes: u64,
    /// Present for the active segment, and then complete.
    pub(crate) index: Option<SparseIndex>,
    /// Cached from the index.
    pub(crate) times: Option<Times>,
}

/// Where a frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FramePlace {
    pub(crate) offset: u64,
    pub(crate) position: u64,
}

pub(crate) fn segment_path(folder: &Path, first_offset: u64) -> PathBuf {
    folder.join(format!("{first_offset:020}.log"))
}

fn index_path(segment: &Path) -> PathBuf {
    segment.with_extension("idx")
}

/// The first offset that a segment's file name says.
pub(crate) fn offset_of_name(path: &Path, extension: &str) -> Option<u64> {
    let digits = path.file_name()?.to_str()?.strip_suffix(extension)?;
    let plain = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok())?
}

/// Writes an empty segment and makes it and its name durable before any frame goes into it.
pub(crate) fn create(
    disk: &dyn Disk,
    folder: &Path,
    header: &SegmentHeader,
) -> Result<Box<dyn DiskFile>, CreateError> {
    let path = segment_path(folder, header.first_offset);
    let write = || {
        let file = disk.open(&path, true)?;
        // A creation that broke off may have left bytes.
        file.set_len(0)?;
        file.write_all_at(&header.encode(), 0)?;
        Ok(file)
    };
    let file = write().map_err(CreateError::Write)?;
    file.sync().map_err(CreateError::Sync)?;
    disk.sync_folder(folder).map_err(CreateError::Sync)?;
    Ok(file)
}

/// The bytes of a segment's index file, if there is one of a possible size.
fn index_file(place: &Place, segment: &Path, segment_bytes: u64) -> Option<Vec<u8>> {
    let file = place.disk.open(&index_path(segment), false).ok()?;
    let bytes = file.len().ok().filter(|len| *len <= SparseIndex::file_bytes_max(segment_bytes))?;
    let mut buffer = vec![0; usize::try_from(bytes).ok()?];
    let filled = file.read_at(&mut buffer, 0).ok()?;
    buffer.truncate(filled);
    Some(buffer)
}

/// The offset up to which the index file says that frames were durable; 0 when it says nothing.
pub(crate) fn end_claimed_by_index(place: &Place, segment: &Path, first_offset: u64) -> u64 {
    index_file(place, segment, SEGMENT_BYTES_MAX)
        .and_then(|bytes| SparseIndex::claimed_end(&bytes, place.log_id, first_offset))
        .unwrap_or(0)
}

/// Why a segment could not be created.
#[derive(Debug)]
pub(crate) enum CreateError {
    Write(io::Error),
    Sync(io::Error),
}

impl CreateError {
    pub(crate) fn into_io(self) -> io::Error {
        let (Self::Write(error) | Self::Sync(error)) = self;
        error
    }
}

impl Segment {
    pub(crate) fn new(first_offset: u64, path: PathBuf, state: SegmentState) -> Self {
        Self { first_offset, path, state: Mutex::new(state) }
    }

    /// Nothing is noted in the active index any more; it goes to its file.
    pub(crate) fn seal(&self, place: &Place) {
        let (key, index) = {
            let mut state = self.state.lock();
            let Some(index) = state.index.take() else { return };
            state.times = index.times();
            (self.key(place, &state), index)
        };
        self.save_index(place, &key, &index, Vouches::ForAllFrames);
    }

    fn key(&self, place: &Place, state: &SegmentState) -> IndexKey {
        IndexKey {
            log_id: place.log_id,
            first_offset: self.first_offset,
            end_offset: state.end_offset,
            segment_bytes: state.bytes,
        }
    }

    /// The file only saves time: it is not synced, its checksum tells whether it is whole, and a failure to
    /// write it costs nothing but a walk later.
    fn save_index(&self, place: &Place, key: &IndexKey, index: &SparseIndex, vouches: Vouches) {
        let path = index_path(&self.path);
        let write = || {
            let file = place.disk.open(&path, true)?;
            file.set_len(0)?;
            file.write_all_at(&index.encode(key, vouches), 0)
        };
        if let Err(error) = write() {
            tracing::debug!(path = %path.display(), %error, "the index of a segment was not written");
            drop(place.disk.remove(&path));
        }
    }

    pub(crate) fn remove_index(&self, place: &Place) {
        drop(place.disk.remove(&index_path(&self.path)));
    }

    /// Writes the active index down at the end, so that the next open knows what had been acknowledged.
    pub(crate) fn note_end(&self, place: &Place) {
        let (key, index) = {
            let state = self.state.lock();
            let Some(index) = state.index.clone() else { return };
            (self.key(place, &state), index)
        };
        self.save_index(place, &key, &index, Vouches::ForAllFrames);
    }

    fn load_index(&self, place: &Place, key: &IndexKey) -> Option<SparseIndex> {
        SparseIndex::decode(&index_file(place, &self.path, key.segment_bytes)?, key)
    }

    /// The active index, the index file, or the headers of this one segment.
    pub(crate) fn index(&self, place: &Place, file: &dyn DiskFile) -> io::Result<SparseIndex> {
        let state = self.state.lock().clone();
        if let Some(index) = state.index {
            return Ok(index);
        }
        let key = self.key(place, &state);
        let index = match self.load_index(place, &key) {
            Some(index) => index,
            None => {
                let (index, intact) = self.rebuild_index(place, file, &state)?;
                if intact {
                    self.save_index(place, &key, &index, Vouches::No);
                }
                index
            }
        };
        self.state.lock().times = index.times();
        Ok(index)
    }

    /// The index, and whether all frames follow each other.
    fn rebuild_index(
        &self,
        place: &Place,
        file: &dyn DiskFile,
        state: &SegmentState,
    ) -> io::Result<(SparseIndex, bool)> {
        for check in [Check::Headers, Check::Frames] {
            let mut index = SparseIndex::default();
            let mut walk = self.walk(place, file, state, None, check);
            let mut damaged = false;
            while let Some(step) = walk.step()? {
                damaged |= !matches!(step, Step::Frame { .. });
                index.note_step(&step);
            }
            // A damaged length may have led the quick walk over good frames.
            if !damaged || check == Check::Frames {
                return Ok((index, !damaged));
            }
        }
        Ok((SparseIndex::default(), false))
    }

    fn walk<'a>(
        &self,
        place: &Place,
        file: &'a dyn DiskFile,
        state: &SegmentState,
        from: Option<IndexEntry>,
        check: Check,
    ) -> Walk<'a> {
        let scanner = Scanner::new(file, place.seed, state.bytes);
        let (position, offset) =
            from.map_or((SEGMENT_HEADER_BYTES, self.first_offset), |entry| (entry.position, entry.offset));
        Walk::new(scanner, position, offset, Some(state.end_offset), check)
    }

    /// The first readable frame at or after an offset.
    pub(crate) fn seek(
        &self,
        place: &Place,
        file: &dyn DiskFile,
        offset: u64,
    ) -> io::Result<Option<FramePlace>> {
        let from = self.index(place, file)?.floor(offset);
        self.find(place, file, from, |found, _| found >= offset)
    }

    /// The first readable frame with an append time at or after `time`.
    pub(crate) fn seek_time(
        &self,
        place: &Place,
        file: &dyn DiskFile,
        time: DateTime,
    ) -> io::Result<Option<FramePlace>> {
        let from = self.index(place, file)?.floor_by_time(time.ticks());
        self.find(place, file, from, |_, found| found >= time)
    }

    /// Walks over headers; when they do not fit each other, once more with all checksums.
    fn find(
        &self,
        place: &Place,
        file: &dyn DiskFile,
        from: Option<IndexEntry>,
        wanted: impl Fn(u64, DateTime) -> bool,
    ) -> io::Result<Option<FramePlace>> {
        let state = self.state.lock().clone();
        let mut walk = self.walk(place, file, &state, from, Check::Headers);
        loop {
            match walk.step()? {
                None => return Ok(None),
                Some(Step::Frame { position, header }) if wanted(header.offset, header.time) => {
                    return Ok(Some(FramePlace { offset: header.offset, position }));
                }
                Some(Step::Frame { .. }) => {}
                Some(_) => break,
            }
        }
        let mut walk = self.walk(place, file, &state, None, Check::Frames);
        while let Some(step) = walk.step()? {
            if let Step::Frame { position, header } = step
                && wanted(header.offset, header.time)
            {
                return Ok(Some(FramePlace { offset: header.offset, position }));
            }
        }
        Ok(None)
    }
}
