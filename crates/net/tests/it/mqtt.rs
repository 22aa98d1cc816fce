//! The MQTT connection and the client of an uplink against small servers.

use crate::{Folder, PATIENCE, both_ends, listening};
use bytes::Bytes;
use gemba_base::Secret;
use gemba_net::listen::ListenerOptions;
use gemba_net::mqtt::{
    Client, ClientOptions, ConnectAck, ConnectAckReason, Connection, Event, Lost, PACKET_BYTES_MAX, Packet,
    PublishError, QoS, ReceiveError, SubscribeReturnCode, publish,
};
use gemba_net::tls::Connector;
use gemba_net::{ConnectError, Stream};
use std::net::SocketAddr;
use std::time::Duration;

/// How a test server behaves after it has read CONNECT.
#[derive(Debug, Clone, Copy)]
enum Server {
    Acknowledges,
    AcknowledgesBackwards,
    Refuses(ConnectAckReason),
    TakesWithoutAcknowledging,
    ClosesAfterFirst,
    NeverAnswers,
    Sends,
}

async fn run(server: Server, stream: Stream) -> Result<(), ReceiveError> {
    let mut connection = Connection::new(stream);
    let Packet::Connect(connect) = connection.receive().await? else { return Ok(()) };
    assert_eq!(connect.username.as_deref(), Some("user"));
    assert_eq!(connect.password.as_deref(), Some(&b"secret"[..]));
    connection.trust(PACKET_BYTES_MAX);
    let return_code = match server {
        Server::Refuses(reason) => reason,
        Server::NeverAnswers => std::future::pending().await,
        _ => ConnectAckReason::ConnectionAccepted,
    };
    connection.queue(Packet::ConnectAck(ConnectAck { return_code, session_present: false }));
    let mut held = Vec::new();
    if matches!(server, Server::Sends) {
        connection.queue(publish(
            "t/1".into(),
            Bytes::from_static(b"hello"),
            Some(7.try_into().expect("not 0")),
        ));
    }
    loop {
        match connection.receive().await? {
            Packet::Publish(message) => match (server, message.packet_id) {
                (Server::Acknowledges, Some(packet_id)) => connection.queue(Packet::PublishAck { packet_id }),
                (Server::AcknowledgesBackwards, Some(packet_id)) => {
                    held.push(packet_id);
                    if held.len() == 3 {
                        for packet_id in held.drain(..).rev() {
                            connection.queue(Packet::PublishAck { packet_id });
                        }
                    }
                }
                (Server::ClosesAfterFirst, _) => return Ok(()),
                _ => {}
            },
            Packet::Subscribe { packet_id, topic_filters } => {
                let code = |filter: &str| match filter {
                    "#" => SubscribeReturnCode::Failure,
                    _ => SubscribeReturnCode::Success(QoS::AtLeastOnce),
                };
                let status = topic_filters.iter().map(|(filter, _)| code(filter)).collect();
                connection.queue(Packet::SubscribeAck { packet_id, status });
            }
            Packet::PingRequest if !matches!(server, Server::TakesWithoutAcknowledging) => {
                connection.queue(Packet::PingResponse);
            }
            // The client took over what was sent to it: an answer that it can wait for.
            Packet::PublishAck { packet_id } => {
                connection.queue(publish("t/taken".into(), packet_id.to_string().into(), None));
            }
            _ => {}
        }
    }
}

async fn start(server: Server) -> (ClientOptions, Connector, Folder) {
    let folder = Folder::new();
    let (acceptor, connector) = both_ends(&folder);
    let handler = move |stream: Stream, _: SocketAddr| async move { drop(run(server, stream).await) };
    let (address, ..) = listening(Some(acceptor), ListenerOptions::default(), handler).await;
    let mut options = ClientOptions::new("localhost", address.port(), "dev1");
    options.user_name = "user".into();
    options.password = Secret::new("secret");
    (options, connector, folder)
}

async fn event(client: &mut Client) -> Result<Event, Lost> {
    tokio::time::timeout(PATIENCE, client.event()).await.expect("something happens")
}

fn body(length: usize) -> Bytes {
    vec![0x5a; length].into()
}

