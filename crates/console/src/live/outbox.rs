//! What waits for the client of one live stream: very little, and always room for the last word.

use axum::body::Bytes;
use std::time::Duration;
use tokio::sync::mpsc::{self, OwnedPermit, Receiver, Sender};

/// Events on their way to the client; while they wait nothing is looked at, so that what changes meanwhile
/// is sent once, with its newest value.
const EVENTS_WAITING: usize = 2;

/// An event of the stream. JSON text has no line breaks, so one data line holds it.
pub(crate) fn event(name: &str, data: &str) -> Bytes {
    format!("event: {name}\ndata: {data}\n\n").into()
}

/// Why nothing more can be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The client is gone.
    Gone,
    /// The client took nothing for too long.
    Stalled,
}

/// The way to one client.
pub(super) struct Outbox {
    sender: Sender<Bytes>,
    /// The place of the last event, kept from the beginning: a slow client learns why it was cut.
    last: Option<OwnedPermit<Bytes>>,
    stall_max: Duration,
}

impl Outbox {
    /// A client that takes nothing for `stall_max` is given up.
    pub(super) fn new(stall_max: Duration) -> (Self, Receiver<Bytes>) {
        let (sender, receiver) = mpsc::channel(EVENTS_WAITING + 1);
        let last = sender.clone().try_reserve_owned().ok();
        (Self { sender, last, stall_max }, receiver)
    }

    /// Completes when the client is gone.
    pub(super) fn gone(&self) -> impl Future<Output = ()> + use<> {
        let sender = self.sender.clone();
        async move { sender.closed().await }
    }

    /// Waits until there is room for one event, so that it is made of what is newest then.
    pub(super) async fn room(&self) -> Result<(), Ended> {
        match tokio::time::timeout(self.stall_max, self.sender.reserve()).await {
            Ok(Ok(permit)) => {
                drop(permit);
                Ok(())
            }
            Ok(Err(_)) => Err(Ended::Gone),
            Err(_) => Err(Ended::Stalled),
        }
    }

    /// Sends as soon as there is room.
    pub(super) async fn send(&self, event: Bytes) -> Result<(), Ended> {
        self.room().await?;
        // This is the only sender, so the room is still there.
        self.sender.try_send(event).map_err(|_| Ended::Gone)
    }

    /// The last event.
    pub(super) fn end(&mut self, reason: &str) {
        if let Some(last) = self.last.take() {
            last.send(event("end", &format!("{{\"reason\":\"{reason}\"}}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up_and_finds_the_reason_when_it_comes_back() {
        let (mut outbox, mut receiver) = Outbox::new(Duration::from_millis(20));
        for text in ["one", "two"] {
            assert_eq!(outbox.send(Bytes::from(text)).await, Ok(()));
        }
        assert_eq!(outbox.send(Bytes::from("three")).await, Err(Ended::Stalled), "no more than two wait");
        outbox.end("too-slow");
        outbox.end("and only once");
        drop(outbox);
        let mut found = Vec::new();
        while let Some(bytes) = receiver.recv().await {
            found.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        assert_eq!(found, ["one", "two", "event: end\ndata: {\"reason\":\"too-slow\"}\n\n"]);
    }

    #[tokio::test]
    async fn a_client_that_left_is_noticed() {
        let (outbox, receiver) = Outbox::new(Duration::from_secs(3_600));
        let gone = outbox.gone();
        drop(receiver);
        gone.await;
        assert_eq!(outbox.send(Bytes::new()).await, Err(Ended::Gone));
    }
}
