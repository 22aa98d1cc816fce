//! A disk error is final for the open log, and the next open starts from what is proven.

use crate::house::*;
use gemba_testkit::FaultyDisk;
use gemba_wal::{AppendError, LogState, Record};

fn is_poisoned(result: Result<u64, AppendError>) -> bool {
    matches!(result, Err(AppendError::Poisoned { .. }))
}

#[test]
fn a_failed_sync_fails_what_waits_and_everything_later() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    append_numbered(&log, 2, 20);
    let mut reader = log.reader(2);
    disk.hold_syncs();
    let in_flight = log.try_append(Record::new(1, "a")).expect("queued");
    disk.wait_until_sync_is_held();
    let queued: Vec<_> = (0..4).map(|_| log.try_append(Record::new(1, "b")).expect("queued")).collect();
    disk.fail_next_sync();
    disk.stop_holding_syncs();
    assert!(is_poisoned(in_flight.wait_blocking()));
    assert!(queued.into_iter().all(|ticket| is_poisoned(ticket.wait_blocking())));
    assert!(is_poisoned(log.append_blocking(Record::new(1, "c"))));
    assert!(is_poisoned(log.roll_blocking()));
    assert_eq!(log.state(), LogState::Poisoned);
    assert_eq!(
        log.append_blocking(Record::new(1, "c")).expect_err("poisoned").to_string(),
        "the log stopped after a disk error and must be opened again: \
         sync of /data/log/events/0/00000000000000000000.log failed: the sync failed on purpose"
    );
    assert_eq!(told(&log, 0, 100), "0-1", "what is durable can be read, and only that");
    assert_eq!(reader.wait_blocking().map_err(|e| e.code().0), Err("GMB-WAL-009"));
    assert_eq!(log.trim_oldest_segment().map_err(|e| e.code().0), Err("GMB-WAL-009"));
}

#[test]
fn after_a_failed_sync_reopening_proves_again_what_is_left() {
    // The bytes of the failed sync can be read, but no later sync would save them: whatever the next open
    // accepts, it must write once more.
    for seed in 0..200 {
        let disk = FaultyDisk::new(seed);
        let (log, _) = open(&disk, small());
        append_numbered(&log, 1 + seed % 4, 20);
        let acknowledged = log.next_offset();
        disk.fail_next_sync();
        assert!(is_poisoned(log.append_blocking(Record::new(1, payload(acknowledged, 150)))));
        drop(log);
        let (log, recovery) = open(&disk, small());
        assert_eq!((recovery.next_offset, recovery.corruptions_found), (acknowledged + 1, 0));
        append_numbered(&log, 3, 20);
        let next = log.next_offset();
        let disk = disk.power_cut();
        drop(log);
        let (log, recovery) = open(&disk, small());
        assert_eq!((recovery.next_offset, recovery.corruptions_found), (next, 0), "seed {seed}");
        assert_eq!(told(&log, 0, 500), format!("0-{}", next - 1), "seed {seed}");
    }
}

#[test]
fn a_write_error_other_than_a_full_volume_poisons() {
    // The tenth byte of a frame is a zero.
    for (written, cut) in [(0, 0), (10, 9), (40, 40)] {
        let disk = FaultyDisk::new(1);
        let (log, _) = open(&disk, small());
        append_numbered(&log, 2, 20);
        disk.fail_write_after(written);
        assert!(is_poisoned(log.append_blocking(Record::new(1, payload(2, 20)))));
        drop(log);
        let (log, recovery) = open(&disk, small());
        assert_eq!((recovery.next_offset, recovery.cut_bytes), (2, cut));
        append_numbered(&log, 1, 20);
        assert_eq!(told(&log, 0, 100), "0-2");
    }
}

#[test]
fn a_segment_that_cannot_be_made_durable_poisons() {
    let faults: [fn(&FaultyDisk); 2] = [FaultyDisk::fail_next_sync, FaultyDisk::fail_next_folder_sync];
    for fault in faults {
        let disk = FaultyDisk::new(1);
        let (log, _) = open(&disk, small());
        append_numbered(&log, 2, 20);
        fault(&disk);
        assert!(is_poisoned(log.roll_blocking()));
        drop(log);
        let (log, recovery) = open(&disk, small());
        assert_eq!((recovery.next_offset, recovery.corruptions_found), (2, 0));
        append_numbered(&log, 50, 20);
        assert_eq!(told(&open(&disk.power_cut(), small()).0, 0, 100), "0-51");
    }
}

#[test]
fn an_open_that_meets_a_disk_error_says_where_and_can_be_repeated() {
    let disk = FaultyDisk::new(1);
    append_numbered(&open(&disk, small()).0, 2, 20);
    disk.fail_next_read();
    let error = try_open(&disk, small()).expect_err("the read failed");
    assert_eq!(
        error.to_string(),
        "the log in /data/log/events/0 could not be opened: \
         reading /data/log/events/0/00000000000000000000.log failed: the read failed on purpose"
    );
    disk.fail_next_sync();
    assert_eq!(try_open(&disk, small()).expect_err("the sync failed").code().0, "GMB-WAL-002");
    disk.fail_next_folder_sync();
    assert_eq!(try_open(&disk, small()).expect_err("the sync failed").code().0, "GMB-WAL-002");
    assert_eq!(open(&disk, small()).1.next_offset, 2);
}
