//! Damaged and missing files: the rest stays readable, what is lost is named, and nothing is deleted for it.

use super::house::House;
use super::values;
use crate::testing::{Batch, TestEdge, WRITER, at};
use gemba_api::DeviceMessage;
use gemba_model::{DataSetMetaData, GapReason, Hop};
use std::path::PathBuf;

const DAY: i64 = 86_400;

/// A store with a file for each of some days, a value of two series in each.
struct Plant {
    house: House,
    edge: TestEdge,
    description: DataSetMetaData,
}

impl Plant {
    fn new(days: i64) -> Self {
        let house = House::new();
        let mut edge = TestEdge::new("press");
        let description = edge.description(WRITER, 1, 2);
        house.log.append(0, edge.metadata(&description));
        let mut plant = Self { house, edge, description };
        for day in 0..days {
            let message = plant.message(day);
            plant.house.log.append(0, message);
            plant.flush();
        }
        plant
    }

    fn message(&mut self, day: i64) -> DeviceMessage {
        let time = day * DAY + 60;
        let batch = Batch::of(&self.description).value(0, time, day as f64).value(1, time + 1, 0.5);
        self.edge.data(&self.description, &batch.0)
    }

    /// Takes in and writes; the log forgets what is in files.
    fn flush(&mut self) {
        self.house.ingest();
        self.house.engine().flush_all().expect("flushes");
        self.house.log.trim(0, self.house.engine().covered().get(&0).copied().unwrap_or(0));
    }

    fn days(&self, series: u64) -> Vec<i64> {
        let read = self.house.read_range(series, at(0), at(99 * DAY), false);
        values(&read).iter().map(|(seconds, _)| seconds / DAY).collect()
    }

    fn file(&self, name: &str) -> PathBuf {
        let folder = self.house.manifest_path().with_file_name("");
        let named = |path: &PathBuf| {
            let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            path.starts_with(&folder) && file.starts_with(name)
        };
        self.house.disk.paths().into_iter().rfind(named).expect("is there")
    }

    fn codes(&self) -> Vec<String> {
        let mut codes: Vec<String> =
            self.house.engine().problems.list().into_iter().map(|problem| problem.code).collect();
        codes.dedup();
        codes
    }

    /// Goes on for a day and a restart, and finds nothing left to complain of.
    fn goes_on(&mut self, day: i64) {
        let before = self.days(1);
        let message = self.message(day);
        self.house.log.append(0, message);
        self.flush();
        self.house.reopen();
        assert_eq!(self.days(1), [before, vec![day]].concat());
        assert_eq!(self.codes(), Vec::<String>::new());
        let last = self.house.engine().with_state(|state| state.last(1).map(|row| row.time));
        assert_eq!(last, Some(at(day * DAY + 60).ticks()));
    }
}

#[test]
fn a_sample_file_that_was_cut_hides_only_itself_and_is_named() {
    for kept in [0, 3, 50, 95] {
        let mut plant = Plant::new(3);
        let path = plant.house.sample_paths().into_iter().nth(1).expect("three files");
        let bytes = plant.house.disk.contents(&path).expect("is there");
        let kept = bytes.len() * kept / 100;
        plant.house.disk.install(&path, bytes.get(..kept).expect("shorter"));
        plant.house.reopen();
        plant.house.engine().verify_footers();
        assert_eq!(plant.codes(), ["GMB-HIS-004"]);
        assert_eq!((plant.days(1), plant.days(2)), (vec![0, 2], vec![0, 2]));
        let gaps = plant.house.gaps();
        assert_eq!(gaps.len(), 2, "one for each series, though both read and verification found it");
        for gap in gaps {
            assert_eq!((gap.reason, gap.hop, gap.closed), (GapReason::Corruption, Hop::Store, true));
            assert_eq!((gap.from, gap.to), (Some(at(DAY + 60)), Some(at(DAY + 61))));
        }
        let buckets = plant.house.buckets(1, at(0), at(3 * DAY), 3);
        assert_eq!(buckets.iter().map(|bucket| bucket.count).collect::<Vec<_>>(), [1, 0, 1]);
    }
}

#[test]
fn whatever_current_says_the_newest_manifest_holds_and_no_file_is_deleted() {
    for current in ["", "x", "1", "2", "3", "4", "99", "18446744073709551616", "3\n\0"] {
        let mut plant = Plant::new(3);
        let path = plant.house.manifest_path().with_file_name("CURRENT");
        plant.house.disk.install(&path, current.as_bytes());
        plant.house.reopen();
        assert_eq!(plant.days(1), [0, 1, 2], "{current:?}");
        assert!(plant.house.gaps().is_empty());
        plant.goes_on(3);
    }
    let mut plant = Plant::new(3);
    let path = plant.house.manifest_path().with_file_name("CURRENT");
    plant.house.disk.uninstall(&path);
    plant.house.reopen();
    assert_eq!(plant.days(1), [0, 1, 2]);
    plant.goes_on(3);
}

#[test]
fn a_manifest_whose_copy_is_damaged_too_is_completed_from_the_files() {
    for both in [false, true] {
        let mut plant = Plant::new(3);
        let path = plant.house.manifest_path();
        plant.house.disk.flip(&path, 70, 4);
        if both {
            plant.house.disk.flip(&path.with_extension("copy.json"), 90, 1);
        }
        plant.house.reopen();
        let expected: &[&str] = if both { &["GMB-HIS-003", "GMB-HIS-004"] } else { &["GMB-HIS-004"] };
        assert_eq!(plant.codes(), expected);
        assert_eq!(plant.days(1), [0, 1, 2]);
        plant.goes_on(3);
    }
}