#[tokio::test]
async fn a_pipeline_is_bounded_by_its_window_and_acknowledged_in_order() {
    let (mut options, connector, _folder) = start(Server::Acknowledges).await;
    options.window_messages = 10;
    let mut client = Client::connect(&connector, &options).await.expect("accepted");
    let (mut sent, mut acknowledged) = (Vec::new(), Vec::new());
    while acknowledged.len() < 1_000 {
        while sent.len() < 1_000 && client.has_room(5_000) {
            sent.push(client.publish("t".into(), body(4_999)).expect("there is room"));
        }
        assert!(client.in_flight() <= 10);
        match event(&mut client).await.expect("alive") {
            Event::Acknowledged(id) => acknowledged.push(id),
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(sent, acknowledged);
    client.disconnect(PATIENCE).await;
}

#[tokio::test]
async fn a_full_window_refuses_and_a_lone_large_message_goes() {
    let (mut options, connector, _folder) = start(Server::Acknowledges).await;
    options.window_bytes = 1_000;
    let mut client = Client::connect(&connector, &options).await.expect("accepted");
    let id = client.publish("t".into(), body(256 * 1024)).expect("the first one goes");
    assert_eq!(client.publish("t".into(), body(1)), Err(PublishError::WindowFull));
    assert_eq!(client.unacknowledged().collect::<Vec<_>>(), [id]);
    assert_eq!(event(&mut client).await, Ok(Event::Acknowledged(id)));
    let too_large = client.publish("t".into(), body(256 * 1024 + 1));
    assert!(matches!(too_large, Err(PublishError::TooLarge { .. })), "{too_large:?}");
}

#[tokio::test]
async fn acknowledgements_out_of_order_are_taken() {
    let (options, connector, _folder) = start(Server::AcknowledgesBackwards).await;
    let mut client = Client::connect(&connector, &options).await.expect("accepted");
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(client.publish("t".into(), body(1)).expect("room"));
    }
    for id in sent.into_iter().rev() {
        assert_eq!(event(&mut client).await, Ok(Event::Acknowledged(id)));
    }
}

#[tokio::test]
async fn a_refusal_carries_the_servers_reason() {
    for (reason, needs_a_person) in [
        (ConnectAckReason::NotAuthorized, true),
        (ConnectAckReason::BadUserNameOrPassword, true),
        (ConnectAckReason::ServiceUnavailable, false),
    ] {
        let (options, connector, _folder) = start(Server::Refuses(reason)).await;
        let error = Client::connect(&connector, &options).await.expect_err("refused");
        assert!(matches!(&error, ConnectError::Refused { reason: found, .. } if *found == reason), "{error}");
        assert_eq!((error.code().0, error.needs_a_person()), ("GMB-NET-012", needs_a_person));
    }
}

#[tokio::test]
async fn a_lost_connection_leaves_the_unacknowledged_known() {
    let (options, connector, _folder) = start(Server::ClosesAfterFirst).await;
    let mut client = Client::connect(&connector, &options).await.expect("accepted");
    let ids: Vec<_> = (0..3).map(|_| client.publish("t".into(), body(10)).expect("room")).collect();
    assert!(matches!(event(&mut client).await, Err(Lost::Stream(_))));
    assert_eq!(client.unacknowledged().collect::<Vec<_>>(), ids);
}

#[tokio::test]
async fn a_server_that_does_not_acknowledge_or_answer_is_given_up() {
    let (mut options, connector, _folder) = start(Server::TakesWithoutAcknowledging).await;
    options.acknowledged_within = Duration::from_millis(50);
    let mut client = Client::connect(&connector, &options).await.expect("accepted");
    client.publish("t".into(), body(10)).expect("room");
    assert_eq!(event(&mut client).await, Err(Lost::Unacknowledged(Duration::from_millis(50))));

    options.keep_alive = Duration::from_millis(80);
    let mut client = Client::connect(&connector, &options).await.expect("accepted");
    assert_eq!(event(&mut client).await, Err(Lost::Silent(Duration::from_millis(80))));

    let (mut options, connector, _folder) = start(Server::NeverAnswers).await;
    options.connect_within = Duration::from_millis(300);
    let outcome = Client::connect(&connector, &options).await;
    assert!(matches!(outcome, Err(ConnectError::Timeout { .. })), "{outcome:?}");
}

#[tokio::test]
async fn pings_keep_an_idle_connection() {
    let (mut options, connector, _folder) = start(Server::Acknowledges).await;
    options.keep_alive = Duration::from_millis(60);
    let mut client = Client::connect(&connector, &options).await.expect("accepted");
    // Ten times the keep-alive without anything but pings.
    let idle = tokio::time::timeout(Duration::from_millis(600), client.event()).await;
    assert!(idle.is_err(), "nothing to report: {idle:?}");
    let id = client.publish("t".into(), body(1)).expect("room");
    assert_eq!(event(&mut client).await, Ok(Event::Acknowledged(id)));
}

#[tokio::test]
async fn subscriptions_and_messages_come_through() {
    let (options, connector, _folder) = start(Server::Sends).await;
    let mut client = Client::connect(&connector, &options).await.expect("accepted");
    let Ok(Event::Message(message)) = event(&mut client).await else { panic!("a message was sent") };
    assert_eq!((&*message.topic, &message.payload[..]), ("t/1", &b"hello"[..]));
    client.acknowledge(message.packet_id.expect("QoS 1"));
    let Ok(Event::Message(taken)) = event(&mut client).await else { panic!("the server has it") };
    assert_eq!(&taken.payload[..], b"7");
    let packet_id = client.subscribe(&[("a/#", QoS::AtLeastOnce), ("#", QoS::AtMostOnce)]);
    let granted = vec![Some(QoS::AtLeastOnce), None];
    assert_eq!(event(&mut client).await, Ok(Event::Subscribed { packet_id, granted }));
}
