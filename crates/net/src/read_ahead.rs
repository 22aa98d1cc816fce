//! Large reads from a socket below a layer that asks for little at a time.
//!
//! TLS asks for 4 KiB at a time. When so much was there, usually more is, and one call of the kernel can bring it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What one large read brings at most.
const AHEAD_BYTES: usize = 32 * 1024;
/// A large read that brings less than this was not worth its buffer.
const WORTH_BYTES: usize = 4 * 1024;

/// A stream that is read in large steps while much comes. It has a buffer only then: ten thousand idle connections
/// have none.
#[derive(Debug)]
pub struct ReadAhead<S> {
    stream: S,
    ahead: Vec<u8>,
    /// What of it was read and not handed on.
    start: usize,
    end: usize,
    /// The last read brought all that was asked for.
    busy: bool,
}

impl<S> ReadAhead<S> {
    /// Begins without a buffer.
    pub const fn new(stream: S) -> Self {
        Self { stream, ahead: Vec::new(), start: 0, end: 0, busy: false }
    }

    /// Hands on what is there.
    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let ready = self.ahead.get(self.start..self.end).unwrap_or_default();
        let part = ready.get(..buffer.remaining()).unwrap_or(ready);
        buffer.put_slice(part);
        self.start += part.len();
        if self.start >= self.end && !self.busy {
            self.rest();
        }
    }

    /// Gives the buffer back.
    fn rest(&mut self) {
        (self.ahead, self.start, self.end, self.busy) = (Vec::new(), 0, 0, false);
    }
}

impl<S: AsyncRead + Unpin> ReadAhead<S> {
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ahead.resize(AHEAD_BYTES, 0);
        let mut read = ReadBuf::new(&mut self.ahead);
        let outcome = Pin::new(&mut self.stream).poll_read(cx, &mut read);
        (self.start, self.end) = (0, read.filled().len());
        self.busy = self.end >= WORTH_BYTES;
        if self.end == 0 {
            self.rest();
        }
        outcome
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.start < this.end {
            this.hand_on(buffer);
            return Poll::Ready(Ok(()));
        }
        let room = buffer.remaining();
        if this.busy && room < AHEAD_BYTES {
            let outcome = this.poll_ahead(cx);
            this.hand_on(buffer);
            return outcome;
        }
        let outcome = Pin::new(&mut this.stream).poll_read(cx, buffer);
        this.busy = room >= WORTH_BYTES && buffer.remaining() == 0;
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Counts the reads of a stream.
    struct Counted<S>(S, usize);

    impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.1 += 1;
            Pin::new(&mut self.0).poll_read(cx, buffer)
        }
    }

    #[tokio::test]
    async fn every_byte_comes_in_order_and_much_comes_in_few_reads() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
        let (mut near, far) = tokio::io::duplex(1 << 20);
        near.write_all(&bytes).await.expect("written");
        drop(near);
        let mut stream = ReadAhead::new(Counted(far, 0));
        let mut found = Vec::new();
        let mut part = [0; 4_096];
        loop {
            let count = stream.read(&mut part).await.expect("read");
            if count == 0 {
                break;
            }
            found.extend_from_slice(&part[..count]);
        }
        assert_eq!(found, bytes);
        assert!(stream.stream.1 < 12, "{} reads", stream.stream.1);
        assert_eq!(stream.ahead.capacity(), 0, "the end gives the buffer back");
    }

    #[tokio::test]
    async fn a_stream_that_falls_silent_keeps_no_buffer() {
        let (mut near, far) = tokio::io::duplex(1 << 20);
        let mut stream = ReadAhead::new(far);
        let mut part = [0; 4_096];
        near.write_all(&[1; 10_000]).await.expect("written");
        let mut found = 0;
        while found < 10_000 {
            found += stream.read(&mut part).await.expect("read");
        }
        assert!(stream.ahead.capacity() > 0, "much came");
        let silent = tokio::select! {
            biased;
            _ = stream.read(&mut part) => false,
            () = std::future::ready(()) => true,
        };
        assert!(silent && stream.ahead.capacity() == 0);
        near.write_all(b"again").await.expect("written");
        assert_eq!(stream.read(&mut part).await.expect("read"), 5);
    }
}
