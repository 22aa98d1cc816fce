//! Query parameters, paging and times as they come in a URL.

use crate::ApiError;
use axum::extract::Query;
use axum::http::Uri;
use gemba_model::DateTime;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A query string is at most so long; 500 series ids fit.
pub(crate) const QUERY_BYTES_MAX: usize = 16 * 1024;

/// The largest number of a parameter: that of the format `int64`, which the description says.
pub(crate) const NUMBER_MAX: u64 = i64::MAX as u64;

/// The parameters of one request, each at most once and each known to its path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Splits the query of `uri`. `known` are the names that the path has.
    ///
    /// # Errors
    /// When a name is unknown (the nearest known one is told) or comes twice.
    pub(crate) fn parse(uri: &Uri, known: &[String]) -> Result<Self, ApiError> {
        if uri.query().unwrap_or_default().len() > QUERY_BYTES_MAX {
            return Err(ApiError::invalid("query", format!("it is longer than {QUERY_BYTES_MAX} bytes")));
        }
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| ApiError::invalid("query", error.to_string()))?;
        for (index, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(name) {
                return Err(ApiError::UnknownParameter { name: shorten(name), hint: hint(name, known) });
            }
            if pairs.iter().take(index).any(|(earlier, _)| earlier == name) {
                return Err(ApiError::invalid(name, "it is given twice"));
            }
        }
        Ok(Self(pairs))
    }

    /// The parameter's text; `None` when it is absent or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|v| !v.is_empty())
    }

    /// A whole number in a range.
    pub(crate) fn number(&self, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ if *range.end() == NUMBER_MAX => Err(ApiError::invalid(
                name,
                format!("'{}' is not a whole number from {}", shorten(text), range.start()),
            )),
            _ => Err(ApiError::invalid(
                name,
                format!(
                    "'{}' is not a whole number from {} to {}",
                    shorten(text),
                    range.start(),
                    range.end()
                ),
            )),
        }
    }

    /// The size of a page: at least 1, cut to `max`.
    pub(crate) fn limit(&self, default: usize, max: usize) -> Result<usize, ApiError> {
        let limit = self.number("limit", 1..=NUMBER_MAX)?;
        Ok(limit.map_or(default, |limit| usize::try_from(limit).unwrap_or(max)).min(max))
    }

    /// An instant: RFC 3339, `now`, or relative to now.
    pub(crate) fn time(&self, name: &str, now: DateTime) -> Result<Option<DateTime>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        instant(text, now).map(Some).ok_or_else(|| {
            let plus = if text.contains(' ') { "; write + as %2B" } else { "" };
            ApiError::invalid(
                name,
                format!(
                    "'{}' is not a time such as 2026-03-01T12:00:00Z, now, -1h or now-90m (s, m, h, d, w){plus}",
                    shorten(text)
                ),
            )
        })
    }
}

fn instant(text: &str, now: DateTime) -> Option<DateTime> {
    if text == "now" {
        return Some(now);
    }
    let relative = text.strip_prefix("now").unwrap_or(text);
    let Some(amount) = relative.strip_prefix(['-', '+', ' ']) else { return text.parse().ok() };
    let duration = duration(amount)?;
    // A plus that was not written as %2B arrives as a blank.
    Some(if relative.starts_with('-') { now.saturating_sub(duration) } else { now.saturating_add(duration) })
}

/// `90m`: a whole number and a unit.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.then(|| number.parse().ok()).flatten()?;
    number.checked_mul(seconds).map(Duration::from_secs)
}

fn hint(name: &str, known: &[String]) -> String {
    match gemba_base::nearest::nearest(name, known.iter().map(String::as_str)) {
        Some(nearest) => format!("; did you mean '{nearest}'?"),
        None if known.is_empty() => "; this path has none".to_owned(),
        None => format!("; there are {}", known.join(", ")),
    }
}

