//! Appends on their way to the committer: in order, bounded by bytes, each with a reply.

use crate::block_on::block_on;
use crate::error::AppendError;
use crate::fence::Fence;
use crate::format::{FRAME_HEADER_BYTES, GROUP_FRAMES_MAX};
use bytes::Bytes;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use tokio::sync::{Semaphore, oneshot};

/// What is appended as one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What the payload is; the log does not look at it.
    pub kind: u8,
    /// For the caller; the log does not look at it.
    pub flags: u8,
    /// Any bytes, also none.
    pub payload: Bytes,
}

impl Record {
    /// A record without flags.
    pub fn new(kind: u8, payload: impl Into<Bytes>) -> Self {
        Self { kind, flags: 0, payload: payload.into() }
    }

    /// Bytes that the frame takes in a segment and in the queue.
    pub(crate) fn frame_bytes(&self) -> usize {
        self.payload.len() + FRAME_HEADER_BYTES
    }
}

/// Frames that go into the log together.
#[derive(Debug)]
enum Frames {
    One(Record),
    Many(Vec<Record>),
}

type Reply = oneshot::Sender<Result<u64, AppendError>>;

/// Resolves to the frame's offset once it is durable, for several together to that of the first. Dropping it does not take the append back.
#[derive(Debug)]
#[must_use = "without the ticket nobody knows whether the frame became durable"]
pub struct AppendTicket(oneshot::Receiver<Result<u64, AppendError>>);

impl AppendTicket {
    /// Parks this thread until the frame is durable.
    ///
    /// # Errors
    /// As awaiting the ticket.
    pub fn wait_blocking(self) -> Result<u64, AppendError> {
        block_on(self)
    }
}

impl Future for AppendTicket {
    type Output = Result<u64, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let reply = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(reply.unwrap_or_else(|_| {
            Err(AppendError::Poisoned { reason: Arc::from("the committer ended without an answer") })
        }))
    }
}

/// One append that waits.
#[derive(Debug)]
pub(crate) struct Pending {
    frames: Frames,
    frame_bytes: usize,
    /// May use the headroom and half of the reserve.
    pub(crate) into_headroom: bool,
    fence: Option<Fence>,
    reply: Reply,
}

impl Pending {
    /// It is durable from this offset on.
    pub(crate) fn done(self, offset: u64) {
        answer(self.reply, Ok(offset));
    }

    /// It is not in the log, nor is what its sender appended behind it.
    pub(crate) fn refuse(self, error: AppendError) {
        if let Some(fence) = &self.fence {
            fence.close(&error);
        }
        answer(self.reply, Err(error));
    }

    /// Why one before it was refused.
    pub(crate) fn refused_before(&self) -> Option<AppendError> {
        self.fence.as_ref().and_then(Fence::refusal)
    }

    /// In order.
    pub(crate) fn records(&self) -> &[Record] {
        match &self.frames {
            Frames::One(record) => std::slice::from_ref(record),
            Frames::Many(records) => records,
        }
    }

    /// Bytes that all of it takes in a segment and in the queue.
    pub(crate) const fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }
}

#[derive(Debug)]
enum Item {
    Append(Pending),
    Roll(Reply),
}

/// What the committer does next.
#[derive(Debug)]
pub(crate) enum Work {
    /// Appends for one write and one sync.
    Group(Vec<Pending>),
    /// Start a new segment.
    Roll(Reply),
}

/// What one group may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupLimits {
    pub(crate) group_bytes_max: usize,
    /// Left in the active segment.
    pub(crate) segment_room: usize,
    /// What an empty segment can take.
    pub(crate) segment_capacity: usize,
}

#[derive(Debug)]
struct Waiting {
    items: VecDeque<Item>,
    bytes: usize,
    /// Why nothing more is taken in.
    ended: Option<AppendError>,
    /// Of a committer that is no thread.
    waker: Option<Waker>,
}

/// The queue. Fair: whoever waits longest for room gets it first.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrival: Condvar,
    room: Semaphore,
    bytes_max: usize,
    payload_bytes_max: usize,
    batch_bytes_max: usize,
}

impl Queue {
    pub(crate) fn new(bytes_max: usize, payload_bytes_max: usize, batch_bytes_max: usize) -> Self {
        Self {
            waiting: Mutex::new(Waiting { items: VecDeque::new(), bytes: 0, ended: None, waker: None }),
            arrival: Condvar::new(),
            room: Semaphore::new(bytes_max),
            bytes_max,
            payload_bytes_max,
            batch_bytes_max,
        }
    }

