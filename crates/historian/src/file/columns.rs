//! The columns of a sample file and how each is encoded.

use super::FORMAT_VERSION;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::sync::Arc;

/// Rows in a row group: what a reader of one series checks and decodes at most at a time.
pub(crate) const ROW_GROUP_ROWS: usize = 131_072;
/// Rows in a page: what a reader of one series must decode at least.
const PAGE_ROWS: usize = 8_192;

/// Name and place of each column.
pub(crate) mod column {
    pub(crate) const SERIES: &str = "series";
    pub(crate) const SOURCE_TS: &str = "source_ts";
    pub(crate) const SOURCE_SUB: &str = "source_sub";
    pub(crate) const SOURCE_TICKS: &str = "source_ticks";
    pub(crate) const SERVER_TS: &str = "server_ts";
    pub(crate) const SERVER_SUB: &str = "server_sub";
    pub(crate) const SERVER_TICKS: &str = "server_ticks";
    pub(crate) const RECEIVED: &str = "received";
    pub(crate) const TYPE: &str = "type";
    pub(crate) const F64: &str = "f64";
    pub(crate) const I64: &str = "i64";
    pub(crate) const U64: &str = "u64";
    pub(crate) const STRING: &str = "string";
    pub(crate) const BINARY: &str = "binary";
    pub(crate) const STATUS: &str = "status";
    pub(crate) const PARTITION: &str = "log_partition";
    pub(crate) const OFFSET: &str = "log_offset";
}

/// Key of the format version in a file's metadata.
pub(crate) const KEY_FORMAT: &str = "gemba.format";
/// Key of the checksums of row groups: `end:crc` in hexadecimal digits, separated by commas.
pub(crate) const KEY_CHECKS: &str = "gemba.checks";

/// Key of the log's offsets that are covered by this file and all before it: `partition:offset`, with commas.
pub(crate) const KEY_COVERED: &str = "gemba.covered";
/// Key of a file's place among the files of its flush: `index/count`.
pub(crate) const KEY_PART: &str = "gemba.part";
/// Key of the receive times of messages, where these are not in the column.
pub(crate) const KEY_RECEIVED: &str = "gemba.received";
/// Key of the paths of files that this one replaces, separated by commas.
pub(crate) const KEY_REPLACES: &str = "gemba.replaces";

fn timestamp(unit: TimeUnit) -> DataType {
    DataType::Timestamp(unit, Some("UTC".into()))
}

pub(crate) fn schema() -> Arc<Schema> {
    use DataType::{Binary, Float64, Int64, UInt8, UInt32, UInt64, Utf8};
    let micros = || timestamp(TimeUnit::Microsecond);
    let fields = [
        (column::SERIES, UInt64, false),
        (column::SOURCE_TS, micros(), true),
        (column::SOURCE_SUB, UInt32, true),
        (column::SOURCE_TICKS, Int64, true),
        (column::SERVER_TS, micros(), true),
        (column::SERVER_SUB, UInt32, true),
        (column::SERVER_TICKS, Int64, true),
        (column::RECEIVED, timestamp(TimeUnit::Millisecond), true),
        (column::TYPE, UInt8, false),
        (column::F64, Float64, true),
        (column::I64, Int64, true),
        (column::U64, UInt64, true),
        (column::STRING, Utf8, true),
        (column::BINARY, Binary, true),
        (column::STATUS, UInt32, false),
        (column::PARTITION, UInt32, false),
        (column::OFFSET, UInt64, false),
    ];
    Arc::new(Schema::new(
        fields.into_iter().map(|(name, kind, null)| Field::new(name, kind, null)).collect::<Vec<_>>(),
    ))
}

/// Which of the columns that may be empty are not. Compressing nothing still costs a compressor for each page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Present(u16);

impl Present {
    pub(crate) const SOURCE_SUB: Self = Self(1);
    pub(crate) const SERVER_TS: Self = Self(1 << 1);
    pub(crate) const SERVER_SUB: Self = Self(1 << 2);
    pub(crate) const F64: Self = Self(1 << 3);
    pub(crate) const I64: Self = Self(1 << 4);
    pub(crate) const U64: Self = Self(1 << 5);
    pub(crate) const STRING: Self = Self(1 << 6);
    pub(crate) const BINARY: Self = Self(1 << 7);
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(0xFF);

    const NAMES: [(Self, &'static str); 8] = [
        (Self::SOURCE_SUB, column::SOURCE_SUB),
        (Self::SERVER_TS, column::SERVER_TS),
        (Self::SERVER_SUB, column::SERVER_SUB),
        (Self::F64, column::F64),
        (Self::I64, column::I64),
        (Self::U64, column::U64),
        (Self::STRING, column::STRING),
        (Self::BINARY, column::BINARY),
    ];

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn with_column(self, name: &str) -> Self {
        let found = Self::NAMES.iter().find(|(_, known)| *known == name);
        found.map_or(self, |(column, _)| self.with(*column))
    }

    const fn has(self, column: Self) -> bool {
        self.0 & column.0 != 0
    }
}

/// Delta-coded times, plain values, run-length coded flags, large columns under zstd 3: measured best on plant
/// data.
pub(crate) fn properties(present: Present) -> WriterProperties {
    let path = |name: &str| ColumnPath::from(name);
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap_or_default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(1_024)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by("gemba historian".to_owned())
        .set_key_value_metadata(Some(vec![KeyValue::new(KEY_FORMAT.to_owned(), FORMAT_VERSION.to_string())]))
        .set_sorting_columns(Some(vec![SortingColumn {
            column_idx: 0,
            descending: false,
            nulls_first: false,
        }]));
    let deltas = [column::SERIES, column::SOURCE_TS, column::SERVER_TS, column::RECEIVED, column::OFFSET];
    for name in deltas {
        builder = builder
            .set_column_dictionary_enabled(path(name), false)
            .set_column_encoding(path(name), Encoding::DELTA_BINARY_PACKED);
    }
    for name in [column::F64, column::I64, column::U64, column::BINARY] {
        builder = builder
            .set_column_dictionary_enabled(path(name), false)
            .set_column_encoding(path(name), Encoding::PLAIN);
    }
    let empty = Present::NAMES.iter().filter(|(column, _)| !present.has(*column)).map(|(_, name)| *name);
    let flags = [column::TYPE, column::STATUS, column::PARTITION, column::SOURCE_TICKS, column::SERVER_TICKS];
    for name in empty.chain(flags) {
        builder = builder.set_column_compression(path(name), Compression::UNCOMPRESSED);
    }
    // Where a page holds one value alone, readers do not decode it.
    for name in [column::SERIES, column::SOURCE_TS, column::TYPE, column::STATUS, column::PARTITION] {
        builder = builder.set_column_statistics_enabled(path(name), EnabledStatistics::Page);
    }
    builder.build()
}
