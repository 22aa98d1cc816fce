//! Arbitrary bytes in place of segments, by seed.

use crate::house::*;
use gemba_testkit::fuzz::Target;
use gemba_testkit::{FaultyDisk, Rng};
use gemba_wal::fuzz;

fn corpus() -> Vec<Vec<u8>> {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    append_numbered(&log, 9, 20);
    append_numbered(&log, 9, 300);
    drop(log);
    let mut corpus: Vec<_> = disk.paths().iter().filter_map(|path| disk.contents(path)).collect();
    corpus.push(include_bytes!("../../testdata/v1.log").to_vec());
    corpus.push(include_bytes!("../../testdata/v1.idx").to_vec());
    corpus
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..1 + rng.below(4) {
        let at = rng.below(bytes.len() as u64 + 1) as usize;
        let other = rng.below(bytes.len() as u64 + 1) as usize;
        match rng.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.extend(rng.bytes(at % 200)),
            2 => bytes.extend(vec![0; at % 200]),
            3 => {
                let piece = bytes[at.min(other)..at.max(other)].to_vec();
                bytes.splice(at..at, piece);
                bytes.truncate(4_000);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << rng.below(8);
                }
            }
        }
    }
}

#[test]
fn no_bytes_make_a_walk_panic_or_run_on() {
    fuzz::segment(b"");
    fuzz::segment(&[0xff; 1_000]);
    Target::new("wal-segment", fuzz::segment).inputs(corpus()).bytes_max(8_000).executions(15_000).run();
}

#[test]
fn a_log_with_mutated_files_opens_or_says_why_and_takes_appends_that_last() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk, small());
    append_numbered(&log, 60, 20);
    drop(log);
    let paths = disk.paths();
    let mut rng = Rng::new(2);
    for round in 0..400 {
        let disk = disk.snapshot();
        for _ in 0..1 + rng.below(3) {
            let path = &paths[rng.below(paths.len() as u64) as usize];
            let mut bytes = disk.contents(path).expect("file");
            mutate(&mut bytes, &mut rng);
            disk.install(path, &bytes);
        }
        let Ok((log, recovery)) = try_open(&disk, small()) else { continue };
        let next = recovery.next_offset;
        assert_eq!(append(&log, payload(next, 30)), next, "round {round}");
        let before = items(&log, 0, 500);
        drop(log);
        let (log, again) = open(&disk, small());
        assert_eq!(again.next_offset, next + 1, "round {round}");
        assert_eq!(items(&log, 0, 333), before, "round {round}");
        let mut expected = 0;
        for item in before {
            if let gemba_wal::ReadItem::Frame(frame) = &item {
                assert_eq!(frame.payload[..8], payload(frame.offset, 8), "round {round}");
            }
            assert!(item.next_offset() > expected);
            expected = item.next_offset();
        }
        assert_eq!(expected, next + 1, "round {round}: every offset is told");
    }
}
