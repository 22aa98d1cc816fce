//! Bytes into packets: hostile, torn, and read by futures that are dropped.

use bytes::Bytes;
use gemba_net::mqtt::{Connection, PACKET_BYTES_MAX, Packet, ReceiveError, publish};
use tokio::io::{AsyncWriteExt, duplex};

/// What a server-side connection makes of these bytes, cut into pieces of every size in `pieces`.
async fn first_error(bytes: &[u8], trusted: bool, pieces: usize) -> ReceiveError {
    let (mut near, far) = duplex(64);
    let mut connection = Connection::new(far);
    if trusted {
        connection.trust(PACKET_BYTES_MAX);
    }
    let writing = async {
        for piece in bytes.chunks(pieces) {
            if near.write_all(piece).await.is_err() {
                break;
            }
        }
        drop(near);
    };
    let reading = async {
        loop {
            if let Err(error) = connection.receive().await {
                drop(connection);
                return error;
            }
        }
    };
    tokio::join!(writing, reading).1
}

#[tokio::test]
async fn hostile_bytes_end_in_an_error_with_a_reason() {
    let limit = 16 * 1024;
    // 10 MiB announced.
    let huge = [0x10, 0x80, 0x80, 0x80, 0x05];
    for pieces in [1, 3, 1000] {
        let too_large = |limit| ReceiveError::TooLarge { announced: 10 << 20, limit };
        assert_eq!(first_error(&huge, false, pieces).await, too_large(limit));
        assert_eq!(first_error(&huge, true, pieces).await, too_large(PACKET_BYTES_MAX));
        assert!(matches!(
            first_error(b"GET / HTTP/1.1\r\n\r\n", false, pieces).await,
            ReceiveError::Malformed(_)
        ));
        assert!(matches!(
            first_error(&[0x30, 0xff, 0xff, 0xff, 0xff, 0x7f], true, pieces).await,
            ReceiveError::Malformed(_)
        ));
        // QoS 3.
        assert!(matches!(
            first_error(&[0x36, 5, 0, 1, b't', 0, 1], true, pieces).await,
            ReceiveError::Malformed(_)
        ));
        // Half a packet.
        let closed = ReceiveError::Closed { inside_a_packet: true };
        assert_eq!(first_error(&[0x30, 9, 0, 1], true, pieces).await, closed);
        // MQTT 5.
        let five = b"\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00\x01a";
        assert_eq!(first_error(five, false, pieces).await, ReceiveError::OtherVersion);
        assert_eq!(
            first_error(&[0xc0, 0], true, pieces).await,
            ReceiveError::Closed { inside_a_packet: false }
        );
    }
}

#[tokio::test]
async fn seeded_noise_never_panics_and_always_ends() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..500 {
        let mut bytes: Vec<u8> = (0..next() % 80).map(|_| next() as u8).collect();
        // Small lengths get further into the codec than random ones.
        if let Some(length) = bytes.get_mut(1) {
            *length %= 40;
        }
        first_error(&bytes, true, 7).await;
    }
}

#[tokio::test]
async fn dropping_a_waiting_future_loses_no_packet() {
    let (near, far) = duplex(16);
    let (mut near, mut far) = (Connection::new(near), Connection::new(far));
    far.trust(PACKET_BYTES_MAX);
    for number in 1..=200_u16 {
        near.queue(publish(
            "topic".into(),
            Bytes::from_static(&[0x5a; 20]),
            Some(number.try_into().expect("not 0")),
        ));
    }
    let writing = async { near.flush().await.expect("written") };
    let reading = async {
        let mut ids = Vec::new();
        while ids.len() < 200 {
            // The other branch is always ready, so the future is dropped after a single poll.
            tokio::select! {
                biased;
                packet = far.receive() => match packet.expect("alive") {
                    Packet::Publish(message) => ids.push(message.packet_id.expect("QoS 1").get()),
                    other => panic!("unexpected {other:?}"),
                },
                () = tokio::task::yield_now() => {}
            }
        }
        ids
    };
    let ids = tokio::join!(writing, reading).1;
    assert_eq!(ids, (1..=200).collect::<Vec<u16>>());
}
