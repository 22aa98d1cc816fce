//! Flipped bits and missing files: reported, skipped, never cut, never silent.

use crate::house::*;
use expect_test::expect;
use gemba_testkit::FaultyDisk;
use gemba_wal::{CorruptionKind, Recovery};

const FRAME: usize = 28 + 20;

/// A log of 20-byte payloads; each append is a group of its own.
fn with_frames(count: u64) -> FaultyDisk {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    append_numbered(&log, count, 20);
    drop(log);
    disk
}

fn found(recovery: &Recovery) -> Vec<(u64, u64, u64, CorruptionKind)> {
    let short = |c: &gemba_wal::Corruption| (c.from_offset, c.next_offset, c.bytes, c.kind);
    recovery.corruptions.iter().map(short).collect()
}

#[test]
fn any_flipped_bit_in_the_middle_of_the_newest_segment_costs_one_frame_and_is_reported() {
    let disk = with_frames(8);
    for byte in 64 + 3 * FRAME..64 + 4 * FRAME {
        for bit in 0..8 {
            let disk = disk.snapshot();
            disk.flip(&segment(0), byte, 1 << bit);
            let (log, recovery) = open(&disk, small());
            assert_eq!(
                found(&recovery),
                [(3, 4, FRAME as u64, CorruptionKind::Frames)],
                "byte {byte} bit {bit}"
            );
            assert_eq!((recovery.cut_bytes, recovery.next_offset), (0, 8));
            assert_eq!(told(&log, 0, 4_000), "0-2, corrupt 3-3, 4-7");
            assert_eq!(told(&log, 3, 10), "corrupt 3-3, 4-7");
        }
    }
}

#[test]
fn after_damage_appends_go_on_in_a_new_segment_and_every_open_tells_the_same() {
    let disk = with_frames(8);
    disk.flip(&segment(0), 64 + 3 * FRAME, 1);
    let first = open(&disk, small()).1;
    let (log, second) = open(&disk, small());
    assert_eq!(first, second);
    append_numbered(&log, 2, 20);
    assert_eq!(segments(&disk), [0, 8]);
    drop(log);
    let (log, recovery) = open(&disk, small());
    assert_eq!((recovery.corruptions_found, recovery.next_offset), (0, 10), "older segments are not scanned");
    for block in [1, 64, 100, 5_000] {
        assert_eq!(told(&log, 0, block), "0-2, corrupt 3-3, 4-9");
        assert_eq!(told(&log, 3, block), "corrupt 3-3, 4-9");
        assert_eq!(told(&log, 5, block), "5-9");
    }
    assert_eq!(log.stats().corrupt_frames_read, 8);
}

#[test]
fn the_last_group_damaged_before_its_end_is_kept_and_called_unconfirmed() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    append_numbered(&log, 2, 20);
    disk.hold_syncs();
    let mut tickets = vec![log.try_append(gemba_wal::Record::new(1, payload(2, 20))).expect("queued")];
    disk.wait_until_sync_is_held();
    let queue = |i| log.try_append(gemba_wal::Record::new(1, payload(i, 20))).expect("queued");
    tickets.extend((3..8).map(queue));
    disk.stop_holding_syncs();
    for ticket in tickets {
        ticket.wait_blocking().expect("durable");
    }
    drop(log);
    // As after a crash: an orderly end would have written down how far the frames were acknowledged.
    disk.uninstall(&segment(0).with_extension("idx"));
    // Frames 3 to 7 are one group. A torn write could look like this, and so could an aging disk.
    disk.flip(&segment(0), 64 + 4 * FRAME + 30, 1);
    let (log, recovery) = open(&disk, small());
    assert_eq!(found(&recovery), [(4, 5, FRAME as u64, CorruptionKind::UnconfirmedFrames)]);
    assert_eq!(told(&log, 0, 4_000), "0-3, corrupt 4-4, 5-7");
    drop(log);
    // Frame 2 was acknowledged before that group was written.
    disk.flip(&segment(0), 64 + 2 * FRAME + 30, 1);
    let (_, recovery) = open(&disk, small());
    let kinds: Vec<_> = recovery.corruptions.iter().map(|c| (c.from_offset, c.kind)).collect();
    assert_eq!(kinds, [(2, CorruptionKind::Frames), (4, CorruptionKind::UnconfirmedFrames)]);
}

