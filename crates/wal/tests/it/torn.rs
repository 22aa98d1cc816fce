//! Torn ends: whatever stands behind the last whole frame goes, nothing before it does.

use crate::house::*;
use gemba_testkit::{FaultyDisk, Rng};
use std::path::Path;

/// A small log in one segment, its bytes, and where each frame ends.
fn image() -> (Vec<u8>, Vec<usize>) {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    let mut ends = vec![64];
    for i in 0..6 {
        append_numbered(&log, 1, 8 + i * 5);
        ends.push(ends[i] + 28 + 8 + i * 5);
    }
    drop(log);
    let bytes = disk.contents(&segment(0)).expect("one segment");
    assert_eq!(bytes.len(), ends[6]);
    (bytes, ends)
}

fn open_image(bytes: &[u8]) -> (gemba_wal::Log, gemba_wal::Recovery, FaultyDisk) {
    let disk = FaultyDisk::new(1);
    disk.install(&segment(0), bytes);
    let (log, recovery) = open(&disk, small());
    (log, recovery, disk)
}

fn check_every_cut(fill: impl Fn(usize, usize) -> Vec<u8>) {
    let (bytes, ends) = image();
    for cut in 0..bytes.len() {
        let mut torn = bytes[..cut].to_vec();
        torn.extend(fill(cut, bytes.len() - cut));
        if cut < 64 {
            // A header is synced before any frame: a torn one stands alone.
            torn.truncate(64);
        }
        // A filling may happen to complete a frame.
        let whole = ends.iter().take_while(|end| torn.get(..**end) == bytes.get(..**end)).count();
        let (log, recovery, disk) = open_image(&torn);
        let frames = whole.saturating_sub(1) as u64;
        assert_eq!(recovery.next_offset, frames, "cut at {cut}");
        assert_eq!(recovery.corruptions, [], "cut at {cut}");
        if cut >= 64 {
            // Zeros may have been written ahead.
            let tail = torn[ends[whole - 1]..].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            assert_eq!(recovery.cut_bytes, tail as u64, "cut at {cut}");
        }
        append_numbered(&log, 2, 30);
        let again = open(&disk.power_cut(), small());
        assert_eq!((again.1.next_offset, again.1.cut_bytes), (frames + 2, 0), "cut at {cut}");
        assert_eq!(told(&again.0, 0, 100), format!("0-{}", frames + 1), "cut at {cut}");
    }
}

#[test]
fn a_log_cut_at_any_byte_keeps_exactly_its_whole_frames() {
    check_every_cut(|_, _| Vec::new());
}

#[test]
fn a_log_cut_at_any_byte_and_filled_with_zeros_keeps_exactly_its_whole_frames() {
    check_every_cut(|_, rest| vec![0; rest]);
    check_every_cut(|_, rest| vec![0; rest + 500]);
}

#[test]
fn a_log_cut_at_any_byte_and_filled_with_garbage_keeps_exactly_its_whole_frames() {
    check_every_cut(|cut, rest| Rng::new(cut as u64).bytes(rest));
    check_every_cut(|cut, rest| Rng::new(!cut as u64).bytes(rest + 300));
    check_every_cut(|_, rest| vec![0xff; rest]);
}

#[test]
fn frames_of_another_log_or_of_before_are_no_frames() {
    let (bytes, ends) = image();
    let other = FaultyDisk::new(1);
    let (log, _) = open(&other, gemba_wal::LogOptions { new_log_id: Some(5), ..small() });
    append_numbered(&log, 6, 8);
    drop(log);
    let foreign = other.contents(&segment(0)).expect("one segment");
    // The right offsets, but of another log.
    let mixed = [&bytes[..ends[3]], &foreign[64 + 3 * 36..]].concat();
    assert_eq!(open_image(&mixed).1.next_offset, 3);
    // The right log, but offsets of before, as a file system shows that hands out old blocks.
    let stale = [&bytes[..ends[4]], &bytes[64..ends[2]]].concat();
    let (_, recovery, _) = open_image(&stale);
    assert_eq!((recovery.next_offset, recovery.corruptions.len()), (4, 0));
}

#[test]
fn a_segment_whose_creation_broke_off_does_not_hide_frames() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    append_numbered(&log, 5, 20);
    drop(log);
    for leftover in [&b""[..], b"GEMBA", &[0; 64]] {
        // Its creation failed for want of space at 3, and smaller frames went on in the old segment.
        disk.install(&segment(3), leftover);
        let (log, recovery) = open(&disk, small());
        assert_eq!((recovery.next_offset, recovery.corruptions_found), (5, 0));
        assert_eq!(told(&log, 0, 100), "0-4");
        assert_eq!(segments(&disk), [0]);
    }
    disk.install(&segment(5), b"GEM");
    let (log, _) = open(&disk, small());
    append_numbered(&log, 40, 20);
    assert_eq!(told(&log, 0, 100), "0-44");
}

#[test]
fn frames_that_a_later_segment_proves_acknowledged_are_not_cut_as_torn() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    append_numbered(&log, 5, 20);
    drop(log);
    let mut bytes = disk.contents(&segment(0)).expect("one segment");
    bytes.truncate(64 + 48 * 3 + 10);
    disk.install(&segment(0), &bytes);
    disk.install(&segment(5), b"GEM");
    for _ in 0..3 {
        let (log, recovery) = open(&disk, small());
        assert_eq!((recovery.next_offset, recovery.cut_bytes, recovery.corruptions_found), (5, 0, 1));
        assert_eq!(told(&log, 0, 100), "0-2, corrupt 3-4");
    }
    let (log, _) = open(&disk, small());
    append_numbered(&log, 2, 20);
    assert_eq!(told(&log, 0, 100), "0-2, corrupt 3-4, 5-6");
}

#[test]
fn only_the_newest_segment_is_read_at_open() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    append_numbered(&log, 200, 300);
    drop(log);
    let before = disk.bytes_read();
    let (log, recovery) = open(&disk, small());
    assert_eq!((recovery.segments, recovery.next_offset), (100, 200));
    let newest = disk.contents(&segment(198)).expect("newest").len() as u64;
    assert_eq!(recovery.scanned_bytes, newest);
    let read = disk.bytes_read() - before;
    assert!(read <= 100 * 64 + 3 * newest, "{read} bytes read");
    // Finding an offset in an older segment reads that one, with or without its index file.
    for path in disk.paths() {
        if path.extension() == Some("idx".as_ref()) && path != Path::new(FOLDER).join("x.idx") {
            disk.uninstall(&path);
        }
    }
    let before = disk.bytes_read();
    let mut reader = log.reader(101);
    assert_eq!(reader.read(400).expect("readable").len(), 1);
    assert!(disk.bytes_read() - before < 4_000, "{} bytes read", disk.bytes_read() - before);
}
