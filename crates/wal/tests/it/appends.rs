//! Acknowledgement after the sync, order, groups, limits.

use crate::house::*;
use gemba_base::disk::Disk;
use gemba_testkit::FaultyDisk;
use gemba_wal::{AppendError, Fence, Log, Record};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn an_append_is_acknowledged_and_readable_only_after_its_sync() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    disk.hold_syncs();
    let mut ticket = log.try_append(Record::new(1, "value")).expect("queued");
    disk.wait_until_sync_is_held();
    assert!(poll(Pin::new(&mut ticket)).is_pending());
    assert_eq!((log.next_offset(), log.reader(0).read(100).expect("readable")), (0, vec![]));
    let lost = disk.snapshot();
    disk.release_sync();
    assert_eq!(ticket.wait_blocking(), Ok(0));
    assert_eq!(frames(&log, 0).len(), 1);
    let kept = disk.power_cut();
    drop(log);
    assert_eq!(open(&kept, small()).1.next_offset, 1, "acknowledged, so it survives a power cut");
    assert_eq!(open(&lost, small()).1.next_offset, 1, "written, so it may survive unacknowledged");
}

#[test]
fn a_new_log_and_its_folders_survive_a_power_cut_at_once() {
    let disk = FaultyDisk::new(1);
    let (log, recovery) = open(&disk, small());
    assert!(recovery.created);
    append_numbered(&log, 3, 20);
    let disk = disk.power_cut();
    let (log, recovery) = open(&disk, small());
    assert_eq!((recovery.created, recovery.next_offset), (false, 3));
    assert_eq!(told(&log, 0, 100), "0-2");
}

#[test]
fn each_new_segment_survives_a_power_cut_with_its_first_frame() {
    let mut disk = FaultyDisk::new(1);
    for count in 1..40 {
        let (log, recovery) = open(&disk, small());
        assert_eq!((recovery.next_offset, recovery.corruptions_found), (count - 1, 0));
        append_numbered(&log, 1, 300);
        disk = disk.power_cut();
    }
    assert_eq!(segments(&disk).len(), 20, "two frames of 328 bytes fit a segment");
    assert_eq!(told(&open(&disk, small()).0, 0, 1_000), "0-38");
}

#[test]
fn appends_that_wait_for_one_sync_share_the_next() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    disk.hold_syncs();
    let first = log.try_append(Record::new(1, "first")).expect("queued");
    disk.wait_until_sync_is_held();
    let before = disk.syncs();
    let more: Vec<_> =
        (0..10).map(|i| log.try_append(Record::new(1, vec![i; 20])).expect("queued")).collect();
    assert_eq!((log.stats().queue_appends, log.stats().queue_bytes), (10, 480));
    disk.stop_holding_syncs();
    assert_eq!(first.wait_blocking(), Ok(0));
    for (offset, ticket) in (1..).zip(more) {
        assert_eq!(ticket.wait_blocking(), Ok(offset));
    }
    let stats = log.stats();
    assert_eq!((disk.syncs() - before, stats.syncs, stats.appends), (2, 2, 11));
    assert!((stats.frames_per_sync() - 5.5).abs() < 1e-9);
    assert_eq!((stats.queue_appends, stats.queue_bytes, stats.bytes), (0, 0, 64 + 33 + 480));
}

#[test]
fn kind_flags_time_and_payload_come_back_and_empty_payloads_too() {
    let disk = FaultyDisk::new(1);
    let clock = SetClock::at(77);
    let (log, _) = open(&disk, gemba_wal::LogOptions { clock: clock.clone(), ..small() });
    let records = [
        Record { kind: 0, flags: 0, payload: "".into() },
        Record { kind: 255, flags: 255, payload: "x".into() },
        Record { kind: 9, flags: 1, payload: vec![0; 908].into() },
    ];
    for (ticks, record) in (77..).zip(&records) {
        clock.set(ticks);
        log.append_blocking(record.clone()).expect("appended");
    }
    let read: Vec<_> = frames(&log, 0)
        .into_iter()
        .map(|frame| {
            let record = Record { kind: frame.kind, flags: frame.flags, payload: frame.payload };
            (frame.offset, frame.time.ticks(), record)
        })
        .collect();
    let [a, b, c] = records;
    assert_eq!(read, [(0, 77, a), (1, 78, b), (2, 79, c)]);
}

