//! The monitored items of one subscription: what is wanted, what is there, and the next call that brings them
//! together. No I/O.

mod made;

use super::spec::{ItemSpec, PartSpec};
use crate::client::session::{ItemCreated, ItemRequest};
use gemba_model::StatusCode;
use made::{Made, short};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A rejected item is tried again after this, then after twice as long, up to the longest.
const RETRY_FIRST: Duration = Duration::from_secs(30);
const RETRY_LONGEST: Duration = Duration::from_secs(1800);

/// The next call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Job {
    /// Ask which items there are: another process made them, or an answer was lost.
    List,
    Create(Vec<ItemRequest>),
    Modify(Vec<(u32, ItemRequest)>),
    Delete(Vec<u32>),
    /// The subscription cannot be brought to what is wanted: item ids are not known.
    Recreate,
}

/// What became of an item, for people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum ItemNews {
    Rejected { handle: u32, status: StatusCode, retry_after: Duration },
    Accepted { handle: u32 },
    ShortQueue { covers: Duration, queue_size: u32 },
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Absent,
    Active {
        id: Option<u32>,
        applied: Arc<ItemSpec>,
        /// What the server made of it; `None` when another process asked.
        made: Option<Made>,
        /// The server refused to change it: deleted first, created anew after.
        doomed: bool,
    },
    Rejected {
        status: StatusCode,
        retry_at: Duration,
        delay: Duration,
    },
}

#[derive(Debug, Clone)]
struct Item {
    /// `None` when it is to be removed.
    wanted: Option<Arc<ItemSpec>>,
    state: State,
}

/// The items of a subscription.
#[derive(Debug)]
pub(super) struct Items {
    items: BTreeMap<u32, Item>,
    publishing_interval: Duration,
    job: Option<Job>,
    /// The specs behind the job's requests, as they were when it began.
    begun: Vec<Arc<ItemSpec>>,
    /// Whether the server may have others than we think.
    unsure: bool,
    /// Whether it did something whose answer was lost.
    lost_answer: bool,
    /// Items of the server that nobody wants.
    strays: Vec<u32>,
    recreate: bool,
    /// Whether there may be something to do: looking at each of a hundred thousand items with every message that
    /// comes would cost more than the message.
    is_open: bool,
    /// When the next rejected item is due, as of the last look.
    retry_at: Option<Duration>,
}

fn unresolved() -> StatusCode {
    StatusCode::from_name("BadNodeIdUnknown").unwrap_or(StatusCode::BAD_NO_DATA)
}

impl Items {
    /// `resumed` when another process made the subscription with the same items.
    pub(super) fn new(spec: &PartSpec, resumed: bool) -> Self {
        let item = |spec: &Arc<ItemSpec>| Item {
            wanted: Some(spec.clone()),
            state: match resumed {
                true => State::Active { id: None, applied: spec.clone(), made: None, doomed: false },
                false => State::Absent,
            },
        };
        Self {
            items: spec.items.iter().map(|(handle, spec)| (*handle, item(spec))).collect(),
            publishing_interval: spec.publishing_interval,
            job: None,
            begun: Vec::new(),
            unsure: resumed,
            lost_answer: false,
            strays: Vec::new(),
            recreate: false,
            is_open: true,
            retry_at: None,
        }
    }

    /// Changes what is wanted.
    pub(super) fn want(&mut self, spec: &PartSpec) {
        self.is_open = true;
        self.publishing_interval = spec.publishing_interval;
        for (handle, item) in &mut self.items {
            item.wanted = spec.items.get(handle).cloned();
            if let State::Rejected { retry_at, .. } = &mut item.state {
                // Somebody looked at the configuration: try again now.
                *retry_at = Duration::ZERO;
            }
        }
        for (handle, spec) in &spec.items {
            self.items
                .entry(*handle)
                .or_insert_with(|| Item { wanted: Some(spec.clone()), state: State::Absent });
        }
        self.forget_unwanted();
    }

    fn forget_unwanted(&mut self) {
        self.items.retain(|_, item| item.wanted.is_some() || matches!(item.state, State::Active { .. }));
    }

