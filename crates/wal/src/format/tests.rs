//! The bytes are those of the format page, for ever.

use super::*;
use expect_test::expect;
use std::fmt::Write;

fn hex(bytes: &[u8]) -> String {
    bytes.chunks(16).fold(String::new(), |mut text, row| {
        for byte in row {
            write!(text, "{byte:02x} ").expect("a text takes everything");
        }
        text.truncate(text.trim_end().len());
        text + "\n"
    })
}

const HEADER: SegmentHeader = SegmentHeader {
    log_id: 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10,
    first_offset: 1_000,
    previous_first: Some(900),
    created: DateTime::from_ticks(133_000_000_000_000_000),
};

fn frame() -> (FrameHeader, Vec<u8>) {
    let header = FrameHeader {
        payload_bytes: 5,
        crc: 0,
        kind: 3,
        flags: 0x80,
        group_index: 2,
        offset: 1_002,
        time: DateTime::from_ticks(133_000_000_000_000_001),
    };
    let mut bytes = Vec::new();
    header.encode(seed(HEADER.log_id), b"value", &mut bytes);
    (header, bytes)
}

#[test]
fn a_segment_header_has_these_bytes() {
    expect![[r#"
        47 45 4d 42 41 57 41 4c 01 00 40 00 00 00 00 00
        10 0f 0e 0d 0c 0b 0a 09 08 07 06 05 04 03 02 01
        e8 03 00 00 00 00 00 00 84 03 00 00 00 00 00 00
        00 80 20 9b cb 82 d8 01 00 00 00 00 b1 26 1f 46
    "#]]
    .assert_eq(&hex(&HEADER.encode()));
}

#[test]
fn a_frame_has_these_bytes() {
    expect![[r#"
        05 00 00 00 2e 86 8a 97 03 80 02 00 ea 03 00 00
        00 00 00 00 01 80 20 9b cb 82 d8 01 76 61 6c 75
        65
    "#]]
    .assert_eq(&hex(&frame().1));
}

#[test]
fn a_segment_header_reads_back_and_any_flipped_bit_is_seen() {
    let bytes = HEADER.encode();
    assert_eq!(SegmentHeader::decode(&bytes), Ok(HEADER));
    let first = SegmentHeader { previous_first: None, ..HEADER };
    assert_eq!(SegmentHeader::decode(&first.encode()), Ok(first));
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes;
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderError::Damaged), "bit {bit}");
    }
    assert_eq!(SegmentHeader::decode(&bytes[..63]), Err(HeaderError::Damaged));
}

#[test]
fn a_newer_version_is_named_and_not_called_damage() {
    let mut bytes = HEADER.encode();
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..60]);
    bytes[60..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderError::Version(2)));
}

fn is_intact(bytes: &[u8], log_id: u128) -> bool {
    let Some(header) = FrameHeader::decode(bytes) else { return false };
    let Some(payload) = bytes.get(FRAME_HEADER_BYTES..header.frame_bytes() as usize) else { return false };
    header.matches(crc32c::crc32c_append(header.crc_start(seed(log_id)), payload))
}

#[test]
fn any_flipped_bit_of_a_frame_is_seen_and_so_is_another_log() {
    let (header, bytes) = frame();
    let decoded = FrameHeader::decode(&bytes).expect("long enough");
    assert_eq!(FrameHeader { crc: 0, ..decoded }, header);
    assert_eq!(decoded.group_first(), 1_000);
    assert!(is_intact(&bytes, HEADER.log_id));
    assert!(!is_intact(&bytes, HEADER.log_id + 1));
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(!is_intact(&bytes, HEADER.log_id), "bit {bit}");
    }
}

#[test]
fn zeros_are_never_a_frame() {
    // The checksum of this much zero may be 0 for some log; what is stored never is.
    for log_id in 0..1_000 {
        assert!(!is_intact(&[0; FRAME_HEADER_BYTES], log_id));
    }
    assert!(!FrameHeader::decode(&[0; FRAME_HEADER_BYTES]).expect("long enough").matches(0));
}