#[test]
fn damage_and_a_torn_end_are_told_apart_in_one_segment() {
    let disk = with_frames(8);
    // As after a crash: an orderly end would have written down how far the frames were acknowledged.
    disk.uninstall(&segment(0).with_extension("idx"));
    let mut bytes = disk.contents(&segment(0)).expect("segment");
    bytes.truncate(64 + 7 * FRAME + 11);
    disk.install(&segment(0), &bytes);
    disk.flip(&segment(0), 64 + FRAME, 1);
    let (log, recovery) = open(&disk, small());
    assert_eq!(found(&recovery), [(1, 2, FRAME as u64, CorruptionKind::Frames)]);
    // Eleven bytes of a header, of which the last two are zeros.
    assert_eq!((recovery.cut_bytes, recovery.next_offset), (9, 7));
    append_numbered(&log, 1, 20);
    assert_eq!(told(&log, 0, 4_000), "0-0, corrupt 1-1, 2-7");
}

#[test]
fn after_an_orderly_end_even_the_last_frame_is_never_cut_as_torn() {
    for byte in 64 + 7 * FRAME..64 + 8 * FRAME {
        let disk = with_frames(8);
        disk.flip(&segment(0), byte, 1);
        for _ in 0..2 {
            let (log, recovery) = open(&disk, small());
            assert_eq!(found(&recovery), [(7, 8, FRAME as u64, CorruptionKind::Frames)]);
            assert_eq!((recovery.cut_bytes, recovery.next_offset), (0, 8));
            assert_eq!(told(&log, 0, 500), "0-6, corrupt 7-7");
        }
    }
    // Appends after the index was written, and a crash: only what it vouches for is kept.
    let disk = with_frames(8);
    let (log, _) = open(&disk, small());
    append_numbered(&log, 2, 20);
    let disk = disk.power_cut();
    disk.flip(&segment(0), 64 + 9 * FRAME, 1);
    let recovery = open(&disk, small()).1;
    assert_eq!((recovery.cut_bytes, recovery.next_offset), (FRAME as u64, 9));
}

#[test]
fn a_flipped_bit_in_an_older_segment_is_told_on_reading_and_nothing_is_cut() {
    let disk = with_frames(60);
    assert_eq!(segments(&disk), [0, 19, 38, 57]);
    let clean = disk.contents(&segment(19)).expect("segment").len();
    for byte in 64 + 2 * FRAME..64 + 3 * FRAME {
        let disk = disk.snapshot();
        disk.flip(&segment(19), byte, 0x10);
        let (log, recovery) = open(&disk, small());
        assert_eq!(recovery.corruptions_found, 0);
        assert_eq!(told(&log, 0, 500), "0-20, corrupt 21-21, 22-59", "byte {byte}");
        assert_eq!(told(&log, 21, 500), "corrupt 21-21, 22-59", "byte {byte}");
        assert_eq!(told(&log, 22, 500), "22-59", "byte {byte}");
        assert_eq!(told(&log, 30, 500), "30-59", "byte {byte}");
        assert_eq!(disk.contents(&segment(19)).map(|bytes| bytes.len()), Some(clean));
    }
}

#[test]
fn without_index_files_the_same_is_found() {
    let disk = with_frames(60);
    disk.flip(&segment(19), 64 + 2 * FRAME, 1);
    for path in disk.paths().into_iter().filter(|path| path.extension() == Some("idx".as_ref())) {
        disk.uninstall(&path);
    }
    let (log, _) = open(&disk, small());
    assert_eq!(told(&log, 21, 500), "corrupt 21-21, 22-59");
    assert_eq!(told(&log, 30, 500), "30-59");
}

