//! Column chunks of a row group, with smallest and largest values of pages where readers look for them.
//!
//! Texts, bytes and what is finer than a microsecond go through the Parquet crate's own writer. Numbers do not: it
//! compares every value under the rules of its logical type, which costs more than everything else, and see
//! [`super::delta`].

mod builder;

use super::columns::{PAGE_ROWS, ZSTD_VALUES};
use super::delta::{self, Integer};
use builder::{ChunkBuilder, bounds, put_levels, put_run};
use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::writer::get_column_writer;
use parquet::data_type::DataType;
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor};
use std::io::Write;
use std::ops::Range;
use zstd::bulk::Compressor;

/// A column that may have nulls: its values, and a level for each row as soon as not all rows are alike.
#[derive(Debug)]
pub(super) struct Nullable<T> {
    pub(super) values: Vec<T>,
    /// 1 for a value, 0 for a null; empty as long as every row so far has a value.
    pub(super) levels: Vec<i16>,
}

impl<T> Default for Nullable<T> {
    fn default() -> Self {
        Self { values: Vec::new(), levels: Vec::new() }
    }
}

impl<T> Nullable<T> {
    /// Puts a value into a row; the rows since the last value are null.
    #[inline]
    pub(super) fn put(&mut self, row: usize, value: T) {
        if !self.levels.is_empty() || self.values.len() < row {
            self.fill(row);
            self.levels.push(1);
        }
        self.values.push(value);
    }

    /// Puts a value into each of some rows that follow each other; the rows since the last value are null.
    #[inline]
    pub(super) fn extend(&mut self, row: usize, values: impl ExactSizeIterator<Item = T>) {
        if !self.levels.is_empty() || self.values.len() < row {
            self.fill(row);
            self.levels.resize(row + values.len(), 1);
        }
        self.values.extend(values);
    }

    fn fill(&mut self, rows: usize) {
        if self.levels.is_empty() {
            self.levels.resize(self.values.len(), 1);
        }
        self.levels.resize(rows, 0);
    }

    /// Nulls up to a number of rows, if not every row has a value.
    pub(super) fn end(&mut self, rows: usize) {
        if !self.levels.is_empty() || self.values.len() < rows {
            self.fill(rows);
        }
    }

    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.levels.clear();
    }

    fn levels(&self, rows: Range<usize>) -> &[i16] {
        self.levels.get(rows).unwrap_or_default()
    }

    /// Values in some rows.
    fn count(&self, rows: Range<usize>) -> usize {
        if self.levels.is_empty() {
            return rows.len();
        }
        self.levels(rows).iter().map(|level| *level as usize).sum()
    }
}

/// Appends numbers as they stand in a page.
type Encode<V> = fn(&[V], &mut Vec<u8>);

/// How the values of a column compare: as the numbers that this makes of them.
pub(super) type Rank<V> = fn(V) -> i64;

pub(super) const fn signed(value: i64) -> i64 {
    value
}

pub(super) const fn unsigned(value: i32) -> i64 {
    value as u32 as i64
}

pub(super) const fn unsigned_64(value: i64) -> i64 {
    value ^ i64::MIN
}

/// A number that files keep as its bytes, least first.
pub(super) trait Plain: Copy {
    /// Appends the numbers.
    fn encode(values: &[Self], out: &mut Vec<u8>);
}

impl Plain for i64 {
    fn encode(values: &[Self], out: &mut Vec<u8>) {
        out.reserve(size_of_val(values));
        values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
    }
}

impl Plain for f64 {
    fn encode(values: &[Self], out: &mut Vec<u8>) {
        out.reserve(size_of_val(values));
        values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
    }
}

/// Writes the chunks of a row group, in the order of the schema.
pub(crate) struct Chunks<'a, 'b, W: Write> {
    pub(crate) group: &'a mut SerializedRowGroupWriter<'b, W>,
    pub(crate) schema: &'a SchemaDescriptor,
    pub(crate) properties: &'a WriterPropertiesPtr,
    /// For times, flags and offsets.
    pub(crate) compressor: &'a mut Compressor<'static>,
    /// For values.
    pub(crate) values: &'a mut Compressor<'static>,
    /// All columns have this many rows.
    pub(crate) rows: usize,
    pub(crate) next: usize,
}

impl<W: Write + Send> Chunks<'_, '_, W> {
    fn next(&mut self) -> ColumnDescPtr {
        self.next += 1;
        self.schema.column(self.next - 1)
    }

