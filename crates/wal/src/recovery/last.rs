//! The newest segment: every checksum is verified, a torn end is cut off, damage is kept and reported.

use super::{Corruption, CorruptionKind, Head, Opener, Recovery, damaged_header, write_again};
use crate::commit::Active;
use crate::error::OpenError;
use crate::format::{FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES};
use crate::index::SparseIndex;
use crate::scan::{Check, Scanner, Step, Walk};
use crate::segment::{Segment, SegmentState, end_claimed_by_index};
use crate::shared::Place;
use gemba_base::disk::DiskFile;
use std::io;
use std::sync::Arc;

/// A bound on memory; damages beyond it are counted.
const DAMAGES_MAX: usize = 1_000;

/// Where the last group commit that left a frame begins.
#[derive(Debug, Clone, Copy)]
struct LastGroup {
    first_offset: u64,
    position: u64,
}

/// Bytes that are no frames, and the offsets that are missing there.
#[derive(Debug, Clone, Copy)]
struct Damage {
    bytes: u64,
    from_offset: u64,
    next_offset: u64,
}

/// What a walk over the newest segment saw.
#[derive(Debug)]
struct Findings {
    damages: Vec<Damage>,
    damages_unlisted: u64,
    last_group: Option<LastGroup>,
    index: SparseIndex,
    next_offset: u64,
    /// What is kept of the file: up to the last intact frame, or all of it.
    good_bytes: u64,
    frames: u64,
}

fn look_through(place: &Place, file: &dyn DiskFile, head: &Head) -> io::Result<Findings> {
    let mut seen = Findings {
        damages: Vec::new(),
        damages_unlisted: 0,
        last_group: None,
        index: SparseIndex::default(),
        next_offset: head.first_offset,
        good_bytes: SEGMENT_HEADER_BYTES,
        frames: 0,
    };
    let scanner = Scanner::new(file, place.seed, head.bytes);
    let mut walk = Walk::new(scanner, SEGMENT_HEADER_BYTES, head.first_offset, None, Check::Frames);
    while let Some(step) = walk.step()? {
        seen.index.note_step(&step);
        match step {
            Step::Frame { position, header } => {
                let group = header.group_first();
                if seen.last_group.is_none_or(|last| last.first_offset < group) {
                    seen.last_group = Some(LastGroup { first_offset: group, position });
                }
                seen.good_bytes = position + header.frame_bytes();
                seen.frames += 1;
            }
            Step::Damage { position, bytes, from_offset, next_offset } => {
                seen.damage(Damage { bytes, from_offset, next_offset });
                seen.good_bytes = position + bytes;
            }
            Step::Tail { .. } => {}
        }
        seen.next_offset = walk.expected();
    }
    Ok(seen)
}

impl Findings {
    fn damage(&mut self, damage: Damage) {
        if self.damages.len() < DAMAGES_MAX {
            self.damages.push(damage);
        } else {
            self.damages_unlisted += 1;
        }
    }

    /// The end of the file looks torn, but is known to be damage: it is kept, and no offset that may have
    /// been given out there is given out again.
    fn keep_tail(&mut self, head: &Head, next_offset: u64) {
        let bytes = head.bytes.saturating_sub(self.good_bytes);
        self.damage(Damage { bytes, from_offset: self.next_offset, next_offset });
        self.next_offset = next_offset;
        self.good_bytes = self.good_bytes.max(head.bytes);
    }

    fn report(&self, head: &Head, acknowledged: u64, recovery: &mut Recovery) {
        // Each group was durable before the next was written: what lies before the last one was acknowledged.
        let group = self.last_group.map_or(0, |group| group.first_offset);
        for damage in &self.damages {
            let confirmed = damage.from_offset < group.max(acknowledged) || head.header.is_none();
            recovery.report(Corruption {
                segment: head.path.clone(),
                from_offset: damage.from_offset,
                next_offset: damage.next_offset,
                bytes: damage.bytes,
                kind: if confirmed { CorruptionKind::Frames } else { CorruptionKind::UnconfirmedFrames },
            });
        }
        recovery.corruptions_found += self.damages_unlisted;
    }
}

impl Opener<'_> {
    pub(super) fn open_last(
        &self,
        place: &Place,
        head: &Head,
        acknowledged: u64,
        recovery: &mut Recovery,
    ) -> Result<(Arc<Segment>, Option<Active>), OpenError> {
        let file = self.io_at("opening", &head.path, || self.disk.open(&head.path, false))?;
        let mut seen = self.io_at("reading", &head.path, || look_through(place, &*file, head))?;
        let acknowledged = acknowledged.max(end_claimed_by_index(place, &head.path, head.first_offset));
        if head.header.is_none() {
            recovery.report(damaged_header(head));
            if seen.frames == 0 {
                // The header had been synced before any frame was written, so this is damage and no torn
                // write, and nobody knows how many frames stood here.
                let most = (head.bytes - seen.good_bytes) / FRAME_HEADER_BYTES as u64 + 1;
                seen.keep_tail(head, head.first_offset.saturating_add(most));
            }
        }
        if seen.next_offset < acknowledged {
            seen.keep_tail(head, acknowledged);
        }
        seen.report(head, acknowledged, recovery);
        recovery.scanned_bytes = head.bytes;
        recovery.cut_bytes =
            self.io_at("reading", &head.path, || written_bytes(&*file, seen.good_bytes, head.bytes))?;
        recovery.next_offset = seen.next_offset;
        self.io_at("repairing", &head.path, || repair(&*file, head, &seen))?;
        // What is damaged is left alone, so that the next open sees the same; the next append begins a new one.
        let intact = seen.damages.is_empty() && head.header.is_some();
        let state = SegmentState {
            end_offset: seen.next_offset,
            bytes: seen.good_bytes,
            times: seen.index.times(),
            index: intact.then_some(seen.index),
        };
        let segment = Arc::new(Segment::new(head.first_offset, head.path.clone(), state));
        let active = intact.then(|| Active::new(Arc::clone(&segment), file, seen.good_bytes));
        Ok((segment, active))
    }
}

/// Bytes up to the last that is not 0: what somebody wrote there, and not only wrote ahead.
fn written_bytes(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<u64> {
    let (mut at, mut written) = (from, 0);
    let mut buffer = vec![0; 64 << 10];
    while at < to {
        let wanted = usize::try_from(to - at).unwrap_or(usize::MAX).min(buffer.len());
        let part = buffer.get_mut(..wanted).unwrap_or_default();
        let filled = file.read_at(part, at)?;
        let Some(part) = part.get(..filled).filter(|part| !part.is_empty()) else { break };
        if let Some(last) = part.iter().rposition(|byte| *byte != 0) {
            written = at + last as u64 + 1 - from;
        }
        at += filled as u64;
    }
    Ok(written)
}

/// Cuts the torn end, writes what no later sync has proven durable once more, and syncs.
fn repair(file: &dyn DiskFile, head: &Head, seen: &Findings) -> io::Result<()> {
    if head.bytes > seen.good_bytes {
        file.set_len(seen.good_bytes)?;
    }
    if let Some(header) = head.header {
        file.write_all_at(&header.encode(), 0)?;
    }
    if let Some(group) = seen.last_group {
        write_again(file, group.position, seen.good_bytes)?;
    }
    file.sync()
}
