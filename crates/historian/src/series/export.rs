//! The dictionary as a Parquet file, so that analysts can join samples with names.

use super::SeriesDictionary;
use arrow_array::builder::{StringBuilder, UInt32Builder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::ArrowError;
use std::sync::Arc;

/// Rows of a piece: a plant has hundreds of thousands of series.
const ROWS: usize = 8_192;

/// One row a series, by id, of some series after an id; and the last of them.
pub(crate) fn table(
    dictionary: &SeriesDictionary,
    after: u64,
) -> Result<(RecordBatch, Option<u64>), ArrowError> {
    let mut last = None;
    let (mut ids, mut attributes) = (UInt64Builder::new(), UInt32Builder::new());
    let names =
        ["node_id", "name", "unit", "endpoint_url", "application_uri", "device", "writer_group", "writer"];
    let mut texts: Vec<StringBuilder> = names.iter().map(|_| StringBuilder::new()).collect();
    for entry in dictionary.after(after).take(ROWS) {
        last = Some(entry.id);
        let alias = entry.current().cloned().unwrap_or_default();
        ids.append_value(entry.id);
        attributes.append_value(entry.attribute);
        let values = [
            &*entry.node,
            &alias.field,
            &entry.unit,
            &alias.way.endpoint_url,
            &alias.way.application_uri,
            &alias.way.device,
            &alias.way.writer_group,
            &alias.way.writer,
        ];
        texts.iter_mut().zip(values).for_each(|(column, value)| column.append_value(value));
    }
    let mut columns: Vec<(&str, ArrayRef)> =
        vec![("series", Arc::new(ids.finish())), ("attribute_id", Arc::new(attributes.finish()))];
    for (name, mut column) in names.into_iter().zip(texts) {
        columns.push((name, Arc::new(column.finish())));
    }
    Ok((RecordBatch::try_from_iter(columns)?, last))
}
