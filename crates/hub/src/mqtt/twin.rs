//! Twin operations: understood, and refused clearly until twins are there.

use bytes::Bytes;
use gemba_net::mqtt::{Packet, publish};

/// What a device gets that reads or writes its twin. The Python SDK looks at the status in the topic; the Node
/// SDK (1.18) does not, and takes any body without `errorCode` for a twin.
const BODY: &str = r#"{"errorCode":501001,"message":"GMB-HUB-010: this hub keeps no device twins yet; messages from the device work"}"#;
const NOT_IMPLEMENTED: u16 = 501;

/// The answer to a twin operation. QoS 0: whoever misses it asks again.
pub(super) fn not_available(request_id: &str) -> Packet {
    let topic = gemba_iothub::topic::twin_response(NOT_IMPLEMENTED, request_id, None);
    publish(topic, Bytes::from_static(BODY.as_bytes()), None)
}
