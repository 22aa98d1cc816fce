use super::*;
use crate::record::{self, Entry, MessageKind};
use gemba_api::CursorUpdate;
use gemba_base::SystemClock;
use gemba_base::disk::RealDisk;
use gemba_model::{
    BuiltInType, ConfigurationVersion, DataSetSource, FieldMetaData, GapMessage, GapReason, GapRecord,
    GapScope, Guid, Sample, SampleBatch, Value,
};
use gemba_wal::ReadItem;

const VERSION: ConfigurationVersion = ConfigurationVersion { major: 1, minor: 1 };
const WRITER: WriterKey = WriterKey { group: 1, writer: 1 };

/// A queue in a folder that goes with it.
struct Rig {
    folder: PathBuf,
    tasks: Tasks,
    queue: Option<StoreAndForward>,
    bytes_max: u64,
    disk: Arc<dyn Disk>,
}

impl Rig {
    fn new(bytes_max: u64) -> Self {
        Self::on(Arc::new(RealDisk), bytes_max)
    }

    fn on(disk: Arc<dyn Disk>, bytes_max: u64) -> Self {
        let folder = std::env::temp_dir().join(format!("gemba-edge-{}", gemba_base::random::hex::<6>()));
        let mut rig = Self { folder, tasks: Tasks::new("test"), queue: None, bytes_max, disk };
        rig.open();
        rig
    }

    fn open(&mut self) {
        let options = EdgeOptions {
            data: self.folder.clone(),
            producer: "edge-1".to_owned(),
            queue_bytes_max: self.bytes_max,
            queue_age_max: None,
            on_full: OverflowRule::DropOldest,
            segment_bytes: 64 << 10,
            reserve: Reserve::Bytes(1 << 20),
            log: LogOptions::default(),
        };
        self.tasks = Tasks::new("test");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let queue =
            StoreAndForward::open(options, self.disk.clone(), clock, &Metrics::default(), &self.tasks);
        self.queue = Some(queue.expect("the queue opens"));
    }

    fn queue(&self) -> &StoreAndForward {
        self.queue.as_ref().expect("the queue is open")
    }

    /// Stops the writing task and lets go of the log.
    async fn stop(&mut self) {
        let queue = self.queue.take();
        assert!(self.tasks.drain(Duration::from_secs(5)).await, "the writing task ends");
        drop(queue);
    }

    /// As a kill leaves it: the checkpoint of an orderly stop is not there.
    async fn kill(&mut self) {
        self.stop().await;
        drop(std::fs::remove_file(replay::checkpoint_path(&self.folder)));
    }

