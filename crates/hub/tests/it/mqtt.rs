//! Devices that behave: publishing, order, properties, subscriptions, twins, taps.

use crate::PATIENCE;
use crate::world::{Choice, World, bag, gone, next, publish, raw, topic, until};
use bytes::Bytes;
use gemba_api::{DeviceMessage, EventLog};
use gemba_hub::{EndReason, MessageTap};
use gemba_net::mqtt::{
    Connection, Event, LastWill, PACKET_BYTES_MAX, Packet, Publish, QoS, SubscribeReturnCode,
};
use std::sync::{Arc, Mutex};

#[tokio::test]
async fn a_message_arrives_with_its_properties_and_its_sender() {
    let world = World::new().await;
    let before = world.now();
    let mut client = world.connected("edge-1").await;
    let properties = bag(
        &[("gemba-kind", "gap"), ("a b", "1+1=2 é")],
        &[("message-id", "edge-1-00000000000000ab-7"), ("content-type", "application/json")],
    );
    let forged = format!("{properties}&%24.cdid=other");
    let id = publish(&mut client, "edge-1", &forged, "body");
    assert_eq!(next(&mut client).await, Event::Acknowledged(id));
    let messages = world.messages().await;
    let [message] = messages.as_slice() else { panic!("one message: {messages:?}") };
    assert_eq!(
        (message.device.as_str(), &message.module, &message.body[..]),
        ("edge-1", &None, &b"body"[..])
    );
    assert_eq!(message.system_property("message-id"), Some("edge-1-00000000000000ab-7"));
    assert_eq!(message.system_property("content-type"), Some("application/json"));
    assert_eq!(message.system.len(), 2, "the sender cannot be forged");
    assert_eq!(message.property("gemba-kind"), Some("gap"));
    assert_eq!(message.property("a b"), Some("1+1=2 é"));
    assert!(message.enqueued >= before && message.enqueued <= world.now());
    client.disconnect(PATIENCE).await;
    world.ended(EndReason::Disconnected, 1).await;
    let report = world.report();
    assert_eq!((report.messages_in, report.values_lost), (1, 0));
    assert!(world.metrics.text().contains("gemba_hub_messages_total 1"));
}

#[tokio::test]
async fn many_pipelined_messages_keep_their_order() {
    let world = World::new().await;
    let mut client = world.connected("edge-1").await;
    let bodies: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
    world.send_all(&mut client, "edge-1", &bodies).await;
    let found: Vec<String> =
        world.messages().await.iter().map(|one| String::from_utf8_lossy(&one.body).into_owned()).collect();
    assert_eq!(found, bodies);
}

#[tokio::test]
async fn devices_and_modules_are_side_by_side() {
    let world = World::new().await;
    let mut clients = Vec::new();
    for number in 0..8 {
        clients.push((format!("d{number}"), world.connected(&format!("d{number}")).await));
    }
    clients.push(("d0/m".into(), world.connected("d0/m").await));
    let bodies: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    for (name, client) in &mut clients {
        world.send_all(client, name, &bodies).await;
    }
    let messages = world.messages().await;
    for (name, _) in &clients {
        let (device, module) = name.split_once('/').map_or((name.as_str(), None), |(d, m)| (d, Some(m)));
        let of = |one: &&DeviceMessage| one.device == device && one.module.as_deref() == module;
        let found: Vec<_> = messages.iter().filter(of).map(|one| one.body.clone()).collect();
        assert_eq!(found, bodies, "{name}");
    }
    let used = (0..4).filter(|partition| world.log.bounds(*partition).1 > 0).count();
    assert!(used > 1, "devices are spread over partitions");
}

#[tokio::test]
async fn qos_0_is_kept_too_and_the_largest_message_fits() {
    let world = World::new().await;
    let mut client = world.connected("d").await;
    client.publish_at_most_once(topic("d", ""), Bytes::from_static(b"zero")).expect("room");
    let large = vec![7; 256 * 1024];
    let id = client.publish(topic("d", ""), large.clone().into()).expect("room");
    assert_eq!(next(&mut client).await, Event::Acknowledged(id));
    let messages = world.messages().await;
    let bodies: Vec<&[u8]> = messages.iter().map(|one| &one.body[..]).collect();
    assert_eq!(bodies, [&b"zero"[..], &large]);
}

