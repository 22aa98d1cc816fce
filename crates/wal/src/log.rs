//! The log as its users hold it.

use crate::block_on::block_on;
use crate::commit::Committer;
use crate::error::{AppendError, OpenError, ReadError, RollError, TrimError};
use crate::fence::Fence;
use crate::options::LogOptions;
use crate::pump::{CommitBy, Pump, work_off};
use crate::queue::{AppendTicket, Record};
use crate::read::Reader;
use crate::recovery::{Recovery, open_folder};
use crate::segment::SegmentInfo;
use crate::shared::{Life, Shared};
use crate::stats::{Counters, LogState, Stats};
use crate::trim::{Hold, TrimReport, TrimmedSegment};
use bytes::Bytes;
use gemba_base::disk::{Disk, DiskLock};
use gemba_model::DateTime;
use parking_lot::Mutex;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A durable log in one folder. Clones share it; dropping the last one makes what is queued durable and
/// waits for that, then gives the folder back.
///
/// Appends become durable in the order in which they were queued; appends of one task that awaits each call,
/// or of one thread, keep their order.
#[derive(Debug, Clone)]
pub struct Log(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    committer: Mutex<Option<Worker>>,
    /// Shared with the committer: given back when both are done.
    _lock: Arc<dyn DiskLock>,
}

/// What works for this log.
#[derive(Debug)]
enum Worker {
    Thread(JoinHandle<()>),
    Pumped(Arc<Mutex<Option<Committer>>>),
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Handle {
    fn stop(&self) {
        self.shared.queue.close();
        let Some(committer) = self.committer.lock().take() else { return };
        match committer {
            // A waker that the committer calls may drop the last handle; it cannot wait for itself.
            Worker::Thread(thread) if thread.thread().id() == thread::current().id() => {}
            Worker::Thread(thread) => {
                if thread.join().is_err() {
                    let folder = self.shared.place.folder.display();
                    tracing::error!(%folder, "the committer thread panicked");
                }
            }
            Worker::Pumped(committer) => {
                work_off(&self.shared, &committer, usize::MAX);
                if let Some(committer) = committer.lock().take() {
                    committer.finish();
                }
            }
        }
        // Readers end too: whoever opens the folder next may delete what they would read.
        self.shared.progress.send_modify(|progress| progress.life = Life::Closed);
    }
}

fn start(folder: &Path, shared: &Arc<Shared>, committer: Committer) -> Result<Worker, OpenError> {
    match &shared.options.commit_by {
        CommitBy::Thread => {
            let name =
                folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            let thread = thread::Builder::new().name(format!("wal-{name}")).spawn(move || committer.run());
            thread.map(Worker::Thread).map_err(|source| OpenError::Io {
                folder: folder.to_owned(),
                doing: "starting the committer thread".to_owned(),
                source,
            })
        }
        CommitBy::Pump(take) => {
            let committer = Arc::new(Mutex::new(Some(committer)));
            take(Pump { shared: Arc::clone(shared), committer: Arc::clone(&committer) });
            Ok(Worker::Pumped(committer))
        }
    }
}

impl Log {
    /// Opens the log in a folder, or creates it, and starts its committer thread.
    ///
    /// Reads the headers of all segments and all of the newest one. Blocks on the disk.
    ///
    /// # Errors
    /// When another opener holds the folder, the disk fails, or the files are not a log that this version
    /// reads. Damaged frames are no error: see [`Recovery::corruptions`].
    pub fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        options: LogOptions,
    ) -> Result<(Self, Recovery), OpenError> {
        options.check(folder)?;
        let opened = open_folder(disk, folder, &options)?;
        let next_offset = opened.recovery.next_offset;
        let shared = Arc::new(Shared::new(opened.place, options, opened.segments, next_offset));
        let lock: Arc<dyn DiskLock> = Arc::from(opened.lock);
        let committer = Committer::new(Arc::clone(&shared), opened.active, next_offset, Arc::clone(&lock));
        let worker = start(folder, &shared, committer)?;
        let handle = Handle { shared, committer: Mutex::new(Some(worker)), _lock: lock };
        Ok((Self(Arc::new(handle)), opened.recovery))
    }

