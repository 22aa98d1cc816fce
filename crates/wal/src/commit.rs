//! The committer: one thread that turns waiting appends into one write and one sync.

use crate::error::AppendError;
use crate::format::{FrameHeader, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::index::SparseIndex;
use crate::queue::{GroupLimits, Pending, Record, Work, answer};
use crate::segment::{CreateError, Segment, SegmentState, create, segment_path};
use crate::shared::Shared;
use crate::stats::{Counters, LogState};
use gemba_base::disk::DiskLock;
use gemba_model::DateTime;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use volume::Volume;

mod active;
mod volume;

pub(crate) use active::Active;

#[derive(Debug)]
pub(crate) struct Committer {
    shared: Arc<Shared>,
    /// `None` while the newest segment is damaged and therefore left alone.
    active: Option<Active>,
    next_offset: u64,
    buffer: Vec<u8>,
    volume: Volume,
    /// Append time of the group in the buffer.
    time: DateTime,
    /// Given back only after the last write.
    _lock: Arc<dyn DiskLock>,
}

/// Groups are written ahead of when at least so many of them fit.
const LARGE_GROUPS_AHEAD: u64 = 8;

/// Why a group did not become durable.
pub(crate) enum Failure {
    /// Nothing of it is in the log.
    NoSpace,
    /// Nobody knows what is in the log.
    Broken(String),
}

/// Poisons the log if the thread dies of a bug, so that nobody waits for ever.
struct Watchdog(Arc<Shared>);

impl Drop for Watchdog {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.poison("the committer thread panicked");
        }
    }
}

fn bytes_of(group: &[Pending]) -> u64 {
    group.iter().map(|pending| pending.frame_bytes() as u64).sum()
}

fn records_of(group: &[Pending]) -> impl Iterator<Item = &Record> {
    group.iter().flat_map(Pending::records)
}

fn count_of(group: &[Pending]) -> u64 {
    group.iter().map(|pending| pending.records().len() as u64).sum()
}

