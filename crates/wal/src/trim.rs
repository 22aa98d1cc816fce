//! Deleting old segments: whole files, oldest first, never past a required consumer.

use crate::error::{ReadError, TrimError};
use crate::segment::{Segment, SegmentInfo};
use crate::shared::{Life, Shared};
use crate::stats::LogState;
use gemba_model::DateTime;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Places that trims respect.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    next_id: u64,
    held: BTreeMap<u64, (String, u64)>,
}

impl Holds {
    /// The lowest held offset and who holds it.
    fn lowest(&self) -> Option<(String, u64)> {
        self.held.values().min_by_key(|(_, offset)| *offset).cloned()
    }

    fn below(&self, offset: u64) -> Vec<String> {
        self.held.values().filter(|(_, held)| *held < offset).map(|(name, _)| name.clone()).collect()
    }
}

/// Keeps frames for a consumer that must not miss any: trims stop before its offset.
///
/// Only `trim_oldest_segment` goes past it, and says so. Ends when dropped. Not durable: take it again after
/// opening, before anything is trimmed.
#[derive(Debug)]
pub struct Hold {
    shared: Arc<Shared>,
    id: u64,
}

impl Hold {
    pub(crate) fn new(shared: Arc<Shared>, name: &str, offset: u64) -> Self {
        let mut holds = shared.holds.lock();
        let id = holds.next_id;
        holds.next_id += 1;
        holds.held.insert(id, (name.to_owned(), offset));
        drop(holds);
        Self { shared, id }
    }

    /// The consumer has durably dealt with everything before this offset. Never goes back.
    pub fn advance(&self, offset: u64) {
        if let Some((_, held)) = self.shared.holds.lock().held.get_mut(&self.id) {
            *held = (*held).max(offset);
        }
    }

    /// Everything from this offset on is kept.
    pub fn offset(&self) -> u64 {
        self.shared.holds.lock().held.get(&self.id).map_or(0, |(_, offset)| *offset)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.shared.holds.lock().held.remove(&self.id);
    }
}

/// What a trim deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrimReport {
    /// Segment files deleted.
    pub segments: u64,
    /// Their size.
    pub bytes: u64,
    /// The oldest offset that is kept now.
    pub first_offset: u64,
    /// The hold that stopped the trim, if one did.
    pub held_by: Option<String>,
}

/// A segment that was deleted regardless of holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrimmedSegment {
    /// The deleted offsets.
    pub offsets: Range<u64>,
    /// The size of the file.
    pub bytes: u64,
    /// Holds that lost frames which they had not released.
    pub holds_passed: Vec<String>,
}

impl Shared {
    pub(crate) fn trim_before(&self, offset: u64) -> Result<TrimReport, TrimError> {
        let _turn = self.trimming.lock();
        self.check_open()?;
        let mut report = TrimReport::default();
        while let Some((segment, end)) = self.oldest_with_successor() {
            if end > offset {
                break;
            }
            // Asked again for each segment: a hold may be taken at any time.
            if let Some((name, _)) = self.holds.lock().lowest().filter(|(_, held)| *held < end) {
                report.held_by = Some(name);
                break;
            }
            report.bytes += self.delete(&segment)?;
            report.segments += 1;
        }
        report.first_offset = self.first_offset();
        Ok(report)
    }

