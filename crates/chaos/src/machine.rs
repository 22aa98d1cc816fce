//! The machines before an edge: counters that go on from the edge's cursors, as a server's own queue would.

use crate::oracle::{Excuse, Fate, Oracle};
use crate::time::TrueTime;
use crate::trace::Trace;
use gemba_api::{BoxFuture, CursorUpdate, Delivery, Uplink, UplinkError};
use gemba_edge::StoreAndForward;
use gemba_model::{
    BuiltInType, ConfigurationVersion, DataSetMetaData, DataSetSource, DateTime, FieldMetaData, GapReason,
    GapRecord, GapScope, Guid, Hop, Sample, SampleBatch, StatusCode, Value, WriterKey,
};
use gemba_testkit::Rng;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// Deliveries that may be under way at a time.
const UNDER_WAY_MAX: usize = 4;

/// What a machine knows of the world.
pub(crate) struct Machine {
    pub(crate) edge: usize,
    pub(crate) writers: usize,
    /// Between two deliveries, about.
    pub(crate) pace: Duration,
    pub(crate) oracle: Arc<Mutex<Oracle>>,
    /// The edge's queue, while it runs.
    pub(crate) slot: watch::Receiver<Option<StoreAndForward>>,
    pub(crate) is_stopping: Arc<AtomicBool>,
    /// A delivery is under way, which the edge may not have counted yet.
    pub(crate) is_giving: Arc<AtomicBool>,
    /// The edge's state was lost on purpose; the next start finds nothing.
    pub(crate) is_wiped: Arc<AtomicBool>,
    pub(crate) rng: Rng,
    pub(crate) time: TrueTime,
    pub(crate) trace: Trace,
    pub(crate) version: u32,
    /// The edge remembers less than it had taken, and what lies between is gone: to be told with the next delivery.
    pub(crate) owes_gap: bool,
    /// Writers of which the edge has taken nothing since it lost its state, with what was given of each until then.
    pub(crate) lost: BTreeMap<usize, Vec<u64>>,
}

/// A delivery on its way.
struct UnderWay {
    outcome: BoxFuture<'static, Result<(), UplinkError>>,
    /// For each writer in it, how many offers of each field there were after it.
    counts: Vec<(usize, Vec<u64>)>,
    /// It tells the gap that is owed.
    tells_gap: bool,
}

/// The name of a series of the simulation: its node.
pub(crate) fn node(edge: usize, writer: usize, field: usize) -> String {
    format!("nsu=urn:edge-{edge};s=w{writer}.f{field}")
}

impl Machine {
    /// Runs until the slot is given up.
    pub(crate) async fn run(mut self) {
        loop {
            let queue = self.slot.borrow_and_update().clone();
            if let Some(queue) = queue {
                self.serve(&queue).await;
            } else if self.slot.changed().await.is_err() {
                return;
            }
        }
    }

    /// Works with one life of the edge.
    async fn serve(&mut self, queue: &StoreAndForward) {
        self.is_giving.store(false, Ordering::Relaxed);
        self.resume(queue);
        if !self.describe(queue).await {
            return;
        }
        let mut under_way: VecDeque<UnderWay> = VecDeque::new();
        let mut next = Instant::now();
        loop {
            self.is_giving.store(!under_way.is_empty(), Ordering::Relaxed);
            let may_offer = under_way.len() < UNDER_WAY_MAX && !self.is_stopping.load(Ordering::Relaxed);
            tokio::select! {
                biased;
                _ = self.slot.changed() => return,
                outcome = first(&mut under_way), if !under_way.is_empty() => {
                    let Some(done) = under_way.pop_front() else { continue };
                    if let Err(error) = outcome {
                        self.refused(&error);
                        // Only the end of the edge does this, and what became of the rest it will say itself.
                        drop(self.slot.changed().await);
                        return;
                    }
                    self.owes_gap &= !done.tells_gap;
                    let mut oracle = self.oracle.lock();
                    for (writer, counts) in &done.counts {
                        oracle.accept(*writer, counts);
                        self.lost.remove(writer);
                    }
                }
                () = sleep_until(next), if may_offer => {
                    if self.is_stopping.load(Ordering::Relaxed) {
                        continue;
                    }
                    let pace = self.pace.as_millis() as u64;
                    next = Instant::now() + Duration::from_millis(1 + self.rng.below(pace * 2));
                    if under_way.is_empty() && self.rng.one_in(1_000) {
                        if !self.redescribe(queue).await {
                            return;
                        }
                        // That takes time, in which everything may have been told to end.
                        continue;
                    }
                    let (delivery, counts) = self.delivery();
                    let (outcome, tells_gap) = (queue.publish(delivery), self.owes_gap);
                    under_way.push_back(UnderWay { outcome, counts, tells_gap });
                }
            }
        }
    }

