//! Every reason for which a connection is refused or ended, and that others are served meanwhile.

use crate::PATIENCE;
use crate::world::{Choice, HOST, World, gone, next, publish, raw, topic};
use bytes::Bytes;
use gemba_base::Secret;
use gemba_hub::EndReason;
use gemba_iothub::{Identity, Login, SymmetricKey};
use gemba_net::ConnectError;
use gemba_net::mqtt::{
    ClientOptions, Connect, ConnectAckReason, Connection, Event, LastWill, PACKET_BYTES_MAX, Packet, Publish,
    QoS,
};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Connects and returns the code of the refusal.
async fn refusal(world: &World, options: &ClientOptions) -> ConnectAckReason {
    match world.try_connect(options).await {
        Err(ConnectError::Refused { reason, .. }) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn each_wrong_credential_has_its_reason_and_code() {
    use ConnectAckReason::{BadUserNameOrPassword, IdentifierRejected, NotAuthorized};
    let world = World::new().await;
    let (key, other) = (world.device("d"), world.device("e"));
    let identity = Identity::parse("d").expect("is one");
    let resource = identity.resource(HOST);
    let good = world.options("d", &key);
    let with_token = |token: String| {
        let mut options = good.clone();
        options.password = Secret::new(token);
        options
    };
    let with_user = |user: &str| {
        let mut options = good.clone();
        options.user_name = user.to_owned();
        options
    };
    let mut bad_id = good.clone();
    bad_id.client_id = "a/b/c".into();
    let mut foreign = world.options("e", &other);
    foreign.client_id = "d".into();
    let stranger = SymmetricKey::from_bytes(&[9; 32]).expect("is a key");
    world.device("off");
    let off = world.identities.disable("off", "test").expect("is there").primary_key;
    let cases = [
        (with_token(world.token(&resource, &key, -1)), EndReason::ExpiredToken, NotAuthorized),
        (with_token(world.token(&resource, &other, 60)), EndReason::WrongKey, NotAuthorized),
        (with_token(world.token("127.0.0.1/devices/e", &key, 60)), EndReason::WrongResource, NotAuthorized),
        (with_token(world.token("elsewhere/devices/d", &key, 60)), EndReason::WrongResource, NotAuthorized),
        (with_token(world.token(HOST, &key, 60)), EndReason::WrongResource, NotAuthorized),
        (with_token("hunter2".into()), EndReason::InvalidToken, BadUserNameOrPassword),
        (with_token(String::new()), EndReason::InvalidToken, BadUserNameOrPassword),
        (with_user("d"), EndReason::InvalidUserName, BadUserNameOrPassword),
        (with_user("elsewhere/d/?api-version=1"), EndReason::ForeignHost, BadUserNameOrPassword),
        (foreign, EndReason::InvalidUserName, BadUserNameOrPassword),
        (bad_id, EndReason::InvalidClientId, IdentifierRejected),
        (world.options("nobody", &stranger), EndReason::UnknownIdentity, NotAuthorized),
        (world.options("d/nobody", &stranger), EndReason::UnknownIdentity, NotAuthorized),
        (world.options("off", &off), EndReason::DisabledIdentity, NotAuthorized),
    ];
    let mut counted = std::collections::BTreeMap::new();
    for (options, reason, code) in cases {
        assert_eq!(refusal(&world, &options).await, code, "{reason:?}");
        let times = counted.entry(reason).or_insert(0);
        *times += 1;
        world.ended(reason, *times).await;
    }
    // The page shows who is turned away, until it is accepted.
    let shown = |world: &World| {
        let problems = world.report().problems;
        problems.iter().map(|problem| format!("{} {}", problem.code, problem.place)).collect::<Vec<_>>()
    };
    assert_eq!(
        shown(&world),
        ["GMB-HUB-011 d", "GMB-HUB-015 d/nobody", "GMB-HUB-015 nobody", "GMB-HUB-015 off"]
    );
    assert!(world.try_connect(&good).await.is_ok(), "the right credentials still work");
    assert_eq!(shown(&world), ["GMB-HUB-015 d/nobody", "GMB-HUB-015 nobody", "GMB-HUB-015 off"]);
}

#[tokio::test]
async fn the_second_key_an_alias_and_a_port_are_accepted() {
    let world = World::new().await;
    world.device("d");
    let second = world.identities.show("d").expect("is there").secondary_key;
    let identity = Identity::parse("d").expect("is one");
    let mut options = world.options("d", &second);
    assert!(world.try_connect(&options).await.is_ok());
    options.user_name = Login::user_name("PLANT.example:8883", &identity, "x");
    options.password = Secret::new(world.token("Plant.Example:1/devices/d", &second, 60));
    assert!(world.try_connect(&options).await.is_ok());
}

#[tokio::test]
async fn a_store_that_fails_is_not_the_devices_fault() {
    let world = World::new().await;
    let key = world.device("d");
    world.docs.fail(true);
    let reason = refusal(&world, &world.options("d", &key)).await;
    assert_eq!(reason, ConnectAckReason::ServiceUnavailable);
    world.ended(EndReason::StoreUnavailable, 1).await;
    world.docs.fail(false);
    assert!(world.try_connect(&world.options("d", &key)).await.is_ok());
}

#[tokio::test]
async fn revoked_identities_lose_their_connections() {
    let world = World::new().await;
    let mut device = world.connected("d").await;
    let mut module = world.connected("d/m").await;
    let mut renewed = world.connected("renewed").await;
    let mut deleted = world.connected("deleted").await;
    let mut bystander = world.connected("bystander").await;
    world.identities.disable("d", "test").expect("is there");
    world.identities.renew_keys("renewed", "test").expect("is there");
    world.identities.delete("deleted", "test").expect("is there");
    for client in [&mut device, &mut module, &mut renewed, &mut deleted] {
        gone(client).await;
    }
    world.ended(EndReason::Revoked, 4).await;
    let id = publish(&mut bystander, "bystander", "", "x");
    assert_eq!(next(&mut bystander).await, Event::Acknowledged(id));
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let mut choice = Choice::default();
    // How often an idle connection looks at the clock.
    choice.mqtt.stall_max = Duration::from_millis(20);
    let world = World::with(choice).await;
    let key = world.device("d");
    let mut client = world.try_connect(&world.options("d", &key)).await.expect("accepted");
    let id = publish(&mut client, "d", "", "in time");
    assert_eq!(next(&mut client).await, Event::Acknowledged(id));
    world.move_clock(3_601);
    gone(&mut client).await;
    world.ended(EndReason::TokenEnded, 1).await;
    assert!(world.try_connect(&world.options("d", &key)).await.is_ok(), "a new token opens again");
}

/// A publish that the hub must refuse.
fn bad(change: impl FnOnce(&mut Publish)) -> Packet {
    let mut publish = Publish {
        dup: false,
        retain: false,
        qos: QoS::AtLeastOnce,
        topic: topic("d", "").into(),
        packet_id: Some(1.try_into().expect("not 0")),
        payload: Bytes::from_static(b"x"),
        properties: None,
    };
    change(&mut publish);
    Packet::Publish(Box::new(publish))
}

#[tokio::test]
async fn each_wrong_packet_ends_its_own_connection_with_its_reason() {
    let world = World::new().await;
    let key = world.device("d");
    let options = world.options("d", &key);
    let mut bystander = world.connected("bystander").await;
    let cases: Vec<(Packet, EndReason)> = vec![
        (bad(|one| one.qos = QoS::ExactlyOnce), EndReason::QosTwo),
        (bad(|one| one.topic = topic("e", "").into()), EndReason::RefusedTopic),
        (bad(|one| one.topic = "plant/line1".into()), EndReason::RefusedTopic),
        (bad(|one| one.topic = "$iothub/twin/GET/".into()), EndReason::RefusedTopic),
        (bad(|one| one.topic = topic("d", "a=%2").into()), EndReason::InvalidProperties),
        (
            bad(|one| one.topic = topic("d", &"a&".repeat(600).replace('a', "=")).into()),
            EndReason::InvalidProperties,
        ),
        (bad(|one| one.payload = vec![0; 256 * 1024 + 1].into()), EndReason::MessageTooLarge),
        (bad(|one| one.payload = vec![0; 330 * 1024].into()), EndReason::PacketTooLarge),
        (bad(|one| one.payload = vec![0; 10 << 20].into()), EndReason::PacketTooLarge),
        (Packet::Connect(Box::default()), EndReason::Malformed),
        (Packet::PingResponse, EndReason::Malformed),
        (Packet::PublishRelease { packet_id: 1.try_into().expect("not 0") }, EndReason::Malformed),
    ];
    let mut counted = std::collections::BTreeMap::new();
    for (packet, reason) in cases {
        let mut connection = raw(&world, &options).await;
        connection.queue(packet);
        let ended = tokio::time::timeout(PATIENCE, connection.receive()).await.expect("the hub ends it");
        assert!(ended.is_err(), "{reason:?}: {ended:?}");
        let times = counted.entry(reason).or_insert(0);
        *times += 1;
        world.ended(reason, *times).await;
        let id = publish(&mut bystander, "bystander", "", "still served");
        assert_eq!(next(&mut bystander).await, Event::Acknowledged(id));
    }
    assert!(world.messages().await.iter().all(|message| message.device == "bystander"));
}

#[tokio::test]
async fn what_came_before_a_wrong_packet_is_acknowledged_or_not_but_never_out_of_order() {
    let world = World::new().await;
    let key = world.device("d");
    let mut connection = raw(&world, &world.options("d", &key)).await;
    for number in 1..=20_u16 {
        connection.queue(bad(|one| one.packet_id = number.try_into().ok()));
    }
    connection.queue(bad(|one| one.qos = QoS::ExactlyOnce));
    let mut acknowledged = Vec::new();
    while let Ok(Packet::PublishAck { packet_id }) = connection.receive().await {
        acknowledged.push(packet_id.get());
    }
    world.ended(EndReason::QosTwo, 1).await;
    assert_eq!(acknowledged, (1..=acknowledged.len() as u16).collect::<Vec<_>>());
    crate::world::until("all are durable", || {
        world.log.states().iter().map(|one| one.next_offset).sum::<u64>() == 20
    })
    .await;
}

#[tokio::test]
async fn other_versions_and_foreign_wills_are_refused() {
    let world = World::new().await;
    let key = world.device("d");
    let options = world.options("d", &key);
    let connect = |change: &dyn Fn(&mut Connect)| {
        let mut connect = Connect {
            client_id: "d".into(),
            username: Some(options.user_name.clone().into()),
            password: Some(options.password.reveal().to_owned().into()),
            ..Connect::default()
        };
        change(&mut connect);
        Packet::Connect(Box::new(connect))
    };
    let will = |topic: &str, qos| LastWill { qos, retain: false, topic: topic.into(), message: Bytes::new() };
    let own = topic("d", "");
    let cases: [(Packet, EndReason, ConnectAckReason); 4] = [
        (
            connect(&|one| one.password = None),
            EndReason::InvalidToken,
            ConnectAckReason::BadUserNameOrPassword,
        ),
        (
            connect(&|one| one.username = None),
            EndReason::InvalidUserName,
            ConnectAckReason::BadUserNameOrPassword,
        ),
        (
            connect(&|one| one.last_will = Some(will("plant/line1", QoS::AtMostOnce))),
            EndReason::InvalidWill,
            ConnectAckReason::NotAuthorized,
        ),
        (
            connect(&|one| one.last_will = Some(will(&own, QoS::ExactlyOnce))),
            EndReason::InvalidWill,
            ConnectAckReason::NotAuthorized,
        ),
    ];
    let mut wills = 0;
    for (packet, reason, code) in cases {
        let mut connection = Connection::new(world.tls().await);
        connection.trust(PACKET_BYTES_MAX);
        connection.queue(packet);
        let answer = connection.receive().await;
        assert!(
            matches!(&answer, Ok(Packet::ConnectAck(ack)) if ack.return_code == code),
            "{reason:?} {answer:?}"
        );
        assert!(connection.receive().await.is_err(), "and closed");
        wills += u64::from(reason == EndReason::InvalidWill);
        world.ended(reason, wills.max(1)).await;
    }
    // MQTT 5 and 3.1; our own codec does not write them.
    let five = b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00\x01a";
    let three = b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01a";
    for (times, bytes) in [(1, five), (2, three)] {
        let mut stream = world.tls().await;
        stream.write_all(bytes).await.expect("sent");
        let mut answer = Vec::new();
        drop(tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("ends"));
        assert_eq!(answer, [0x20, 2, 0, 1]);
        world.ended(EndReason::OtherVersion, times).await;
    }
}
