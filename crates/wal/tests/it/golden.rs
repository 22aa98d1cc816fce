//! Files of every format version open, and today's bytes are those of the version.

use crate::house::*;
use gemba_model::DateTime;
use gemba_testkit::FaultyDisk;
use gemba_wal::{LogOptions, Record};

const V1: &[u8] = include_bytes!("../../testdata/v1.log");
const V1_INDEX: &[u8] = include_bytes!("../../testdata/v1.idx");

fn records() -> [Record; 3] {
    [
        Record::new(1, "first"),
        Record { kind: 2, flags: 0x81, payload: bytes::Bytes::new() },
        Record::new(255, (0..=255).collect::<Vec<u8>>()),
    ]
}

#[test]
fn a_segment_of_version_1_opens_with_every_field() {
    let disk = FaultyDisk::new(1);
    disk.install(&segment(0), V1);
    let (log, recovery) = open(&disk, small());
    assert_eq!((recovery.next_offset, recovery.cut_bytes, recovery.corruptions_found), (3, 0, 0));
    for (frame, (i, record)) in frames(&log, 0).into_iter().zip((0..).zip(records())) {
        assert_eq!(frame.time, DateTime::from_ticks(133_000_000_000_000_000 + i));
        assert_eq!(Record { kind: frame.kind, flags: frame.flags, payload: frame.payload }, record);
    }
}

#[test]
fn the_same_appends_give_the_same_bytes_as_ever() {
    let disk = FaultyDisk::new(1);
    let clock = SetClock::at(133_000_000_000_000_000);
    let (log, _) = open(&disk, LogOptions { clock: clock.clone(), ..small() });
    for (i, record) in (0..).zip(records()) {
        clock.set(133_000_000_000_000_000 + i);
        log.append_blocking(record).expect("appended");
    }
    log.roll_blocking().expect("rolled");
    let index = segment(0).with_extension("idx");
    // To add a version: write these two files under a new name and keep the old ones.
    if let Some(folder) = std::env::var_os("GEMBA_WAL_WRITE_GOLDEN") {
        let folder = std::path::PathBuf::from(folder);
        std::fs::write(folder.join("v1.log"), disk.contents(&segment(0)).expect("file")).expect("written");
        std::fs::write(folder.join("v1.idx"), disk.contents(&index).expect("file")).expect("written");
    }
    assert_eq!(disk.contents(&segment(0)).as_deref(), Some(V1));
    assert_eq!(disk.contents(&index).as_deref(), Some(V1_INDEX));
}
