//! Zeros that are written ahead: they cost no frame, look like none, and go when the segment ends.

use crate::house::*;
use gemba_base::disk::Disk;
use gemba_testkit::{FaultyDisk, Rng};
use gemba_wal::{AppendError, LogOptions, LogState, Record};
use std::path::Path;
use std::time::Duration;

const FRAME: usize = 28 + 20;

fn ahead() -> LogOptions {
    LogOptions { zeros_ahead_bytes: 600, ..small() }
}

fn length(disk: &FaultyDisk, first_offset: u64) -> usize {
    disk.contents(&segment(first_offset)).expect("segment").len()
}

#[test]
fn small_commits_do_not_make_the_file_longer_and_an_end_gives_the_zeros_back() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, ahead());
    append_numbered(&log, 1, 20);
    let first = length(&disk, 0);
    assert_eq!(first, 64 + FRAME + 600);
    append_numbered(&log, 12, 20);
    assert_eq!(length(&disk, 0), first, "they are within the zeros");
    append_numbered(&log, 1, 20);
    assert_eq!(length(&disk, 0), 1_000, "a segment never grows beyond its size");
    assert_eq!(log.stats().bytes, 64 + 14 * FRAME as u64, "zeros are not counted");
    append_numbered(&log, 6, 20);
    assert_eq!((segments(&disk), length(&disk, 0)), (vec![0, 19], 64 + 19 * FRAME));
    drop(log);
    assert_eq!(length(&disk, 19), 64 + FRAME);
}

#[test]
fn a_large_group_brings_no_zeros() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, ahead());
    append_numbered(&log, 1, 100);
    assert_eq!(length(&disk, 0), 64 + 128);
}

#[test]
fn zeros_after_a_power_cut_are_neither_frames_nor_a_torn_write() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, ahead());
    append_numbered(&log, 5, 20);
    let disk = disk.power_cut();
    let (log, recovery) = open(&disk, ahead());
    assert_eq!((recovery.next_offset, recovery.cut_bytes, recovery.corruptions_found), (5, 0, 0));
    assert_eq!(length(&disk, 0), 64 + 5 * FRAME);
    append_numbered(&log, 3, 20);
    assert_eq!(told(&open(&disk.power_cut(), ahead()).0, 0, 100), "0-7");
}

/// A log of seven frames while it is open: its last one is followed by zeros.
fn image() -> Vec<u8> {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, ahead());
    append_numbered(&log, 7, 20);
    disk.contents(&segment(0)).expect("segment")
}

fn opened(bytes: &[u8]) -> gemba_wal::Recovery {
    let disk = FaultyDisk::new(1);
    disk.install(&segment(0), bytes);
    let (log, recovery) = open(&disk, ahead());
    append_numbered(&log, 1, 20);
    drop(log);
    let next_offset = recovery.next_offset;
    let (log, again) = open(&disk.power_cut(), ahead());
    assert_eq!((again.next_offset, again.corruptions_found), (next_offset + 1, 0));
    assert_eq!(told(&log, 0, 100), format!("0-{next_offset}"));
    recovery
}

#[test]
fn a_write_over_zeros_that_is_torn_at_any_byte_keeps_exactly_the_whole_frames() {
    let bytes = image();
    let end = 64 + 7 * FRAME;
    let frame = |number: usize| 64 + number * FRAME..64 + (number + 1) * FRAME;
    for cut in 64..end {
        let mut torn = bytes.clone();
        // What the write had not reached is as it was before.
        torn[cut..].fill(0);
        // A frame may end with zeros of its own.
        let whole = |torn: &[u8]| (0..7).take_while(|at| torn[frame(*at)] == bytes[frame(*at)]).count();
        let check = |torn: &[u8], what| {
            let recovery = opened(torn);
            let frames = whole(torn);
            let last = torn.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let written = last.saturating_sub(64 + frames * FRAME) as u64;
            assert_eq!(
                (recovery.next_offset, recovery.corruptions_found, recovery.cut_bytes),
                (frames as u64, 0, written),
                "{what} at {cut}"
            );
        };
        check(&torn, "zeros");
        // A part of the tail that is neither old nor new.
        let garbage = Rng::new(cut as u64).bytes(100.min(torn.len() - cut));
        torn[cut..cut + garbage.len()].copy_from_slice(&garbage);
        check(&torn, "garbage");
    }
}

