//! What must stay small: memory beside its budgets, and disks once everything was delivered.

use crate::edge::{self, Edge};
use crate::platform::{Platform, RETENTION_BYTES, SEGMENT_BYTES};
use crate::trace::Trace;
use gemba_base::Metrics;

/// A message that is taken in may bring a part over its budget once.
const ONE_MESSAGE_BYTES: i64 = 64 << 10;
const PARTS: [&str; 5] = ["memtable", "frozen", "pending", "ledger", "footers"];

/// Parts of the historian's memory over their budget, as it says itself.
pub(crate) fn memory(metrics: &Metrics) -> Option<String> {
    let value = |name, part| metrics.gauge(name, "", &[("part", part)]).value();
    PARTS.into_iter().find_map(|part| {
        let bytes = value("gemba_historian_memory_bytes", part);
        let budget = value("gemba_historian_memory_budget_bytes", part);
        let is_over = budget == 0 || bytes > budget + ONE_MESSAGE_BYTES;
        is_over.then(|| format!("the historian's {part} takes {bytes} bytes of {budget}"))
    })
}

/// Long after the last value: what was delivered is gone from the edges, what the historian has from the hub, and
/// nobody is logged in twice.
pub(crate) fn at_rest(edges: &[Edge], platform: &Platform, trace: &Trace) {
    for edge in edges {
        // The newest segment stays, and one may be there in advance.
        let (bytes, most) = (edge.log_bytes(), 3 * edge::SEGMENT_BYTES);
        if bytes > most {
            let name = edge.name();
            trace.violation(format_args!(
                "{name} delivered everything and keeps {bytes} bytes, {most} are due"
            ));
        }
    }
    for state in platform.states() {
        let most = RETENTION_BYTES + 2 * SEGMENT_BYTES;
        if state.bytes > most {
            trace.violation(format_args!(
                "the hub keeps more than {most} bytes of what the historian has: {state:?}"
            ));
        }
    }
    let sessions = platform.sessions();
    if sessions != edges.len() as i64 {
        trace.violation(format_args!("{} edges have {sessions} sessions", edges.len()));
    }
}
