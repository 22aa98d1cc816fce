//! Clients that send noise, stay silent or do not read, and that others are served meanwhile.

use crate::PATIENCE;
use crate::world::{Choice, World, connect_bytes, next, publish, raw, until};
use gemba_hub::{EndReason, MqttOptions};
use gemba_net::ConnectionLimits;
use gemba_net::mqtt::{Event, Packet};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

#[tokio::test]
async fn hostile_beginnings_end_with_a_reason_and_others_are_served() {
    let mut choice = Choice::default();
    choice.mqtt = MqttOptions { connect_within: Duration::from_millis(300), ..choice.mqtt };
    let world = World::with(choice).await;
    let mut bystander = world.connected("bystander").await;
    let mut counted = std::collections::BTreeMap::new();
    let cases: [(&[u8], bool, EndReason); 7] = [
        (b"GET / HTTP/1.1\r\n\r\n", true, EndReason::Malformed),
        (&[0xff; 64], true, EndReason::Malformed),
        // PINGREQ first.
        (&[0xc0, 0], true, EndReason::Malformed),
        // 10 MB announced before anything is proven.
        (&[0x10, 0x80, 0xad, 0xe2, 0x04], true, EndReason::PacketTooLarge),
        // Half a CONNECT, then silence; and nothing at all.
        (&[0x10, 60, 0, 4, b'M', b'Q'], true, EndReason::ConnectTimeout),
        (b"", true, EndReason::ConnectTimeout),
        // Half a CONNECT, then the end.
        (&[0x10, 60, 0, 4, b'M'], false, EndReason::ConnectionLost),
    ];
    for (bytes, stays, reason) in cases {
        let mut stream = world.tls().await;
        stream.write_all(bytes).await.expect("sent");
        stream.flush().await.expect("sent");
        if stays {
            let mut rest = Vec::new();
            let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
            assert!(ended.is_ok(), "the hub ends it: {reason:?}");
        }
        drop(stream);
        let times = counted.entry(reason).or_insert(0);
        *times += 1;
        world.ended(reason, *times).await;
        let id = publish(&mut bystander, "bystander", "", "still served");
        assert_eq!(next(&mut bystander).await, Event::Acknowledged(id));
    }
}

