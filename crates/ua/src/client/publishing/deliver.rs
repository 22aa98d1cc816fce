//! From staged messages to batches for the sink: in order, gaps before the values behind them.

use super::part::{Outstanding, Staged};
use super::sequence::number_of;
use super::{Action, Batch, Gap, Message, PartId, PublishLoop};
use crate::client::decoder::DataChange;
use gemba_model::GapReason;

/// Messages of one delivery; more go into the next one.
const MESSAGES_MAX: usize = 64;

/// Handles whose server queue overflowed at a value of this message.
fn overflowed(change: &DataChange) -> Vec<u32> {
    let pairs = change.handles.iter().zip(&change.samples);
    let mut handles: Vec<u32> =
        pairs.filter(|(_, sample)| sample.status.overflow()).map(|(handle, _)| *handle).collect();
    handles.sort_unstable();
    handles.dedup();
    handles
}

impl PublishLoop {
    /// Hands over what is in order.
    pub(super) fn drain(&mut self, id: PartId) {
        let mut messages: Vec<Message> = Vec::new();
        let mut gap: Option<Gap> = None;
        loop {
            let Some(part) = self.parts.get_mut(&id) else { return };
            if part.subscription.is_none() {
                return;
            }
            let Some(staged) = part.staged.remove(&part.next) else { break };
            let hole = match &staged {
                Staged::Message(_) => None,
                Staged::Unreadable => Some((GapReason::Corruption, part.next + 1)),
                Staged::Missing { until } => Some((part.hole_reason, *until)),
            };
            if let Some((reason, until)) = hole {
                if !messages.is_empty() {
                    self.deliver(id, gap.take(), std::mem::take(&mut messages));
                }
                let Some(part) = self.parts.get_mut(&id) else { return };
                gap = Some(gap.unwrap_or(Gap { reason, since: part.publish_time, handles: None }));
                part.next = until;
                continue;
            }
            let Staged::Message(message) = staged else { continue };
            self.counters.notifications += 1;
            self.counters.values += message.change.len() as u64;
            let mut handles = overflowed(&message.change);
            self.counters.overflows += handles.len() as u64;
            if let Some(part) = self.parts.get_mut(&id) {
                let at = part.next;
                handles.extend(part.take_overwritten(at, &message));
                handles.sort_unstable();
                handles.dedup();
            }
            if !handles.is_empty() {
                if !messages.is_empty() || gap.is_some() {
                    self.deliver(id, gap.take(), std::mem::take(&mut messages));
                }
                gap = Some(Gap { reason: GapReason::Overflow, since: None, handles: Some(handles) });
            }
            let Some(part) = self.parts.get_mut(&id) else { return };
            part.next += 1;
            part.publish_time = message.publish_time.or(part.publish_time);
            messages.push(message);
            if messages.len() >= MESSAGES_MAX {
                self.deliver(id, gap.take(), std::mem::take(&mut messages));
            }
        }
        if gap.is_some() || !messages.is_empty() {
            self.deliver(id, gap, messages);
        }
    }

    /// One batch, up to the present position of the subscription.
    pub(super) fn deliver(&mut self, id: PartId, gap: Option<Gap>, messages: Vec<Message>) {
        let Some(part) = self.parts.get_mut(&id) else { return };
        let Some(subscription) = part.subscription else { return };
        let delivery = self.next_delivery;
        self.next_delivery += 1;
        self.counters.gaps += u64::from(gap.is_some());
        part.outstanding.push_back(Outstanding {
            delivery,
            generation: part.generation,
            numbers: messages.iter().map(|message| message.sequence_number).collect(),
            next: part.next,
            durable: false,
        });
        self.actions.push_back(Action::Deliver(Batch {
            part: id,
            delivery,
            gap,
            messages,
            subscription: subscription.id,
            server_start: subscription.server_start,
            last: if part.next == 1 { 0 } else { number_of(part.next - 1) },
            publish_time: part.publish_time,
            keep_alive: part.keep_alive,
        }));
    }
}
