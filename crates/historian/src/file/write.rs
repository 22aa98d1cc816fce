//! Writing a sample file: temporary name, fsync, rename, fsync of the folder.

use super::FileEntry;
use super::chunk::Chunks;
use super::columns::{
    KEY_CHECKS, KEY_COVERED, KEY_PART, KEY_RECEIVED, KEY_REPLACES, ROW_GROUP_ROWS, ZSTD_TIMES, ZSTD_VALUES,
    properties, schema,
};
use super::decode::Columns;
use super::encode::GroupBuilder;
use super::io::CheckedWriter;
use super::received::ReceivedTable;
use crate::error::{HistorianError, Result};
use crate::row::RowRef;
use arrow_array::RecordBatch;
use gemba_base::disk::{Disk, make_folder};
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::SerializedFileWriter;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zstd::bulk::Compressor;

/// Bytes of texts and binaries in a row group: what its writer holds at most, but for the largest of them.
const ROW_GROUP_BLOB_BYTES: usize = 16 << 20;
/// Rows with texts or bytes that are appended between two looks at how many bytes those are.
const BLOB_ROWS: usize = 32;

/// A file under its temporary name: deleted unless it was published.
struct Temporary<'a> {
    disk: &'a dyn Disk,
    path: PathBuf,
    published: bool,
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.published {
            drop(self.disk.remove(&self.path));
        }
    }
}

/// Takes rows in order of series and time, and makes one file of them.
pub(crate) struct SampleWriter<'a> {
    path: PathBuf,
    temporary: Temporary<'a>,
    entry: FileEntry,
    writer: SerializedFileWriter<CheckedWriter>,
    properties: WriterPropertiesPtr,
    compressor: Compressor<'static>,
    values: Compressor<'static>,
    group: GroupBuilder,
    checks: String,
    /// Receive times that are not written into the column.
    received: Option<ReceivedTable>,
}

impl<'a> SampleWriter<'a> {
    /// `name` is the path below `root`. A table of receive times must hold those of all messages.
    pub(crate) fn create(
        disk: &'a dyn Disk,
        root: &Path,
        name: String,
        received: Option<ReceivedTable>,
    ) -> Result<Self> {
        let path = root.join(&name);
        if let Some(folder) = path.parent() {
            create_folder(disk, folder)?;
        }
        let temporary = Temporary { disk, path: path.with_extension("tmp"), published: false };
        let file = disk
            .open(&temporary.path, true)
            .and_then(CheckedWriter::new)
            .map_err(HistorianError::storage(&temporary.path))?;
        let properties = Arc::new(properties());
        let writer = ArrowSchemaConverter::new()
            .convert(&schema())
            .and_then(|schema| {
                SerializedFileWriter::new(file, schema.root_schema_ptr(), Arc::clone(&properties))
            })
            .map_err(|error| storage(&temporary.path, error))?;
        let entry = FileEntry {
            path: name,
            rows: 0,
            bytes: 0,
            series: (u64::MAX, 0),
            time: (i64::MAX, i64::MIN),
            received: i64::MIN,
            tail: 0,
            tail_crc: 0,
        };
        let level = |level| Compressor::new(level).map_err(HistorianError::storage(&temporary.path));
        let (compressor, values) = (level(ZSTD_TIMES)?, level(ZSTD_VALUES)?);
        let (group, checks) = (GroupBuilder::default(), String::new());
        Ok(Self { path, temporary, entry, writer, properties, compressor, values, group, checks, received })
    }

    pub(crate) fn push(&mut self, row: &RowRef<'_>) -> Result<()> {
        let entry = &mut self.entry;
        entry.rows += 1;
        entry.series = (entry.series.0.min(row.series), entry.series.1.max(row.series));
        entry.time = (entry.time.0.min(row.time), entry.time.1.max(row.time));
        entry.received = entry.received.max(row.received);
        self.group.push(row, self.received.is_none());
        if self.group.rows() >= ROW_GROUP_ROWS || self.group.blob_bytes() >= ROW_GROUP_BLOB_BYTES {
            self.end_group()?;
        }
        Ok(())
    }