    fn permits(&self, record: &Record) -> Result<u32, AppendError> {
        let bytes = record.payload.len();
        let too_large = AppendError::TooLarge { bytes, bytes_max: self.payload_bytes_max };
        if bytes > self.payload_bytes_max {
            return Err(too_large);
        }
        u32::try_from(record.frame_bytes()).map_err(|_| too_large)
    }

    /// The bytes of several records that are queued together.
    fn batch_permits(&self, records: &[Record]) -> Result<u32, AppendError> {
        let too_large = |bytes, bytes_max| AppendError::TooLarge { bytes, bytes_max };
        if let Some(large) = records.iter().find(|record| record.payload.len() > self.payload_bytes_max) {
            return Err(too_large(large.payload.len(), self.payload_bytes_max));
        }
        let bytes = records.iter().map(Record::frame_bytes).sum();
        if bytes > self.batch_bytes_max && records.len() > 1 {
            return Err(too_large(bytes, self.batch_bytes_max));
        }
        u32::try_from(bytes).map_err(|_| too_large(bytes, self.batch_bytes_max))
    }

    fn ended(&self) -> AppendError {
        self.waiting.lock().ended.clone().unwrap_or(AppendError::Closed)
    }

    async fn wait_for_room(&self, permits: u32) -> Result<(), AppendError> {
        self.room.acquire_many(permits).await.map_err(|_| self.ended())?.forget();
        Ok(())
    }

    fn take_room(&self, permits: u32) -> Result<(), AppendError> {
        match self.room.try_acquire_many(permits) {
            Ok(room) => {
                room.forget();
                Ok(())
            }
            Err(tokio::sync::TryAcquireError::Closed) => Err(self.ended()),
            Err(tokio::sync::TryAcquireError::NoPermits) => {
                Err(AppendError::QueueFull { bytes_max: self.bytes_max })
            }
        }
    }

    /// Waits for room, then queues. Nothing is queued when the future is dropped before it is ready.
    pub(crate) async fn push(
        &self,
        record: Record,
        into_headroom: bool,
    ) -> Result<AppendTicket, AppendError> {
        self.wait_for_room(self.permits(&record)?).await?;
        let bytes = record.frame_bytes();
        self.enqueue(Frames::One(record), bytes, into_headroom, None)
    }

    /// Queues if there is room now.
    pub(crate) fn try_push(&self, record: Record, into_headroom: bool) -> Result<AppendTicket, AppendError> {
        self.take_room(self.permits(&record)?)?;
        let bytes = record.frame_bytes();
        self.enqueue(Frames::One(record), bytes, into_headroom, None)
    }

    /// [`Self::push`] of several.
    pub(crate) async fn push_all(
        &self,
        records: Vec<Record>,
        fence: &Fence,
    ) -> Result<AppendTicket, AppendError> {
        let permits = self.batch_permits(&records)?;
        self.wait_for_room(permits).await?;
        self.enqueue(Frames::Many(records), permits as usize, false, Some(fence.clone()))
    }

    /// [`Self::try_push`] of several; they come back with the error.
    pub(crate) fn try_push_all(
        &self,
        records: Vec<Record>,
        fence: &Fence,
    ) -> Result<AppendTicket, (AppendError, Vec<Record>)> {
        let room = self.batch_permits(&records).and_then(|permits| self.take_room(permits).map(|()| permits));
        match room {
            Ok(permits) => {
                let fence = Some(fence.clone());
                let queued = self.enqueue(Frames::Many(records), permits as usize, false, fence);
                queued.map_err(|error| (error, Vec::new()))
            }
            Err(error) => Err((error, records)),
        }
    }

    fn enqueue(
        &self,
        frames: Frames,
        frame_bytes: usize,
        into_headroom: bool,
        fence: Option<Fence>,
    ) -> Result<AppendTicket, AppendError> {
        let (reply, ticket) = oneshot::channel();
        self.put(Item::Append(Pending { frames, frame_bytes, into_headroom, fence, reply }), frame_bytes)?;
        Ok(AppendTicket(ticket))
    }

