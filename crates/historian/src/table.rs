//! Samples as tables for other programs: an Arrow stream or a Parquet file (docs/formats/tables.md).

mod columns;
mod kinds;

use crate::error::HistorianError;
use crate::file::columns::column;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;
use columns::Columns;
use gemba_api::{HistoryError, SampleTable, SeriesInfo, StoredSample, TableFormat};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use std::collections::HashMap;
use std::sync::Arc;

pub use kinds::Kinds;

/// Rows in a record batch at most.
const BATCH_ROWS: usize = 8_192;
/// Bytes of texts and binaries after which a record batch ends.
const BATCH_BLOB_BYTES: usize = 1 << 20;
/// Rows in a row group at most, and bytes of one in memory after which it ends.
const GROUP_ROWS: usize = 65_536;
const GROUP_BYTES: usize = 4 << 20;

/// Begins a table for samples of a series whose values are of these kinds.
///
/// # Errors
/// When the writer cannot be made.
pub fn sample_table(
    format: TableFormat,
    series: &SeriesInfo,
    kinds: Kinds,
) -> Result<Box<dyn SampleTable>, HistoryError> {
    let columns = Columns::new(kinds, about(series));
    let schema = columns.schema();
    let writer = match format {
        TableFormat::ArrowStream => {
            Writer::Arrow(Box::new(StreamWriter::try_new(Vec::new(), &schema).map_err(arrow)?))
        }
        TableFormat::Parquet => {
            let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties()));
            Writer::Parquet(Box::new(writer.map_err(parquet)?))
        }
    };
    Ok(Box::new(Table { columns, writer }))
}

/// Times grow, so their differences are small; a dictionary of them would hold each of them once.
fn properties() -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap_or_default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_created_by("gemba historian".to_owned());
    for name in [column::SOURCE_TS, column::SERVER_TS] {
        builder = builder
            .set_column_dictionary_enabled(ColumnPath::from(name), false)
            .set_column_encoding(ColumnPath::from(name), Encoding::DELTA_BINARY_PACKED);
    }
    builder.build()
}

/// What a table says of its series, in the schema's metadata.
fn about(series: &SeriesInfo) -> HashMap<String, String> {
    let pairs = [
        ("gemba.table", "1"),
        ("gemba.series", &series.id.to_string()),
        ("gemba.name", &series.name),
        ("gemba.unit", &series.unit),
        ("gemba.nodeId", &series.node_id),
        ("gemba.source", &series.source),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

enum Writer {
    Arrow(Box<StreamWriter<Vec<u8>>>),
    Parquet(Box<ArrowWriter<Vec<u8>>>),
}

struct Table {
    columns: Columns,
    writer: Writer,
}

impl Table {
    fn end_batch(&mut self) -> Result<(), HistoryError> {
        if self.columns.rows() == 0 {
            return Ok(());
        }
        let batch = self.columns.take().map_err(arrow)?;
        match &mut self.writer {
            Writer::Arrow(writer) => writer.write(&batch).map_err(arrow),
            Writer::Parquet(writer) => {
                writer.write(&batch).map_err(parquet)?;
                if writer.in_progress_size() >= GROUP_BYTES {
                    writer.flush().map_err(parquet)?;
                }
                Ok(())
            }
        }
    }
}

impl SampleTable for Table {
    fn push(&mut self, samples: &[StoredSample]) -> Result<(), HistoryError> {
        for sample in samples {
            self.columns.push(sample)?;
            if self.columns.rows() >= BATCH_ROWS || self.columns.blob_bytes() >= BATCH_BLOB_BYTES {
                self.end_batch()?;
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Vec<u8> {
        match &mut self.writer {
            Writer::Arrow(writer) => std::mem::take(writer.get_mut()),
            Writer::Parquet(writer) => std::mem::take(writer.inner_mut()),
        }
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<u8>, HistoryError> {
        self.end_batch()?;
        match self.writer {
            Writer::Arrow(writer) => writer.into_inner().map_err(arrow),
            Writer::Parquet(writer) => writer.into_inner().map_err(parquet),
        }
    }
}

/// Memory is the only place that is written to, so that this is a mistake of ours.
fn arrow(error: ArrowError) -> HistoryError {
    HistorianError::Invalid(format!("the table cannot be made: {error}")).into()
}

fn parquet(error: ParquetError) -> HistoryError {
    HistorianError::Invalid(format!("the table cannot be made: {error}")).into()
}
