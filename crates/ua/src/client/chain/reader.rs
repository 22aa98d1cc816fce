//! The socket's bytes on their way to the stack. Chunks pass as they are, without being copied, except those that
//! open or renew the channel: such a one is collected, and what the [`Opening`] makes of it goes on in its place.

use super::opn::Opening;
use super::{Fault, Verdict};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

/// Kind and size of a chunk.
const HEADER: usize = 8;
/// What is read at once while a chunk is collected.
const STEP: usize = 4096;

/// Everything it knows is in here and nothing in its futures: a read may be given up at any time.
pub(crate) struct Reader<R> {
    inner: R,
    /// `None`: everything passes.
    opening: Option<Arc<Opening>>,
    verdict: Arc<Verdict>,
    /// The largest chunk that is collected.
    largest: usize,
    /// Bytes of the present chunk that are still to pass.
    passing: usize,
    /// From a chunk's begin: too short to say what it is, or to be collected. Never much more than `largest`.
    held: Vec<u8>,
    /// Sorted, for the stack.
    sorted: Vec<u8>,
    /// How much of `sorted` the stack has.
    taken: usize,
}

impl<R> Reader<R> {
    pub(super) fn new(
        inner: R,
        opening: Option<Arc<Opening>>,
        verdict: Arc<Verdict>,
        largest: usize,
    ) -> Self {
        Self { inner, opening, verdict, largest, passing: 0, held: Vec::new(), sorted: Vec::new(), taken: 0 }
    }

    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let rest = self.sorted.get(self.taken..).unwrap_or_default();
        let part = rest.get(..buffer.remaining()).unwrap_or(rest);
        buffer.put_slice(part);
        self.taken += part.len();
        if self.taken == self.sorted.len() {
            self.sorted = Vec::new();
            self.taken = 0;
        }
    }

    /// Sorts what is held as far as it is whole.
    fn sort(&mut self) -> Result<(), Fault> {
        let Some(opening) = self.opening.clone() else { return Ok(()) };
        loop {
            let passed = pass(&mut self.passing, &self.held)?;
            self.sorted.extend(self.held.drain(..passed));
            // Whatever stays and has a header opens a channel.
            let Some((_, size)) = header(&self.held) else { return Ok(()) };
            if size > self.largest {
                return Err(Fault::TooLarge);
            }
            if size > self.held.len() {
                return Ok(());
            }
            let chunk: Vec<u8> = self.held.drain(..size).collect();
            let translated = opening.translate(&chunk)?;
            self.sorted.extend(translated.unwrap_or(chunk));
        }
    }

    fn fail(&self, fault: Fault) -> io::Error {
        self.verdict.tell(fault);
        io::Error::new(io::ErrorKind::InvalidData, fault)
    }
}

/// Kind and size of the chunk that begins here; `None` when that is not there yet.
fn header(bytes: &[u8]) -> Option<([u8; 3], usize)> {
    let (kind, rest) = bytes.split_first_chunk::<3>()?;
    let (_, rest) = rest.split_first()?;
    let (size, _) = rest.split_first_chunk::<4>()?;
    Some((*kind, u32::from_le_bytes(*size) as usize))
}

/// How many of the bytes pass as they are: up to a chunk that opens a channel, or one whose kind is not known yet.
fn pass(passing: &mut usize, bytes: &[u8]) -> Result<usize, Fault> {
    let mut at = 0;
    loop {
        let step = (bytes.len() - at).min(*passing);
        *passing -= step;
        at += step;
        match header(bytes.get(at..).unwrap_or_default()) {
            Some((_, size)) if size < HEADER => return Err(Fault::Malformed),
            Some((kind, size)) if kind != *b"OPN" => *passing = size,
            _ => return Ok(at),
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Reader<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.opening.is_none() || buffer.remaining() == 0 {
            return Pin::new(&mut this.inner).poll_read(context, buffer);
        }
        if let Some(fault) = this.verdict.fault.get() {
            // Nothing behind a fault is in step any more.
            return Poll::Ready(Err(this.fail(*fault)));
        }
        loop {
            if !this.held.is_empty() {
                this.sort().map_err(|fault| this.fail(fault))?;
            }
            if !this.sorted.is_empty() {
                this.give(buffer);
                return Poll::Ready(Ok(()));
            }
            if this.held.is_empty() {
                let before = buffer.filled().len();
                ready!(Pin::new(&mut this.inner).poll_read(context, buffer))?;
                let fresh = buffer.filled().get(before..).unwrap_or_default();
                let passed = pass(&mut this.passing, fresh).map_err(|fault| this.fail(fault))?;
                this.held.extend_from_slice(fresh.get(passed..).unwrap_or_default());
                let ended = fresh.is_empty();
                buffer.set_filled(before + passed);
                if passed > 0 || ended {
                    return Poll::Ready(Ok(()));
                }
            } else {
                let mut bytes = [0; STEP];
                let mut more = ReadBuf::new(&mut bytes);
                ready!(Pin::new(&mut this.inner).poll_read(context, &mut more))?;
                if more.filled().is_empty() {
                    return Poll::Ready(Ok(()));
                }
                this.held.extend_from_slice(more.filled());
            }
        }
    }
}

#[cfg(test)]
mod tests;