    /// Appends rows of one series with times that ascend, as many [`SampleWriter::push`] would.
    pub(crate) fn extend(&mut self, mut rows: &[RowRef<'_>]) -> Result<()> {
        while let Some(first) = rows.first() {
            let room = ROW_GROUP_ROWS.saturating_sub(self.group.rows()).clamp(1, BLOB_ROWS);
            let (part, rest) = rows.split_at_checked(room).unwrap_or((rows, &[]));
            rows = rest;
            let entry = &mut self.entry;
            entry.rows += part.len() as u64;
            entry.series = (entry.series.0.min(first.series), entry.series.1.max(first.series));
            entry.time.0 = entry.time.0.min(first.time);
            entry.time.1 = entry.time.1.max(part.last().map_or(i64::MIN, |last| last.time));
            let received = part.iter().map(|row| row.received).max();
            entry.received = entry.received.max(received.unwrap_or(i64::MIN));
            self.group.extend(part, self.received.is_none());
            if self.group.rows() >= ROW_GROUP_ROWS || self.group.blob_bytes() >= ROW_GROUP_BLOB_BYTES {
                self.end_group()?;
            }
        }
        Ok(())
    }

    /// Appends rows of one series of another file, which are in order and behind those before.
    pub(crate) fn append(&mut self, columns: &Columns, mut rows: Range<usize>) -> Result<()> {
        let portion_max = if columns.has_blobs() { BLOB_ROWS } else { ROW_GROUP_ROWS };
        while !rows.is_empty() {
            let first = rows.start;
            let room = ROW_GROUP_ROWS.saturating_sub(self.group.rows()).clamp(1, portion_max);
            let part = first..rows.end.min(first + room);
            rows.start = part.end;
            let (first, last) = (part.start, part.end - 1);
            let entry = &mut self.entry;
            entry.rows += part.len() as u64;
            entry.series =
                (entry.series.0.min(columns.series_at(first)), entry.series.1.max(columns.series_at(last)));
            entry.time = (entry.time.0.min(columns.time_at(first)), entry.time.1.max(columns.time_at(last)));
            self.group.append(columns, part, self.received.is_none());
            if self.group.rows() >= ROW_GROUP_ROWS || self.group.blob_bytes() >= ROW_GROUP_BLOB_BYTES {
                self.end_group()?;
            }
        }
        Ok(())
    }

    /// Notes when the hub took the latest of rows that are appended.
    pub(crate) fn note_received(&mut self, ticks: i64) {
        self.entry.received = self.entry.received.max(ticks);
    }

    fn write_group(&mut self) -> std::result::Result<(), ParquetError> {
        let rows = self.group.rows();
        let schema = self.writer.schema_descr().clone();
        let mut group = self.writer.next_row_group()?;
        self.group.write(Chunks {
            group: &mut group,
            schema: &schema,
            properties: &self.properties,
            compressor: &mut self.compressor,
            values: &mut self.values,
            rows,
            next: 0,
        })?;
        group.close()?;
        Ok(self.writer.flush()?)
    }

    /// Writes the row group and notes its checksum, so that a reader of one series checks only this much.
    fn end_group(&mut self) -> Result<()> {
        self.write_group().map_err(|error| storage(&self.temporary.path, error))?;
        let (end, crc) = self.writer.inner_mut().section();
        let comma = if self.checks.is_empty() { "" } else { "," };
        write!(self.checks, "{comma}{end:x}:{crc:x}").map_err(|_| HistorianError::Storage {
            path: self.temporary.path.clone(),
            source: io::Error::other("formatting failed"),
        })
    }

    /// Notes in the file itself what it covers and replaces, for the day when no manifest says so.
    pub(crate) fn note_origin(
        &mut self,
        covered: &BTreeMap<u32, u64>,
        replaces: &[&str],
        part: (usize, usize),
    ) {
        let covered: Vec<String> = covered.iter().map(|(p, offset)| format!("{p}:{offset}")).collect();
        let part = format!("{}/{}", part.0, part.1);
        let notes = [(KEY_COVERED, covered.join(",")), (KEY_REPLACES, replaces.join(",")), (KEY_PART, part)];
        for (key, text) in notes {
            self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), text));
        }
    }

    /// Completes the file under its final name, durably. The folder's entry is made durable too.
    pub(crate) fn finish(mut self) -> Result<FileEntry> {
        if self.group.rows() > 0 {
            self.end_group()?;
        }
        if let Some(table) = self.received.take() {
            self.writer.append_key_value_metadata(KeyValue::new(KEY_RECEIVED.to_owned(), table.encode()));
        }
        let start = self.writer.inner_mut().section().0;
        let checks = std::mem::take(&mut self.checks);
        self.writer.append_key_value_metadata(KeyValue::new(KEY_CHECKS.to_owned(), checks));
        let mut file = self.writer.into_inner().map_err(|error| storage(&self.temporary.path, error))?;
        file.sync().map_err(HistorianError::storage(&self.temporary.path))?;
        let (end, crc) = file.section();
        drop(file);
        publish(self.temporary.disk, &self.temporary.path, &self.path)?;
        self.temporary.published = true;
        self.entry.bytes = end;
        self.entry.tail = start;
        self.entry.tail_crc = crc;
        Ok(self.entry)
    }
}

