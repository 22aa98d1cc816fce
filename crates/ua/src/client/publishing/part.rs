//! One subscription: what came, what is handed over, what is durable.

use super::sequence::{number_of, position_of};
use super::{Action, CREATE_RETRY, Gap, HOLE_GRACE, HOLE_MESSAGES_MAX, Message, Now, PartId, ResumePoint};
use gemba_model::{DateTime, GapReason};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Phase {
    /// No connection.
    Idle,
    Transferring,
    Creating,
    Active,
    Failed {
        retry_at: Duration,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ServerSubscription {
    pub(super) id: u32,
    pub(super) server_start: DateTime,
}

/// What stands at a position.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Staged {
    Message(Message),
    /// It came, but nobody understands it.
    Unreadable,
    /// It and all up to `until` will never come.
    Missing {
        until: u64,
    },
}

/// Between the loss of a connection and the proof that nothing is missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outage {
    pub(super) since: DateTime,
    pub(super) republished: u64,
    pub(super) missing: u64,
}

/// A delivery that the sink has.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outstanding {
    pub(super) delivery: u64,
    /// Which of the subscriptions that followed one another; their ids may be the same.
    pub(super) generation: u64,
    /// The numbers to acknowledge afterwards.
    pub(super) numbers: Vec<u32>,
    /// The position behind it.
    pub(super) next: u64,
    pub(super) durable: bool,
}

/// What to ask for, and how many messages are not even asked for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) numbers: Vec<u32>,
    pub(super) given_up: u64,
}

#[derive(Debug)]
pub(super) struct Part {
    pub(super) phase: Phase,
    pub(super) subscription: Option<ServerSubscription>,
    pub(super) generation: u64,
    pub(super) same_items: bool,
    pub(super) keep_alive: Duration,
    /// The position of the next message to hand over.
    pub(super) next: u64,
    /// The position behind the last that the server is known to have sent.
    seen: u64,
    /// The position behind the last durable one.
    durable: u64,
    pub(super) staged: BTreeMap<u64, Staged>,
    asked: BTreeSet<u64>,
    hole_since: Option<Duration>,
    pub(super) outstanding: VecDeque<Outstanding>,
    pub(super) acknowledgements: Vec<u32>,
    /// To be delivered before anything else.
    pub(super) pending_gap: Option<Gap>,
    /// Of the last message that was handed over.
    pub(super) publish_time: Option<DateTime>,
    pub(super) heard: Duration,
    pub(super) is_transferred: bool,
    /// Whether anything came since the subscription became active on this connection.
    pub(super) answered: bool,
    outage: Option<Outage>,
    /// What a loss is called now: another thing after a cut than in between.
    pub(super) loss_reason: GapReason,
    /// What a hole is called now.
    pub(super) hole_reason: GapReason,
    pub(super) create_retry: Duration,
    /// Handles that the server may have overwritten, and the position of the first message that would show it.
    overwritten: Option<(u64, Vec<u32>)>,
    /// Messages in a row that stand before what was handed over, and that nobody asked for.
    stale: u32,
}

/// So many messages of the past in a row are no repetitions: the server counts anew.
const STALE_MAX: u32 = 5;

impl Part {
    pub(super) fn new(now: Now, resume: Option<ResumePoint>) -> Self {
        let last = resume.as_ref().map_or(0, |resume| u64::from(resume.last));
        let publish_time = resume.as_ref().and_then(|resume| resume.publish_time);
        let restarted = resume.is_some();
        Self {
            phase: Phase::Idle,
            subscription: resume.as_ref().map(|resume| ServerSubscription {
                id: resume.subscription,
                server_start: resume.server_start,
            }),
            generation: 0,
            same_items: resume.as_ref().is_none_or(|resume| resume.same_items),
            keep_alive: resume.as_ref().map_or(Duration::from_secs(5), |resume| resume.keep_alive),
            next: last + 1,
            seen: last + 1,
            durable: last + 1,
            staged: BTreeMap::new(),
            asked: BTreeSet::new(),
            hole_since: None,
            outstanding: VecDeque::new(),
            acknowledgements: Vec::new(),
            pending_gap: None,
            publish_time,
            heard: now.monotonic,
            is_transferred: false,
            answered: false,
            outage: restarted.then(|| Outage {
                since: publish_time.unwrap_or(now.wall),
                republished: 0,
                missing: 0,
            }),
            loss_reason: if restarted { GapReason::EdgeRestart } else { GapReason::Disconnection },
            hole_reason: if restarted { GapReason::EdgeRestart } else { GapReason::SequenceGap },
            create_retry: CREATE_RETRY.0,
            overwritten: None,
            stale: 0,
        }
    }