    /// Goes on where the edge's cursors stand.
    fn resume(&mut self, queue: &StoreAndForward) {
        let cursors = queue.cursors();
        let mut oracle = self.oracle.lock();
        let was_wiped = self.is_wiped.swap(false, Ordering::Relaxed);
        self.owes_gap |= was_wiped && !cursors.is_empty();
        for writer in 0..self.writers {
            if was_wiped {
                // What the edge had acknowledged is gone at the machine, whatever the edge remembers.
                self.lost.insert(writer, oracle.counts(writer));
            }
            let cursor = cursors.get(&format!("w{writer}"));
            let taken: Option<Vec<u64>> = cursor.map(|state| state.chunks_exact(8).map(number).collect());
            let is_beyond =
                |counts: &[u64], lost: &[u64]| counts != lost && counts.iter().zip(lost).all(|(a, b)| a >= b);
            let counts = match (taken, self.lost.get(&writer)) {
                (Some(taken), Some(lost)) if !is_beyond(&taken, lost) => lost.clone(),
                (None, Some(lost)) => lost.clone(),
                (Some(taken), _) => taken,
                (None, None) => vec![0; oracle.fields()],
            };
            let forgotten = oracle.resume(writer, &counts);
            self.trace.count(&counts);
            if forgotten > 0 {
                self.trace.violation(format_args!(
                    "edge-{} forgot {forgotten} values of writer {writer} that it had accepted",
                    self.edge
                ));
            }
        }
    }

    fn refused(&self, error: &UplinkError) {
        self.trace.note(format_args!("edge-{} takes nothing: {error}", self.edge));
        if matches!(error, UplinkError::Rejected { .. }) {
            self.trace.violation(format_args!("edge-{} rejects what it must take: {error}", self.edge));
        }
    }

    /// A new version of all descriptions. False when the edge did not take one.
    async fn redescribe(&mut self, queue: &StoreAndForward) -> bool {
        self.version += 1;
        self.describe(queue).await
    }

    /// Announces all descriptions. False when the edge did not take one: for a full or failing disk, or because it is
    /// gone, and nobody answers any more.
    async fn describe(&mut self, queue: &StoreAndForward) -> bool {
        for writer in 0..self.writers {
            let announced = queue.announce(self.description(writer));
            let taken = tokio::select! {
                biased;
                _ = self.slot.changed() => return false,
                taken = announced => taken,
            };
            if let Err(error) = taken {
                self.refused(&error);
                sleep(Duration::from_secs(1)).await;
                return false;
            }
        }
        true
    }

    fn key(writer: usize) -> WriterKey {
        WriterKey { group: 1, writer: writer as u16 + 1 }
    }

    const fn configuration(&self) -> ConfigurationVersion {
        ConfigurationVersion { major: self.version, minor: self.version }
    }

