//! Instants in OPC UA's unit, exact to the tick on every path.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// An instant in UTC: 100 ns ticks since 1601-01-01 (OPC 10000-6 v1.05, 5.2.2.5).
///
/// Every `i64` is kept as it is. Text is RFC 3339 with seven decimals; instants before the year 1 or
/// after 9999 print as `ticks:<n>`, which parses back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DateTime(i64);

/// Ticks from 1601-01-01 to 1970-01-01.
const UNIX_EPOCH_TICKS: i64 = 116_444_736_000_000_000;
const TICKS_PER_SECOND: i64 = 10_000_000;
const TICKS_PER_DAY: i64 = 86_400 * TICKS_PER_SECOND;
/// Days from 0000-03-01 to 1601-01-01 in the proleptic Gregorian calendar.
const DAYS_TO_1601: i64 = 584_694;

impl DateTime {
    /// 1601-01-01, which OPC UA also uses for "no time".
    pub const MIN: Self = Self(0);

    /// From 100 ns ticks since 1601-01-01.
    pub const fn from_ticks(ticks: i64) -> Self {
        Self(ticks)
    }

    /// 100 ns ticks since 1601-01-01.
    pub const fn ticks(self) -> i64 {
        self.0
    }

    /// From nanoseconds since 1970-01-01, rounded down to the tick; saturates at the range of ticks.
    pub const fn from_unix_nanos(nanos: i128) -> Self {
        let ticks = nanos.div_euclid(100) + UNIX_EPOCH_TICKS as i128;
        if ticks > i64::MAX as i128 {
            Self(i64::MAX)
        } else if ticks < i64::MIN as i128 {
            Self(i64::MIN)
        } else {
            Self(ticks as i64)
        }
    }

    /// From milliseconds since 1970-01-01; saturates at the range of ticks.
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self::from_unix_nanos(millis as i128 * 1_000_000)
    }

    /// Ticks since 1970-01-01, or `None` where that overflows (before about the year -27,000).
    pub const fn unix_ticks(self) -> Option<i64> {
        self.0.checked_sub(UNIX_EPOCH_TICKS)
    }

    /// Whole milliseconds since 1970-01-01, rounded down.
    pub const fn unix_millis(self) -> i64 {
        // i64 ticks / 10^4 always fits.
        (self.0.div_euclid(10_000)).wrapping_sub(UNIX_EPOCH_TICKS / 10_000)
    }

    /// Whole seconds since 1970-01-01, rounded down.
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(TICKS_PER_SECOND) - UNIX_EPOCH_TICKS / TICKS_PER_SECOND
    }

    /// This instant moved by `ticks`, saturating.
    pub const fn saturating_add_ticks(self, ticks: i64) -> Self {
        Self(self.0.saturating_add(ticks))
    }

    /// This instant moved forward by `duration`, saturating.
    pub fn saturating_add(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_nanos() / 100).unwrap_or(i64::MAX)))
    }

    /// This instant moved back by `duration`, saturating.
    pub fn saturating_sub(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_nanos() / 100).unwrap_or(i64::MAX)))
    }

    /// How long this instant lies after `earlier`; zero when it lies before it.
    pub const fn since(self, earlier: Self) -> std::time::Duration {
        let ticks = self.0.saturating_sub(earlier.0);
        if ticks <= 0 {
            return std::time::Duration::ZERO;
        }
        std::time::Duration::new((ticks / TICKS_PER_SECOND) as u64, (ticks % TICKS_PER_SECOND) as u32 * 100)
    }

    /// Year, month (1–12) and day (1–31).
    pub const fn date(self) -> (i64, u32, u32) {
        // Days since 0000-03-01, so that the leap day is the last day of the counted year.
        let days = self.0.div_euclid(TICKS_PER_DAY) + DAYS_TO_1601;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + (month <= 2) as i64;
        (year, month as u32, day as u32)
    }

    /// Midnight (UTC) of a calendar day, or `None` for a day that no calendar has or ticks cannot hold.
    pub fn from_date(year: i64, month: u32, day: u32) -> Option<Self> {
        if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
            return None;
        }
        let shifted = if month <= 2 { year.checked_sub(1)? } else { year };
        let era = shifted.div_euclid(400);
        let year_of_era = shifted.rem_euclid(400);
        let from_march = i64::from(if month > 2 { month - 3 } else { month + 9 });
        let day_of_year = (153 * from_march + 2) / 5 + i64::from(day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era.checked_mul(146_097)?.checked_add(day_of_era)? - DAYS_TO_1601;
        days.checked_mul(TICKS_PER_DAY).map(Self)
    }
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        if !(1..=9999).contains(&year) {
            return write!(f, "ticks:{}", self.0);
        }
        let of_day = self.0.rem_euclid(TICKS_PER_DAY);
        let (seconds, ticks) = (of_day / TICKS_PER_SECOND, of_day % TICKS_PER_SECOND);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ticks:07}Z")
    }
}

