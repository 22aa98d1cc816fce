//! Streams in pieces of every size, with faults in them.

use super::super::opn::tests::{Case, PARTIES, content};
use super::*;
use futures_util::FutureExt;
use std::collections::VecDeque;
use std::sync::LazyLock;
use tokio::io::AsyncReadExt;

const LARGEST: usize = 65_535;

/// Gives its pieces one by one, and is never ready at once.
struct Pieces {
    pieces: VecDeque<Vec<u8>>,
    ready: bool,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.ready = !self.ready;
        if self.ready {
            return Poll::Pending;
        }
        if let Some(mut piece) = self.pieces.pop_front() {
            let rest = piece.split_off(piece.len().min(buffer.remaining()));
            buffer.put_slice(&piece);
            if !rest.is_empty() {
                self.pieces.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn reader(case: Case, stream: &[u8], piece: usize) -> Reader<Pieces> {
    let pieces = stream.chunks(piece).map(<[u8]>::to_vec).collect();
    let opening = Some(Arc::new(case.opening()));
    let verdict = Arc::new(Verdict::new("opc.tcp://a:1"));
    Reader::new(Pieces { pieces, ready: false }, opening, verdict, LARGEST)
}

/// Reads to the end or a fault. Each read that is not done at once is given up and begun anew.
fn read(reader: &mut Reader<Pieces>, room: usize) -> (Vec<u8>, bool) {
    let (mut all, mut buffer) = (Vec::new(), vec![0; room]);
    loop {
        match reader.read(&mut buffer).now_or_never() {
            None => {}
            Some(Ok(0)) => return (all, false),
            Some(Ok(count)) => all.extend_from_slice(&buffer[..count]),
            Some(Err(_)) => return (all, true),
        }
    }
}

fn chunk(kind: &[u8; 4], body: usize) -> Vec<u8> {
    let size = (HEADER + body) as u32;
    let mut chunk = [kind.as_slice(), &size.to_le_bytes()].concat();
    chunk.extend((0..body).map(|n| n as u8));
    chunk
}

fn chunks(mut stream: &[u8]) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    while let Some((_, size)) = header(stream) {
        let (chunk, rest) = stream.split_at(size);
        chunks.push(chunk.to_vec());
        stream = rest;
    }
    assert!(stream.is_empty());
    chunks
}

fn is_opening(chunk: &[u8]) -> bool {
    chunk.starts_with(b"OPN")
}

#[test]
fn all_chunks_pass_in_order_and_those_that_open_the_channel_are_translated() {
    let case = Case::new(0, 0, 1);
    let stream = [
        chunk(b"ACKF", 20),
        case.honest(&content(120)),
        chunk(b"MSGC", 9_000),
        chunk(b"MSGF", 0),
        case.honest(&content(30)),
        case.honest(&content(31)),
        chunk(b"MSGF", 300),
        chunk(b"CLOF", 50),
    ];
    let whole = stream.concat();
    for (piece, room) in
        [(1, 8_192), (7, 5), (8, 8), (9, 1), (100, 8_192), (5_000, 70_000), (100_000, 70_000), (100_000, 3)]
    {
        let (out, failed) = read(&mut reader(case, &whole, piece), room);
        assert!(!failed);
        let out = chunks(&out);
        assert_eq!(out.len(), stream.len());
        for (number, (sent, got)) in stream.iter().zip(&out).enumerate() {
            match number {
                1 => assert_eq!(case.read_by_the_stack(got), content(120)),
                4 => assert_eq!(case.read_by_the_stack(got), content(30)),
                5 => assert_eq!(case.read_by_the_stack(got), content(31)),
                _ => assert_eq!(got, sent, "pieces of {piece}, room for {room}"),
            }
        }
    }
}

#[test]
fn a_fault_ends_the_connection_for_good_and_is_kept() {
    let case = Case::new(0, 0, 1);
    let other = Case::new(0, 0, 2);
    let large = [b"OPNF", ((LARGEST + 1) as u32).to_le_bytes().as_slice()].concat();
    let cases: [(&str, Vec<u8>, Fault); 4] = [
        ("another chain", other.honest(&content(120)), Fault::ChannelCertificate),
        ("larger than agreed, which its header says", large, Fault::TooLarge),
        (
            "a chunk without a length",
            [b"MSGF".as_slice(), &[7, 0, 0, 0], &[0; 100]].concat(),
            Fault::Malformed,
        ),
        ("no header of an opening", chunk(b"OPNF", 30), Fault::Malformed),
    ];
    for (name, bad, fault) in cases {
        let stream = [chunk(b"MSGF", 40), bad, chunk(b"MSGF", 100)].concat();
        for piece in [1, 48, 100_000] {
            let mut reader = reader(case, &stream, piece);
            let (out, failed) = read(&mut reader, 8_192);
            assert!(failed, "{name}");
            assert!(stream.starts_with(&out) && out.len() <= 48, "nothing of it or behind it passes");
            assert_eq!(reader.verdict.fault.get(), Some(&fault), "{name}");
            assert_eq!(read(&mut reader, 8_192), (Vec::new(), true), "{name}: still");
        }
    }
}

#[test]
fn without_a_channel_to_prove_everything_passes() {
    let stream = [chunk(b"OPNF", 30), chunk(b"MSGF", 10)].concat();
    let pieces = VecDeque::from([stream.clone()]);
    let verdict = Arc::new(Verdict::new("opc.tcp://a:1"));
    let mut reader = Reader::new(Pieces { pieces, ready: false }, None, verdict, LARGEST);
    assert_eq!(read(&mut reader, 100), (stream, false));
}

/// One chunk that an honest server sent, of which an attacker knows every byte.
static HONEST: LazyLock<(Case, Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let case = Case::new(0, 0, 1);
    (case, case.honest(&content(120)), [b"OPNF".as_slice(), &[0; 60]].concat())
});

/// The bytes as what comes from a socket, in two pieces. Chunks that open no channel pass as they are; of the
/// others nothing but what the honest server signed, or what carries the judged leaf, which the stack verifies.
fn stream_of_bytes(bytes: &[u8]) {
    let (case, honest, _) = &*HONEST;
    let at = bytes.first().map_or(1, |first| usize::from(*first).max(1));
    let (out, failed) = read(&mut reader(*case, bytes, at.max(bytes.len() / 2)), 4_096);
    let (mut out, mut sent) = (out.as_slice(), bytes);
    while !out.is_empty() {
        let size = header(sent).map_or(sent.len(), |(_, size)| size.min(sent.len()));
        let (chunk, rest) = sent.split_at(size);
        let length = match is_opening(chunk) && !names_the_leaf(chunk) {
            true => {
                assert_eq!(chunk, honest, "something else was taken for the honest server's");
                header(out).expect("a header").1
            }
            false => size.min(out.len()),
        };
        assert!(length > 0, "something was made of nothing");
        let (got, behind) = out.split_at(length);
        match chunk == honest {
            true => assert_eq!(case.read_by_the_stack(got), content(120)),
            false => assert!(chunk.starts_with(got), "a chunk was changed"),
        }
        (out, sent) = (behind, rest);
    }
    let begun = header(sent).is_none_or(|(_, size)| is_opening(sent) && size > sent.len());
    assert!(failed || begun, "a whole chunk was kept back");
}

fn names_the_leaf(chunk: &[u8]) -> bool {
    let leaf = &HONEST.0.leaf.der;
    let field = [(leaf.len() as u32).to_le_bytes().as_slice(), leaf].concat();
    chunk.windows(field.len()).any(|window| window == field)
}

#[test]
fn fuzz_opening() {
    let (case, honest, short) = &*HONEST;
    let stream = [chunk(b"ACKF", 20), honest.clone(), chunk(b"MSGF", 60), honest.clone()].concat();
    gemba_testkit::fuzz::Target::new("ua-opening", stream_of_bytes)
        .inputs([honest, short, &stream])
        .words([
            b"OPNF".as_slice(),
            b"OPNC",
            b"MSGF",
            b"ERRF",
            &case.leaf.der,
            &PARTIES[2].der,
            &case.chain(),
        ])
        .executions(2_000)
        .run();
}
