//! Who is connected now: one connection an identity, the newest wins.

use crate::reason::{End, EndReason};
use gemba_model::DateTime;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// A new connection waits so long for the end of the one that it replaces, so that the messages of both stay in
/// order. The old one only has to notice; what it has queued keeps its place anyway.
const HAND_OVER_WITHIN: Duration = Duration::from_secs(5);

/// A live connection as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// Since when.
    pub since: DateTime,
    /// From where.
    pub peer: SocketAddr,
    /// `DeviceClientType`, as the client calls itself.
    pub client_type: Option<String>,
}

#[derive(Debug)]
struct Live {
    number: u64,
    info: ConnectionInfo,
    kick: Option<oneshot::Sender<End>>,
    /// Closes when the session has ended.
    ended: watch::Receiver<()>,
}

#[derive(Debug, Default)]
struct State {
    live: HashMap<String, Live>,
    next_number: u64,
}

/// The live connections by identity. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<Mutex<State>>);

/// The place of a live connection; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    connections: Connections,
    identity: String,
    number: u64,
    /// Resolves to the reason when somebody ends this connection.
    pub(crate) kicked: oneshot::Receiver<End>,
    _ended: watch::Sender<()>,
}

impl Connections {
    /// Takes the place of an identity. A connection that has it is told to end, and waited for.
    pub(crate) async fn take(&self, identity: String, info: ConnectionInfo) -> Place {
        let (kick, kicked) = oneshot::channel();
        let (ended_sender, ended) = watch::channel(());
        let (number, old) = {
            let mut state = self.0.lock();
            let number = state.next_number;
            state.next_number += 1;
            let peer = info.peer;
            let live = Live { number, info, kick: Some(kick), ended };
            let old = state.live.insert(identity.clone(), live).map(|old| (old, peer));
            (number, old)
        };
        let place = Place { connections: self.clone(), identity, number, kicked, _ended: ended_sender };
        if let Some((mut old, peer)) = old {
            if let Some(kick) = old.kick.take() {
                // It may have ended by itself in this moment.
                drop(kick.send(End::new(EndReason::Replaced, format!("connected again from {peer}"))));
            }
            // An error means that the sender is gone, which is what is waited for.
            drop(tokio::time::timeout(HAND_OVER_WITHIN, old.ended.changed()).await);
        }
        place
    }

    /// Ends the connection of an identity, if there is one.
    pub fn end(&self, identity: &str, reason: EndReason, detail: &str) {
        let kick = self.0.lock().live.get_mut(identity).and_then(|live| live.kick.take());
        if let Some(kick) = kick {
            drop(kick.send(End::new(reason, detail)));
        }
    }

    /// The live connection of an identity.
    pub fn info(&self, identity: &str) -> Option<ConnectionInfo> {
        self.0.lock().live.get(identity).map(|live| live.info.clone())
    }

    /// How many are live.
    pub fn count(&self) -> usize {
        self.0.lock().live.len()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.connections.0.lock();
        // A newer connection may have the place already.
        if state.live.get(&self.identity).is_some_and(|live| live.number == self.number) {
            state.live.remove(&self.identity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(port: u16) -> ConnectionInfo {
        ConnectionInfo { since: DateTime::MIN, peer: ([127, 0, 0, 1], port).into(), client_type: None }
    }

    #[tokio::test]
    async fn the_newest_connection_has_the_place_after_the_old_one_ended() {
        let connections = Connections::default();
        let mut first = connections.take("d".into(), info(1)).await;
        let second = tokio::join!(connections.take("d".into(), info(2)), async move {
            let end = (&mut first.kicked).await.expect("is told");
            assert_eq!(end.reason, EndReason::Replaced);
        })
        .0;
        assert_eq!(connections.info("d"), Some(info(2)));
        assert_eq!(connections.count(), 1);
        drop(second);
        assert_eq!(connections.count(), 0);
    }

    #[tokio::test]
    async fn a_connection_is_ended_once_with_the_first_reason() {
        let connections = Connections::default();
        let mut place = connections.take("d".into(), info(1)).await;
        connections.end("other", EndReason::Revoked, "");
        connections.end("d", EndReason::Revoked, "disabled");
        connections.end("d", EndReason::Stopping, "");
        assert_eq!((&mut place.kicked).await, Ok(End::new(EndReason::Revoked, "disabled")));
    }
}
