//! Where a read of samples stands, and the token that goes on from there.

use gemba_api::{SampleQuery, StoredSample};
use gemba_model::DateTime;

/// A range of a series, of whose first instant (in reading order) `skip` samples were given already.
///
/// As text: `1.<series>.<a|d>.<from ticks>.<to ticks>.<skip>`. It is not secret and not signed: whoever
/// changes it reads another range of a series, which is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    series: u64,
    from: DateTime,
    to: DateTime,
    descending: bool,
    skip: u64,
}

impl Cursor {
    pub(super) const fn new(series: u64, from: DateTime, to: DateTime, descending: bool) -> Self {
        Self { series, from, to, descending, skip: 0 }
    }

    /// The cursor of a token that was given for this series.
    pub(super) fn parse(token: &str, series: u64) -> Option<Self> {
        let mut parts = token.split('.');
        let mut next = || parts.next();
        (next()? == "1" && next()?.parse() == Ok(series)).then_some(())?;
        let descending = match next()? {
            "a" => false,
            "d" => true,
            _ => return None,
        };
        let from = DateTime::from_ticks(next()?.parse().ok()?);
        let to = DateTime::from_ticks(next()?.parse().ok()?);
        let skip = next()?.parse().ok()?;
        (parts.next().is_none() && from <= to).then_some(Self { series, from, to, descending, skip })
    }

    fn token(&self) -> String {
        let Self { series, from, to, skip, .. } = self;
        let order = if self.descending { 'd' } else { 'a' };
        format!("1.{series}.{order}.{}.{}.{skip}", from.ticks(), to.ticks())
    }

    pub(super) const fn query(&self) -> SampleQuery {
        SampleQuery { series: self.series, from: self.from, to: self.to, descending: self.descending }
    }

    /// The instant at which reading begins.
    const fn edge(&self) -> DateTime {
        // `to` itself does not belong to the range.
        if self.descending { self.to.saturating_add_ticks(-1) } else { self.from }
    }
}

/// How far a read has come.
#[derive(Debug)]
pub(super) struct Progress {
    cursor: Cursor,
    /// Samples of the first instant that are still to be passed over.
    to_skip: u64,
    last: DateTime,
    /// Samples given so far whose time is `last`.
    given: u64,
}

impl Progress {
    pub(super) const fn new(cursor: Cursor) -> Self {
        Self { cursor, to_skip: cursor.skip, last: cursor.edge(), given: cursor.skip }
    }

    /// Whether the sample was given before; call it once for each sample in order.
    pub(super) fn is_old(&mut self, sample: &StoredSample) -> bool {
        if self.to_skip == 0 {
            return false;
        }
        if sample.time() != self.cursor.edge() {
            self.to_skip = 0;
            return false;
        }
        self.to_skip -= 1;
        true
    }

    /// The sample was given.
    pub(super) fn pass(&mut self, sample: &StoredSample) {
        let time = sample.time();
        self.given = if time == self.last { self.given + 1 } else { 1 };
        self.last = time;
    }

    /// Goes on after what was given.
    pub(super) fn token(&self) -> String {
        let mut cursor = Cursor { skip: self.given, ..self.cursor };
        if cursor.descending {
            cursor.to = self.last.saturating_add_ticks(1);
        } else {
            cursor.from = self.last;
        }
        cursor.token()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back_and_others_are_refused() {
        let time = DateTime::from_ticks;
        let cursor = Cursor { skip: 3, ..Cursor::new(7, time(i64::MIN), time(i64::MAX), true) };
        assert_eq!(Cursor::parse(&cursor.token(), 7), Some(cursor));
        assert_eq!(Cursor::parse(&cursor.token(), 8), None, "a token of another series");
        for token in ["", "1", "2.7.a.0.1.0", "1.7.x.0.1.0", "1.7.a.1.0.0", "1.7.a.0.1.-1", "1.7.a.0.1.0.0"] {
            assert_eq!(Cursor::parse(token, 7), None, "{token}");
        }
    }

    fn token_of_bytes(bytes: &[u8]) {
        let token = String::from_utf8_lossy(bytes);
        let Some(cursor) = Cursor::parse(&token, 7) else { return };
        assert_eq!(Cursor::parse(&cursor.token(), 7), Some(cursor));
        assert!(cursor.query().from <= cursor.query().to);
        assert!(!Progress::new(cursor).token().is_empty());
    }

    #[test]
    fn fuzz_continuation_token() {
        let inputs = ["1.7.a.0.1.0", "1.7.d.-9223372036854775808.9223372036854775807.18446744073709551615"];
        gemba_testkit::fuzz::Target::new("console-token", token_of_bytes).inputs(inputs).run();
    }
}