#[test]
fn a_frame_that_fits_no_segment_is_refused_at_once() {
    let (log, _) = open(&FaultyDisk::new(1), small());
    assert_eq!(small().payload_bytes_max(), 908);
    let refused = log.append_blocking(Record::new(1, vec![0; 909]));
    assert_eq!(refused, Err(AppendError::TooLarge { bytes: 909, bytes_max: 908 }));
    append(&log, vec![0; 908]);
    append(&log, vec![0; 908]);
    assert_eq!(log.stats().segments, 2);
}

#[test]
fn a_full_queue_makes_appends_wait_and_try_append_refuse() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    disk.hold_syncs();
    let _first = log.try_append(Record::new(1, "first")).expect("queued");
    disk.wait_until_sync_is_held();
    let full: Vec<_> = std::iter::from_fn(|| log.try_append(Record::new(1, vec![1; 472])).ok()).collect();
    assert_eq!(full.len(), 8, "500 bytes each, 4,000 in all");
    assert_eq!(
        log.try_append(Record::new(1, "")).map(drop),
        Err(AppendError::QueueFull { bytes_max: 4_000 })
    );
    let mut cancelled = Box::pin(log.append(1, vec![8; 472]));
    let mut waiting = pin!(log.append(1, vec![9; 472]));
    assert!(poll(cancelled.as_mut()).is_pending());
    assert!(poll(waiting.as_mut()).is_pending());
    drop(cancelled);
    disk.stop_holding_syncs();
    for (offset, ticket) in (1..).zip(full) {
        assert_eq!(ticket.wait_blocking(), Ok(offset));
    }
    let Poll::Ready(ticket) = poll(waiting) else { panic!("there is room now") };
    assert_eq!(ticket.expect("queued").wait_blocking(), Ok(9), "the cancelled append is not in the log");
}

#[test]
fn a_closed_log_keeps_what_was_queued_and_refuses_the_rest() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    let mut reader = log.reader(5);
    disk.hold_syncs();
    let tickets: Vec<_> = (0..5).map(|i| log.try_append(Record::new(1, vec![i])).expect("queued")).collect();
    let closing = std::thread::spawn({
        let log = log.clone();
        move || log.close()
    });
    disk.stop_holding_syncs();
    for (offset, ticket) in (0..).zip(tickets) {
        assert_eq!(ticket.wait_blocking(), Ok(offset));
    }
    closing.join().expect("closed");
    assert_eq!(log.append_blocking(Record::new(1, "late")), Err(AppendError::Closed));
    assert_eq!(log.roll_blocking(), Err(AppendError::Closed));
    assert_eq!(reader.wait_blocking().map_err(|e| e.code().0), Err("GMB-WAL-010"));
    assert_eq!(log.trim_before(1).map_err(|e| e.code().0), Err("GMB-WAL-010"));
    drop(log);
    assert_eq!(open(&disk, small()).1.next_offset, 5);
}

#[test]
fn a_committer_that_panics_leaves_nobody_waiting() {
    /// Breaks once, at a given call.
    struct Breaking(std::sync::atomic::AtomicI64);
    impl gemba_base::Clock for Breaking {
        fn now(&self) -> gemba_model::DateTime {
            let left = self.0.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
            assert!(left != 0, "the clock breaks on purpose");
            gemba_model::DateTime::MIN
        }
        fn monotonic(&self) -> std::time::Duration {
            std::time::Duration::ZERO
        }
    }
    let disk = FaultyDisk::new(1);
    let clock = std::sync::Arc::new(Breaking(3.into()));
    let (log, _) = open(&disk, gemba_wal::LogOptions { clock, ..small() });
    append_numbered(&log, 2, 20);
    let mut reader = log.reader(2);
    let refused = log.append_blocking(Record::new(1, "x"));
    assert!(matches!(refused, Err(AppendError::Poisoned { .. })));
    assert!(matches!(log.append_blocking(Record::new(1, "x")), Err(AppendError::Poisoned { .. })));
    assert_eq!(reader.wait_blocking().map_err(|e| e.code().0), Err("GMB-WAL-009"));
    drop(log);
    assert_eq!(open(&disk, small()).1.next_offset, 2);
}

