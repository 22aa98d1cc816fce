//! The volume's reserve, the log's limit, and a volume that lies.

use crate::house::*;
use gemba_testkit::FaultyDisk;
use gemba_wal::{AppendError, LogOptions, LogState, Record, Reserve};

fn refused(log: &gemba_wal::Log) -> AppendError {
    log.append_blocking(Record::new(1, vec![0; 72])).expect_err("no room")
}

#[test]
fn appends_stop_at_the_reserve_before_the_volume_is_full_and_go_on_when_space_is_freed() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, LogOptions { reserve: Reserve::Bytes(10_000), ..small() });
    append_numbered(&log, 5, 72);
    disk.set_volume_bytes(1 << 20);
    disk.set_bytes_of_others((1 << 20) - 10_000 - 1_000);
    let accepted = std::iter::from_fn(|| log.append_blocking(Record::new(1, vec![0; 72])).ok()).count();
    let AppendError::DiskFull { free, needed } = refused(&log) else { panic!("not DiskFull") };
    assert!(accepted < 10 && free >= 10_000 && needed == 100, "{accepted} {free} {needed}");
    assert_eq!((log.state(), log.stats().refused), (LogState::DiskFull, 2));
    let before = segments(&disk);
    disk.set_bytes_of_others(0);
    append_numbered(&log, 1, 72);
    assert_eq!((log.state(), segments(&disk)), (LogState::Healthy, before));
}

#[test]
fn the_default_reserve_is_five_percent_or_one_gibibyte() {
    for (volume, reserve) in [(1_u64 << 40, (1_u64 << 40) / 20), (4 << 30, 1 << 30)] {
        let disk = FaultyDisk::new(1);
        disk.set_volume_bytes(volume);
        let options = LogOptions { reserve: Reserve::FivePercentOrOneGiB, ..small() };
        let (log, _) = open(&disk, options);
        disk.set_bytes_of_others(volume - reserve - 1_000);
        append_numbered(&log, 1, 20);
        disk.set_bytes_of_others(volume - reserve);
        assert!(matches!(refused(&log), AppendError::DiskFull { .. }));
    }
}

#[test]
fn the_logs_limit_refuses_appends_until_a_trim_makes_room() {
    let disk = FaultyDisk::new(1);
    let options = LogOptions { bytes_max: 3_000, ..small() };
    let (log, _) = open(&disk, options);
    let accepted =
        std::iter::from_fn(|| log.append_blocking(Record::new(1, vec![0; 72])).ok()).count() as u64;
    assert_eq!(refused(&log), AppendError::Full { bytes_max: 3_000 });
    assert_eq!((log.state(), log.next_offset()), (LogState::Full, accepted));
    assert!(log.stats().bytes <= 3_000 && log.stats().bytes > 2_800, "{}", log.stats().bytes);
    // What is dropped is written down first, then dropped.
    let oldest = log.oldest_segment().expect("readable").expect("not empty");
    assert_eq!((oldest.first_offset, oldest.last_offset, oldest.trimmable), (0, 8, true));
    let gap = Record::new(2, vec![0; 72]);
    let ticket = block_on(log.append_into_headroom(gap)).expect("queued");
    assert_eq!(ticket.wait_blocking(), Ok(accepted));
    assert_eq!(refused(&log), AppendError::Full { bytes_max: 3_000 }, "the headroom is not for all");
    let trimmed = log.trim_oldest_segment().expect("deleted").expect("one was there");
    assert_eq!((trimmed.offsets, trimmed.bytes), (0..9, 964));
    assert_eq!(log.state(), LogState::Healthy);
    append(&log, vec![0; 72]);
    assert_eq!(
        log.stats().bytes,
        disk.paths()
            .iter()
            .filter(|p| p.extension() == Some("log".as_ref()))
            .map(|p| disk.contents(p).expect("file").len() as u64)
            .sum::<u64>()
    );
}

/// Drives a future that needs no runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("runtime").block_on(future)
}

