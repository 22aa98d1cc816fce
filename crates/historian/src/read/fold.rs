//! Folding of repeats: the same sample delivered twice under two numbers is shown once, where it came first.

use crate::row::Row;
use std::collections::VecDeque;
use std::ops::ControlFlow;

/// Rows of equal time that are compared with each other. A clock that stands still makes groups without end;
/// beyond this distance repeats are shown.
const WINDOW: usize = 64;

/// Drops repeats from a stream of rows in order.
#[derive(Debug)]
pub(crate) struct Folder {
    descending: bool,
    /// Rows of one series and time: the last shown ones when ascending, the next to show when descending.
    group: VecDeque<Row>,
}

impl Folder {
    pub(crate) const fn new(descending: bool) -> Self {
        Self { descending, group: VecDeque::new() }
    }

    /// Takes the next row and emits what is ready.
    pub(crate) fn push(&mut self, row: Row, emit: &mut dyn FnMut(Row) -> ControlFlow<()>) -> ControlFlow<()> {
        let goes_on =
            self.group.front().is_some_and(|first| (first.series, first.time) == (row.series, row.time));
        if !goes_on {
            self.finish(emit)?;
            self.group.push_back(row);
            return ControlFlow::Continue(());
        }
        if self.descending {
            // Older rows of the group are still to come; the one that came first is the one to show.
            if self.group.len() >= WINDOW {
                self.emit_newest(emit)?;
            }
            self.group.push_back(row);
        } else {
            if self.group.iter().any(|shown| shown.repeats(&row)) {
                return ControlFlow::Continue(());
            }
            if self.group.len() >= WINDOW
                && let Some(oldest) = self.group.pop_front()
            {
                emit(oldest)?;
            }
            self.group.push_back(row);
        }
        ControlFlow::Continue(())
    }

    /// Emits what is left.
    pub(crate) fn finish(&mut self, emit: &mut dyn FnMut(Row) -> ControlFlow<()>) -> ControlFlow<()> {
        if self.descending {
            while !self.group.is_empty() {
                self.emit_newest(emit)?;
            }
            return ControlFlow::Continue(());
        }
        while let Some(row) = self.group.pop_front() {
            emit(row)?;
        }
        ControlFlow::Continue(())
    }

    fn emit_newest(&mut self, emit: &mut dyn FnMut(Row) -> ControlFlow<()>) -> ControlFlow<()> {
        match self.group.pop_front() {
            Some(row) if !self.group.iter().any(|older| older.repeats(&row)) => emit(row),
            _ => ControlFlow::Continue(()),
        }
    }
}
