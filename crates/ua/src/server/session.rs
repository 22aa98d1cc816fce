//! Sessions: who is there, over which channel, until when (OPC 10000-4 v1.05, 5.7).
//!
//! A state machine without a clock: the time is an argument.

use super::subscription::Owner;
use opcua::crypto::{SecurityPolicy, X509, random};
use opcua::types::{ByteString, MessageSecurityMode, NodeId, StatusCode};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// The connection that a request came over.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Via {
    pub(super) connection: u64,
    pub(super) channel: u32,
    pub(super) policy: SecurityPolicy,
    pub(super) mode: MessageSecurityMode,
}

/// Where a long answer goes on.
#[derive(Clone, Debug)]
pub(super) enum Point {
    Browse(Box<super::services::view::Page>),
    History(super::services::history::Place),
}

/// Points kept for a session; the oldest are forgotten first.
pub(super) const POINTS_MAX: usize = 100;

pub(super) struct Session {
    pub(super) id: u32,
    pub(super) via: Via,
    pub(super) application_uri: String,
    pub(super) certificate: Option<X509>,
    /// What the client signs at the next activation.
    pub(super) nonce: ByteString,
    /// The user's name, or `None` for an anonymous one.
    pub(super) user: Option<String>,
    pub(super) activated: bool,
    /// Bytes in one answer; 0 for any number.
    pub(super) message_size: usize,
    timeout: Duration,
    used: Duration,
    points: VecDeque<(u32, Point)>,
    next_point: u32,
}

/// What a client says when it comes.
pub(super) struct Arrival {
    pub(super) via: Via,
    pub(super) application_uri: String,
    pub(super) certificate: Option<X509>,
    pub(super) message_size: usize,
    pub(super) timeout: Duration,
}

impl Session {
    pub(super) fn owner(&self) -> Owner {
        Owner { user: self.user.clone(), application_uri: self.application_uri.clone() }
    }

    /// Keeps a point; returns what the client is given for it.
    pub(super) fn keep_point(&mut self, point: Point) -> ByteString {
        if self.points.len() >= POINTS_MAX {
            self.points.pop_front();
        }
        let number = self.next_point;
        self.next_point = self.next_point.wrapping_add(1);
        self.points.push_back((number, point));
        ByteString::from(number.to_le_bytes().as_slice())
    }

    /// Takes a point back: each is good for one use.
    pub(super) fn take_point(&mut self, given: &ByteString) -> Option<Point> {
        let number = u32::from_le_bytes(given.as_ref().try_into().ok()?);
        let place = self.points.iter().position(|(known, _)| *known == number)?;
        self.points.remove(place).map(|(_, point)| point)
    }
}

pub(super) struct Sessions {
    by_token: HashMap<NodeId, Session>,
    most: usize,
    next: u32,
}

impl Sessions {
    pub(super) fn new(first_id: u32, most: usize) -> Self {
        Self { by_token: HashMap::new(), most, next: first_id.max(1) }
    }

    /// Lets a client in; returns its token.
    pub(super) fn open(&mut self, arrival: Arrival, now: Duration) -> Result<(NodeId, u32), StatusCode> {
        if self.by_token.len() >= self.most {
            return Err(StatusCode::BadTooManySessions);
        }
        let id = self.next;
        self.next = self.next.wrapping_add(1).max(1);
        let token = NodeId::new(0, random::byte_string(32));
        let session = Session {
            id,
            via: arrival.via,
            application_uri: arrival.application_uri,
            certificate: arrival.certificate,
            nonce: random::byte_string(NONCE_BYTES),
            user: None,
            activated: false,
            message_size: arrival.message_size,
            timeout: arrival.timeout,
            used: now,
            points: VecDeque::new(),
            next_point: 1,
        };
        self.by_token.insert(token.clone(), session);
        Ok((token, id))
    }

    /// The session that a request belongs to, when it may be used over this channel.
    pub(super) fn active(
        &mut self,
        token: &NodeId,
        via: Via,
        now: Duration,
    ) -> Result<&mut Session, StatusCode> {
        let session = self.by_token.get_mut(token).ok_or(StatusCode::BadSessionIdInvalid)?;
        if !session.activated {
            return Err(StatusCode::BadSessionNotActivated);
        }
        if session.via.channel != via.channel {
            return Err(StatusCode::BadSecureChannelIdInvalid);
        }
        session.used = now;
        Ok(session)
    }

