//! Readers: blocks, places, waiting, times.

use crate::house::*;
use gemba_model::DateTime;
use gemba_testkit::FaultyDisk;
use gemba_wal::{LogOptions, ReadItem, Record};

#[test]
fn any_block_size_and_any_start_give_the_same_frames() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    for size in [8, 900, 8, 8, 300, 500, 8, 100, 100, 8, 700] {
        append_numbered(&log, 1, size);
    }
    for block in [0, 1, 27, 28, 29, 100, 329, 1_000, 1 << 20] {
        for start in 0..=11 {
            let all = items(&log, start, block);
            assert_eq!(all.len() as u64, 11 - start);
            if start < 11 {
                assert_eq!(told(&log, start, block), format!("{start}-10"));
            }
        }
    }
}

#[test]
fn a_block_is_one_read_and_its_frames_are_slices_of_it() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, LogOptions { segment_bytes: 100_000, ..small() });
    append_numbered(&log, 1_000, 20);
    let mut reader = log.reader(0);
    reader.read(100).expect("readable");
    let before = disk.bytes_read();
    let some = reader.read(9_600).expect("readable");
    assert_eq!((some.len(), disk.bytes_read() - before), (200, 9_600));
    let addresses: Vec<usize> = some
        .iter()
        .map(|item| match item {
            ReadItem::Frame(frame) => frame.payload.as_ptr() as usize,
            other => panic!("unexpected {other:?}"),
        })
        .collect();
    assert!(addresses.windows(2).all(|pair| pair[1] - pair[0] == 48), "not copied");
}

#[test]
fn a_reader_beyond_the_end_waits_there_and_a_reader_can_be_moved() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    append_numbered(&log, 40, 20);
    let mut reader = log.reader(50);
    assert_eq!(reader.read(100).expect("readable"), []);
    reader.seek(39);
    assert_eq!(reader.read(100).expect("readable").len(), 1);
    assert_eq!(reader.offset(), 40);
    reader.seek(7);
    assert_eq!(reader.read(1).expect("readable").first().map(ReadItem::next_offset), Some(8));
}

#[test]
fn a_failed_read_leaves_the_reader_where_it_is() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    append_numbered(&log, 12, 20);
    let mut reader = log.reader(0);
    for _ in 0..10 {
        disk.fail_next_read();
        let offset = reader.offset();
        let error = reader.read(100).expect_err("the read failed");
        assert_eq!((error.code().0, reader.offset()), ("GMB-WAL-013", offset));
        assert_eq!(reader.read(48).expect("readable").first().map(ReadItem::next_offset), Some(offset + 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_readers_wake_for_each_durable_frame_and_see_all() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    let follow = async |mut reader: gemba_wal::Reader| {
        let mut seen = Vec::new();
        while seen.len() < 500 {
            reader.wait().await.expect("more comes");
            for item in reader.read(200).expect("readable") {
                seen.push(item.next_offset() - 1);
            }
        }
        seen
    };
    let followers: Vec<_> = (0..4).map(|_| tokio::spawn(follow(log.reader(0)))).collect();
    for i in 0..500 {
        log.append(1, payload(i, 20)).await.expect("queued").await.expect("durable");
    }
    for follower in followers {
        assert_eq!(follower.await.expect("no panic"), (0..500).collect::<Vec<_>>());
    }
}

#[test]
fn a_time_leads_to_the_first_frame_at_or_after_it_though_clocks_jump() {
    let disk = FaultyDisk::new(1);
    let clock = SetClock::at(0);
    let options = LogOptions { clock: clock.clone(), ..small() };
    let (log, _) = open(&disk, options.clone());
    let times: Vec<i64> = (0..60).map(|i| 100 + i * 10 - if i % 7 == 3 { 35 } else { 0 }).collect();
    for ticks in &times {
        clock.set(*ticks);
        append(&log, vec![0; 100]);
    }
    let check = |log: &gemba_wal::Log| {
        for time in (60..720).step_by(3) {
            let wanted = times.iter().position(|ticks| *ticks >= time).unwrap_or(60) as u64;
            assert_eq!(log.offset_at(DateTime::from_ticks(time)).expect("readable"), wanted, "time {time}");
        }
    };
    check(&log);
    drop(log);
    let (log, _) = open(&disk, options);
    check(&log);
    let oldest = log.oldest_segment().expect("readable").expect("not empty");
    assert_eq!(oldest.first_time, Some(DateTime::from_ticks(100)));
    assert_eq!(oldest.last_time, Some(DateTime::from_ticks(times[oldest.last_offset as usize])));
}

#[test]
fn an_empty_log_has_no_oldest_segment_and_nothing_to_read() {
    let (log, _) = open(&FaultyDisk::new(1), small());
    assert_eq!(log.oldest_segment().expect("readable"), None);
    assert_eq!(items(&log, 0, 100), []);
    log.append_blocking(Record::new(1, "x")).expect("appended");
    let oldest = log.oldest_segment().expect("readable").expect("not empty");
    assert_eq!((oldest.first_offset, oldest.last_offset, oldest.trimmable), (0, 0, false));
}