    fn description(&self, writer: usize) -> Arc<DataSetMetaData> {
        let fields = self.oracle.lock().fields();
        let field = |index: usize| FieldMetaData {
            name: format!("f{index}"),
            data_set_field_id: Guid([index as u8; 16]),
            built_in_type: BuiltInType::UInt64,
            value_rank: -1,
            node_id: node(self.edge, writer, index).parse().expect("is a node id"),
            attribute_id: 13,
            unit: String::new(),
        };
        Arc::new(DataSetMetaData {
            writer: Self::key(writer),
            writer_group_name: "group".to_owned(),
            writer_name: format!("w{writer}"),
            name: format!("data {writer}"),
            version: self.configuration(),
            source: DataSetSource {
                endpoint_url: format!("opc.tcp://machine-{}:4840", self.edge),
                application_uri: format!("urn:machine-{}", self.edge),
            },
            fields: (0..fields).map(field).collect(),
            ..DataSetMetaData::default()
        })
    }

    /// Values of some writers, sometimes with a gap before them.
    fn delivery(&mut self) -> (Delivery, Vec<(usize, Vec<u64>)>) {
        let mut delivery = Delivery::default();
        let mut all_counts = Vec::new();
        let oracle = Arc::clone(&self.oracle);
        let mut oracle = oracle.lock();
        let first = self.rng.below(self.writers as u64) as usize;
        if self.owes_gap {
            let gap = |writer| gap(Self::key(writer), GapReason::EdgeRestart);
            delivery.gaps.extend((0..self.writers).map(gap));
        }
        for writer in 0..self.writers {
            if writer != first && !self.rng.one_in(3) {
                continue;
            }
            if self.rng.one_in(300) {
                self.leave_out(&mut oracle, writer, &mut delivery);
            }
            delivery.batches.push(self.batch(&mut oracle, writer));
            let counts = oracle.counts(writer);
            let state = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
            delivery.cursors.push(CursorUpdate { key: format!("w{writer}"), state: Some(state) });
            all_counts.push((writer, counts));
        }
        (delivery, all_counts)
    }

    fn batch(&mut self, oracle: &mut Oracle, writer: usize) -> SampleBatch {
        let mut batch = SampleBatch::new(Self::key(writer), self.configuration());
        for field in 0..oracle.fields() {
            for _ in 0..self.rng.below(3) {
                let source = self.source(oracle, writer, field);
                let value = oracle.offer(writer, field, source, Fate::Offered);
                batch.samples.push(Sample {
                    field: field as u16,
                    status: StatusCode::GOOD,
                    source_timestamp: Some(DateTime::from_ticks(source)),
                    value: Value::UInt64(value),
                    ..Sample::default()
                });
            }
        }
        batch
    }

    /// Some values are never given, and a record says so.
    fn leave_out(&mut self, oracle: &mut Oracle, writer: usize, delivery: &mut Delivery) {
        // Between what came before and what comes next of all fields: an edge that drops the record knows the times of
        // messages alone.
        let last = |field| oracle.offers(writer, field).last().map(|offer| offer.source);
        let last = (0..oracle.fields()).filter_map(last).max();
        let source = self.time.now().ticks().max(last.unwrap_or(i64::MIN));
        for field in 0..oracle.fields() {
            oracle.offer(writer, field, source, Fate::NeverGiven);
            let (reason, hop) = (GapReason::Disconnection, Hop::Field);
            oracle.excuse(Excuse { reason, hop, from: source, to: source });
        }
        delivery.gaps.push(gap(Self::key(writer), GapReason::Disconnection));
    }

    /// The source time of the next value: now, or a little later than the last one, rarely the same.
    fn source(&mut self, oracle: &Oracle, writer: usize, field: usize) -> i64 {
        let now = self.time.now().ticks();
        let last = oracle.offers(writer, field).last().map_or(now, |offer| offer.source);
        let step = if self.rng.one_in(8) { 0 } else { 1 + self.rng.below(1_000) as i64 };
        now.max(last) + step
    }
}

fn gap(writer: WriterKey, reason: GapReason) -> GapRecord {
    let scope = GapScope::writer(writer);
    GapRecord { scope, from: None, to: None, reason, hop: Hop::Field, count: None }
}

async fn first(under_way: &mut VecDeque<UnderWay>) -> Result<(), UplinkError> {
    match under_way.front_mut() {
        Some(first) => first.outcome.as_mut().await,
        None => std::future::pending().await,
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
