//! Deleting whole segments, oldest first, durably, and not what a consumer needs.

use crate::house::*;
use gemba_model::DateTime;
use gemba_testkit::FaultyDisk;
use gemba_wal::LogOptions;

/// 60 frames in the segments 0, 19, 38, 57.
fn filled(disk: &FaultyDisk) -> gemba_wal::Log {
    let (log, _) = open(disk, small());
    append_numbered(&log, 60, 20);
    assert_eq!(segments(disk), [0, 19, 38, 57]);
    log
}

#[test]
fn only_whole_segments_before_the_offset_go() {
    for (offset, left) in [
        (0, vec![0, 19, 38, 57]),
        (18, vec![0, 19, 38, 57]),
        (19, vec![19, 38, 57]),
        (56, vec![38, 57]),
        (57, vec![57]),
        (u64::MAX, vec![57]),
    ] {
        let disk = FaultyDisk::new(1);
        let log = filled(&disk);
        let bytes = log.stats().bytes;
        let report = log.trim_before(offset).expect("deleted");
        assert_eq!(segments(&disk), left, "before {offset}");
        assert_eq!((report.first_offset, report.held_by), (left[0], None));
        assert_eq!(log.stats().bytes, bytes - report.bytes);
        assert_eq!(told(&log, left[0], 500), format!("{}-59", left[0]));
        let orphans = disk.paths().into_iter().filter(|path| path.extension() == Some("idx".as_ref()));
        assert_eq!(orphans.count(), left.len() - 1, "index files go with their segments");
    }
}

#[test]
fn a_roll_lets_everything_acknowledged_go_and_offsets_never_start_anew() {
    let disk = FaultyDisk::new(1);
    let log = filled(&disk);
    assert_eq!(log.roll_blocking(), Ok(60));
    assert_eq!(log.roll_blocking(), Ok(60), "an empty segment is not rolled again");
    log.trim_before(60).expect("deleted");
    assert_eq!((segments(&disk), log.stats().bytes), (vec![60], 64));
    assert_eq!(log.oldest_segment().expect("readable"), None);
    drop(log);
    let (log, recovery) = open(&disk.power_cut(), small());
    assert_eq!((recovery.first_offset, recovery.next_offset, recovery.corruptions_found), (60, 60, 0));
    append_numbered(&log, 1, 20);
    assert_eq!(told(&log, 0, 500), "trimmed 0-59, 60-60");
}

#[test]
fn a_reader_that_is_overtaken_by_a_trim_is_told_what_it_lost() {
    let disk = FaultyDisk::new(1);
    let log = filled(&disk);
    let mut reader = log.reader(0);
    assert_eq!(reader.read(150).expect("readable").len(), 3);
    log.trim_before(40).expect("deleted");
    let trimmed = gemba_wal::ReadItem::Trimmed { from_offset: 3, next_offset: 38 };
    assert_eq!(reader.read(150).expect("readable"), [trimmed]);
    assert_eq!(reader.read(150).expect("readable").len(), 3);
    assert_eq!(told(&log, 10, 500), "trimmed 10-37, 38-59");
}

#[test]
fn a_trim_survives_every_crash_and_a_crash_within_leaves_no_hole() {
    for seed in 0..100 {
        let disk = FaultyDisk::new(seed);
        let log = filled(&disk);
        log.trim_before(38).expect("deleted");
        let (log, recovery) = open(&disk.crash(seed), small());
        assert_eq!((recovery.first_offset, recovery.corruptions_found), (38, 0), "seed {seed}");
        assert_eq!(told(&log, 0, 500), "trimmed 0-37, 38-59");
    }
    for seed in 0..100 {
        let disk = FaultyDisk::new(seed);
        let log = filled(&disk);
        disk.fail_next_folder_sync();
        let error = log.trim_before(57).expect_err("the sync failed");
        assert_eq!(error.code().0, "GMB-WAL-009", "a removal that may come back stops the log");
        assert!(log.trim_before(57).is_err());
        let (log, recovery) = open(&disk.crash(seed), small());
        assert_eq!(recovery.corruptions_found, 0, "seed {seed}");
        let first = log.first_offset();
        assert!([0, 19].contains(&first));
        assert_eq!(told(&log, first, 500), format!("{first}-59"));
    }
}

