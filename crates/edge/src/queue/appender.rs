//! The task that writes: everything that waits becomes one record, durable as a whole.

use super::pace::Pace;
use super::{Shared, Trouble, Waiter, Work, drops, log_options};
use crate::encoding::{Writer, Written};
use crate::overflow::OverflowRule;
use crate::record::{self, Entry};
use crate::replay;
use bytes::Bytes;
use gemba_api::UplinkError;
use gemba_base::{Backoff, Tasks};
use gemba_wal::{AppendError, Frame, Log};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Kind of the frames in the log; the record inside has its own version.
pub(crate) const FRAME_KIND: u8 = 1;
/// What one record may gather before it is written.
const RECORD_BYTES: usize = 2 << 20;

type Done = oneshot::Sender<Result<(), UplinkError>>;

/// A record on its way to the disk.
struct Draft {
    record: Vec<u8>,
    done: Vec<Done>,
    written: Written,
    first_sequence: u64,
}

pub(super) fn start(shared: Arc<Shared>, writer: Writer, tasks: &Tasks) {
    let stop = tasks.clone();
    tasks.spawn(async move {
        run(&shared, writer, &stop).await;
        let mut waiting = shared.waiting.lock();
        waiting.closed = true;
        // Whoever still waits learns it by the closed channel.
        waiting.work.clear();
    });
}

async fn run(shared: &Arc<Shared>, mut writer: Writer, stop: &Tasks) {
    let mut pace = Pace::default();
    loop {
        drops::expire(shared, &mut writer).await;
        pace.wait(shared, RECORD_BYTES, stop).await;
        let draft = draft(shared, &mut writer);
        if draft.done.is_empty() {
            // What was offered before the stop is still written: the field stops before the edge.
            if stop.is_stopping() {
                break;
            }
            tokio::select! {
                biased;
                () = shared.arrival.notified() => {}
                () = stop.stopping() => {}
                () = tokio::time::sleep(Duration::from_secs(1)), if shared.options.queue_age_max.is_some() => {}
            }
            continue;
        }
        pace.begin();
        if !write(shared, &mut writer, draft, stop).await {
            break;
        }
    }
    if let Err(error) = shared.save_checkpoint() {
        tracing::warn!(%error, "the edge's checkpoint was not written; its queue is read again at the next start");
    }
}

/// Takes what waits, up to the size of a record.
fn draft(shared: &Shared, writer: &mut Writer) -> Draft {
    let mut draft = Draft {
        record: record::begin(),
        done: Vec::new(),
        written: Written::default(),
        first_sequence: writer.next_sequence(),
    };
    // A record must fit a segment, also with the last delivery that is put into it.
    let bytes_max =
        RECORD_BYTES.min(usize::try_from(shared.options.segment_bytes / 4).unwrap_or(RECORD_BYTES));
    while draft.record.len() < bytes_max {
        let Some(Waiter { work, bytes, done }) = shared.waiting.lock().work.pop_front() else { break };
        shared.waiting.lock().bytes -= bytes;
        let written = match work {
            Work::Deliver(delivery) => Ok(writer.delivery(&delivery, &mut draft.record)),
            Work::Announce(metadata) => writer.announcement(&metadata, &mut draft.record),
            Work::Tell(gap) => Ok(writer.tell(&gap, &mut draft.record)),
        };
        match written {
            Ok(written) => {
                draft.written.messages += written.messages;
                draft.written.values += written.values;
                draft.written.refused += written.refused;
                draft.done.push(done);
            }
            Err(error) => {
                let rejected = UplinkError::Rejected { code: error.code(), detail: error.to_string() };
                // Nobody waits any more, then nobody needs to know.
                drop(done.send(Err(rejected)));
            }
        }
    }
    draft
}

