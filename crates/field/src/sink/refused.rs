//! A delivery that can never be accepted is not repeated for ever: it is dropped, counted, explained in the
//! ledger and to people, and the flow goes on behind it.

use super::Inner;
use gemba_api::UplinkError;
use gemba_model::{DateTime, FieldGap, GapReason, GapRecord, GapScope, Hop, SampleBatch};
use gemba_ua::client::{self, SinkError};
use std::collections::BTreeMap;

/// What was dropped so far, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Values, in all.
    pub(crate) values: u64,
    /// The newest reason.
    pub(crate) reason: String,
    /// The first time.
    pub(crate) since: DateTime,
    /// The last time.
    pub(crate) last: DateTime,
}

/// How a gap is offered to an uplink that refuses deliveries.
#[derive(Clone, Copy)]
enum Form {
    Whole,
    /// Without the cursor: it may be the reason.
    Bare,
}

impl Inner {
    /// Puts a gap record in the place of what was refused.
    pub(super) async fn refuse(
        &self,
        delivery: client::Delivery,
        error: UplinkError,
    ) -> Result<(), SinkError> {
        let mut lost = 0;
        for form in [Form::Whole, Form::Bare] {
            let published = {
                let mut routing = self.routing.lock();
                let (mut up, values) = self.delivery(&mut routing, &delivery);
                lost = values;
                up.gaps.extend(up.batches.iter().map(gap_of));
                up.batches.clear();
                // Behind this delivery others may have been taken, whose cursors stand further on.
                if matches!(form, Form::Bare) || !routing.is_newest(&delivery) {
                    up.cursors.clear();
                }
                // Under the lock: what is delivered next stands behind it.
                self.uplink.publish(up)
            };
            match published.await {
                Ok(()) => {
                    self.note(lost, &error);
                    return Ok(());
                }
                Err(UplinkError::Rejected { .. }) => {}
                Err(error) => return Err(self.fail(delivery, &error)),
            }
        }
        tracing::error!(%error, values = lost, "values were refused, and so was the record of their loss");
        self.note(lost, &error);
        Ok(())
    }

    fn note(&self, values: u64, error: &UplinkError) {
        let now = self.clock.now();
        self.counters.lost.add(values);
        let mut refused = self.refused.lock();
        let earlier = refused.as_ref();
        tracing::error!(%error, values, "a delivery can never be accepted; its values are in the ledger as lost");
        *refused = Some(Refused {
            values: earlier.map_or(0, |earlier| earlier.values) + values,
            reason: error.to_string(),
            since: earlier.map_or(now, |earlier| earlier.since),
            last: now,
        });
    }
}

/// What is missing without this batch: how many values of each field, between which times.
fn gap_of(batch: &SampleBatch) -> GapRecord {
    let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
    let (mut first, mut last): (Option<DateTime>, Option<DateTime>) = (None, None);
    let mut timeless = false;
    for sample in &batch.samples {
        *counts.entry(sample.field).or_default() += 1;
        match sample.source_timestamp.or(sample.server_timestamp) {
            Some(time) => {
                first = Some(first.map_or(time, |first| first.min(time)));
                last = Some(last.map_or(time, |last| last.max(time)));
            }
            None => timeless = true,
        }
    }
    let fields =
        counts.iter().map(|(field, count)| FieldGap { field: *field, count: Some(*count), messages: None });
    let before = |time: DateTime| DateTime::from_ticks(time.ticks().saturating_sub(1));
    GapRecord {
        scope: GapScope::Writer {
            group: batch.writer.group,
            writer: batch.writer.writer,
            fields: Some(fields.collect()),
        },
        from: first.filter(|_| !timeless).map(before),
        to: last.filter(|_| !timeless),
        reason: GapReason::Rejected,
        hop: Hop::Edge,
        count: Some(batch.samples.len() as u64),
    }
}