#[test]
fn a_damaged_length_does_not_hide_the_frames_that_it_jumps_over() {
    let disk = with_frames(60);
    // 20 becomes 84: the next header would be in the middle of the second frame after this one.
    disk.flip(&segment(19), 64 + 2 * FRAME, 0x40);
    for with_index in [true, false] {
        for from in 20..26 {
            let disk = disk.snapshot();
            if !with_index {
                disk.uninstall(&segment(19).with_extension("idx"));
            }
            let (log, _) = open(&disk, small());
            let rest = if from <= 21 { "corrupt 21-21, 22-59".to_owned() } else { format!("{from}-59") };
            let told = told(&log, from, 500);
            assert_eq!(told.strip_prefix("20-20, ").unwrap_or(&told), rest, "from {from}");
        }
    }
}

#[test]
fn an_index_rebuilt_over_a_damaged_length_still_finds_every_time() {
    let disk = FaultyDisk::new(1);
    let clock = SetClock::at(0);
    let options = gemba_wal::LogOptions { clock: clock.clone(), ..small() };
    let (log, _) = open(&disk, options.clone());
    for i in 0..60 {
        // Frame 22 has the latest time of its segment.
        clock.set(if i == 22 { 5_000 } else { i });
        append(&log, payload(i as u64, 20));
    }
    drop(log);
    disk.flip(&segment(19), 64 + 2 * FRAME, 0x40);
    disk.uninstall(&segment(19).with_extension("idx"));
    let (log, _) = open(&disk, options);
    let trimmed = log.trim_older_than(gemba_model::DateTime::from_ticks(100)).expect("deleted");
    assert_eq!(trimmed.first_offset, 19, "the segment with frame 22 is not that old");
    assert_eq!(log.offset_at(gemba_model::DateTime::from_ticks(100)).expect("readable"), 22);
}

#[test]
fn the_tail_of_an_older_segment_is_damage_and_not_a_torn_write() {
    let disk = with_frames(60);
    let mut bytes = disk.contents(&segment(19)).expect("segment");
    bytes.truncate(64 + 10 * FRAME + 5);
    disk.install(&segment(19), &bytes);
    let (log, recovery) = open(&disk, small());
    assert_eq!(recovery.cut_bytes, 0);
    assert_eq!(told(&log, 0, 500), "0-28, corrupt 29-37, 38-59");
    assert_eq!(told(&log, 33, 500), "corrupt 33-37, 38-59");
}

#[test]
fn a_missing_segment_between_others_is_reported_and_read_as_corrupt() {
    let disk = with_frames(60);
    disk.uninstall(&segment(19));
    let (log, recovery) = open(&disk, small());
    assert_eq!(found(&recovery), [(19, 38, 0, CorruptionKind::MissingSegment)]);
    assert_eq!(told(&log, 0, 500), "0-18, corrupt 19-37, 38-59");
    assert_eq!(told(&log, 25, 500), "corrupt 25-37, 38-59");
    assert_eq!(log.first_offset(), 0);
    drop(log);
    // Not even its end is known when the frames before the hole are damaged too.
    disk.flip(&segment(0), 64 + 18 * FRAME, 1);
    let (log, recovery) = open(&disk, small());
    assert_eq!(found(&recovery), [(18, 38, 0, CorruptionKind::MissingSegment)]);
    assert_eq!(told(&log, 0, 500), "0-17, corrupt 18-37, 38-59");
}

#[test]
fn a_missing_oldest_segment_is_a_trim() {
    let disk = with_frames(60);
    disk.uninstall(&segment(0));
    let (log, recovery) = open(&disk, small());
    assert_eq!((recovery.corruptions_found, recovery.first_offset), (0, 19));
    assert_eq!(told(&log, 0, 500), "trimmed 0-18, 19-59");
}

#[test]
fn a_damaged_header_costs_no_frame() {
    let disk = with_frames(60);
    for (first, next) in [(0, 19), (19, 38), (57, 60)] {
        let disk = disk.snapshot();
        disk.flip(&segment(first), 50, 1);
        for _ in 0..2 {
            let (log, recovery) = open(&disk, small());
            assert_eq!(found(&recovery), [(first, first, 64, CorruptionKind::Header)], "up to {next}");
            assert_eq!(told(&log, 0, 500), "0-59");
        }
        let (log, _) = open(&disk, small());
        append_numbered(&log, 1, 20);
        assert_eq!(told(&log, 0, 500), "0-60");
    }
}