impl fmt::Debug for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not an RFC 3339 instant in the range of OPC UA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDateTime(String);

impl fmt::Display for InvalidDateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not an instant such as 2026-03-01T12:00:00.0000000Z", self.0)
    }
}
impl std::error::Error for InvalidDateTime {}

impl FromStr for DateTime {
    type Err = InvalidDateTime;

    /// Reads RFC 3339 with any number of decimals; what is finer than a tick is cut off.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| InvalidDateTime(text.chars().take(64).collect()))
    }
}

fn parse(text: &str) -> Option<DateTime> {
    if let Some(ticks) = text.strip_prefix("ticks:") {
        return ticks.parse().ok().map(DateTime);
    }
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let midnight = DateTime::from_date(year.parse().ok()?, digits(month)?, digits(day)?)?;
    let (clock, offset_minutes) = split_offset(time)?;
    let mut parts = clock.split(':');
    let (hour, minute) = (digits(parts.next()?)?, digits(parts.next()?)?);
    let (second, fraction) = match parts.next() {
        Some(seconds) => match seconds.split_once('.') {
            Some((whole, fraction)) => (digits(whole)?, fraction_ticks(fraction)?),
            None => (digits(seconds)?, 0),
        },
        None => (0, 0),
    };
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from(hour * 3600 + minute * 60 + second) - offset_minutes * 60;
    midnight.0.checked_add(seconds * TICKS_PER_SECOND)?.checked_add(fraction).map(DateTime)
}

fn digits(text: &str) -> Option<u32> {
    (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn fraction_ticks(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seven = text.bytes().map(|b| i64::from(b - b'0')).chain(std::iter::repeat(0)).take(7);
    Some(seven.fold(0, |ticks, digit| ticks * 10 + digit))
}

fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let (clock, offset) = time.split_at_checked(at)?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours < 24 && minutes < 60).then(|| (clock, sign * i64::from(hours * 60 + minutes)))
}

impl Serialize for DateTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DateTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ticks: i64, text: &str) {
        assert_eq!(DateTime::from_ticks(ticks).to_string(), text);
        assert_eq!(text.parse::<DateTime>().map(DateTime::ticks), Ok(ticks));
    }

    #[test]
    fn text_keeps_every_tick() {
        check(0, "1601-01-01T00:00:00.0000000Z");
        check(UNIX_EPOCH_TICKS, "1970-01-01T00:00:00.0000000Z");
        check(133_000_000_000_000_001, "2022-06-18T04:26:40.0000001Z");
        check(UNIX_EPOCH_TICKS + 951_782_400 * TICKS_PER_SECOND, "2000-02-29T00:00:00.0000000Z");
        check(i64::MAX, "ticks:9223372036854775807");
        check(-1, "1600-12-31T23:59:59.9999999Z");
    }

    #[test]
    fn offsets_and_short_forms_are_read() {
        let utc: DateTime = "2026-03-01T12:30:00Z".parse().expect("parses");
        assert_eq!("2026-03-01T14:30:00+02:00".parse(), Ok(utc));
        assert_eq!("2026-03-01T12:30Z".parse(), Ok(utc));
        assert_eq!("2026-03-01T12:30:00.00000009Z".parse(), Ok(utc));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "now",
            "2026-02-30T00:00:00Z",
            "2026-01-01",
            "2026-01-01T24:00:00Z",
            "2026-1-1T00:00:00Z",
            "2026-01-01T00:00:00",
        ] {
            assert!(text.parse::<DateTime>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_survives_the_calendar() {
        for day in 0..146_097_i64 {
            let time = DateTime::from_ticks(day * TICKS_PER_DAY);
            let (y, m, d) = time.date();
            assert_eq!(DateTime::from_date(y, m, d), Some(time));
        }
    }
}
