//! Opening the queue: checkpoint, descriptions, then whatever the log has after them.

use crate::checkpoint::Checkpoint;
use crate::queue::{EdgeError, EdgeOptions, epoch_of, log_options};
use crate::record::{self, Entry, Message, MessageKind};
use gemba_base::Clock;
use gemba_base::disk::{self, Disk};
use gemba_model::{DataSetMetaData, GapMessage, GapReason, Hop, WriterKey};
use gemba_pubsub::uadp::{Decoder, encode_meta_data};
use gemba_pubsub::{Limits, NoDataSets, PublisherId, Received};
use gemba_wal::{Frame, Log, ReadItem, Recovery};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What opening found.
pub(crate) struct Recovered {
    pub(crate) log: Log,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) announced: BTreeMap<WriterKey, Arc<DataSetMetaData>>,
    pub(crate) values_waiting: u64,
    /// Numbers that are left out, for damage at the end of the log may hide messages that had them.
    pub(crate) left_out: Option<(u64, u64)>,
}

/// How much of the log is read at a time.
const READ_BYTES: usize = 4 << 20;

pub(crate) fn log_folder(data: &Path) -> PathBuf {
    data.join("log/edge")
}

fn state_folder(data: &Path) -> PathBuf {
    data.join("meta/edge")
}

pub(crate) fn checkpoint_path(data: &Path) -> PathBuf {
    state_folder(data).join("checkpoint.json")
}

fn state_error(path: &Path, reason: impl ToString) -> EdgeError {
    EdgeError::State { path: path.to_owned(), reason: reason.to_string() }
}

pub(crate) fn recover(
    options: &EdgeOptions,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
) -> Result<Recovered, EdgeError> {
    let folder = state_folder(&options.data);
    disk.create_private_folder(&folder).map_err(|error| state_error(&folder, error))?;
    let log_folder = log_folder(&options.data);
    let (log, recovery) = Log::open(disk.clone(), &log_folder, log_options(options, clock))?;
    for corruption in &recovery.corruptions {
        tracing::error!(?corruption, "the edge's queue is damaged; what is lost goes to the ledger");
    }
    let mut checkpoint = checkpoint(&*disk, options, &log)?;
    let mut waiting = Waiting::from(checkpoint.unacknowledged_sequence);
    let (mut left_out, mut lost_from) = (None, None);
    let mut reader = log.reader(checkpoint.offset.min(checkpoint.unacknowledged_offset));
    loop {
        let items = reader.read(READ_BYTES).map_err(|error| state_error(&log_folder, error))?;
        if items.is_empty() {
            break;
        }
        for item in items {
            match item {
                ReadItem::Frame(frame) => {
                    replay(&mut checkpoint, &mut waiting, frame.offset, &frame.payload);
                    lost_from = None;
                }
                ReadItem::Corrupt { from_offset, .. } => lost_from = lost_from.or(Some(from_offset)),
                ReadItem::Trimmed { .. } => {}
            }
        }
    }
    if let Some(from) = lost_from {
        // Numbers of messages that can be read no more may have reached the hub: they are not given again.
        let first = checkpoint.next_sequence;
        checkpoint.next_sequence = first.saturating_add(most_lost(&recovery, from, options));
        left_out = Some((first, checkpoint.next_sequence));
    }
    checkpoint.unacknowledged_sequence = checkpoint.unacknowledged_sequence.max(waiting.given_up);
    checkpoint.offset = log.stats().next_offset;
    let announced = descriptions(&*disk, options)?;
    Ok(Recovered { log, checkpoint, announced, values_waiting: waiting.values, left_out })
}

/// The most messages that damage at the end of the log, from an offset on, can hide.
fn most_lost(recovery: &Recovery, from: u64, options: &EdgeOptions) -> u64 {
    let at_the_end = recovery.corruptions.iter().filter(|corruption| corruption.from_offset >= from);
    let bytes: u64 = at_the_end.map(|corruption| corruption.bytes).sum();
    // Opening looks into the newest segment alone; one before it may be all that is damaged.
    let bytes = if bytes == 0 { options.segment_bytes } else { bytes };
    bytes / record::MESSAGE_BYTES_MIN + 1
}

/// What waits for the hub.
struct Waiting {
    /// The first number that was neither acknowledged nor given up when the checkpoint was written.
    from: u64,
    /// Messages below it were given up since: the record that says so is durable, and nobody may drop them again.
    given_up: u64,
    /// The first number in the log: below it, everything is gone.
    first: Option<u64>,
    values: u64,
}

impl Waiting {
    const fn from(from: u64) -> Self {
        Self { from, given_up: 0, first: None, values: 0 }
    }

    fn message(&mut self, message: &Message<'_>) {
        let first = *self.first.get_or_insert(message.sequence);
        if message.sequence >= self.from {
            self.values += u64::from(message.values);
        }
        let Some(gap) = drop_told(message) else { return };
        for &(from, to) in gap.messages.iter().filter(|(_, to)| *to > self.from) {
            self.given_up = self.given_up.max(to);
            if from >= first {
                self.values = self.values.saturating_sub(gap.record.count.unwrap_or(0));
            }
        }
    }
}