/// Writes a table as a Parquet file, durably. Its pieces are of one schema; the first may be empty, the others end it
/// when they are.
pub(crate) fn write_table(
    disk: &dyn Disk,
    root: &Path,
    name: &str,
    mut next: impl FnMut() -> Result<RecordBatch>,
) -> Result<()> {
    let path = root.join(name);
    if let Some(folder) = path.parent() {
        create_folder(disk, folder)?;
    }
    let mut temporary = Temporary { disk, path: path.with_extension("tmp"), published: false };
    let failed = |error| storage(&path, error);
    let file = disk
        .open(&temporary.path, true)
        .and_then(CheckedWriter::new)
        .map_err(HistorianError::storage(&path))?;
    let mut piece = next()?;
    let mut writer = ArrowWriter::try_new(file, piece.schema(), Some(properties())).map_err(failed)?;
    while piece.num_rows() > 0 {
        writer.write(&piece).map_err(failed)?;
        piece = next()?;
    }
    writer.into_inner().map_err(failed)?.sync().map_err(HistorianError::storage(&path))?;
    publish(disk, &temporary.path, &path)?;
    temporary.published = true;
    Ok(())
}

/// Gives a complete file its name, durably.
fn publish(disk: &dyn Disk, temporary: &Path, path: &Path) -> Result<()> {
    disk.rename(temporary, path).map_err(HistorianError::storage(path))?;
    // The folder of a day may be as new as the file, and a try that failed may have left it undurable.
    for folder in path.ancestors().skip(1).take(2) {
        disk.sync_folder(folder).map_err(HistorianError::storage(folder))?;
    }
    Ok(())
}

/// Creates a folder with its parents.
pub(crate) fn create_folder(disk: &dyn Disk, folder: &Path) -> Result<()> {
    if disk.list(folder).is_ok() {
        return Ok(());
    }
    disk.create_folder(folder).map_err(HistorianError::storage(folder))
}

/// Creates the store's own folders and makes them durable, whatever an earlier try left.
pub(crate) fn create_root(disk: &dyn Disk, folder: &Path) -> Result<()> {
    make_folder(disk, folder).map_err(HistorianError::storage(folder))
}

/// What the disk said, dug out of Parquet's error, so that a full disk is known as one.
fn storage(path: &Path, error: ParquetError) -> HistorianError {
    let source = match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(source) => *source,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    };
    HistorianError::Storage { path: path.to_owned(), source }
}

/// Writes a file whole: temporary name, fsync, rename, fsync of the folder.
pub(crate) fn write_whole(
    disk: &dyn Disk,
    path: &Path,
    write: impl FnOnce(&mut CheckedWriter) -> io::Result<()>,
) -> Result<()> {
    let temporary = path.with_extension("tmp");
    let written = disk.open(&temporary, true).and_then(CheckedWriter::new).and_then(|mut file| {
        write(&mut file)?;
        file.sync()
    });
    written.map_err(HistorianError::storage(&temporary))?;
    publish(disk, &temporary, path)
}

/// Reads a small file whole. A read that fails is tried once more: what cannot be read at a start is given up for good.
pub(crate) fn read_small(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    match disk.read(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => disk.read(path),
        read => read,
    }
}
