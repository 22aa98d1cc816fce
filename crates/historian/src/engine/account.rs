//! What the number of a message says: whose account it belongs to, and what is missing before it.

use super::sender::Sender;
use super::{Engine, State};
use crate::ledger::{Doubt, Told};
use crate::producers::{Arrival, ProducerKey};
use gemba_model::{GapReason, Hop};
use std::sync::Arc;

/// What the number of a message that came late tells.
#[derive(Default)]
pub(super) struct Late {
    /// The message that showed the hole in which it was missing.
    pub(super) hole: Option<Told>,
    /// Holes that are none any more.
    pub(super) settled: Vec<Told>,
}

impl Engine {
    /// Finds the account of the message's number; a new one when the producer was put back to an older state.
    pub(super) fn resolve(&self, state: &mut State, sender: &mut Sender) {
        let Some((key, sequence)) = sender.account.take() else { return };
        let epoch = key.epoch;
        let key = state.producers.resolve(key, sequence, sender.life);
        if key.epoch != epoch && !state.producers.knows(&key) {
            self.problems.set(
                &*self.clock,
                "GMB-HIS-012",
                &sender.device,
                format!(
                    "{} gives numbers anew that it gave before: its data directory was put back from a copy, or is in use twice",
                    sender.device
                ),
                "What it sends is stored. Make sure that one edge alone uses the directory; the gap ledger shows what may be missing",
                3,
            );
            self.producer_gap(state, &key, GapReason::EdgeRestart, Hop::Edge, Doubt::None, sender.told);
            let first = ProducerKey { epoch, ..key.clone() };
            Arc::make_mut(&mut state.producers).branch(&first, &key, sequence);
        }
        sender.account = Some((key, sequence));
    }

    /// Takes the message's number into the account, and what it says about those before it into the ledger.
    pub(super) fn account(&self, state: &mut State, sender: &Sender) -> Late {
        let Some((key, sequence)) = &sender.account else { return Late::default() };
        let mut arrival = state.producers.classify(key, *sequence);
        let is_new_epoch = state.producers.is_new_epoch(key);
        if state.resync && !state.producers.knows(key) {
            Arc::make_mut(&mut state.producers).begin(key, *sequence);
            arrival = Arrival::Due;
        }
        let doubtful = state.producers.is_doubtful(key);
        if is_new_epoch {
            // What the old epoch had not delivered is gone with the edge's state, whatever else befell it.
            self.producer_gap(state, key, GapReason::EdgeRestart, Hop::Edge, Doubt::None, sender.told);
        }
        let is_after_hole = matches!(arrival, Arrival::AfterHole(_));
        if doubtful {
            let ids = state.descriptions.series_of_producer(&key.device, &key.producer);
            let ledger = &mut state.ledger;
            if is_after_hole {
                ledger.confirm_loss(&ids, sender.told, self.options.gaps_max);
            } else {
                ledger.settle(&ids, Doubt::LogLoss, false);
            }
        } else if is_after_hole {
            self.producer_gap(state, key, GapReason::SequenceGap, Hop::Hub, Doubt::None, sender.told);
        }
        if is_after_hole {
            Arc::make_mut(&mut state.producers).of(key).reveal(*sequence, sender.told);
        }
        let producers = Arc::make_mut(&mut state.producers);
        let hole = (arrival == Arrival::Late).then(|| producers.of(key).hole_of(*sequence)).flatten();
        producers.mark(key, sender.place.partition, *sequence, arrival);
        if let (Some(life), Arrival::Due | Arrival::AfterHole(_)) = (sender.life, arrival) {
            producers.note_life(key, *sequence, life);
        }
        let producer = producers.of(key);
        producer.doubtful = false;
        let settled = if arrival == Arrival::Late { producer.take_settled() } else { Vec::new() };
        Late { hole, settled }
    }
}
