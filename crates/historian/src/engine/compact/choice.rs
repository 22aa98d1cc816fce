//! Which files of a day to merge: few passes over each row, few files for a reader, and none too large.

use std::ops::Range;

/// Rows of a file that is not merged any more: some 150 MB and more.
const FULL_ROWS: u64 = 32_000_000;
/// Rows of a merged file at most, but for one that was larger before: footers grow with them.
const FILE_ROWS_MAX: u64 = 2 * FULL_ROWS;
/// Files that are merged at a time at most: a page of each column of each is in memory.
const INPUTS_MAX: usize = 32;
/// Files with fewer rows than this together are merged as soon as there are a few: that costs next to nothing, and a
/// reader of the current day has fewer to look into.
const SMALL_ROWS: u64 = 2_000_000;
const SMALL_FILES: usize = 8;
/// How many times as large as the smallest the largest of a merge may be, so that large files are not written
/// again and again for a few rows.
const ALIKE: u64 = 4;
/// The part of a day's rows that must be outside of its largest file to make one of it when it is over.
const LATE_SHARE: u64 = 32;

/// Chooses among files with so many rows, ascending. Merges `files_max / 2` files that are alike, fewer when
/// they are small, so that each row is written about once for each such factor between a flush and the day; more when there are more
/// than `files_max`; and all that fit when the day is over, unless that meant to write a large one again for a few
/// late rows. Empty when nothing is to be done.
pub(super) fn choose(rows: &[u64], files_max: usize, is_over: bool) -> Range<usize> {
    let growing = rows.partition_point(|rows| *rows < FULL_ROWS);
    let rows = rows.get(..growing).unwrap_or_default();
    let fitting = |from: usize, count: usize| {
        let mut sum = 0_u64;
        let all = rows.iter().skip(from).take(count.min(INPUTS_MAX));
        let fits = all.take_while(|rows| {
            sum = sum.saturating_add(**rows);
            sum <= FILE_ROWS_MAX
        });
        from..from + fits.count()
    };
    if is_over {
        let all = fitting(0, rows.len());
        let (total, largest) = sizes(rows, &all);
        if all.len() > 1 && (total - largest) * LATE_SHARE >= total {
            return all;
        }
    }
    let alike_min = files_max.div_ceil(2).clamp(2, INPUTS_MAX);
    for (from, smallest) in rows.iter().enumerate() {
        let limit = (*smallest).max(1).saturating_mul(ALIKE);
        let alike = rows.iter().skip(from).take_while(|rows| **rows <= limit).count();
        // Full before there are as many is as good as it gets.
        let group = fitting(from, alike);
        let total = sizes(rows, &group).0;
        let enough = if total < SMALL_ROWS { alike_min.min(SMALL_FILES) } else { alike_min };
        if group.len() >= enough || (group.len() > 1 && total >= FULL_ROWS) {
            return group;
        }
    }
    if rows.len() <= files_max {
        return 0..0;
    }
    fitting(0, needed(rows, files_max))
}

/// Rows of all and of the largest.
fn sizes(rows: &[u64], range: &Range<usize>) -> (u64, u64) {
    let rows = rows.get(range.clone()).unwrap_or_default();
    (rows.iter().sum(), rows.last().copied().unwrap_or(0))
}

/// How many files, smallest first, to merge to keep the bound, and further ones as long as they are not much
/// larger than what is merged anyway.
fn needed(rows: &[u64], files_max: usize) -> usize {
    let needed = (rows.len() + 1).saturating_sub(files_max.max(1)).max(2);
    let mut sum = 0;
    for (index, rows) in rows.iter().enumerate() {
        if index >= needed && *rows > sum * 2 {
            return index;
        }
        sum += rows;
    }
    rows.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files of a day after so many flushes, and how often each row was written on the way.
    fn day(flushes: usize, rows: u64, files_max: usize) -> (Vec<u64>, f64) {
        let (mut files, mut written) = (Vec::new(), 0);
        let merge = |files: &mut Vec<u64>, written: &mut u64, is_over: bool| {
            files.sort_unstable();
            let chosen = choose(files, files_max, is_over);
            let merged: u64 = files.drain(chosen.clone()).sum();
            if merged > 0 {
                *written += merged;
                files.push(merged);
            }
            chosen.len() > 1
        };
        for _ in 0..flushes {
            files.push(rows);
            written += rows;
            while merge(&mut files, &mut written, false) {}
            assert!(files.iter().filter(|rows| **rows < FULL_ROWS).count() <= files_max);
        }
        while merge(&mut files, &mut written, true) {}
        (files, written as f64 / (flushes as u64 * rows) as f64)
    }

    #[test]
    fn each_row_is_written_a_few_times_whatever_the_plant() {
        let written = |flushes, rows| {
            let (files, times) = day(flushes, rows, 48);
            format!("{} files, {times:.1} times", files.len())
        };
        assert_eq!(written(144, 1_000), "1 files, 3.9 times");
        assert_eq!(written(144, 100_000), "1 files, 3.0 times");
        assert_eq!(written(144, 500_000), "2 files, 3.0 times");
        assert_eq!(written(640, 1_350_000), "27 files, 2.0 times");
        assert_eq!(written(5_400, 1_350_000), "225 files, 2.0 times");
    }

    #[test]
    fn a_large_file_is_not_written_again_for_a_few_rows() {
        assert_eq!(choose(&[10, 1_000], 8, true), 0..0);
        assert_eq!(choose(&[10, 300], 8, true), 0..2);
        assert_eq!(choose(&[10, 10, 10, 10, 1_000], 8, false), 0..4);
        assert_eq!(choose(&[1, 10, 100, 1_000], 3, false), 0..2);
        assert_eq!(choose(&[5, FULL_ROWS, FULL_ROWS], 2, true), 0..0, "full ones stay");
        assert_eq!(choose(&[FULL_ROWS - 1; 3], 8, true), 0..2, "and none becomes larger than two of them");
    }
}