/// What a client sent, short enough for an answer.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn params(query: &str) -> Result<Params, ApiError> {
        let known = ["from", "to", "limit", "continuationToken"].map(str::to_owned);
        let uri: Uri = format!("/x?{query}").parse().expect("a URI");
        Params::parse(&uri, &known)
    }

    fn check_fault(query: &str, fault: Expect) {
        let now = DateTime::MIN;
        let read = || {
            let params = params(query)?;
            params.limit(10, 100)?;
            params.time("from", now).map(drop)
        };
        fault.assert_eq(&read().map_or_else(|error: ApiError| error.to_string(), |()| "fine".to_owned()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        check_fault("form=now", expect!["there is no query parameter 'form' here; did you mean 'from'?"]);
        check_fault(
            "x=1",
            expect!["there is no query parameter 'x' here; there are from, to, limit, continuationToken"],
        );
        check_fault("limit=1&limit=2", expect!["limit: it is given twice"]);
        check_fault("limit=0", expect!["limit: '0' is not a whole number from 1"]);
        check_fault(
            "limit=9223372036854775808",
            expect!["limit: '9223372036854775808' is not a whole number from 1"],
        );
        check_fault("limit=1e3", expect!["limit: '1e3' is not a whole number from 1"]);
        check_fault(
            "from=yesterday",
            expect![
                "from: 'yesterday' is not a time such as 2026-03-01T12:00:00Z, now, -1h or now-90m (s, m, h, d, w)"
            ],
        );
        check_fault(
            "from=2026-03-01T12:00:00+01:00",
            expect![
                "from: '2026-03-01T12:00:00 01:00' is not a time such as 2026-03-01T12:00:00Z, now, -1h or now-90m (s, m, h, d, w); write + as %2B"
            ],
        );
        check_fault(
            "from=-h",
            expect![
                "from: '-h' is not a time such as 2026-03-01T12:00:00Z, now, -1h or now-90m (s, m, h, d, w)"
            ],
        );
        check_fault(
            "from=-1é",
            expect![
                "from: '-1é' is not a time such as 2026-03-01T12:00:00Z, now, -1h or now-90m (s, m, h, d, w)"
            ],
        );
        check_fault("from=&limit=", expect!["fine"]);
    }

    #[test]
    fn times_are_absolute_or_relative_to_now() {
        let now: DateTime = "2026-03-01T12:00:00Z".parse().expect("a time");
        for (text, time) in [
            ("now", "2026-03-01T12:00:00.0000000Z"),
            ("-1h", "2026-03-01T11:00:00.0000000Z"),
            ("now-90m", "2026-03-01T10:30:00.0000000Z"),
            ("-7d", "2026-02-22T12:00:00.0000000Z"),
            ("%2B1w", "2026-03-08T12:00:00.0000000Z"),
            ("-9999999999999w", "ticks:-9089203636854775807"),
            ("2026-03-01T13:00:00%2B01:00", "2026-03-01T12:00:00.0000000Z"),
            ("2026-03-01T12:00:00.12345678Z", "2026-03-01T12:00:00.1234567Z"),
        ] {
            let params = params(&format!("from={text}")).expect("parses");
            let found = params.time("from", now).expect("a time").expect("is given");
            assert_eq!(found.to_string(), time, "{text}");
        }
    }

    #[test]
    fn a_page_is_never_larger_than_its_bound() {
        for (query, limit) in
            [("", 10), ("limit=7", 7), ("limit=101", 100), ("limit=9223372036854775807", 100)]
        {
            assert_eq!(params(query).expect("parses").limit(10, 100).expect("a limit"), limit);
        }
    }

    /// All that routes read from a query.
    fn query_of_bytes(bytes: &[u8]) {
        let visible = |byte: &u8| if byte.is_ascii_graphic() { *byte as char } else { '_' };
        let text: String = bytes.iter().map(visible).collect();
        let Ok(uri) = format!("/x?{text}").parse::<Uri>() else { return };
        let known = ["from", "to", "limit", "count", "series", "search", "order", "continuationToken"];
        let params = match Params::parse(&uri, &known.map(str::to_owned)) {
            Ok(params) => params,
            Err(error) => return assert!(error.to_string().len() < 1_000, "an answer is bounded: {error}"),
        };
        assert!(params.limit(10, 100).is_ok_and(|limit| limit <= 100) || params.text("limit").is_some());
        for name in known {
            let now = DateTime::from_ticks(133_000_000_000_000_000);
            let errors = [params.time(name, now).err(), params.number(name, 1..=9).err()];
            for error in errors.into_iter().flatten() {
                assert!(error.to_string().len() < 1_000, "an answer is bounded: {error}");
            }
        }
    }

    #[test]
    fn fuzz_query() {
        let words = ["from=", "&to=now-1h", "limit=", "%2B", "%", "&", "=", "-9999999999999w", "order=asc"];
        gemba_testkit::fuzz::Target::new("console-query", query_of_bytes).words(words).run();
    }
}
