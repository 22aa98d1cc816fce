//! Fuzz targets: arbitrary bytes in place of the store's files.

use crate::day::TimeRange;
use crate::file::FileEntry;
use crate::file::encode::GroupBuilder;
use crate::file::io::PositionedFile;
use crate::file::read::{Detail, OpenFile, Portions, Wanted};
use crate::ledger::Ledger;
use crate::manifest::{GapsDocument, Manifest};
use crate::pending::{Pending, PendingDocument};
use crate::read::buckets::Buckets;
use crate::sealed;
use bytes::Bytes;
use gemba_api::GapQuery;
use gemba_base::disk::DiskFile;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file that is never written to.
#[derive(Debug)]
struct Image(Bytes);

impl DiskFile for Image {
    fn write_all_at(&self, _bytes: &[u8], _position: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let rest = usize::try_from(position).ok().and_then(|start| self.0.get(start..)).unwrap_or_default();
        Ok(buffer.iter_mut().zip(rest).map(|(target, byte)| *target = *byte).count())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
    fn set_len(&self, _length: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}

/// Reads bytes as a manifest, once as they are and once as the content of one with the right checksum.
///
/// # Panics
/// When a manifest that was read does not survive being written and read again.
pub fn manifest(bytes: &[u8]) {
    for manifest in document::<Manifest>(bytes) {
        manifest.files.iter().for_each(|entry: &FileEntry| drop(entry.day().folder()));
        let again = written::<Manifest>(&manifest);
        assert!(again.is_some_and(|again| again.files == manifest.files), "a manifest can be written");
    }
}

/// Reads bytes as a ledger of gaps, in both ways of [`manifest`].
///
/// # Panics
/// When the entries cannot be asked for.
pub fn ledger(bytes: &[u8]) {
    for document in document::<GapsDocument>(bytes) {
        let ledger = Ledger::from_entries(document.gaps, document.dropped);
        let query = GapQuery { limit: 10, ..GapQuery::default() };
        let page = ledger.query(&query).expect("has a first page");
        for gap in &page.items {
            std::hint::black_box(ledger.has_open(gap.series));
        }
        if let Some(continuation) = page.continuation {
            let next = ledger.query(&GapQuery { continuation: Some(continuation), ..query });
            assert!(next.is_ok(), "a page has a next one");
        }
    }
}

/// Reads bytes as messages that wait for their description, in both ways of [`manifest`].
///
/// # Panics
/// When messages that were read do not survive being written and read again.
pub fn pending(bytes: &[u8]) {
    for document in document::<PendingDocument>(bytes) {
        let Ok(pending) = Pending::try_from(document) else { continue };
        let again = written::<PendingDocument>(&PendingDocument::from(&pending)).map(Pending::try_from);
        let bytes = again.and_then(Result::ok).map(|again| again.bytes());
        assert_eq!(bytes, Some(pending.bytes()), "waiting messages can be written");
    }
}

/// Reads bytes as a sample file, as if every checksum in it were right: all rows, then the times, numbers and
/// buckets of each series that it names.
pub fn sample_file(bytes: &[u8]) {
    let image = Image(Bytes::copy_from_slice(bytes));
    let Ok(file) = PositionedFile::new(Box::new(image)) else { return };
    let Ok(open) = OpenFile::from_footer(Path::new("sample.parquet"), file) else { return };
    open.trust();
    std::hint::black_box((open.covered(), open.part(), open.replaces()));
    for span in open.all_spans() {
        std::hint::black_box((open.group_series(span.group), open.group_times(span.group)));
        let rows = open.load(&span, None, Detail::Full).unwrap_or_default();
        let Some(row) = rows.first() else { continue };
        let (from, to) = (i64::MIN, i64::MAX);
        let wanted = Wanted { series: row.series, range: TimeRange::new(from, to) };
        std::hint::black_box(row.stored());
        if let Ok(Some(values)) = open.values(&span, wanted) {
            let mut buckets = Buckets::new(from, to, 7);
            buckets.extend(&values);
            std::hint::black_box(buckets.finish());
        }
    }
    let mut portions = Portions::new(Arc::new(open));
    while let Ok(Some(columns)) = portions.next_portion() {
        let mut group = GroupBuilder::default();
        group.append(&columns, 0..columns.rows(), true);
        std::hint::black_box((columns.time_at(0), columns.rows(), group.rows()));
    }
}

fn document<T: DeserializeOwned>(bytes: &[u8]) -> Vec<T> {
    let path = Path::new("document.json");
    let as_it_is = sealed::parse(path, bytes).ok();
    let content = serde_json::from_slice::<Box<RawValue>>(bytes).ok();
    let sealed = content.and_then(|content| sealed::seal(path, &content).ok());
    let as_content = sealed.and_then(|bytes| sealed::parse(path, &bytes).ok());
    as_it_is.into_iter().chain(as_content).collect()
}

fn written<T: DeserializeOwned + Serialize>(content: &T) -> Option<T> {
    let path = Path::new("document.json");
    sealed::parse(path, &sealed::seal(path, content).ok()?).ok()
}