#[tokio::test]
async fn documented_filters_are_granted_and_others_refused() {
    let world = World::new().await;
    let key = world.device("d");
    let mut connection = raw(&world, &world.options("d", &key)).await;
    let filters = [
        ("devices/d/messages/devicebound/#", QoS::AtLeastOnce),
        ("$iothub/twin/res/#", QoS::AtMostOnce),
        ("$iothub/methods/POST/#", QoS::ExactlyOnce),
        ("$iothub/twin/PATCH/properties/desired/#", QoS::AtLeastOnce),
        ("#", QoS::AtLeastOnce),
        ("devices/+/messages/devicebound/#", QoS::AtLeastOnce),
        ("devices/e/messages/devicebound/#", QoS::AtLeastOnce),
    ];
    let topic_filters = filters.iter().map(|(filter, qos)| ((*filter).into(), *qos)).collect();
    connection.queue(Packet::Subscribe { packet_id: 9.try_into().expect("not 0"), topic_filters });
    let Packet::SubscribeAck { packet_id, status } = connection.receive().await.expect("answers") else {
        panic!("SUBACK")
    };
    let granted = |qos| SubscribeReturnCode::Success(qos);
    let refused = SubscribeReturnCode::Failure;
    assert_eq!(
        (packet_id.get(), status),
        (
            9,
            vec![
                granted(QoS::AtLeastOnce),
                granted(QoS::AtMostOnce),
                granted(QoS::AtLeastOnce),
                granted(QoS::AtLeastOnce),
                refused,
                refused,
                refused
            ]
        )
    );
    connection.queue(Packet::PingRequest);
    assert_eq!(connection.receive().await, Ok(Packet::PingResponse));
}

#[tokio::test]
async fn twin_operations_get_501_and_their_acknowledgement() {
    let world = World::new().await;
    let mut client = world.connected("d").await;
    client.subscribe(&[("$iothub/twin/res/#", QoS::AtLeastOnce)]);
    assert!(matches!(next(&mut client).await, Event::Subscribed { .. }));
    for (topic, request) in [("$iothub/twin/GET/", "r-1"), ("$iothub/twin/PATCH/properties/reported/", "r-2")]
    {
        let id = client.publish(format!("{topic}?$rid={request}"), Bytes::from_static(b" ")).expect("room");
        let mut answers = [next(&mut client).await, next(&mut client).await];
        answers.sort_by_key(|answer| matches!(answer, Event::Message(_)));
        let [Event::Acknowledged(acknowledged), Event::Message(message)] = &answers else {
            panic!("unexpected {answers:?}")
        };
        assert_eq!(*acknowledged, id);
        assert_eq!(&*message.topic, format!("$iothub/twin/res/501/?$rid={request}"));
        let text = String::from_utf8_lossy(&message.payload).into_owned();
        assert_eq!(
            text,
            r#"{"errorCode":501001,"message":"GMB-HUB-010: this hub keeps no device twins yet; messages from the device work"}"#
        );
    }
    // An answer to a method that nobody called is taken and dropped.
    let id = client.publish("$iothub/methods/res/200/?$rid=1".into(), Bytes::new()).expect("room");
    assert_eq!(next(&mut client).await, Event::Acknowledged(id));
    assert_eq!(world.messages().await.len(), 0);
}

#[derive(Default)]
struct StatusTap(Mutex<Vec<(String, u64)>>);

impl MessageTap for StatusTap {
    fn wants(&self, message: &DeviceMessage) -> bool {
        message.property("gemba-kind") == Some("status")
    }
    fn durable(&self, message: DeviceMessage, _partition: u32, offset: u64) {
        let body = String::from_utf8_lossy(&message.body).into_owned();
        self.0.lock().expect("not poisoned").push((body, offset));
    }
}

