//! What a footer says: places of columns, checksums of row groups, bounds of pages.

use super::super::FORMAT_VERSION;
use super::super::columns::{KEY_CHECKS, KEY_FORMAT, ROW_GROUP_ROWS, column};
use super::Group;
use crate::error::{HistorianError, Result};
use crate::row::UNIX_EPOCH_TICKS;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use std::path::Path;
use std::sync::atomic::AtomicBool;

pub(super) const fn ticks(micros: i64) -> i64 {
    micros.saturating_mul(10).saturating_add(UNIX_EPOCH_TICKS)
}

pub(super) fn bounds(column: &ColumnIndexMetaData, page: usize) -> Option<(i64, i64)> {
    match column {
        ColumnIndexMetaData::INT64(index)
            if page < index.num_pages() as usize && !index.is_null_page(page) =>
        {
            Some((*index.min_values().get(page)?, *index.max_values().get(page)?))
        }
        ColumnIndexMetaData::INT32(index)
            if page < index.num_pages() as usize && !index.is_null_page(page) =>
        {
            Some(((*index.min_values().get(page)?).into(), (*index.max_values().get(page)?).into()))
        }
        _ => None,
    }
}

/// Nulls in a page, where the index says so.
pub(super) fn nulls(column: &ColumnIndexMetaData, page: usize) -> Option<i64> {
    match column {
        ColumnIndexMetaData::NONE => None,
        column => column.null_counts()?.get(page).copied(),
    }
}

pub(super) fn value<'a>(footer: &'a ParquetMetaData, key: &str) -> Option<&'a str> {
    let pairs = footer.file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
}

/// Where columns lie that are treated apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub(super) series: usize,
    pub(super) source_ts: usize,
    pub(super) source_sub: usize,
    /// All that a server time consists of.
    pub(super) server: [Option<usize>; 4],
    pub(super) received: usize,
    pub(super) kind: usize,
    pub(super) f64: usize,
    pub(super) i64: usize,
    pub(super) u64: usize,
    pub(super) status: usize,
    pub(super) partition: usize,
    pub(super) offset: usize,
}

impl Places {
    pub(super) fn of(footer: &ParquetMetaData) -> Option<Self> {
        let columns = footer.file_metadata().schema_descr().columns();
        let at = |name: &str| columns.iter().position(|column| column.name() == name);
        Some(Self {
            series: at(column::SERIES)?,
            source_ts: at(column::SOURCE_TS)?,
            source_sub: at(column::SOURCE_SUB)?,
            server: [column::SERVER_TS, column::SERVER_SUB, column::SERVER_TICKS, column::SERVER_DELAY]
                .map(at),
            received: at(column::RECEIVED)?,
            kind: at(column::TYPE)?,
            f64: at(column::F64)?,
            i64: at(column::I64)?,
            u64: at(column::U64)?,
            status: at(column::STATUS)?,
            partition: at(column::PARTITION)?,
            offset: at(column::OFFSET)?,
        })
    }
}

pub(super) fn check_format(path: &Path, footer: &ParquetMetaData) -> Result<()> {
    match value(footer, KEY_FORMAT).and_then(|text| text.parse::<u64>().ok()) {
        Some(found) if found <= FORMAT_VERSION => Ok(()),
        Some(found) => {
            Err(HistorianError::NewerFormat { path: path.to_owned(), found, known: FORMAT_VERSION })
        }
        None => Err(HistorianError::damaged(path, "it does not say its format version")),
    }
}

/// Whether the rows of pages follow each other and are those of their row group.
pub(super) fn pages_in_order(footer: &ParquetMetaData) -> bool {
    let index = footer.offset_index().map_or(&[][..], Vec::as_slice);
    let mut chunks = footer.row_groups().iter().zip(index).flat_map(|(group, columns)| {
        columns.iter().map(|column| (group.num_rows(), column.page_locations()))
    });
    chunks.all(|(rows, pages)| {
        pages.first().is_none_or(|first| first.first_row_index == 0)
            && pages.is_sorted_by_key(|page| page.first_row_index)
            && pages.last().is_none_or(|last| last.first_row_index < rows.max(1))
    })
}

pub(super) fn groups(footer: &ParquetMetaData) -> Option<Vec<Group>> {
    let checks = value(footer, KEY_CHECKS)?;
    let mut checks = checks.split(',').filter(|check| !check.is_empty());
    let mut start = 0;
    let mut groups = Vec::with_capacity(footer.num_row_groups());
    let column =
        footer.file_metadata().schema_descr().columns().iter().position(|c| c.name() == column::SERIES)?;
    for group in footer.row_groups() {
        let (end, crc) = checks.next()?.split_once(':')?;
        let (end, crc) = (u64::from_str_radix(end, 16).ok()?, u32::from_str_radix(crc, 16).ok()?);
        let statistics = group.column(column).statistics()?;
        let number = |bytes: &[u8]| Some(u64::from_le_bytes(bytes.try_into().ok()?));
        let series = (number(statistics.min_bytes_opt()?)?, number(statistics.max_bytes_opt()?)?);
        // No writer makes larger ones, and memory is taken by this number.
        let rows = usize::try_from(group.num_rows()).ok().filter(|rows| *rows <= ROW_GROUP_ROWS)?;
        groups.push(Group { bytes: start..end, crc, checked: AtomicBool::new(false), rows, series });
        start = end;
    }
    Some(groups)
}