#[test]
fn only_the_option_for_benches_acknowledges_without_a_sync() {
    let disk = FaultyDisk::new(1);
    let options = gemba_wal::LogOptions { without_sync_for_benches: true, ..small() };
    let (log, _) = open(&disk, options);
    let before = disk.syncs();
    append_numbered(&log, 5, 20);
    assert_eq!(disk.syncs(), before);
}

#[test]
fn limits_for_a_gateway_fit_any_cap_from_two_mebibytes_on() {
    for (cap, segment) in [(2 << 20, 1 << 20), (32 << 20, 4 << 20), (1 << 30, 8 << 20)] {
        let options = gemba_wal::LogOptions::for_edge(cap);
        assert_eq!((options.segment_bytes, options.bytes_max), (segment, cap));
        open(&FaultyDisk::new(1), options);
    }
}

#[test]
fn two_openers_cannot_share_a_folder() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    let clone = log.clone();
    let refused = try_open(&disk, small()).expect_err("held");
    assert_eq!(refused.code().0, "GMB-WAL-001");
    assert_eq!(
        refused.to_string(),
        "the log in /data/log/events/0 is open elsewhere, in this or another process; stop that one first"
    );
    drop(log);
    assert!(try_open(&disk, small()).is_err(), "the clone still holds it");
    drop(clone);
    open(&disk, small());
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let refused = try_open(&FaultyDisk::new(1), gemba_wal::LogOptions { bytes_max: 1_999, ..small() });
    assert_eq!(
        refused.expect_err("refused").to_string(),
        "the options of the log in /data/log/events/0 contradict each other: \
         bytes_max must hold at least two segments, else nothing could ever be freed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn frames_of_64_producers_are_there_once_and_in_each_producers_order() {
    const PRODUCERS: u64 = 64;
    const EACH: u64 = 100;
    let disk = FaultyDisk::new(1);
    let options = gemba_wal::LogOptions { segment_bytes: 20_000, queue_bytes_max: 3_000, ..small() };
    let (log, _) = open(&disk, options.clone());
    let produce = async |log: Log, producer: u64| {
        let mut tickets = Vec::new();
        for i in 0..EACH {
            let payload = payload(producer * EACH + i, 8 + (i % 50) as usize);
            tickets.push((i, log.append(1, payload).await.expect("queued")));
        }
        let mut offsets = Vec::new();
        for (i, ticket) in tickets {
            offsets.push((ticket.await.expect("durable"), producer * EACH + i));
        }
        assert!(offsets.is_sorted(), "the order of calls is the order of offsets");
        offsets
    };
    let tasks: Vec<_> = (0..PRODUCERS).map(|p| tokio::spawn(produce(log.clone(), p))).collect();
    let mut acknowledged = Vec::new();
    for task in tasks {
        acknowledged.extend(task.await.expect("no panic"));
    }
    acknowledged.sort_unstable();
    let stats = log.stats();
    assert_eq!((stats.appends, stats.next_offset), (PRODUCERS * EACH, PRODUCERS * EACH));
    assert!(stats.syncs < stats.appends, "appends share syncs");
    let disk = disk.power_cut();
    drop(log);
    let (log, recovery) = open(&disk, options);
    assert_eq!(recovery.corruptions_found, 0);
    let number = |payload: &[u8]| u64::from_le_bytes(payload[..8].try_into().expect("8 bytes"));
    let read: Vec<_> = frames(&log, 0).iter().map(|f| (f.offset, number(&f.payload))).collect();
    assert_eq!(read, acknowledged);
}