#[tokio::test]
async fn a_tap_sees_the_wanted_messages_once_they_are_durable() {
    let tap = Arc::new(StatusTap::default());
    let world = World::with(Choice { tap: Some(tap.clone()), ..Choice::default() }).await;
    let mut client = world.connected("d").await;
    for (kind, body) in [("data", "a"), ("status", "b"), ("status", "c")] {
        publish(&mut client, "d", &bag(&[("gemba-kind", kind)], &[]), body);
    }
    for _ in 0..3 {
        next(&mut client).await;
    }
    let seen = tap.0.lock().expect("not poisoned").clone();
    assert_eq!(seen, [("b".to_owned(), 1), ("c".to_owned(), 2)]);
}

#[tokio::test]
async fn the_newest_connection_of_an_identity_stays() {
    let world = World::new().await;
    let key = world.device("d");
    let options = world.options("d", &key);
    let mut first = world.try_connect(&options).await.expect("accepted");
    let mut second = world.try_connect(&options).await.expect("accepted");
    gone(&mut first).await;
    world.ended(EndReason::Replaced, 1).await;
    let id = publish(&mut second, "d", "", "from the second");
    assert_eq!(next(&mut second).await, Event::Acknowledged(id));
    let info = world.identities.connections().info("d").expect("is connected");
    assert_eq!(info.client_type.as_deref(), Some("test/1"));
    drop(second);
    world.ended(EndReason::ConnectionLost, 1).await;
    until("nobody is connected", || world.identities.connections().count() == 0).await;
}

#[tokio::test]
async fn a_last_will_is_kept_unless_the_client_says_goodbye() {
    let world = World::new().await;
    let key = world.device("d");
    for goodbye in [true, false] {
        let options = world.options("d", &key);
        let mut connection = Connection::new(world.tls().await);
        connection.trust(PACKET_BYTES_MAX);
        connection.queue(Packet::Connect(Box::new(gemba_net::mqtt::Connect {
            client_id: "d".into(),
            username: Some(options.user_name.into()),
            password: Some(options.password.reveal().to_owned().into()),
            last_will: Some(LastWill {
                qos: QoS::AtLeastOnce,
                retain: false,
                topic: topic("d", "a=b").into(),
                message: Bytes::from_static(b"gone"),
            }),
            ..gemba_net::mqtt::Connect::default()
        })));
        assert!(matches!(connection.receive().await, Ok(Packet::ConnectAck(_))));
        if goodbye {
            connection.queue(Packet::Disconnect);
            connection.flush().await.expect("written");
        }
        drop(connection);
    }
    until("the will is durable", || (0..4).any(|partition| world.log.bounds(partition).1 > 0)).await;
    let messages = world.messages().await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].property("iothub-MessageType"), Some("Will"));
    assert_eq!((messages[0].property("a"), &messages[0].body[..]), (Some("b"), &b"gone"[..]));
}

#[tokio::test]
async fn stopping_ends_connections_and_keeps_what_was_acknowledged() {
    let world = World::new().await;
    let mut client = world.connected("d").await;
    let id = publish(&mut client, "d", "", "kept");
    assert_eq!(next(&mut client).await, Event::Acknowledged(id));
    assert!(world.tasks.drain(PATIENCE).await, "all tasks end");
    gone(&mut client).await;
    assert_eq!(world.front.ends().count(EndReason::Stopping), 1);
    assert_eq!(world.messages().await.len(), 1);
}

#[tokio::test]
async fn a_message_with_retain_is_taken_and_says_so() {
    let world = World::new().await;
    let key = world.device("d");
    let mut connection = raw(&world, &world.options("d", &key)).await;
    for (number, retain) in [(1_u16, true), (2, false)] {
        connection.queue(Packet::Publish(Box::new(Publish {
            dup: false,
            retain,
            qos: QoS::AtLeastOnce,
            topic: topic("d", "a=b").into(),
            packet_id: number.try_into().ok(),
            payload: Bytes::from_static(b"x"),
            properties: None,
        })));
        let answer = connection.receive().await.expect("goes on");
        assert!(
            matches!(answer, Packet::PublishAck { packet_id } if packet_id.get() == number),
            "{answer:?}"
        );
    }
    let messages = world.messages().await;
    let marks: Vec<_> = messages.iter().map(|message| message.property("mqtt-retain")).collect();
    assert_eq!(marks, [Some("true"), None]);
    assert!(messages.iter().all(|message| message.property("a") == Some("b")));
}
