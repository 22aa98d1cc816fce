//! Random life of a log beside a plain model: every acknowledged frame is there once, in order, or was trimmed.

use crate::house::*;
use gemba_testkit::{FaultyDisk, Rng};
use gemba_wal::{AppendError, Log, LogOptions, ReadItem, Record};
use std::collections::BTreeMap;

/// What must, may and may not be in the log.
#[derive(Debug, Default)]
struct Model {
    /// Acknowledged and not trimmed.
    acknowledged: BTreeMap<u64, Vec<u8>>,
    /// Never acknowledged: what a crash or a failed sync left open. Several tries may have had one offset.
    open: BTreeMap<u64, Vec<Vec<u8>>>,
    first: u64,
    appended: u64,
}

struct Life {
    rng: Rng,
    options: LogOptions,
    disk: FaultyDisk,
    log: Option<Log>,
    model: Model,
}

impl Life {
    fn new(seed: u64) -> Self {
        let disk = FaultyDisk::new(seed);
        // None, less than a segment, and all of it.
        let zeros_ahead_bytes = [0, 300, 5_000][seed as usize % 3];
        let options = LogOptions { zeros_ahead_bytes, ..small() };
        let log = Some(open(&disk, options.clone()).0);
        Self { rng: Rng::new(seed), disk, log, options, model: Model::default() }
    }

    fn log(&self) -> &Log {
        self.log.as_ref().expect("open")
    }

    fn next_payload(&mut self) -> Vec<u8> {
        self.model.appended += 1;
        let bytes = if self.rng.one_in(8) { 600 } else { 40 };
        payload(self.model.appended, 8 + self.rng.below(bytes) as usize)
    }

    /// Two groups: the first append alone, the others together. Returns payloads and tickets, with the second
    /// group's sync held.
    fn start_groups(&mut self) -> (Vec<Vec<u8>>, Vec<gemba_wal::AppendTicket>) {
        self.disk.hold_syncs();
        let mut payloads = vec![self.next_payload()];
        let mut tickets = vec![self.queue(&payloads[0])];
        self.disk.wait_until_sync_is_held();
        for _ in 0..1 + self.rng.below(5) {
            let payload = self.next_payload();
            tickets.push(self.queue(&payload));
            payloads.push(payload);
        }
        (payloads, tickets)
    }

    fn queue(&self, payload: &[u8]) -> gemba_wal::AppendTicket {
        self.log().try_append(Record::new(1, payload.to_vec())).expect("queued")
    }

    /// Takes the answers into the model; an unanswered frame may be at any offset that it could have got.
    fn settle(&mut self, next: u64, payloads: Vec<Vec<u8>>, answers: Vec<Result<u64, AppendError>>) {
        for (i, (payload, answer)) in (0..).zip(payloads.into_iter().zip(answers)) {
            match answer {
                Ok(offset) => {
                    assert_eq!(offset, next + i, "acknowledged in order");
                    self.model.open.remove(&offset);
                    assert_eq!(self.model.acknowledged.insert(offset, payload), None);
                }
                Err(_) => self.model.open.entry(next + i).or_default().push(payload),
            }
        }
    }

    fn append_some(&mut self) {
        let next = self.log().next_offset();
        let (payloads, tickets) = self.start_groups();
        self.disk.stop_holding_syncs();
        let answers = tickets.into_iter().map(gemba_wal::AppendTicket::wait_blocking).collect();
        self.settle(next, payloads, answers);
    }

    fn crash(&mut self) {
        let next = self.log().next_offset();
        let (payloads, tickets) = self.start_groups();
        let through = self.rng.below(4);
        self.disk.cut_power_after_syncs(through);
        self.disk.stop_holding_syncs();
        let answers = tickets.into_iter().map(gemba_wal::AppendTicket::wait_blocking).collect();
        let survived = self.disk.crash(self.rng.number());
        self.settle(next, payloads, answers);
        self.log = None;
        self.disk = survived;
        self.reopen();
    }

    fn fail_a_sync(&mut self) {
        let next = self.log().next_offset();
        let (payloads, tickets) = self.start_groups();
        self.disk.fail_next_sync();
        self.disk.stop_holding_syncs();
        let answers = tickets.into_iter().map(gemba_wal::AppendTicket::wait_blocking).collect();
        self.settle(next, payloads, answers);
        self.log = None;
        self.reopen();
    }

    fn trim(&mut self) {
        let next = self.log().next_offset();
        let offset = self.model.first + self.rng.below(next - self.model.first + 2);
        if self.rng.one_in(3) {
            self.log().roll_blocking().expect("rolled");
        }
        let report = self.log().trim_before(offset).expect("deleted");
        assert!(report.first_offset <= offset.max(self.model.first), "never past what was asked");
        self.model.first = report.first_offset;
        self.model.acknowledged.retain(|offset, _| *offset >= report.first_offset);
    }

    /// What is in the log after opening is what the model says, and from now on all of it is there for good.
    fn reopen(&mut self) {
        self.log = None;
        let (log, recovery) = open(&self.disk, self.options.clone());
        assert_eq!(recovery.first_offset, self.model.first, "no segment lost, none back");
        let mut found = BTreeMap::new();
        let mut next = self.model.first;
        for item in items(&log, self.model.first, 1 + self.rng.below(2_000) as usize) {
            match &item {
                ReadItem::Frame(frame) => {
                    assert_eq!(frame.offset, next);
                    found.insert(frame.offset, frame.payload.to_vec());
                }
                ReadItem::Corrupt { from_offset, next_offset } => {
                    assert_eq!(*from_offset, next);
                    for offset in *from_offset..*next_offset {
                        assert!(!self.model.acknowledged.contains_key(&offset), "{offset} is lost");
                    }
                }
                ReadItem::Trimmed { .. } => panic!("unexpected {item:?}"),
            }
            next = item.next_offset();
        }
        for (offset, payload) in &found {
            match self.model.acknowledged.get(offset) {
                Some(acknowledged) => assert_eq!(payload, acknowledged, "offset {offset}"),
                None => {
                    let tries = self.model.open.get(offset).expect("some append may have got this offset");
                    assert!(tries.contains(payload), "{offset} is a whole frame that was tried");
                }
            }
        }
        for offset in self.model.acknowledged.keys() {
            assert!(found.contains_key(offset), "{offset} is lost");
        }
        self.model.acknowledged = found;
        self.model.open.clear();
        self.log = Some(log);
    }
}

#[test]
fn every_acknowledged_frame_is_there_once_and_in_order_through_any_life() {
    for seed in 0..300 {
        let outcome = std::panic::catch_unwind(|| {
            let mut life = Life::new(seed);
            for _ in 0..25 {
                match life.rng.below(10) {
                    0..4 => life.append_some(),
                    4..7 => life.crash(),
                    7 => life.fail_a_sync(),
                    8 => life.trim(),
                    _ => life.reopen(),
                }
            }
            life.reopen();
        });
        assert!(outcome.is_ok(), "seed {seed}");
    }
}
