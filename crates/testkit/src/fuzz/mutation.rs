//! Inputs from other inputs: the changes that parsers stumble over.

use crate::Rng;

/// Numbers at the edges of what fields of a length or count can hold.
const EDGES: [u64; 14] = [
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x1_0000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    u64::MAX,
];
/// Texts of digits at the edges of number types, for formats of text.
const DIGITS: [&str; 9] = [
    "-1",
    "0",
    "2147483648",
    "4294967296",
    "9223372036854775808",
    "18446744073709551616",
    "-9223372036854775808",
    "1e999",
    "0.0000001",
];

/// What inputs are made of.
pub(super) struct Mutator<'a> {
    pub(super) inputs: &'a [Vec<u8>],
    pub(super) words: &'a [Vec<u8>],
    pub(super) bytes_max: usize,
}

impl Mutator<'_> {
    /// The next input.
    pub(super) fn input(&self, rng: &mut Rng) -> Vec<u8> {
        if rng.one_in(50) {
            // Noise alone, so that no input has to be near a good one.
            let length = rng.below(64) as usize;
            return rng.bytes(length);
        }
        let mut bytes = self.any(rng).to_vec();
        // Mostly a few changes, now and then many.
        for _ in 0..1 << rng.below(5) {
            self.change(&mut bytes, rng);
        }
        bytes.truncate(self.bytes_max);
        bytes
    }

    fn any(&self, rng: &mut Rng) -> &[u8] {
        let at = rng.below(self.inputs.len() as u64) as usize;
        self.inputs.get(at).map_or(&[], Vec::as_slice)
    }

    fn change(&self, bytes: &mut Vec<u8>, rng: &mut Rng) {
        let at = rng.below(bytes.len() as u64 + 1) as usize;
        match rng.below(12) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << rng.below(8);
                }
            }
            1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = rng.number() as u8;
                }
            }
            2 => bytes.truncate(at),
            3 => {
                let end = at + piece(bytes.len() - at, rng);
                bytes.drain(at..end);
            }
            4 => {
                let (from, to) = self.piece_of(bytes, rng);
                let piece = bytes.get(from..to).unwrap_or_default().to_vec();
                insert(bytes, at, &piece);
            }
            5 => self.splice(bytes, at, rng),
            6 | 7 => length_field(bytes, at, rng),
            8 => nudge(bytes, at, rng),
            9 if !self.words.is_empty() => {
                let word = rng.below(self.words.len() as u64) as usize;
                let word = self.words.get(word).map_or(&[][..], Vec::as_slice);
                if rng.one_in(2) { insert(bytes, at, word) } else { overwrite(bytes, at, word) }
            }
            10 => {
                let text = DIGITS.get(rng.below(DIGITS.len() as u64) as usize).map_or("", |text| *text);
                replace_number(bytes, at, text.as_bytes());
            }
            _ => {
                let length = rng.below(9) as usize;
                let noise = rng.bytes(length);
                insert(bytes, at, &noise);
            }
        }
    }

    fn piece_of(&self, bytes: &[u8], rng: &mut Rng) -> (usize, usize) {
        let from = rng.below(bytes.len() as u64 + 1) as usize;
        (from, from + piece(bytes.len() - from, rng))
    }

    /// The beginning of this input with the end of another one, or a piece of it put in between.
    fn splice(&self, bytes: &mut Vec<u8>, at: usize, rng: &mut Rng) {
        let other = self.any(rng);
        let (from, to) = self.piece_of(other, rng);
        if rng.one_in(2) {
            bytes.truncate(at);
            bytes.extend_from_slice(other.get(from..).unwrap_or_default());
        } else {
            insert(bytes, at, other.get(from..to).unwrap_or_default());
        }
    }
}

/// A length from 0 to `most`, small ones more often.
fn piece(most: usize, rng: &mut Rng) -> usize {
    let bound = if rng.one_in(4) { most } else { most.min(16) };
    rng.below(bound as u64 + 1) as usize
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied());
}

fn overwrite(bytes: &mut [u8], at: usize, piece: &[u8]) {
    bytes.iter_mut().skip(at).zip(piece).for_each(|(byte, new)| *byte = *new);
}

/// Writes an edge number, or what is left behind it, in a width and order of bytes.
fn length_field(bytes: &mut [u8], at: usize, rng: &mut Rng) {
    let edge = EDGES.get(rng.below(EDGES.len() as u64) as usize).copied().unwrap_or(0);
    let left = bytes.len().saturating_sub(at) as u64;
    let number = match rng.below(4) {
        0 => left.wrapping_sub(rng.below(6)),
        1 => left.wrapping_add(rng.below(6)),
        _ => edge,
    };
    let width = 1 << rng.below(4);
    if rng.one_in(2) {
        overwrite(bytes, at, number.to_le_bytes().get(..width).unwrap_or_default());
    } else {
        overwrite(bytes, at, number.to_be_bytes().get(8 - width..).unwrap_or_default());
    }
}

/// Adds a little to a field of one, two or four bytes.
fn nudge(bytes: &mut [u8], at: usize, rng: &mut Rng) {
    let by = rng.below(33) as u32;
    let by = if rng.one_in(2) { by } else { by.wrapping_neg() };
    let width = 1_usize << rng.below(3);
    let Some(field) = bytes.get_mut(at..at + width) else { return };
    let mut number = [0; 4];
    overwrite(&mut number, 0, field);
    let changed = u32::from_le_bytes(number).wrapping_add(by).to_le_bytes();
    overwrite(field, 0, &changed);
}

/// Puts digits in the place of those that stand there.
fn replace_number(bytes: &mut Vec<u8>, at: usize, digits: &[u8]) {
    let from = bytes.iter().skip(at).position(u8::is_ascii_digit).map_or(at, |skipped| at + skipped);
    let count = bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    bytes.splice(from..from + count, digits.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_inputs_and_they_are_bounded() {
        let inputs = vec![b"{\"count\": 12}".to_vec(), vec![0; 40]];
        let words = vec![b"null".to_vec()];
        let mutator = Mutator { inputs: &inputs, words: &words, bytes_max: 100 };
        let made = |seed| {
            let mut rng = Rng::new(seed);
            (0..3_000).map(|_| mutator.input(&mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(made(7), made(7));
        assert_ne!(made(7), made(8));
        assert!(made(7).iter().all(|input| input.len() <= 100));
        assert!(made(7).iter().any(|input| input.windows(19).any(|part| part == b"9223372036854775808")));
    }
}
