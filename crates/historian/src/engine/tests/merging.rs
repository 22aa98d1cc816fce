//! Merges of files with many rows: over pages and row groups, with late rows between those of others.

use super::house::House;
use crate::testing::{Batch, TestEdge, WRITER, at};

/// Values of both series at some seconds, as one file.
fn file(house: &mut House, edge: &mut TestEdge, seconds: impl Iterator<Item = i64>) {
    let description = edge.description(WRITER, 1, 2);
    let seconds: Vec<i64> = seconds.collect();
    for part in seconds.chunks(200) {
        let mut batch = Batch::of(&description);
        for &second in part {
            batch = batch.value(0, second, second as f64).value(1, second, (second / 7) as f64);
        }
        house.log.append(0, edge.data(&description, &batch.0));
    }
    house.ingest();
    house.engine().flush_all().expect("flushes");
}

#[test]
fn a_merged_file_says_what_its_inputs_said_over_pages_and_row_groups() {
    let mut house = House::new();
    house.options.day_files_max = 4;
    house.reopen();
    let mut edge = TestEdge::new("press");
    let description = edge.description(WRITER, 1, 2);
    house.log.append(0, edge.metadata(&description));
    file(&mut house, &mut edge, 0..30_000);
    file(&mut house, &mut edge, 30_000..70_000);
    // Late: between the others, and where they have rows already, which are the same samples again.
    let late = (0..15_000).step_by(3).map(|second| second + 70_000 - 65_000 * (second % 2));
    file(&mut house, &mut edge, late);
    file(&mut house, &mut edge, 80_000..86_000);
    let before = (house.read(1), house.read(2));
    assert_eq!(before.0.len(), before.1.len());
    assert_eq!(house.sample_paths().len(), 4);
    // Four files are not too many; what is over becomes one.
    house.clock.set(at(2 * 86_400));
    while house.engine().compact().expect("compacts") {}
    assert_eq!(house.sample_paths().len(), 1);
    assert!((house.read(1), house.read(2)) == before);
    house.reopen();
    assert!((house.read(1), house.read(2)) == before);
    assert_eq!(house.buckets(1, at(0), at(86_400), 9).len(), 9);
}
