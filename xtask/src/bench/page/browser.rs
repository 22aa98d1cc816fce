//! A browser before the page; the measuring itself is `web/journeys/scale.mjs`.

use crate::{peers, root, run};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

/// What the script says, with the size of the shell.
pub(super) fn measure(first_start: &str, series: &[u64], search: &str, minutes: f64) -> Result<Value> {
    let web = root().join("web");
    let chromium = peers::program("chromium").context("there is no chromium")?;
    let series: Vec<String> = series.iter().map(u64::to_string).collect();
    let mut command = Command::new("node");
    command.args(["journeys/scale.mjs", "--first-start", first_start, "--all", "--json"]);
    command.args(["--series", &series.join(","), "--search", search, "--minutes", &minutes.to_string()]);
    command.env("GEMBA_CHROMIUM", chromium).current_dir(&web).stderr(Stdio::inherit());
    let output = command.output().context("node cannot be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("journeys/scale.mjs failed ({}): {text}", output.status);
    }
    let line = text.lines().rfind(|line| line.starts_with('{')).context("the script printed no figures")?;
    let mut figures: Value = serde_json::from_str(line)?;
    let shell = run::output(Command::new("node").arg("scripts/check-size.mjs").current_dir(&web))?;
    if let Some(figures) = figures.as_object_mut() {
        let line = shell.lines().next().unwrap_or_default();
        figures.insert("shell".to_owned(), json!(line.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    Ok(figures)
}

/// The figures for people.
pub(super) fn lines(figures: &Value) -> Vec<String> {
    let text = |path: &str| figures.pointer(path).and_then(Value::as_str).unwrap_or("?").to_owned();
    let number = |path: &str| of(figures, path);
    let mut lines = vec![
        text("/shell"),
        format!(
            "first row of the series page {:.0} ms, main thread {:.0} ms, {:.0} KB of scripts",
            number("/opening/firstRowMillis"),
            number("/opening/mainThreadMillis"),
            number("/opening/scriptsKB")
        ),
        format!(
            "search: main thread {:.1} ms a key, found {:.0} ms after the first of {:.0} keys",
            number("/search/mainThreadMillisPerKey"),
            number("/search/untilFoundMillis"),
            number("/search/keys")
        ),
        format!(
            "all {:.0} rows loaded by scrolling: {:.0} s, main thread {:.1} s, ms a frame of the last quarter: \
             mean {:.1}, p99 {:.1}, max {:.1}; heap {:.0} MB",
            number("/all/rows"),
            number("/all/seconds"),
            number("/all/mainThreadSeconds"),
            number("/all/mainThreadMillisOfLastQuarter/mean"),
            number("/all/mainThreadMillisOfLastQuarter/p99"),
            number("/all/mainThreadMillisOfLastQuarter/max"),
            number("/all/heapMB")
        ),
    ];
    let scrolling = figures.pointer("/scrolling").and_then(Value::as_array);
    lines.extend(scrolling.into_iter().flatten().map(scrolled));
    lines.push(format!(
        "{:.0} live series at 10 Hz for {:.1} minutes: main thread {:.1} % of a core, whole browser {:.1} %; \
         heap {:.1} to {:.1} MB, DOM nodes {:.0} to {:.0}",
        number("/trends/series"),
        number("/trends/minutes"),
        number("/trends/mainThreadPercent"),
        number("/trends/browserPercent"),
        number("/trends/begin/heap"),
        number("/trends/end/heap"),
        number("/trends/begin/nodes"),
        number("/trends/end/nodes")
    ));
    lines
}

fn scrolled(figures: &Value) -> String {
    let from = figures.get("from").and_then(Value::as_str).unwrap_or("?");
    format!(
        "scrolling {:.0} px a frame from {from}: {:.0} frames, {:.0} over 17 ms, {:.0} over 34 ms; \
         main thread ms a frame: mean {:.1}, p95 {:.1}, p99 {:.1}, max {:.1}; {:.0} frames with waiting rows",
        of(figures, "/pixelsPerFrame"),
        of(figures, "/frames"),
        of(figures, "/over17Millis"),
        of(figures, "/over34Millis"),
        of(figures, "/mainThreadMillis/mean"),
        of(figures, "/mainThreadMillis/p95"),
        of(figures, "/mainThreadMillis/p99"),
        of(figures, "/mainThreadMillis/max"),
        of(figures, "/framesWithWaitingRows")
    )
}

fn of(figures: &Value, path: &str) -> f64 {
    figures.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN)
}
