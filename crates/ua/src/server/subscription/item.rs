//! A monitored item: what it watches, how it filters, and the values that wait (OPC 10000-4 v1.05, 5.13.1).

use crate::server::convert::Codec;
use crate::server::declaration::VariableHandle;
use crate::server::stored::{OVERFLOW, Stored, Timestamps};
use opcua::types::{DataValue, MonitoringMode, ParsedDataChangeFilter};
use std::collections::VecDeque;

/// What an item watches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::server) enum Target {
    /// The value of a variable that is written.
    Variable(VariableHandle),
    /// A variable of the standard that changes by itself, such as CurrentTime: looked at at each publishing.
    Clock(u32),
    /// What never changes: the first value is the only one.
    Constant,
}

/// A filter that a client asked for, with the last value that passed it.
pub(in crate::server) struct Filter {
    pub(in crate::server) parsed: ParsedDataChangeFilter,
    pub(in crate::server) last: Option<DataValue>,
}

/// What a client may change of an item.
pub(in crate::server) struct Parameters {
    pub(in crate::server) client_handle: u32,
    pub(in crate::server) timestamps: Timestamps,
    /// At least 1.
    pub(in crate::server) queue_size: usize,
    pub(in crate::server) discard_oldest: bool,
    pub(in crate::server) filter: Option<Box<Filter>>,
}

pub(in crate::server) struct Item {
    pub(in crate::server) id: u32,
    pub(in crate::server) target: Target,
    pub(in crate::server) mode: MonitoringMode,
    pub(in crate::server) parameters: Parameters,
    /// The EURange of what is watched, for percent deadbands.
    pub(in crate::server) range: Option<(f64, f64)>,
    pub(in crate::server) queue: VecDeque<Stored>,
    /// Stands in the subscription's list of items with values.
    pub(in crate::server) ready: bool,
}

impl Item {
    /// Takes a value in, unless the filter or the mode keeps it out. `changed` says whether value or status
    /// differ from the one before. Returns whether the item has just become ready to be reported.
    pub(in crate::server) fn offer(
        &mut self,
        value: &Stored,
        changed: bool,
        codec: &Codec,
        silent: bool,
    ) -> bool {
        if self.mode == MonitoringMode::Disabled {
            return false;
        }
        let passes = match &mut self.parameters.filter {
            None => changed,
            Some(filter) => filter.passes(value, codec),
        };
        if !passes {
            return false;
        }
        self.push(value.clone(), silent);
        self.becomes_ready()
    }

    /// Takes a value in whatever the filter says, as the first one.
    pub(in crate::server) fn begin(&mut self, value: &Stored, codec: &Codec) -> bool {
        if self.mode == MonitoringMode::Disabled {
            return false;
        }
        if let Some(filter) = &mut self.parameters.filter {
            filter.last = value.to_stack(Timestamps::BOTH, codec);
        }
        self.push(value.clone(), true);
        self.becomes_ready()
    }

    /// Takes in what a look at something that changes by itself found.
    pub(in crate::server) fn refresh(&mut self, value: &Stored) -> bool {
        if self.mode == MonitoringMode::Disabled || self.queue.back() == Some(value) {
            return false;
        }
        self.push(value.clone(), true);
        self.becomes_ready()
    }

    fn becomes_ready(&mut self) -> bool {
        if self.ready || self.mode != MonitoringMode::Reporting || self.queue.is_empty() {
            return false;
        }
        self.ready = true;
        true
    }

    /// Sampling goes on in the modes Sampling and Reporting, and only Reporting sends.
    pub(in crate::server) fn switch(&mut self, mode: MonitoringMode) -> bool {
        self.mode = mode;
        match mode {
            MonitoringMode::Disabled => {
                self.queue.clear();
                if let Some(filter) = &mut self.parameters.filter {
                    filter.last = None;
                }
                false
            }
            _ => self.becomes_ready(),
        }
    }

    /// A smaller queue keeps the newest or the oldest values, as the item discards.
    pub(in crate::server) fn resize(&mut self, queue_size: usize) {
        self.parameters.queue_size = queue_size;
        while self.queue.len() > queue_size {
            let end = if self.parameters.discard_oldest {
                self.queue.pop_front();
                self.queue.front_mut()
            } else {
                self.queue.pop_back();
                self.queue.back_mut()
            };
            mark(end);
        }
    }

    fn push(&mut self, value: Stored, silent: bool) {
        if self.queue.len() < self.parameters.queue_size {
            self.queue.push_back(value);
            return;
        }
        let end = if self.parameters.discard_oldest {
            self.queue.pop_front();
            self.queue.push_back(value);
            self.queue.front_mut()
        } else {
            self.queue.pop_back();
            self.queue.push_back(value);
            self.queue.back_mut()
        };
        if !silent {
            mark(end);
        }
    }
}

/// The value beside the hole says that there is one.
fn mark(value: Option<&mut Stored>) {
    if let Some(value) = value {
        value.status |= OVERFLOW;
    }
}

impl Filter {
    fn passes(&mut self, value: &Stored, codec: &Codec) -> bool {
        let Some(value) = value.to_stack(Timestamps::BOTH, codec) else { return true };
        let passes = self.last.as_ref().is_none_or(|last| self.parsed.is_changed(&value, last));
        if passes {
            self.last = Some(value);
        }
        passes
    }
}
