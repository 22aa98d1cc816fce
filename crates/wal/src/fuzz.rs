//! Fuzz targets: arbitrary bytes in place of files.

use crate::format::{SEGMENT_HEADER_BYTES, SegmentHeader, seed};
use crate::index::{IndexKey, SparseIndex};
use crate::read::parse_block;
use crate::scan::{Check, Scanner, Step, Walk};
use bytes::Bytes;
use gemba_base::disk::DiskFile;
use std::io;

/// A file that is never written to.
#[derive(Debug)]
struct Image(Bytes);

impl DiskFile for Image {
    fn write_all_at(&self, _bytes: &[u8], _position: u64) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem))
    }
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let rest = usize::try_from(position).ok().and_then(|start| self.0.get(start..)).unwrap_or_default();
        Ok(buffer.iter_mut().zip(rest).map(|(target, byte)| *target = *byte).count())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
    fn set_len(&self, _length: u64) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem))
    }
}

/// Walks bytes as a segment in every way that opening and reading do, and as an index file.
///
/// # Panics
/// When a walk goes back or does not tell each offset once: that is a bug.
pub fn segment(bytes: &[u8]) {
    let image = Image(Bytes::copy_from_slice(bytes));
    let end = bytes.len() as u64;
    let header = SegmentHeader::decode(bytes).ok();
    let log_id = header.map_or_else(|| SegmentHeader::claimed_log_id(bytes), |header| Some(header.log_id));
    let log_id = log_id.unwrap_or(0);
    let first_offset = header.map_or(0, |header| header.first_offset);
    for limit in [None, Some(first_offset.saturating_add(4))] {
        for check in [Check::Frames, Check::Headers] {
            let scanner = Scanner::new(&image, seed(log_id), end);
            walk_in_order(Walk::new(scanner, SEGMENT_HEADER_BYTES, first_offset, limit, check), first_offset);
        }
    }
    let frames = image.0.slice(bytes.len().min(64)..);
    let parsed = parse_block(&frames, seed(log_id), first_offset, u64::MAX);
    assert!(parsed.bytes <= frames.len(), "frames reach beyond the block");
    let key = IndexKey { log_id, first_offset, end_offset: first_offset, segment_bytes: end };
    drop(SparseIndex::decode(bytes, &key));
}

fn walk_in_order(mut walk: Walk<'_>, mut expected: u64) {
    let mut reached = SEGMENT_HEADER_BYTES;
    while let Ok(Some(step)) = walk.step() {
        match step {
            Step::Frame { position, header } => {
                assert_eq!((position, header.offset), (reached, expected), "a frame out of order");
                reached = position + header.frame_bytes();
                expected = expected.saturating_add(1);
            }
            Step::Damage { position, bytes, from_offset, next_offset } => {
                assert_eq!((position, from_offset), (reached, expected), "damage out of order");
                assert!(next_offset > from_offset, "damage without a loss");
                reached = position + bytes;
                expected = next_offset;
            }
            Step::Tail { position } => assert_eq!(position, reached, "a tail out of order"),
        }
    }
}
