//! Clients that send noise, stay silent or do not read, and that others are served meanwhile.

use crate::PATIENCE;
use crate::world::{Choice, World, next, publish, raw};
use gemba_hub::{EndReason, MqttOptions};
use gemba_net::mqtt::{Event, Packet};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