    /// The subscription is a new one: nothing is there.
    pub(super) fn reset(&mut self) {
        self.is_open = true;
        self.job = None;
        (self.unsure, self.lost_answer, self.recreate) = (false, false, false);
        self.strays.clear();
        self.items.values_mut().for_each(|item| item.state = State::Absent);
        self.forget_unwanted();
    }

    /// The connection is gone: the answer to a call will not come, though the server may have done it.
    pub(super) fn disconnected(&mut self) {
        self.is_open = true;
        match self.job.take() {
            None => {}
            Some(Job::List | Job::Recreate) => self.unsure = true,
            Some(_) => (self.unsure, self.lost_answer) = (true, true),
        }
    }

    /// Whether nothing is there that is not wanted so: then the fingerprint of what is wanted tells the truth.
    pub(super) fn is_settled(&self) -> bool {
        self.strays.is_empty()
            && self.items.values().all(|item| match (&item.state, &item.wanted) {
                (State::Active { applied, .. }, Some(wanted)) => applied == wanted,
                (State::Active { .. }, None) => false,
                _ => true,
            })
    }

    pub(super) fn counts(&self) -> (usize, usize) {
        let wanted = self.items.values().filter(|item| item.wanted.is_some()).count();
        let active = self.items.values().filter(|item| matches!(item.state, State::Active { .. })).count();
        (wanted, active)
    }

    fn made(&self) -> impl Iterator<Item = (u32, &Made)> {
        self.items.iter().filter_map(|(handle, item)| match &item.state {
            State::Active { made: Some(made), .. } => Some((*handle, made)),
            _ => None,
        })
    }

    pub(super) fn queue_covers(&self) -> Option<Duration> {
        self.made().map(|(_, made)| made.covers(self.publishing_interval)).min()
    }

    /// Items with fewer values than was asked for, and items that lose values without a sign.
    pub(super) fn short_queues(&self) -> (usize, usize) {
        let lossy = |made: &Made| made.queue_size <= 1 && made.sampling < self.publishing_interval;
        self.made().fold((0, 0), |(short, silent), (_, made)| {
            (short + usize::from(made.is_short), silent + usize::from(lossy(made)))
        })
    }

    /// Items of which the server keeps one value only, and that it looked at more than once in `absence`.
    pub(super) fn overwritten_in(&self, absence: Duration) -> Vec<u32> {
        let lost = |made: &Made| made.queue_size <= 1 && made.sampling < absence;
        self.made().filter(|(_, made)| lost(made)).map(|(handle, _)| handle).collect()
    }

    /// Whether another process made the items.
    pub(super) fn is_resumed(&self) -> bool {
        self.items.values().any(|item| matches!(item.state, State::Active { made: None, .. }))
    }

