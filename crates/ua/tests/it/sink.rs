//! A sink that remembers, can be slow, and can fail.

use futures_util::future::BoxFuture;
use gemba_model::Value;
use gemba_ua::client::{Delivery, DeliverySink, SessionEvent, SinkError, SubscriptionGap};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

#[derive(Default)]
pub(crate) struct Record {
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) cursors: HashMap<String, Vec<u8>>,
    pub(crate) events: Vec<SessionEvent>,
    pub(crate) attempts: usize,
}

impl Record {
    /// The values of each handle in the order in which they became durable.
    pub(crate) fn values(&self) -> BTreeMap<u32, Vec<i32>> {
        let mut values: BTreeMap<u32, Vec<i32>> = BTreeMap::new();
        for change in self.deliveries.iter().flat_map(|delivery| &delivery.notifications).map(|n| &n.change) {
            for (handle, sample) in change.handles.iter().zip(&change.samples) {
                if let Value::Int32(value) = sample.value {
                    values.entry(*handle).or_default().push(value);
                }
            }
        }
        values
    }

    pub(crate) fn last(&self, handle: u32) -> i32 {
        self.values().get(&handle).and_then(|values| values.last()).copied().unwrap_or(-1)
    }

    pub(crate) fn gaps(&self) -> Vec<SubscriptionGap> {
        self.deliveries.iter().filter_map(|delivery| delivery.gap.clone()).collect()
    }

    /// Every value from the first to the last exactly once, in order.
    pub(crate) fn assert_lossless(&self) {
        for (handle, values) in self.values() {
            let steps = values.windows(2).filter(|pair| matches!(pair, [a, b] if *b != a + 1)).count();
            assert_eq!(steps, 0, "handle {handle} has holes or repetitions: {values:?}");
        }
    }
}

#[derive(Clone, Default)]
pub(crate) struct Sink {
    record: Arc<Mutex<Record>>,
    changed: Arc<watch::Sender<u64>>,
    log: Arc<Mutex<Log>>,
}

/// What waits to become durable, in order.
#[derive(Default)]
struct Log {
    /// While true, nothing becomes durable.
    held: bool,
    failures: usize,
    waiting: Vec<(Delivery, oneshot::Sender<Result<(), SinkError>>)>,
}

impl Sink {
    pub(crate) fn shared(&self) -> Arc<dyn DeliverySink> {
        Arc::new(self.clone())
    }

    pub(crate) fn hold(&self, held: bool) {
        self.log.lock().expect("the lock").held = held;
        self.commit();
    }

    pub(crate) fn fail_next(&self, count: usize) {
        self.log.lock().expect("the lock").failures = count;
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&Record) -> T) -> T {
        read(&self.record.lock().expect("the lock"))
    }

    pub(crate) fn cursors(&self) -> HashMap<String, Vec<u8>> {
        self.read(|record| record.cursors.clone())
    }

    /// One group commit.
    fn commit(&self) {
        let mut log = self.log.lock().expect("the lock");
        if log.held {
            return;
        }
        for (delivery, done) in std::mem::take(&mut log.waiting) {
            if log.failures > 0 {
                log.failures -= 1;
                done.send(Err(SinkError("the disk is full".to_owned()))).ok();
                continue;
            }
            self.change(|record| {
                record.cursors.insert(delivery.cursor_key.clone(), delivery.cursor.clone());
                record.deliveries.push(delivery);
            });
            done.send(Ok(())).ok();
        }
    }

    fn change(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.record.lock().expect("the lock"));
        self.changed.send_modify(|count| *count += 1);
    }

    /// Waits until the record is as wanted; says what it was waiting for when it takes too long.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Record) -> bool) {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            while !self.read(&wanted) {
                changed.changed().await.expect("the sink lives");
            }
        };
        if tokio::time::timeout(Duration::from_secs(40), waiting).await.is_err() {
            let shown = self.read(|record| {
                let last: Vec<_> =
                    record.values().into_iter().map(|(h, v)| (h, v.len(), v.last().copied())).collect();
                format!("values {last:?}, gaps {:?}, events {:?}", record.gaps(), record.events)
            });
            panic!("waited in vain until {what}; {shown}");
        }
    }
}

impl DeliverySink for Sink {
    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Result<(), SinkError>> {
        self.record.lock().expect("the lock").attempts += 1;
        let (done, durable) = oneshot::channel();
        self.log.lock().expect("the lock").waiting.push((delivery, done));
        self.commit();
        Box::pin(
            async move { durable.await.unwrap_or_else(|_| Err(SinkError("the sink is gone".to_owned()))) },
        )
    }

    fn event(&self, event: SessionEvent) {
        self.change(|record| record.events.push(event));
    }
}
