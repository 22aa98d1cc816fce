//! The page over 100,000 series in a real browser, and what a thousand pages' live streams cost the platform.

mod browser;
mod streams;

use crate::chain::{Chain, Setup};
use crate::run;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const SERIES: u64 = 100_000;
/// Series on one page of trends, and of each live stream.
const CHARTED: usize = 12;
/// The plants: a server whose tags are charted while they change ten times a second, and the many others.
const PLANTS: [&[&str]; 2] = [
    &["load", "--kind", "waveform", "--servers", "1", "--tags", "20", "--period", "100"],
    &["load", "--kind", "waveform", "--servers", "20", "--tags", "4999", "--period", "10000"],
];
/// One series of one server, as somebody would look for it.
const SEARCH: &str = "tag4711 load-017";

/// What was measured.
pub(super) struct Figures {
    series: u64,
    streams: Vec<streams::Figure>,
    browser: Value,
}

/// `time` for each figure of the streams, `minutes` of live series in the browser.
pub(super) fn measure(binary: &Path, time: Duration, minutes: f64) -> Result<Figures> {
    run::say(&format!("page: {SERIES} series of 21 servers, 20 of them at 10 Hz …"));
    let chain = Chain::start(binary, &Setup { plants: &PLANTS, ..Setup::default() })?;
    chain.wait_until_flowing()?;
    let series = chain.series()?;
    if series != SERIES {
        bail!("the platform knows {series} series");
    }
    let fast = fast(&chain)?;
    run::say("page: live streams …");
    let streams = streams::measure(&chain, &fast, series, time)?;
    run::say("page: browser …");
    let browser = browser::measure(&chain.first_start()?, &fast, SEARCH, minutes)?;
    Ok(Figures { series, streams, browser })
}

/// Series that change ten times a second.
fn fast(chain: &Chain) -> Result<Vec<u64>> {
    let endpoints = chain.endpoints(0)?;
    let endpoint = endpoints.first().context("the first plant has no server")?;
    let found = chain.get(&format!("/api/v1/series?limit={CHARTED}&search={}", escaped(endpoint)))?;
    let items = found.get("items").and_then(Value::as_array).context("no list of series")?;
    let ids: Vec<u64> = items.iter().filter_map(|item| item.get("id")?.as_u64()).collect();
    if ids.len() != CHARTED {
        bail!("{} series of {endpoint} are known", ids.len());
    }
    Ok(ids)
}

fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

impl Figures {
    pub(super) fn json(&self) -> Value {
        let streams: Vec<Value> = self.streams.iter().map(streams::Figure::json).collect();
        json!({ "series": self.series, "streams": streams, "browser": self.browser })
    }

    pub(super) fn print(&self) {
        run::say(&format!("\nThe page, {} series:", self.series));
        browser::lines(&self.browser).iter().for_each(|line| run::say(&format!("  {line}")));
        run::say(&format!("\n{}", streams::HEAD));
        self.streams.iter().for_each(|figure| run::say(&figure.row()));
    }
}
