//! The way to the sink: in order within a part, several outstanding, repeated until durable.

use super::{Delivery, DeliverySink, SinkError};
use crate::client::publishing::PartId;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use gemba_base::{Backoff, random};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Deliveries between the driver and this task. The window of the publish loop keeps their number far below.
pub(super) const QUEUE_MAX: usize = 1024;
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_LONGEST: Duration = Duration::from_secs(30);

/// A delivery on its way.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) part: PartId,
    pub(super) id: u64,
    pub(super) delivery: Delivery,
}

enum Event {
    Stored(PartId, u64, Result<(), SinkError>),
    Retry(PartId),
}

struct Lane {
    waiting: VecDeque<Parcel>,
    running: usize,
    failed: bool,
    backoff: Backoff,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            running: 0,
            failed: false,
            backoff: Backoff::new(RETRY_FIRST, RETRY_LONGEST),
        }
    }
}

/// Runs until the driver drops its end and everything is stored, or until the task is dropped.
pub(super) async fn run(
    sink: Arc<dyn DeliverySink>,
    mut inbox: mpsc::Receiver<Parcel>,
    durable: mpsc::Sender<(PartId, u64)>,
) {
    let mut lanes: HashMap<PartId, Lane> = HashMap::new();
    // New futures are polled in the order in which they were pushed.
    let mut running: FuturesUnordered<BoxFuture<'static, Event>> = FuturesUnordered::new();
    let mut open = true;
    loop {
        tokio::select! {
            // First whatever waits: a group commit pays when everything is with the sink.
            biased;
            parcel = inbox.recv(), if open => match parcel {
                None => open = false,
                Some(parcel) => {
                    let lane = lanes.entry(parcel.part).or_default();
                    if !lane.failed {
                        lane.running += 1;
                        running.push(store(&sink, &parcel));
                    }
                    lane.waiting.push_back(parcel);
                }
            },
            Some(event) = running.next(), if !running.is_empty() => match event {
                Event::Stored(part, id, result) => {
                    let Some(lane) = lanes.get_mut(&part) else { continue };
                    lane.running -= 1;
                    match result {
                        Ok(()) => {
                            lane.waiting.retain(|parcel| parcel.id != id);
                            if !lane.failed {
                                lane.backoff.reset();
                            }
                            if durable.send((part, id)).await.is_err() && !open {
                                return;
                            }
                        }
                        Err(error) => {
                            tracing::warn!(delivery = id, %error, "a delivery was not stored and will be repeated");
                            lane.failed = true;
                        }
                    }
                    if lane.failed && lane.running == 0 {
                        let delay = lane.backoff.next_delay(random::number32());
                        running.push(Box::pin(async move {
                            tokio::time::sleep(delay).await;
                            Event::Retry(part)
                        }));
                    }
                }
                Event::Retry(part) => {
                    let Some(lane) = lanes.get_mut(&part) else { continue };
                    lane.failed = false;
                    if !open {
                        // Stopping: what is not durable is not acknowledged, and comes again at the next start.
                        lane.waiting.clear();
                    }
                    lane.running = lane.waiting.len();
                    for parcel in &lane.waiting {
                        running.push(store(&sink, parcel));
                    }
                }
            },
            else => return,
        }
    }
}

fn store(sink: &Arc<dyn DeliverySink>, parcel: &Parcel) -> BoxFuture<'static, Event> {
    let (part, id) = (parcel.part, parcel.id);
    let stored = sink.deliver(parcel.delivery.clone());
    Box::pin(async move { Event::Stored(part, id, stored.await) })
}
