//! A log of device messages in memory.

use gemba_api::{BoxFuture, DeviceMessage, EventLog, LogEntry, LogError, LogItem};
use gemba_model::ErrorCode;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Debug, Clone)]
enum Slot {
    Message(Box<DeviceMessage>),
    Missing { damaged: bool },
}

#[derive(Debug, Default)]
struct Partition {
    slots: Vec<Slot>,
    /// First offset that retention left.
    first: u64,
}

#[derive(Debug)]
struct Inner {
    partitions: Vec<Partition>,
    committed: BTreeMap<(String, u32), u64>,
    failing: bool,
    crowded: bool,
}

/// A log that is durable as long as one clone lives. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryLog {
    inner: Arc<Mutex<Inner>>,
    grown: watch::Sender<u64>,
}

impl MemoryLog {
    /// An empty log.
    pub fn new(partitions: u32) -> Self {
        let partitions = (0..partitions).map(|_| Partition::default()).collect();
        let inner = Inner { partitions, committed: BTreeMap::new(), failing: false, crowded: false };
        Self { inner: Arc::new(Mutex::new(inner)), grown: watch::channel(0).0 }
    }

    /// Appends a message and returns its offset.
    ///
    /// # Panics
    /// When there is no such partition.
    pub fn append(&self, partition: u32, message: DeviceMessage) -> u64 {
        let mut inner = self.inner.lock();
        let partition = inner.partitions.get_mut(partition as usize).expect("the partition is there");
        partition.slots.push(Slot::Message(Box::new(message)));
        let offset = partition.slots.len() as u64 - 1;
        drop(inner);
        self.grown.send_modify(|count| *count += 1);
        offset
    }

    /// Loses offsets `from..to`: damaged, or gone.
    pub fn lose(&self, partition: u32, from: u64, to: u64, damaged: bool) {
        let mut inner = self.inner.lock();
        let slots = inner.partitions.get_mut(partition as usize).into_iter().flat_map(|p| &mut p.slots);
        slots
            .skip(from as usize)
            .take((to - from) as usize)
            .for_each(|slot| *slot = Slot::Missing { damaged });
    }

    /// Deletes everything below an offset, as retention does.
    pub fn trim(&self, partition: u32, first: u64) {
        self.lose(partition, 0, first, false);
        if let Some(partition) = self.inner.lock().partitions.get_mut(partition as usize) {
            partition.first = partition.first.max(first);
        }
    }

    /// Whether reads and commits fail from now on.
    pub fn fail(&self, failing: bool) {
        self.inner.lock().failing = failing;
    }

    /// Whether every commit is wanted from now on.
    pub fn crowd(&self, crowded: bool) {
        self.inner.lock().crowded = crowded;
    }

    /// The offset below which a group needs nothing.
    pub fn committed(&self, group: &str, partition: u32) -> u64 {
        self.inner.lock().committed.get(&(group.to_owned(), partition)).copied().unwrap_or(0)
    }

    /// What a read from an offset finds, all of it.
    pub fn items(&self, partition: u32, from: u64) -> Vec<LogItem> {
        self.items_within(partition, from, usize::MAX)
    }

    fn items_within(&self, partition: u32, from: u64, bytes_max: usize) -> Vec<LogItem> {
        let mut bytes = 0;
        let inner = self.inner.lock();
        let mut items: Vec<LogItem> = Vec::new();
        let slots = inner.partitions.get(partition as usize).map_or(&[][..], |p| p.slots.as_slice());
        for (offset, slot) in slots.iter().enumerate().skip(from as usize) {
            let offset = offset as u64;
            if let Slot::Message(message) = slot {
                bytes += message.body.len() + 128;
                if bytes > bytes_max && !items.is_empty() {
                    break;
                }
            }
            match (slot, items.last_mut()) {
                (Slot::Message(message), _) => {
                    items.push(LogItem::Entry(LogEntry { offset, message: (**message).clone() }));
                }
                (Slot::Missing { damaged }, Some(LogItem::Missing { to, damaged: same, .. }))
                    if same == damaged =>
                {
                    *to = offset + 1;
                }
                (Slot::Missing { damaged }, _) => {
                    items.push(LogItem::Missing { from: offset, to: offset + 1, damaged: *damaged });
                }
            }
        }
        items
    }

    fn alive(&self) -> Result<(), LogError> {
        if self.inner.lock().failing {
            let detail = "the test lets the log fail".to_owned();
            return Err(LogError { code: ErrorCode("TEST-002"), detail });
        }
        Ok(())
    }
}

impl EventLog for MemoryLog {
    fn partitions(&self) -> u32 {
        self.inner.lock().partitions.len() as u32
    }

    fn read(
        &self,
        partition: u32,
        from: u64,
        bytes_max: usize,
    ) -> BoxFuture<'_, Result<Vec<LogItem>, LogError>> {
        let result = self.alive().map(|()| self.items_within(partition, from, bytes_max));
        Box::pin(std::future::ready(result))
    }

    fn wait(&self, partition: u32, offset: u64) -> BoxFuture<'_, ()> {
        let mut grown = self.grown.subscribe();
        Box::pin(async move {
            while self.bounds(partition).1 <= offset {
                if grown.changed().await.is_err() {
                    return;
                }
            }
        })
    }

    fn commit(&self, group: &str, partition: u32, offset: u64) -> BoxFuture<'_, Result<(), LogError>> {
        let result = self.alive().map(|()| {
            self.inner.lock().committed.insert((group.to_owned(), partition), offset);
        });
        Box::pin(std::future::ready(result))
    }

    fn bounds(&self, partition: u32) -> (u64, u64) {
        let inner = self.inner.lock();
        inner.partitions.get(partition as usize).map_or((0, 0), |p| (p.first, p.slots.len() as u64))
    }

    fn wants_commit(&self, partition: u32, offset: u64) -> bool {
        let inner = self.inner.lock();
        let of_partition = |((_, at), offset): (&(String, u32), &u64)| (*at == partition).then_some(*offset);
        inner.crowded && offset > inner.committed.iter().filter_map(of_partition).min().unwrap_or(0)
    }
}
