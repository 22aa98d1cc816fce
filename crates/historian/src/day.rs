//! Days, by which sample files are divided.

use gemba_model::DateTime;

pub(crate) const TICKS_PER_DAY: i64 = 864_000_000_000;
/// 0001-01-01 and 10000-01-01 in ticks: outside, no calendar text and no `Timestamp` of an analyst's tool
/// holds a time.
const CALENDAR_START: i64 = -504_911_232_000_000_000;
const CALENDAR_END: i64 = 2_650_467_744_000_000_000;

/// Days since 1601-01-01; two more stand for all times before the year 1 and after 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day(i64);

impl Day {
    const BEFORE: Self = Self(i64::MIN);
    const AFTER: Self = Self(i64::MAX);

    pub(crate) const fn of(ticks: i64) -> Self {
        if ticks < CALENDAR_START {
            Self::BEFORE
        } else if ticks >= CALENDAR_END {
            Self::AFTER
        } else {
            Self(ticks.div_euclid(TICKS_PER_DAY))
        }
    }

    /// First tick of the day.
    pub(crate) const fn start(self) -> i64 {
        match self {
            Self::BEFORE => i64::MIN,
            Self::AFTER => CALENDAR_END,
            Self(day) => day * TICKS_PER_DAY,
        }
    }

    /// First tick after the day; the largest tick of all belongs to the last day.
    pub(crate) const fn end(self) -> i64 {
        match self {
            Self::BEFORE => CALENDAR_START,
            Self::AFTER => i64::MAX,
            Self(day) => (day + 1) * TICKS_PER_DAY,
        }
    }

    /// All times of the day.
    pub(crate) const fn range(self) -> TimeRange {
        TimeRange::new(self.start(), self.end())
    }

    /// The folder of a day, in the form that Hive, Spark, DuckDB and pyarrow read as a partition by date. Times
    /// outside of the calendar are with its first and last day: a partition without a date stops pandas.
    pub(crate) fn folder(self) -> String {
        let inside = self.start().clamp(CALENDAR_START, CALENDAR_END - 1);
        let (year, month, day) = DateTime::from_ticks(inside).date();
        format!("date={year:04}-{month:02}-{day:02}")
    }
}

/// Times from one tick to before another. Where that other one is the largest of all, it belongs to the range:
/// nothing else could ask for it, and servers send it for "never".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeRange {
    from: i64,
    to: i64,
}

impl TimeRange {
    pub(crate) const fn new(from: i64, to: i64) -> Self {
        Self { from, to }
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.from >= self.to
    }

    pub(crate) const fn begins_after(self, ticks: i64) -> bool {
        ticks < self.from
    }

    pub(crate) const fn holds(self, ticks: i64) -> bool {
        self.from <= ticks && (ticks < self.to || self.to == i64::MAX)
    }

    /// Whether some time from the first to the last of a span, both included, is in the range.
    pub(crate) const fn meets(self, span: (i64, i64)) -> bool {
        self.from <= span.1 && (span.0 < self.to || self.to == i64::MAX)
    }

    /// First and last day.
    pub(crate) const fn days(self) -> (Day, Day) {
        (Day::of(self.from), Day::of(self.to.saturating_sub(1)))
    }
}

/// Whether a time can be a `Timestamp` in files; others are kept as ticks.
pub(crate) const fn in_calendar(ticks: i64) -> bool {
    CALENDAR_START <= ticks && ticks < CALENDAR_END
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_begins_and_ends_where_dates_do() {
        assert_eq!(DateTime::from_date(1, 1, 1).map(DateTime::ticks), Some(CALENDAR_START));
        assert_eq!(DateTime::from_date(10_000, 1, 1).map(DateTime::ticks), Some(CALENDAR_END));
        assert_eq!(CALENDAR_START % TICKS_PER_DAY, 0);
        assert_eq!(CALENDAR_END % TICKS_PER_DAY, 0);
    }

    #[test]
    fn every_tick_lies_inside_its_day() {
        for ticks in [i64::MIN, CALENDAR_START - 1, CALENDAR_START, -1, 0, CALENDAR_END - 1, CALENDAR_END] {
            let day = Day::of(ticks);
            assert!(day.start() <= ticks && ticks < day.end(), "{ticks}");
        }
        let noon: DateTime = "2026-03-01T12:00:00Z".parse().expect("parses");
        assert_eq!(Day::of(noon.ticks()).folder(), "date=2026-03-01");
        assert_eq!(Day::of(i64::MIN).folder(), "date=0001-01-01");
        assert_eq!(Day::of(i64::MAX).folder(), "date=9999-12-31");
    }
}