#[tokio::test]
async fn silence_beyond_the_keep_alive_ends_the_connection() {
    let mut choice = Choice::default();
    choice.mqtt.keep_alive_max = Duration::from_millis(100);
    let world = World::with(choice).await;
    let key = world.device("d");
    let mut silent = raw(&world, &world.options("d", &key)).await;
    assert!(tokio::time::timeout(PATIENCE, silent.receive()).await.expect("the hub ends it").is_err());
    world.ended(EndReason::KeepAlive, 1).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_ended_and_not_buffered_for() {
    let mut choice = Choice::default();
    choice.mqtt.stall_max = Duration::from_millis(300);
    let world = World::with(choice).await;
    let key = world.device("d");
    let mut connection = raw(&world, &world.options("d", &key)).await;
    let mut deaf = async || {
        // Answers fill the socket, then the hub's buffer, then it stops reading.
        for _ in 0..4_000_000 {
            connection.queue(Packet::PingRequest);
            if connection.unwritten() > 16_384 && connection.flush().await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, deaf()).await.expect("the hub ends it");
    world.ended(EndReason::SlowReader, 1).await;
}

/// Whether the hub ends a connection; what comes before the end does not matter.
async fn ends(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.is_ok()
}

#[tokio::test]
async fn garbage_half_a_handshake_and_silence_end_before_tls_and_others_are_served() {
    let mut choice = Choice::default();
    choice.mqtt.listener.handshake_within = Duration::from_millis(300);
    let world = World::with(choice).await;
    let mut bystander = world.connected("bystander").await;
    // Plain MQTT, HTTP, noise, the header of a ClientHello, nothing.
    let cases: [&[u8]; 5] = [
        b"\x10\x10\x00\x04MQTT\x04",
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 4096],
        b"\x16\x03\x01\x02\x00\x01",
        b"",
    ];
    for (count, bytes) in cases.into_iter().enumerate() {
        let mut stream = TcpStream::connect(world.front.address()).await.expect("connects");
        stream.write_all(bytes).await.expect("sent");
        assert!(ends(&mut stream).await, "{bytes:?}");
        let failed = format!("gemba_net_handshakes_failed_total{{listener=\"mqtt\"}} {}", count + 1);
        until(&failed, || world.metrics.text().contains(&failed)).await;
        let id = publish(&mut bystander, "bystander", "", "still served");
        assert_eq!(next(&mut bystander).await, Event::Acknowledged(id));
    }
}

#[tokio::test]
async fn a_packet_that_comes_byte_by_byte_does_not_keep_a_connection_alive() {
    let mut choice = Choice::default();
    choice.mqtt.keep_alive_max = Duration::from_millis(200);
    let world = World::with(choice).await;
    let key = world.device("d");
    let mut stream = world.tls().await;
    stream.write_all(&connect_bytes(&world.options("d", &key))).await.expect("sent");
    assert_eq!(stream.read_exact(&mut [0; 4]).await.expect("CONNACK"), 4);
    // A publish of 64 KiB, a byte now and then.
    stream.write_all(b"\x32\x80\x80\x04\x00\x20").await.expect("sent");
    let trickle = async {
        while stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, trickle).await.expect("the hub ends it");
    world.ended(EndReason::KeepAlive, 1).await;
}

#[tokio::test]
async fn one_address_has_its_share_of_connections_and_all_have_a_bound() {
    let mut choice = Choice::default();
    let limits = ConnectionLimits::new(3, 2);
    choice.mqtt.listener.limits = limits.clone();
    let world = World::with(choice).await;
    let hub = world.front.address();
    let mut first = world.connected("first").await;
    let _silent = TcpStream::connect(hub).await.expect("connects");
    let mut third = TcpStream::connect(hub).await.expect("connects");
    assert!(ends(&mut third).await, "a third of one address is closed at once");
    let refused = |what: &str| format!("gemba_net_refused_{what}_total{{listener=\"mqtt\"}} 1");
    until("it is counted", || world.metrics.text().contains(&refused("address"))).await;
    // Another address gets in, and fills the last place.
    let elsewhere = |address: &str| {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(address.parse().expect("an address")).expect("all of 127/8 is ours");
        socket.connect(hub)
    };
    let _second = elsewhere("127.0.0.2:0").await.expect("connects");
    let full = async {
        loop {
            let mut fourth = elsewhere("127.0.0.3:0").await.expect("connects");
            let ended = tokio::time::timeout(Duration::from_millis(50), fourth.read(&mut [0])).await;
            if ended.is_ok() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, full).await.expect("a fourth is closed at once");
    let id = publish(&mut first, "first", "", "still served");
    assert_eq!(next(&mut first).await, Event::Acknowledged(id));
    limits.set(9, 9);
    let mut more = world.connected("more").await;
    let id = publish(&mut more, "more", "", "as many as the new limits say");
    assert_eq!(next(&mut more).await, Event::Acknowledged(id));
}

#[tokio::test]
async fn a_storm_of_wrong_keys_does_not_keep_a_device_from_being_served() {
    let world = std::sync::Arc::new(World::new().await);
    let mut bystander = world.connected("bystander").await;
    let (_, other) = (world.device("d"), world.device("e"));
    let mut options = world.options("d", &other);
    options.user_name = world.options("d", &other).user_name;
    let mut storm = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (world, options) = (world.clone(), options.clone());
        storm.spawn(async move {
            for _ in 0..25 {
                assert!(world.try_connect(&options).await.is_err(), "a wrong key is refused");
            }
        });
    }
    let mut served = 0;
    while storm.try_join_next().is_none() {
        let id = publish(&mut bystander, "bystander", "", "still served");
        assert_eq!(next(&mut bystander).await, Event::Acknowledged(id));
        served += 1;
    }
    storm.join_all().await;
    assert!(served > 0);
    world.ended(EndReason::WrongKey, 200).await;
}

#[tokio::test]
async fn a_clock_that_goes_back_an_hour_ends_nothing_and_keeps_the_order() {
    let world = World::new().await;
    let key = world.device("d");
    let options = world.options("d", &key);
    let mut client = world.try_connect(&options).await.expect("accepted");
    for (number, seconds) in [0, -3_600, 7_000].into_iter().enumerate() {
        world.move_clock(seconds);
        if number == 2 {
            // Later than the token of the beginning lasts.
            client = world.try_connect(&world.options("d", &key)).await.expect("a new token opens");
        }
        let id = publish(&mut client, "d", "", &number.to_string());
        assert_eq!(next(&mut client).await, Event::Acknowledged(id));
    }
    world.move_clock(-3_600);
    assert!(world.try_connect(&world.options("d", &key)).await.is_ok());
    let bodies: Vec<_> = world.messages().await.iter().map(|message| message.body.clone()).collect();
    assert_eq!(bodies, ["0", "1", "2"]);
}
