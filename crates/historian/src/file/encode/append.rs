//! Rows of a file that go into another as they stand, column by column.

use super::{GroupBuilder, TimeColumns};
use crate::file::chunk::Nullable;
use crate::file::decode::{Columns, Field, TimeFields};
use crate::file::received::millis;
use arrow_array::{Array, ArrowPrimitiveType};
use std::ops::Range;

impl GroupBuilder {
    /// Appends rows of another file; with `received` each gets its receive time, else those that it stands beside in
    /// that file.
    pub(crate) fn append(&mut self, columns: &Columns, rows: Range<usize>, received: bool) {
        let at = self.rows;
        self.rows += rows.len();
        required(&mut self.series, at, &columns.series, &rows, |v| v as i64);
        self.source.append(at, &columns.source, &rows);
        self.server.append(at, &columns.server, &rows);
        optional(&mut self.delay, at, &columns.delay, &rows, |v| v);
        if received {
            self.received.extend(at, rows.clone().map(|row| millis(columns.received_at(row))));
        } else {
            optional(&mut self.received, at, &columns.received, &rows, |v| v);
        }
        required(&mut self.kind, at, &columns.kind, &rows, i32::from);
        optional(&mut self.f64, at, &columns.f64, &rows, |v| v);
        optional(&mut self.i64, at, &columns.i64, &rows, |v| v);
        optional(&mut self.u64, at, &columns.u64, &rows, |v| v as i64);
        if columns.has_blobs() {
            for (row, at) in rows.clone().zip(at..) {
                if let Some(text) = columns.text_at(row) {
                    self.string.put(at, text.as_bytes());
                }
                if let Some(bytes) = columns.bytes_at(row) {
                    self.binary.put(at, bytes);
                }
            }
        }
        required(&mut self.status, at, &columns.status, &rows, |v| v as i32);
        required(&mut self.partition, at, &columns.partition, &rows, |v| v as i32);
        required(&mut self.offset, at, &columns.offset, &rows, |v| v as i64);
    }
}

impl TimeColumns {
    fn append(&mut self, at: usize, fields: &TimeFields, rows: &Range<usize>) {
        optional(&mut self.ts, at, &fields.ts, rows, |v| v);
        optional(&mut self.sub, at, &fields.sub, rows, |v| v as i32);
        optional(&mut self.ticks, at, &fields.ticks, rows, |v| v);
    }
}

/// Appends what some rows of a column hold, nulls included.
#[inline]
fn optional<T: ArrowPrimitiveType, V: Clone>(
    target: &mut Nullable<V>,
    at: usize,
    field: &Field<T>,
    rows: &Range<usize>,
    convert: impl Fn(T::Native) -> V,
) {
    match field {
        Field::Absent => {}
        Field::Constant(value) => target.extend(at, std::iter::repeat_n(convert(*value), rows.len())),
        Field::Dense(values) => {
            let values = values.get(rows.clone()).unwrap_or_default();
            target.extend(at, values.iter().map(|value| convert(*value)));
        }
        Field::Sparse(array) => {
            let valid = rows.clone().zip(at..).filter(|(row, _)| *row < array.len() && array.is_valid(*row));
            valid.for_each(|(row, at)| target.put(at, convert(array.value(row))));
        }
    }
}

/// The same of a column that has a value in each row; where a file lacks it, zero.
#[inline]
fn required<T: ArrowPrimitiveType, V: Clone + Default>(
    target: &mut Nullable<V>,
    at: usize,
    field: &Field<T>,
    rows: &Range<usize>,
    convert: impl Fn(T::Native) -> V,
) {
    optional(target, at, field, rows, convert);
    target.values.resize(at + rows.len(), V::default());
}