    pub(crate) fn trim_older_than(&self, time: DateTime) -> Result<TrimReport, TrimError> {
        let segments = self.segments.read().clone();
        let mut boundary = 0;
        for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
            // Frames that cannot be read have no age: they go with the next segment that has one.
            let latest = self.latest_time(segment)?;
            match latest {
                Some(latest) if latest >= time => break,
                Some(_) => boundary = next.first_offset,
                None => {}
            }
        }
        self.trim_before(boundary)
    }

    pub(crate) fn trim_to_bytes(&self, bytes_max: u64) -> Result<TrimReport, TrimError> {
        let segments = self.segments.read().clone();
        let mut bytes = self.bytes();
        let mut boundary = 0;
        for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
            if bytes <= bytes_max {
                break;
            }
            bytes = bytes.saturating_sub(segment.state.lock().bytes);
            boundary = next.first_offset;
        }
        self.trim_before(boundary)
    }

    pub(crate) fn trim_oldest_segment(&self) -> Result<Option<TrimmedSegment>, TrimError> {
        let _turn = self.trimming.lock();
        self.check_open()?;
        let Some((segment, end)) = self.oldest_with_successor() else { return Ok(None) };
        let holds_passed = self.holds.lock().below(end);
        let bytes = self.delete(&segment)?;
        if !holds_passed.is_empty() {
            tracing::error!(
                folder = %self.place.folder.display(),
                from_offset = segment.first_offset, next_offset = end, holds = ?holds_passed,
                "frames deleted that a consumer still needed"
            );
        }
        Ok(Some(TrimmedSegment { offsets: segment.first_offset..end, bytes, holds_passed }))
    }

    pub(crate) fn first_offset(&self) -> u64 {
        self.segments.read().first().map_or(0, |segment| segment.first_offset)
    }

    /// The oldest segment and the first offset of the next; `None` when only the newest is left.
    fn oldest_with_successor(&self) -> Option<(Arc<Segment>, u64)> {
        let segments = self.segments.read();
        let next = segments.get(1)?;
        Some((Arc::clone(segments.first()?), next.first_offset))
    }

    fn check_open(&self) -> Result<(), TrimError> {
        if let Some(reason) = self.poison_reason() {
            return Err(TrimError::Poisoned { reason });
        }
        if self.progress.borrow().life == Life::Closed {
            return Err(TrimError::Closed);
        }
        Ok(())
    }

    /// Removes the oldest segment. Each removal is durable before the next, so that no crash leaves a hole.
    fn delete(&self, segment: &Arc<Segment>) -> Result<u64, TrimError> {
        // Readers learn first that it is gone.
        self.segments.write().retain(|kept| !Arc::ptr_eq(kept, segment));
        match self.place.disk.remove(&segment.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.segments.write().insert(0, Arc::clone(segment));
                return Err(TrimError::Io { segment: segment.path.clone(), source: Arc::new(error) });
            }
            _ => {}
        }
        segment.remove_index(&self.place);
        if let Err(error) = self.place.disk.sync_folder(&self.place.folder) {
            let reason = format!("syncing {} failed: {error}", self.place.folder.display());
            self.poison(&reason);
            return Err(TrimError::Poisoned { reason: reason.into() });
        }
        let bytes = segment.state.lock().bytes;
        let before = self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        let mut state = self.state.lock();
        if *state == LogState::Full && before.saturating_sub(bytes) < self.options.bytes_max {
            *state = LogState::Healthy;
        }
        Ok(bytes)
    }

    fn latest_time(&self, segment: &Arc<Segment>) -> Result<Option<DateTime>, TrimError> {
        self.load_times(segment)
            .map_err(|error| TrimError::Io { segment: segment.path.clone(), source: Arc::new(error) })?;
        Ok(segment.state.lock().times.map(|times| DateTime::from_ticks(times.latest)))
    }

    fn load_times(&self, segment: &Segment) -> io::Result<()> {
        let known = {
            let mut state = segment.state.lock();
            if let Some(index) = &state.index {
                state.times = index.times();
            }
            state.index.is_some() || state.times.is_some()
        };
        if !known {
            let file = self.place.disk.open(&segment.path, false)?;
            segment.index(&self.place, &*file)?;
        }
        Ok(())
    }

    pub(crate) fn oldest_segment(&self) -> Result<Option<SegmentInfo>, ReadError> {
        let (segment, trimmable) = {
            let segments = self.segments.read();
            let Some(first) = segments.first() else { return Ok(None) };
            (Arc::clone(first), segments.len() > 1)
        };
        self.load_times(&segment).map_err(|error| ReadError::Io {
            segment: segment.path.clone(),
            position: 0,
            source: Arc::new(error),
        })?;
        let state = segment.state.lock().clone();
        let Some(last_offset) = state.end_offset.checked_sub(1).filter(|last| *last >= segment.first_offset)
        else {
            return Ok(None);
        };
        Ok(Some(SegmentInfo {
            first_offset: segment.first_offset,
            last_offset,
            first_time: state.times.map(|times| DateTime::from_ticks(times.first)),
            last_time: state.times.map(|times| DateTime::from_ticks(times.last)),
            bytes: state.bytes,
            trimmable,
        }))
    }
}
