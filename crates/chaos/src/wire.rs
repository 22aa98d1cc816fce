//! One connection as TCP gives it: bytes in order, each late by its own time, until it is cut.

use gemba_testkit::Rng;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes on their way in one direction; a sender with more has to wait.
const ON_THE_WAY_MAX: usize = 64 << 10;

/// The two directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Device,
    Hub,
}

/// Bytes in one direction.
#[derive(Debug, Default)]
struct Pipe {
    on_the_way: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    last: Option<Instant>,
    /// Everything before it was delivered, and nothing follows.
    end: Option<Instant>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

#[derive(Debug)]
struct State {
    to_hub: Pipe,
    to_device: Pipe,
    /// Both ends get an error at their next call.
    is_reset: bool,
    /// The device alone gets that error: something between it and the hub still holds bytes.
    is_reset_here: bool,
    /// Nothing that is written from now on arrives, and nobody is told.
    is_silent: bool,
    delay: (Duration, Duration),
    rng: Rng,
}

impl State {
    fn from(&mut self, side: Side) -> &mut Pipe {
        match side {
            Side::Device => &mut self.to_hub,
            Side::Hub => &mut self.to_device,
        }
    }

    fn is_over(&self, side: Side) -> bool {
        self.is_reset || (self.is_reset_here && side == Side::Device)
    }

    fn towards(&mut self, side: Side) -> &mut Pipe {
        match side {
            Side::Device => &mut self.to_device,
            Side::Hub => &mut self.to_hub,
        }
    }

    /// When something sent now arrives: never before what was sent earlier.
    fn arrival(&mut self, side: Side) -> Instant {
        let (least, most) = self.delay;
        let spread = most.saturating_sub(least).as_micros() as u64;
        let late = least + Duration::from_micros(self.rng.below(spread + 1));
        let at = Instant::now() + late;
        let pipe = self.from(side);
        let at = pipe.last.map_or(at, |last| last.max(at));
        pipe.last = Some(at);
        at
    }
}

/// A connection as the network sees it. Clones are the same connection.
#[derive(Debug, Clone)]
pub(crate) struct Wire(Arc<Mutex<State>>);

impl Wire {
    /// A connection and its ends: the device's and the hub's.
    pub(crate) fn new(seed: u64, delay: (Duration, Duration)) -> (Self, End, End) {
        let state = State {
            to_hub: Pipe::default(),
            to_device: Pipe::default(),
            is_reset: false,
            is_reset_here: false,
            is_silent: false,
            delay,
            rng: Rng::new(seed),
        };
        let wire = Self(Arc::new(Mutex::new(state)));
        let end = |side| End { wire: wire.clone(), side, timer: None };
        let (device, hub) = (end(Side::Device), end(Side::Hub));
        (wire, device, hub)
    }

    /// Both ends learn at once that it is over; what is on its way is lost.
    pub(crate) fn reset(&self) {
        let mut state = self.0.lock();
        state.is_reset = true;
        state.to_hub.wake();
        state.to_device.wake();
    }

    /// Nothing arrives any more; some of what is on its way still does when `keeps` says so. Nobody is told.
    pub(crate) fn go_silent(&self, keeps: bool) {
        let mut state = self.0.lock();
        state.is_silent = true;
        if !keeps {
            state.to_hub.on_the_way.clear();
            state.to_device.on_the_way.clear();
        }
    }

    /// The device learns at once that it is over. What it had sent comes to the hub later, when the device may long
    /// have sent it again on another connection.
    pub(crate) fn straggle(&self, late: Duration) {
        let mut state = self.0.lock();
        state.is_reset_here = true;
        state.is_silent = true;
        state.to_hub.on_the_way.iter_mut().for_each(|(at, _)| *at += late);
        state.to_hub.wake();
        state.to_device.wake();
    }

    /// How late bytes are from now on.
    pub(crate) fn set_delay(&self, delay: (Duration, Duration)) {
        self.0.lock().delay = delay;
    }

    /// Bytes on their way in both directions.
    pub(crate) fn bytes(&self) -> usize {
        let state = self.0.lock();
        state.to_hub.bytes + state.to_device.bytes
    }

    /// Whether nobody holds an end any more.
    pub(crate) fn is_gone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

/// One end of a connection. Dropping it closes it, as the end of a process does.
#[derive(Debug)]
pub(crate) struct End {
    wire: Wire,
    side: Side,
    timer: Option<Pin<Box<Sleep>>>,
}

impl End {
    /// Wakes the task at a time.
    fn wake_at(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() != at {
            timer.as_mut().reset(at);
        }
        timer.as_mut().poll(context)
    }
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let next = {
                let mut state = self.wire.0.lock();
                if state.is_over(self.side) {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                let now = Instant::now();
                let pipe = state.towards(self.side);
                let first = pipe.on_the_way.front_mut().filter(|(at, _)| *at <= now);
                if let Some((_, bytes)) = first {
                    let rest = bytes.split_off(bytes.len().min(buffer.remaining()));
                    let taken = std::mem::replace(bytes, rest);
                    let is_empty = bytes.is_empty();
                    if is_empty {
                        pipe.on_the_way.pop_front();
                    }
                    buffer.put_slice(&taken);
                    pipe.bytes = pipe.bytes.saturating_sub(taken.len());
                    if let Some(writer) = pipe.writer.take() {
                        writer.wake();
                    }
                    return Poll::Ready(Ok(()));
                }
                let next = pipe.on_the_way.front().map(|(at, _)| *at).or(pipe.end);
                if pipe.on_the_way.is_empty() && pipe.end.is_some_and(|end| end <= now) {
                    return Poll::Ready(Ok(()));
                }
                pipe.reader = Some(context.waker().clone());
                next
            };
            match next {
                Some(at) => ready!(self.wake_at(at, context)),
                None => return Poll::Pending,
            }
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.wire.0.lock();
        if state.is_over(self.side) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let pipe = state.from(self.side);
        let room = ON_THE_WAY_MAX.saturating_sub(pipe.bytes);
        if room == 0 {
            pipe.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let taken = bytes.get(..room).unwrap_or(bytes).to_vec();
        let count = taken.len();
        // What is lost silently is never confirmed either, so that the sender's buffer stays full.
        pipe.bytes += count;
        if !state.is_silent {
            let at = state.arrival(self.side);
            let pipe = state.from(self.side);
            pipe.on_the_way.push_back((at, taken));
            if let Some(reader) = pipe.reader.take() {
                reader.wake();
            }
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        close(&self.wire, self.side);
        Poll::Ready(Ok(()))
    }
}

/// The other end reads what is on its way, and then the end.
fn close(wire: &Wire, side: Side) {
    let mut state = wire.0.lock();
    if state.is_silent || state.from(side).end.is_some() {
        return;
    }
    let at = state.arrival(side);
    let pipe = state.from(side);
    pipe.end = Some(at);
    pipe.wake();
}

impl Drop for End {
    fn drop(&mut self) {
        close(&self.wire, self.side);
    }
}