    pub(super) fn rejected(&self) -> impl Iterator<Item = (u32, StatusCode)> + '_ {
        self.items.iter().filter_map(|(handle, item)| match item.state {
            State::Rejected { status, .. } => Some((*handle, status)),
            _ => None,
        })
    }

    /// When a rejected item is due.
    pub(super) fn next_retry(&self) -> Option<Duration> {
        match self.job {
            Some(_) => None,
            None if self.is_open => self.earliest_retry(),
            None => self.retry_at,
        }
    }

    fn earliest_retry(&self) -> Option<Duration> {
        let retries = self.items.values().filter_map(|item| match item.state {
            State::Rejected { retry_at, .. } => Some(retry_at),
            _ => None,
        });
        retries.min()
    }

    /// The next call, one at a time. Items whose namespace the server does not have are rejected here.
    pub(super) fn next_job(
        &mut self,
        now: Duration,
        namespaces: &[String],
        news: &mut Vec<ItemNews>,
    ) -> Option<Job> {
        let is_due = self.retry_at.is_some_and(|due| now >= due);
        if self.job.is_some() || !(self.is_open || is_due) {
            return None;
        }
        let job = match () {
            () if self.recreate => Some(Job::Recreate),
            () if self.unsure => Some(Job::List),
            () => self.removal().or_else(|| self.change(namespaces)),
        };
        self.job = job.or_else(|| self.creation(now, namespaces, news));
        self.is_open = self.job.is_some();
        self.retry_at = self.earliest_retry();
        self.job.clone()
    }

    /// What is not wanted, or wanted of another node: gone first.
    fn removal(&self) -> Option<Job> {
        let mut ids = self.strays.clone();
        for item in self.items.values() {
            let State::Active { id, applied, doomed, .. } = &item.state else { continue };
            let other =
                |wanted: &Arc<ItemSpec>| wanted.node != applied.node || wanted.attribute != applied.attribute;
            if *doomed || item.wanted.as_ref().is_none_or(other) {
                match id {
                    Some(id) => ids.push(*id),
                    None => return Some(Job::Recreate),
                }
            }
        }
        (!ids.is_empty()).then_some(Job::Delete(ids))
    }

    fn change(&mut self, namespaces: &[String]) -> Option<Job> {
        let mut changes = Vec::new();
        self.begun.clear();
        for item in self.items.values() {
            let (State::Active { id, applied, .. }, Some(wanted)) = (&item.state, &item.wanted) else {
                continue;
            };
            if wanted != applied {
                match (id, request(wanted, namespaces)) {
                    (Some(id), Some(request)) => {
                        self.begun.push(wanted.clone());
                        changes.push((*id, request));
                    }
                    _ => return Some(Job::Recreate),
                }
            }
        }
        (!changes.is_empty()).then_some(Job::Modify(changes))
    }

    fn creation(&mut self, now: Duration, namespaces: &[String], news: &mut Vec<ItemNews>) -> Option<Job> {
        let mut requests = Vec::new();
        self.begun.clear();
        for (handle, item) in &mut self.items {
            let Some(wanted) = &item.wanted else { continue };
            let due = match item.state {
                State::Absent => true,
                State::Rejected { retry_at, .. } => now >= retry_at,
                State::Active { .. } => false,
            };
            if !due {
                continue;
            }
            match request(wanted, namespaces) {
                Some(request) => {
                    self.begun.push(wanted.clone());
                    requests.push(request);
                }
                None => reject(*handle, item, unresolved(), now, news),
            }
        }
        (!requests.is_empty()).then_some(Job::Create(requests))
    }

    pub(super) fn on_created(&mut self, results: &[ItemCreated], now: Duration, news: &mut Vec<ItemNews>) {
        let Some(Job::Create(requests)) = self.job.take() else { return };
        for ((request, applied), result) in requests.iter().zip(&self.begun).zip(results) {
            let Some(item) = self.items.get_mut(&request.handle) else { continue };
            if result.status.is_bad() {
                reject(request.handle, item, result.status, now, news);
                continue;
            }
            if matches!(item.state, State::Rejected { .. }) {
                news.push(ItemNews::Accepted { handle: request.handle });
            }
            let made = Made::new(result, request.queue_size);
            if made.is_short {
                news.push(short(&made, self.publishing_interval));
            }
            // What was asked for is what is there, also when the wish changed meanwhile.
            let applied = applied.clone();
            item.state = State::Active { id: Some(result.id), applied, made: Some(made), doomed: false };
        }
    }

    pub(super) fn on_modified(&mut self, results: &[ItemCreated], news: &mut Vec<ItemNews>) {
        let Some(Job::Modify(changes)) = self.job.take() else { return };
        let interval = self.publishing_interval;
        for (((_, request), spec), result) in changes.iter().zip(&self.begun).zip(results) {
            let Some(item) = self.items.get_mut(&request.handle) else { continue };
            let State::Active { applied, made, doomed, .. } = &mut item.state else { continue };
            if result.status.is_bad() {
                *doomed = true;
                continue;
            }
            applied.clone_from(spec);
            let new = Made::new(result, request.queue_size);
            if new.is_short {
                news.push(short(&new, interval));
            }
            *made = Some(new);
        }
    }

    pub(super) fn on_deleted(&mut self) {
        let Some(Job::Delete(ids)) = self.job.take() else { return };
        self.strays.clear();
        for item in self.items.values_mut() {
            if matches!(&item.state, State::Active { id: Some(id), .. } if ids.contains(id)) {
                item.state = State::Absent;
            }
        }
        self.forget_unwanted();
    }

    /// The server's list, or `None` from a server that keeps none.
    pub(super) fn on_listed(&mut self, list: Option<Vec<(u32, u32)>>) {
        if !matches!(self.job.take(), Some(Job::List)) {
            return;
        }
        self.unsure = false;
        let lost_answer = std::mem::take(&mut self.lost_answer);
        let Some(list) = list else {
            // Without a list what we think has to do; after a lost answer it may be wrong, and an item that is
            // there twice delivers twice.
            self.recreate = lost_answer;
            return;
        };
        self.strays =
            list.iter().filter(|(handle, _)| !self.items.contains_key(handle)).map(|pair| pair.1).collect();
        let known: BTreeMap<u32, u32> = list.into_iter().collect();
        for (handle, item) in &mut self.items {
            match (known.get(handle), &mut item.state, &item.wanted) {
                (Some(found), State::Active { id, .. }, _) => *id = Some(*found),
                (Some(found), _, Some(wanted)) => {
                    let applied = wanted.clone();
                    item.state = State::Active { id: Some(*found), applied, made: None, doomed: false };
                }
                (None, State::Active { .. }, _) => item.state = State::Absent,
                _ => {}
            }
        }
        self.forget_unwanted();
    }

    /// A call failed as a whole, with a connection that goes on. `is_open` when the server may have done it all the
    /// same: then it is asked what there is, lest an item be created twice and deliver twice.
    pub(super) fn on_failed(
        &mut self,
        status: StatusCode,
        is_open: bool,
        now: Duration,
        news: &mut Vec<ItemNews>,
    ) {
        let job = self.job.take();
        if is_open {
            // A list that did not come in time is asked for again: whether anybody is there, others find out.
            self.unsure |= job.is_some();
            self.lost_answer |= !matches!(job, Some(Job::List) | None);
            return;
        }
        match job {
            Some(Job::Create(requests)) => {
                for request in requests {
                    if let Some(item) = self.items.get_mut(&request.handle) {
                        reject(request.handle, item, status, now, news);
                    }
                }
            }
            Some(Job::List) => {
                self.job = Some(Job::List);
                self.on_listed(None);
            }
            Some(Job::Delete(ids)) => self.forget_ids(&ids),
            Some(Job::Modify(changes)) => {
                self.forget_ids(&changes.iter().map(|change| change.0).collect::<Vec<_>>())
            }
            Some(Job::Recreate) | None => {}
        }
    }

    /// Items that were refused because the subscription is full, when it took others: there is room elsewhere.
    /// They are let go here. With them, how many it took.
    pub(super) fn take_surplus(&mut self) -> Option<(usize, Vec<u32>)> {
        let is_full = |item: &Item| matches!(&item.state, State::Rejected { status, .. } if is_full(*status));
        let surplus: Vec<u32> =
            self.items.iter().filter(|(_, item)| is_full(item)).map(|(handle, _)| *handle).collect();
        let (_, taken) = self.counts();
        if surplus.is_empty() || taken == 0 {
            return None;
        }
        for handle in &surplus {
            self.items.remove(handle);
        }
        Some((taken, surplus))
    }

    fn forget_ids(&mut self, ids: &[u32]) {
        for item in self.items.values_mut() {
            if let State::Active { id, .. } = &mut item.state
                && id.is_some_and(|known| ids.contains(&known))
            {
                *id = None;
            }
        }
    }
}

/// The server has no room for more items in this subscription, or at all.
fn is_full(status: StatusCode) -> bool {
    status.name() == Some("BadTooManyMonitoredItems")
}

fn request(spec: &ItemSpec, namespaces: &[String]) -> Option<ItemRequest> {
    Some(ItemRequest {
        handle: spec.handle,
        node: spec.node.resolve(namespaces)?,
        attribute: spec.attribute,
        sampling_interval: spec.sampling_interval,
        queue_size: spec.queue_size,
        discard_oldest: spec.discard_oldest,
    })
}

fn reject(handle: u32, item: &mut Item, status: StatusCode, now: Duration, news: &mut Vec<ItemNews>) {
    let delay = match item.state {
        State::Rejected { delay, .. } => (delay * 2).min(RETRY_LONGEST),
        _ => RETRY_FIRST,
    };
    item.state = State::Rejected { status, retry_at: now + delay, delay };
    news.push(ItemNews::Rejected { handle, status, retry_after: delay });
}

#[cfg(test)]
mod tests;