/// Tries until the record is durable. Returns false when the edge stops before that.
async fn write(shared: &Arc<Shared>, writer: &mut Writer, mut draft: Draft, stop: &Tasks) -> bool {
    record::put_life(&mut draft.record, shared.life);
    let mut payload = Bytes::from(std::mem::take(&mut draft.record));
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    loop {
        let error = match shared.log() {
            Some(log) => match append(&log, payload.clone()).await {
                Ok(offset) => {
                    finish(shared, draft, &payload, offset);
                    return true;
                }
                Err(error) => error,
            },
            None => AppendError::Closed,
        };
        note(shared, &error);
        match error {
            AppendError::Full { .. } if shared.options.on_full == OverflowRule::DropOldest => {
                if let Some(used) = drops::drop_oldest(shared, draft.first_sequence).await {
                    // The gap records took the first numbers; the messages after them move on.
                    writer.skip(used);
                    draft.first_sequence += used;
                    payload = Bytes::from(record::renumbered(&payload, draft.first_sequence));
                    continue;
                }
            }
            AppendError::Poisoned { .. } | AppendError::Closed => {
                match reopen(shared, draft.first_sequence) {
                    Some(found) if found.payload == payload => {
                        finish(shared, draft, &payload, found.offset);
                        return true;
                    }
                    Some(found) => {
                        // The record of a drop, of which nobody knew whether it reached the disk: it has the numbers.
                        let used = drops::take_over(shared, &found, draft.first_sequence);
                        writer.skip(used);
                        draft.first_sequence += used;
                        payload = Bytes::from(record::renumbered(&payload, draft.first_sequence));
                        continue;
                    }
                    None => {}
                }
            }
            AppendError::TooLarge { .. } => {
                writer.take_back(draft.first_sequence);
                reject(draft, &error);
                return true;
            }
            AppendError::DiskFull { .. } | AppendError::Full { .. } | AppendError::QueueFull { .. } => {}
        }
        if stop.back_off(&mut backoff).await {
            return false;
        }
    }
}

async fn append(log: &Log, payload: Bytes) -> Result<u64, AppendError> {
    log.append(FRAME_KIND, payload).await?.await
}

/// Every delivery of the record learns that it was not taken. Deliveries are kept far smaller than a segment, so this is
/// a last resort.
fn reject(draft: Draft, error: &AppendError) {
    for done in draft.done {
        let rejected = UplinkError::Rejected { code: error.code(), detail: error.to_string() };
        drop(done.send(Err(rejected)));
    }
}

/// The record is durable: state moves on, then everybody is told.
fn finish(shared: &Shared, draft: Draft, payload: &[u8], offset: u64) {
    {
        let mut state = shared.state.lock();
        state.offset = offset + 1;
        if let Some(ages) = &mut state.ages {
            ages.note(offset, shared.clock.monotonic());
        }
        state.next_sequence = draft.first_sequence + draft.written.messages;
        state.values_waiting += draft.written.values;
        state.oldest_waiting.get_or_insert_with(|| shared.clock.now());
        state.trouble = None;
        for entry in record::entries(payload).into_iter().flatten().flatten() {
            if let Entry::Cursor { key, state: cursor } = entry {
                match cursor {
                    Some(cursor) => drop(state.cursors.insert(key.to_owned(), cursor.to_vec())),
                    None => drop(state.cursors.remove(key)),
                }
            }
        }
    }
    shared.counters.values_in.add(draft.written.values);
    shared.counters.messages_in.add(draft.written.messages);
    shared.counters.values_dropped.add(draft.written.refused);
    for done in draft.done {
        // A caller that went away does not need to know.
        drop(done.send(Ok(())));
    }
}

fn note(shared: &Shared, error: &AppendError) {
    let mut state = shared.state.lock();
    let code = error.code();
    if state.trouble.as_ref().is_none_or(|trouble| trouble.code != code) {
        tracing::warn!(%code, %error, "the edge's queue does not take data");
        state.trouble = Some(Trouble { code, text: error.to_string(), since: shared.clock.now() });
    }
}

/// Opens a failed log again. Returns the record that begins with `first_sequence` when one had reached the disk after
/// all.
fn reopen(shared: &Shared, first_sequence: u64) -> Option<Frame> {
    // Readers hold the log, too; they let go when they see that it failed.
    *shared.log.lock() = None;
    let folder = replay::log_folder(&shared.options.data);
    let options = log_options(&shared.options, shared.clock.clone());
    match Log::open(shared.disk.clone(), &folder, options) {
        Ok((log, _)) => {
            let found = replay::find_sequence(&log, shared.state.lock().offset, first_sequence);
            *shared.log.lock() = Some(log);
            tracing::info!("the edge's queue is open again");
            found
        }
        Err(error) => {
            tracing::debug!(%error, "the edge's queue cannot be opened yet");
            None
        }
    }
}
