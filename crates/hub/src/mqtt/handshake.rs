//! From the first packet to CONNACK.

use super::Shared;
use crate::auth::Admitted;
use crate::connections::{ConnectionInfo, Place};
use crate::log::Partition;
use crate::reason::{End, EndReason};
use gemba_iothub::Identity;
use gemba_model::DateTime;
use gemba_net::mqtt::{
    ByteStream, Connect, ConnectAck, ConnectAckReason, Connection, LastWill, PACKET_BYTES_MAX, Packet,
    ReceiveError,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// A connection whose client is proven and was told so.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) identity: Identity,
    pub(super) partition: Arc<Partition>,
    pub(super) place: Place,
    pub(super) keep_alive: Duration,
    pub(super) expires: DateTime,
    pub(super) will: Option<LastWill>,
}

/// Reads CONNECT and answers it. On refusal the answer is queued, and the name that the client gave is returned
/// when it has the form of one.
pub(super) async fn accept<S: ByteStream>(
    shared: &Shared,
    connection: &mut Connection<S>,
    peer: SocketAddr,
) -> Result<Accepted, (Option<String>, End)> {
    let within = shared.options.connect_within;
    let connect = match timeout(within, connection.receive()).await {
        Err(_) => {
            let detail = format!("no CONNECT within {} ms", within.as_millis());
            return Err((None, End::new(EndReason::ConnectTimeout, detail)));
        }
        Ok(Ok(Packet::Connect(connect))) => connect,
        Ok(Ok(_)) => return Err((None, End::new(EndReason::Malformed, "the first packet is not CONNECT"))),
        Ok(Err(error)) => {
            if error == ReceiveError::OtherVersion {
                answer(connection, ConnectAckReason::UnacceptableProtocolVersion);
            }
            return Err((None, error.into()));
        }
    };
    let name = Identity::parse(&connect.client_id).ok().map(|identity| identity.to_string());
    let admitted = admit(shared, connect.clone()).await;
    let outcome = match admitted {
        Ok(admitted) => take_place(shared, &connect, admitted, peer).await,
        Err(end) => Err(end),
    };
    match outcome {
        Ok(accepted) => {
            shared.ends.accepted(&accepted.identity.to_string());
            connection.trust(PACKET_BYTES_MAX);
            answer(connection, ConnectAckReason::ConnectionAccepted);
            Ok(accepted)
        }
        Err(end) => {
            if let Some(reason) = end.reason.return_code() {
                answer(connection, reason);
            }
            Err((name, end))
        }
    }
}

async fn admit(shared: &Shared, connect: Box<Connect>) -> Result<Admitted, End> {
    let authenticator = shared.parts.authenticator.clone();
    let now = shared.parts.clock.now();
    // The store may block on its disk.
    shared
        .tasks
        .blocking(move || authenticator.admit(&connect, now))
        .await
        .unwrap_or_else(|_| Err(EndReason::Stopping.into()))
}

async fn take_place(
    shared: &Shared,
    connect: &Connect,
    admitted: Admitted,
    peer: SocketAddr,
) -> Result<Accepted, End> {
    let Admitted { login, expires } = admitted;
    let partition = shared
        .parts
        .log
        .partition_for(login.identity.device.as_str())
        .ok_or_else(|| End::new(EndReason::LogUnavailable, "the event log has no partitions"))?
        .clone();
    partition
        .available()
        .map_err(|why| End::new(EndReason::LogUnavailable, format!("{}: {}", why.code, why.detail)))?;
    let info =
        ConnectionInfo { since: shared.parts.clock.now(), peer, client_type: login.client_type.clone() };
    let connections = shared.parts.authenticator.connections();
    let place = connections.take(login.identity.to_string(), info).await;
    let asked = Duration::from_secs(u64::from(connect.keep_alive));
    let keep_alive = if asked.is_zero() { shared.options.keep_alive_max } else { asked };
    Ok(Accepted {
        identity: login.identity,
        partition,
        place,
        keep_alive: keep_alive.min(shared.options.keep_alive_max),
        expires,
        will: connect.last_will.clone(),
    })
}

/// A session is never "present": subscriptions are not kept between connections yet.
fn answer<S: ByteStream>(connection: &mut Connection<S>, return_code: ConnectAckReason) {
    connection.queue(Packet::ConnectAck(ConnectAck { return_code, session_present: false }));
}