#[test]
fn the_headroom_has_an_end_too() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, LogOptions { bytes_max: 3_000, ..small() });
    while log.append_blocking(Record::new(1, vec![0; 72])).is_ok() {}
    let error = loop {
        let ticket = block_on(log.append_into_headroom(Record::new(2, vec![0; 72]))).expect("queued");
        if let Err(error) = ticket.wait_blocking() {
            break error;
        }
    };
    assert_eq!(error, AppendError::Full { bytes_max: 3_500 });
    assert!(log.stats().bytes <= 3_500);
}

#[test]
fn a_refused_append_is_not_overtaken_by_a_smaller_one_of_its_group() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    disk.hold_syncs();
    let first = log.try_append(Record::new(1, "first")).expect("queued");
    disk.wait_until_sync_is_held();
    disk.set_volume_bytes(64 + 33 + 200);
    let fits = log.try_append(Record::new(1, vec![0; 20])).expect("queued");
    let large = log.try_append(Record::new(1, vec![0; 200])).expect("queued");
    let small = log.try_append(Record::new(1, vec![0; 1])).expect("queued");
    disk.stop_holding_syncs();
    assert_eq!((first.wait_blocking(), fits.wait_blocking()), (Ok(0), Ok(1)));
    assert!(large.wait_blocking().is_err() && small.wait_blocking().is_err());
    assert_eq!(log.next_offset(), 2);
}

#[test]
fn a_volume_that_fills_up_in_the_middle_of_a_write_costs_only_that_group() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    append_numbered(&log, 3, 72);
    disk.hide_shortage(true);
    let full = disk.contents(&segment(0)).expect("segment").len() as u64;
    disk.set_volume_bytes(full + 60);
    assert!(matches!(refused(&log), AppendError::DiskFull { .. }));
    assert_eq!(disk.contents(&segment(0)).map(|bytes| bytes.len() as u64), Some(full), "cut back");
    let after_crash = disk.snapshot();
    assert_eq!(open(&after_crash, small()).1.next_offset, 3);
    disk.set_volume_bytes(1 << 20);
    append_numbered(&log, 3, 72);
    drop(log);
    let (log, recovery) = open(&disk.power_cut(), small());
    assert_eq!((recovery.cut_bytes, told(&log, 0, 500).as_str()), (0, "0-5"));
}

#[test]
fn what_was_cut_back_never_returns() {
    // The cut is durable: whatever a crash makes of later appends, no part of the refused one is left.
    for seed in 0..100 {
        let disk = FaultyDisk::new(seed);
        let (log, _) = open(&disk, small());
        append_numbered(&log, 3, 20);
        disk.hide_shortage(true);
        let full = disk.contents(&segment(0)).expect("segment").len() as u64;
        disk.set_volume_bytes(full + 90);
        disk.hold_syncs();
        let whole = log.try_append(Record::new(9, vec![9; 200])).expect("queued");
        disk.wait_until_sync_is_held();
        disk.stop_holding_syncs();
        assert!(matches!(whole.wait_blocking(), Err(AppendError::DiskFull { .. })), "the sync of the cut");
        let survived = disk.crash(seed);
        assert_eq!(survived.contents(&segment(0)).map(|bytes| bytes.len() as u64), Some(full), "seed {seed}");
    }
}

#[test]
fn a_volume_without_room_for_a_new_segment_refuses_and_recovers() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    append_numbered(&log, 9, 72);
    disk.hide_shortage(true);
    disk.set_volume_bytes(disk.contents(&segment(0)).expect("segment").len() as u64 + 30);
    assert!(matches!(refused(&log), AppendError::DiskFull { .. }));
    assert!(matches!(log.roll_blocking(), Err(AppendError::DiskFull { .. })));
    assert_eq!(segments(&disk), [0]);
    disk.set_volume_bytes(1 << 20);
    append_numbered(&log, 5, 72);
    assert_eq!(told(&open(&disk.snapshot(), small()).0, 0, 500), "0-13");
}

#[test]
fn a_cut_back_that_fails_poisons_the_log() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    append_numbered(&log, 3, 72);
    disk.hide_shortage(true);
    disk.set_volume_bytes(disk.contents(&segment(0)).expect("segment").len() as u64 + 60);
    disk.fail_next_set_len();
    assert!(matches!(refused(&log), AppendError::Poisoned { .. }));
    drop(log);
    disk.set_volume_bytes(1 << 20);
    assert_eq!(open(&disk, small()).1.next_offset, 3);
}
