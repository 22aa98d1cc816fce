//! How old values are when a reader can first have them: from the source's timestamp to an answer over REST.

use crate::chain::Chain;
use anyhow::{Context, Result, bail};
use gemba_model::DateTime;
use serde_json::Value;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Series that are watched, spread over all.
const SERIES: u64 = 24;
/// Between two rounds of questions; a value's age is known as exactly as this and the round itself.
const ROUND: Duration = Duration::from_millis(5);

/// Ages in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ages {
    pub(super) p50: u64,
    pub(super) p99: u64,
    pub(super) values: usize,
}

/// Watches for a time.
pub(super) fn measure(chain: &Chain, time: Duration) -> Result<Ages> {
    let count = chain.series()?;
    let step = (count / SERIES).max(1);
    let ids: Vec<u64> = (1..=count).step_by(step as usize).collect();
    let mut known: Vec<Option<DateTime>> = vec![None; ids.len()];
    let mut ages = Vec::new();
    let end = Instant::now() + time;
    let mut is_first = true;
    while Instant::now() < end {
        for (id, known) in ids.iter().zip(&mut known) {
            let last = chain.get(&format!("/api/v1/series/{id}/last"))?;
            let text = last.get("sourceTimestamp").and_then(Value::as_str);
            let time: DateTime = text.context("a value has no source timestamp")?.parse()?;
            if known.replace(time) != Some(time) && !is_first {
                ages.push(now()?.ticks().saturating_sub(time.ticks()).max(0) as u64 / 10_000);
            }
        }
        is_first = false;
        std::thread::sleep(ROUND);
    }
    ages.sort_unstable();
    let at = |part: usize| ages.get(ages.len() * part / 100).copied();
    match (at(50), at(99)) {
        (Some(p50), Some(p99)) => Ok(Ages { p50, p99, values: ages.len() }),
        _ => bail!("no new value in {time:?}"),
    }
}

fn now() -> Result<DateTime> {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_nanos();
    Ok(DateTime::from_unix_nanos(i128::try_from(nanos).unwrap_or(i128::MAX)))
}
