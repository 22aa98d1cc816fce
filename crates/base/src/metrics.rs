//! Counters and gauges, and their text for Prometheus.
//!
//! Names are `gemba_<area>_<noun>_<unit>[_total]`; labels come from closed sets (a stage, a reason), never
//! from node or device ids, so that the number of lines is bounded.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Only grows.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
    /// The sum so far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Goes up and down.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }
    /// Adds `n`, which may be negative.
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
    /// The value now.
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
enum Cell {
    Counter(Counter),
    Gauge(Gauge),
}

#[derive(Debug)]
struct Family {
    help: &'static str,
    /// Rendered labels, such as `{stage="edge"}`, to the cell.
    cells: BTreeMap<String, Cell>,
}

/// All metrics of a process. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Mutex<BTreeMap<&'static str, Family>>>);

impl Metrics {
    /// The counter of this name and these labels, made at first use.
    pub fn counter(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Counter {
        let mut families = self.0.lock();
        let family = families.entry(name).or_insert_with(|| Family { help, cells: BTreeMap::new() });
        match family.cells.entry(render(labels)).or_insert_with(|| Cell::Counter(Counter::default())) {
            Cell::Counter(counter) => counter.clone(),
            // A name used for both kinds is a mistake in the program; a detached counter harms nobody.
            Cell::Gauge(_) => Counter::default(),
        }
    }

    /// The gauge of this name and these labels, made at first use.
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Gauge {
        let mut families = self.0.lock();
        let family = families.entry(name).or_insert_with(|| Family { help, cells: BTreeMap::new() });
        match family.cells.entry(render(labels)).or_insert_with(|| Cell::Gauge(Gauge::default())) {
            Cell::Gauge(gauge) => gauge.clone(),
            Cell::Counter(_) => Gauge::default(),
        }
    }

    /// Everything in Prometheus' text format 0.0.4.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, family) in &*self.0.lock() {
            let kind = if matches!(family.cells.values().next(), Some(Cell::Gauge(_))) {
                "gauge"
            } else {
                "counter"
            };
            text.push_str(&format!("# HELP {name} {}\n# TYPE {name} {kind}\n", family.help));
            for (labels, cell) in &family.cells {
                let value = match cell {
                    Cell::Counter(counter) => counter.value().to_string(),
                    Cell::Gauge(gauge) => gauge.value().to_string(),
                };
                text.push_str(&format!(
                    "{name}{labels} {value}
"
                ));
            }
        }
        text
    }
}

fn render(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| {
            format!("{key}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
        })
        .collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn text_lists_every_cell_once() {
        let metrics = Metrics::default();
        metrics.counter("gemba_edge_messages_total", "messages queued", &[]).add(2);
        metrics.counter("gemba_edge_messages_total", "messages queued", &[]).add(1);
        metrics.gauge("gemba_queue_bytes", "bytes waiting", &[("stage", "edge")]).set(-4);
        expect![[r##"
            # HELP gemba_edge_messages_total messages queued
            # TYPE gemba_edge_messages_total counter
            gemba_edge_messages_total 3
            # HELP gemba_queue_bytes bytes waiting
            # TYPE gemba_queue_bytes gauge
            gemba_queue_bytes{stage="edge"} -4
        "##]]
        .assert_eq(&metrics.text());
    }
}