/// The gap record in a message, if it tells what the queue itself gave up.
pub(crate) fn drop_told(message: &Message<'_>) -> Option<GapMessage> {
    let is_gap = message.kind == MessageKind::Gap;
    let gap: GapMessage = is_gap.then(|| serde_json::from_slice(message.body).ok()).flatten()?;
    ((gap.record.reason, gap.record.hop) == (GapReason::Drop, Hop::Edge)).then_some(gap)
}

/// Takes one record into the state.
fn replay(checkpoint: &mut Checkpoint, waiting: &mut Waiting, offset: u64, payload: &[u8]) {
    for entry in record::entries(payload).into_iter().flatten().flatten() {
        match entry {
            Entry::Message(message) => {
                checkpoint.next_sequence = checkpoint.next_sequence.max(message.sequence + 1);
                waiting.message(&message);
            }
            Entry::Cursor { key, state } if offset >= checkpoint.offset => match state {
                Some(state) => drop(checkpoint.cursors.insert(key.to_owned(), state.to_vec())),
                None => drop(checkpoint.cursors.remove(key)),
            },
            Entry::Cursor { .. } | Entry::Life(_) => {}
        }
    }
}

/// The checkpoint of this log; one of another log means that the queue was replaced, and is put aside.
fn checkpoint(disk: &dyn Disk, options: &EdgeOptions, log: &Log) -> Result<Checkpoint, EdgeError> {
    let path = checkpoint_path(&options.data);
    let name = format!("{:016x}", epoch_of(log));
    let first = log.stats().first_offset;
    let fresh = Checkpoint {
        log: name.clone(),
        offset: first,
        next_sequence: 0,
        unacknowledged_offset: first,
        unacknowledged_sequence: 0,
        cursors: BTreeMap::new(),
    };
    let bytes = match disk.read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(fresh),
        Err(error) => return Err(state_error(&path, error)),
    };
    match Checkpoint::parse(&bytes) {
        Ok(found) if found.log == name => Ok(found),
        Ok(_) => {
            tracing::warn!("the edge's queue was replaced: its subscriptions start anew");
            Ok(fresh)
        }
        Err(reason) => Err(state_error(
            &path,
            format!(
                "{reason}; restore it, or move it and the folder log/edge away to start anew (what waits there is lost)"
            ),
        )),
    }
}

/// The record that begins with this sequence, searched from `from` on.
pub(crate) fn find_sequence(log: &Log, from: u64, sequence: u64) -> Option<Frame> {
    let mut reader = log.reader(from);
    loop {
        let items = reader.read(READ_BYTES).ok().filter(|items| !items.is_empty())?;
        for item in items {
            let ReadItem::Frame(frame) = item else { continue };
            let first =
                record::entries(&frame.payload).into_iter().flatten().flatten().find_map(
                    |entry| match entry {
                        Entry::Message(message) => Some(message.sequence),
                        Entry::Cursor { .. } | Entry::Life(_) => None,
                    },
                );
            if first == Some(sequence) {
                return Some(frame);
            }
        }
    }
}

fn descriptions_folder(options: &EdgeOptions) -> PathBuf {
    state_folder(&options.data).join("descriptions")
}

/// Keeps a description in a file of its own, as UADP.
pub(crate) fn save_description(
    disk: &dyn Disk,
    options: &EdgeOptions,
    metadata: &DataSetMetaData,
) -> Result<(), EdgeError> {
    let folder = descriptions_folder(options);
    let WriterKey { group, writer } = metadata.writer;
    let path = folder.join(format!("{group}-{writer}.uadp"));
    let publisher = PublisherId::from(options.producer.as_str());
    let bytes = encode_meta_data(&publisher, 0, metadata, &Limits::default())
        .map_err(|error| state_error(&path, error))?;
    disk::make_folder(disk, &folder).map_err(|error| state_error(&folder, error))?;
    disk.replace(&path, &bytes, false).map_err(|error| state_error(&path, error))
}

fn descriptions(
    disk: &dyn Disk,
    options: &EdgeOptions,
) -> Result<BTreeMap<WriterKey, Arc<DataSetMetaData>>, EdgeError> {
    let folder = descriptions_folder(options);
    let paths = match disk.list(&folder) {
        Ok(paths) => paths,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(state_error(&folder, error)),
    };
    let mut found = BTreeMap::new();
    let mut decoder = Decoder::default();
    for path in paths {
        if path.extension().is_none_or(|extension| extension != "uadp") {
            continue;
        }
        let bytes = disk.read(&path).map_err(|error| state_error(&path, error))?;
        match decoder.decode(&bytes, &NoDataSets) {
            Ok(Received::MetaData(message)) => {
                found.insert(message.meta_data.writer, Arc::new(message.meta_data));
            }
            Ok(Received::Data(_)) => {
                tracing::warn!(path = %path.display(), "not a description; it is left out")
            }
            // The field announces it anew, with a new version.
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the description is damaged; it is left out")
            }
        }
    }
    Ok(found)
}