    /// Writes the next column as the properties say.
    pub(super) fn values<T: DataType>(&mut self, column: &Nullable<T::T>) -> Result<()> {
        let description = self.next();
        if column.values.is_empty() {
            return self.nulls::<T>(description);
        }
        let mut bytes = TrackedWrite::new(Vec::new());
        let pages = Box::new(SerializedPageWriter::new(&mut bytes));
        let writer = get_column_writer(description, self.properties.clone(), pages);
        let mut writer = T::get_column_writer(writer)
            .ok_or_else(|| ParquetError::General(format!("column {} is of another type", self.next)))?;
        let full;
        let levels: &[i16] = if column.levels.is_empty() {
            full = vec![1; self.rows];
            &full
        } else {
            &column.levels
        };
        writer.write_batch(&column.values, Some(levels), None)?;
        let mut close = writer.close()?;
        let nulls = (self.rows - column.values.len()) as u64;
        let statistics = Statistics::new::<T::T>(None, None, None, Some(nulls), false);
        close.metadata = close.metadata.into_builder().set_statistics(statistics).build()?;
        self.group.append_column(&Bytes::from(bytes.into_inner()?), close)
    }

    /// Writes the next column as differences; with a rank, pages get their smallest and largest values.
    pub(super) fn integers<T: DataType>(
        &mut self,
        column: &Nullable<T::T>,
        rank: Option<Rank<T::T>>,
    ) -> Result<()>
    where
        T::T: Integer,
    {
        self.pages::<T>(column, rank, (Encoding::DELTA_BINARY_PACKED, delta::encode::<T::T>))
    }

    /// Writes the next column as it is. The Parquet crate's writer does the same, with a new compressor for each chunk
    /// and a look at each level.
    pub(super) fn plain<T: DataType>(&mut self, column: &Nullable<T::T>) -> Result<()>
    where
        T::T: Plain,
    {
        self.pages::<T>(column, None, (Encoding::PLAIN, <T::T as Plain>::encode))
    }

    fn pages<T: DataType>(
        &mut self,
        column: &Nullable<T::T>,
        rank: Option<Rank<T::T>>,
        (encoding, encode): (Encoding, Encode<T::T>),
    ) -> Result<()>
    where
        T::T: Copy,
    {
        let description = self.next();
        if column.values.is_empty() {
            return self.nulls::<T>(description);
        }
        let compressor = if encoding == Encoding::PLAIN { &mut *self.values } else { &mut *self.compressor };
        let is_optional = description.max_def_level() > 0;
        let mut chunk = ChunkBuilder::new(T::get_physical_type(), rank.is_some());
        let mut rest = column.values.as_slice();
        let (mut body, mut extent) = (Vec::new(), None);
        for start in (0..self.rows).step_by(PAGE_ROWS) {
            let rows = start..self.rows.min(start + PAGE_ROWS);
            let (values, after) = rest.split_at_checked(column.count(rows.clone())).unwrap_or((rest, &[]));
            rest = after;
            body.clear();
            if is_optional {
                put_levels(column, rows.clone(), values.len(), &mut body);
            }
            encode(values, &mut body);
            let packed = compressor.compress(&body)?;
            let bounds = rank.and_then(|rank| bounds(values, rank));
            if let (Some(rank), Some(page)) = (rank, bounds) {
                let (min, max) = extent.unwrap_or(page);
                extent = Some((
                    if rank(page.0) < rank(min) { page.0 } else { min },
                    if rank(page.1) > rank(max) { page.1 } else { max },
                ));
            }
            chunk.page(packed, body.len(), encoding, rows.len())?;
            chunk.bounds(bounds.zip(rank), rows.len() - values.len());
        }
        let nulls = (self.rows - column.values.len()) as u64;
        let (min, max) = extent.unzip();
        let statistics = Statistics::new(min, max, None, Some(nulls), false);
        let compression = Compression::ZSTD(ZstdLevel::try_new(ZSTD_VALUES)?);
        let (bytes, close) = chunk.finish(description, compression, statistics, self.rows)?;
        self.group.append_column(&bytes, close)
    }

    /// Writes a column without any value.
    fn nulls<T: DataType>(&mut self, description: ColumnDescPtr) -> Result<()> {
        let mut chunk = ChunkBuilder::new(T::get_physical_type(), false);
        for start in (0..self.rows).step_by(PAGE_ROWS) {
            let rows = PAGE_ROWS.min(self.rows - start);
            let mut body = Vec::new();
            put_run(rows, 0, &mut body);
            let length = body.len();
            chunk.page(body, length, Encoding::PLAIN, rows)?;
        }
        let statistics = Statistics::new::<T::T>(None, None, None, Some(self.rows as u64), false);
        let (bytes, close) = chunk.finish(description, Compression::UNCOMPRESSED, statistics, self.rows)?;
        self.group.append_column(&bytes, close)
    }
}