pub(crate) fn is_out_of_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl Committer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        active: Option<Active>,
        next_offset: u64,
        lock: Arc<dyn DiskLock>,
    ) -> Self {
        let (buffer, volume) = (Vec::new(), Volume::default());
        Self { shared, active, next_offset, buffer, volume, time: DateTime::MIN, _lock: lock }
    }

    /// Works until the queue has ended.
    pub(crate) fn run(mut self) {
        let _watchdog = Watchdog(Arc::clone(&self.shared));
        while let Some(work) = self.shared.queue.take(self.limits()) {
            self.carry_out(work);
        }
        self.finish();
    }

    pub(crate) fn carry_out(&mut self, work: Work) {
        match work {
            Work::Group(group) => self.commit(group),
            Work::Roll(reply) => {
                let rolled = self.roll_if_used();
                answer(reply, rolled);
            }
        }
    }

    /// After the last work.
    pub(crate) fn finish(mut self) {
        let Some(active) = &mut self.active else { return };
        // What a failed write left is for the next open to judge.
        if self.shared.poison_reason().is_none() {
            active.cut_zeros();
        }
        active.segment.note_end(&self.shared.place);
    }

    pub(crate) fn limits(&self) -> GroupLimits {
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let options = &self.shared.options;
        let used = self.active.as_ref().map_or(options.segment_bytes, |active| active.bytes);
        GroupLimits {
            group_bytes_max: options.group_bytes_max,
            segment_room: size(options.segment_bytes.saturating_sub(used)),
            segment_capacity: size(options.segment_bytes - SEGMENT_HEADER_BYTES),
        }
    }

    fn commit(&mut self, group: Vec<Pending>) {
        let group = self.refuse_what_has_no_room(group);
        if group.is_empty() {
            return;
        }
        match self.write(&group) {
            Ok(mut next) => {
                self.publish(&group);
                // Backwards: whoever waits for the first of several finds all of them answered when it wakes, and
                // wakes once a group instead of once a frame.
                for pending in group.into_iter().rev() {
                    next = next.saturating_sub(pending.records().len() as u64);
                    pending.done(next);
                }
            }
            Err(failure) => {
                let error = self.fail(failure, bytes_of(&group));
                if matches!(error, AppendError::DiskFull { .. }) {
                    Counters::add(&self.shared.counters.refused, count_of(&group));
                }
                for pending in group {
                    pending.refuse(error.clone());
                }
            }
        }
    }

    /// The error for the callers; sets the log's state.
    fn fail(&mut self, failure: Failure, needed: u64) -> AppendError {
        match failure {
            Failure::Broken(reason) => self.shared.poison(&reason),
            Failure::NoSpace => {
                self.volume.forget();
                self.shared.set_state(LogState::DiskFull);
                let place = &self.shared.place;
                let free = place.disk.free_bytes(&place.folder).unwrap_or(0);
                AppendError::DiskFull { free, needed }
            }
        }
    }

    /// Answers appends that the volume or the log's limit has no room for, and returns the others.
    ///
    /// Once one ordinary append is refused, the ordinary ones behind it in the group are too, so that a small
    /// one does not overtake a large one.
    fn refuse_what_has_no_room(&mut self, group: Vec<Pending>) -> Vec<Pending> {
        let space = self.volume.space(&self.shared);
        let options = &self.shared.options;
        // What was written ahead is room of this log's own.
        let ahead = self.active.as_ref().map_or(0, Active::zeros);
        let (free, reserve) = (space.free.saturating_add(ahead), space.reserve);
        let bytes = self.shared.bytes();
        let (bytes_max, headroom_max) =
            (options.bytes_max, options.bytes_max.saturating_add(options.headroom_bytes));
        // Should the group need a new segment, its header needs room too.
        let mut taken = SEGMENT_HEADER_BYTES;
        let mut refused_before: Option<AppendError> = None;
        let mut admitted = Vec::with_capacity(group.len());
        for pending in group {
            if let Some(error) = pending.refused_before() {
                Counters::add(&self.shared.counters.refused, pending.records().len() as u64);
                pending.refuse(error);
                continue;
            }
            let needed = pending.frame_bytes() as u64;
            let after = taken.saturating_add(needed);
            let (limit, keep) =
                if pending.into_headroom { (headroom_max, reserve / 2) } else { (bytes_max, reserve) };
            let refusal = if !pending.into_headroom && refused_before.is_some() {
                refused_before.clone()
            } else if free.saturating_sub(after) < keep || after > free {
                Some(AppendError::DiskFull { free, needed })
            } else if bytes.saturating_add(after) > limit {
                Some(AppendError::Full { bytes_max: limit })
            } else {
                None
            };
            match refusal {
                None => {
                    taken = after;
                    admitted.push(pending);
                }
                Some(error) => {
                    Counters::add(&self.shared.counters.refused, pending.records().len() as u64);
                    pending.refuse(error.clone());
                    refused_before.get_or_insert(error);
                }
            }
        }
        self.shared.set_state(match refused_before {
            Some(AppendError::Full { .. }) => LogState::Full,
            Some(_) => LogState::DiskFull,
            None => LogState::Healthy,
        });
        admitted
    }

    /// One contiguous buffer, one write, one sync. Returns the offset after the last frame.
    fn write(&mut self, group: &[Pending]) -> Result<u64, Failure> {
        let bytes = bytes_of(group);
        let full = |active: &Active| active.bytes.saturating_add(bytes) > self.shared.options.segment_bytes;
        if self.active.as_ref().is_none_or(full) {
            self.roll()?;
        }
        self.encode(group);
        let zeros = self.zeros_behind(bytes);
        let Some(active) = &mut self.active else {
            return Err(Failure::Broken("no segment to write to".to_owned()));
        };
        let clock = &self.shared.options.clock;
        let started = clock.monotonic();
        active.write(&mut self.buffer, zeros)?;
        if !self.shared.options.without_sync_for_benches {
            active.file.sync().map_err(|error| active.broken("sync", &error))?;
        }
        let nanos = clock.monotonic().saturating_sub(started).as_nanos();
        let counters = &self.shared.counters;
        counters.last_sync_nanos.store(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.volume.note_written(bytes + zeros);
        active.bytes += bytes;
        self.next_offset += count_of(group);
        Ok(self.next_offset)
    }

    /// How many zeros are written behind a group of so many bytes: none while the file reaches beyond it.
    fn zeros_behind(&self, bytes: u64) -> u64 {
        let options = &self.shared.options;
        let Some(active) = &self.active else { return 0 };
        let (end, ahead) = (active.bytes.saturating_add(bytes), options.zeros_ahead_bytes);
        // A large group is a large write with a sync of its own anyway; zeros would only double its bytes.
        if end <= active.length || bytes.saturating_mul(LARGE_GROUPS_AHEAD) > ahead {
            return 0;
        }
        let room_of_log = options.bytes_max.saturating_sub(self.shared.bytes().saturating_add(bytes));
        let room = options.segment_bytes.saturating_sub(end).min(room_of_log);
        if self.volume.has_plenty(ahead) { ahead.min(room) } else { 0 }
    }

    fn encode(&mut self, group: &[Pending]) {
        self.buffer.clear();
        self.buffer.shrink_to(self.shared.options.group_bytes_max);
        self.time = self.shared.options.clock.now();
        let seed = self.shared.place.seed;
        for (offset, (index, record)) in (self.next_offset..).zip(records_of(group).enumerate()) {
            let header = FrameHeader {
                payload_bytes: u32::try_from(record.payload.len()).unwrap_or(u32::MAX),
                crc: 0,
                kind: record.kind,
                flags: record.flags,
                group_index: u16::try_from(index).unwrap_or(u16::MAX),
                offset,
                time: self.time,
            };
            header.encode(seed, &record.payload, &mut self.buffer);
        }
    }

    /// Lets readers see a group that is durable now. They read lengths after offsets, so lengths come first.
    fn publish(&self, group: &[Pending]) {
        let Some(active) = &self.active else { return };
        {
            let mut state = active.segment.state.lock();
            let SegmentState { end_offset, bytes, index, .. } = &mut *state;
            for record in records_of(group) {
                if let Some(index) = index {
                    index.note(*end_offset, *bytes, self.time.ticks());
                }
                *end_offset += 1;
                *bytes += record.frame_bytes() as u64;
            }
        }
        self.shared.bytes.fetch_add(bytes_of(group), Ordering::Relaxed);
        Counters::add(&self.shared.counters.appends, count_of(group));
        Counters::add(&self.shared.counters.syncs, 1);
        let next_offset = self.next_offset;
        self.shared.progress.send_modify(|progress| progress.next_offset = next_offset);
    }

    /// A new segment unless the active one is still empty. Returns the next offset.
    fn roll_if_used(&mut self) -> Result<u64, AppendError> {
        let used = self.active.as_ref().is_none_or(|active| active.bytes > SEGMENT_HEADER_BYTES);
        if used {
            self.roll().map_err(|failure| self.fail(failure, SEGMENT_HEADER_BYTES))?;
        }
        Ok(self.next_offset)
    }

    fn roll(&mut self) -> Result<(), Failure> {
        let place = &self.shared.place;
        let previous_first = self.shared.segments.read().last().map(|segment| segment.first_offset);
        let header = SegmentHeader {
            log_id: place.log_id,
            first_offset: self.next_offset,
            previous_first,
            created: self.shared.options.clock.now(),
        };
        let path = segment_path(&place.folder, self.next_offset);
        let file = match create(&*place.disk, &place.folder, &header) {
            Ok(file) => file,
            Err(CreateError::Write(error)) if is_out_of_space(&error) => {
                // An empty file that stays is harmless: the next creation or open starts it anew.
                drop(place.disk.remove(&path));
                return Err(Failure::NoSpace);
            }
            Err(error) => {
                let error = error.into_io();
                return Err(Failure::Broken(format!("creating {} failed: {error}", path.display())));
            }
        };
        if let Some(mut previous) = self.active.take() {
            previous.cut_zeros();
            previous.segment.seal(place);
        }
        let state = SegmentState {
            end_offset: self.next_offset,
            bytes: SEGMENT_HEADER_BYTES,
            index: Some(SparseIndex::default()),
            times: None,
        };
        let segment = Arc::new(Segment::new(self.next_offset, path, state));
        self.shared.segments.write().push(Arc::clone(&segment));
        self.shared.bytes.fetch_add(SEGMENT_HEADER_BYTES, Ordering::Relaxed);
        self.active = Some(Active::new(segment, file, SEGMENT_HEADER_BYTES));
        Ok(())
    }
}