#[test]
fn the_newest_samples_are_found_again_in_the_files() {
    let mut plant = Plant::new(3);
    let path = plant.file("last-");
    plant.house.disk.flip(&path, 200, 1);
    plant.house.reopen();
    assert_eq!(plant.codes(), ["GMB-HIS-004"]);
    let last = |series| plant.house.engine().with_state(|state| state.last(series).map(|row| row.time));
    assert_eq!((last(1), last(2)), (Some(at(2 * DAY + 60).ticks()), Some(at(2 * DAY + 61).ticks())));
    plant.goes_on(3);
}

#[test]
fn a_damaged_ledger_gives_way_to_the_one_before() {
    let mut plant = Plant::new(1);
    for hole in [2, 3] {
        drop(plant.message(hole));
        let after = plant.message(hole + 1);
        plant.house.log.append(0, after);
        plant.flush();
    }
    assert_eq!(plant.house.gaps().len(), 4);
    let path = plant.file("gaps-");
    plant.house.disk.flip(&path, 40, 1);
    plant.house.reopen();
    assert_eq!(plant.codes(), ["GMB-HIS-004"]);
    assert_eq!(plant.house.gaps().len(), 2);
    assert_eq!(plant.days(1), [0, 3, 4]);
    plant.goes_on(9);
}

#[test]
fn messages_that_waited_and_are_lost_stand_in_the_ledger() {
    let mut plant = Plant::new(1);
    let newer = plant.edge.description(WRITER, 2, 3);
    let batch = Batch::of(&newer).value(0, 100, 1.0).value(2, 100, 1.0);
    let message = plant.edge.data(&newer, &batch.0);
    plant.house.log.append(0, message);
    plant.flush();
    assert_eq!(plant.house.account("press").pending, 2);
    let path = plant.file("pending-");
    plant.house.disk.flip(&path, 99, 1);
    plant.house.reopen();
    assert_eq!(plant.codes(), ["GMB-HIS-004"]);
    assert_eq!(plant.house.account("press").pending, 0);
    assert_eq!(plant.house.engine().counters.values_lost.value(), 2);
    let lost = |plant: &Plant| {
        let gaps = plant.house.gaps();
        gaps.iter()
            .filter(|gap| gap.reason == GapReason::Corruption)
            .map(|gap| gap.closed)
            .collect::<Vec<_>>()
    };
    assert_eq!(lost(&plant), [false, false]);
    plant.goes_on(3);
    assert_eq!(lost(&plant), [true, true]);
    assert!(plant.house.gaps().iter().all(|gap| gap.closed));
}

#[test]
fn what_a_newer_version_wrote_is_refused_and_left_alone() {
    for name in ["gaps-", "pending-", "last-", "v3"] {
        let mut plant = Plant::new(1);
        drop(plant.message(2));
        let newer = plant.edge.description(WRITER, 2, 3);
        let waiting = plant.edge.data(&newer, &Batch::of(&newer).value(2, 100, 1.0).0);
        plant.house.log.append(0, waiting);
        let message = plant.message(3);
        plant.house.log.append(0, message);
        plant.flush();
        match name {
            "v3" => {
                let folder = PathBuf::from("/data/hist/v3");
                gemba_base::disk::Disk::create_folder(&plant.house.disk, &folder).expect("creates");
            }
            "last-" => {
                let path = plant.file(name);
                let bytes = plant.house.disk.contents(&path).expect("is there");
                let manifest = plant.house.manifest_path();
                plant.house.disk.install(&path, &newer_parquet(bytes));
                reseal(&plant.house, &manifest);
            }
            _ => {
                let path = plant.file(name);
                let text =
                    String::from_utf8(plant.house.disk.contents(&path).expect("is there")).expect("is text");
                let newer = text.replace("\"formatVersion\":2", "\"formatVersion\":3");
                plant.house.disk.install(&path, newer.as_bytes());
            }
        }
        let before = plant.house.disk.paths();
        let error = plant.house.try_reopen().expect_err("is newer");
        assert_eq!(error.code().0, "GMB-HIS-002", "{name}: {error}");
        assert!(error.to_string().contains("start the newer version again"), "{error}");
        assert_eq!(plant.house.disk.paths(), before, "{name}");
    }
}

/// A Parquet file whose footer says format 3.
fn newer_parquet(mut bytes: Vec<u8>) -> Vec<u8> {
    let key = b"gemba.format";
    let at = bytes.windows(key.len()).position(|window| window == key).expect("says its format") + key.len();
    let value = bytes.get_mut(at..at + 8).expect("has a value");
    let digit = value.iter_mut().find(|byte| **byte == b'2').expect("is 2");
    *digit = b'3';
    bytes
}

/// Makes a manifest and its copy agree with the footer of the newest samples as it is now.
fn reseal(house: &House, manifest: &std::path::Path) {
    use crate::manifest::Manifest;
    let bytes = house.disk.contents(manifest).expect("is there");
    let mut content: Manifest = crate::sealed::parse(manifest, &bytes).expect("reads");
    let entry = content.last.as_mut().expect("has newest samples");
    let file =
        house.disk.contents(&std::path::Path::new("/data/hist/v1").join(&entry.path)).expect("is there");
    entry.tail_crc = crc32c::crc32c(file.get(entry.tail as usize..).expect("has a footer"));
    let bytes = crate::sealed::seal(manifest, &content).expect("seals");
    house.disk.install(manifest, &bytes);
    house.disk.install(&manifest.with_extension("copy.json"), &bytes);
}
