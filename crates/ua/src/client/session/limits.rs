//! How many operations a server takes in one call, read once and learnt from its refusals.

use super::{OpcUaSession, is_too_large};
use crate::client::error::UaError;
use gemba_model::{NodeId, Variant};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Operations in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationLimits {
    /// MaxNodesPerRead.
    pub nodes_per_read: usize,
    /// MaxNodesPerBrowse.
    pub nodes_per_browse: usize,
    /// MaxNodesPerMethodCall.
    pub nodes_per_method_call: usize,
    /// MaxMonitoredItemsPerCall.
    pub monitored_items_per_call: usize,
}

/// Where a server sets no limit, ours hold: large enough to cost nothing, small enough for one message.
const DEFAULTS: OperationLimits = OperationLimits {
    nodes_per_read: 1000,
    nodes_per_browse: 200,
    nodes_per_method_call: 100,
    monitored_items_per_call: 1000,
};

/// Which limit holds for a call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    Read,
    Browse,
    Call,
    MonitoredItems,
}

#[derive(Debug)]
pub(super) struct Limits {
    read: AtomicUsize,
    browse: AtomicUsize,
    call: AtomicUsize,
    monitored_items: AtomicUsize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            read: AtomicUsize::new(DEFAULTS.nodes_per_read),
            browse: AtomicUsize::new(DEFAULTS.nodes_per_browse),
            call: AtomicUsize::new(DEFAULTS.nodes_per_method_call),
            monitored_items: AtomicUsize::new(DEFAULTS.monitored_items_per_call),
        }
    }
}

/// Server_ServerCapabilities_OperationLimits_* (OPC 10000-5 v1.05, 6.3.11) in namespace 0.
const NODES: [(Operation, u32); 4] = [
    (Operation::Read, 11705),
    (Operation::Call, 11709),
    (Operation::Browse, 11710),
    (Operation::MonitoredItems, 11714),
];

impl Limits {
    /// Reads the limits. A server without them keeps the defaults.
    pub(super) async fn read(session: &OpcUaSession) -> Result<Self, UaError> {
        let limits = Self::default();
        let nodes: Vec<_> = NODES.iter().map(|(_, id)| NodeId::numeric(0, *id).into()).collect();
        let values = match session.read(&nodes).await {
            Ok(values) => values,
            Err(error) if error.ends_connection() => return Err(error),
            Err(error) => {
                tracing::info!(endpoint = session.options().endpoint_url, %error, "the server does not tell its limits");
                return Ok(limits);
            }
        };
        for ((operation, _), value) in NODES.iter().zip(values) {
            let found = match value.value {
                Variant::UInt32(limit) if limit > 0 => limit as usize,
                _ => continue,
            };
            let cell = limits.cell(*operation);
            cell.store(found.min(cell.load(Ordering::Relaxed)), Ordering::Relaxed);
        }
        Ok(limits)
    }

    fn cell(&self, operation: Operation) -> &AtomicUsize {
        match operation {
            Operation::Read => &self.read,
            Operation::Browse => &self.browse,
            Operation::Call => &self.call,
            Operation::MonitoredItems => &self.monitored_items,
        }
    }

    pub(super) fn current(&self) -> OperationLimits {
        OperationLimits {
            nodes_per_read: self.read.load(Ordering::Relaxed),
            nodes_per_browse: self.browse.load(Ordering::Relaxed),
            nodes_per_method_call: self.call.load(Ordering::Relaxed),
            monitored_items_per_call: self.monitored_items.load(Ordering::Relaxed),
        }
    }

    /// Calls `one` for parts of `items` that the server takes, and returns all answers in order. A call that
    /// is refused for its size is halved, and the session remembers.
    pub(super) async fn split<'a, T, R, F, Answer>(
        &self,
        operation: Operation,
        items: &'a [T],
        one: F,
    ) -> Result<Vec<R>, UaError>
    where
        F: Fn(&'a [T]) -> Answer,
        Answer: Future<Output = Result<Vec<R>, UaError>>,
    {
        let limit = self.cell(operation);
        let mut answers = Vec::with_capacity(items.len());
        let mut rest = items;
        while !rest.is_empty() {
            let size = limit.load(Ordering::Relaxed).clamp(1, rest.len());
            let (part, after) = rest.split_at(size);
            match one(part).await {
                Ok(found) => {
                    answers.extend(found);
                    rest = after;
                }
                Err(error) if size > 1 && error.status().is_some_and(is_too_large) => {
                    limit.store(size / 2, Ordering::Relaxed);
                }
                Err(error @ UaError::Timeout { .. }) if size > 1 => {
                    // Smaller calls are answered sooner; whether the server did this one all the same is open.
                    limit.store(size / 2, Ordering::Relaxed);
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gemba_model::StatusCode;

    #[tokio::test]
    async fn a_call_that_is_too_large_is_halved_until_it_passes_and_remembered() {
        let limits = Limits::default();
        let calls = std::sync::Mutex::new(Vec::new());
        let items: Vec<u32> = (0..10).collect();
        limits.cell(Operation::Read).store(8, Ordering::Relaxed);
        let answers = limits
            .split(Operation::Read, &items, |part| {
                calls.lock().expect("lock").push(part.len());
                let answer = if part.len() > 3 {
                    Err(UaError::Service {
                        endpoint: String::new(),
                        service: "Read",
                        status: StatusCode::from_name("BadTooManyOperations").expect("known"),
                    })
                } else {
                    Ok(part.to_vec())
                };
                async move { answer }
            })
            .await
            .expect("passes");
        assert_eq!(answers, items);
        assert_eq!(*calls.lock().expect("lock"), [8, 4, 2, 2, 2, 2, 2]);
        assert_eq!(limits.current().nodes_per_read, 2);
    }
}
