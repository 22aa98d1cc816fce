//! One column chunk: its pages, their places and bounds.

use super::{Nullable, Rank};
use crate::file::delta;
use bytes::Bytes;
use parquet::basic::{BoundaryOrder, Compression, Encoding, PageType};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::AsBytes;
use parquet::errors::Result;
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder, PageEncodingStats,
};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use std::ops::Range;

/// A chunk under construction.
pub(super) struct ChunkBuilder {
    sink: TrackedWrite<Vec<u8>>,
    encoding: Encoding,
    pages: i32,
    uncompressed: usize,
    offsets: OffsetIndexBuilder,
    bounds: Option<ColumnIndexBuilder>,
    /// Ranks of the page before.
    before: Option<(i64, i64)>,
    is_ascending: bool,
}

impl ChunkBuilder {
    pub(super) fn new(kind: parquet::basic::Type, with_bounds: bool) -> Self {
        Self {
            sink: TrackedWrite::new(Vec::new()),
            encoding: Encoding::PLAIN,
            pages: 0,
            uncompressed: 0,
            offsets: OffsetIndexBuilder::new(),
            bounds: with_bounds.then(|| ColumnIndexBuilder::new(kind)),
            before: None,
            is_ascending: true,
        }
    }

    pub(super) fn page(
        &mut self,
        body: Vec<u8>,
        uncompressed: usize,
        encoding: Encoding,
        rows: usize,
    ) -> Result<()> {
        let page = Page::DataPage {
            buf: body.into(),
            num_values: rows as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let written =
            SerializedPageWriter::new(&mut self.sink).write_page(CompressedPage::new(page, uncompressed))?;
        self.offsets.append_offset_and_size(written.offset as i64, written.compressed_size as i32);
        self.offsets.append_row_count(rows as i64);
        self.uncompressed += written.uncompressed_size;
        self.pages += 1;
        self.encoding = encoding;
        Ok(())
    }

    /// Smallest and largest value of the last page, which has some nulls.
    pub(super) fn bounds<V: Copy + AsBytes>(&mut self, bounds: Option<((V, V), Rank<V>)>, nulls: usize) {
        let Some(builder) = &mut self.bounds else { return };
        let Some(((min, max), rank)) = bounds else {
            return builder.append(true, Vec::new(), Vec::new(), nulls as i64);
        };
        let ranks = (rank(min), rank(max));
        self.is_ascending &= self.before.is_none_or(|before| before.0 <= ranks.0 && before.1 <= ranks.1);
        self.before = Some(ranks);
        builder.append(false, min.as_bytes().to_vec(), max.as_bytes().to_vec(), nulls as i64);
    }

    pub(super) fn finish(
        self,
        description: ColumnDescPtr,
        compression: Compression,
        statistics: Statistics,
        rows: usize,
    ) -> Result<(Bytes, ColumnCloseResult)> {
        let bytes = self.sink.into_inner()?;
        let pages =
            PageEncodingStats { page_type: PageType::DATA_PAGE, encoding: self.encoding, count: self.pages };
        let metadata = ColumnChunkMetaData::builder(description)
            .set_compression(compression)
            .set_encodings(vec![Encoding::RLE, self.encoding])
            .set_page_encoding_stats(vec![pages])
            .set_total_compressed_size(bytes.len() as i64)
            .set_total_uncompressed_size(self.uncompressed as i64)
            .set_num_values(rows as i64)
            .set_data_page_offset(0)
            .set_statistics(statistics)
            .build()?;
        let order = if self.is_ascending { BoundaryOrder::ASCENDING } else { BoundaryOrder::UNORDERED };
        let column_index = self.bounds.map(|mut builder| {
            builder.set_boundary_order(order);
            builder.build()
        });
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: rows as u64,
            metadata,
            bloom_filter: None,
            column_index: column_index.transpose()?,
            offset_index: Some(self.offsets.build()),
        };
        Ok((bytes.into(), close))
    }
}

/// Appends the levels of some rows as Parquet's RLE hybrid of one bit, with its length before it.
pub(super) fn put_levels<V>(column: &Nullable<V>, rows: Range<usize>, values: usize, out: &mut Vec<u8>) {
    if values == rows.len() || values == 0 {
        return put_run(rows.len(), u8::from(values > 0), out);
    }
    let mut body = Vec::new();
    let levels = column.levels(rows);
    delta::put(&mut body, (levels.len().div_ceil(8) as u64) << 1 | 1);
    body.extend(levels.chunks(8).map(|group| {
        group.iter().enumerate().fold(0_u8, |bits, (at, level)| bits | (u8::from(*level > 0) << at))
    }));
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.append(&mut body);
}

/// Appends the levels of rows that are all alike.
pub(super) fn put_run(rows: usize, level: u8, out: &mut Vec<u8>) {
    let mut body = Vec::new();
    delta::put(&mut body, (rows as u64) << 1);
    body.push(level);
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.append(&mut body);
}

pub(super) fn bounds<V: Copy + PartialEq>(values: &[V], rank: Rank<V>) -> Option<(V, V)> {
    let first = *values.first()?;
    if values.iter().all(|value| *value == first) {
        return Some((first, first));
    }
    let mut all = ((rank(first), first), (rank(first), first));
    for value in values {
        let rank = rank(*value);
        if rank < all.0.0 {
            all.0 = (rank, *value);
        }
        if rank > all.1.0 {
            all.1 = (rank, *value);
        }
    }
    Some((all.0.1, all.1.1))
}
