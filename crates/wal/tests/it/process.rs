//! Real files, real processes, a real kill.

use crate::house::*;
use gemba_base::disk::RealDisk;
use gemba_wal::{Log, LogOptions, Record, Recovery, Reserve};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

const CHILD_FOLDER: &str = "GEMBA_WAL_TEST_FOLDER";

fn real(folder: &Path) -> (Log, Recovery) {
    let options = LogOptions { segment_bytes: 64 << 10, reserve: Reserve::Bytes(0), ..LogOptions::default() };
    Log::open(Arc::new(RealDisk), folder, options).expect("the log opens")
}

/// A folder of its own that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("gemba-wal-{}", gemba_base::random::hex::<8>())).join("log"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(self.0.parent().expect("made above")));
    }
}

#[test]
fn a_log_on_the_real_disk_is_locked_rolled_trimmed_and_reopened() {
    let folder = Folder::new();
    let (log, _) = real(&folder.0);
    append_numbered(&log, 300, 1_000);
    let second = Log::open(Arc::new(RealDisk), &folder.0, LogOptions::default());
    assert_eq!(second.expect_err("locked").code().0, "GMB-WAL-001");
    log.trim_before(100).expect("deleted");
    let first = log.first_offset();
    assert!(first > 50);
    drop(log);
    let (log, recovery) = real(&folder.0);
    assert_eq!((recovery.first_offset, recovery.next_offset), (first, 300));
    assert_eq!(told(&log, first, 10_000), format!("{first}-299"));
}

/// Not a test by itself: what the process does that the next test kills.
#[test]
fn child_that_appends_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else { return };
    let (log, _) = real(Path::new(&folder));
    std::thread::scope(|scope| {
        for producer in 0..8_u64 {
            let log = &log;
            scope.spawn(move || {
                for i in 0.. {
                    let number = producer << 32 | i;
                    let Ok(offset) = log.append_blocking(Record::new(1, payload(number, 200))) else { break };
                    if writeln!(std::io::stdout().lock(), "acknowledged {offset} {number}").is_err() {
                        break;
                    }
                }
            });
        }
    });
}

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let folder = Folder::new();
    let mut acknowledged: BTreeMap<u64, u64> = BTreeMap::new();
    for round in 1..=3 {
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "process::child_that_appends_until_it_is_killed", "--nocapture"])
            .env(CHILD_FOLDER, &folder.0)
            .stdout(Stdio::piped())
            .spawn()
            .expect("child");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut take = |line: String| {
            let mut words =
                line.split("acknowledged ").last().expect("one").split(' ').map(str::parse::<u64>);
            if let (Some(Ok(offset)), Some(Ok(number))) = (words.next(), words.next()) {
                acknowledged.insert(offset, number);
            }
        };
        for line in lines.by_ref().take(1_000 * round) {
            take(line.expect("text"));
        }
        child.kill().expect("killed");
        // The last line may be cut anywhere: it is no acknowledgement that anybody got.
        let mut rest: Vec<String> = lines.map_while(Result::ok).collect();
        rest.pop();
        rest.into_iter().for_each(take);
        child.wait().expect("ended");
        let (log, recovery) = real(&folder.0);
        assert_eq!(recovery.corruptions_found, 0);
        assert!(acknowledged.len() >= 900 * round && recovery.segments > 1);
        let number = |payload: &[u8]| u64::from_le_bytes(payload[..8].try_into().expect("8 bytes"));
        let found: BTreeMap<u64, u64> =
            frames(&log, 0).iter().map(|f| (f.offset, number(&f.payload))).collect();
        for (offset, number) in &acknowledged {
            assert_eq!(found.get(offset), Some(number), "offset {offset} in round {round}");
        }
    }
}
