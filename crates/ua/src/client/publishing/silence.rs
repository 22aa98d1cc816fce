//! What time alone has to say: silence, holes that stay, retries.

use super::part::Phase;
use super::{Action, Now, PartId, PublishLoop};
use std::time::Duration;

/// The watchdog's shortest patience.
const SILENCE_MIN: Duration = Duration::from_secs(3);

impl PublishLoop {
    /// Time passed: call it at [`PublishLoop::next_deadline`], or at any time.
    pub(crate) fn on_time(&mut self, now: Now) {
        self.requests.end_pause(now.monotonic);
        for id in self.parts.keys().copied().collect::<Vec<_>>() {
            self.settle(now, id);
            let silent = self.silence_deadline(id).is_some_and(|deadline| now.monotonic >= deadline);
            match self.parts.get(&id).map(|part| part.phase) {
                Some(Phase::Failed { retry_at }) if now.monotonic >= retry_at => self.create(id, None),
                Some(Phase::Active) if silent => self.silent(now, id),
                _ => {}
            }
        }
        self.pump(now);
    }

    fn silent(&mut self, now: Now, id: PartId) {
        let Some(part) = self.parts.get_mut(&id) else { return };
        let deaf = part.is_transferred && !part.answered;
        match part.subscription {
            // Taking it over was answered with Good, but it waits for requests of the dead connection.
            Some(subscription) if deaf => {
                let reason = part.loss_reason;
                self.lose(now, id, reason);
                self.create(id, Some(subscription.id));
            }
            _ => {
                self.counters.silences += 1;
                self.suspect = Some(id);
                self.actions.push_back(Action::Suspect("a subscription is silent"));
            }
        }
    }

    fn silence_deadline(&self, id: PartId) -> Option<Duration> {
        let part = self.parts.get(&id)?;
        // One silence is enough: what comes of it concerns the whole connection.
        if self.suspect.is_some() {
            return None;
        }
        // Without a request out, silence is our own doing.
        let since = self.requests.out_since()?.max(part.heard);
        matches!(part.phase, Phase::Active).then(|| since + (part.keep_alive * 2).max(SILENCE_MIN))
    }

    /// When time alone has something to say; `None` while only events do.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let parts = self.parts.iter().filter_map(|(id, part)| {
            let retry = match part.phase {
                Phase::Failed { retry_at } => Some(retry_at),
                _ => None,
            };
            [retry, part.hole_deadline(), self.silence_deadline(*id)].into_iter().flatten().min()
        });
        let due = parts.chain(self.requests.paused_until()).min();
        self.server_start.and(due)
    }

    /// A subscription speaks.
    pub(super) fn heard(&mut self, id: PartId) {
        if self.suspect.take_if(|suspect| *suspect == id).is_some() {
            self.actions.push_back(Action::Heard);
        }
    }
}
