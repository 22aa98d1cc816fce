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
pub(super) const PAGE_ROWS: usize = 8_192;
/// Level of compression for values.
pub(super) const ZSTD_VALUES: i32 = 3;
/// Level of compression for times: whole bytes of wide differences gain much by a more thorough search.
pub(super) const ZSTD_TIMES: i32 = 4;

/// Name and place of each column.
pub(crate) mod column {
    pub(crate) const SERIES: &str = "series";
    pub(crate) const SOURCE_TS: &str = "source_ts";
    pub(crate) const SOURCE_SUB: &str = "source_sub";
    pub(crate) const SOURCE_TICKS: &str = "source_ticks";
    pub(crate) const SERVER_TS: &str = "server_ts";
    pub(crate) const SERVER_SUB: &str = "server_sub";
    pub(crate) const SERVER_TICKS: &str = "server_ticks";
    /// Ticks from source to server time; the three columns before are null then. Since format 2.
    pub(crate) const SERVER_DELAY: &str = "server_delay";
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
    use DataType::{Binary, Float64, Int32, Int64, UInt8, UInt32, UInt64, Utf8};
    let micros = || timestamp(TimeUnit::Microsecond);
    let fields = [
        (column::SERIES, UInt64, false),
        (column::SOURCE_TS, micros(), true),
        (column::SOURCE_SUB, UInt32, true),
        (column::SOURCE_TICKS, Int64, true),
        (column::SERVER_TS, micros(), true),
        (column::SERVER_SUB, UInt32, true),
        (column::SERVER_TICKS, Int64, true),
        (column::SERVER_DELAY, Int32, true),
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

/// How the columns of texts and bytes are written, and tables; see `chunk` for the others.
pub(crate) fn properties() -> WriterProperties {
    let path = |name: &str| ColumnPath::from(name);
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_VALUES).unwrap_or_default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(1_024)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_created_by("gemba historian".to_owned())
        .set_key_value_metadata(Some(vec![KeyValue::new(KEY_FORMAT.to_owned(), FORMAT_VERSION.to_string())]))
        .set_sorting_columns(Some(vec![SortingColumn {
            column_idx: 0,
            descending: false,
            nulls_first: false,
        }]))
        .set_column_dictionary_enabled(path(column::BINARY), false)
        .set_column_encoding(path(column::BINARY), Encoding::PLAIN)
        .build()
}
