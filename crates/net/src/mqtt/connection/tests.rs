use super::*;
use crate::mqtt::{Connect, PacketId, publish};
use bytes::Bytes;
use gemba_testkit::fuzz::Target;
use std::task::Waker;

/// Bytes that come in pieces of a size.
struct Pieces<'a>(&'a [u8], usize);

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let (piece, rest) = self.0.split_at(self.1.min(self.0.len()).min(buffer.remaining()));
        buffer.put_slice(piece);
        self.0 = rest;
        Poll::Ready(Ok(()))
    }
}

/// All packets that come out of bytes, and how the stream ends.
fn packets_of(bytes: &[u8], piece: usize, proven: bool) -> (Vec<Packet>, ReceiveError) {
    let mut connection = Connection::new(tokio::io::join(Pieces(bytes, piece), tokio::io::sink()));
    if proven {
        connection.trust(PACKET_BYTES_MAX);
    }
    let (mut packets, mut context) = (Vec::new(), Context::from_waker(Waker::noop()));
    loop {
        match connection.poll_receive(&mut context) {
            Poll::Ready(Ok(packet)) => packets.push(packet),
            Poll::Ready(Err(error)) => return (packets, error),
            Poll::Pending => panic!("bytes in memory are always ready"),
        }
        let bound = if proven { PACKET_BYTES_MAX } else { PACKET_BYTES_MAX_UNPROVEN } as usize;
        assert!(
            connection.inbound.capacity() <= 4 * (bound + ROOM_MAX),
            "a packet reserves what it may have"
        );
    }
}

/// The packets do not depend on how the bytes are cut, and a stranger begins with CONNECT.
fn stream_of_bytes(bytes: &[u8]) {
    for proven in [false, true] {
        let whole = packets_of(bytes, usize::MAX, proven);
        assert_eq!(packets_of(bytes, 1, proven), whole);
        if let (false, Some(first)) = (proven, whole.0.first()) {
            assert!(matches!(first, Packet::Connect(_)), "{first:?}");
        }
    }
}

#[test]
fn fuzz_mqtt() {
    let bytes = |packets: Vec<Packet>| {
        let (mut codec, mut bytes) = (Codec::new(PACKET_BYTES_MAX), BytesMut::new());
        for packet in packets {
            codec.encode(packet, &mut bytes).expect("is encoded");
        }
        bytes.to_vec()
    };
    let connect = Connect {
        client_id: "d/m".into(),
        username: Some("h/d/m/?api-version=2021-04-12".into()),
        password: Some(Bytes::from_static(b"SharedAccessSignature sr=h")),
        ..Connect::default()
    };
    let one = PacketId::new(1);
    let message = publish("devices/d/messages/events/a=b".into(), Bytes::from_static(b"body"), one);
    let inputs = [
        bytes(vec![Packet::Connect(Box::new(connect)), message, Packet::PingRequest, Packet::Disconnect]),
        // SUBSCRIBE, UNSUBSCRIBE, PUBACK, PUBREL, CONNACK, SUBACK, PINGRESP.
        b"\x82\x09\x00\x02\x00\x04$a/#\x01\xa2\x08\x00\x03\x00\x04$a/#\x40\x02\x00\x01\x62\x02\x00\x05"
            .to_vec(),
        b"\x20\x02\x01\x00\x90\x04\x00\x02\x01\x80\xd0\x00\x10\xff\xff\xff\x7f".to_vec(),
    ];
    Target::new("net-mqtt", stream_of_bytes).inputs(inputs).executions(8_000).run();
}
