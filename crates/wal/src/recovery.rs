//! Opening a log's folder: what is there, what is torn, what is damaged.

use crate::commit::Active;
use crate::error::OpenError;
use crate::format::{FORMAT_VERSION, HeaderError, SEGMENT_HEADER_BYTES, SegmentHeader, seed};
use crate::index::SparseIndex;
use crate::options::LogOptions;
use crate::scan::{Check, Scanner, Step, Walk};
use crate::segment::{Segment, SegmentState, create, offset_of_name, segment_path};
use crate::shared::Place;
use gemba_base::disk::{Disk, DiskFile, DiskLock, make_folder};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod last;
mod report;

pub use report::{Corruption, CorruptionKind, Recovery};

/// A log that is ready for its committer.
pub(crate) struct Opened {
    pub(crate) place: Place,
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) active: Option<Active>,
    pub(crate) lock: Box<dyn DiskLock>,
    pub(crate) recovery: Recovery,
}

/// A segment file as it lies there.
#[derive(Debug)]
struct Head {
    path: PathBuf,
    first_offset: u64,
    bytes: u64,
    /// The first 64 bytes or fewer.
    raw: Vec<u8>,
    /// `None` when it is damaged.
    header: Option<SegmentHeader>,
}

/// Everything that opening needs at hand.
struct Opener<'a> {
    disk: Arc<dyn Disk>,
    folder: &'a Path,
    options: &'a LogOptions,
}

/// Opens the folder, repairs its end and reports.
pub(crate) fn open_folder(
    disk: Arc<dyn Disk>,
    folder: &Path,
    options: &LogOptions,
) -> Result<Opened, OpenError> {
    let opener = Opener { disk: Arc::clone(&disk), folder, options };
    opener.make_folder()?;
    let lock = opener.lock()?;
    let mut heads = opener.heads()?;
    let unfinished = take_unfinished(&mut heads);
    let acknowledged = unfinished.last().map_or(0, |head| head.first_offset);
    // Names that a crash left unsynced become durable before anything is built on them.
    opener.io("syncing the folder", || opener.disk.sync_folder(folder))?;
    let Some(last) = heads.last() else {
        return opener.create_log(acknowledged, lock);
    };
    let Some(log_id) = opener.log_id(&heads)? else {
        return Err(OpenError::Unreadable { folder: folder.to_owned() });
    };
    let place = opener.place(log_id);
    let mut recovery = Recovery::default();
    let mut segments = opener.older_segments(&place, &heads, &mut recovery)?;
    let (segment, active) = opener.open_last(&place, last, acknowledged, &mut recovery)?;
    segments.push(segment);
    for head in &unfinished {
        // The one that the next append will start anew stays: until then its name says what was acknowledged.
        if active.is_some() || head.first_offset != recovery.next_offset {
            opener.io_at("removing the unfinished", &head.path, || disk.remove(&head.path))?;
        }
    }
    recovery.first_offset = heads.first().map_or(0, |head| head.first_offset);
    recovery.segments = segments.len();
    Ok(Opened { place, segments, active, lock, recovery })
}

/// Takes out files whose creation broke off. They never held a frame, because the header is synced before the
/// first one; but all frames below the offset in their name had been acknowledged.
fn take_unfinished(heads: &mut Vec<Head>) -> Vec<Head> {
    heads.extract_if(.., |head| head.header.is_none() && head.bytes <= SEGMENT_HEADER_BYTES).collect()
}

