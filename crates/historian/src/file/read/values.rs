//! Times, numbers and status of a span, read without the rows around them.

use super::{OpenFile, Span, Wanted, guarded, ticks};
use crate::error::{HistorianError, Result};
use crate::file::encode::SUB_PER_TICK;
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::Result as ParquetResult;
use parquet::file::serialized_reader::SerializedPageReader;
use std::ops::Range;
use std::sync::Arc;

/// Values, and a level for each row where there may be nulls.
type Leveled<V> = (Vec<V>, Vec<i16>);

/// What aggregates need of rows, column by column.
#[derive(Debug)]
pub(crate) struct Values {
    /// Ticks by which the rows sort, ascending.
    pub(crate) times: Vec<i64>,
    /// As many numbers; what is none is NaN.
    pub(crate) numbers: Vec<f64>,
    pub(crate) status: Statuses,
}

/// Status codes of rows.
#[derive(Debug)]
pub(crate) enum Statuses {
    /// All have this one.
    All(u32),
    Each(Vec<u32>),
}

impl OpenFile {
    /// The wanted rows of a span. `None` where only the rows themselves tell: they have no source time, values of
    /// several types, or values that are no numbers.
    pub(crate) fn values(&self, span: &Span, wanted: Wanted) -> Result<Option<Values>> {
        self.check(span.group)?;
        guarded(&self.path, || {
            self.read_values(span, wanted).map_err(|error| HistorianError::damaged(&self.path, error))
        })
    }

    fn read_values(&self, span: &Span, wanted: Wanted) -> ParquetResult<Option<Values>> {
        let constants = self.constants(span);
        let (true, Some(kind)) = (self.has_source_times(span), constants.kind) else { return Ok(None) };
        let group = span.group;
        let mut rows = match constants.series {
            Some(series) if series == wanted.series => span.rows.clone(),
            Some(_) => return Ok(Some(Values::none())),
            None => {
                let Some(ids) = self.dense::<Int64Type>(group, self.at.series, &span.rows)? else {
                    return Ok(None);
                };
                let start = ids.partition_point(|id| (*id as u64) < wanted.series);
                let end = ids.partition_point(|id| *id as u64 <= wanted.series);
                span.rows.start + start..span.rows.start + end
            }
        };
        let Some(mut times) = self.times(group, &rows)? else { return Ok(None) };
        let start = times.partition_point(|time| wanted.range.begins_after(*time));
        let end = times.partition_point(|time| wanted.range.begins_after(*time) || wanted.range.holds(*time));
        rows = rows.start + start..rows.start + end;
        times.truncate(end);
        times.drain(..start);
        let Some(numbers) = self.numbers(group, kind, &rows)? else { return Ok(None) };
        let status = match constants.status {
            Some(status) => Statuses::All(status),
            None => match self.dense::<Int32Type>(group, self.at.status, &rows)? {
                Some(all) => Statuses::Each(all.into_iter().map(|status| status as u32).collect()),
                None => return Ok(None),
            },
        };
        Ok(Some(Values { times, numbers, status }))
    }

    /// Source times of rows that all have one.
    fn times(&self, group: usize, rows: &Range<usize>) -> ParquetResult<Option<Vec<i64>>> {
        let Some(micros) = self.dense::<Int64Type>(group, self.at.source_ts, rows)? else { return Ok(None) };
        let mut times: Vec<i64> = micros.into_iter().map(ticks).collect();
        if self.used.contains(&self.at.source_sub) {
            let Some((subs, levels)) = self.column::<Int32Type>(group, self.at.source_sub, rows)? else {
                return Ok(None);
            };
            let mut subs = subs.into_iter();
            for (time, _) in times.iter_mut().zip(levels).filter(|(_, level)| *level > 0) {
                *time += subs.next().map_or(0, |sub| i64::from(sub as u32 / SUB_PER_TICK));
            }
        }
        Ok(Some(times))
    }

    /// Values of a built-in type as numbers; see [`crate::row::Row::number`].
    fn numbers(&self, group: usize, kind: u8, rows: &Range<usize>) -> ParquetResult<Option<Vec<f64>>> {
        match kind {
            10 | 11 => self.dense::<DoubleType>(group, self.at.f64, rows),
            1 | 2 | 4 | 6 | 8 => {
                let numbers = self.dense::<Int64Type>(group, self.at.i64, rows)?;
                Ok(numbers.map(|all| all.into_iter().map(|v| v as f64).collect()))
            }
            3 | 5 | 7 | 9 => {
                let numbers = self.dense::<Int64Type>(group, self.at.u64, rows)?;
                Ok(numbers.map(|all| all.into_iter().map(|v| v as u64 as f64).collect()))
            }
            _ => Ok(None),
        }
    }

    /// Values of a column that has one in each of the rows.
    fn dense<T: DataType>(
        &self,
        group: usize,
        column: usize,
        rows: &Range<usize>,
    ) -> ParquetResult<Option<Vec<T::T>>> {
        let read = self.column::<T>(group, column, rows)?;
        Ok(read.map(|(values, _)| values).filter(|values| values.len() == rows.len()))
    }

    /// Values of some rows of a column, and a level for each row where there may be nulls. `None` without an index.
    fn column<T: DataType>(
        &self,
        group: usize,
        column: usize,
        rows: &Range<usize>,
    ) -> ParquetResult<Option<Leveled<T::T>>> {
        let footer = self.metadata.metadata();
        let Some(facts) = footer.row_groups().get(group) else { return Ok(None) };
        let index = footer.offset_index().and_then(|index| index.get(group)?.get(column));
        let (Some(index), Some(chunk)) = (index, facts.columns().get(column)) else { return Ok(None) };
        let all = index.page_locations();
        let last = all.partition_point(|at| (at.first_row_index as usize) < rows.end);
        let end = all.get(last).map_or(facts.num_rows() as usize, |at| at.first_row_index as usize);
        // From the first page on, whatever is wanted: what is before the first that it is told of, the reader takes
        // for a dictionary. Pages that are skipped are not read.
        let pages = all.get(..last).unwrap_or_default().to_vec();
        let (mut values, mut levels) = (Vec::with_capacity(rows.len()), Vec::new());
        if rows.is_empty() || pages.is_empty() {
            return Ok(Some((values, levels)));
        }
        let pages = SerializedPageReader::new(Arc::new(self.file.clone()), chunk, end, Some(pages))?;
        let mut reader = ColumnReaderImpl::<T>::new(chunk.column_descr_ptr(), Box::new(pages));
        reader.skip_records(rows.start)?;
        reader.read_records(rows.len(), Some(&mut levels), None, &mut values)?;
        Ok(Some((values, levels)))
    }
}

impl Values {
    const fn none() -> Self {
        Self { times: Vec::new(), numbers: Vec::new(), status: Statuses::All(0) }
    }
}
