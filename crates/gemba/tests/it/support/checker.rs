//! Counts every counter: each count stored once, in order, with its time to the tick; what is missing is in the
//! ledger.

use super::http::Rest;
use super::peers::PERIOD_MS;
use gemba_model::DateTime;
use serde_json::Value;
use std::collections::BTreeMap;

/// What is known of one series.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) group: String,
}

/// All series of the platform.
pub(crate) fn series(rest: &Rest) -> Vec<Series> {
    let mut all = Vec::new();
    let mut token = String::new();
    loop {
        let page = rest.get(&format!("/api/v1/series?limit=500{token}"));
        for item in page["items"].as_array().expect("a list of series") {
            let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
            all.push(Series {
                id: item["id"].as_u64().expect("an id"),
                name: text("name"),
                group: text("writerGroup"),
            });
        }
        match page["continuationToken"].as_str() {
            Some(next) => token = format!("&continuationToken={next}"),
            None => return all,
        }
    }
}

/// One stored count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) value: u64,
    pub(crate) ticks: i64,
}

/// All Good samples of a series in the order in which they are returned.
pub(crate) fn counts(rest: &Rest, id: u64) -> Vec<Count> {
    let lines =
        rest.lines(&format!("/api/v1/series/{id}/samples?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z"));
    let good = lines.iter().filter(|line| line["status"] == 0 && line.get("value").is_some());
    good.map(|line| Count {
        value: whole(&line["value"]).unwrap_or_else(|| panic!("not a count: {line}")),
        ticks: time(&line["sourceTimestamp"]).ticks(),
    })
    .collect()
}

/// Counters come as UInt64, Int64 and Double.
fn whole(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_f64().filter(|number| number.fract() == 0.0).map(|number| number as u64))
}

pub(crate) fn time(value: &Value) -> DateTime {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("not a time: {value}"))
}

/// A gap of one series.
#[derive(Debug, Clone)]
pub(crate) struct Gap {
    pub(crate) series: u64,
    pub(crate) from: Option<DateTime>,
    pub(crate) to: Option<DateTime>,
    pub(crate) reason: String,
    pub(crate) count: Option<u64>,
    pub(crate) closed: bool,
}

/// The whole ledger.
pub(crate) fn gaps(rest: &Rest) -> Vec<Gap> {
    let mut all = Vec::new();
    let mut token = String::new();
    loop {
        let page = rest.get(&format!("/api/v1/gaps?limit=500{token}"));
        for item in page["items"].as_array().expect("a list of gaps") {
            let bound = |name: &str| item[name].as_str().map(|text| text.parse().expect("a time"));
            all.push(Gap {
                series: item["series"].as_u64().expect("a series"),
                from: bound("from"),
                to: bound("to"),
                reason: item["reason"].as_str().unwrap_or_default().to_owned(),
                count: item["count"].as_u64(),
                closed: item["closed"].as_bool().unwrap_or_default(),
            });
        }
        match page["continuationToken"].as_str() {
            Some(next) => token = format!("&continuationToken={next}"),
            None => return all,
        }
    }
}

/// When a count is due: epoch + value × period.
pub(crate) struct Clockwork {
    pub(crate) epoch: DateTime,
}

impl Clockwork {
    /// The counters of other people's servers begin with 2026.
    pub(crate) fn of_peers() -> Self {
        Self { epoch: "2026-01-01T00:00:00Z".parse().expect("a time") }
    }

    fn due(&self, value: u64) -> i64 {
        self.epoch.ticks() + (value * PERIOD_MS * 10_000) as i64
    }

    /// Checks order, times and single storage; returns the missing counts as ranges `(after, before)`.
    pub(crate) fn check(&self, series: &Series, counts: &[Count]) -> Vec<(u64, u64)> {
        let mut holes = Vec::new();
        for count in counts {
            assert_eq!(
                count.ticks,
                self.due(count.value),
                "{series:?}: count {} has the wrong time",
                count.value
            );
        }
        for pair in counts.windows(2) {
            let [before, after] = [pair[0], pair[1]];
            assert!(after.value > before.value, "{series:?}: {} comes after {}", after.value, before.value);
            if after.value > before.value + 1 {
                holes.push((before.value, after.value));
            }
        }
        holes
    }

    /// Each hole lies inside one gap of its own series.
    pub(crate) fn check_holes(&self, series: &Series, holes: &[(u64, u64)], gaps: &[Gap]) {
        for (before, after) in holes {
            let (from, to) = (self.due(*before), self.due(*after));
            let covered = gaps.iter().filter(|gap| gap.series == series.id).any(|gap| {
                gap.from.is_none_or(|at| at.ticks() <= from + 10_000 * PERIOD_MS as i64)
                    && gap.to.is_none_or(|at| at.ticks() >= to - 10_000 * PERIOD_MS as i64)
            });
            let own: Vec<&Gap> = gaps.iter().filter(|gap| gap.series == series.id).collect();
            assert!(
                covered,
                "{series:?}: the counts between {before} and {after} ({} to {}) are missing without a word; ledger: {own:?}",
                DateTime::from_ticks(from),
                DateTime::from_ticks(to)
            );
        }
    }
}

/// Gaps by reason, for messages.
pub(crate) fn by_reason(gaps: &[Gap]) -> BTreeMap<String, usize> {
    let mut reasons = BTreeMap::new();
    for gap in gaps {
        *reasons.entry(gap.reason.clone()).or_default() += 1;
    }
    reasons
}