#[test]
fn the_only_header_damaged_outside_its_log_id_costs_nothing_and_inside_refuses_to_open() {
    let disk = with_frames(5);
    let damaged = disk.snapshot();
    damaged.flip(&segment(0), 3, 1);
    let (log, recovery) = open(&damaged, small());
    assert_eq!(found(&recovery), [(0, 0, 64, CorruptionKind::Header)]);
    append_numbered(&log, 1, 20);
    assert_eq!(told(&log, 0, 500), "0-5");
    disk.flip(&segment(0), 20, 1);
    let refused = try_open(&disk, small()).expect_err("unreadable");
    expect![[r#"no segment of the log in /data/log/events/0 has a readable header; move the folder away to begin a new log, and keep it"#]]
    .assert_eq(&refused.to_string());
    assert_eq!(refused.code().0, "GMB-WAL-004");
}

#[test]
fn a_newest_segment_without_header_and_frames_gives_no_offset_out_twice() {
    let disk = with_frames(60);
    let bytes = disk.contents(&segment(57)).expect("segment");
    disk.install(&segment(57), &vec![0; bytes.len()]);
    for _ in 0..2 {
        let (log, recovery) = open(&disk, small());
        assert_eq!((recovery.cut_bytes, recovery.corruptions_found), (0, 2));
        assert_eq!(recovery.next_offset, 57 + 144 / 28 + 1);
        assert_eq!(told(&log, 56, 500), "56-56, corrupt 57-62");
    }
    let (log, _) = open(&disk, small());
    append_numbered(&log, 2, 20);
    drop(log);
    assert_eq!(told(&open(&disk, small()).0, 56, 500), "56-56, corrupt 57-62, 63-64");
}

#[test]
fn a_file_of_another_log_or_under_another_name_is_refused_by_name() {
    let disk = with_frames(60);
    let bytes = disk.contents(&segment(19)).expect("segment");
    disk.install(&segment(77), &bytes);
    expect!["/data/log/events/0/00000000000000000077.log does not belong to this log (its name and its header give different first offsets); move it out of the folder"]
        .assert_eq(&try_open(&disk, small()).expect_err("refused").to_string());
    disk.uninstall(&segment(77));
    let other = FaultyDisk::new(1);
    let (log, _) = open(&other, gemba_wal::LogOptions { new_log_id: Some(5), ..small() });
    append_numbered(&log, 60, 20);
    disk.install(&segment(38), &other.contents(&segment(38)).expect("segment"));
    let refused = try_open(&disk, small()).expect_err("refused");
    assert_eq!(refused.code().0, "GMB-WAL-003");
}

#[test]
fn damage_that_looks_like_endless_frames_is_given_up_and_kept() {
    // A payload full of headers that announce long frames: checking each of them would take for ever.
    let disk = FaultyDisk::new(1);
    let options = gemba_wal::LogOptions {
        segment_bytes: 1 << 20,
        queue_bytes_max: 1 << 20,
        bytes_max: 1 << 22,
        ..small()
    };
    let (log, _) = open(&disk, options.clone());
    append_numbered(&log, 1, 20);
    let mut hostile = Vec::new();
    while hostile.len() < 400_000 {
        hostile.extend_from_slice(&100_000_u32.to_le_bytes());
        hostile.extend_from_slice(&[1; 8]);
        hostile.extend_from_slice(&5_u64.to_le_bytes());
        hostile.extend_from_slice(&[0; 8]);
    }
    append(&log, hostile);
    drop(log);
    disk.flip(&segment(0), 64 + FRAME + 28 + 3, 1);
    let (log, recovery) = open(&disk, options.clone());
    assert_eq!((recovery.corruptions_found, recovery.cut_bytes), (1, 0));
    assert!(recovery.next_offset > 2);
    let next = append(&log, "after");
    assert_eq!(next, recovery.next_offset);
    drop(log);
    let (log, _) = open(&disk, options);
    let told: Vec<_> = items(&log, 0, 1 << 20).iter().map(gemba_wal::ReadItem::next_offset).collect();
    assert_eq!(told, [1, next, next + 1]);
}
