//! Aggregates over intervals of equal width, in one pass.

use crate::file::read::{Statuses, Values};
use crate::row::Row;
use gemba_api::Bucket;
use gemba_model::{DateTime, StatusCode};

/// One interval while rows pass.
#[derive(Debug, Clone, Default)]
struct Sums {
    min: Option<f64>,
    max: Option<f64>,
    sum: f64,
    numbers: u64,
    count: u64,
    bad: u64,
    first: Option<(i64, f64)>,
    last: Option<(i64, f64)>,
}

impl Sums {
    /// Takes a value; NaN is no number.
    #[inline]
    fn take(&mut self, time: i64, number: f64, status: u32) {
        self.count += 1;
        if StatusCode(status).is_bad() {
            self.bad += 1;
            return;
        }
        if number.is_nan() {
            return;
        }
        self.min = Some(self.min.map_or(number, |min| min.min(number)));
        self.max = Some(self.max.map_or(number, |max| max.max(number)));
        self.sum += number;
        self.numbers += 1;
        self.first = self.first.or(Some((time, number)));
        self.last = Some((time, number));
    }
}

/// Buckets of a range.
#[derive(Debug)]
pub(crate) struct Buckets {
    from: i64,
    /// Width of the range in ticks.
    width: i128,
    sums: Vec<Sums>,
    /// The interval of the last row and its first tick after, because the next row is mostly in it too.
    at: usize,
    at_end: i64,
}

impl Buckets {
    pub(crate) fn new(from: i64, to: i64, count: u32) -> Self {
        let width = (i128::from(to) - i128::from(from)).max(0);
        Self { from, width, sums: vec![Sums::default(); count as usize], at: 0, at_end: i64::MIN }
    }

    fn start(&self, index: usize) -> i64 {
        let count = self.sums.len().max(1) as i128;
        // Rounded up, so that a row of this very tick lies in the interval that begins here.
        let offset = (self.width * index as i128 + count - 1) / count;
        i64::try_from(i128::from(self.from) + offset).unwrap_or(i64::MAX)
    }

    /// Takes the next row; rows come in order of time.
    pub(crate) fn push(&mut self, row: &Row) {
        let Some((sums, _)) = self.at(row.time) else { return };
        sums.take(row.time, row.number().unwrap_or(f64::NAN), row.status);
    }

    /// Takes the next rows.
    pub(crate) fn extend(&mut self, values: &Values) {
        let mut rest = values.times.iter().zip(&values.numbers).enumerate().peekable();
        while let Some((_, (&time, _))) = rest.peek().copied() {
            let Some((sums, end)) = self.at(time) else {
                rest.next();
                continue;
            };
            // The first one is in, whatever the end of the last interval of all times is.
            let mut is_first = true;
            while let Some((at, (&time, &number))) =
                rest.next_if(|(_, (time, _))| std::mem::take(&mut is_first) || **time < end)
            {
                let status = match &values.status {
                    Statuses::All(status) => *status,
                    Statuses::Each(all) => all.get(at).copied().unwrap_or(0),
                };
                sums.take(time, number, status);
            }
        }
    }

    /// The interval of a time, and the first tick after it.
    fn at(&mut self, time: i64) -> Option<(&mut Sums, i64)> {
        if time >= self.at_end || time < self.from {
            let offset = i128::from(time) - i128::from(self.from);
            if offset < 0 || offset >= self.width {
                return None;
            }
            self.at = (offset * self.sums.len() as i128 / self.width) as usize;
            self.at_end = self.start(self.at + 1);
        }
        Some((self.sums.get_mut(self.at)?, self.at_end))
    }

    pub(crate) fn finish(self) -> Vec<Bucket> {
        let starts: Vec<i64> = (0..self.sums.len()).map(|index| self.start(index)).collect();
        let point = |point: Option<(i64, f64)>| point.map(|(time, v)| (DateTime::from_ticks(time), v));
        let buckets = starts.into_iter().zip(self.sums).map(|(start, sums)| Bucket {
            start: DateTime::from_ticks(start),
            min: sums.min,
            max: sums.max,
            avg: (sums.numbers > 0).then(|| sums.sum / sums.numbers as f64),
            count: sums.count,
            bad: sums.bad,
            first: point(sums.first),
            last: point(sums.last),
        });
        buckets.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Cell;
    use expect_test::expect;

    fn row(time: i64, value: f64, status: u32) -> Row {
        Row {
            series: 1,
            time,
            source: Some(time),
            server: None,
            received: 0,
            offset: 0,
            partition: 0,
            status,
            source_pico: 0,
            server_pico: 0,
            kind: 11,
            cell: Cell::F64(value),
        }
    }

    #[test]
    fn bad_values_and_values_that_are_no_numbers_only_count() {
        let mut buckets = Buckets::new(0, 100, 3);
        for (time, value, status) in [
            (0, 4.0, 0),
            (33, 2.0, 0x4000_0000),
            (34, 9.0, 0x8000_0000),
            (35, f64::NAN, 0),
            (66, 1.0, 0),
            (67, 7.0, 0),
            (99, 5.0, 0),
        ] {
            buckets.push(&row(time, value, status));
        }
        let lines: Vec<String> = buckets
            .finish()
            .iter()
            .map(|b| {
                let tick = |p: Option<(DateTime, f64)>| p.map(|(t, v)| (t.ticks(), v));
                format!(
                    "{} {:?} {:?} {:?} {} {} {:?} {:?}\n",
                    b.start.ticks(),
                    b.min,
                    b.max,
                    b.avg,
                    b.count,
                    b.bad,
                    tick(b.first),
                    tick(b.last)
                )
            })
            .collect();
        expect![[r#"
            0 Some(2.0) Some(4.0) Some(3.0) 2 0 Some((0, 4.0)) Some((33, 2.0))
            34 Some(1.0) Some(1.0) Some(1.0) 3 1 Some((66, 1.0)) Some((66, 1.0))
            67 Some(5.0) Some(7.0) Some(6.0) 2 0 Some((67, 7.0)) Some((99, 5.0))
        "#]]
        .assert_eq(&lines.concat());
    }

    #[test]
    fn starts_and_rows_agree_for_every_width() {
        for width in 1..60 {
            for count in 1..20_u32 {
                let buckets = Buckets::new(-7, -7 + width, count);
                for time in -7..-7 + width {
                    let index = ((time + 7) * i64::from(count) / width) as usize;
                    assert!(buckets.start(index) <= time && time < buckets.start(index + 1));
                }
            }
        }
    }
}