    /// Queues a frame, waiting for room in the queue, and returns the ticket of its durability.
    ///
    /// Nothing is appended when the future is dropped before it is ready.
    ///
    /// # Errors
    /// `TooLarge`, `Closed`, `Poisoned` here; `DiskFull`, `Full`, `Poisoned` from the ticket.
    pub async fn append(&self, kind: u8, payload: impl Into<Bytes>) -> Result<AppendTicket, AppendError> {
        self.append_record(Record::new(kind, payload)).await
    }

    /// [`Self::append`] with flags.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn append_record(&self, record: Record) -> Result<AppendTicket, AppendError> {
        self.0.shared.queue.push(record, false).await
    }

    /// [`Self::append_record`] that may go past `bytes_max` by the headroom and use half of the volume's
    /// reserve: for the record of a loss that must stand before the loss makes room.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn append_into_headroom(&self, record: Record) -> Result<AppendTicket, AppendError> {
        self.0.shared.queue.push(record, true).await
    }

    /// [`Self::append_record`] that does not wait for room.
    ///
    /// # Errors
    /// `QueueFull`, else as [`Self::append`].
    pub fn try_append(&self, record: Record) -> Result<AppendTicket, AppendError> {
        self.0.shared.queue.try_push(record, false)
    }

    /// Queues several records as one: they become durable together or not at all, next to each other and in order,
    /// and the ticket resolves to the offset of the first. All together they may have
    /// [`LogOptions::batch_bytes_max`]; a single one always fits as in [`Self::append`]. Once one append with this
    /// fence was refused by its ticket, so are all behind it.
    ///
    /// # Errors
    /// As [`Self::try_append`]; the records come back, unless the log has ended.
    pub fn try_append_all(
        &self,
        records: Vec<Record>,
        fence: &Fence,
    ) -> Result<AppendTicket, (AppendError, Vec<Record>)> {
        self.0.shared.queue.try_push_all(records, fence)
    }

    /// [`Self::try_append_all`] that waits for room in the queue. Nothing is appended when the future is dropped
    /// before it is ready.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn append_all(&self, records: Vec<Record>, fence: &Fence) -> Result<AppendTicket, AppendError> {
        self.0.shared.queue.push_all(records, fence).await
    }

    /// Appends and parks this thread until the frame is durable. Not for async tasks.
    ///
    /// # Errors
    /// As [`Self::append`] and its ticket.
    pub fn append_blocking(&self, record: Record) -> Result<u64, AppendError> {
        block_on(async { self.append_record(record).await?.await })
    }

    /// Starts a new segment behind everything appended so far, so that all of that can be trimmed. Does
    /// nothing when the newest segment is empty. Returns the next offset.
    ///
    /// # Errors
    /// As the ticket of an append.
    pub async fn roll(&self) -> Result<u64, RollError> {
        self.0.shared.queue.push_roll()?.await
    }

    /// [`Self::roll`] for plain threads.
    ///
    /// # Errors
    /// As [`Self::roll`].
    pub fn roll_blocking(&self) -> Result<u64, RollError> {
        self.0.shared.queue.push_roll()?.wait_blocking()
    }

    /// A reader from an offset on; 0 begins with what is oldest (and tells what was trimmed before it).
    pub fn reader(&self, from_offset: u64) -> Reader {
        Reader::new(Arc::clone(&self.0.shared), from_offset)
    }

    /// The first readable offset with an append time at or after `time`; the next offset when there is none.
    /// Clocks may have jumped: later offsets can have earlier times. Blocks on the disk.
    ///
    /// # Errors
    /// As the disk reports them.
    pub fn offset_at(&self, time: DateTime) -> Result<u64, ReadError> {
        let shared = &self.0.shared;
        let next_offset = shared.progress.borrow().next_offset;
        let segments = shared.segments.read().clone();
        for segment in segments {
            let found = shared
                .place
                .disk
                .open(&segment.path, false)
                .and_then(|file| segment.seek_time(&shared.place, &*file, time));
            match found {
                Ok(Some(place)) => return Ok(place.offset),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let segment = segment.path.clone();
                    return Err(ReadError::Io { segment, position: 0, source: Arc::new(error) });
                }
            }
        }
        Ok(next_offset)
    }

    /// Keeps everything from an offset on for a consumer that must not miss any.
    #[must_use = "the hold ends when it is dropped"]
    pub fn hold(&self, name: &str, from_offset: u64) -> Hold {
        Hold::new(Arc::clone(&self.0.shared), name, from_offset)
    }

    /// Deletes the segments that hold only frames before `offset`, up to the first hold; never the newest.
    /// Durable on return. Blocks on the disk.
    ///
    /// # Errors
    /// What was deleted before the error stays deleted.
    pub fn trim_before(&self, offset: u64) -> Result<TrimReport, TrimError> {
        self.0.shared.trim_before(offset)
    }

    /// [`Self::trim_before`] for segments whose frames were all appended before `time`.
    ///
    /// # Errors
    /// As [`Self::trim_before`].
    pub fn trim_older_than(&self, time: DateTime) -> Result<TrimReport, TrimError> {
        self.0.shared.trim_older_than(time)
    }

    /// [`Self::trim_before`] until all segments together have at most `bytes_max` bytes.
    ///
    /// # Errors
    /// As [`Self::trim_before`].
    pub fn trim_to_bytes(&self, bytes_max: u64) -> Result<TrimReport, TrimError> {
        self.0.shared.trim_to_bytes(bytes_max)
    }

    /// Deletes the oldest segment regardless of holds: dropping the oldest when room runs out. `None` when only
    /// the newest is left. Write down what is lost before, see [`Self::append_into_headroom`].
    ///
    /// # Errors
    /// As [`Self::trim_before`].
    pub fn trim_oldest_segment(&self) -> Result<Option<TrimmedSegment>, TrimError> {
        self.0.shared.trim_oldest_segment()
    }

    /// The oldest segment, `None` when the log holds no frame there. Blocks on the disk.
    ///
    /// # Errors
    /// As the disk reports them.
    pub fn oldest_segment(&self) -> Result<Option<SegmentInfo>, ReadError> {
        self.0.shared.oldest_segment()
    }

    /// Random id made when the log was created; another log has another one.
    pub fn id(&self) -> u128 {
        self.0.shared.place.log_id
    }

    /// The oldest offset that is kept.
    pub fn first_offset(&self) -> u64 {
        self.0.shared.first_offset()
    }

    /// The offset that the next frame will get; every frame below is durable.
    pub fn next_offset(&self) -> u64 {
        self.0.shared.progress.borrow().next_offset
    }

    /// Whether appends go through.
    pub fn state(&self) -> LogState {
        *self.0.shared.state.lock()
    }

    /// The log's figures.
    pub fn stats(&self) -> Stats {
        let shared = &self.0.shared;
        let (queue_bytes, queue_appends) = shared.queue.depth();
        Stats {
            state: self.state(),
            first_offset: self.first_offset(),
            next_offset: self.next_offset(),
            bytes: shared.bytes(),
            segments: shared.segments.read().len(),
            queue_bytes,
            queue_appends,
            appends: Counters::value(&shared.counters.appends),
            refused: Counters::value(&shared.counters.refused),
            syncs: Counters::value(&shared.counters.syncs),
            last_sync: Duration::from_nanos(Counters::value(&shared.counters.last_sync_nanos)),
            corrupt_frames_read: Counters::value(&shared.counters.corrupt_frames_read),
        }
    }

    /// Makes what is queued durable and ends the committer. Appends, waiting readers and reads get `Closed`
    /// from then on. The folder can be opened again once all clones are dropped. Blocks.
    pub fn close(&self) {
        self.0.stop();
    }
}