#[test]
fn a_flipped_bit_among_the_zeros_costs_nothing() {
    let bytes = image();
    for at in 64 + 7 * FRAME..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        let recovery = opened(&flipped);
        assert_eq!((recovery.next_offset, recovery.corruptions_found), (7, 0), "byte {at}");
        assert_eq!(recovery.cut_bytes, (at + 1 - 64 - 7 * FRAME) as u64, "byte {at}");
    }
}

#[test]
fn a_flipped_bit_in_a_frame_before_zeros_is_reported_as_ever() {
    let bytes = image();
    for at in 64 + 3 * FRAME..64 + 4 * FRAME {
        let disk = FaultyDisk::new(1);
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        disk.install(&segment(0), &flipped);
        let (log, recovery) = open(&disk, ahead());
        assert_eq!((recovery.next_offset, recovery.corruptions_found, recovery.cut_bytes), (7, 1, 0));
        append_numbered(&log, 1, 20);
        assert_eq!(told(&log, 0, 4_000), "0-2, corrupt 3-3, 4-7", "byte {at}");
    }
}

#[test]
fn a_volume_with_room_for_the_group_alone_gets_no_zeros() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, ahead());
    disk.hide_shortage(true);
    disk.set_volume_bytes(64 + FRAME as u64 + 40);
    // It says so little that there is nothing for zeros.
    append_numbered(&log, 1, 20);
    assert_eq!(length(&disk, 0), 64 + FRAME);
    // It says much more than it has: the write finds out, and the group alone fits.
    disk.set_volume_bytes(1 << 20);
    disk.hide_shortage(false);
    append_numbered(&log, 1, 20);
    assert_eq!(length(&disk, 0), 64 + 2 * FRAME + 600);
    drop(log);
    let (log, _) = open(&disk, LogOptions { free_space_believed: Duration::from_secs(1), ..ahead() });
    disk.set_volume_bytes(1 << 40);
    append_numbered(&log, 15, 20);
    let before = length(&disk, 0);
    assert!(before > 64 + 17 * FRAME, "zeros are there");
    append_numbered(&log, 2, 20);
    let free = disk.free_bytes(Path::new(FOLDER)).expect("told");
    disk.set_bytes_of_others(free - 64 - FRAME as u64 - 10);
    // The next one begins a segment, in what is believed to be an empty volume.
    append_numbered(&log, 1, 20);
    assert_eq!(length(&disk, 19), 64 + FRAME);
    assert_eq!(told(&log, 0, 4_000), "0-19");
}

#[test]
fn a_volume_that_filled_up_since_it_was_asked_costs_only_that_group() {
    let disk = FaultyDisk::new(1);
    let options = LogOptions { free_space_believed: Duration::from_secs(1), ..small() };
    let (log, _) = open(&disk, options);
    append_numbered(&log, 3, 20);
    // The clock stands still: what was said at the first append is believed.
    disk.set_bytes_of_others((1 << 40) - 64 - 3 * FRAME as u64 - 10);
    for _ in 0..2 {
        let refused = log.append_blocking(Record::new(1, vec![0; 20])).expect_err("no room");
        assert!(matches!(refused, AppendError::DiskFull { free: 10, needed: 48 }), "{refused:?}");
        assert_eq!((log.state(), length(&disk, 0)), (LogState::DiskFull, 64 + 3 * FRAME));
    }
    disk.set_bytes_of_others(0);
    append_numbered(&log, 1, 20);
    assert_eq!((log.state(), told(&log, 0, 100).as_str()), (LogState::Healthy, "0-3"));
}
