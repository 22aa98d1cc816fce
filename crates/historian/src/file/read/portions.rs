//! All rows of a file, page by page, as the columns that they are stored in.

use super::{OpenFile, Span, guarded};
use crate::error::{HistorianError, Result};
use crate::file::columns::PAGE_ROWS;
use crate::file::decode::{Columns, Constants};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use std::io;
use std::sync::Arc;

/// Goes through a file once, and holds one page of each column.
pub(crate) struct Portions {
    open: Arc<OpenFile>,
    group: usize,
    reader: Option<(ParquetRecordBatchReader, Constants)>,
}

impl Portions {
    pub(crate) const fn new(open: Arc<OpenFile>) -> Self {
        Self { open, group: 0, reader: None }
    }

    /// The row group that the last portion was of, or that an error is about.
    pub(crate) const fn group(&self) -> usize {
        self.group
    }

    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// When the row group is damaged or the disk fails; there is no going on then.
    pub(crate) fn next_portion(&mut self) -> Result<Option<Columns>> {
        let open = Arc::clone(&self.open);
        while self.group < open.groups.len() {
            if self.reader.is_none() {
                open.check(self.group)?;
                self.reader = Some(guarded(&open.path, || open.group_reader(self.group))?);
            }
            let Some((reader, constants)) = &mut self.reader else { break };
            let next = guarded(&open.path, || match reader.next() {
                Some(Ok(batch)) => Ok(Some(Columns::new(&batch, *constants, open.received.clone()))),
                Some(Err(error)) => Err(open.blame(self.group, &error)),
                None => Ok(None),
            })?;
            if let Some(columns) = next.filter(|columns| columns.rows() > 0) {
                return Ok(Some(columns));
            }
            self.reader = None;
            self.group += 1;
        }
        Ok(None)
    }
}

impl OpenFile {
    /// Reads all rows of a row group.
    fn group_reader(&self, group: usize) -> Result<(ParquetRecordBatchReader, Constants)> {
        let mut spans = Vec::new();
        self.group_spans(group, |_| true, &mut spans);
        let pages = spans.last().map_or(0, |last| last.pages.end);
        let rows = self.groups.get(group).map_or(0, |facts| facts.rows);
        let constants = self.constants(&Span { group, rows: 0..rows, pages: 0..pages });
        let reader =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.metadata.clone())
                .with_projection(self.projection(&constants, false))
                .with_row_groups(vec![group])
                .with_batch_size(PAGE_ROWS)
                .build()
                .map_err(|error: ParquetError| self.blame(group, &error))?;
        Ok((reader, constants))
    }

    /// Who is to blame that a row group cannot be decoded.
    pub(super) fn blame(&self, group: usize, error: &dyn std::fmt::Display) -> HistorianError {
        match self.verify(group) {
            Err(error) => error,
            // The bytes are right; it was the disk, for a moment, or it is us.
            Ok(()) => HistorianError::unread(&self.path, io::Error::other(error.to_string())),
        }
    }
}