    /// Since when there is no connection.
    pub(super) fn absent_since(&self) -> Option<DateTime> {
        self.outage.map(|outage| outage.since)
    }

    /// Whether the server began to count anew.
    pub(super) const fn counts_anew(&self) -> bool {
        self.stale >= STALE_MAX
    }

    /// The first message after all that the server kept shows which of these handles changed in our absence.
    pub(super) fn expect_overwritten(&mut self, handles: Vec<u32>) {
        self.overwritten = (!handles.is_empty()).then_some((self.seen, handles));
    }

    /// The handles of this message of which values may be missing without a sign, asked once.
    pub(super) fn take_overwritten(&mut self, position: u64, message: &Message) -> Vec<u32> {
        if self.overwritten.as_ref().is_none_or(|(from, _)| position < *from) {
            return Vec::new();
        }
        let Some((_, handles)) = self.overwritten.take() else { return Vec::new() };
        let handles: BTreeSet<u32> = handles.into_iter().collect();
        let mut found: Vec<u32> =
            message.change.handles.iter().copied().filter(|handle| handles.contains(handle)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    pub(super) fn timing(&mut self, publishing_interval: Duration, keep_alive_count: u32) {
        self.keep_alive = publishing_interval.saturating_mul(keep_alive_count.max(1));
    }

    pub(super) fn is_subscription(&self, id: u32) -> bool {
        self.subscription.is_some_and(|subscription| subscription.id == id)
    }

    pub(super) fn is_active_as(&self, id: u32) -> bool {
        matches!(self.phase, Phase::Active) && self.is_subscription(id)
    }

    pub(super) fn undurable(&self) -> usize {
        let staged = self.staged.values().filter(|staged| matches!(staged, Staged::Message(_))).count();
        staged + self.outstanding.iter().map(|delivery| delivery.numbers.len()).sum::<usize>()
    }

    pub(super) fn disconnected(&mut self, now: Now) {
        if matches!(self.phase, Phase::Active | Phase::Transferring) {
            self.outage.get_or_insert(Outage { since: now.wall, republished: 0, missing: 0 });
            if self.hole_reason == GapReason::SequenceGap {
                self.hole_reason = GapReason::Disconnection;
            }
        }
        self.phase = Phase::Idle;
        self.asked.clear();
        self.hole_since = None;
    }

    pub(super) fn transferred(&mut self, now: Now) {
        self.phase = Phase::Active;
        self.stale = 0;
        self.is_transferred = true;
        self.answered = false;
        self.heard = now.monotonic;
    }

    pub(super) fn created(&mut self, now: Now, subscription: ServerSubscription) {
        self.phase = Phase::Active;
        self.subscription = Some(subscription);
        self.same_items = true;
        self.is_transferred = false;
        self.answered = false;
        self.heard = now.monotonic;
        self.create_retry = CREATE_RETRY.0;
        self.outage = None;
        self.loss_reason = GapReason::Disconnection;
        self.hole_reason = GapReason::SequenceGap;
    }

    /// Forgets the subscription; a gap stands before whatever comes next.
    pub(super) fn lost(&mut self, now: Now, reason: GapReason) {
        let since = self.publish_time.or_else(|| self.outage.map(|outage| outage.since));
        self.merge_gap(Gap { reason, since: Some(since.unwrap_or(now.wall)), handles: None });
        self.subscription = None;
        self.generation += 1;
        self.acknowledgements.clear();
        self.staged.clear();
        self.asked.clear();
        self.hole_since = None;
        (self.overwritten, self.stale) = (None, 0);
        (self.next, self.seen, self.durable) = (1, 1, 1);
        self.phase = Phase::Idle;
    }

    /// One gap for all handles; the earlier beginning and the first reason stay.
    pub(super) fn merge_gap(&mut self, gap: Gap) {
        match &mut self.pending_gap {
            Some(pending) if pending.handles.is_none() => {
                pending.since = pending.since.or(gap.since);
            }
            pending => *pending = Some(gap),
        }
    }

    /// A number that the server still has at the moment of a transfer.
    pub(super) fn kept_by_server(&mut self, id: PartId, number: u32) -> Option<Action> {
        let position = position_of(number, self.next);
        if position < self.durable {
            // It was durable, only the acknowledgement was lost.
            self.acknowledgements.push(number);
            return None;
        }
        if position >= self.next + HOLE_MESSAGES_MAX {
            return None;
        }
        self.seen = self.seen.max(position + 1);
        let held = position < self.next || self.staged.contains_key(&position);
        let subscription = self.subscription?.id;
        (!held && self.asked.insert(position)).then_some(Action::Republish {
            part: id,
            subscription,
            sequence_number: number,
        })
    }

    /// A keep-alive says which number comes next, and so that all before it were sent.
    pub(super) fn next_is(&mut self, number: u32) {
        self.seen = self.seen.max(position_of(number, self.next));
    }

    /// Returns false for what was there already.
    pub(super) fn stage(&mut self, number: u32, staged: Staged) -> bool {
        let position = position_of(number, self.next);
        if position < self.next {
            self.stale += 1;
            if position < self.durable && matches!(staged, Staged::Message(_)) {
                self.acknowledgements.push(number);
            }
            return false;
        }
        self.stale = 0;
        self.seen = self.seen.max(position + 1);
        if matches!(self.staged.get(&position), Some(Staged::Message(_))) {
            return false;
        }
        self.staged.insert(position, staged);
        true
    }

    pub(super) fn stage_missing(&mut self, number: u32) {
        let position = position_of(number, self.next);
        if position >= self.next {
            self.staged.entry(position).or_insert(Staged::Missing { until: position + 1 });
        }
    }

    /// Whether this number was asked for on this connection.
    pub(super) fn asked_again(&mut self, number: u32) -> bool {
        self.asked.remove(&position_of(number, self.next))
    }

    /// The first hole, as positions.
    fn hole(&self) -> Option<(u64, u64)> {
        let until = self.staged.keys().next().copied().unwrap_or(self.seen);
        (until > self.next).then_some((self.next, until))
    }

    pub(super) fn hole_deadline(&self) -> Option<Duration> {
        let (from, until) = self.hole()?;
        let open = (from..until).any(|position| !self.asked.contains(&position));
        self.hole_since
            .filter(|_| open && matches!(self.phase, Phase::Active))
            .map(|since| since + HOLE_GRACE)
    }

    pub(super) fn look_at_hole(&mut self, now: Duration) -> Asked {
        let mut asked = Asked::default();
        let Some((from, until)) = self.hole() else {
            self.hole_since = None;
            return asked;
        };
        if until - from > HOLE_MESSAGES_MAX {
            self.staged.insert(from, Staged::Missing { until });
            asked.given_up = until - from;
            self.hole_since = None;
            return asked;
        }
        let since = *self.hole_since.get_or_insert(now);
        if now >= since + HOLE_GRACE {
            for position in from..until {
                if self.asked.insert(position) {
                    asked.numbers.push(number_of(position));
                }
            }
        }
        asked
    }

    /// Declares missing whatever has not come: nobody can be asked any more.
    pub(super) fn close_holes(&mut self) {
        let mut from = self.next;
        let mut holes = Vec::new();
        for (position, staged) in &self.staged {
            if *position > from {
                holes.push((from, *position));
            }
            from = match staged {
                Staged::Missing { until } => *until,
                _ => position + 1,
            };
        }
        for (from, until) in holes {
            self.staged.insert(from, Staged::Missing { until });
        }
    }

    pub(super) fn durable(&mut self, delivery: u64) {
        if let Some(found) = self.outstanding.iter_mut().find(|found| found.delivery == delivery) {
            found.durable = true;
        }
        // A later delivery that was faster waits for the earlier ones.
        while let Some(first) = self.outstanding.pop_front_if(|first| first.durable) {
            if first.generation == self.generation {
                self.durable = self.durable.max(first.next);
                self.acknowledgements.extend(first.numbers);
            }
        }
    }

    pub(super) fn take_acknowledgements(&mut self, all: &mut Vec<(u32, u32)>) {
        let Some(subscription) = self.subscription.filter(|_| matches!(self.phase, Phase::Active)) else {
            return;
        };
        // The same number may have been durable twice: before a cut, and by the server's list after it.
        self.acknowledgements.sort_unstable();
        self.acknowledgements.dedup();
        all.extend(self.acknowledgements.drain(..).map(|number| (subscription.id, number)));
    }

    pub(super) fn count_recovered(&mut self) {
        if let Some(outage) = &mut self.outage {
            outage.republished += 1;
        }
    }

    pub(super) fn count_missing(&mut self, count: u64) {
        if let Some(outage) = &mut self.outage {
            outage.missing += count;
        }
    }

    /// The outage, once: something came after it, and no hole is left.
    pub(super) fn outage_over(&mut self) -> Option<Outage> {
        let over = self.answered && self.asked.is_empty() && self.hole().is_none();
        let outage = self.outage.take_if(|_| over)?;
        self.hole_reason = GapReason::SequenceGap;
        self.loss_reason = GapReason::Disconnection;
        Some(outage)
    }
}
