//! What the store holds in memory, beside what it may.

use super::Engine;
use crate::row::Row;
use gemba_base::{Gauge, Metrics};

/// Gauges of one part of memory.
#[derive(Debug)]
struct Part {
    bytes: Gauge,
    budget: Option<Gauge>,
}

/// Gauges of all parts.
#[derive(Debug)]
pub(crate) struct MemoryGauges {
    memtable: Part,
    frozen: Part,
    pending: Part,
    ledger: Part,
    footers: Part,
    newest: Part,
    series: Part,
    series_count: Gauge,
    files: Gauge,
}

impl MemoryGauges {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let part = |name: &str, is_bounded: bool| Part {
            bytes: metrics.gauge(
                "gemba_historian_memory_bytes",
                "Memory that parts of the historian take.",
                &[("part", name)],
            ),
            budget: is_bounded.then(|| {
                metrics.gauge(
                    "gemba_historian_memory_budget_bytes",
                    "Memory that parts of the historian may take; at it, ingest waits or the oldest goes.",
                    &[("part", name)],
                )
            }),
        };
        Self {
            memtable: part("memtable", true),
            frozen: part("frozen", true),
            pending: part("pending", true),
            ledger: part("ledger", true),
            footers: part("footers", true),
            newest: part("newest", false),
            series: part("series", false),
            series_count: metrics.gauge("gemba_historian_series", "Series in the dictionary.", &[]),
            files: metrics.gauge("gemba_historian_files", "Sample files in the manifest.", &[]),
        }
    }
}

impl Part {
    fn set(&self, bytes: usize, budget: usize) {
        let number = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.bytes.set(number(bytes));
        if let Some(gauge) = &self.budget {
            gauge.set(number(budget));
        }
    }
}

impl Engine {
    /// Brings the gauges up to date.
    pub(crate) fn measure(&self, gauges: &MemoryGauges) {
        let options = &self.options;
        let files = self.with_state(|state| {
            let frozen: usize = state.frozen.iter().map(|frozen| frozen.memtable.memory()).sum();
            gauges.memtable.set(state.active.memory(), options.memtable_bytes_max);
            gauges.frozen.set(frozen, options.memtable_bytes_max.saturating_mul(super::FROZEN_MAX));
            gauges.pending.set(state.pending.bytes(), options.pending_bytes_max);
            gauges.ledger.set(state.ledger.memory(), crate::ledger::memory(options.gaps_max));
            gauges.series.set(state.series.memory(), 0);
            gauges.series_count.set(state.series.len() as i64);
            gauges.newest.set(state.last.len() * size_of::<Option<Row>>() + state.last_bytes, 0);
            state.files.clone()
        });
        gauges.footers.set(files.iter().map(|file| file.footer_bytes()).sum(), options.footer_bytes_max);
        gauges.files.set(files.iter().count() as i64);
    }
}
