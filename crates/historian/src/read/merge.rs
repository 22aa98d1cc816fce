//! Merging sorted sources of rows.

use crate::error::HistorianError;
use crate::file::SampleFile;
use crate::file::read::{Detail, OpenFile, Span, Wanted};
use crate::read::buckets::Buckets;
use crate::row::Row;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Called with a file and row group that cannot be read; the merge goes on without it.
pub(crate) type OnDamage<'a> = dyn FnMut(&Arc<SampleFile>, usize, HistorianError) + 'a;

struct Pages {
    /// Keeps the file from being deleted while it is read.
    file: Arc<SampleFile>,
    open: Arc<OpenFile>,
    spans: VecDeque<Span>,
    wanted: Option<Wanted>,
}

/// One sorted source.
pub(crate) struct Cursor {
    /// Rows at hand, such that the next is the last.
    rows: Vec<Row>,
    pages: Option<Pages>,
}

impl Cursor {
    pub(crate) const fn memory(rows: Vec<Row>) -> Self {
        Self { rows, pages: None }
    }

    pub(crate) fn file(
        file: Arc<SampleFile>,
        open: Arc<OpenFile>,
        spans: Vec<Span>,
        wanted: Option<Wanted>,
    ) -> Self {
        let pages = Pages { file, open, spans: spans.into(), wanted };
        Self { rows: Vec::new(), pages: Some(pages) }
    }

    /// Whether the source is a file. Each of its samples is in it once: writers fold repeats.
    pub(crate) const fn is_file(&self) -> bool {
        self.pages.is_some()
    }

    /// Hands over all rows in order, as a merge of this source alone would.
    pub(crate) fn drain(
        &mut self,
        descending: bool,
        on_damage: &mut OnDamage<'_>,
        emit: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        loop {
            self.fill(descending, on_damage);
            if self.rows.is_empty() {
                return ControlFlow::Continue(());
            }
            while let Some(row) = self.rows.pop() {
                emit(row)?;
            }
        }
    }

    /// Hands over all rows of a file in order, as columns where that is possible.
    pub(crate) fn aggregate(&mut self, buckets: &mut Buckets, on_damage: &mut OnDamage<'_>) {
        let Some(Pages { file, open, spans, wanted: Some(wanted), .. }) = &mut self.pages else { return };
        while let Some(span) = spans.pop_front() {
            let outcome = open.values(&span, *wanted).and_then(|values| {
                match values {
                    Some(values) => buckets.extend(&values),
                    None => {
                        let rows = open.load(&span, Some(*wanted), Detail::Value)?;
                        rows.iter().for_each(|row| buckets.push(row));
                    }
                }
                Ok(())
            });
            if let Err(error) = outcome {
                on_damage(file, span.group, error);
                spans.retain(|other| other.group != span.group);
            }
        }
    }

    fn fill(&mut self, descending: bool, on_damage: &mut OnDamage<'_>) {
        let Some(pages) = &mut self.pages else { return };
        while self.rows.is_empty() {
            let next = if descending { pages.spans.pop_back() } else { pages.spans.pop_front() };
            let Some(span) = next else { return };
            match pages.open.load(&span, pages.wanted, Detail::Full) {
                Ok(rows) => self.rows = rows,
                Err(error) => {
                    on_damage(&pages.file, span.group, error);
                    pages.spans.retain(|other| other.group != span.group);
                }
            }
            if !descending {
                self.rows.reverse();
            }
        }
    }
}

/// Rows of several sources in one order: series, time, arrival.
pub(crate) struct Merge {
    cursors: Vec<Cursor>,
    descending: bool,
    prepared: bool,
}

impl Merge {
    pub(crate) fn new(mut cursors: Vec<Cursor>, descending: bool) -> Self {
        if !descending {
            cursors
                .iter_mut()
                .filter(|cursor| cursor.pages.is_none())
                .for_each(|cursor| cursor.rows.reverse());
        }
        Self { cursors, descending, prepared: false }
    }

    pub(crate) fn next(&mut self, on_damage: &mut OnDamage<'_>) -> Option<Row> {
        if !self.prepared {
            self.prepared = true;
            self.cursors.iter_mut().for_each(|cursor| cursor.fill(self.descending, on_damage));
            self.cursors.retain(|cursor| !cursor.rows.is_empty());
        }
        let index = self.first()?;
        let cursor = self.cursors.get_mut(index)?;
        let row = cursor.rows.pop();
        if cursor.rows.is_empty() {
            cursor.fill(self.descending, on_damage);
            if cursor.rows.is_empty() {
                self.cursors.remove(index);
            }
        }
        row
    }

    /// The source whose next row comes first. Rows of one message are in one source, so ties need no rule.
    fn first(&self) -> Option<usize> {
        if self.cursors.len() <= 1 {
            return (!self.cursors.is_empty()).then_some(0);
        }
        let heads = self.cursors.iter().enumerate().filter_map(|(index, cursor)| {
            let row = cursor.rows.last()?;
            Some(((row.series, row.key()), index))
        });
        let found = if self.descending { heads.max() } else { heads.min() };
        found.map(|(_, index)| index)
    }
}