#[test]
fn a_failed_deletion_changes_nothing_and_can_be_repeated() {
    let disk = FaultyDisk::new(1);
    let log = filled(&disk);
    disk.fail_next_remove();
    let error = log.trim_before(57).expect_err("the removal failed");
    assert_eq!(error.code().0, "GMB-WAL-014");
    assert_eq!(told(&log, 0, 500), "0-59");
    assert_eq!(log.trim_before(57).expect("deleted").segments, 3);
}

#[test]
fn trims_stop_at_the_lowest_hold_and_say_whose_it_is() {
    let disk = FaultyDisk::new(1);
    let log = filled(&disk);
    let historian = log.hold("historian", 5);
    let rules = log.hold("rules", 40);
    let report = log.trim_before(60).expect("nothing to delete");
    assert_eq!((report.segments, report.held_by.as_deref()), (0, Some("historian")));
    historian.advance(50);
    historian.advance(45);
    assert_eq!(historian.offset(), 50, "holds never go back");
    let report = log.trim_to_bytes(0).expect("deleted");
    assert_eq!((report.first_offset, report.held_by.as_deref()), (38, Some("rules")));
    drop(rules);
    let report = log.trim_older_than(DateTime::from_ticks(i64::MAX)).expect("nothing to delete");
    assert_eq!((report.first_offset, report.held_by.as_deref()), (38, Some("historian")));
    drop(historian);
    assert_eq!(log.trim_before(60).expect("deleted").first_offset, 57);
}

#[test]
fn dropping_the_oldest_goes_past_holds_and_names_them() {
    let disk = FaultyDisk::new(1);
    let log = filled(&disk);
    let _behind = log.hold("historian", 5);
    let _ahead = log.hold("rules", 19);
    let trimmed = log.trim_oldest_segment().expect("deleted").expect("one was there");
    assert_eq!((trimmed.offsets, trimmed.holds_passed), (0..19, vec!["historian".to_owned()]));
    log.trim_oldest_segment().expect("deleted");
    log.trim_oldest_segment().expect("deleted");
    assert_eq!(log.trim_oldest_segment().expect("nothing to delete"), None, "the newest stays");
    assert_eq!(told(&log, 57, 500), "57-59");
}

#[test]
fn age_and_size_choose_whole_segments() {
    let disk = FaultyDisk::new(1);
    let clock = SetClock::at(0);
    let options = LogOptions { clock: clock.clone(), ..small() };
    let (log, _) = open(&disk, options.clone());
    for i in 0..60 {
        clock.set(i * 10);
        append(&log, vec![0; 20]);
    }
    drop(log);
    let (log, _) = open(&disk, options);
    // The segment 0..=18 is as young as its youngest frame.
    assert_eq!(log.trim_older_than(DateTime::from_ticks(180)).expect("kept").segments, 0);
    assert_eq!(log.trim_older_than(DateTime::from_ticks(181)).expect("deleted").first_offset, 19);
    let bytes = log.stats().bytes;
    assert_eq!(log.trim_to_bytes(bytes).expect("kept").segments, 0);
    assert_eq!(log.trim_to_bytes(bytes - 1).expect("deleted").first_offset, 38);
    assert_eq!(log.trim_to_bytes(0).expect("deleted").first_offset, 57);
}

#[test]
fn readers_appends_and_trims_at_once_lose_nothing_unsaid() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut reader = log.reader(0);
            let mut expected = 0;
            while expected < 3_000 {
                reader.wait_blocking().expect("more comes");
                for item in reader.read(700).expect("readable") {
                    let (from, next) = match item {
                        gemba_wal::ReadItem::Frame(frame) => {
                            assert_eq!(frame.payload, payload(frame.offset, 30));
                            (frame.offset, frame.offset + 1)
                        }
                        gemba_wal::ReadItem::Trimmed { from_offset, next_offset } => {
                            (from_offset, next_offset)
                        }
                        other => panic!("unexpected {other:?}"),
                    };
                    assert_eq!(from, expected);
                    expected = next;
                }
            }
        });
        scope.spawn(|| {
            while log.next_offset() < 3_000 {
                log.trim_before(log.next_offset().saturating_sub(40)).expect("deleted");
                std::thread::yield_now();
            }
        });
        append_numbered(&log, 3_000, 30);
        reading.join().expect("no panic");
    });
}