    /// Every message of the log from a sequence on.
    fn messages(&self) -> Vec<(u64, MessageKind, u32, Vec<u8>)> {
        let log = self.queue().shared.log().expect("the log is open");
        let mut reader = log.reader(0);
        let mut found = Vec::new();
        loop {
            let items = reader.read(1 << 20).expect("the log reads");
            if items.is_empty() {
                return found;
            }
            for item in items {
                let ReadItem::Frame(frame) = item else { continue };
                for entry in
                    record::entries(&frame.payload).expect("a record").map(|entry| entry.expect("an entry"))
                {
                    if let Entry::Message(message) = entry {
                        found.push((message.sequence, message.kind, message.values, message.body.to_vec()));
                    }
                }
            }
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn description() -> Arc<DataSetMetaData> {
    let field = FieldMetaData {
        name: "a".to_owned(),
        data_set_field_id: Guid([1; 16]),
        built_in_type: BuiltInType::Double,
        value_rank: -1,
        node_id: "nsu=urn:m;s=a".parse().expect("a node id"),
        attribute_id: 13,
        unit: String::new(),
    };
    Arc::new(DataSetMetaData {
        writer: WRITER,
        writer_group_name: "g".to_owned(),
        writer_name: "w".to_owned(),
        name: "d".to_owned(),
        version: VERSION,
        source: DataSetSource { endpoint_url: "opc.tcp://a:1".to_owned(), application_uri: String::new() },
        fields: vec![field],
        ..DataSetMetaData::default()
    })
}

/// Values at these times, in ticks after 2022.
fn delivery(times: std::ops::Range<i64>, cursor: u8) -> Delivery {
    let mut batch = SampleBatch::new(WRITER, VERSION);
    for time in times {
        let source_timestamp = Some(DateTime::from_ticks(132_854_688_000_000_000 + time));
        batch.samples.push(Sample {
            source_timestamp,
            value: Value::Double(time as f64),
            ..Sample::default()
        });
    }
    let cursor = CursorUpdate { key: "s".to_owned(), state: Some(vec![cursor]) };
    Delivery { gaps: Vec::new(), batches: vec![batch], cursors: vec![cursor] }
}

#[tokio::test]
async fn a_restart_goes_on_with_cursors_numbers_and_descriptions() {
    let mut rig = Rig::new(1 << 20);
    rig.queue().announce(description()).await.expect("taken");
    rig.queue().publish(delivery(0..10, 1)).await.expect("taken");
    rig.queue().publish(delivery(10..20, 2)).await.expect("taken");
    let before = rig.messages();
    let epoch = rig.queue().shared.epoch;
    rig.kill().await;
    rig.open();
    assert_eq!(rig.queue().cursors(), HashMap::from([("s".to_owned(), vec![2])]));
    assert_eq!(rig.queue().announced(), [description()]);
    assert_eq!(rig.queue().shared.epoch, epoch);
    rig.queue().publish(delivery(20..30, 3)).await.expect("taken");
    let after = rig.messages();
    assert_eq!(after[..before.len()], before);
    let numbers: Vec<u64> = after.iter().map(|message| message.0).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "no number is skipped or given twice");
    rig.kill().await;
}

#[tokio::test]
async fn data_without_its_description_is_refused() {
    let mut rig = Rig::new(1 << 20);
    let refused = rig.queue().publish(delivery(0..1, 1)).await.expect_err("nothing was announced");
    assert_eq!(
        refused.to_string(),
        "GMB-EDG-004: writer 1/1 publishes with version 1.1, which was not announced"
    );
    assert!(rig.queue().cursors().is_empty(), "nothing of a refused delivery is kept");
    rig.kill().await;
}

#[tokio::test]
async fn what_a_full_queue_drops_is_counted_in_gap_records() {
    let mut rig = Rig::new(192 << 10);
    rig.queue().announce(description()).await.expect("taken");
    let (mut written, step) = (0_i64, 400_i64);
    for cursor in 0..60 {
        rig.queue()
            .publish(delivery(written..written + step, cursor))
            .await
            .expect("an old segment makes room");
        written += step;
    }
    let messages = rig.messages();
    let kept: u64 = messages.iter().map(|message| u64::from(message.2)).sum();
    let gaps: Vec<GapMessage> = messages
        .iter()
        .filter(|message| message.1 == MessageKind::Gap)
        .map(|message| serde_json::from_slice(&message.3).expect("a gap record"))
        .collect();
    let explained: u64 = gaps.iter().flat_map(|gap| &gap.messages).map(|(from, to)| to - from).sum();
    assert_eq!(explained, messages[0].0, "each number that is gone is accounted for once");
    let gaps: Vec<GapRecord> = gaps.into_iter().map(|gap| gap.record).collect();
    let dropped: u64 = gaps.iter().filter_map(|gap| gap.count).sum();
    assert!(dropped > 0, "the queue is far smaller than what was written");
    assert_eq!(kept + dropped, written as u64, "each value is kept or counted");
    for gap in &gaps {
        let GapScope::Writer { group: 1, writer: 1, fields: Some(fields) } = &gap.scope else {
            panic!("{gap:?} names its writer and fields");
        };
        assert_eq!(fields.iter().filter_map(|field| field.count).sum::<u64>(), gap.count.unwrap_or(0));
        assert!(gap.from <= gap.to);
    }
    let numbers: Vec<u64> = messages.iter().map(|message| message.0).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "numbers stay contiguous: {numbers:?}");
    let described = messages.iter().filter(|message| message.1 == MessageKind::MetaData).count();
    assert!(described > 0, "the hub still learns the description");
    rig.kill().await;
}

#[tokio::test]
async fn numbers_of_messages_that_damage_took_are_not_given_again() {
    let mut rig = Rig::new(1 << 20);
    rig.queue().announce(description()).await.expect("taken");
    for cursor in 0..40 {
        rig.queue().publish(delivery(0..400, cursor)).await.expect("taken");
    }
    let given = rig.messages().last().expect("has messages").0;
    rig.kill().await;
    let listed = std::fs::read_dir(rig.folder.join("log/edge")).expect("a folder");
    let mut segments: Vec<PathBuf> = listed.map(|entry| entry.expect("an entry").path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    segments.sort();
    assert!(segments.len() > 1, "an older segment still says which log it is");
    let newest = segments.pop().expect("is there");
    let bytes = std::fs::read(&newest).expect("can be read");
    std::fs::write(&newest, bytes.iter().map(|byte| !byte).collect::<Vec<u8>>()).expect("can be written");
    rig.open();
    rig.queue().publish(delivery(400..401, 40)).await.expect("taken");
    let messages = rig.messages();
    let numbers: Vec<u64> = messages.iter().map(|message| message.0).collect();
    assert!(numbers.last().is_some_and(|last| *last > given), "{given} was given, then {numbers:?}");
    let told = messages.iter().rev().find(|message| message.1 == MessageKind::Gap).expect("a gap record");
    let gap: GapMessage = serde_json::from_slice(&told.3).expect("a gap record");
    assert_eq!((gap.record.reason, gap.messages), (GapReason::Corruption, vec![(0, told.0)]));
    rig.kill().await;
}

#[tokio::test]
async fn what_was_given_up_before_a_kill_is_not_given_up_again() {
    let mut rig = Rig::new(192 << 10);
    rig.queue().announce(description()).await.expect("taken");
    for cursor in 0..60_u8 {
        let first = i64::from(cursor) * 400;
        rig.queue().publish(delivery(first..first + 400, cursor)).await.expect("taken");
    }
    let messages = rig.messages();
    let ranges = |(_, kind, _, body): &(u64, MessageKind, u32, Vec<u8>)| match kind {
        MessageKind::Gap => serde_json::from_slice::<GapMessage>(body).expect("a gap record").messages,
        _ => Vec::new(),
    };
    let given_up = messages.iter().flat_map(ranges).map(|(_, to)| to).max().expect("some were given up");
    // The checkpoint goes with the kill: the log alone says what was given up.
    rig.kill().await;
    rig.open();
    let waiting: u64 = messages.iter().map(|message| u64::from(message.2)).sum();
    {
        let state = rig.queue().shared.state.lock();
        assert_eq!((state.unacknowledged.1, state.values_waiting), (given_up, waiting));
    }
    rig.kill().await;
}

#[tokio::test]
async fn a_record_that_is_too_large_takes_no_numbers() {
    let mut rig = Rig::new(1 << 20);
    rig.queue().announce(description()).await.expect("taken");
    rig.queue().publish(delivery(0..10_000, 1)).await.expect_err("is larger than a segment");
    rig.queue().publish(delivery(0..1, 2)).await.expect("taken");
    let numbers: Vec<u64> = rig.messages().iter().map(|message| message.0).collect();
    assert_eq!(numbers, [0, 1]);
    rig.kill().await;
}

#[tokio::test(start_paused = true)]
async fn records_keep_their_distance_unless_much_waits_or_the_edge_stops() {
    let mut rig = Rig::new(1 << 20);
    let shared = rig.queue().shared.clone();
    let waited = async |pace: &pace::Pace, bytes: usize| {
        let began = tokio::time::Instant::now();
        pace.wait(&shared, bytes, &rig.tasks).await;
        began.elapsed()
    };
    let mut pace = pace::Pace::default();
    assert_eq!(waited(&pace, 1).await, Duration::ZERO, "the first one goes at once");
    pace.begin();
    assert_eq!(waited(&pace, 0).await, Duration::ZERO, "enough waits");
    assert!(!waited(&pace, 1).await.is_zero(), "the next one waits for others");
    assert_eq!(waited(&pace, 1).await, Duration::ZERO, "and not longer");
    pace.begin();
    rig.tasks.stop();
    assert_eq!(waited(&pace, 1).await, Duration::ZERO, "an edge that stops does not wait");
    drop(shared);
    rig.stop().await;
}

/// Writes far more than the queue takes, with a fault of the disk at each delivery; every value is there or counted.
async fn check_drops(fault: fn(&gemba_testkit::FaultyDisk)) {
    let disk = gemba_testkit::FaultyDisk::new(1);
    let mut rig = Rig::on(Arc::new(disk.clone()), 192 << 10);
    rig.queue().announce(description()).await.expect("taken");
    for cursor in 0..60_u8 {
        let first = i64::from(cursor) * 400;
        fault(&disk);
        rig.queue().publish(delivery(first..first + 400, cursor)).await.expect("taken in the end");
    }
    disk.forget_faults();
    let messages = rig.messages();
    let kept: u64 = messages.iter().map(|message| u64::from(message.2)).sum();
    let told = messages.iter().filter(|message| message.1 == MessageKind::Gap);
    let gaps = told.map(|message| serde_json::from_slice::<GapMessage>(&message.3).expect("a gap record"));
    let dropped: u64 = gaps.filter_map(|gap| gap.record.count).sum();
    assert!(dropped > 0, "the queue is far smaller than what was written");
    assert_eq!(kept + dropped, 60 * 400, "each value is kept or counted");
    let numbers: Vec<u64> = messages.iter().map(|message| message.0).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "numbers stay contiguous: {numbers:?}");
    rig.stop().await;
}

#[tokio::test]
async fn a_drop_of_which_nobody_knows_whether_it_was_written_costs_no_value() {
    // The sync of the data fails, or of the record that makes room for it.
    check_drops(gemba_testkit::FaultyDisk::fail_next_sync).await;
}

#[tokio::test]
async fn a_segment_that_cannot_be_read_at_once_is_not_given_up_unread() {
    check_drops(gemba_testkit::FaultyDisk::fail_next_read).await;
}