#[test]
fn several_records_are_one_append_that_stands_together_or_not_at_all() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    let batch = |from: u64, count| (from..from + count).map(|i| Record::new(1, payload(i, 20))).collect();
    let fence = Fence::default();
    append_numbered(&log, 1, 20);
    let ticket = log.try_append_all(batch(1, 5), &fence).expect("queued");
    assert_eq!(ticket.wait_blocking(), Ok(1));
    disk.hold_syncs();
    let first = log.try_append_all(batch(6, 2), &fence).expect("queued");
    disk.wait_until_sync_is_held();
    let rest = [log.try_append_all(batch(8, 3), &fence), log.try_append_all(batch(11, 8), &fence)];
    disk.stop_holding_syncs();
    let offsets: Vec<_> = rest.into_iter().map(|ticket| ticket.expect("queued").wait_blocking()).collect();
    assert_eq!((first.wait_blocking(), offsets), (Ok(6), vec![Ok(8), Ok(11)]));
    assert_eq!(told(&log, 0, 500), "0-18");
    assert_eq!((log.stats().appends, log.stats().syncs), (19, 4));
    // The segment has no room for another frame: all of the next goes to a new one.
    assert_eq!(segments(&disk), [0]);
    assert_eq!(log.try_append_all(batch(19, 2), &fence).expect("queued").wait_blocking(), Ok(19));
    assert_eq!(segments(&disk), [0, 19]);
    // Without room none of them is taken.
    let free = disk.free_bytes(std::path::Path::new(FOLDER)).expect("told");
    disk.set_bytes_of_others(free - 64 - 100);
    let refused = log.try_append_all(batch(21, 3), &fence).expect("queued").wait_blocking();
    assert!(matches!(refused, Err(AppendError::DiskFull { needed: 144, .. })), "{refused:?}");
    assert_eq!((log.next_offset(), log.stats().refused), (21, 3));
}

#[test]
fn what_its_sender_appends_behind_a_refused_one_is_refused_though_there_is_room_again() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    let batch = |from: u64| vec![Record::new(1, payload(from, 20)), Record::new(1, payload(from + 1, 20))];
    let (sender, other) = (Fence::default(), Fence::default());
    let append = |from, fence| log.try_append_all(batch(from), fence).expect("queued").wait_blocking();
    assert_eq!(append(0, &sender), Ok(0));
    disk.set_bytes_of_others(disk.free_bytes(std::path::Path::new(FOLDER)).expect("told") - 64);
    let full = append(2, &sender).expect_err("the volume is full");
    assert!(matches!(full, AppendError::DiskFull { .. }), "{full}");
    disk.set_bytes_of_others(0);
    assert_eq!(append(4, &sender), Err(full), "it would overtake the one before it");
    assert_eq!(append(2, &other), Ok(2), "another sender has room");
    assert_eq!(append(2, &Fence::default()), Ok(4), "as has the sender that begins anew");
}

#[test]
fn what_is_too_large_together_comes_back() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    let fence = Fence::default();
    assert_eq!(small().batch_bytes_max(), 936);
    let records: Vec<_> = (0..20).map(|i| Record::new(1, payload(i, 20))).collect();
    let (error, back) = log.try_append_all(records.clone(), &fence).expect_err("960 bytes");
    assert_eq!((error, back), (AppendError::TooLarge { bytes: 960, bytes_max: 936 }, records));
    let lone = vec![Record::new(1, vec![0; 908])];
    assert_eq!(log.try_append_all(lone, &fence).expect("queued").wait_blocking(), Ok(0));
    disk.hold_syncs();
    let held = log.try_append_all(vec![Record::new(1, "held")], &fence).expect("queued");
    disk.wait_until_sync_is_held();
    let full: Vec<_> = (0..5).map(|_| vec![Record::new(1, vec![0; 800])]).collect();
    let outcomes: Vec<_> = full.into_iter().map(|one| log.try_append_all(one, &fence)).collect();
    let full = outcomes
        .iter()
        .filter(|one| matches!(one, Err((AppendError::QueueFull { .. }, back)) if back.len() == 1));
    assert_eq!(full.count(), 1);
    disk.stop_holding_syncs();
    assert_eq!(held.wait_blocking(), Ok(1));
}