impl Opener<'_> {
    fn io<T>(&self, doing: &str, act: impl FnOnce() -> io::Result<T>) -> Result<T, OpenError> {
        act().map_err(|source| OpenError::Io {
            folder: self.folder.to_owned(),
            doing: doing.to_owned(),
            source,
        })
    }

    fn io_at<T>(
        &self,
        doing: &str,
        path: &Path,
        act: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, OpenError> {
        act().map_err(|source| OpenError::Io {
            folder: self.folder.to_owned(),
            doing: format!("{doing} {}", path.display()),
            source,
        })
    }

    fn place(&self, log_id: u128) -> Place {
        Place { disk: Arc::clone(&self.disk), folder: self.folder.to_owned(), log_id, seed: seed(log_id) }
    }

    fn make_folder(&self) -> Result<(), OpenError> {
        self.io("creating the folder", || make_folder(&*self.disk, self.folder))
    }

    fn lock(&self) -> Result<Box<dyn DiskLock>, OpenError> {
        let path = self.folder.join("lock");
        match self.disk.lock(&path) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(OpenError::Locked { folder: self.folder.to_owned() })
            }
            result => self.io_at("locking", &path, || result),
        }
    }

    /// All segment files in order of offset. Index files of segments that are gone are removed.
    fn heads(&self) -> Result<Vec<Head>, OpenError> {
        let paths = self.io("listing the folder", || self.disk.list(self.folder))?;
        let mut heads = Vec::new();
        for path in &paths {
            if let Some(first_offset) = offset_of_name(path, ".log") {
                heads.push(self.head(path, first_offset)?);
            }
        }
        heads.sort_by_key(|head| head.first_offset);
        for path in &paths {
            let orphan = offset_of_name(path, ".idx")
                .is_some_and(|offset| heads.binary_search_by_key(&offset, |head| head.first_offset).is_err());
            if orphan {
                drop(self.disk.remove(path));
            }
        }
        Ok(heads)
    }

    fn head(&self, path: &Path, first_offset: u64) -> Result<Head, OpenError> {
        let (bytes, raw) = self.io_at("reading", path, || {
            let file = self.disk.open(path, false)?;
            let mut raw = vec![0; usize::try_from(SEGMENT_HEADER_BYTES).unwrap_or(0)];
            let filled = file.read_at(&mut raw, 0)?;
            raw.truncate(filled);
            Ok((file.len()?, raw))
        })?;
        let header = match SegmentHeader::decode(&raw) {
            Ok(header) => Some(header),
            Err(HeaderError::Damaged) => None,
            Err(HeaderError::Version(found)) => {
                let segment = path.to_owned();
                return Err(OpenError::Version { segment, found, supported: FORMAT_VERSION });
            }
        };
        if header.is_some_and(|header| header.first_offset != first_offset) {
            let reason = "its name and its header give different first offsets";
            return Err(OpenError::Foreign { segment: path.to_owned(), reason });
        }
        Ok(Head { path: path.to_owned(), first_offset, bytes, raw, header })
    }

    /// The id that all readable headers agree on; else one that a damaged header claims and a frame confirms.
    fn log_id(&self, heads: &[Head]) -> Result<Option<u128>, OpenError> {
        let mut known = heads.iter().filter_map(|head| head.header.map(|header| (head, header.log_id)));
        if let Some((_, log_id)) = known.next() {
            return match known.find(|(_, other)| *other != log_id) {
                None => Ok(Some(log_id)),
                Some((head, _)) => Err(OpenError::Foreign {
                    segment: head.path.clone(),
                    reason: "its log id differs from that of the first segment",
                }),
            };
        }
        for head in heads {
            if let Some(claimed) = SegmentHeader::claimed_log_id(&head.raw) {
                let confirmed = self.io_at("reading", &head.path, || {
                    let file = self.disk.open(&head.path, false)?;
                    let mut scanner = Scanner::new(&*file, seed(claimed), head.bytes);
                    let Some(frame) = scanner.header_at(SEGMENT_HEADER_BYTES)? else { return Ok(false) };
                    Ok(frame.offset == head.first_offset && scanner.intact(SEGMENT_HEADER_BYTES, &frame)?)
                })?;
                if confirmed {
                    return Ok(Some(claimed));
                }
            }
        }
        Ok(None)
    }

    fn create_log(&self, first_offset: u64, lock: Box<dyn DiskLock>) -> Result<Opened, OpenError> {
        let log_id =
            self.options.new_log_id.unwrap_or_else(|| u128::from_le_bytes(gemba_base::random::bytes()));
        let place = self.place(log_id);
        let header =
            SegmentHeader { log_id, first_offset, previous_first: None, created: self.options.clock.now() };
        let path = segment_path(self.folder, first_offset);
        let file = self.io_at("creating", &path, || {
            create(&*self.disk, self.folder, &header).map_err(|error| error.into_io())
        })?;
        let state = SegmentState {
            end_offset: first_offset,
            bytes: SEGMENT_HEADER_BYTES,
            index: Some(SparseIndex::default()),
            times: None,
        };
        let segment = Arc::new(Segment::new(first_offset, path, state));
        let active = Active::new(Arc::clone(&segment), file, SEGMENT_HEADER_BYTES);
        let recovery = Recovery {
            created: true,
            first_offset,
            next_offset: first_offset,
            segments: 1,
            ..Recovery::default()
        };
        Ok(Opened { place, segments: vec![segment], active: Some(active), lock, recovery })
    }

    /// All segments but the last: only their headers are read, unless one is missing between two of them.
    fn older_segments(
        &self,
        place: &Place,
        heads: &[Head],
        recovery: &mut Recovery,
    ) -> Result<Vec<Arc<Segment>>, OpenError> {
        let mut segments = Vec::with_capacity(heads.len());
        for (head, next) in heads.iter().zip(heads.iter().skip(1)) {
            if head.header.is_none() {
                recovery.report(damaged_header(head));
            }
            let mut end_offset = next.first_offset;
            let follows = |header: SegmentHeader| header.previous_first == Some(head.first_offset);
            if next.header.is_some_and(|header| !follows(header)) {
                end_offset = self.io_at("reading", &head.path, || end_of(place, head, next.first_offset))?;
                recovery.report(Corruption {
                    segment: head.path.clone(),
                    from_offset: end_offset,
                    next_offset: next.first_offset,
                    bytes: 0,
                    kind: CorruptionKind::MissingSegment,
                });
            }
            let state = SegmentState { end_offset, bytes: head.bytes, index: None, times: None };
            segments.push(Arc::new(Segment::new(head.first_offset, head.path.clone(), state)));
        }
        Ok(segments)
    }
}