    /// The session of a token whatever its state.
    pub(super) fn any(&mut self, token: &NodeId) -> Option<&mut Session> {
        self.by_token.get_mut(token)
    }

    pub(super) fn by_id(&mut self, id: u32) -> Option<&mut Session> {
        self.by_token.values_mut().find(|session| session.id == id)
    }

    pub(super) fn close(&mut self, token: &NodeId) -> Option<Session> {
        self.by_token.remove(token)
    }

    /// Ends those that were not used for their timeout; returns their ids.
    pub(super) fn expire(&mut self, now: Duration) -> Vec<u32> {
        self.remove(|session| session.used + session.timeout <= now)
    }

    /// Ends all; returns their ids.
    pub(super) fn drop_all(&mut self) -> Vec<u32> {
        self.remove(|_| true)
    }

    fn remove(&mut self, which: impl Fn(&Session) -> bool) -> Vec<u32> {
        let mut gone = Vec::new();
        self.by_token.retain(|_, session| {
            let goes = which(session);
            if goes {
                gone.push(session.id);
            }
            !goes
        });
        gone
    }

    /// When [`Sessions::expire`] is needed again.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.by_token.values().map(|session| session.used + session.timeout).min()
    }

    pub(super) fn len(&self) -> usize {
        self.by_token.len()
    }
}

/// At least 32 whatever the policy (OPC 10000-4 v1.05, 5.7.2): some clients insist on it for None too.
pub(super) const NONCE_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const VIA: Via =
        Via { connection: 1, channel: 5, policy: SecurityPolicy::None, mode: MessageSecurityMode::None };

    fn arrival(timeout: u64) -> Arrival {
        Arrival {
            via: VIA,
            application_uri: "urn:a".to_owned(),
            certificate: None,
            message_size: 0,
            timeout: Duration::from_secs(timeout),
        }
    }

    fn status(outcome: Result<&mut Session, StatusCode>) -> String {
        outcome.err().unwrap_or(StatusCode::Good).to_string()
    }

    #[test]
    fn a_session_is_used_when_it_is_activated_and_over_its_channel_only() {
        let mut sessions = Sessions::new(1, 1);
        let now = Duration::ZERO;
        let (token, _) = sessions.open(arrival(10), now).unwrap();
        assert_eq!(sessions.open(arrival(10), now).unwrap_err(), StatusCode::BadTooManySessions);
        assert!(sessions.any(&token).unwrap().nonce.len() >= 32);
        assert_eq!(status(sessions.active(&token, VIA, now)), "BadSessionNotActivated");
        sessions.any(&token).unwrap().activated = true;
        assert_eq!(status(sessions.active(&token, VIA, now)), "Good");
        let elsewhere = Via { channel: 6, ..VIA };
        assert_eq!(status(sessions.active(&token, elsewhere, now)), "BadSecureChannelIdInvalid");
        assert_eq!(status(sessions.active(&NodeId::new(0, 1), VIA, now)), "BadSessionIdInvalid");
    }

    #[test]
    fn a_session_ends_when_it_is_not_used_for_its_timeout() {
        let mut sessions = Sessions::new(1, 10);
        let (token, id) = sessions.open(arrival(10), Duration::ZERO).unwrap();
        sessions.any(&token).unwrap().activated = true;
        assert_eq!(sessions.next_due(), Some(Duration::from_secs(10)));
        assert!(sessions.active(&token, VIA, Duration::from_secs(9)).is_ok());
        assert!(sessions.expire(Duration::from_secs(18)).is_empty());
        assert_eq!(sessions.expire(Duration::from_secs(19)), [id]);
        assert_eq!(sessions.len(), 0);
    }

    #[test]
    fn continuation_points_are_good_for_once_and_the_oldest_make_room() {
        let mut sessions = Sessions::new(1, 10);
        let (token, _) = sessions.open(arrival(10), Duration::ZERO).unwrap();
        let session = sessions.any(&token).unwrap();
        let point = || Point::History(crate::server::services::history::Place::default());
        let kept: Vec<ByteString> = (0..=POINTS_MAX).map(|_| session.keep_point(point())).collect();
        assert!(session.take_point(&kept[0]).is_none());
        assert!(session.take_point(&kept[1]).is_some());
        assert!(session.take_point(&kept[1]).is_none());
        assert!(session.take_point(&ByteString::from(vec![1, 2, 3])).is_none());
    }
}