    /// Queues the start of a new segment behind all appends so far.
    pub(crate) fn push_roll(&self) -> Result<AppendTicket, AppendError> {
        let (reply, ticket) = oneshot::channel();
        self.put(Item::Roll(reply), 0)?;
        Ok(AppendTicket(ticket))
    }

    fn put(&self, item: Item, bytes: usize) -> Result<(), AppendError> {
        let mut waiting = self.waiting.lock();
        if let Some(ended) = &waiting.ended {
            return Err(ended.clone());
        }
        waiting.items.push_back(item);
        waiting.bytes += bytes;
        self.wake(waiting);
        Ok(())
    }

    /// Waits for work; `None` once the queue has ended and is empty.
    pub(crate) fn take(&self, limits: GroupLimits) -> Option<Work> {
        let mut waiting = self.waiting.lock();
        while waiting.items.is_empty() {
            if waiting.ended.is_some() {
                return None;
            }
            self.arrival.wait(&mut waiting);
        }
        let (work, bytes) = next(&mut waiting, limits);
        drop(waiting);
        self.room.add_permits(bytes);
        work
    }

    /// [`Self::take`] without waiting; `None` when there is no work now.
    pub(crate) fn try_take(&self, limits: GroupLimits) -> Option<Work> {
        let (work, bytes) = next(&mut self.waiting.lock(), limits);
        self.room.add_permits(bytes);
        work
    }

    /// Whether there is work (true) or never will be again (false); else remembers whom to wake.
    pub(crate) fn poll_work(&self, waker: &Waker) -> Option<bool> {
        let mut waiting = self.waiting.lock();
        if !waiting.items.is_empty() {
            return Some(true);
        }
        if waiting.ended.is_some() {
            return Some(false);
        }
        waiting.waker = Some(waker.clone());
        None
    }

    fn wake(&self, mut waiting: MutexGuard<'_, Waiting>) {
        let waker = waiting.waker.take();
        drop(waiting);
        self.arrival.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Bytes and items that wait.
    pub(crate) fn depth(&self) -> (usize, usize) {
        let waiting = self.waiting.lock();
        (waiting.bytes, waiting.items.len())
    }

    /// Takes nothing more in; what is queued is still worked off.
    pub(crate) fn close(&self) {
        let mut waiting = self.waiting.lock();
        waiting.ended.get_or_insert(AppendError::Closed);
        self.room.close();
        self.wake(waiting);
    }

    /// Takes nothing more in and fails what is queued.
    pub(crate) fn poison(&self, error: &AppendError) {
        let mut waiting = self.waiting.lock();
        waiting.ended = Some(error.clone());
        waiting.bytes = 0;
        let items = mem::take(&mut waiting.items);
        self.room.close();
        self.wake(waiting);
        for item in items {
            match item {
                Item::Append(pending) => pending.refuse(error.clone()),
                Item::Roll(reply) => answer(reply, Err(error.clone())),
            }
        }
    }
}

/// What goes into one group, and its bytes; `None` when nothing waits.
fn next(waiting: &mut Waiting, limits: GroupLimits) -> (Option<Work>, usize) {
    let mut group = Vec::new();
    let (mut bytes, mut frames) = (0, 0);
    let mut limit = usize::MAX;
    while let Some(item) = waiting.items.pop_front() {
        match item {
            Item::Roll(reply) if group.is_empty() => return (Some(Work::Roll(reply)), 0),
            Item::Append(pending)
                if group.is_empty()
                    || bytes + pending.frame_bytes() <= limit
                        && frames + pending.records().len() <= GROUP_FRAMES_MAX =>
            {
                let frame = pending.frame_bytes();
                if group.is_empty() {
                    // What comes first and does not fit goes to a new segment, and the group with it.
                    let fits = frame <= limits.segment_room;
                    let room = if fits { limits.segment_room } else { limits.segment_capacity };
                    limit = limits.group_bytes_max.min(room);
                }
                bytes += frame;
                frames += pending.records().len();
                group.push(pending);
            }
            later => {
                waiting.items.push_front(later);
                break;
            }
        }
    }
    waiting.bytes -= bytes;
    let work = (!group.is_empty()).then_some(Work::Group(group));
    (work, bytes)
}

/// Replies; a caller that went away does not need the answer.
pub(crate) fn answer(reply: Reply, result: Result<u64, AppendError>) {
    drop(reply.send(result));
}