fn damaged_header(head: &Head) -> Corruption {
    Corruption {
        segment: head.path.clone(),
        from_offset: head.first_offset,
        next_offset: head.first_offset,
        bytes: head.bytes.min(SEGMENT_HEADER_BYTES),
        kind: CorruptionKind::Header,
    }
}

/// The offset after the last readable frame of a segment whose successor is missing.
fn end_of(place: &Place, head: &Head, limit: u64) -> io::Result<u64> {
    let file = place.disk.open(&head.path, false)?;
    let scanner = Scanner::new(&*file, place.seed, head.bytes);
    let mut walk = Walk::new(scanner, SEGMENT_HEADER_BYTES, head.first_offset, Some(limit), Check::Frames);
    let mut end = head.first_offset;
    while let Some(step) = walk.step()? {
        if let Step::Frame { header, .. } = step {
            end = header.offset + 1;
        }
    }
    Ok(end)
}

/// Reads and writes back bytes in place.
///
/// After a failed sync the kernel may hold bytes that it will never write again. Only what is written anew is
/// saved by the next sync.
fn write_again(file: &dyn DiskFile, mut from: u64, to: u64) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    while from < to {
        let wanted = usize::try_from(to - from).unwrap_or(usize::MAX).min(buffer.len());
        let Some(part) = buffer.get_mut(..wanted) else { break };
        let filled = file.read_at(part, from)?;
        let Some(part) = part.get(..filled).filter(|part| !part.is_empty()) else { break };
        file.write_all_at(part, from)?;
        from += filled as u64;
    }
    Ok(())
}
