//! A log on a faulty disk, and what its tests ask of it.

use gemba_base::Clock;
use gemba_model::DateTime;
use gemba_testkit::FaultyDisk;
use gemba_wal::{Frame, Log, LogOptions, OpenError, ReadItem, Record, Recovery, Reserve};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

pub(crate) const FOLDER: &str = "/data/log/events/0";
pub(crate) const LOG_ID: u128 = 0x00112233_44556677_8899aabb_ccddeeff;

/// A clock that only the test moves.
#[derive(Debug)]
pub(crate) struct SetClock(AtomicI64);

impl SetClock {
    pub(crate) fn at(ticks: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(ticks)))
    }
    pub(crate) fn set(&self, ticks: i64) {
        self.0.store(ticks, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> DateTime {
        DateTime::from_ticks(self.0.load(Ordering::SeqCst))
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// Small limits and no reserve.
pub(crate) fn small() -> LogOptions {
    LogOptions {
        segment_bytes: 1_000,
        bytes_max: 1 << 20,
        headroom_bytes: 500,
        reserve: Reserve::Bytes(0),
        zeros_ahead_bytes: 0,
        free_space_believed: Duration::ZERO,
        queue_bytes_max: 4_000,
        clock: SetClock::at(1_000),
        new_log_id: Some(LOG_ID),
        ..LogOptions::default()
    }
}

pub(crate) fn try_open(disk: &FaultyDisk, options: LogOptions) -> Result<(Log, Recovery), OpenError> {
    Log::open(Arc::new(disk.clone()), Path::new(FOLDER), options)
}

pub(crate) fn open(disk: &FaultyDisk, options: LogOptions) -> (Log, Recovery) {
    try_open(disk, options).expect("the log opens")
}

pub(crate) fn segment(first_offset: u64) -> PathBuf {
    Path::new(FOLDER).join(format!("{first_offset:020}.log"))
}

/// The offsets in the names of the segments.
pub(crate) fn segments(disk: &FaultyDisk) -> Vec<u64> {
    let digits = |path: PathBuf| Some(path.file_name()?.to_str()?.strip_suffix(".log")?.parse().unwrap());
    disk.paths().into_iter().filter_map(digits).collect()
}

/// A payload that tells which append it is of.
pub(crate) fn payload(number: u64, bytes: usize) -> Vec<u8> {
    let mut payload = number.to_le_bytes().to_vec();
    payload.resize(bytes.max(8), number as u8);
    payload
}

pub(crate) fn append(log: &Log, payload: impl Into<bytes::Bytes>) -> u64 {
    log.append_blocking(Record::new(1, payload)).expect("appended")
}

/// Appends numbered payloads one by one; the numbers are the offsets.
pub(crate) fn append_numbered(log: &Log, count: u64, bytes: usize) {
    for _ in 0..count {
        let next = log.next_offset();
        assert_eq!(append(log, payload(next, bytes)), next);
    }
}

/// Everything from an offset on.
pub(crate) fn items(log: &Log, from_offset: u64, block_bytes: usize) -> Vec<ReadItem> {
    let mut reader = log.reader(from_offset);
    let mut all = Vec::new();
    loop {
        let some = reader.read(block_bytes).expect("readable");
        if some.is_empty() {
            assert_eq!(reader.offset(), log.next_offset().max(from_offset));
            return all;
        }
        all.extend(some);
    }
}

pub(crate) fn frames(log: &Log, from_offset: u64) -> Vec<Frame> {
    let frame = |item| match item {
        ReadItem::Frame(frame) => frame,
        other => panic!("unexpected {other:?}"),
    };
    items(log, from_offset, 300).into_iter().map(frame).collect()
}

/// Items in short: `0-3` frames, `corrupt 4-5`, `trimmed 0-9`; ends are inclusive. Checks payloads of
/// `append_numbered`.
pub(crate) fn told(log: &Log, from_offset: u64, block_bytes: usize) -> String {
    let mut told: Vec<(&str, u64, u64)> = Vec::new();
    for item in items(log, from_offset, block_bytes) {
        let (what, from, next) = match item {
            ReadItem::Frame(frame) => {
                assert_eq!(frame.payload, payload(frame.offset, frame.payload.len()));
                ("", frame.offset, frame.offset + 1)
            }
            ReadItem::Corrupt { from_offset, next_offset } => ("corrupt ", from_offset, next_offset),
            ReadItem::Trimmed { from_offset, next_offset } => ("trimmed ", from_offset, next_offset),
        };
        match told.last_mut() {
            Some((last, _, end)) if *last == what && *end == from => *end = next,
            _ => told.push((what, from, next)),
        }
    }
    let words = told.iter().map(|(what, from, next)| format!("{what}{from}-{}", next - 1));
    words.collect::<Vec<_>>().join(", ")
}
