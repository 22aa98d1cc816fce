//! Parquet's view of a file on the house's disk.

use bytes::{Buf, Bytes, buf::Reader};
use gemba_base::disk::DiskFile;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};
use std::io::{self, Write};
use std::sync::Arc;

/// Bytes that a writer collects before it hands them to the disk.
const BUFFER_BYTES: usize = 256 << 10;

/// Reads at positions, so that many readers share one open file.
#[derive(Debug, Clone)]
pub(crate) struct PositionedFile {
    file: Arc<dyn DiskFile>,
    length: u64,
}

impl PositionedFile {
    pub(crate) fn new(file: Box<dyn DiskFile>) -> io::Result<Self> {
        let length = file.len()?;
        Ok(Self { file: Arc::from(file), length })
    }

    /// Bytes `start..end`; fewer are an error.
    pub(crate) fn bytes(&self, start: u64, end: u64) -> io::Result<Bytes> {
        let length = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
        if end > self.length || start > end {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut buffer = vec![0; length];
        if self.file.read_at(&mut buffer, start)? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(buffer.into())
    }
}

impl Length for PositionedFile {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for PositionedFile {
    /// Page headers are read through this; each is far smaller.
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let end = start.saturating_add(BUFFER_BYTES as u64).min(self.length);
        Ok(self.get_bytes(start, end.saturating_sub(start) as usize)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.bytes(start, start.saturating_add(length as u64))
            .map_err(|error| ParquetError::External(Box::new(error)))
    }
}

/// Appends to a new file and computes checksums of what passes.
#[derive(Debug)]
pub(crate) struct CheckedWriter {
    file: Box<dyn DiskFile>,
    buffer: Vec<u8>,
    /// Bytes written and buffered.
    position: u64,
    /// Checksum since the last call of `section`.
    crc: u32,
}

impl CheckedWriter {
    pub(crate) fn new(file: Box<dyn DiskFile>) -> io::Result<Self> {
        file.set_len(0)?;
        Ok(Self { file, buffer: Vec::with_capacity(BUFFER_BYTES), position: 0, crc: 0 })
    }

    /// Ends a section: its end and the CRC-32C of its bytes.
    pub(crate) const fn section(&mut self) -> (u64, u32) {
        let crc = self.crc;
        self.crc = 0;
        (self.position, crc)
    }

    /// Makes all bytes durable.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.sync()
    }
}

impl Write for CheckedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.buffer.extend_from_slice(bytes);
        self.position += bytes.len() as u64;
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let start = self.position - self.buffer.len() as u64;
        self.file.write_all_at(&self.buffer, start)?;
        self.buffer.clear();
        Ok(())
    }
}
